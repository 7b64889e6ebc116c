//! MS-FSRVP 3.1.2 and 3.1.5: the Message Sequence Timer.

use super::bench::{self, Bench, UNKNOWN};
use super::bench::{Fate, kind};
use crate::agent::{Durations, State, Status};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, ShadowCopyId, ShadowCopySetId};
use std::cell::Cell;
use std::time::Duration;

const SHORT: Duration = Duration::from_secs(180);
const LONG: Duration = Duration::from_secs(1800);
const TICK: Duration = Duration::from_millis(1);

/// The set is there until `after` is over, and gone with its context then.
fn expires(mut bench: Bench, set: ShadowCopySetId, after: Duration) {
    bench.pass(after - TICK);
    assert!(bench.agent.state().set(set).is_some(), "gone too early");
    bench.pass(TICK);
    assert!(
        bench.agent.state().set(set).is_none(),
        "not gone after {after:?}"
    );
    assert!(bench.agent.context().is_none());
    assert!(bench.stored.set(set).is_none(), "still stored");
}

fn reached(status: Status) -> (Bench, ShadowCopySetId, ShadowCopyId) {
    let mut bench = Bench::new();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, status);
    (bench, set, copy)
}

#[test]
fn each_step_has_its_duration() {
    for (status, duration) in [
        (Status::Started, SHORT),
        (Status::Added, LONG),
        (Status::Committed, SHORT),
        (Status::Exposed, SHORT),
    ] {
        let (bench, set, _) = reached(status);
        expires(bench, set, duration);
    }
}

/// An agent none of whose durations equals another, and those durations.
fn told_apart() -> (Bench, Durations) {
    let count = Cell::new(0);
    let durations = Durations::map(|_| {
        count.set(count.get() + 1);
        Duration::from_secs(1000 * count.get())
    });
    (Bench::with(State::default(), durations.clone()), durations)
}

fn failing(bench: &mut Bench, wanted: &'static str) {
    bench.fate = Box::new(move |effect| match kind(effect) == wanted {
        true => Fate::Fails,
        false => Fate::Succeeds,
    });
}

#[test]
fn every_event_starts_the_timer_with_its_own_duration() {
    let (mut bench, of) = told_apart();
    let rests = |bench: &Bench| bench.agent.timer_deadline().map(|at| at - bench.now);
    bench.call(bench::set_context(Context::CTX_BACKUP));
    assert_eq!(rests(&bench), Some(of.set_context));
    let set = bench.start();
    assert_eq!(rests(&bench), Some(of.start));
    bench.add(set, "data");
    assert_eq!(rests(&bench), Some(of.add));
    bench.call(bench::add(set, "alias"));
    assert_eq!(rests(&bench), Some(of.add_exists));
    bench.call(bench::prepare(set));
    assert_eq!(rests(&bench), Some(of.prepare));
    failing(&mut bench, "prepare");
    bench.call(bench::prepare(set));
    assert_eq!(rests(&bench), Some(of.prepare_failed));
    failing(&mut bench, "commit");
    bench.call(bench::commit(set));
    assert_eq!(rests(&bench), Some(of.commit));
    bench.call(bench::set_context(Context::CTX_BACKUP));

    let set = bench.start();
    let copy = bench.add(set, "data");
    bench.fate = Box::new(|_| Fate::Succeeds);
    bench.call(bench::commit(set));
    assert_eq!(rests(&bench), Some(of.commit));
    bench.call(bench::mapping(set, copy, "data", 1));
    assert_eq!(rests(&bench), Some(of.commit), "not yet exposed");
    failing(&mut bench, "expose");
    bench.call(bench::expose(set));
    assert_eq!(rests(&bench), Some(of.expose));
    bench.fate = Box::new(|_| Fate::Succeeds);
    bench.pass(Duration::from_secs(7));
    bench.call(bench::expose(set));
    assert_eq!(rests(&bench), Some(of.expose));
    bench.call(bench::mapping(set, copy, "data", 1));
    assert_eq!(rests(&bench), Some(of.get_share_mapping));
    bench.call(bench::recover(set));
    assert_eq!(rests(&bench), None);
}

#[test]
fn what_cannot_be_stored_starts_it_as_any_failure_does() {
    for status in [Status::Added, Status::Committed] {
        let (mut bench, set, _) = reached(status);
        failing(&mut bench, "persist");
        let call = match status {
            Status::Added => bench::commit(set),
            _ => bench::expose(set),
        };
        assert_eq!(bench.status(call), Hresult::E_FAIL);
        assert_eq!(
            bench.agent.timer_deadline(),
            Some(bench.now + SHORT),
            "{status:?}"
        );
    }
}

#[test]
fn abort_and_delete_let_it_run() {
    let (mut bench, set, _) = reached(Status::Added);
    let before = bench.agent.timer_deadline();
    assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
    assert_eq!(bench.agent.timer_deadline(), before);

    let (mut bench, set, copy) = reached(Status::Exposed);
    let before = bench.agent.timer_deadline();
    bench.pass(TICK);
    assert_eq!(
        bench.status(bench::delete(set, copy, "data")),
        Hresult::ZERO
    );
    assert_eq!(bench.agent.timer_deadline(), before);
    assert!(bench.agent.context().is_some());
    bench.pass(SHORT);
    assert!(bench.agent.context().is_none(), "until it fires");
}

