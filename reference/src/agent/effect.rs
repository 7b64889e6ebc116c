//! What the agent wants done, and what comes back.

use super::State;
use fsrvp_wire::fsrvp::{ShadowCopyId, ShadowCopySetId};
use serde::{Deserialize, Serialize};

/// Names a call, as whoever handed it in counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallToken(pub u64);

/// Names an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId(pub u64);

/// A backend snapshot as its backend writes it down; the agent only keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BackendRef(pub serde_json::Value);

/// One share whose file store is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOrder {
    /// The shadow copy to make.
    pub shadow_copy_id: ShadowCopyId,
    /// The base share.
    pub share_name: String,
    /// Whether it stays writable until it is sealed.
    pub writable: bool,
}

/// One share that is to appear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposeOrder {
    /// The shadow copy that it shows.
    pub shadow_copy_id: ShadowCopyId,
    /// The base share, whose access it takes over.
    pub share_name: String,
    /// Its name.
    pub exposed_name: String,
    /// What it shows.
    pub backend_ref: BackendRef,
    /// `CreationTimeStamp`, 100 ns intervals since 1601-01-01 00:00 UTC.
    pub creation_timestamp: i64,
    /// Whether it is writable until it is sealed.
    pub writable: bool,
}

/// Something to be done outside. Effects are carried out in order, off the agent's own thread;
/// `Prepare`, `Commit` and `Expose` may take long, and others may follow while they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make the configuration store hold exactly these sets, durably.
    Persist(State),
    /// Bring what was written so far to the file stores of these shares.
    Prepare {
        /// The base shares.
        share_names: Vec<String>,
    },
    /// Make all of these copies at one instant, or none.
    Commit {
        /// The set, for logs.
        shadow_copy_set_id: ShadowCopySetId,
        /// What to copy.
        copies: Vec<CopyOrder>,
    },
    /// Add all of these shares, or none.
    Expose {
        /// What to add.
        shares: Vec<ExposeOrder>,
    },
    /// Make these shares and what they show read-only for good, open handles included.
    Seal {
        /// The exposed shares.
        exposed_names: Vec<String>,
        /// The backend snapshots.
        copies: Vec<BackendRef>,
    },
    /// Add those of these shares that are missing again, as far as what they show is still there.
    Restore {
        /// What there was.
        shares: Vec<ExposeOrder>,
    },
    /// Remove exposed shares and backend snapshots, as far as they are still there.
    Remove {
        /// The exposed shares.
        exposed_names: Vec<String>,
        /// The backend snapshots.
        copies: Vec<BackendRef>,
    },
}

/// What a successful effect gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// It is done.
    Done,
    /// The backend snapshots of an [`Effect::Commit`], one for each order.
    Copied(Vec<(ShadowCopyId, BackendRef)>),
}

/// An effect that could not be carried out; the reason is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EffectFailed {
    /// It failed.
    #[error("{0}")]
    Failed(String),
    /// It ended, and nobody knows how: MS-FSRVP's wait that fails.
    #[error("{0}")]
    Lost(String),
}
