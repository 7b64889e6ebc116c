//! The embedded reference server: on a free loopback port, with temporary shares, its clock in our
//! hand.

use crate::case::{Account, Profile, RpcLevel, SecretText, SmbOptions, Target, Timers};
use crate::case::{BackendStep, BackendWork};
use crate::drive::{MoveClock, Restart, SteerBackend, Time, now_ticks};
use crate::run::serve;
use fsrvp_reference::agent::Fault;
use fsrvp_reference::backend::{self, FaultControl, Operation};
use fsrvp_reference::config::{
    AccessConfig, AccessRights, BackendChoice, Clock, Config, Disable, ShareConfig, Trial,
    UserConfig,
};
use fsrvp_reference::shell::Reference;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// Memory that looks like a directory, where there is one: durable state costs no disk there.
const MEMORY: &str = "/dev/shm";
/// The account with backup rights.
const ADMIN: &str = "admin";
/// The account without.
const PLAIN: &str = "plain";
/// The account whose only right is that of its group.
const OPERATOR: &str = "operator";
/// The shares that can be shadow copied, each on a store of its own.
const SHARES: [&str; 3] = ["data", "vol2", "vol3"];
/// Those whose shadow copies are said not to go together with something.
const NO_DEFRAGMENTATION: &str = SHARES[1];
const NO_INDEXING: &str = SHARES[2];
/// A second share on the store of the first.
const ALIAS: &str = "alias";
/// A hidden share.
const HIDDEN: &str = "hidden$";
/// A share with another file system mounted below its root.
const MOUNTS: &str = "mounts";
/// A share that the account without backup rights may only read.
const RESTRICTED: &str = "limited";
/// Directories of Linux below which other file systems are mounted.
const MOUNT_PARENTS: [&str; 3] = ["/dev", "/sys", "/proc"];

/// The list of what an embedded server of this profile does otherwise than the text.
pub(super) fn known_list(profile: Profile) -> Option<&'static str> {
    match profile {
        Profile::Windows => Some("windows-2012"),
        Profile::Windows2012R2 => Some("windows-2012r2"),
        Profile::Samba => Some("samba-4.17"),
        _ => None,
    }
}

/// The profile of this name, if there can be an embedded server of it.
pub(super) fn profile(name: &str) -> Result<Profile, String> {
    serve::profile(name)?;
    let name = name.strip_suffix("-2012").unwrap_or(name);
    let all = [
        Profile::Spec,
        Profile::Windows,
        Profile::Windows2012R2,
        Profile::Samba,
    ];
    let found = all.into_iter().find(|profile| profile.as_str() == name);
    found.ok_or_else(|| format!("--profile {name}: no case is judged by it"))
}

/// A running embedded server.
pub(super) struct Embedded {
    /// `None` while it is restarted, and when it did not start again.
    server: Arc<Mutex<Option<Reference>>>,
    /// What it is started with, again and again.
    config: Arc<Config>,
    /// When it was started, in 100 ns since 1601.
    began: Arc<AtomicI64>,
    /// How far its clock was moved since, in milliseconds.
    moved_ms: Arc<AtomicU64>,
    /// Where it listens.
    port: Arc<AtomicU16>,
    /// What its backend is made to do.
    backend: FaultControl,
    target: Target,
    _root: TempDir,
}

impl Embedded {
    /// Starts a server of this profile on the runtime that this is called on, with these faults.
    pub(super) async fn start(profile: Profile, faults: &[Fault]) -> Result<Embedded, String> {
        let root = temporary_dir().map_err(|error| format!("no temporary directory: {error}"))?;
        let passwords = Passwords::new()?;
        let mut config = configuration(root.path(), &passwords)
            .map_err(|error| format!("{}: {error}", root.path().display()))?;
        config.profile = serve::profile(profile.as_str())?;
        config.faults = faults.to_vec();
        let backend = FaultControl::default();
        config.trial = Trial::default().faults(backend.clone());
        let server = Reference::start(config.clone())
            .await
            .map_err(|error| error.to_string())?;
        let port = server.address().port();
        Ok(Embedded {
            server: Arc::new(Mutex::new(Some(server))),
            config: Arc::new(config),
            began: Arc::new(AtomicI64::new(now_ticks())),
            moved_ms: Arc::default(),
            port: Arc::new(AtomicU16::new(port)),
            backend,
            target: target(profile, port, passwords),
            _root: root,
        })
    }

