//! Backend snapshots that could not be deleted, and are to be as soon as it works.
//!
//! They need no place in the configuration store: a backend snapshot that no stored set knows is
//! an orphan, and orphans are removed at the next start.

use crate::agent::State;
use crate::backend::BackendSnapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

#[derive(Debug, Default)]
struct Known {
    waiting: BTreeMap<Uuid, BackendSnapshot>,
    /// The shadow copies of the sets that the configuration store holds.
    stored: BTreeSet<Uuid>,
    /// What a backend is deleting at this moment, or hangs over.
    under_way: BTreeSet<Uuid>,
}

/// What is still to be deleted.
#[derive(Debug, Default)]
pub(super) struct Leftovers(Mutex<Known>);

impl Leftovers {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the configuration store holds these sets.
    pub(super) fn stored(&self, state: &State) {
        self.lock().stored = ids(state);
    }

    /// The backend begins, or has ended, to delete this one.
    pub(super) fn set_under_way(&self, id: Uuid, is_under_way: bool) {
        let mut known = self.lock();
        if is_under_way {
            known.under_way.insert(id);
        } else {
            known.under_way.remove(&id);
        }
    }

    /// This one could not be deleted.
    pub(super) fn remember(&self, snapshot: BackendSnapshot) {
        self.lock()
            .waiting
            .insert(snapshot.shadow_copy_id, snapshot);
    }

    /// This one is gone.
    pub(super) fn forget(&self, id: Uuid) {
        self.lock().waiting.remove(&id);
    }

    /// What is to be tried again. A copy that a set still knows belongs to a call that failed, and
    /// its client repeats it (3.1.4.8 step 3).
    pub(super) fn due(&self) -> Vec<BackendSnapshot> {
        let mut known = self.lock();
        let known = &mut *known;
        known.waiting.retain(|id, _| !known.stored.contains(id));
        let idle = |copy: &&BackendSnapshot| !known.under_way.contains(&copy.shadow_copy_id);
        known.waiting.values().filter(idle).cloned().collect()
    }

    /// Whether anything waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }
}

fn ids(state: &State) -> BTreeSet<Uuid> {
    let copies = state.sets.iter().flat_map(|set| &set.copies);
    copies.map(|copy| copy.id.0).collect()
}
