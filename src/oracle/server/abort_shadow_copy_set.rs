//! MS-FSRVP 3.1.4.8 AbortShadowCopySet (Opnum 7).

use crate::oracle::codes::{ABORTS_OR_BAD_STATE, SUCCEEDS, UNKNOWN_SET, is_own_failure};
use crate::oracle::history::Gone;
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state_when};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::{Hresult, Opnum, ShadowCopySetId};

const ABORT: Opnum = Opnum::AbortShadowCopySet;

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.8-01", nil_set),
    state_when(
        "FSRVP-3.1.4.8-02",
        ABORT,
        Status::Absent,
        |s| named(s) && !aborted(s),
        UNKNOWN_SET,
    ),
    state_when("FSRVP-3.1.4.8-03", ABORT, Status::Started, named, SUCCEEDS),
    state_when("FSRVP-3.1.4.8-04", ABORT, Status::Added, named, SUCCEEDS),
    state_when(
        "FSRVP-3.1.4.8-05",
        ABORT,
        Status::CreationInProgress,
        named,
        ABORTS_OR_BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.8-06",
        ABORT,
        Status::Committed,
        named,
        ABORTS_OR_BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.8-07",
        ABORT,
        Status::Exposed,
        named,
        ABORTS_OR_BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.8-08",
        ABORT,
        Status::Recovered,
        named,
        ABORTS_OR_BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.8-12",
        ABORT,
        Status::Absent,
        |s| named(s) && aborted(s),
        UNKNOWN_SET,
    ),
];

fn named(scene: &Scene<'_>) -> bool {
    !scene.set_id().is_some_and(ShadowCopySetId::is_nil)
}

fn aborted(scene: &Scene<'_>) -> bool {
    let gone = scene.set().and_then(|set| set.gone);
    matches!(gone, Some(Gone::Aborted(_)))
}

fn nil_set(scene: &Scene<'_>) -> Ruling {
    match scene.judged_code() {
        Some(code) if scene.is(ABORT) && !named(scene) && !is_own_failure(code) => Ruling::of(
            code == Hresult::E_INVALIDARG,
            "E_INVALIDARG: ShadowCopySetId is nil",
            scene.told(),
        ),
        _ => Ruling::Silent,
    }
}