#[test]
fn an_abort_that_fails_during_a_commit_leaves_no_set_without_it() {
    let (mut bench, set, _) = reached(Status::CreationInProgress);
    assert_eq!(bench.agent.timer_deadline(), None);
    failing(&mut bench, "persist");
    assert_eq!(bench.status(bench::abort(set)), Hresult::E_FAIL);
    assert!(bench.agent.state().set(set).is_some());
    assert_eq!(bench.agent.timer_deadline(), Some(bench.now + SHORT));
}

#[test]
fn calls_wait_until_an_expiry_is_stored_and_cleared_away() {
    let (mut bench, set, copy) = reached(Status::Exposed);
    bench.fate = Box::new(|_| Fate::Held);
    bench.pass(SHORT);
    let tokens = [
        bench.send(bench::mapping(set, copy, "data", 1)),
        bench.send(bench::copied("data")),
    ];
    for token in tokens {
        assert!(bench.reply_to(token).is_none());
    }
    bench.release();
    assert!(bench.shares.is_empty() && bench.copies.is_empty());
    let statuses = tokens.map(|token| bench.reply_to(token).map(|reply| reply.status()));
    assert_eq!(
        statuses,
        [
            Some(Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH),
            Some(Hresult::ZERO)
        ]
    );
}

#[test]
fn an_expiry_that_cannot_be_stored_clears_away_all_the_same() {
    let (mut bench, set, _) = reached(Status::Exposed);
    failing(&mut bench, "persist");
    bench.pass(SHORT);
    assert!(bench.agent.state().set(set).is_none());
    assert!(bench.shares.is_empty() && bench.copies.is_empty());
}

#[test]
fn a_context_alone_expires() {
    let mut bench = Bench::new();
    bench.call(bench::set_context(Context::CTX_BACKUP));
    bench.pass(SHORT - TICK);
    assert!(bench.agent.context().is_some());
    bench.pass(TICK);
    assert!(bench.agent.context().is_none());
    assert_eq!(bench.status(bench::start()), Hresult::FSRVP_E_BAD_STATE);
}

#[test]
fn a_store_that_is_there_already_shortens_the_timer() {
    let (mut bench, set, _) = reached(Status::Added);
    assert_eq!(
        bench.status(bench::add(set, "alias")),
        Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS
    );
    expires(bench, set, SHORT);
}

#[test]
fn prepare_and_get_share_mapping_lengthen_it() {
    let (mut bench, set, _) = reached(Status::Added);
    bench.pass(LONG - TICK);
    bench.call(bench::prepare(set));
    expires(bench, set, LONG);

    let (mut bench, set, copy) = reached(Status::Exposed);
    bench.call(bench::mapping(set, copy, "data", 1));
    expires(bench, set, LONG);
}

#[test]
fn calls_that_fail_do_not_touch_it() {
    let calls: [fn(ShadowCopySetId) -> Call; 7] = [
        |_| bench::start(),
        |set| bench::expose(set),
        |set| bench::recover(set),
        |set| bench::mapping(set, ShadowCopyId(UNKNOWN), "data", 1),
        |_| bench::commit(ShadowCopySetId(UNKNOWN)),
        |_| bench::set_context(Context(0x0040_0002)),
        |set| bench::add(set, "nowhere"),
    ];
    for call in calls {
        let (mut bench, set, _) = reached(Status::Started);
        bench.pass(SHORT - TICK);
        assert_ne!(bench.status(call(set)), Hresult::ZERO);
        expires(bench, set, TICK);
    }
}

#[test]
fn a_failing_get_share_mapping_leaves_it_running() {
    let (mut bench, set, copy) = reached(Status::Exposed);
    assert_eq!(
        bench.status(bench::mapping(set, copy, "more", 1)),
        Hresult::E_INVALIDARG
    );
    expires(bench, set, SHORT);
}

#[test]
fn queries_do_not_touch_it() {
    let (mut bench, set, _) = reached(Status::Started);
    bench.pass(SHORT - TICK);
    bench.call(bench::version());
    bench.call(bench::supported("data"));
    bench.call(bench::copied("data"));
    expires(bench, set, TICK);
}

#[test]
fn recovery_stops_it() {
    let (mut bench, set, _) = reached(Status::Recovered);
    assert_eq!(bench.agent.timer_deadline(), None);
    bench.pass(LONG * 100);
    assert!(bench.agent.state().set(set).is_some());
}

#[test]
fn expiry_removes_what_was_exposed_after_it_was_stored() {
    let (mut bench, set, copy) = reached(Status::Exposed);
    bench.seen.clear();
    bench.pass(SHORT);
    assert_eq!(bench.kinds(), ["persist", "remove"]);
    let crate::agent::Effect::Remove {
        exposed_names,
        copies,
    } = &bench.seen[1]
    else {
        panic!()
    };
    assert_eq!(*exposed_names, [format!("data@{{{copy}}}")]);
    assert_eq!(*copies, [bench::made(copy)]);
    assert!(bench.agent.state().set(set).is_none());
}

#[test]
fn a_restart_forgets_timer_and_context_but_not_the_set() {
    let (bench, set, _) = reached(Status::Added);
    let mut again = Bench::restarted(bench.stored);
    assert_eq!(again.agent.poll_timeout(), None);
    assert_eq!(again.status(bench::start()), Hresult::FSRVP_E_BAD_STATE);
    assert_eq!(
        again.status(bench::set_context(Context::CTX_BACKUP)),
        Hresult::ZERO
    );
    assert_eq!(
        again.status(bench::start()),
        Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    );
    expires(again, set, SHORT);
}
