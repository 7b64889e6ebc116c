//! MS-FSRVP 3.1.4.7 RecoveryCompleteShadowCopySet (Opnum 6).

use crate::oracle::codes::{BAD_STATE, SUCCEEDS, UNKNOWN_SET};
use crate::oracle::rule::{Rule, state};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::Opnum;

const RECOVERED: Opnum = Opnum::RecoveryCompleteShadowCopySet;

pub(super) const RULES: &[Rule] = &[
    state("FSRVP-3.1.4.7-01", RECOVERED, Status::Absent, UNKNOWN_SET),
    state("FSRVP-3.1.4.7-02", RECOVERED, Status::Started, BAD_STATE),
    state("FSRVP-3.1.4.7-03", RECOVERED, Status::Added, BAD_STATE),
    state(
        "FSRVP-3.1.4.7-04",
        RECOVERED,
        Status::CreationInProgress,
        BAD_STATE,
    ),
    state("FSRVP-3.1.4.7-05", RECOVERED, Status::Committed, BAD_STATE),
    state("FSRVP-3.1.4.7-06", RECOVERED, Status::Recovered, BAD_STATE),
    state("FSRVP-3.1.4.7-07", RECOVERED, Status::Exposed, SUCCEEDS),
];
