//! `fsrvp serve --judge-client`: a server that judges whoever it serves.
//!
//! The reference server is started as `serve` starts it, and shows here what passes on its
//! connections. From there on clients are judged as in a capture: by the dissector, which knows the
//! users' passwords, and by the rules on clients of the oracle. A script may want other answers
//! than the right ones, so that situations come up that no good server would lead to.

mod deserted;
mod judge;
mod owner;
mod script;
mod verdicts;

use super::serve::ServeOptions;
use crate::flow::{Direction, KeyRing, UserKey};
use crate::oracle::Durations;
use crate::outcome::ExitStatus;
use crate::report::{Format, render_client};
use crate::requirement::Catalogue;
use fsrvp_reference::config::{Config, Passing, Scripted, Timers, Traffic, Trial};
use fsrvp_reference::shell::{Reference, descriptors};
use fsrvp_reference::users::Users;
use judge::Judge;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// MS-FSRVP 2.1: what a client binds to.
const BINDS: &str = "FSRVP-C-2.1-01";
/// MS-FSRVP 3.2.4.2.1: a client leaves for the owner that it is told.
const OWNER: &str = "FSRVP-C-3.2.4.2.1-02";

/// The requirements on clients that are judged here alone, and by no rule on captures.
pub const REQUIREMENTS: [&str; 2] = [BINDS, OWNER];

/// Read once. It is built in and read by the tests.
static CATALOGUE: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::built_in().unwrap_or_default()));

/// What the command line says beside what it says to `serve`.
#[derive(Debug, Default)]
pub struct JudgeClientOptions {
    /// `--once`: ends when the first client has closed its last connection.
    pub once: bool,
    /// `--answer`: the script.
    pub answer: Option<PathBuf>,
    /// `--format`.
    pub format: Format,
    /// `--output`: where the verdicts go instead of standard output.
    pub output: Option<PathBuf>,
}

/// Serves and judges until SIGINT or SIGTERM, or with `once` until the first client has left; then
/// the verdicts are written. The first line on `out` is `ready ADDR:PORT`.
///
/// # Errors
/// One clause that says what could not be read or started, and what to do.
pub fn judge_client(
    serve: &ServeOptions,
    options: &JudgeClientOptions,
    out: &mut dyn Write,
) -> Result<ExitStatus, String> {
    let mut config = serve.configuration()?;
    if let Some(path) = &options.answer {
        config.answers = script::read(path).map_err(|error| format!("--answer {error}"))?;
    }
    let file = match &options.output {
        Some(path) => Some(
            File::create(path).map_err(|error| format!("--output {}: {error}", path.display()))?,
        ),
        None => None,
    };
    let names_owner = |scripted: &Scripted| matches!(scripted, Scripted::Owner(_));
    let owner = config.answers.iter().any(|of| names_owner(&of.answer));
    let judge = Judge::new(
        Arc::clone(&CATALOGUE),
        keys(&config)?,
        durations(&config),
        owner,
    );
    let desk = Arc::new(Desk::new(judge));
    config.trial = watched(&desk);
    descriptors::raise();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(run(config, &desk, options.once, out))?;
    drop(runtime);
    let ledger = desk.lock().take().map(|judge| judge.finish(desk.now()));
    let ledger = ledger.ok_or_else(|| "the judge has gone".to_owned())?;
    let text = render_client(&ledger, options.format).map_err(|error| error.to_string())?;
    let written = match file {
        Some(mut file) => file.write_all(text.as_bytes()),
        None => out.write_all(text.as_bytes()).and_then(|()| out.flush()),
    };
    written.map_err(|error: io::Error| format!("the verdicts could not be written: {error}"))?;
    Ok(ledger.exit_status())
}

/// Serves until something ends it.
async fn run(config: Config, desk: &Desk, once: bool, out: &mut dyn Write) -> Result<(), String> {
    let stop = |kind| signal(kind).map_err(|error| format!("no signal handler: {error}"));
    let (mut interrupt, mut terminate) = (
        stop(SignalKind::interrupt())?,
        stop(SignalKind::terminate())?,
    );
    let reference = Reference::start(config)
        .await
        .map_err(|error| error.to_string())?;
    writeln!(out, "ready {}", reference.address())
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output: {error}"))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = desk.first_left.notified(), if once => {}
    }
    if let Some(judge) = desk.lock().as_mut() {
        judge.stops();
    }
    reference.stop().await;
    Ok(())
}

/// The judge, where all connections find it.
struct Desk {
    judge: Mutex<Option<Judge>>,
    began: Instant,
    first_left: Notify,
}

impl Desk {
    #[expect(
        clippy::disallowed_methods,
        reason = "a shell: real time passes at clients"
    )]
    fn new(judge: Judge) -> Desk {
        Desk {
            judge: Mutex::new(Some(judge)),
            began: Instant::now(),
            first_left: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Judge>> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn traffic(&self, traffic: Traffic<'_>) {
        let mut judge = self.lock();
        let Some(judge) = judge.as_mut() else {
            return;
        };
        // Under the lock, so that what comes later is also later.
        let now = self.now();
        let connection = traffic.connection;
        match traffic.passing {
            Passing::Opened => judge.opened(connection, traffic.client),
            Passing::Received(bytes) => {
                judge.bytes(connection, Direction::ClientToServer, bytes, now);
            }
            Passing::Sent(bytes) => {
                judge.bytes(connection, Direction::ServerToClient, bytes, now);
            }
            Passing::Closed { by_client } => {
                judge.closed(connection, by_client, now);
                if judge.first_has_left() {
                    self.first_left.notify_one();
                }
            }
        }
    }
}

fn watched(desk: &Arc<Desk>) -> Trial {
    let desk = Arc::clone(desk);
    Trial::default().on_traffic(move |traffic| desk.traffic(traffic))
}

/// What opens the traffic of every user.
fn keys(config: &Config) -> Result<KeyRing, String> {
    let users = Users::from_config(&config.users).map_err(|error| error.to_string())?;
    let keys = config.users.iter().filter_map(|user| {
        Some(UserKey {
            name: user.name.clone(),
            nt_hash: users.find(&user.name)?.nt_hash(),
        })
    });
    Ok(KeyRing::new(keys.collect(), Vec::new()))
}

/// How long the server's timers run. Where a script refuses what was right, a timer need not have
/// been started that the oracle believes to run.
fn durations(config: &Config) -> Durations {
    let refuses = |scripted: &Scripted| matches!(scripted, Scripted::Code(_) | Scripted::Fault(_));
    let refuses = config.answers.iter().any(|of| refuses(&of.answer));
    match (refuses, config.timers) {
        (true, _) => Durations::Unknown,
        (false, Timers::Scale(scale)) => Durations::Scaled(scale),
        (false, Timers::FixedS(seconds)) => {
            Duration::try_from_secs_f64(seconds).map_or(Durations::Unknown, Durations::Fixed)
        }
    }
}
