//! What each profile does otherwise than the text.

use super::bench::{self, Bench, UNKNOWN, permitted};
use crate::agent::{Caller, Deviation, Deviations, Effect, Status};
use fsrvp_wire::fsrvp::{Context, Hresult, Reply, ShadowCopyId, ShadowCopySetId, timers};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn samba() -> Bench {
    Bench::deviating(Deviations::samba())
}

fn windows() -> Bench {
    Bench::deviating(Deviations::windows_2012())
}

#[test]
fn samba_has_one_code_for_what_it_does_not_know() {
    let mut bench = samba();
    let (set, copy) = (ShadowCopySetId(UNKNOWN), ShadowCopyId(UNKNOWN));
    for call in [
        bench::set_context(Context(0x0000_0002)),
        bench::set_context(Context(0x1234)),
        bench::add(set, "nowhere"),
        bench::add(set, "plain"),
        bench::commit(set),
        bench::abort(set),
        bench::mapping(set, copy, "data", 1),
        bench::supported("nowhere"),
    ] {
        assert_eq!(
            bench.status(call.clone()),
            Hresult::E_INVALIDARG,
            "{call:?}"
        );
    }
    let gone = bench.status(bench::delete(set, copy, "data"));
    assert_eq!(gone, Hresult::FSRVP_E_OBJECT_NOT_FOUND);
    let nil = ShadowCopySetId(uuid::Uuid::nil());
    let gone = bench.status(bench::delete(nil, copy, "data"));
    assert_eq!(gone, Hresult::FSRVP_E_OBJECT_NOT_FOUND);
    let copied = bench.status(bench::copied("data"));
    assert_eq!(copied, Hresult::FSRVP_E_NOT_SUPPORTED);
}

#[test]
fn samba_takes_every_level_but_connect() {
    let mut bench = samba();
    for (auth_level, answer) in [
        (1, Hresult::ZERO),
        (2, Hresult::E_ACCESSDENIED),
        (4, Hresult::ZERO),
        (5, Hresult::ZERO),
    ] {
        bench.caller = Caller {
            auth_level,
            ..permitted("127.0.0.1")
        };
        assert_eq!(bench.status(bench::version()), answer, "level {auth_level}");
    }
    bench.caller.backup_rights = false;
    assert_eq!(bench.status(bench::version()), Hresult::E_ACCESSDENIED);
}

#[test]
fn samba_lets_anyone_set_the_context_and_drops_nothing() {
    let mut bench = samba();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.caller = permitted("127.0.0.2");
    for _ in 0..10 {
        let again = bench.status(bench::set_context(Context::CTX_BACKUP));
        assert_eq!(again, Hresult::ZERO);
    }
    assert_eq!(bench.status(bench::prepare(set)), Hresult::ZERO);
    // The timer is the set's again; after SetContext it is nobody's.
    bench.status(bench::set_context(Context::CTX_BACKUP));
    bench.pass(timers::AFTER_ADD + SECOND);
    assert!(bench.agent.context().is_none());
    assert_eq!(bench.status(bench::prepare(set)), Hresult::ZERO);
    bench.pass(timers::AFTER_PREPARE + SECOND);
    assert_eq!(bench.status(bench::prepare(set)), Hresult::E_INVALIDARG);
}

#[test]
fn samba_aborts_only_before_the_commit() {
    for status in [Status::Committed, Status::Exposed, Status::Recovered] {
        let mut bench = samba();
        let (set, _) = bench.reach(Context::CTX_BACKUP, status);
        assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
        let kept = bench.agent.state().set(set).map(|set| set.status);
        assert_eq!(kept, Some(status));
    }
    let mut bench = samba();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::CreationInProgress);
    let refused = bench.status(bench::abort(set));
    assert_eq!(refused, Hresult::FSRVP_E_BAD_STATE);
    let refused = bench.status(bench::commit(set));
    assert_eq!(refused, Hresult::FSRVP_E_BAD_STATE);

    let mut bench = samba();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
    assert_eq!(
        bench.status(bench::start()),
        Hresult::ZERO,
        "the context stays"
    );
}

