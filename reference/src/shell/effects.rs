//! What the agent wants done, done: with shares, backends and the configuration store.

use super::commit::Gathered;
use super::leftovers::Leftovers;
use super::time::Time;
use crate::agent::{BackendRef, Completion, Effect, EffectFailed, ExposeOrder, State};
use crate::backend::{BackendError, BackendKind, BackendSnapshot, Operation, ShadowBackend};
use crate::config::Trial;
use crate::share::{Access, Descriptor, ExposedShare, Share, ShareTable};
use crate::store::Store;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long writes under way may hold up a seal or a removal.
const WRITES_END_WITHIN: Duration = Duration::from_secs(30);

/// Everything that effects work on; its work blocks.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) shares: Arc<ShareTable>,
    pub(super) backend: Arc<dyn ShadowBackend>,
    pub(super) store: Store,
    pub(super) leftovers: Arc<Leftovers>,
    /// How long writes may wait for a commit, and anybody for a backend that seals or deletes.
    pub(super) freeze_max: Duration,
    pub(super) time: Time,
    pub(super) trial: Trial,
}

pub(super) type Outcome = Result<Completion, EffectFailed>;

pub(super) fn failed(reason: impl std::fmt::Display) -> EffectFailed {
    EffectFailed::Failed(reason.to_string())
}

/// What a backend's error makes of an effect.
pub(super) fn failed_by(error: BackendError) -> EffectFailed {
    match error {
        BackendError::Lost(_) => EffectFailed::Lost(error.to_string()),
        _ => failed(error),
    }
}

impl Workshop {
    /// Carries out one effect; a commit by `gathered`, by which it can be given up.
    pub(super) fn perform(&self, effect: &Effect, gathered: &Arc<Gathered>) -> Outcome {
        let outcome = match effect {
            Effect::Persist(state) => self.persist(state),
            Effect::Prepare { share_names } => self.prepare(share_names),
            Effect::Commit { copies, .. } => self.commit(copies, gathered),
            Effect::Expose { shares } => self.expose(shares),
            Effect::Restore { shares } => {
                self.restore(shares);
                Ok(Completion::Done)
            }
            Effect::Seal {
                exposed_names,
                copies,
            } => self.seal(exposed_names, copies),
            Effect::Remove {
                exposed_names,
                copies,
            } => self.remove(exposed_names, copies),
        };
        match &outcome {
            Ok(_) => tracing::debug!(effect = kind(effect), "done"),
            Err(error) => tracing::warn!(effect = kind(effect), %error, "failed"),
        }
        outcome
    }

    fn persist(&self, state: &State) -> Outcome {
        self.trial.step("store.begin");
        self.store.save(state).map_err(failed)?;
        self.leftovers.stored(state);
        self.trial.step("store.done");
        Ok(Completion::Done)
    }

    pub(super) fn base(&self, share_name: &str) -> Result<Arc<Share>, EffectFailed> {
        self.shares
            .find(share_name)
            .ok_or_else(|| failed(format_args!("share {share_name}: it is gone")))
    }

