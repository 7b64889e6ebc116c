//! What a run of cases needs: the cases, the target, and workers that play one after the other.

use crate::case::{Case, KnownDeviations, Library, Profile, Target};
use crate::drive::{Company, DriveError, IdSource, Player, Time, reach};
use crate::outcome::{Outcome, TargetName, Verdict};
use crate::requirement::Catalogue;
use crate::run::check::embedded::{self, Embedded};
use crate::run::check::gone::Watch;
use crate::run::check::{CheckError, CheckOptions};
use fsrvp_reference::agent::Fault;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, fs, io};
use tokio::runtime::Runtime;

/// More than any timer of MS-FSRVP 3.1.2 runs.
const ALL_TIMERS_OUT: Duration = Duration::from_secs(1801);
/// How long one case may take before it is given up.
pub(super) const CASE_MAX: Duration = Duration::from_secs(600);

/// Cases and the target that they are played against.
pub struct Bench {
    pub(super) library: Arc<Library>,
    /// `None`: every worker starts an embedded server.
    pub(super) foreign: Option<(Target, KnownDeviations)>,
    /// Who the embedded servers behave like, and what is known of those.
    pub(super) embedded: (Profile, KnownDeviations),
    seed: u64,
    /// The user wants the run to end.
    pub(super) interrupted: Arc<AtomicBool>,
    /// What the embedded servers do wrong on purpose.
    pub(super) faults: Vec<Fault>,
}

impl Bench {
    /// Loads what the options name.
    ///
    /// # Errors
    /// The first thing that cannot be read or is wrong.
    pub fn new(options: &CheckOptions) -> Result<Bench, CheckError> {
        let library = match &options.cases {
            Some(dir) => Library::from_dir(dir)?,
            None => Library::built_in()?,
        };
        let foreign = match &options.target {
            None => None,
            Some(path) => {
                let target = read_target(path)?;
                let known = match &target.known {
                    Some(name) => {
                        let beside = path.parent().unwrap_or(Path::new("."));
                        library.known(name, beside)?
                    }
                    None => KnownDeviations::default(),
                };
                Some((target, known))
            }
        };
        let embedded = embedded_profile(&library, options)?;
        let seed = match options.seed {
            Some(seed) => seed,
            None => random_seed().map_err(CheckError::Runtime)?,
        };
        Ok(Bench {
            library: Arc::new(library),
            foreign,
            embedded,
            seed,
            interrupted: Arc::default(),
            faults: options.faults.clone(),
        })
    }

    /// The same cases against embedded servers with these faults.
    #[must_use]
    pub fn with_faults(&self, faults: &[Fault]) -> Bench {
        Bench {
            library: Arc::clone(&self.library),
            foreign: None,
            embedded: self.embedded.clone(),
            seed: self.seed,
            interrupted: Arc::default(),
            faults: faults.to_vec(),
        }
    }

    /// The cases, in the order of their ids.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.library.cases
    }

    /// The requirements.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.library.catalogue
    }

    /// What the run's ids are made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the user has asked for the end of the run.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether the server is not the embedded one.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// Whether the server is an embedded one that parts from the text nowhere on purpose.
    #[must_use]
    pub fn is_judged_by_the_text(&self) -> bool {
        self.foreign.is_none() && self.embedded.0 == Profile::Spec
    }

    /// The server's name and profile.
    #[must_use]
    pub fn target_name(&self) -> TargetName {
        match &self.foreign {
            Some((target, _)) => TargetName {
                name: target.name.clone(),
                profile: target.profile.as_str().to_owned(),
            },
            None => TargetName {
                name: "embedded".to_owned(),
                profile: self.embedded.0.as_str().to_owned(),
            },
        }
    }

    /// Why `case` would not be played.
    #[must_use]
    pub fn why_not(&self, case: &Case) -> Option<String> {
        let embedded;
        let target = match &self.foreign {
            Some((target, _)) => target,
            None => {
                embedded = Embedded::features(self.embedded.0);
                &embedded
            }
        };
        case.needs.iter().find_map(|need| need.missing(target))
    }

    /// Connects to a foreign server and logs on, before any case is played.
    ///
    /// # Errors
    /// A server that is not there or lets nobody in.
    pub fn reach(&self) -> Result<(), CheckError> {
        let Some((target, _)) = &self.foreign else {
            return Ok(());
        };
        let runtime = runtime()?;
        runtime.block_on(reach(target)).map_err(|source| {
            let remedy = match &source {
                DriveError::Connect { .. } => {
                    "start the server, or set host and port of the target"
                }
                DriveError::Logon { .. } => "set the account of the target, name and password",
                DriveError::Refused { .. } => "let the server offer the pipe FssagentRpc",
                DriveError::Share { .. } => "correct the target file, or let the user in there",
                DriveError::BindRefused(_) => "set rpc_auth of the target",
                _ => "see whether the target speaks SMB 2 or 3 there",
            };
            CheckError::Unreachable { source, remedy }
        })
    }
}

