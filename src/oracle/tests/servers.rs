//! Rules on servers.

use super::builder::{
    SHARE, Story, abort, add, commit, copied, copy, delete, expose, mapping_of, prepare, recovery,
    set, set_context, start, version,
};
use super::states::told;
use crate::flow::{Answer, Request};
use crate::oracle::Durations;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply, ShadowCopySetId, start_shadow_copy_set};
use fsrvp_wire::ndr::WideString;
use std::time::Duration;
use uuid::Uuid;

const ZERO: Hresult = Hresult::ZERO;
const BAD: Hresult = Hresult::FSRVP_E_BAD_STATE;
const MISMATCH: Hresult = Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH;
const INVALID: Hresult = Hresult::E_INVALIDARG;
const IN_PROGRESS: Hresult = Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS;
const NOT_FOUND: Hresult = Hresult::FSRVP_E_OBJECT_NOT_FOUND;
const EXISTS: Hresult = Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS;

#[test]
fn a_whole_life_breaks_nothing() {
    Story::new()
        .asks_supported(SHARE)
        .recovered(1)
        .asks_copied(SHARE, 1, 3)
        .code(delete(set(1), copy(1), SHARE), ZERO)
        .close()
        .nobody_broke_anything();
}

#[test]
fn a_second_context_removes_the_set() {
    let again = || Story::new().added(1).version().context(0x10);
    again().code(commit(1), MISMATCH).server_is_right();
    again()
        .code(commit(1), ZERO)
        .server_broke("FSRVP-3.1.4.2-14");
    again()
        .code(start(), IN_PROGRESS)
        .server_broke("FSRVP-3.1.4.2-14");
    again().start(2).server_is_right();
    // Having seen that it lives, the judge takes the server's word.
    again()
        .code(prepare(1), ZERO)
        .code(commit(1), ZERO)
        .server_broke("FSRVP-3.1.4.2-14");
}

#[test]
fn an_aborted_set_is_gone_and_so_is_the_context() {
    for (status, rule) in [
        ("started", "FSRVP-3.1.4.8-03"),
        ("added", "FSRVP-3.1.4.8-04"),
        ("creating", "FSRVP-3.1.4.8-05"),
        ("committed", "FSRVP-3.1.4.8-06"),
        ("exposed", "FSRVP-3.1.4.8-07"),
        ("recovered", "FSRVP-3.1.4.8-08"),
    ] {
        let aborted = || told(status).code(abort(set(1)), ZERO);
        aborted().code(recovery(1), MISMATCH).server_is_right();
        aborted().code(recovery(1), BAD).server_broke(rule);
        aborted()
            .code(abort(set(1)), ZERO)
            .server_broke("FSRVP-3.1.4.8-12");
    }
    let aborted = || Story::new().added(1).code(abort(set(1)), ZERO);
    aborted().start(2).server_broke("FSRVP-3.1.4.8-09");
    aborted().code(start(), BAD).server_is_right();
}

