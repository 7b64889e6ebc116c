//! Who may write when: the gate of each share, and the freeze of file stores.
//!
//! One mutex guards a few counters for all shares. Every change of a share happens while its
//! writer is counted, both at the share and at its file store; so whoever closed the gate, or
//! froze the store, and then saw the counter at zero, knows that nothing is under way.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::tree::TreeError;

/// How long a writer waits for a frozen store before its request fails.
pub const WRITER_WAIT_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Writable,
    ReadOnly,
    Removed,
}

#[derive(Debug)]
struct GateState {
    mode: Mode,
    writers: usize,
}

#[derive(Debug, Default)]
struct Store {
    frozen: bool,
    writers: usize,
}

#[derive(Debug, Default)]
struct State {
    stores: HashMap<String, Store>,
    gates: HashMap<u64, GateState>,
    next_gate: u64,
}

/// The gates of all shares of one server.
#[derive(Debug)]
pub(super) struct Gatekeeper {
    state: Mutex<State>,
    changed: Condvar,
    writer_wait_max: Duration,
}

/// In-flight writes did not end within the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("writes under way did not end in time")]
pub struct StillBusy;

impl Gatekeeper {
    pub(super) fn new(writer_wait_max: Duration) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            writer_wait_max,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` or the bound; tells whether it is ready.
    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        bound: Duration,
        mut ready: impl FnMut(&mut State) -> bool,
    ) -> (MutexGuard<'a, State>, bool) {
        let (state, result) = self
            .changed
            .wait_timeout_while(state, bound, |state| !ready(state))
            .unwrap_or_else(PoisonError::into_inner);
        (state, !result.timed_out())
    }

    pub(super) fn gate(self: &Arc<Self>, store: String, writable: bool) -> Gate {
        let mut state = self.lock();
        let id = state.next_gate;
        state.next_gate = id.wrapping_add(1);
        let mode = if writable {
            Mode::Writable
        } else {
            Mode::ReadOnly
        };
        state.gates.insert(id, GateState { mode, writers: 0 });
        Gate {
            keeper: Arc::clone(self),
            id,
            store,
        }
    }

    /// Keeps all writers out of `stores` until the answer is dropped. All stores are taken at once,
    /// so two freezes cannot wait for each other.
    pub(super) fn freeze(
        self: &Arc<Self>,
        stores: BTreeSet<String>,
        bound: Duration,
    ) -> Result<Freeze, StillBusy> {
        let mut taken = false;
        let state = self.lock();
        let (mut state, quiet) = self.wait(state, bound, |state| {
            let store_of = |state: &State, name: &String| {
                state
                    .stores
                    .get(name)
                    .map_or((false, 0), |store| (store.frozen, store.writers))
            };
            if !taken {
                if stores.iter().any(|name| store_of(state, name).0) {
                    return false;
                }
                for name in &stores {
                    state.stores.entry(name.clone()).or_default().frozen = true;
                }
                taken = true;
            }
            stores.iter().all(|name| store_of(state, name).1 == 0)
        });
        if quiet {
            drop(state);
            return Ok(Freeze {
                keeper: Arc::clone(self),
                stores,
            });
        }
        if taken {
            thaw(&mut state, &stores);
        }
        drop(state);
        self.changed.notify_all();
        Err(StillBusy)
    }
}

fn thaw(state: &mut State, stores: &BTreeSet<String>) {
    for name in stores {
        if let Some(store) = state.stores.get_mut(name) {
            store.frozen = false;
        }
    }
    state
        .stores
        .retain(|_, store| store.frozen || store.writers > 0);
}

/// File stores that nobody writes to as long as this lives.
#[derive(Debug)]
#[must_use = "dropping it lets the writers go on"]
pub struct Freeze {
    keeper: Arc<Gatekeeper>,
    stores: BTreeSet<String>,
}

impl Drop for Freeze {
    fn drop(&mut self) {
        thaw(&mut self.keeper.lock(), &self.stores);
        self.keeper.changed.notify_all();
    }
}

/// The gate of one share.
#[derive(Debug)]
pub(super) struct Gate {
    keeper: Arc<Gatekeeper>,
    id: u64,
    store: String,
}

/// One change is under way.
#[derive(Debug)]
#[must_use = "the change must happen while it lives"]
pub(super) struct WritePermit<'a> {
    gate: &'a Gate,
}

impl Gate {
    fn mode(&self, state: &State) -> Mode {
        state
            .gates
            .get(&self.id)
            .map_or(Mode::Removed, |gate| gate.mode)
    }

    /// Fails when the share was removed.
    pub(super) fn must_exist(&self) -> Result<(), TreeError> {
        match self.mode(&self.keeper.lock()) {
            Mode::Removed => Err(TreeError::ShareGone),
            Mode::Writable | Mode::ReadOnly => Ok(()),
        }
    }

    /// Fails when no change would be let through at this moment.
    pub(super) fn must_be_writable(&self) -> Result<(), TreeError> {
        match self.mode(&self.keeper.lock()) {
            Mode::Removed => Err(TreeError::ShareGone),
            Mode::ReadOnly => Err(TreeError::ReadOnly),
            Mode::Writable => Ok(()),
        }
    }

    /// Lets one change through, after waiting for the end of a freeze. Whether the share may be
    /// written is decided after the wait, and stands until the permit is dropped.
    pub(super) fn enter(&self) -> Result<WritePermit<'_>, TreeError> {
        let state = self.keeper.lock();
        let (mut state, thawed) = self
            .keeper
            .wait(state, self.keeper.writer_wait_max, |state| {
                let frozen = state
                    .stores
                    .get(&self.store)
                    .is_some_and(|store| store.frozen);
                !frozen || self.mode(state) != Mode::Writable
            });
        match self.mode(&state) {
            Mode::Removed => return Err(TreeError::ShareGone),
            Mode::ReadOnly => return Err(TreeError::ReadOnly),
            Mode::Writable if !thawed => return Err(TreeError::Frozen),
            Mode::Writable => {}
        }
        state.stores.entry(self.store.clone()).or_default().writers += 1;
        if let Some(gate) = state.gates.get_mut(&self.id) {
            gate.writers += 1;
        }
        Ok(WritePermit { gate: self })
    }

    /// From now on no change is let through; returns when those under way have ended.
    pub(super) fn seal(&self, bound: Duration) -> Result<(), StillBusy> {
        self.close(Mode::ReadOnly, bound)
    }

    /// From now on nothing is let through; returns when the changes under way have ended.
    pub(super) fn remove(&self, bound: Duration) -> Result<(), StillBusy> {
        self.close(Mode::Removed, bound)
    }

    fn close(&self, mode: Mode, bound: Duration) -> Result<(), StillBusy> {
        let mut state = self.keeper.lock();
        if let Some(gate) = state
            .gates
            .get_mut(&self.id)
            .filter(|gate| gate.mode != Mode::Removed)
        {
            gate.mode = mode;
        }
        self.keeper.changed.notify_all();
        let (state, quiet) = self.keeper.wait(state, bound, |state| {
            state
                .gates
                .get(&self.id)
                .is_none_or(|gate| gate.writers == 0)
        });
        drop(state);
        if quiet { Ok(()) } else { Err(StillBusy) }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.keeper.lock().gates.remove(&self.id);
    }
}

impl Drop for WritePermit<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.keeper.lock();
        if let Some(gate) = state.gates.get_mut(&self.gate.id) {
            gate.writers = gate.writers.saturating_sub(1);
        }
        if let Some(store) = state.stores.get_mut(&self.gate.store) {
            store.writers = store.writers.saturating_sub(1);
            if store.writers == 0 && !store.frozen {
                state.stores.remove(&self.gate.store);
            }
        }
        drop(state);
        self.gate.keeper.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(30);

    fn stores(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn sealing_waits_for_the_change_under_way() {
        let keeper = Gatekeeper::new(LATE);
        let gate = keeper.gate("s".to_owned(), true);
        let permit = gate.enter().unwrap();
        assert_eq!(gate.seal(SOON), Err(StillBusy));
        assert!(matches!(gate.enter(), Err(TreeError::ReadOnly)));
        let landed = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                gate.seal(LATE).unwrap();
                assert!(landed.load(Ordering::SeqCst));
            });
            landed.store(true, Ordering::SeqCst);
            drop(permit);
        });
    }

    #[test]
    fn a_freeze_waits_for_changes_and_keeps_new_ones_waiting() {
        let keeper = Gatekeeper::new(LATE);
        let gate = keeper.gate("s".to_owned(), true);
        let other = keeper.gate("t".to_owned(), true);
        let permit = gate.enter().unwrap();
        assert!(keeper.freeze(stores(&["s"]), SOON).is_err());
        // The freeze that failed is gone again.
        drop(gate.enter().unwrap());
        drop(permit);
        let freeze = keeper.freeze(stores(&["s"]), SOON).unwrap();
        drop(other.enter().unwrap());
        let thawed = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                drop(gate.enter().unwrap());
                assert!(thawed.load(Ordering::SeqCst));
            });
            assert!(keeper.freeze(stores(&["s", "t"]), SOON).is_err());
            thawed.store(true, Ordering::SeqCst);
            drop(freeze);
        });
        drop(keeper.freeze(stores(&["s", "t"]), SOON).unwrap());
    }

    #[test]
    fn a_writer_does_not_wait_for_ever() {
        let keeper = Gatekeeper::new(SOON);
        let gate = keeper.gate("s".to_owned(), true);
        let freeze = keeper.freeze(stores(&["s"]), SOON).unwrap();
        assert!(matches!(gate.enter(), Err(TreeError::Frozen)));
        drop(freeze);
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn who_waits_when_the_gate_is_closed_is_refused() {
        let keeper = Gatekeeper::new(LATE);
        for close in [Gate::seal, Gate::remove] {
            let gate = keeper.gate("s".to_owned(), true);
            let freeze = keeper.freeze(stores(&["s"]), SOON).unwrap();
            let (tell, told) = std::sync::mpsc::channel();
            thread::scope(|scope| {
                let gate = &gate;
                scope.spawn(move || tell.send(gate.enter().map(drop)).unwrap());
                close(gate, SOON).unwrap();
                // At once, not when the bound for writers is over.
                assert!(told.recv_timeout(LATE / 4).unwrap().is_err());
            });
            drop(freeze);
        }
    }

    #[test]
    fn sealing_does_not_bring_a_removed_share_back() {
        let keeper = Gatekeeper::new(SOON);
        let gate = keeper.gate("s".to_owned(), true);
        gate.remove(SOON).unwrap();
        gate.seal(SOON).unwrap();
        assert!(matches!(gate.must_exist(), Err(TreeError::ShareGone)));
    }

    #[test]
    fn freezes_of_overlapping_sets_take_turns() {
        let keeper = Gatekeeper::new(LATE);
        let inside = Mutex::new(());
        thread::scope(|scope| {
            for names in [["a", "b"], ["b", "c"], ["c", "b"], ["b", "a"]] {
                let (keeper, inside) = (&keeper, &inside);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let freeze = keeper.freeze(stores(&names), LATE).unwrap();
                        // All of them freeze `b`, so nobody else can be here.
                        drop(inside.try_lock().unwrap());
                        drop(freeze);
                    }
                });
            }
        });
        assert!(keeper.lock().stores.is_empty());
    }
}
