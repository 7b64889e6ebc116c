//! Wrong clients.

use super::builder::{
    SHARE, Story, abort, add, commit, copy, delete, expose, get_mapping, get_mapping_at, prepare,
    recovery, set, supported, version,
};
use crate::flow::{Answer, Request};
use fsrvp_wire::fsrvp::{
    Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId, get_supported_version,
};

const ZERO: Hresult = Hresult::ZERO;
const BAD: Hresult = Hresult::FSRVP_E_BAD_STATE;
const MISMATCH: Hresult = Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH;

#[test]
fn a_skipped_version_or_context_is_told() {
    Story::new().context(0).client_broke("FSRVP-C-3.2.4.2.1-09");
    let rule = "FSRVP-C-3.2.4.2.1-09";
    Story::new()
        .version()
        .code(super::builder::start(), BAD)
        .client_broke(rule);
    Story::new().begun(1).nobody_broke_anything();
    // Where the connection's beginning is missing nothing is certain.
    Story::new().gap().context(0).nobody_broke_anything();
}

#[test]
fn a_version_that_the_client_does_not_speak_is_the_end() {
    let reply = get_supported_version::Response {
        min_version: 2,
        max_version: 2,
        status: ZERO,
    };
    let story = Story::new().call(version(), Reply::GetSupportedVersion(reply));
    story.context(0).client_broke("FSRVP-C-3.2.4.2.1-03");
}

#[test]
fn no_set_is_begun_after_a_context_that_failed() {
    let refused = Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS;
    let story = Story::new()
        .version()
        .code(super::builder::set_context(0), refused);
    story.start(1).client_broke("FSRVP-C-3.2.4.2.1-06");
}

#[test]
fn calls_out_of_order_are_told() {
    let wrong = "FSRVP-C-3.2.4.4-01";
    Story::new()
        .added(1)
        .code(expose(1), BAD)
        .client_broke(wrong);
    Story::new()
        .exposed(1)
        .code(expose(1), BAD)
        .client_broke(wrong);
    Story::new()
        .committed(1)
        .code(recovery(1), BAD)
        .client_broke("FSRVP-C-3.2.4.5-01");
    Story::new()
        .committed(1)
        .code(add(1, SHARE), BAD)
        .judged()
        .iter()
        .find(|finding| finding.requirement.0 == "FSRVP-C-3.2.4.2.2-01")
        .expect("an add after the commit");
    Story::new()
        .added(1)
        .code(commit(1), ZERO)
        .client_broke("FSRVP-C-3.2.4.2.2-05");
    Story::new()
        .exposed(1)
        .code(recovery(1), ZERO)
        .client_broke("FSRVP-C-3.2.4.4-03");
    let prepared = Story::new().added(1).code(prepare(1), ZERO);
    prepared
        .add(1, 2, r"\\srv\other")
        .client_broke("FSRVP-C-3.2.4.2.2-06");
}

