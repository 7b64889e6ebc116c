//! What a case needs of a target, and what a target has.

use crate::case::target::{Profile, Target, Timers};
use serde::Deserialize;

/// Something that a target may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// A second share, on a file store of its own.
    Share2,
    /// A third share, on a file store of its own.
    Share3,
    /// A second share on the first share's file store.
    SameStore,
    /// A hidden share.
    Hidden,
    /// A share that cannot be shadow copied.
    Unsupported,
    /// A share with mount points below its root.
    MountPoints,
    /// A share that the account without backup rights may read and not write to.
    Restricted,
    /// A share whose shadow copies do not go together with defragmentation.
    NoDefragmentation,
    /// A share whose shadow copies do not go together with content indexing.
    NoIndexing,
    /// An account without backup rights.
    PlainUser,
    /// An account whose only right is that of its group, Backup Operators.
    BackupOperator,
    /// Timers of known durations that are short enough to be waited for.
    Timers,
    /// The 180 s and the 1800 s of the Message Sequence Timer can be told apart.
    DistinctTimers,
    /// The harness can come from a second network address.
    SecondAddress,
    /// The harness can stop the server and start it again.
    Restart,
    /// The harness can make the server's backend fail or wait.
    Backend,
}

impl Feature {
    /// Why a case cannot be judged on `target`; `None` when the target has the feature.
    #[must_use]
    pub fn missing(self, target: &Target) -> Option<String> {
        let (has, reason) = match self {
            Feature::Share2 => (target.shares.len() > 1, "shares names no second share"),
            Feature::Share3 => (target.shares.len() > 2, "shares names no third share"),
            Feature::SameStore => (
                !target.same_store.is_empty(),
                "same_store names no further share on the store of the first",
            ),
            Feature::Hidden => (target.hidden.is_some(), "hidden names no share"),
            Feature::Unsupported => (
                !target.unsupported.is_empty(),
                "unsupported names no share that cannot be shadow copied",
            ),
            Feature::MountPoints => (
                target.mount_points.is_some(),
                "mount_points names no share with other file stores mounted below its root",
            ),
            Feature::Restricted => (
                target.restricted.is_some(),
                "restricted names no share that plain_user may read and not write to",
            ),
            Feature::NoDefragmentation => (
                target.no_defragmentation.is_some(),
                "no_defragmentation names no share whose shadow copies forbid it",
            ),
            Feature::NoIndexing => (
                target.no_indexing.is_some(),
                "no_indexing names no share whose shadow copies forbid it",
            ),
            Feature::BackupOperator => (
                target.backup_operator.is_some(),
                "backup_operator names no account of the group Backup Operators",
            ),
            Feature::PlainUser => (
                target.plain_user.is_some(),
                "plain_user names no account without backup rights",
            ),
            Feature::Timers => (
                target.timers.can_be_waited_for(),
                "the timers are unknown or too slow to be waited for",
            ),
            Feature::DistinctTimers => (
                target.timers.can_be_waited_for() && !matches!(target.timers, Timers::Fixed(_)),
                "one duration for every timer: 180 s and 1800 s cannot be told apart",
            ),
            Feature::SecondAddress => (
                target.is_loopback(),
                "a second client address is only there on loopback",
            ),
            Feature::Restart => (
                matches!(target.timers, Timers::Ours) || !target.restart.is_empty(),
                "restart names no program that stops the server and starts it again",
            ),
            Feature::Backend if target.profile == Profile::Samba => (
                false,
                "Samba waits for its backend without regard to TimeOutInMilliseconds, and other \
                 calls wait as well",
            ),
            Feature::Backend => (
                matches!(target.timers, Timers::Ours),
                "the harness has no hand in the backend of a server that it did not start",
            ),
        };
        (!has).then(|| reason.to_owned())
    }
}
