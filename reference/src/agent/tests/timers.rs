//! MS-FSRVP 3.1.2 and 3.1.5: the Message Sequence Timer.

use super::bench::{self, Bench, UNKNOWN};
use crate::agent::Status;
use fsrvp_wire::fsrvp::{Call, Context, Hresult, ShadowCopyId, ShadowCopySetId};
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