#[test]
fn a_share_is_added_once_and_only_where_it_is_supported() {
    let exists = Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS;
    let twice = |share| Story::new().added(1).code(add(1, share), exists);
    twice(SHARE).client_broke("FSRVP-C-3.2.4.2.2-02");
    twice(r"\\SRV.example.org\Data\").client_broke("FSRVP-C-3.2.4.2.2-02");
    twice(r"\\srv\other").nobody_broke_anything();
    let not_supported = Hresult::FSRVP_E_NOT_SUPPORTED;
    let refused = Story::new().code(supported(SHARE), not_supported).begun(1);
    refused
        .code(add(1, SHARE), not_supported)
        .client_broke("FSRVP-C-3.2.4.2.1-01");
}

#[test]
fn a_second_context_while_a_set_is_made_is_told() {
    Story::new()
        .added(1)
        .version()
        .context(0)
        .client_broke("FSRVP-C-3.1.4.2-01");
    Story::new()
        .recovered(1)
        .version()
        .context(0)
        .nobody_broke_anything();
    let aborted = Story::new().added(1).code(abort(set(1)), ZERO);
    aborted.version().context(0).nobody_broke_anything();
}

#[test]
fn a_set_that_is_left_behind_is_told() {
    let recovery_missing = "FSRVP-C-3.2.4.5-02";
    Story::new()
        .mapped(1)
        .close()
        .client_broke(recovery_missing);
    Story::new()
        .added(1)
        .close()
        .client_broke("FSRVP-C-3.2.4.9-01");
    Story::new()
        .mapped(1)
        .wait(2000)
        .client_broke(recovery_missing);
    // While it is connected and in time, it may still come.
    Story::new().mapped(1).wait(1000).nobody_broke_anything();
    Story::new().recovered(1).close().nobody_broke_anything();
    // It comes back on another connection.
    let back = Story::new().mapped(1).close().stream(7);
    back.code(recovery(1), ZERO).close().nobody_broke_anything();
}

#[test]
fn weak_calls_are_told() {
    for level in [0, 2, 4] {
        let refused = Story::new().level(level);
        refused
            .code(version(), Hresult::E_ACCESSDENIED)
            .client_broke("FSRVP-C-3.1.4-01");
    }
    Story::new().level(6).version().nobody_broke_anything();
}

#[test]
fn a_step_after_the_servers_timer_is_told() {
    let late = Story::new().committed(1).wait(300);
    late.code(expose(1), MISMATCH)
        .client_broke("FSRVP-C-3.1.2-01");
    let in_time = Story::new().committed(1).wait(100);
    in_time.code(expose(1), ZERO).nobody_broke_anything();
}

#[test]
fn a_connection_is_given_up_when_a_call_takes_too_long() {
    let reply = Reply::failure(Opnum::PrepareShadowCopySet, ZERO).expect("a method");
    let slow = |ms| {
        let (request, answer) = (Request::Call(prepare(1)), Answer::Reply(reply.clone()));
        Story::new()
            .added(1)
            .taking(ms, Opnum::PrepareShadowCopySet, request, answer)
            .code(commit(1), ZERO)
    };
    slow(190_000).client_broke("FSRVP-C-3.2.2-01");
    slow(170_000).nobody_broke_anything();
}

#[test]
fn ids_in_the_wrong_place_are_told() {
    let swapped = delete(ShadowCopySetId(copy(1).0), ShadowCopyId(set(1).0), SHARE);
    let not_found = Hresult::FSRVP_E_OBJECT_NOT_FOUND;
    Story::new()
        .recovered(1)
        .code(swapped, not_found)
        .client_broke("FSRVP-C-3.2.4.8-02");
    let nil = delete(set(1), ShadowCopyId::NIL, SHARE);
    let nil = Story::new().recovered(1).code(nil, Hresult::E_INVALIDARG);
    nil.client_broke("FSRVP-C-3.2.4.8-05");
    let gone = Story::new()
        .recovered(1)
        .code(delete(set(1), copy(1), SHARE), ZERO)
        .code(delete(set(1), copy(1), SHARE), not_found);
    gone.client_broke("FSRVP-C-3.2.4.8-04");
    let mapping = get_mapping_at(1, 1, SHARE, 2);
    let level = Story::new().exposed(1).code(mapping, Hresult::E_INVALIDARG);
    level.client_broke("FSRVP-C-3.2.4.4-03");
    let own = fsrvp_wire::fsrvp::commit_shadow_copy_set::Request {
        shadow_copy_set_id: ShadowCopySetId(uuid::Uuid::from_u128(0xfee1)),
        timeout_ms: 1,
    };
    let own = fsrvp_wire::fsrvp::Call::CommitShadowCopySet(own);
    Story::new()
        .added(1)
        .code(own, MISMATCH)
        .client_broke("FSRVP-C-3.2.4.2.1-08");
}

#[test]
fn an_aborted_set_is_not_used_and_a_recovered_one_not_aborted() {
    let aborted = Story::new().added(1).code(abort(set(1)), ZERO);
    aborted
        .code(prepare(1), MISMATCH)
        .client_broke("FSRVP-C-3.2.4.6-01");
    Story::new()
        .recovered(1)
        .code(abort(set(1)), BAD)
        .client_broke("FSRVP-C-3.2.4.9-01");
}

#[test]
fn a_timeout_is_no_success() {
    let reply = Reply::failure(Opnum::ExposeShadowCopySet, Hresult::FSRVP_E_WAIT_TIMEOUT);
    let answer = Answer::Reply(reply.expect("a method"));
    let request = Request::Call(expose(1));
    let story = Story::new().committed(1);
    let story = story.taking(10_000, Opnum::ExposeShadowCopySet, request, answer);
    story
        .code(get_mapping(1, 1, SHARE), BAD)
        .client_broke("FSRVP-C-3-02");
}
