//! How a client ends with a set: abort, or walk away. MS-FSRVP 3.2.4.6, 3.2.4.9.

use super::creation::local;
use crate::oracle::clients::{Local, LocalSet};
use crate::oracle::history::Gone;
use crate::oracle::rule::{Rule, Ruling, Scene, judge, short};
use crate::oracle::server::Judged;
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::{Opnum, ShadowCopySetId};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3.2.4.6-01", uses_an_aborted_set),
    judge("FSRVP-C-3.2.4.9-01", aborts_a_recovered_set),
    judge("FSRVP-C-3.1.2-01", after_the_timer),
];

/// The requirements that are judged when a client has gone.
pub(super) const REQUIREMENTS: &[&str] = &["FSRVP-C-3.2.4.5-02", "FSRVP-C-3.2.4.9-01"];

fn uses_an_aborted_set(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set) if set.status == Local::Forgotten => Ruling::of(
            false,
            "no call for a set that was aborted: the client has forgotten it",
            scene.asked(),
        ),
        Some(_) if scene.is(Opnum::AbortShadowCopySet) => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

fn aborts_a_recovered_set(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set) if scene.is(Opnum::AbortShadowCopySet) => Ruling::of(
            set.status != Local::Recovered,
            "AbortShadowCopySet only for sets that are not Recovered",
            format!("{} for one that is", scene.asked()),
        ),
        _ => Ruling::Silent,
    }
}

/// The client took longer over its next step than the server keeps the set.
fn after_the_timer(scene: &Scene<'_>) -> Ruling {
    let (Some(local), Some(set)) = (local(scene), scene.set()) else {
        return Ruling::Silent;
    };
    match set.gone {
        Some(Gone::Expired(arm))
            if set.is_certainly(Status::Absent) && local.status.is_unfinished() && scene.alone =>
        {
            Ruling::of(
                false,
                format!(
                    "the next step before the {} that the Message Sequence Timer runs after {} have passed",
                    crate::oracle::timer::Timer::length(scene.durations, arm),
                    arm.name()
                ),
                format!("{} after it", scene.asked()),
            )
        }
        _ => Ruling::Silent,
    }
}

/// How it is known that a client does nothing more for its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oracle) enum Departure {
    /// It closed its last connection to the server in this frame.
    Closed(u64),
    /// The server's timer has run out before the capture ends.
    Expired,
}

/// What a client breaks that leaves this set unfinished, and what it should have done.
pub(in crate::oracle) fn unfinished(set: &LocalSet) -> (&'static str, &'static str) {
    match set.status {
        Local::Exposed if !set.recovery_tried => (
            "FSRVP-C-3.2.4.5-02",
            "RecoveryCompleteShadowCopySet, or AbortShadowCopySet, for a set that is Exposed",
        ),
        _ => (
            "FSRVP-C-3.2.4.9-01",
            "AbortShadowCopySet for a set that is not finished, before the client leaves",
        ),
    }
}

/// Judges a set that its client has left unfinished.
pub(in crate::oracle) fn abandoned(
    id: ShadowCopySetId,
    set: &LocalSet,
    departure: Departure,
) -> Judged {
    let (requirement, wanted) = unfinished(set);
    let how = match departure {
        Departure::Closed(frame) => {
            format!("its client closed its last connection in frame {frame}")
        }
        Departure::Expired => {
            "its client did nothing more until the server's timer ran out".to_owned()
        }
    };
    Judged {
        requirement,
        ruling: Ruling::of(
            false,
            wanted,
            format!("set {} was left {}: {how}", short(id.0), set.status.name()),
        ),
    }
}