    /// The server as a target.
    pub(super) fn target(&self) -> Target {
        Target {
            port: self.port.load(Ordering::Relaxed),
            ..self.target.clone()
        }
    }

    /// Its time and its working, in the hand of whoever plays against it.
    pub(super) fn time(&self) -> Time {
        Time::Ours {
            move_clock: self.clock(),
            began: self.began.load(Ordering::Relaxed),
            moved: Duration::from_millis(self.moved_ms.load(Ordering::Relaxed)),
            restart: self.restart(),
            backend: self.backend(),
        }
    }

    /// What moves the server's clock.
    pub(super) fn clock(&self) -> MoveClock {
        let server = Arc::clone(&self.server);
        let moved_ms = Arc::clone(&self.moved_ms);
        Box::new(move |by: Duration| {
            let server = Arc::clone(&server);
            let by_ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            moved_ms.fetch_add(by_ms, Ordering::Relaxed);
            Box::pin(async move {
                if let Some(server) = server.lock().await.as_ref() {
                    server.advance(by).await;
                }
            })
        })
    }

    /// What stops the server and starts it again on its state, its clock at the beginning.
    fn restart(&self) -> Restart {
        let server = Arc::clone(&self.server);
        let config = Arc::clone(&self.config);
        let (began, moved_ms) = (Arc::clone(&self.began), Arc::clone(&self.moved_ms));
        let port = Arc::clone(&self.port);
        Box::new(move || {
            let server = Arc::clone(&server);
            let config = Config::clone(&config);
            let (began, moved_ms) = (Arc::clone(&began), Arc::clone(&moved_ms));
            let port = Arc::clone(&port);
            Box::pin(async move {
                let mut server = server.lock().await;
                if let Some(old) = server.take() {
                    old.stop().await;
                }
                let new = Reference::start(config)
                    .await
                    .map_err(|error| format!("the server did not start again: {error}"))?;
                began.store(now_ticks(), Ordering::Relaxed);
                moved_ms.store(0, Ordering::Relaxed);
                let new_port = new.address().port();
                port.store(new_port, Ordering::Relaxed);
                *server = Some(new);
                Ok(new_port)
            })
        })
    }

    /// What makes its backend fail or wait.
    fn backend(&self) -> SteerBackend {
        let control = self.backend.clone();
        Box::new(move |work, step| {
            let control = control.clone();
            Box::pin(async move { steer(&control, work, step).await })
        })
    }

    /// A target with the features that every embedded server has, for a list of cases.
    pub(super) fn features(profile: Profile) -> Target {
        target(profile, 0, Passwords::default())
    }
}

/// How long a call may take to reach the backend that it is to wait for.
const REACHED_MAX: Duration = Duration::from_secs(20);

async fn steer(control: &FaultControl, work: BackendWork, step: BackendStep) -> Result<(), String> {
    let operation = match work {
        BackendWork::Prepare => Operation::Prepare,
        BackendWork::Commit => Operation::Create,
        BackendWork::Expose => Operation::Expose,
        BackendWork::Removal => Operation::Delete,
    };
    match step {
        BackendStep::Works => control.clear(operation),
        BackendStep::Fails => control.set(operation, backend::Fault::FailAlways),
        BackendStep::IsLost => control.set(operation, backend::Fault::LoseNext(1)),
        BackendStep::Blocks => control.set(operation, backend::Fault::Block),
        BackendStep::IsReached => {
            let control = control.clone();
            let wait = move || control.is_blocked_within(operation, REACHED_MAX);
            let reached = tokio::task::spawn_blocking(wait).await;
            if !reached.is_ok_and(|reached| reached) {
                let within = REACHED_MAX.as_secs();
                return Err(format!(
                    "{} was not reached within {within} s",
                    work.as_str()
                ));
            }
        }
    }
    Ok(())
}

fn temporary_dir() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("fsrvp-check-");
    builder.tempdir_in(MEMORY).or_else(|_| builder.tempdir())
}