    /// Lets the backend work for no longer than it may; a backend that hangs holds up nobody else.
    pub(super) fn backend_within<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn ShadowBackend) -> Result<T, EffectFailed> + Send + 'static,
    ) -> Result<T, EffectFailed> {
        let backend = Arc::clone(&self.backend);
        let (tell, told) = mpsc::channel();
        // Nobody may be left to be told.
        std::thread::spawn(move || drop(tell.send(work(&*backend))));
        told.recv_timeout(self.freeze_max).unwrap_or_else(|_| {
            let name = self.backend.name();
            Err(failed(format_args!(
                "backend {name}: no answer within {:?}",
                self.freeze_max
            )))
        })
    }

    /// MS-FSRVP 3.1.4.13: what a commit would have to wait for is done now. A btrfs snapshot or a
    /// clone first brings to the disk what was written so far; a copy reads it from wherever it is.
    fn prepare(&self, share_names: &[String]) -> Outcome {
        self.trial.step("prepare.begin");
        let wait = self.trial.work(Operation::Prepare, || Ok(()));
        wait.map_err(failed_by)?;
        for name in share_names {
            let share = self.base(name)?;
            if share.supports_shadow_copies().map_err(failed)? == BackendKind::Copy {
                continue;
            }
            let synced = std::fs::File::open(share.root())
                .and_then(|root| rustix::fs::syncfs(root).map_err(Into::into));
            synced.map_err(|error| failed(format_args!("share {name}: {error}")))?;
        }
        self.trial.step("prepare.done");
        Ok(Completion::Done)
    }

    /// MS-FSRVP 3.1.4.6: all shares, or none.
    fn expose(&self, orders: &[ExposeOrder]) -> Outcome {
        self.trial.step("expose.begin");
        let wait = self.trial.work(Operation::Expose, || Ok(()));
        wait.map_err(failed_by)?;
        for (index, order) in orders.iter().enumerate() {
            if let Err(error) = self.expose_first(order) {
                for earlier in orders.iter().take(index + 1) {
                    if let Err(error) = self.shares.remove(&earlier.exposed_name, WRITES_END_WITHIN)
                    {
                        tracing::warn!(share = earlier.exposed_name, %error, "taken back");
                    }
                }
                return Err(error);
            }
            self.trial.step("expose.share-added");
        }
        self.trial.step("expose.done");
        Ok(Completion::Done)
    }

    /// Adds one share that shows a shadow copy; it takes over the base share's access of now. A
    /// descriptor that was set for the base share stays the exposed one's, also where the base share
    /// gets another one.
    fn expose_first(&self, order: &ExposeOrder) -> Result<(), EffectFailed> {
        let access = self.base(&order.share_name)?.access();
        if let Some(bytes) = access.set_descriptor() {
            let kept = self.store.set_descriptor(&order.exposed_name, bytes);
            kept.map_err(failed)?;
        }
        self.expose_with(order, access)
    }

    /// Adds it again with the access that it had.
    fn expose_again(&self, order: &ExposeOrder) -> Result<(), EffectFailed> {
        let access = self.base(&order.share_name)?.access().as_configured();
        let kept = self.store.descriptors().map_err(failed)?;
        let access = match kept.get(&order.exposed_name.to_lowercase()) {
            Some(bytes) => access.described_by(Descriptor::parse(bytes).map_err(failed)?),
            None => access,
        };
        self.expose_with(order, access)
    }

    fn expose_with(&self, order: &ExposeOrder, access: Access) -> Result<(), EffectFailed> {
        let base = self.base(&order.share_name)?;
        let exposed = ExposedShare {
            name: order.exposed_name.clone(),
            comment: format!("Shadow copy of {}", base.name()),
            base: base.name().to_owned(),
            snapshot: snapshot(&order.backend_ref)?,
            created: u64::try_from(order.creation_timestamp).unwrap_or(0),
            access,
            encrypts: base.encrypts(),
            writable: order.writable,
        };
        self.shares.add_exposed(exposed).map_err(failed)?;
        tracing::info!(
            share = order.exposed_name,
            writable = order.writable,
            "exposed"
        );
        Ok(())
    }

    /// Adds what is missing of these shares, as far as it can.
    pub(super) fn restore(&self, orders: &[ExposeOrder]) {
        for order in orders {
            if self.shares.find(&order.exposed_name).is_some() {
                continue;
            }
            if let Err(error) = self.expose_again(order) {
                tracing::warn!(share = order.exposed_name, %error, "not exposed again");
            }
        }
    }

    /// MS-FSRVP 3.1.4.7: read-only for good.
    fn seal(&self, exposed_names: &[String], copies: &[BackendRef]) -> Outcome {
        self.trial.step("seal.begin");
        for name in exposed_names {
            if let Some(share) = self.shares.find(name) {
                share.seal(WRITES_END_WITHIN).map_err(failed)?;
                tracing::info!(share = name, "sealed");
            }
        }
        self.trial.step("seal.shares-closed");
        for copy in copies {
            let copy = snapshot(copy)?;
            self.backend_within(move |backend| backend.seal(&copy).map_err(failed_by))?;
        }
        self.trial.step("seal.done");
        Ok(Completion::Done)
    }

    /// Removes as much as it can, and then says what it could not. What no set knows any more is
    /// tried again later.
    fn remove(&self, exposed_names: &[String], copies: &[BackendRef]) -> Outcome {
        self.trial.step("remove.begin");
        let mut outcome = Ok(Completion::Done);
        for name in exposed_names {
            match self.shares.remove(name, WRITES_END_WITHIN) {
                Ok(_) => tracing::info!(share = name, "removed"),
                Err(error) => outcome = Err(failed(format_args!("share {name}: {error}"))),
            }
        }
        self.trial.step("remove.shares-gone");
        for copy in copies {
            match snapshot(copy).and_then(|copy| self.delete(copy)) {
                Ok(()) => self.trial.step("remove.copy-deleted"),
                Err(error) => outcome = Err(error),
            }
        }
        // While anything is left, its share may come back, and then as it was.
        if outcome.is_ok()
            && let Err(error) = self.store.forget_descriptors(exposed_names)
        {
            tracing::warn!(%error, "security descriptors of shares that are gone are left");
        }
        outcome
    }

    /// Deletes a backend snapshot, or remembers that it is still to be deleted.
    pub(super) fn delete(&self, copy: BackendSnapshot) -> Result<(), EffectFailed> {
        let doomed = copy.clone();
        let leftovers = Arc::clone(&self.leftovers);
        let deleted = self.backend_within(move |backend| {
            leftovers.set_under_way(copy.shadow_copy_id, true);
            let deleted = backend.delete(&copy).map_err(failed_by);
            leftovers.set_under_way(copy.shadow_copy_id, false);
            deleted
        });
        match &deleted {
            Ok(()) => self.leftovers.forget(doomed.shadow_copy_id),
            Err(_) => self.leftovers.remember(doomed),
        }
        deleted
    }

    /// Tries once more to delete what could not be deleted and what no set knows any more.
    pub(super) fn retry_leftovers(&self) {
        for copy in self.leftovers.due() {
            let id = copy.shadow_copy_id;
            match self.delete(copy) {
                Ok(()) => tracing::info!(shadow_copy = %id, "removed at last"),
                Err(error) => tracing::warn!(shadow_copy = %id, %error, "still not removed"),
            }
        }
    }
}

/// What the agent keeps of a backend snapshot, as its backend wrote it down.
pub(super) fn snapshot(reference: &BackendRef) -> Result<BackendSnapshot, EffectFailed> {
    serde_json::from_value(reference.0.clone()).map_err(failed)
}

/// The effect's name, for logs.
pub(super) fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Persist(_) => "persist",
        Effect::Prepare { .. } => "prepare",
        Effect::Commit { .. } => "commit",
        Effect::Expose { .. } => "expose",
        Effect::Restore { .. } => "restore",
        Effect::Seal { .. } => "seal",
        Effect::Remove { .. } => "remove",
    }
}
