//! A whole server: the agent's calls go in by its handle, what they did is seen on the disk and
//! in the table of shares.

use super::{Reference, StartError};
use crate::agent::Caller;
use crate::backend::{CopyBackend, Fault, FaultControl, FaultyBackend, Operation};
use crate::config::{BackendChoice, Clock, Config, ShareConfig, UserConfig};
use crate::share::{Rights, ShareTable};
use crate::tree::{Disposition, OpenOptions, TreeError, TreePath};
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, expose_shadow_copy_set, get_supported_version,
    recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set, timers,
};
use fsrvp_wire::ndr::WideString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

mod descriptors;
mod lasting;
mod programs;
mod trouble;

/// A directory with a share in it, and somewhere for the state.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("data")).expect("a share");
        std::fs::write(directory.path().join("data/file"), "before").expect("a file");
        Place { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn copies(&self) -> usize {
        match std::fs::read_dir(self.path("copies")) {
            Ok(entries) => entries.count(),
            Err(_) => 0,
        }
    }

    fn config(&self, state: Option<&str>) -> Config {
        let mut share = ShareConfig::new("data", self.path("data"));
        share.copies = Some(self.path("copies"));
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            backend: BackendChoice::Copy,
            state: state.map(|name| self.path(name)),
            shares: vec![share],
            users: vec![UserConfig::with_password("admin", "x", &["Administrators"])],
            clock: Clock::Manual,
            ..Config::default()
        }
    }
}

fn shares(server: &Reference) -> Arc<ShareTable> {
    let tasks = server.tasks.as_ref().expect("it runs");
    Arc::clone(&tasks.workshop.shares)
}

fn caller() -> Caller {
    Caller {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user: "admin".to_owned(),
        backup_rights: true,
        auth_type: 10,
        auth_level: 6,
    }
}

async fn call(server: &Reference, call: Call) -> Reply {
    let reply = server.agent.call(caller(), call).await.expect("a reply");
    assert_eq!(reply.status(), Hresult::ZERO, "{reply:?}");
    reply
}

/// Everything up to a set with one share.
async fn add(server: &Reference) -> (ShadowCopyId, ShadowCopySetId) {
    let context = Context(Context::CTX_APP_ROLLBACK.0 | Context::ATTR_AUTO_RECOVERY);
    call(server, Call::SetContext(set_context::Request { context })).await;
    let request = start_shadow_copy_set::Request {
        client_shadow_copy_set_id: Uuid::from_u128(1),
    };
    let Reply::StartShadowCopySet(started) = call(server, Call::StartShadowCopySet(request)).await
    else {
        panic!("another method's reply");
    };
    let shadow_copy_set_id = started.shadow_copy_set_id;
    let request = add_to_shadow_copy_set::Request {
        client_shadow_copy_id: Uuid::from_u128(2),
        shadow_copy_set_id,
        share_name: WideString::from_text(r"\\server\data"),
    };
    let Reply::AddToShadowCopySet(added) = call(server, Call::AddToShadowCopySet(request)).await
    else {
        panic!("another method's reply");
    };
    (added.shadow_copy_id, shadow_copy_set_id)
}

fn commit(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms: 60_000,
    })
}

/// Everything up to an exposed share; gives its name and the set.
async fn expose(server: &Reference) -> (String, ShadowCopySetId) {
    let (ShadowCopyId(id), shadow_copy_set_id) = add(server).await;
    call(server, commit(shadow_copy_set_id)).await;
    let request = expose_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms: 60_000,
    };
    call(server, Call::ExposeShadowCopySet(request)).await;
    (format!("data@{{{id}}}"), shadow_copy_set_id)
}

async fn recover(server: &Reference, shadow_copy_set_id: ShadowCopySetId) {
    let request = recovery_complete_shadow_copy_set::Request { shadow_copy_set_id };
    call(server, Call::RecoveryCompleteShadowCopySet(request)).await;
}

fn abort(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::AbortShadowCopySet(abort_shadow_copy_set::Request { shadow_copy_set_id })
}