/// What embedded servers are to be, and what the list of their model says they do otherwise.
fn embedded_profile(
    library: &Library,
    options: &CheckOptions,
) -> Result<(Profile, KnownDeviations), CheckError> {
    let name = options.profile.as_deref().unwrap_or("spec");
    let profile = embedded::profile(name).map_err(CheckError::Profile)?;
    let known = match profile {
        Profile::Samba => library.known(embedded::SAMBA, Path::new("."))?,
        _ => KnownDeviations::default(),
    };
    Ok((profile, known))
}

fn runtime() -> Result<Runtime, CheckError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CheckError::Runtime)
}

fn random_seed() -> io::Result<u64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    // Short enough to be typed.
    Ok(u64::from(u32::from_le_bytes(bytes)))
}

fn read_target(path: &PathBuf) -> Result<Target, CheckError> {
    let text = fs::read_to_string(path).map_err(|source| CheckError::TargetIo {
        path: path.display().to_string(),
        source,
    })?;
    let env = |name: &str| env::var(name).ok();
    let read = |path: &Path| fs::read_to_string(path);
    Ok(Target::read(path, &text, &env, &read)?)
}

/// Plays cases one after the other, against the foreign server or one of its own.
pub struct Worker<'b> {
    /// Clients that go from one lifecycle to the next.
    pub(super) company: Company,
    pub(super) embedded: Option<Embedded>,
    pub(super) runtime: Runtime,
    pub(super) bench: &'b Bench,
    ids: IdSource,
    watch: Watch,
}

impl<'b> Worker<'b> {
    /// A worker that is ready to play.
    ///
    /// # Errors
    /// When the embedded server does not start.
    pub fn start(bench: &'b Bench) -> Result<Worker<'b>, CheckError> {
        let runtime = runtime()?;
        let embedded = match &bench.foreign {
            Some(_) => None,
            None => Some(
                runtime
                    .block_on(Embedded::start(bench.embedded.0, &bench.faults))
                    .map_err(CheckError::Embedded)?,
            ),
        };
        Ok(Worker {
            company: Company::default(),
            embedded,
            runtime,
            bench,
            ids: IdSource::new(bench.seed),
            watch: Watch::default(),
        })
    }

    /// Plays one case.
    pub fn play(&mut self, case: &Case) -> Outcome {
        Outcome {
            title: case.title.clone(),
            ..self.play_or_say_why(case)
        }
    }

    fn play_or_say_why(&mut self, case: &Case) -> Outcome {
        let bench = self.bench;
        let Some((target, _)) = &bench.foreign else {
            return self.play_here(case);
        };
        if let Some(outcome) = self.watch.before(case, target) {
            return outcome;
        }
        let outcome = self.play_here(case);
        self.watch.after(outcome, target)
    }

    fn play_here(&mut self, case: &Case) -> Outcome {
        let ours;
        let (target, known, time) = match (&self.bench.foreign, &self.embedded) {
            (Some((target, known)), _) => (target, known, Time::Theirs),
            (None, Some(embedded)) => {
                ours = embedded.target();
                (&ours, &self.bench.embedded.1, embedded.time())
            }
            (None, None) => return not_played(case, "the worker has no server"),
        };
        let mut player = Player::new(
            target,
            known,
            self.bench.catalogue(),
            time,
            self.ids.next_source(),
            Arc::clone(&self.bench.interrupted),
        );
        // The runtime's timer must be made inside of it.
        let playing = async { tokio::time::timeout(CASE_MAX, player.play(case)).await };
        let interrupted = Arc::clone(&self.bench.interrupted);
        let played = self
            .runtime
            .block_on(until_interrupted(playing, &interrupted));
        if let Some(embedded) = &self.embedded {
            // Whatever a case left behind, context and timers included, is over for the next one.
            self.runtime.block_on((embedded.clock())(ALL_TIMERS_OUT));
        }
        match played {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => not_played(case, "given up after ten minutes"),
            None => not_played(case, "interrupted before it could clean up"),
        }
    }
}

impl Worker<'_> {
    /// Goes on with an embedded server that is new; a foreign one stays what it is.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn renew(&mut self) -> Result<(), CheckError> {
        if self.embedded.is_none() {
            return Ok(());
        }
        self.company = Company::default();
        let started = self
            .runtime
            .block_on(Embedded::start(self.bench.embedded.0, &self.bench.faults));
        // The old one stops on the runtime that it runs on.
        let _guard = self.runtime.enter();
        self.embedded = Some(started.map_err(CheckError::Embedded)?);
        Ok(())
    }
}

/// Waits for `playing`. The first Ctrl-C asks it to end, which takes away what it made on the
/// server; at the second one it is given up, which gives `None`.
pub(super) async fn until_interrupted<T>(
    playing: impl Future<Output = T>,
    interrupted: &AtomicBool,
) -> Option<T> {
    let mut playing = std::pin::pin!(playing);
    tokio::select! {
        played = &mut playing => return Some(played),
        Ok(()) = tokio::signal::ctrl_c() => interrupted.store(true, Ordering::Relaxed),
    }
    tokio::select! {
        played = &mut playing => Some(played),
        Ok(()) = tokio::signal::ctrl_c() => None,
    }
}

fn not_played(case: &Case, why: &str) -> Outcome {
    Outcome::unplayed(&case.id, Verdict::Inconclusive, case.requirements(), why)
}