/// Nobody but this run knows it, so that nobody else on the machine can use the server.
fn password() -> Result<String, String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no random bytes: {error}"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// The passwords of the accounts, each another one.
#[derive(Default)]
struct Passwords {
    admin: String,
    plain: String,
    operator: String,
}

impl Passwords {
    fn new() -> Result<Passwords, String> {
        Ok(Passwords {
            admin: password()?,
            plain: password()?,
            operator: password()?,
        })
    }
}

fn configuration(root: &Path, passwords: &Passwords) -> std::io::Result<Config> {
    let mut shares = Vec::new();
    for name in SHARES.iter().chain([&HIDDEN, &RESTRICTED]) {
        let path = root.join("shares").join(name.trim_end_matches('$'));
        fs::create_dir_all(&path)?;
        let mut share = ShareConfig::new(*name, path);
        // All of them lie on one file system; the backend that copies may be told otherwise.
        share.store = Some((*name).to_owned());
        match *name {
            NO_DEFRAGMENTATION => share.disable.push(Disable::Defragmentation),
            NO_INDEXING => share.disable.push(Disable::Indexing),
            _ => {}
        }
        if *name == RESTRICTED {
            share.access = vec![
                access(ADMIN, AccessRights::Full),
                access(PLAIN, AccessRights::Read),
            ];
        }
        shares.push(share);
    }
    let mut alias = ShareConfig::new(ALIAS, root.join("shares").join(SHARES[0]));
    alias.store = Some(SHARES[0].to_owned());
    shares.push(alias);
    if let Some(path) = mount_parent() {
        let mut share = ShareConfig::new(MOUNTS, path);
        // The cases only ask about it; nobody needs to look in.
        share.read_only = true;
        let users = [ADMIN, PLAIN, OPERATOR];
        share.access = users.map(|user| access(user, AccessRights::None)).to_vec();
        shares.push(share);
    }
    let state = root.join("state");
    fs::create_dir_all(&state)?;
    Ok(Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        backend: BackendChoice::Copy,
        state: Some(state),
        shares,
        users: vec![
            UserConfig::with_password(ADMIN, &passwords.admin, &["Administrators"]),
            UserConfig::with_password(PLAIN, &passwords.plain, &[]),
            UserConfig::with_password(OPERATOR, &passwords.operator, &["Backup Operators"]),
        ],
        clock: Clock::Manual,
        ..Config::default()
    })
}

fn access(user: &str, rights: AccessRights) -> AccessConfig {
    AccessConfig {
        user: user.to_owned(),
        rights,
    }
}

/// A directory with another file system mounted below it.
fn mount_parent() -> Option<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts: Vec<&Path> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new)
        .collect();
    MOUNT_PARENTS
        .iter()
        .map(Path::new)
        .find(|parent| {
            mounts
                .iter()
                .any(|mount| mount != parent && mount.starts_with(parent))
        })
        .map(Path::to_owned)
}

fn target(profile: Profile, port: u16, passwords: Passwords) -> Target {
    let account = |name: &str, password: String| Account {
        name: name.to_owned(),
        password: SecretText::new(password),
        domain: String::new(),
    };
    let mounts = mount_parent().map(|_| MOUNTS.to_owned());
    Target {
        name: "embedded".to_owned(),
        host: Ipv4Addr::LOCALHOST.to_string(),
        port,
        admin: account(ADMIN, passwords.admin),
        plain_user: Some(account(PLAIN, passwords.plain)),
        backup_operator: Some(account(OPERATOR, passwords.operator)),
        shares: SHARES.map(str::to_owned).to_vec(),
        same_store: vec![ALIAS.to_owned()],
        hidden: Some(HIDDEN.to_owned()),
        unsupported: mounts.clone().into_iter().collect(),
        mount_points: mounts,
        restricted: Some(RESTRICTED.to_owned()),
        no_defragmentation: Some(NO_DEFRAGMENTATION.to_owned()),
        no_indexing: Some(NO_INDEXING.to_owned()),
        profile,
        timers: Timers::Ours,
        owners: BTreeMap::new(),
        rpc_auth: RpcLevel::Integrity,
        smb: SmbOptions::default(),
        pause_between_sets: Duration::ZERO,
        local_path: BTreeMap::new(),
        known: None,
        restart: Vec::new(),
        file: None,
    }
}
