//! What is followed, and what may still be.

use super::builder::{
    SHARE, Story, abort, commit, expose, get_mapping, prepare, recovery, set, set_context,
    supported, version,
};
use crate::flow::{Answer, Request};
use fsrvp_wire::fsrvp::{Hresult, Opnum, Reply, get_supported_version};

const ZERO: Hresult = Hresult::ZERO;
const TIMEOUT: Hresult = Hresult::FSRVP_E_WAIT_TIMEOUT;

fn keeps(story: Story, requirement: &str) -> bool {
    story.kept().contains(&requirement)
}

/// An answer to PrepareShadowCopySet that takes so many milliseconds.
fn slow(ms: u64) -> Story {
    let reply = Reply::failure(Opnum::PrepareShadowCopySet, ZERO).expect("a method");
    let (request, answer) = (Request::Call(prepare(1)), Answer::Reply(reply));
    let story = Story::new().added(1);
    story.taking(ms, Opnum::PrepareShadowCopySet, request, answer)
}

#[test]
fn an_answer_obliges_only_where_it_came() {
    let versions = |min_version| {
        let reply = get_supported_version::Response {
            min_version,
            max_version: min_version,
            status: ZERO,
        };
        Story::new().call(version(), Reply::GetSupportedVersion(reply))
    };
    assert!(keeps(versions(2), "FSRVP-C-3.2.4.2.1-03"));
    assert!(!keeps(versions(1).context(0), "FSRVP-C-3.2.4.2.1-03"));
    let context = |code| Story::new().version().code(set_context(0), code);
    assert!(keeps(context(Hresult::E_FAIL), "FSRVP-C-3.2.4.2.1-06"));
    assert!(!keeps(context(ZERO).start(1), "FSRVP-C-3.2.4.2.1-06"));
    let refused = Story::new().code(supported(SHARE), Hresult::FSRVP_E_NOT_SUPPORTED);
    assert!(keeps(refused, "FSRVP-C-3.2.4.2.1-01"));
    assert!(!keeps(
        Story::new().asks_supported(SHARE),
        "FSRVP-C-3.2.4.2.1-01"
    ));
    let exposed = |code| Story::new().committed(1).code(expose(1), code);
    assert!(keeps(
        exposed(TIMEOUT).code(abort(set(1)), ZERO),
        "FSRVP-C-3-02"
    ));
    assert!(!keeps(exposed(ZERO), "FSRVP-C-3-02"));
    assert!(keeps(slow(190_000), "FSRVP-C-3.2.2-01"));
    assert!(!keeps(slow(170_000), "FSRVP-C-3.2.2-01"));
}

#[test]
fn what_is_done_in_order_is_followed() {
    let mapped = || Story::new().mapped(1);
    assert!(keeps(
        mapped().code(recovery(1), ZERO),
        "FSRVP-C-3.2.4.5-02"
    ));
    assert!(!keeps(mapped(), "FSRVP-C-3.2.4.5-02"));
    assert!(keeps(mapped(), "FSRVP-C-3.1.2-01"));
    let unknown = Story::new().durations(crate::oracle::Durations::Unknown);
    assert!(!keeps(unknown.mapped(1), "FSRVP-C-3.1.2-01"));
    let aborted = Story::new().added(1).code(abort(set(1)), ZERO);
    assert!(keeps(aborted, "FSRVP-C-3.2.4.6-01"));
    assert!(!keeps(mapped(), "FSRVP-C-3.2.4.6-01"));
    let twice = Story::new().recovered(1).version().context(0);
    assert!(keeps(twice, "FSRVP-C-3.1.4.2-01"));
    assert!(!keeps(Story::new().begun(1), "FSRVP-C-3.1.4.2-01"));
    assert!(!keeps(Story::new().added(1), "FSRVP-C-3.2.4.2.2-02"));
    let two = Story::new().added(1).add(1, 2, r"\\srv\other");
    assert!(keeps(two, "FSRVP-C-3.2.4.2.2-02"));
    assert!(keeps(mapped(), "FSRVP-C-3.2.4.2.2-06"));
    let missing = Story::new().added(1).code(commit(1), ZERO);
    assert!(!keeps(missing, "FSRVP-C-3.2.4.2.2-06"));
}

#[test]
fn what_may_still_be_finished_is_told_until_it_is() {
    let open = |story: Story| story.left_open();
    assert_eq!(open(Story::new().added(1)), ["FSRVP-C-3.2.4.9-01"]);
    assert_eq!(open(Story::new().mapped(1)), ["FSRVP-C-3.2.4.5-02"]);
    assert!(open(Story::new().recovered(1)).is_empty());
    // That it was left was told; that it ran out, too.
    assert!(open(Story::new().mapped(1).close()).is_empty());
    assert!(open(Story::new().mapped(1).wait(2000)).is_empty());
    // Nobody knows what came of the call.
    let lost = || Story::new().added(1).lost(commit(1));
    assert_eq!(open(lost()), ["FSRVP-C-3.2.4.9-01"]);
    assert!(open(lost().code(abort(set(1)), ZERO)).is_empty());
    let unsure = Story::new().mapped(1).lost(get_mapping(1, 1, SHARE));
    assert!(open(unsure.code(recovery(1), ZERO)).is_empty());
    let failed = || Story::new().added(1).code(abort(set(1)), Hresult::E_FAIL);
    assert!(open(failed()).is_empty());
    failed().close().nobody_broke_anything();
    let goes_on = failed().code(prepare(1), ZERO);
    assert_eq!(open(goes_on), ["FSRVP-C-3.2.4.9-01"]);
    assert!(open(Story::new().added(1).lost(abort(set(1)))).is_empty());
    let finished = Story::new().exposed(1).lost(recovery(1));
    assert_eq!(open(finished), ["FSRVP-C-3.2.4.5-02"]);
}

#[test]
fn a_code_follows_the_rule_on_successes_or_that_on_failures() {
    for (code, success, failure) in [
        (ZERO, true, false),
        (Hresult::FSRVP_E_NOT_SUPPORTED, false, true),
        (Hresult(0x8007_0070), false, true),
    ] {
        let answered = || Story::new().code(supported(SHARE), code);
        assert_eq!(keeps(answered(), "FSRVP-3-01"), success, "{code:?}");
        assert_eq!(keeps(answered(), "FSRVP-3-02"), failure, "{code:?}");
    }
    // The one failure whose severity bit is clear, of a method that waits.
    let waited = || Story::new().added(1).code(prepare(1), TIMEOUT);
    assert!(keeps(waited(), "FSRVP-3-02"));
}

#[test]
fn only_a_code_of_a_method_is_wrong_as_a_fault() {
    let faults = |status| {
        let (request, answer) = (Request::Call(supported(SHARE)), Answer::Fault(status));
        Story::new().taking(1, Opnum::IsPathSupported, request, answer)
    };
    faults(Hresult::FSRVP_E_BAD_STATE.0).server_broke("FSRVP-3.1.4-25");
    // No code of a method, in whichever half of the numbers.
    for status in [0x8000_FFFF, 0x1C01_0002, TIMEOUT.0] {
        assert!(keeps(faults(status), "FSRVP-3.1.4-25"), "{status:#010x}");
    }
}
