//! MS-FSRVP 3.1.4.5: the copies of a set, all of one instant, or none.
//!
//! Writers are kept out of all file stores of the set while its copies are made, each copy on a
//! thread of its own, and for no longer than the bound: at the bound they go on, the commit fails,
//! and what was made, or comes too late, is deleted. What a copy needs to reach the disk is done
//! when writers go on again, before the commit is answered.

use super::effects::{Outcome, Workshop, failed, failed_by};
use super::say;
use crate::agent::{BackendRef, Completion, CopyOrder, EffectFailed};
use crate::backend::{BackendSnapshot, CreateRequest, ShadowBackend, Watch};
use crate::config::Trial;
use crate::share::{Share, ShareKind};
use fsrvp_wire::fsrvp::ShadowCopyId;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// One copy to make, and of what.
type Source<'a> = (&'a CopyOrder, Arc<Share>);

/// What the threads have made so far.
#[derive(Debug, Default)]
struct Made {
    copies: Vec<BackendSnapshot>,
    failure: Option<EffectFailed>,
    finished: usize,
    /// Nobody wants the set any more, which is not the backend's failure.
    is_given_up: bool,
    /// Nobody waits any more: whoever still makes a copy deletes it.
    is_over: bool,
}

/// A commit under way, for those who make its copies, wait for them or give it up.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    made: Mutex<Made>,
    changed: Condvar,
    watch: Watch,
}

impl Workshop {
    pub(super) fn commit(&self, orders: &[CopyOrder], gathered: &Arc<Gathered>) -> Outcome {
        self.trial.step("commit.begin");
        let mut sources = Vec::new();
        for order in orders {
            sources.push((order, self.base(&order.share_name)?));
        }
        for (_, share) in &sources {
            say::what_is_left_out(share);
        }
        let copied = self.copy_frozen(&sources, gathered);
        let synced = copied.and_then(|copies| {
            for copy in &copies {
                let copy = copy.clone();
                self.backend_within(move |backend| backend.sync(&copy).map_err(failed_by))?;
            }
            Ok(copies)
        });
        self.trial.step("commit.synced");
        let copies = synced.inspect_err(|_| self.take_back(&sources))?;
        let references = copies.iter().map(|copy| {
            let reference = serde_json::to_value(copy).map_err(failed)?;
            Ok((ShadowCopyId(copy.shadow_copy_id), BackendRef(reference)))
        });
        Ok(Completion::Copied(
            references.collect::<Result<_, EffectFailed>>()?,
        ))
    }

