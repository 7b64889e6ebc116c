//! Backends that fail or hang: an error for the client that asked, nothing for the others, and
//! nothing left behind in the end.

use super::{Place, abort, add, call, caller, commit, expose, read, recover, shares, write};
use crate::backend::{CopyBackend, Fault, FaultControl, FaultyBackend, Operation};
use crate::config::Config;
use crate::shell::Reference;
use fsrvp_wire::fsrvp::{Call, Context, Hresult, get_supported_version, set_context, timers};
use std::sync::Arc;
use std::time::Duration;

/// Long enough for what works, short enough to wait for what does not.
const BOUND_S: f64 = 0.5;

/// What could not be deleted is tried again after so long.
const RETRY: Duration = Duration::from_secs(30);

pub(super) async fn start(config: Config, control: &FaultControl) -> Reference {
    let backend = FaultyBackend::new(Arc::new(CopyBackend::without_sync()), control.clone());
    let started = Reference::start_with(config, Arc::new(backend)).await;
    started.expect("a start")
}

fn impatient(place: &Place, state: Option<&str>) -> Config {
    Config {
        freeze_max_s: BOUND_S,
        ..place.config(state)
    }
}

pub(super) async fn status(server: &Reference, call: Call) -> Hresult {
    let reply = server.agent.call(caller(), call).await;
    reply.expect("a reply").status()
}

/// Whoever else is there is served: calls, reads and writes.
async fn others_are_unharmed(server: &Reference) {
    let version = Call::GetSupportedVersion(get_supported_version::Request);
    call(server, version).await;
    let shares = shares(server);
    assert_eq!(read(&shares, "data"), b"before");
    let written = tokio::task::spawn_blocking(move || write(&shares, "data")).await;
    assert!(written.expect("no panic").is_ok());
}

#[tokio::test]
async fn a_removal_that_fails_is_tried_again() {
    for is_dropped in [false, true] {
        let (place, control) = (Place::new(), FaultControl::default());
        let server = start(place.config(None), &control).await;
        control.set(Operation::Delete, Fault::FailAlways);
        let (name, _) = expose(&server).await;
        if is_dropped {
            let context = Context::CTX_BACKUP;
            call(&server, Call::SetContext(set_context::Request { context })).await;
        } else {
            server.advance(timers::AFTER_EXPOSE).await;
        }
        assert!(shares(&server).find(&name).is_none());
        assert_eq!(place.copies(), 1, "it could not be deleted");
        server.advance(RETRY).await;
        assert_eq!(place.copies(), 1, "it still cannot be deleted");
        control.clear(Operation::Delete);
        server.advance(RETRY).await;
        assert_eq!(place.copies(), 0);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_removal_that_fails_is_done_at_the_next_start() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(place.config(Some("state")), &control).await;
    control.set(Operation::Delete, Fault::FailAlways);
    expose(&server).await;
    server.advance(timers::AFTER_EXPOSE).await;
    server.stop().await;
    assert_eq!(place.copies(), 1);
    // The first start cannot delete it either, and tries again.
    let server = start(place.config(Some("state")), &control).await;
    assert_eq!(place.copies(), 1);
    control.clear(Operation::Delete);
    server.advance(RETRY).await;
    assert_eq!(place.copies(), 0);
    server.stop().await;
}

/// MS-FSRVP 3.1.4.8 step 3: the client hears of it, and repeats it.
#[tokio::test]
async fn an_abort_that_fails_is_the_clients_to_repeat() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(place.config(None), &control).await;
    let (_, set) = add(&server).await;
    call(&server, commit(set)).await;
    control.set(Operation::Delete, Fault::FailNext(1));
    assert_eq!(status(&server, abort(set)).await, Hresult::E_FAIL);
    server.advance(RETRY).await;
    assert_eq!(place.copies(), 1, "the set still has its copy");
    call(&server, abort(set)).await;
    assert_eq!(place.copies(), 0);
    server.stop().await;
}