fn write(shares: &ShareTable, name: &str) -> Result<(), TreeError> {
    let share = shares.find(name).expect("the share");
    let path = TreePath::parse("new").expect("a path");
    let options = OpenOptions::write(Disposition::Create);
    let (file, _) = share.open(Rights::Change, &path, &options)?;
    file.write(0, b"x")
}

fn read(shares: &ShareTable, name: &str) -> Vec<u8> {
    let share = shares.find(name).expect("the share");
    let path = TreePath::parse("file").expect("a path");
    let (file, _) = share
        .open(Rights::Read, &path, &OpenOptions::read())
        .expect("the file");
    file.read(0, 100).expect("its bytes")
}

#[tokio::test]
async fn the_clock_that_the_caller_moves_fires_the_timer() {
    let place = Place::new();
    let server = Reference::start(place.config(None)).await.expect("a start");
    let (name, _) = expose(&server).await;
    let shares = shares(&server);
    let just_before = timers::AFTER_EXPOSE - Duration::from_millis(1);
    server.advance(just_before).await;
    assert!(shares.find(&name).is_some());
    assert_eq!(place.copies(), 1);
    server.advance(Duration::from_millis(1)).await;
    assert!(shares.find(&name).is_none());
    assert_eq!(place.copies(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_shadow_copy_is_writable_until_it_is_sealed_and_survives_a_restart() {
    let place = Place::new();
    let config = place.config(Some("state"));
    let server = Reference::start(config.clone()).await.expect("a start");
    let (name, set) = expose(&server).await;
    std::fs::write(place.path("data/file"), "after").expect("written");
    assert_eq!(read(&shares(&server), &name), b"before");
    assert!(write(&shares(&server), &name).is_ok());
    recover(&server, set).await;
    assert!(matches!(
        write(&shares(&server), &name),
        Err(TreeError::ReadOnly)
    ));
    server.stop().await;

    let orphan = place.path("copies").join(Uuid::from_u128(3).to_string());
    std::fs::create_dir(&orphan).expect("an orphan");
    let server = Reference::start(config).await.expect("a second start");
    assert_eq!(read(&shares(&server), &name), b"before");
    assert!(matches!(
        write(&shares(&server), &name),
        Err(TreeError::ReadOnly)
    ));
    assert!(!orphan.exists());
    server.advance(timers::AFTER_ADD).await;
    assert!(
        shares(&server).find(&name).is_some(),
        "no timer runs for it"
    );
    server.stop().await;
}

#[tokio::test]
async fn an_exposed_set_that_was_not_recovered_is_writable_after_a_restart() {
    let place = Place::new();
    let config = place.config(Some("state"));
    let server = Reference::start(config.clone()).await.expect("a start");
    let (name, set) = expose(&server).await;
    server.stop().await;
    let server = Reference::start(config).await.expect("a second start");
    assert!(write(&shares(&server), &name).is_ok());
    recover(&server, set).await;
    assert!(matches!(
        write(&shares(&server), &name),
        Err(TreeError::ReadOnly)
    ));
    server.stop().await;
}

/// MS-FSRVP 3.1.4.5: the caller is told in time, the work goes on, and may be waited for again.
#[tokio::test]
async fn a_commit_that_takes_long_holds_up_nobody() {
    let place = Place::new();
    let control = FaultControl::default();
    let backend = FaultyBackend::new(Arc::new(CopyBackend::default()), control.clone());
    let server = Reference::start_with(place.config(None), Arc::new(backend))
        .await
        .expect("a start");
    let (_, set) = add(&server).await;
    control.set(Operation::Create, Fault::Block);
    let agent = server.agent.clone();
    let slow = tokio::spawn(async move { agent.call(caller(), commit(set)).await });
    let blocked = control.clone();
    tokio::task::spawn_blocking(move || blocked.wait_until_blocked(Operation::Create))
        .await
        .expect("it blocks");
    let version = Call::GetSupportedVersion(get_supported_version::Request);
    call(&server, version).await;
    assert_eq!(read(&shares(&server), "data"), b"before");
    server.advance(Duration::from_secs(60)).await;
    let late = slow.await.expect("no panic").expect("a reply");
    assert_eq!(late.status(), Hresult::FSSAGENT_E_TIMEOUT);
    control.clear(Operation::Create);
    call(&server, commit(set)).await;
    assert_eq!(place.copies(), 1);
    server.stop().await;
    assert_eq!(place.copies(), 0);
}

#[tokio::test]
async fn a_copy_that_was_made_and_not_stored_as_made_is_gone_after_a_restart() {
    let place = Place::new();
    let config = place.config(Some("state"));
    let server = Reference::start(config.clone()).await.expect("a start");
    let (ShadowCopyId(id), set) = add(&server).await;
    server.stop().await;
    let copy = place.path("copies").join(id.to_string());
    std::fs::create_dir_all(&copy).expect("a copy");
    let server = Reference::start(config).await.expect("a second start");
    assert!(!copy.exists());
    // The set is there as it was, and its commit finds nothing in the way.
    call(&server, commit(set)).await;
    assert_eq!(place.copies(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing() {
    let place = Place::new();
    let control = FaultControl::default();
    let backend = FaultyBackend::new(Arc::new(CopyBackend::default()), control.clone());
    let server = Reference::start_with(place.config(None), Arc::new(backend))
        .await
        .expect("a start");
    let (_, set) = add(&server).await;
    for fault in [Fault::FailNext(1), Fault::FailAfterNext(1)] {
        control.set(Operation::Create, fault);
        let reply = server.agent.call(caller(), commit(set)).await;
        assert_ne!(reply.expect("a reply").status(), Hresult::ZERO);
        assert_eq!(place.copies(), 0, "{fault:?}");
    }
    assert!(
        write(&shares(&server), "data").is_ok(),
        "the freeze has ended"
    );
    server.stop().await;
}

#[tokio::test]
async fn temporary_state_takes_its_shadow_copies_with_it_and_no_others() {
    let place = Place::new();
    let foreign = place.path("copies").join(Uuid::from_u128(3).to_string());
    std::fs::create_dir_all(&foreign).expect("another server's");
    let server = Reference::start(place.config(None)).await.expect("a start");
    expose(&server).await;
    assert_eq!(place.copies(), 2);
    server.stop().await;
    assert_eq!(place.copies(), 1);
    assert!(foreign.exists());
}

#[tokio::test]
async fn bytes_that_mean_nothing_end_their_connection_only() {
    let place = Place::new();
    let server = Reference::start(place.config(None)).await.expect("a start");
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 0, 0, 4, 1, 2, 3, 4],
        &[0xFF; 100],
    ] {
        let mut stream = TcpStream::connect(server.address()).await.expect("in");
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        // A reset is as good an end as a close.
        if let Ok(length) = stream.read_to_end(&mut answer).await {
            assert_eq!(length, 0);
        }
    }
    expose(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn a_start_that_fails_says_where() {
    let place = Place::new();
    let mut missing = place.config(None);
    missing.shares = vec![ShareConfig::new("data", Path::new("/nonexistent/dir"))];
    let error = Reference::start(missing)
        .await
        .expect_err("no such directory");
    assert!(error.to_string().contains("/nonexistent/dir"), "{error}");

    let mut btrfs = place.config(None);
    btrfs.backend = BackendChoice::Btrfs;
    btrfs.shares = vec![ShareConfig::new("data", "/proc/self")];
    let error = Reference::start(btrfs).await.expect_err("no btrfs");
    assert!(matches!(error, StartError::Backend { .. }), "{error}");

    let server = Reference::start(place.config(None)).await.expect("a start");
    let mut taken = place.config(None);
    taken.listen = server.address();
    let error = Reference::start(taken)
        .await
        .expect_err("the port is taken");
    assert!(
        error.to_string().contains(&server.address().to_string()),
        "{error}"
    );

    let mut keyless = place.config(None);
    keyless.users[0].password = None;
    let error = Reference::start(keyless).await.expect_err("no password");
    assert!(error.to_string().contains("admin"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_dropped_server_ends_its_connections() {
    let place = Place::new();
    let server = Reference::start(place.config(None)).await.expect("a start");
    let mut stream = TcpStream::connect(server.address()).await.expect("in");
    drop(server);
    let mut answer = [0; 1];
    match stream.read(&mut answer).await {
        Ok(count) => assert_eq!(count, 0, "nobody asked anything"),
        // A connection that nobody had taken from the listener yet ends so.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}