#[test]
fn the_timer_removes_a_set_in_its_time_and_not_before() {
    let later = |status: &str, seconds: u64| told(status).wait(seconds);
    for (status, seconds, call, gone, early) in [
        (
            "started",
            180,
            add(1, SHARE),
            "FSRVP-3.1.2-03",
            "FSRVP-3.1.2-04",
        ),
        (
            "added",
            1800,
            prepare(1),
            "FSRVP-3.1.2-05",
            "FSRVP-3.1.2-06",
        ),
        (
            "committed",
            180,
            expose(1),
            "FSRVP-3.1.2-09",
            "FSRVP-3.1.2-10",
        ),
        (
            "exposed",
            180,
            recovery(1),
            "FSRVP-3.1.2-11",
            "FSRVP-3.1.2-12",
        ),
    ] {
        later(status, seconds + 20)
            .code(call.clone(), MISMATCH)
            .server_is_right();
        later(status, seconds + 20)
            .code(call.clone(), BAD)
            .server_broke(gone);
        later(status, seconds - 30)
            .code(call.clone(), MISMATCH)
            .server_broke(early);
        // Near the end either is right.
        later(status, seconds)
            .code(call, MISMATCH)
            .server_is_right();
    }
    let prepared = || Story::new().added(1).code(prepare(1), ZERO);
    prepared()
        .wait(1850)
        .code(commit(1), ZERO)
        .server_broke("FSRVP-3.1.2-07");
    prepared()
        .wait(1700)
        .code(commit(1), MISMATCH)
        .server_broke("FSRVP-3.1.2-08");
    let mapped = || Story::new().mapped(1);
    mapped()
        .wait(1850)
        .code(recovery(1), ZERO)
        .server_broke("FSRVP-3.1.2-13");
    mapped()
        .wait(1700)
        .code(recovery(1), MISMATCH)
        .server_broke("FSRVP-3.1.2-14");
    let twice = || Story::new().added(1).code(add(1, SHARE), EXISTS);
    twice()
        .wait(200)
        .code(prepare(1), ZERO)
        .server_broke("FSRVP-3.1.2-15");
    twice()
        .wait(200)
        .code(prepare(1), MISMATCH)
        .server_is_right();
    let recovered = || Story::new().recovered(1).wait(9000);
    recovered()
        .code(delete(set(1), copy(1), SHARE), ZERO)
        .server_is_right();
    recovered()
        .code(commit(1), MISMATCH)
        .server_broke("FSRVP-3.1.4.7-11");
    Story::new()
        .version()
        .context(0)
        .wait(200)
        .start(1)
        .server_broke("FSRVP-3.1.2-01");
    Story::new()
        .added(1)
        .wait(2000)
        .start(2)
        .server_broke("FSRVP-3.1.5-02");
    Story::new()
        .version()
        .context(0)
        .wait(200)
        .code(start(), BAD)
        .server_is_right();
}

#[test]
fn a_timer_of_unknown_length_proves_nothing() {
    let unknown = || {
        Story::new()
            .durations(Durations::Unknown)
            .exposed(1)
            .wait(9000)
    };
    unknown().code(recovery(1), ZERO).server_is_right();
    unknown().code(recovery(1), MISMATCH).server_is_right();
    unknown()
        .code(recovery(1), INVALID)
        .server_broke("FSRVP-3.1.4.7-01");
    let short = Durations::Fixed(Duration::from_secs(2));
    let fixed = || Story::new().durations(short).exposed(1).wait(3);
    fixed()
        .code(recovery(1), ZERO)
        .server_broke("FSRVP-3.1.2-11");
}

#[test]
fn another_address_is_refused_while_the_context_is_held() {
    let other = || Story::new().added(1).client(2).version();
    other().context(0).server_broke("FSRVP-3.1.4.2-13");
    other().code(set_context(0), IN_PROGRESS).server_is_right();
    other()
        .code(set_context(0x11), IN_PROGRESS)
        .server_broke("FSRVP-3.1.4.2-11");
    other()
        .code(version(), BAD)
        .server_broke("FSRVP-3.1.4.1-02");
    // Any client may go on with the set.
    other().code(commit(1), ZERO).server_is_right();
}

#[test]
fn ids_are_new_and_never_nil() {
    let nil = start_shadow_copy_set::Response {
        shadow_copy_set_id: ShadowCopySetId::NIL,
        status: ZERO,
    };
    Story::new()
        .version()
        .context(0)
        .call(start(), Reply::StartShadowCopySet(nil))
        .server_broke("FSRVP-3.1.4.3-03");
    let again = Story::new().recovered(1).version().context(0).start(1);
    again.server_broke("FSRVP-3.1.4.3-04");
    let copies = Story::new().added(1).add(1, 1, r"\\srv\other");
    copies.server_broke("FSRVP-3.1.4.4-15");
    Story::new()
        .added(1)
        .add(1, 2, r"\\srv\other")
        .server_is_right();
    Story::new()
        .added(1)
        .add(1, 2, SHARE)
        .server_broke("FSRVP-3.1.4.4-13");
    Story::new()
        .begun(1)
        .add(1, 2, "data")
        .server_broke("FSRVP-3.1.4.4-19");
}

#[test]
fn a_nil_id_of_the_client_is_refused() {
    let nil = Call::StartShadowCopySet(start_shadow_copy_set::Request {
        client_shadow_copy_set_id: Uuid::nil(),
    });
    let ready = || Story::new().version().context(0);
    ready().code(nil.clone(), INVALID).server_is_right();
    let reply = start_shadow_copy_set::Response {
        shadow_copy_set_id: set(1),
        status: ZERO,
    };
    ready()
        .call(nil, Reply::StartShadowCopySet(reply))
        .server_broke("FSRVP-3.1.4.3-11");
}