/// A set that is still there has its shares, by whatever its removal failed.
#[tokio::test]
async fn what_a_failed_abort_took_away_is_exposed_again() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(place.config(None), &control).await;
    let (name, set) = expose(&server).await;
    control.set(Operation::Delete, Fault::FailNext(1));
    assert_eq!(status(&server, abort(set)).await, Hresult::E_FAIL);
    server.advance(Duration::ZERO).await;
    assert_eq!(read(&shares(&server), &name), b"before");
    assert!(
        write(&shares(&server), &name).is_ok(),
        "it is not recovered"
    );
    call(&server, abort(set)).await;
    assert!(shares(&server).find(&name).is_none());
    assert_eq!(place.copies(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_hangs_holds_up_nobody_for_longer_than_the_bound() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(impatient(&place, None), &control).await;
    let (_, set) = expose(&server).await;
    control.set(Operation::Delete, Fault::Block);
    assert_eq!(status(&server, abort(set)).await, Hresult::E_FAIL);
    others_are_unharmed(&server).await;
    control.clear(Operation::Delete);
    call(&server, abort(set)).await;
    assert_eq!(place.copies(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seal_that_hangs_fails_and_can_be_repeated() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(impatient(&place, None), &control).await;
    let (_, set) = expose(&server).await;
    control.set(Operation::Seal, Fault::Block);
    let request = super::recovery_complete_shadow_copy_set::Request {
        shadow_copy_set_id: set,
    };
    let sealed = status(&server, Call::RecoveryCompleteShadowCopySet(request)).await;
    assert_eq!(sealed, Hresult::E_FAIL);
    others_are_unharmed(&server).await;
    control.clear(Operation::Seal);
    recover(&server, set).await;
    server.stop().await;
}

/// At the bound writers go on, the commit fails, and what comes too late is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_takes_too_long_fails_and_keeps_nothing() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(impatient(&place, None), &control).await;
    let (_, set) = add(&server).await;
    control.set(Operation::Create, Fault::Block);
    let agent = server.agent.clone();
    let late = tokio::spawn(async move { agent.call(caller(), commit(set)).await });
    let blocked = control.clone();
    let blocked = move || blocked.wait_until_blocked(Operation::Create);
    tokio::task::spawn_blocking(blocked)
        .await
        .expect("it blocks");
    // This write waits for the freeze to end.
    others_are_unharmed(&server).await;
    let late = late.await.expect("no panic").expect("a reply");
    assert_eq!(late.status(), Hresult::E_FAIL);
    control.clear(Operation::Create);
    let ended = control.clone();
    let ended = move || ended.wait_until_done(Operation::Create, 1);
    tokio::task::spawn_blocking(ended).await.expect("it ends");
    assert_eq!(place.copies(), 0, "given up");
    call(&server, commit(set)).await;
    assert_eq!(place.copies(), 1);
    server.stop().await;
}

/// Whoever writes waits no longer than the set is wanted, whatever the backend does meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_abort_lets_writes_go_on_at_once() {
    let (place, control) = (Place::new(), FaultControl::default());
    let patient = Config {
        freeze_max_s: 120.0,
        ..place.config(None)
    };
    let server = start(patient, &control).await;
    let (_, set) = add(&server).await;
    control.set(Operation::Create, Fault::Block);
    let agent = server.agent.clone();
    let waiting = tokio::spawn(async move { agent.call(caller(), commit(set)).await });
    let blocked = control.clone();
    let blocked = move || blocked.wait_until_blocked(Operation::Create);
    tokio::task::spawn_blocking(blocked)
        .await
        .expect("it blocks");
    call(&server, abort(set)).await;
    let refused = waiting.await.expect("no panic").expect("a reply");
    assert_eq!(refused.status(), Hresult::FSRVP_E_WAIT_FAILED);
    let go_on = tokio::time::timeout(Duration::from_secs(60), others_are_unharmed(&server)).await;
    // Before anything is said of it: writes that still wait would hold up the end of the test.
    control.clear(Operation::Create);
    go_on.expect("writes go on while the backend hangs");
    let (_, next) = add(&server).await;
    call(&server, commit(next)).await;
    assert_eq!(place.copies(), 1, "only the one that is wanted");
    server.stop().await;
}

#[tokio::test]
async fn a_copy_that_does_not_reach_the_disk_fails_the_commit() {
    let (place, control) = (Place::new(), FaultControl::default());
    let server = start(place.config(None), &control).await;
    let (_, set) = add(&server).await;
    control.set(Operation::Sync, Fault::FailNext(1));
    assert_eq!(status(&server, commit(set)).await, Hresult::E_FAIL);
    assert_eq!(place.copies(), 0);
    call(&server, commit(set)).await;
    server.stop().await;
}
