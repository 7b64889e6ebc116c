//! What the agent wants done, done: with shares, backends and the configuration store.

use crate::agent::{BackendRef, Completion, CopyOrder, Effect, EffectFailed, ExposeOrder, State};
use crate::backend::{BackendKind, BackendSnapshot, CreateRequest, ShadowBackend};
use crate::share::{ExposedShare, Share, ShareKind, ShareTable};
use crate::store::Store;
use fsrvp_wire::fsrvp::ShadowCopyId;
use std::sync::Arc;
use std::time::Duration;

/// How long writes under way may hold up a freeze, a seal or a removal.
const WRITES_END_WITHIN: Duration = Duration::from_secs(30);

/// Everything that effects work on; its work blocks.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) shares: Arc<ShareTable>,
    pub(super) backend: Arc<dyn ShadowBackend>,
    pub(super) store: Store,
}

type Outcome = Result<Completion, EffectFailed>;

fn failed(reason: impl std::fmt::Display) -> EffectFailed {
    EffectFailed(reason.to_string())
}

impl Workshop {
    /// Carries out one effect.
    pub(super) fn perform(&self, effect: &Effect) -> Outcome {
        let outcome = match effect {
            Effect::Persist(state) => self.persist(state),
            Effect::Prepare { share_names } => self.prepare(share_names),
            Effect::Commit { copies, .. } => self.commit(copies),
            Effect::Expose { shares } => self.expose(shares),
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
        self.store.save(state).map_err(failed)?;
        Ok(Completion::Done)
    }

    fn base(&self, share_name: &str) -> Result<Arc<Share>, EffectFailed> {
        self.shares
            .find(share_name)
            .ok_or_else(|| failed(format_args!("share {share_name}: it is gone")))
    }

    /// MS-FSRVP 3.1.4.13: what a commit would have to wait for is done now. A btrfs snapshot first
    /// brings to the disk what was written so far; a copy reads it from wherever it is.
    fn prepare(&self, share_names: &[String]) -> Outcome {
        for name in share_names {
            let share = self.base(name)?;
            if share.supports_shadow_copies().map_err(failed)? != BackendKind::Btrfs {
                continue;
            }
            let synced = std::fs::File::open(share.root())
                .and_then(|root| rustix::fs::syncfs(root).map_err(Into::into));
            synced.map_err(|error| failed(format_args!("share {name}: {error}")))?;
        }
        Ok(Completion::Done)
    }

    /// MS-FSRVP 3.1.4.5: all copies at one instant, with writers kept out, or none.
    fn commit(&self, orders: &[CopyOrder]) -> Outcome {
        let mut sources = Vec::new();
        for order in orders {
            sources.push((order, self.base(&order.share_name)?));
        }
        let stores = sources
            .iter()
            .map(|(_, share)| share.volume_name().to_owned());
        let frozen = self
            .shares
            .freeze(stores, WRITES_END_WITHIN)
            .map_err(failed)?;
        let mut made: Vec<BackendSnapshot> = Vec::new();
        for (order, share) in &sources {
            match self.copy(order, share) {
                Ok(snapshot) => made.push(snapshot),
                Err(error) => {
                    drop(frozen);
                    self.take_back(&sources);
                    return Err(error);
                }
            }
        }
        drop(frozen);
        let references = made.iter().map(|snapshot| {
            let reference = serde_json::to_value(snapshot).map_err(failed)?;
            Ok((ShadowCopyId(snapshot.shadow_copy_id), BackendRef(reference)))
        });
        Ok(Completion::Copied(
            references.collect::<Result<_, EffectFailed>>()?,
        ))
    }

    /// Deletes whatever there is of these orders: a backend may have failed after it was done.
    fn take_back(&self, sources: &[(&CopyOrder, Arc<Share>)]) {
        for (order, share) in sources {
            let ShareKind::Base { place, .. } = share.kind() else {
                continue;
            };
            let deleted = self.backend.list(place).and_then(|found| {
                let is_ordered =
                    |found: &&BackendSnapshot| found.shadow_copy_id == order.shadow_copy_id.0;
                found
                    .iter()
                    .filter(is_ordered)
                    .try_for_each(|found| self.backend.delete(found))
            });
            if let Err(error) = deleted {
                tracing::warn!(%error, "half a set was left behind");
            }
        }
    }

    fn copy(&self, order: &CopyOrder, share: &Share) -> Result<BackendSnapshot, EffectFailed> {
        let ShareKind::Base { backend, place } = share.kind() else {
            return Err(failed(format_args!(
                "share {}: it is a shadow copy itself",
                share.name()
            )));
        };
        let request = CreateRequest {
            source_root: share.root().to_owned(),
            place: place.clone(),
            shadow_copy_id: order.shadow_copy_id.0,
            writable: order.writable,
        };
        let snapshot = backend.create(&request).map_err(failed)?;
        tracing::info!(share = share.name(), shadow_copy = %order.shadow_copy_id,
            backend = backend.name(), "backend snapshot made");
        Ok(snapshot)
    }

    /// MS-FSRVP 3.1.4.6: all shares, or none.
    fn expose(&self, orders: &[ExposeOrder]) -> Outcome {
        for (index, order) in orders.iter().enumerate() {
            if let Err(error) = self.expose_one(order) {
                for earlier in orders.iter().take(index) {
                    if let Err(error) = self.shares.remove(&earlier.exposed_name, WRITES_END_WITHIN)
                    {
                        tracing::warn!(share = earlier.exposed_name, %error, "taken back");
                    }
                }
                return Err(error);
            }
        }
        Ok(Completion::Done)
    }

    /// Adds one share that shows a shadow copy; it takes over the base share's access of now.
    pub(super) fn expose_one(&self, order: &ExposeOrder) -> Result<(), EffectFailed> {
        let base = self.base(&order.share_name)?;
        let exposed = ExposedShare {
            name: order.exposed_name.clone(),
            comment: format!("Shadow copy of {}", base.name()),
            base: base.name().to_owned(),
            snapshot: snapshot(&order.backend_ref)?,
            access: base.access().clone(),
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

    /// MS-FSRVP 3.1.4.7: read-only for good.
    fn seal(&self, exposed_names: &[String], copies: &[BackendRef]) -> Outcome {
        for name in exposed_names {
            if let Some(share) = self.shares.find(name) {
                share.seal(WRITES_END_WITHIN).map_err(failed)?;
                tracing::info!(share = name, "sealed");
            }
        }
        for copy in copies {
            self.backend.seal(&snapshot(copy)?).map_err(failed)?;
        }
        Ok(Completion::Done)
    }

    /// Removes as much as it can, and then says what it could not.
    fn remove(&self, exposed_names: &[String], copies: &[BackendRef]) -> Outcome {
        let mut outcome = Ok(Completion::Done);
        for name in exposed_names {
            match self.shares.remove(name, WRITES_END_WITHIN) {
                Ok(_) => tracing::info!(share = name, "removed"),
                Err(error) => outcome = Err(failed(format_args!("share {name}: {error}"))),
            }
        }
        for copy in copies {
            let deleted =
                snapshot(copy).and_then(|copy| self.backend.delete(&copy).map_err(failed));
            if let Err(error) = deleted {
                outcome = Err(error);
            }
        }
        outcome
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
        Effect::Seal { .. } => "seal",
        Effect::Remove { .. } => "remove",
    }
}
