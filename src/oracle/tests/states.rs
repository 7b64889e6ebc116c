//! What each method answers for a set of each status.

use super::builder::{
    SHARE, Story, abort, add, commit, copied, copy, delete, expose, get_mapping, get_mapping_at,
    prepare, recovery, set, set_context, start, supported, version,
};
use crate::flow::{Answer, Request};
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId};

const ZERO: Hresult = Hresult::ZERO;
const BAD: Hresult = Hresult::FSRVP_E_BAD_STATE;
const MISMATCH: Hresult = Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH;
const INVALID: Hresult = Hresult::E_INVALIDARG;
const IN_PROGRESS: Hresult = Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS;
const NOT_FOUND: Hresult = Hresult::FSRVP_E_OBJECT_NOT_FOUND;
const EXISTS: Hresult = Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS;

/// The statuses of set 1, each with the words of the table.
pub(super) fn told(status: &str) -> Story {
    let story = Story::new();
    match status {
        "absent" => story
            .added(9)
            .code(abort(set(1)), MISMATCH)
            .code(prepare(9), ZERO),
        "started" => story.begun(1),
        "added" => story.added(1),
        "creating" => story.added(1).code(prepare(1), ZERO).taking(
            10_000,
            Opnum::CommitShadowCopySet,
            Request::Call(commit(1)),
            Answer::Reply(
                Reply::failure(Opnum::CommitShadowCopySet, Hresult::FSSAGENT_E_TIMEOUT)
                    .expect("a method"),
            ),
        ),
        "committed" => story.committed(1),
        "exposed" => story.exposed(1),
        _ => story.recovered(1),
    }
}

