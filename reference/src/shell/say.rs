//! What an administrator is told about the shares: what the promise does not cover.

use crate::share::{Share, ShareKind};

/// At the start: what shadow copies of this share are worth.
pub(super) fn what_shadow_copies_hold(share: &Share) {
    match share.supports_shadow_copies() {
        Ok(kind) if kind.is_one_instant() => {
            tracing::info!(share = share.name(), backend = kind.name(), "share");
        }
        Ok(kind) => tracing::warn!(
            share = share.name(),
            backend = kind.name(),
            "what programs on this machine write past the server while a shadow copy is made may \
             be in it by half: this backend holds up only the server's own clients"
        ),
        Err(reason) => {
            tracing::warn!(share = share.name(), %reason, "no shadow copies of this share");
        }
    }
    what_is_left_out(share);
}

/// At the start and at each commit: what a shadow copy will not hold although the share shows it.
pub(super) fn what_is_left_out(share: &Share) {
    let ShareKind::Base { backend, .. } = share.kind() else {
        return;
    };
    match backend.left_out(share.root()) {
        Ok(left_out) => {
            for path in left_out {
                tracing::warn!(
                    share = share.name(),
                    subvolume = %path.display(),
                    "a subvolume of its own: shadow copies of this share show an empty directory"
                );
            }
        }
        Err(error) => {
            tracing::debug!(share = share.name(), %error, "unknown what is left out");
        }
    }
}