    /// Makes all copies while nobody writes; says for how long nobody could.
    fn copy_frozen(
        &self,
        sources: &[Source<'_>],
        gathered: &Arc<Gathered>,
    ) -> Result<Vec<BackendSnapshot>, EffectFailed> {
        let stores = sources
            .iter()
            .map(|(_, share)| share.volume_name().to_owned());
        let asked = self.time.machine().monotonic;
        let frozen = self.shares.freeze(stores, self.freeze_max);
        let frozen = frozen.map_err(failed)?;
        self.trial.step("commit.frozen");
        let began = self.time.machine().monotonic;
        start_copies(sources, gathered)?;
        let is_whole = gathered.wait(self.freeze_max, |made| {
            made.copies.len() == sources.len() || made.failure.is_some() || made.is_given_up
        }) && gathered.lock().copies.len() == sources.len();
        self.trial.step("commit.copied");
        if !is_whole {
            gathered.watch.give_up();
        }
        drop(frozen);
        let ended = self.time.machine().monotonic;
        tracing::info!(
            copies = sources.len(),
            waited_for_writes = ?began.saturating_sub(asked),
            writes_waited = ?ended.saturating_sub(began),
            is_whole,
            "writes go on"
        );
        self.trial.step("commit.thawed");
        if !is_whole {
            // The others end soon: they were told. One that hangs is on its own from here.
            gathered.wait(self.freeze_max, |made| made.finished == sources.len());
        }
        let mut made = gathered.lock();
        made.is_over = true;
        if is_whole {
            return Ok(std::mem::take(&mut made.copies));
        }
        if made.is_given_up {
            return Err(failed("nobody wants the set any more"));
        }
        Err(made.failure.take().unwrap_or_else(|| {
            failed(format_args!(
                "the copies were not made within {:?}, the longest that writes may wait",
                self.freeze_max
            ))
        }))
    }

    /// Deletes whatever there is of these orders: a backend may have failed after it was done.
    fn take_back(&self, sources: &[Source<'_>]) {
        for (order, share) in sources {
            let ShareKind::Base { place, .. } = share.kind() else {
                continue;
            };
            let (place, id) = (place.clone(), order.shadow_copy_id.0);
            let found = self.backend_within(move |backend| made_as(backend, &place, id));
            let deleted = found.and_then(|found| {
                let mut found = found.into_iter();
                found.try_for_each(|copy| self.delete(copy))
            });
            if let Err(error) = deleted {
                tracing::warn!(%error, "half a set was left behind");
            }
        }
    }
}

fn start_copies(sources: &[Source<'_>], gathered: &Arc<Gathered>) -> Result<(), EffectFailed> {
    let mut work = Vec::new();
    for (order, share) in sources {
        let ShareKind::Base { backend, place } = share.kind() else {
            let name = share.name();
            return Err(failed(format_args!(
                "share {name}: it is a shadow copy itself"
            )));
        };
        let request = CreateRequest {
            source_root: share.root().to_owned(),
            place: place.clone(),
            shadow_copy_id: order.shadow_copy_id.0,
            writable: order.writable,
            watch: gathered.watch.clone(),
        };
        work.push((Arc::clone(backend), request));
    }
    for (backend, request) in work {
        let gathered = Arc::clone(gathered);
        std::thread::spawn(move || gathered.copy(&*backend, &request));
    }
    Ok(())
}

impl Gathered {
    /// A commit that tells `trial` how far its copies have come.
    pub(super) fn watched_by(trial: &Trial) -> Arc<Gathered> {
        Arc::new(Gathered {
            watch: trial.watches().map_or_else(Watch::default, Watch::telling),
            ..Gathered::default()
        })
    }

    /// Nobody wants the set any more: writes go on at once, and the copies end soon.
    pub(super) fn give_up(&self) {
        self.watch.give_up();
        self.lock().is_given_up = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` or the bound; tells whether it is ready.
    fn wait(&self, bound: Duration, ready: impl Fn(&Made) -> bool) -> bool {
        let waits = |made: &mut Made| !ready(made);
        let (_made, result) = self
            .changed
            .wait_timeout_while(self.lock(), bound, waits)
            .unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    /// Makes one copy; deletes it where it comes too late.
    fn copy(&self, backend: &dyn ShadowBackend, request: &CreateRequest) {
        let created = backend.create(request);
        let mut made = self.lock();
        let is_late = made.is_over;
        match created {
            Ok(copy) if is_late => {
                drop(made);
                tracing::warn!(shadow_copy = %request.shadow_copy_id, "made too late");
                if let Err(error) = backend.delete(&copy) {
                    tracing::warn!(%error, "an orphan is left until the next start");
                }
                return;
            }
            Ok(copy) => {
                tracing::info!(source = %request.source_root.display(),
                    shadow_copy = %copy.shadow_copy_id, backend = copy.kind.name(),
                    "backend snapshot made");
                made.copies.push(copy);
            }
            Err(error) => {
                tracing::warn!(source = %request.source_root.display(), %error, "not copied");
                made.failure.get_or_insert_with(|| failed_by(error));
            }
        }
        made.finished += 1;
        drop(made);
        self.changed.notify_all();
    }
}

fn made_as(
    backend: &dyn ShadowBackend,
    place: &Path,
    id: Uuid,
) -> Result<Vec<BackendSnapshot>, EffectFailed> {
    let mut found = backend.list(place).map_err(failed)?;
    found.retain(|copy| copy.shadow_copy_id == id);
    Ok(found)
}
