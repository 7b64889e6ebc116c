//! The server as a child: this program, started again.

use super::disk::Disk;
use crate::serve::ADMIN;
use fsrvp::case::{Account, Profile, RpcLevel, SecretText, SmbOptions, Target, Timers};
use fsrvp_reference::config::{BackendChoice, Config, ShareConfig, Trial, UserConfig};
use fsrvp_reference::shell::Reference;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The variable that makes this program the server.
const ORDER: &str = "FSRVP_CAMPAIGN_SERVER";

/// The shares, each on a store of its own.
pub(crate) const SHARES: [&str; 2] = ["data", "more"];

/// What makes the backend snapshots, on a file system that suits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Backend {
    Copy,
    Reflink,
    Btrfs,
}

impl Backend {
    pub(crate) const ALL: [Backend; 3] = [Backend::Btrfs, Backend::Reflink, Backend::Copy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Backend::Copy => "copy",
            Backend::Reflink => "reflink",
            Backend::Btrfs => "btrfs",
        }
    }
}

/// What the child is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    root: PathBuf,
    backend: Backend,
    /// The step, counted from one, at which it ends itself with SIGKILL.
    pub(crate) crash_at: Option<usize>,
    /// Where it writes the names of its steps, one a line.
    pub(crate) trace: Option<PathBuf>,
    /// Its store brings nothing to the disk.
    pub(crate) without_sync: bool,
}

impl Order {
    pub(crate) fn new(disk: &Disk, backend: Backend) -> Order {
        Order {
            root: disk.root(),
            backend,
            crash_at: None,
            trace: None,
            without_sync: false,
        }
    }

    /// The directory of the shares.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the server keeps its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Where the backend snapshots of a share lie.
    pub(crate) fn place(&self, share: &str) -> PathBuf {
        self.root.join(share).join(".fsrvp-copies")
    }

    fn config(&self) -> Config {
        let share = |name: &str| {
            let mut share = ShareConfig::new(name, self.root.join(name));
            if self.backend != Backend::Btrfs {
                share.store = Some(name.to_owned());
            }
            share
        };
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            backend: match self.backend {
                Backend::Copy => BackendChoice::Copy,
                Backend::Reflink => BackendChoice::Reflink,
                Backend::Btrfs => BackendChoice::Btrfs,
            },
            state: Some(self.state()),
            shares: SHARES.iter().map(|name| share(name)).collect(),
            users: vec![UserConfig::with_password(
                ADMIN.name,
                ADMIN.password,
                &["Administrators"],
            )],
            trial: self.trial(),
            ..Config::default()
        }
    }

    fn trial(&self) -> Trial {
        let mut trial = Trial::default();
        if self.without_sync {
            trial = trial.without_sync();
        }
        let reached = AtomicUsize::new(0);
        let crash_at = self.crash_at;
        let trace = self.trace.as_ref().map(|path| {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            Mutex::new(opened.expect("a file for the trace"))
        });
        if crash_at.is_none() && trace.is_none() {
            return trial;
        }
        trial.on_step(move |name| {
            if let Some(trace) = &trace {
                writeln!(trace.lock().expect("nobody panics"), "{name}").expect("a trace");
            }
            if Some(reached.fetch_add(1, Ordering::SeqCst) + 1) == crash_at {
                let _ = kill_process(getpid(), Signal::KILL);
            }
        })
    }
}

/// In a child: serves until standard input ends. Elsewhere `None`.
pub(crate) fn run() -> Option<ExitCode> {
    let order = std::env::var(ORDER).ok()?;
    let order: Order = serde_json::from_str(&order).expect("an order");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Reference::start(order.config()));
    let server = server.expect("the server starts");
    let mut out = io::stdout();
    writeln!(out, "ready {}", server.address().port()).expect("a reader");
    out.flush().expect("a reader");
    let mut line = String::new();
    let _ = io::stdin().read_line(&mut line);
    runtime.block_on(server.stop());
    Some(ExitCode::SUCCESS)
}

/// A running child; killed when dropped.
pub(crate) struct Server {
    child: Child,
    _stdin: Option<ChildStdin>,
    port: u16,
}

impl Server {
    /// Starts one; `None` where it ended itself during its start, as it was told.
    pub(crate) fn start(order: &Order) -> io::Result<Option<Server>> {
        let text = serde_json::to_string(order).map_err(io::Error::other)?;
        let mut child = Command::new(std::env::current_exe()?)
            .env(ORDER, text)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let port = line.trim().strip_prefix("ready ");
        let Some(port) = port.and_then(|port| port.parse().ok()) else {
            child.kill()?;
            let status = child.wait()?;
            return match order.crash_at {
                Some(_) => Ok(None),
                None => Err(io::Error::other(format!("the server ended: {status}"))),
            };
        };
        let stdin = child.stdin.take();
        Ok(Some(Server {
            child,
            _stdin: stdin,
            port,
        }))
    }

    /// Starts one that does not end itself.
    pub(crate) fn start_well(order: &Order) -> io::Result<Server> {
        let order = Order {
            crash_at: None,
            trace: None,
            ..order.clone()
        };
        Server::start(&order)?.ok_or_else(|| io::Error::other("the server ended at its start"))
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// It, for our client.
    pub(crate) fn target(&self) -> Target {
        Target {
            name: "campaign".to_owned(),
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: self.port,
            admin: Account {
                name: ADMIN.name.to_owned(),
                password: SecretText::new(ADMIN.password.to_owned()),
                domain: String::new(),
            },
            plain_user: None,
            backup_operator: None,
            shares: SHARES.map(str::to_owned).to_vec(),
            same_store: Vec::new(),
            hidden: None,
            unsupported: Vec::new(),
            mount_points: None,
            restricted: None,
            no_defragmentation: None,
            no_indexing: None,
            profile: Profile::Spec,
            timers: Timers::Unknown,
            owners: std::collections::BTreeMap::new(),
            rpc_auth: RpcLevel::Integrity,
            smb: SmbOptions::default(),
            pause_between_sets: std::time::Duration::ZERO,
            local_path: std::collections::BTreeMap::new(),
            known: None,
            restart: Vec::new(),
            file: None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// What is in a directory that may be missing.
pub(crate) fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}
