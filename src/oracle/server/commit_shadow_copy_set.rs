//! MS-FSRVP 3.1.4.5 CommitShadowCopySet (Opnum 4).

use crate::oracle::codes::{BAD_STATE, COMMITS, UNKNOWN_SET};
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state, state_when};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum};

const COMMIT: Opnum = Opnum::CommitShadowCopySet;

pub(super) const RULES: &[Rule] = &[
    state("FSRVP-3.1.4.5-01", COMMIT, Status::Absent, UNKNOWN_SET),
    state("FSRVP-3.1.4.5-02", COMMIT, Status::Started, BAD_STATE),
    state("FSRVP-3.1.4.5-03", COMMIT, Status::Committed, BAD_STATE),
    state("FSRVP-3.1.4.5-04", COMMIT, Status::Exposed, BAD_STATE),
    state("FSRVP-3.1.4.5-05", COMMIT, Status::Recovered, BAD_STATE),
    state_when("FSRVP-3.1.4.5-06", COMMIT, Status::Added, prepared, COMMITS),
    state_when(
        "FSRVP-3.1.4.5-07",
        COMMIT,
        Status::Added,
        |s| !prepared(s),
        COMMITS,
    ),
    judge("FSRVP-3.1.4.5-08", not_before_the_timeout),
    state(
        "FSRVP-3.1.4.5-09",
        COMMIT,
        Status::CreationInProgress,
        COMMITS,
    ),
];

fn prepared(scene: &Scene<'_>) -> bool {
    scene.set().is_some_and(|set| set.prepared)
}

/// A timeout says that TimeOutInMilliseconds has passed. The network can make the wait look
/// longer, never shorter.
fn not_before_the_timeout(scene: &Scene<'_>) -> Ruling {
    let timeouts = [Hresult::FSSAGENT_E_TIMEOUT, Hresult::FSRVP_E_WAIT_TIMEOUT];
    match scene.call() {
        Some(Call::CommitShadowCopySet(request)) => {
            super::stubs::not_before(scene, request.timeout_ms, &timeouts)
        }
        _ => Ruling::Silent,
    }
}
