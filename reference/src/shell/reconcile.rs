//! The start of a server: what the configuration store says, the backend snapshots that lie on
//! the disk, and the exposed shares are made to agree.

use super::effects::{Workshop, snapshot};
use crate::agent::{Effect, ShadowCopySet, State, Status};
use crate::share::{Descriptor, ShareKind, ShareTable};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// Exposes again what was exposed, seals again what was sealed, and removes what no set knows.
///
/// A server without durable state removes nothing: what lies there may belong to one that has. One
/// that does not seal (profile samba) leaves every exposed share open to writes.
pub(super) fn reconcile(workshop: &Workshop, state: &State, is_durable: bool, seals: bool) {
    workshop.trial.step("start.loaded");
    workshop.leftovers.stored(state);
    if is_durable {
        remove_orphans(workshop, state);
    }
    workshop.trial.step("start.cleaned");
    for set in &state.sets {
        workshop.restore(&set.exposed_orders(set.is_writable() || !seals));
        if seals && set.status == Status::Recovered {
            seal(workshop, set);
        }
    }
    workshop.trial.step("start.exposed");
}

/// Gives the shares the security descriptors that were set for them.
pub(super) fn describe(shares: &ShareTable, descriptors: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in descriptors {
        let Some(share) = shares.find(name) else {
            continue;
        };
        match Descriptor::parse(bytes) {
            Ok(descriptor) => share.set_access(share.access().described_by(descriptor)),
            Err(error) => tracing::warn!(share = name, %error, "no security descriptor"),
        }
    }
}

/// Removes every exposed share and every backend snapshot of these sets.
pub(super) fn remove_all(workshop: &Workshop, state: &State) {
    for set in &state.sets {
        let effect = Effect::Remove {
            exposed_names: set.exposed_names(),
            copies: set.backend_refs(),
        };
        if let Err(error) = workshop.perform(&effect, &Arc::default()) {
            tracing::warn!(set = %set.id, %error, "shadow copies were left behind");
        }
    }
    workshop.retry_leftovers();
}

fn remove_orphans(workshop: &Workshop, state: &State) {
    let known: BTreeSet<Uuid> = state
        .sets
        .iter()
        .flat_map(|set| &set.copies)
        // A copy that was made and never stored as made stands in the way of the next commit.
        .filter(|copy| copy.backend_ref.is_some())
        .map(|copy| copy.id.0)
        .collect();
    let shares = workshop.shares.list();
    let places: BTreeSet<PathBuf> = shares
        .iter()
        .filter_map(|share| match share.kind() {
            ShareKind::Base { place, .. } => Some(place.clone()),
            ShareKind::Exposed { .. } => None,
        })
        .collect();
    for place in places {
        match workshop.backend.delete_unfinished(&place) {
            Ok(0) => {}
            Ok(count) => tracing::info!(place = %place.display(), count, "unfinished ones removed"),
            Err(error) => tracing::warn!(%error, "unfinished ones are left"),
        }
        let found = workshop.backend.list(&place).unwrap_or_else(|error| {
            tracing::warn!(%error, "backend snapshots cannot be listed");
            Vec::new()
        });
        for orphan in found
            .into_iter()
            .filter(|found| !known.contains(&found.shadow_copy_id))
        {
            let id = orphan.shadow_copy_id;
            match workshop.delete(orphan) {
                Ok(()) => tracing::info!(%id, "orphan removed"),
                Err(error) => tracing::warn!(%id, %error, "an orphan is left for now"),
            }
        }
    }
}

/// The server may have died after the set was stored as sealed and before the file system was told.
fn seal(workshop: &Workshop, set: &ShadowCopySet) {
    for reference in set.backend_refs() {
        let sealed = snapshot(&reference)
            .map_err(|error| error.to_string())
            .and_then(|snapshot| {
                let sealed = workshop.backend.seal(&snapshot);
                sealed.map_err(|error| error.to_string())
            });
        if let Err(error) = sealed {
            tracing::warn!(set = %set.id, error, "not sealed again");
        }
    }
}