#[test]
fn samba_keeps_what_is_exposed_and_seals_nothing() {
    let mut bench = samba();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Exposed);
    bench.pass(timers::AFTER_EXPOSE + SECOND);
    assert!(bench.agent.context().is_none());
    bench.status(bench::set_context(Context::CTX_BACKUP));
    assert_eq!(
        bench.status(bench::start()),
        Hresult::ZERO,
        "beside an Exposed set"
    );
    assert_eq!(bench.status(bench::recover(set)), Hresult::ZERO);
    assert!(!bench.kinds().contains(&"seal"));
    let writable = |effect: &Effect| match effect {
        Effect::Expose { shares } => shares.iter().all(|share| share.writable),
        Effect::Commit { copies, .. } => copies.iter().all(|copy| copy.writable),
        _ => true,
    };
    assert!(bench.seen.iter().all(writable));
    let Reply::GetShareMapping(reply) = bench.call(bench::mapping(set, copy, "data", 1)) else {
        panic!("another reply");
    };
    let mapping = reply
        .share_mapping
        .mapping
        .expect("a mapping of a Recovered set");
    let unc = mapping.share_name_unc.expect("a name");
    assert_eq!(unc.text(), r"\\NODE1\data");
    let wrong = bench.status(bench::mapping(set, copy, "data", 2));
    assert_eq!(wrong, Hresult::E_INVALIDARG);
}

#[test]
fn both_have_a_code_for_a_mapping_that_is_asked_for_too_early() {
    for mut bench in [samba(), windows()] {
        let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Committed);
        let early = bench.status(bench::mapping(set, copy, "data", 1));
        assert_eq!(early, Hresult::VSS_E_INVALID_XML_DOCUMENT);
    }
}

#[test]
fn samba_hides_what_ends_in_a_dollar() {
    let mut bench = samba();
    bench.status(bench::set_context(Context::CTX_BACKUP));
    let set = bench.start();
    bench.add(set, "hidden$");
    bench.status(bench::commit(set));
    bench.status(bench::expose(set));
    assert!(
        bench.shares.iter().all(|name| name.ends_with("}$")),
        "{:?}",
        bench.shares
    );
}

#[test]
fn a_commit_that_fails_at_samba_may_be_aborted() {
    let mut bench = samba();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = Box::new(|effect| match bench::kind(effect) {
        "commit" => bench::Fate::Fails,
        _ => bench::Fate::Succeeds,
    });
    assert_eq!(bench.status(bench::commit(set)), Hresult::E_FAIL);
    assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
}

#[test]
fn windows_lets_nothing_start_for_half_an_hour_after_an_abort() {
    let mut bench = windows();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
    let start = |bench: &mut Bench| {
        bench.status(bench::set_context(Context::CTX_BACKUP));
        bench.status(bench::start())
    };
    bench.pass(timers::AFTER_ADD - SECOND);
    assert_eq!(
        start(&mut bench),
        Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    );
    bench.pass(SECOND);
    assert_eq!(start(&mut bench), Hresult::ZERO);
}

#[test]
fn windows_refuses_to_abort_what_is_recovered_and_tells_its_mappings() {
    let mut bench = windows();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Recovered);
    assert_eq!(bench.status(bench::abort(set)), Hresult::FSRVP_E_BAD_STATE);
    assert_eq!(
        bench.status(bench::mapping(set, copy, "data", 1)),
        Hresult::ZERO
    );
    assert!(bench.agent.timer_deadline().is_none());
}

#[test]
fn windows_takes_several_shares_of_a_store_but_none_twice() {
    let mut bench = windows();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.add(set, "alias");
    let again = bench.status(bench::add(set, "ALIAS"));
    assert_eq!(again, Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS);
}

#[test]
fn a_switch_works_alone() {
    let one = Deviations::none().with(Deviation::NilClientSetIdIsTaken);
    let mut bench = Bench::deviating(one);
    bench.status(bench::set_context(Context::CTX_BACKUP));
    let mut start = bench::start();
    if let fsrvp_wire::fsrvp::Call::StartShadowCopySet(request) = &mut start {
        request.client_shadow_copy_set_id = uuid::Uuid::nil();
    }
    assert_eq!(bench.status(start), Hresult::ZERO);
}
