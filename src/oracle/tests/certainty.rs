//! What is not certain is not judged.

use super::builder::{
    SHARE, Story, abort, commit, expose, get_mapping, mapping_of, prepare, recovery, set,
    set_context, start,
};
use crate::oracle::Durations;
use fsrvp_wire::fsrvp::Hresult;

const ZERO: Hresult = Hresult::ZERO;
const BAD: Hresult = Hresult::FSRVP_E_BAD_STATE;
const MISMATCH: Hresult = Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH;
const IN_PROGRESS: Hresult = Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS;

#[test]
fn what_came_before_the_capture_may_be_anything() {
    for code in [ZERO, BAD, MISMATCH] {
        Story::new().code(commit(1), code).server_is_right();
        Story::new().code(expose(1), code).server_is_right();
    }
    Story::new().start(1).server_is_right();
    Story::new().code(start(), IN_PROGRESS).server_is_right();
    Story::new()
        .code(set_context(0), IN_PROGRESS)
        .server_is_right();
    // But no state permits this.
    Story::new()
        .code(commit(1), Hresult::E_INVALIDARG)
        .server_broke("FSRVP-3.1.4.5-01");
}

#[test]
fn answers_narrow_what_came_before() {
    Story::new()
        .code(commit(1), ZERO)
        .code(prepare(1), ZERO)
        .server_broke("FSRVP-3.1.4.13-04");
    Story::new()
        .code(prepare(1), ZERO)
        .code(prepare(1), BAD)
        .server_broke("FSRVP-3.1.4.13-08");
}

#[test]
fn a_gap_makes_everything_before_it_doubtful() {
    for code in [ZERO, BAD, MISMATCH] {
        Story::new()
            .begun(1)
            .gap()
            .code(commit(1), code)
            .server_is_right();
    }
    Story::new().recovered(1).gap().start(2).server_is_right();
    // What is gone stays gone, as no id is given twice.
    let aborted = Story::new().begun(1).code(abort(set(1)), ZERO).gap();
    aborted
        .code(prepare(1), ZERO)
        .judged()
        .first()
        .expect("it cannot live again");
}

#[test]
fn a_call_without_answer_may_have_been_executed() {
    for code in [ZERO, BAD] {
        let lost = Story::new().added(1).lost(commit(1));
        lost.code(expose(1), code).server_is_right();
    }
}

#[test]
fn calls_that_overlap_may_be_executed_in_any_order() {
    // Abort is sent while commit runs, on another connection.
    let both = |code| {
        Story::new()
            .added(1)
            .code(commit(1), code)
            .late_answer()
            .stream(1)
            .code(abort(set(1)), ZERO)
    };
    for code in [ZERO, BAD, MISMATCH] {
        both(code).server_is_right();
    }
    // A question in between changes nothing.
    Story::new()
        .begun(1)
        .code(commit(1), ZERO)
        .late_answer()
        .stream(1)
        .version()
        .server_broke("FSRVP-3.1.4.5-02");
}

#[test]
fn a_client_that_was_not_seen_may_hold_the_context() {
    let free = || Story::new().recovered(1).version();
    free().code(set_context(0), IN_PROGRESS).server_is_right();
    free()
        .context(0)
        .code(start(), IN_PROGRESS)
        .server_is_right();
}

#[test]
fn a_mapping_whose_set_was_not_begun_here_is_not_known() {
    let seen = Story::new().code(expose(1), ZERO);
    seen.code(get_mapping(1, 1, SHARE), Hresult::E_INVALIDARG)
        .server_is_right();
    let seen = Story::new().code(expose(1), ZERO);
    seen.code(recovery(1), BAD).server_broke("FSRVP-3.1.4.7-07");
}

#[test]
fn shares_may_have_been_added_where_nothing_was_seen() {
    let gap = || Story::new().begun(1).gap().code(expose(1), ZERO);
    let mut mapping = mapping_of(7);
    mapping.shadow_copy_set_id = set(1);
    gap().mapping(1, 7, &mapping).server_is_right();
}

#[test]
fn whose_context_it_was_decides_whether_a_set_is_removed() {
    // Who held the context was not seen.
    for code in [ZERO, MISMATCH] {
        let story = Story::new().code(commit(1), ZERO).version().context(0);
        story.code(expose(1), code).server_is_right();
    }
}

#[test]
fn after_recovery_no_timer_runs() {
    let later = Story::new().recovered(1).wait(9000).start(2);
    later.server_broke("FSRVP-3.1.4.7-08");
}

#[test]
fn what_another_connection_asks_meanwhile_is_not_judged() {
    Story::new()
        .added(1)
        .code(prepare(1), ZERO)
        .code(commit(1), ZERO)
        .late_answer()
        .stream(1)
        .code(prepare(1), BAD)
        .server_is_right();
}

#[test]
fn a_loss_elsewhere_may_have_hidden_the_context() {
    let story = Story::new().version().context(0).stream(9).gap().stream(0);
    story.start(1).nobody_broke_anything();
}

#[test]
fn a_port_that_is_used_again_is_an_open_connection() {
    let back = Story::new().mapped(1).close().version();
    back.nobody_broke_anything();
}

#[test]
fn a_further_share_wants_a_further_prepare() {
    let other = r"\\srv\other";
    let story = || {
        Story::new()
            .added(1)
            .code(prepare(1), ZERO)
            .add(1, 2, other)
    };
    story()
        .code(commit(1), BAD)
        .server_broke("FSRVP-3.1.4.5-07");
    let findings = story().code(commit(1), ZERO).judged();
    let told = |rule: &str| findings.iter().any(|finding| finding.requirement.0 == rule);
    assert!(told("FSRVP-C-3.2.4.2.2-05"), "{findings:?}");
}

/// Where nobody knows how long timers run, one may have run out between two calls: but then it has
/// removed the set before SetContext did.
#[test]
fn a_set_that_set_context_removes_is_gone_whatever_the_timer_did() {
    let repeated = || {
        Story::new()
            .durations(Durations::Unknown)
            .added(1)
            .context(0)
    };
    for code in [ZERO, BAD] {
        repeated()
            .code(prepare(1), code)
            .server_broke("FSRVP-3.1.4.2-14");
    }
    repeated().code(prepare(1), MISMATCH).server_is_right();
    // Another client's set is not touched.
    Story::new()
        .durations(Durations::Unknown)
        .added(1)
        .client(2)
        .context(0)
        .client(1)
        .code(prepare(1), ZERO)
        .server_is_right();
}

#[test]
fn two_addresses_are_one_server_from_where_a_session_was_bound() {
    // Commit knows the set that the other address began: only one server can.
    let at_two = || Story::new().at(200, 200).added(1).stream(2);
    at_two()
        .at(201, 200)
        .code(commit(1), BAD)
        .server_broke("FSRVP-3.1.4.5-07");
    at_two().at(201, 201).code(commit(1), BAD).server_is_right();
    // Once said, it holds for connections that did not say it.
    at_two()
        .at(201, 200)
        .version()
        .stream(3)
        .at(201, 201)
        .code(commit(1), BAD)
        .server_broke("FSRVP-3.1.4.5-07");
}