/// A call, the status of its set, every code that is right, one that is wrong, and the rule.
#[expect(clippy::type_complexity, reason = "a table")]
fn table() -> Vec<(
    fn() -> Call,
    &'static str,
    &'static [Hresult],
    Hresult,
    &'static str,
)> {
    let share = || add(1, r"\\srv\other");
    let wait: &[Hresult] = &[
        ZERO,
        Hresult::FSRVP_E_WAIT_FAILED,
        Hresult::E_FAIL,
        Hresult(0x8004_230F),
        Hresult::E_ACCESSDENIED,
    ];
    let bad: &[Hresult] = &[BAD, Hresult::E_ACCESSDENIED, Hresult(0x8007_0070)];
    let unknown: &[Hresult] = &[MISMATCH, Hresult::E_ACCESSDENIED];
    vec![
        (|| commit(1), "absent", unknown, INVALID, "FSRVP-3.1.4.5-01"),
        (|| commit(1), "started", bad, ZERO, "FSRVP-3.1.4.5-02"),
        (|| commit(1), "committed", bad, ZERO, "FSRVP-3.1.4.5-03"),
        (|| commit(1), "exposed", bad, ZERO, "FSRVP-3.1.4.5-04"),
        (|| commit(1), "recovered", bad, ZERO, "FSRVP-3.1.4.5-05"),
        (|| commit(1), "added", wait, BAD, "FSRVP-3.1.4.5-07"),
        (|| commit(1), "creating", wait, BAD, "FSRVP-3.1.4.5-09"),
        (|| expose(1), "absent", unknown, ZERO, "FSRVP-3.1.4.6-01"),
        (|| expose(1), "started", bad, ZERO, "FSRVP-3.1.4.6-02"),
        (|| expose(1), "added", bad, ZERO, "FSRVP-3.1.4.6-03"),
        (|| expose(1), "creating", bad, ZERO, "FSRVP-3.1.4.6-04"),
        (|| expose(1), "exposed", bad, ZERO, "FSRVP-3.1.4.6-05"),
        (|| expose(1), "recovered", bad, ZERO, "FSRVP-3.1.4.6-06"),
        (|| expose(1), "committed", wait, BAD, "FSRVP-3.1.4.6-07"),
        (
            || recovery(1),
            "absent",
            unknown,
            INVALID,
            "FSRVP-3.1.4.7-01",
        ),
        (|| recovery(1), "started", bad, ZERO, "FSRVP-3.1.4.7-02"),
        (|| recovery(1), "added", bad, ZERO, "FSRVP-3.1.4.7-03"),
        (|| recovery(1), "creating", bad, ZERO, "FSRVP-3.1.4.7-04"),
        (|| recovery(1), "committed", bad, ZERO, "FSRVP-3.1.4.7-05"),
        (|| recovery(1), "recovered", bad, ZERO, "FSRVP-3.1.4.7-06"),
        (|| recovery(1), "exposed", &[ZERO], BAD, "FSRVP-3.1.4.7-07"),
        (
            || abort(set(1)),
            "absent",
            unknown,
            ZERO,
            "FSRVP-3.1.4.8-02",
        ),
        (
            || abort(set(1)),
            "started",
            &[ZERO, Hresult::E_FAIL],
            BAD,
            "FSRVP-3.1.4.8-03",
        ),
        (|| abort(set(1)), "added", &[ZERO], BAD, "FSRVP-3.1.4.8-04"),
        (
            || abort(set(1)),
            "creating",
            &[ZERO, BAD],
            INVALID,
            "FSRVP-3.1.4.8-05",
        ),
        (
            || abort(set(1)),
            "committed",
            &[ZERO, BAD],
            INVALID,
            "FSRVP-3.1.4.8-06",
        ),
        (
            || abort(set(1)),
            "exposed",
            &[ZERO, BAD],
            INVALID,
            "FSRVP-3.1.4.8-07",
        ),
        (
            || abort(set(1)),
            "recovered",
            &[ZERO, BAD],
            INVALID,
            "FSRVP-3.1.4.8-08",
        ),
        (
            || prepare(1),
            "absent",
            unknown,
            INVALID,
            "FSRVP-3.1.4.13-01",
        ),
        (|| prepare(1), "started", bad, ZERO, "FSRVP-3.1.4.13-02"),
        (|| prepare(1), "creating", bad, ZERO, "FSRVP-3.1.4.13-03"),
        (|| prepare(1), "committed", bad, ZERO, "FSRVP-3.1.4.13-04"),
        (|| prepare(1), "exposed", bad, ZERO, "FSRVP-3.1.4.13-05"),
        (|| prepare(1), "recovered", bad, ZERO, "FSRVP-3.1.4.13-06"),
        (|| prepare(1), "added", wait, BAD, "FSRVP-3.1.4.13-07"),
        (
            share,
            "absent",
            &[MISMATCH, NOT_FOUND],
            INVALID,
            "FSRVP-3.1.4.4-07",
        ),
        (
            share,
            "creating",
            &[BAD, NOT_FOUND],
            MISMATCH_NEVER,
            "FSRVP-3.1.4.4-09",
        ),
        (
            share,
            "committed",
            &[BAD, NOT_FOUND],
            EXISTS,
            "FSRVP-3.1.4.4-10",
        ),
        (
            share,
            "exposed",
            &[BAD, NOT_FOUND],
            EXISTS,
            "FSRVP-3.1.4.4-11",
        ),
        (
            share,
            "recovered",
            &[BAD, NOT_FOUND],
            EXISTS,
            "FSRVP-3.1.4.4-12",
        ),
        (
            share,
            "started",
            &[NOT_FOUND, Hresult::FSRVP_E_NOT_SUPPORTED],
            BAD,
            "FSRVP-3.1.4.4-01",
        ),
        (share, "started", &[NOT_FOUND], INVALID, "FSRVP-3.1.4.4-02"),
        (
            share,
            "added",
            &[EXISTS, NOT_FOUND],
            BAD,
            "FSRVP-3.1.4.4-15",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "absent",
            unknown,
            INVALID,
            "FSRVP-3.1.4.11-06",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "started",
            bad,
            HRESULT_2012,
            "FSRVP-3.1.4.11-07",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "added",
            bad,
            HRESULT_2012,
            "FSRVP-3.1.4.11-08",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "creating",
            bad,
            HRESULT_2012,
            "FSRVP-3.1.4.11-09",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "committed",
            bad,
            HRESULT_2012,
            "FSRVP-3.1.4.11-10",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "recovered",
            bad,
            HRESULT_2012,
            "FSRVP-3.1.4.11-11",
        ),
        (
            || get_mapping(1, 7, SHARE),
            "exposed",
            &[INVALID],
            BAD,
            "FSRVP-3.1.4.11-12",
        ),
        (
            || get_mapping(1, 1, r"\\srv\x"),
            "exposed",
            &[INVALID],
            BAD,
            "FSRVP-3.1.4.11-13",
        ),
        (
            || get_mapping(1, 1, SHARE),
            "exposed",
            &[Hresult::E_ACCESSDENIED],
            INVALID,
            "FSRVP-3.1.4.11-14",
        ),
        (
            || get_mapping(1, 1, r"\\SRV\Data\"),
            "exposed",
            &[Hresult::E_ACCESSDENIED],
            INVALID,
            "FSRVP-3.1.4.11-16",
        ),
        (
            || get_mapping_at(1, 1, SHARE, 0),
            "exposed",
            &[INVALID],
            ZERO_NEVER,
            "FSRVP-3.1.4.11-01",
        ),
        (
            || get_mapping_at(1, 1, SHARE, 2),
            "started",
            &[INVALID],
            BAD,
            "FSRVP-3.1.4.11-05",
        ),
        (
            || get_mapping_at(1, 1, SHARE, 2),
            "absent",
            &[INVALID],
            MISMATCH,
            "FSRVP-3.1.4.11-04",
        ),
        (
            || get_mapping_at(1, 1, SHARE, 9),
            "exposed",
            &[INVALID],
            BAD,
            "FSRVP-3.1.4.11-03",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "absent",
            &[NOT_FOUND, MISMATCH],
            INVALID,
            "FSRVP-3.1.4.12-03",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "started",
            bad,
            ZERO,
            "FSRVP-3.1.4.12-04",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "added",
            bad,
            ZERO,
            "FSRVP-3.1.4.12-05",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "creating",
            bad,
            ZERO,
            "FSRVP-3.1.4.12-06",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "committed",
            bad,
            ZERO,
            "FSRVP-3.1.4.12-07",
        ),
        (
            || delete(set(1), copy(8), SHARE),
            "exposed",
            &[NOT_FOUND],
            INVALID,
            "FSRVP-3.1.4.12-08",
        ),
        (
            || delete(set(1), copy(1), r"\\srv\x"),
            "recovered",
            &[NOT_FOUND],
            INVALID,
            "FSRVP-3.1.4.12-09",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "exposed",
            &[ZERO],
            BAD,
            "FSRVP-3.1.4.12-10",
        ),
        (
            || delete(set(1), copy(1), SHARE),
            "recovered",
            &[ZERO],
            NOT_FOUND,
            "FSRVP-3.1.4.12-11",
        ),
        (
            || delete(set(1), ShadowCopyId::NIL, SHARE),
            "recovered",
            &[INVALID],
            NOT_FOUND,
            "FSRVP-3.1.4.12-02",
        ),
        (
            || delete(ShadowCopySetId::NIL, copy(1), SHARE),
            "recovered",
            &[INVALID],
            NOT_FOUND,
            "FSRVP-3.1.4.12-01",
        ),
        (
            || abort(ShadowCopySetId::NIL),
            "exposed",
            &[INVALID],
            MISMATCH,
            "FSRVP-3.1.4.8-01",
        ),
        (start, "started", &[IN_PROGRESS], BAD, "FSRVP-3.1.4.3-05"),
        (start, "added", &[IN_PROGRESS], BAD, "FSRVP-3.1.4.3-06"),
        (start, "creating", &[IN_PROGRESS], BAD, "FSRVP-3.1.4.3-07"),
        (start, "committed", &[IN_PROGRESS], BAD, "FSRVP-3.1.4.3-08"),
        (start, "exposed", &[IN_PROGRESS], BAD, "FSRVP-3.1.4.3-09"),
        (
            start,
            "recovered",
            &[BAD, IN_PROGRESS],
            INVALID,
            "FSRVP-3.1.4.7-08",
        ),
        (
            || set_context(0x1D),
            "started",
            &[Hresult::FSRVP_E_UNSUPPORTED_CONTEXT],
            INVALID,
            "FSRVP-3.1.4.2-06",
        ),
        (
            || set_context(0x40),
            "recovered",
            &[Hresult::FSRVP_E_UNSUPPORTED_CONTEXT],
            ZERO,
            "FSRVP-3.1.4.2-09",
        ),
        (
            || set_context(0x1B),
            "recovered",
            &[ZERO, IN_PROGRESS],
            INVALID,
            "FSRVP-2.2.2.2-11",
        ),
        (
            version,
            "added",
            &[Hresult::E_FAIL],
            BAD,
            "FSRVP-3.1.4.1-01",
        ),
        (
            || supported(r"\\srv\q"),
            "started",
            &[NOT_FOUND],
            INVALID,
            "FSRVP-3.1.4.9-02",
        ),
        (
            || copied(r"\\srv\q"),
            "started",
            &[NOT_FOUND],
            INVALID,
            "FSRVP-3.1.4.10-01",
        ),
        (
            || commit(1),
            "added",
            wait,
            Hresult(0x42),
            "FSRVP-3.1.4.5-07",
        ),
    ]
}

/// A code that is wrong where the status forbids the call.
const MISMATCH_NEVER: Hresult = EXISTS;
const ZERO_NEVER: Hresult = BAD;
/// MS-FSRVP <10>.
const HRESULT_2012: Hresult = Hresult::VSS_E_INVALID_XML_DOCUMENT;

#[test]
fn every_wrong_answer_breaks_its_rule_and_no_right_one_does() {
    for (call, status, right, wrong, rule) in table() {
        for code in right {
            let findings = told(status).code(call(), *code).judged();
            let own: Vec<_> = findings
                .iter()
                .filter(|finding| {
                    finding.requirement.0.starts_with("FSRVP-")
                        && !finding.requirement.0.starts_with("FSRVP-C")
                })
                .collect();
            assert!(own.is_empty(), "{rule}, {status}, {code:?}: {own:?}");
        }
        let findings = told(status).code(call(), wrong).judged();
        let first = findings
            .iter()
            .find(|finding| !finding.requirement.0.starts_with("FSRVP-C"));
        let broken = first.map(|finding| finding.requirement.0.as_str());
        assert_eq!(broken, Some(rule), "{status}, {wrong:?}: {findings:?}");
    }
}
