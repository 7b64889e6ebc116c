//! MS-FSRVP 3.1.4.13 PrepareShadowCopySet (Opnum 12).

use crate::oracle::codes::{BAD_STATE, UNKNOWN_SET, WAITS};
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state, state_when};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum};

const PREPARE: Opnum = Opnum::PrepareShadowCopySet;

pub(super) const RULES: &[Rule] = &[
    state("FSRVP-3.1.4.13-01", PREPARE, Status::Absent, UNKNOWN_SET),
    state("FSRVP-3.1.4.13-02", PREPARE, Status::Started, BAD_STATE),
    state(
        "FSRVP-3.1.4.13-03",
        PREPARE,
        Status::CreationInProgress,
        BAD_STATE,
    ),
    state("FSRVP-3.1.4.13-04", PREPARE, Status::Committed, BAD_STATE),
    state("FSRVP-3.1.4.13-05", PREPARE, Status::Exposed, BAD_STATE),
    state("FSRVP-3.1.4.13-06", PREPARE, Status::Recovered, BAD_STATE),
    state_when(
        "FSRVP-3.1.4.13-07",
        PREPARE,
        Status::Added,
        |s| !prepared(s),
        WAITS,
    ),
    state_when("FSRVP-3.1.4.13-08", PREPARE, Status::Added, prepared, WAITS),
    judge("FSRVP-3.1.4.13-09", not_before_the_timeout),
];

fn prepared(scene: &Scene<'_>) -> bool {
    scene.set().is_some_and(|set| set.prepared)
}

/// FSRVP_E_WAIT_TIMEOUT says that TimeOutInMilliseconds has passed. The network can make the wait
/// look longer, never shorter.
fn not_before_the_timeout(scene: &Scene<'_>) -> Ruling {
    match scene.call() {
        Some(Call::PrepareShadowCopySet(request)) => {
            super::stubs::not_before(scene, request.timeout_ms, &[Hresult::FSRVP_E_WAIT_TIMEOUT])
        }
        _ => Ruling::Silent,
    }
}