#[test]
fn a_mapping_says_what_was_added_and_exposed() {
    let with = |change: fn(&mut fsrvp_wire::fsrvp::get_share_mapping::ShareMapping1)| {
        let mut mapping = mapping_of(1);
        change(&mut mapping);
        Story::new().exposed(1).mapping(1, 1, &mapping)
    };
    with(|_| ()).server_is_right();
    with(|m| m.shadow_copy_id = copy(4))
        .judged()
        .iter()
        .find(|finding| finding.requirement.0 == "FSRVP-3.1.4.11-14")
        .expect("another copy's id");
    with(|m| m.shadow_copy_set_id = set(4)).server_broke("FSRVP-3.1.4.11-14");
    with(|m| m.share_name_unc = Some(WideString::from_text(r"\\SRV\DATA\"))).server_is_right();
    with(|m| m.share_name_unc = Some(WideString::from_text(r"\\other\data")))
        .server_broke("FSRVP-3.1.4.11-14");
    with(|m| m.share_name_unc = Some(WideString::from_text("data")))
        .judged()
        .iter()
        .find(|finding| finding.requirement.0 == "FSRVP-2.2.1.1-02")
        .expect("a name that is no UNC");
    with(|m| m.shadow_copy_share_name = None).server_broke("FSRVP-3.1.4.11-14");
    with(|m| m.shadow_copy_share_name = Some(WideString::from_text("data@1")))
        .server_broke("FSRVP-3.1.4.6-08");
    with(|m| m.creation_timestamp = 1_700_000_000).server_broke("FSRVP-2.2.1.1-01");
    let mut other = mapping_of(1);
    other.creation_timestamp += 5;
    Story::new()
        .mapped(1)
        .mapping(1, 1, &other)
        .server_broke("FSRVP-3.1.4.11-17");
}

#[test]
fn times_of_creation_lie_as_far_apart_as_the_calls_that_made_them() {
    let second = |units: i64| {
        let mut mapping = mapping_of(2);
        mapping.creation_timestamp += units;
        Story::new()
            .recovered(1)
            .wait(60)
            .exposed(2)
            .mapping(2, 2, &mapping)
    };
    second(610_000_000).server_is_right();
    second(0).server_broke("FSRVP-3.1.4.4-22");
    second(6_000_000_000).server_broke("FSRVP-3.1.4.4-22");
    // Where somebody moves the server's clock, it says nothing.
    second(6_000_000_000)
        .durations(Durations::Moved)
        .server_is_right();
}

#[test]
fn a_share_with_a_copy_is_shadow_copied() {
    let not_supported = Hresult::FSRVP_E_NOT_SUPPORTED;
    for (status, rule) in [
        ("committed", "FSRVP-3.1.4.10-06"),
        ("exposed", "FSRVP-3.1.4.10-07"),
        ("recovered", "FSRVP-3.1.4.10-08"),
    ] {
        told(status).asks_copied(SHARE, 1, 0).server_is_right();
        told(status).asks_copied(SHARE, 0, 0).server_broke(rule);
        told(status)
            .code(copied(SHARE), not_supported)
            .server_broke(rule);
    }
    told("exposed")
        .asks_copied(SHARE, 1, 4)
        .server_broke("FSRVP-2.2.2.3-01");
    let other = r"\\srv\other";
    let asked = || Story::new().asks_supported(other);
    asked()
        .code(copied(other), not_supported)
        .server_broke("FSRVP-3.1.4.10-02");
    asked().asks_copied(other, 1, 0).server_is_right();
    asked()
        .asks_copied(other, 0, 0)
        .asks_copied(other, 1, 0)
        .server_broke("FSRVP-3.1.4.10-02");
    told("added")
        .code(copied(SHARE), not_supported)
        .server_broke("FSRVP-3.1.4.10-04");
    told("creating")
        .code(copied(SHARE), not_supported)
        .server_broke("FSRVP-3.1.4.10-05");
}

#[test]
fn weak_calls_are_refused() {
    for (level, rule) in [
        (0, "FSRVP-3.1.4-02"),
        (2, "FSRVP-3.1.4-03"),
        (4, "FSRVP-3.1.4-04"),
    ] {
        Story::new().level(level).version().server_broke(rule);
        let refused = Story::new().level(level);
        refused
            .code(version(), Hresult::E_ACCESSDENIED)
            .server_is_right();
        let fault = Answer::Fault(5);
        let call = Request::Call(version());
        Story::new()
            .level(level)
            .taking(1, Opnum::GetSupportedVersion, call, fault)
            .server_is_right();
    }
    Story::new().level(6).version().server_is_right();
}

#[test]
fn requests_that_cannot_be_executed_are_faults() {
    let unreadable = |stub: Vec<u8>| Request::Unreadable {
        stub,
        error: Some(fsrvp_wire::ParseError {
            layer: fsrvp_wire::Layer::Fsrvp,
            offset_bytes: 4,
            field: "context",
            kind: fsrvp_wire::ErrorKind::Truncated { needed: 2 },
        }),
    };
    let zero = || Answer::Reply(Reply::failure(Opnum::SetContext, ZERO).expect("a method"));
    let fault = || Answer::Fault(0x6F7);
    let told = |request, answer| Story::new().taking(1, Opnum::SetContext, request, answer);
    told(unreadable(vec![1, 2]), zero()).server_broke("FSRVP-2.2-01");
    told(unreadable(vec![1, 2]), fault()).server_is_right();
    // An empty stub may be one that was lost.
    told(unreadable(Vec::new()), zero()).server_is_right();
    let mut broken = WideString::from_text(SHARE);
    broken.actual_count = broken.max_count + 1;
    let request = fsrvp_wire::fsrvp::is_path_supported::Request { share_name: broken };
    let request = || Request::Call(Call::IsPathSupported(request.clone()));
    let reply = Reply::failure(Opnum::IsPathSupported, NOT_FOUND).expect("a method");
    let sent = |answer| Story::new().taking(1, Opnum::IsPathSupported, request(), answer);
    sent(Answer::Reply(reply)).server_broke("FSRVP-2.2-02");
    sent(fault()).server_is_right();
    let none = || Request::Unreadable {
        stub: Vec::new(),
        error: None,
    };
    let opnum = |answer| Story::new().taking(1, Opnum(13), none(), answer);
    opnum(Answer::Fault(0x1C01_0002)).server_is_right();
    opnum(fault()).server_broke("FSRVP-3.1.4-01");
    let call = Request::Call(version());
    Story::new()
        .taking(
            1,
            Opnum::GetSupportedVersion,
            call,
            Answer::Fault(0x8004_2301),
        )
        .server_broke("FSRVP-3.1.4-25");
}

#[test]
fn a_timeout_comes_when_the_time_is_over() {
    let early = |opnum: Opnum, call: Call, code| {
        let reply = Reply::failure(opnum, code).expect("a method");
        (Request::Call(call), Answer::Reply(reply))
    };
    let (request, answer) = early(
        Opnum::CommitShadowCopySet,
        commit(1),
        Hresult::FSSAGENT_E_TIMEOUT,
    );
    let story = Story::new().added(1).code(prepare(1), ZERO);
    story
        .taking(3_000, Opnum::CommitShadowCopySet, request, answer)
        .server_broke("FSRVP-3.1.4.5-08");
    let wait = Hresult::FSRVP_E_WAIT_TIMEOUT;
    let (request, answer) = early(Opnum::PrepareShadowCopySet, prepare(1), wait);
    let story = Story::new().added(1);
    story
        .taking(
            3_000,
            Opnum::PrepareShadowCopySet,
            request.clone(),
            answer.clone(),
        )
        .server_broke("FSRVP-3.1.4.13-09");
    let story = Story::new().added(1);
    story
        .taking(10_500, Opnum::PrepareShadowCopySet, request, answer)
        .server_is_right();
    let (request, answer) = early(Opnum::ExposeShadowCopySet, expose(1), wait);
    let story = Story::new().committed(1);
    story
        .taking(3_000, Opnum::ExposeShadowCopySet, request, answer)
        .server_broke("FSRVP-3.1.4.6-12");
    Story::new()
        .code(set_context(0), wait)
        .judged()
        .first()
        .expect("no method but a wait");
}
