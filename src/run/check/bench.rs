//! What a run of cases needs: the cases, the target, and workers that play one after the other.

use crate::case::{Case, KnownDeviations, Library, Profile, Target, Timers};
use crate::drive::{Company, IdSource, Player, Tape, Time, reach};
use crate::outcome::{Outcome, TargetName, Verdict};
use crate::requirement::Catalogue;
use crate::run::check::archive::{Log, RunCapture, SharedCapture, Story, Traffic, keys_head};
use crate::run::check::embedded::{self, Embedded};
use crate::run::check::gone::Watch;
use crate::run::check::remedy::remedy;
use crate::run::check::{CheckError, CheckOptions};
use fsrvp_reference::agent::Fault;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
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
    /// Whether `non-strict` is a failure.
    pub(super) strict: bool,
    /// The folder for the archives of failures.
    pub(super) archives: Option<PathBuf>,
    /// The options that another run wants to play the same.
    pub(super) again: String,
    /// The capture of everything.
    run: Option<SharedCapture>,
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
                        library.known(name, beside)?.of_target()
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
            strict: options.strict,
            archives: options.archives.folder(options.output.as_deref()),
            again: again(options, seed),
            run: None,
        })
    }

    /// From now on everything that travels goes to this pcapng file, and the keys beside it.
    ///
    /// # Errors
    /// The files cannot be made.
    pub(super) fn save_run(&mut self, path: &Path) -> Result<(), CheckError> {
        let timers = self
            .foreign
            .as_ref()
            .map_or(Timers::Ours, |(t, _)| t.timers);
        let capture = RunCapture::create(path, &keys_head(timers))?;
        self.run = Some(Arc::new(Mutex::new(capture)));
        Ok(())
    }

    /// Nothing travels any more: the capture is written to its end.
    ///
    /// # Errors
    /// What kept it from being written, then or before.
    pub(super) fn finish_run(&self) -> Result<(), CheckError> {
        match self.run.as_ref().map(|run| run.lock()) {
            Some(Ok(mut run)) => run.finish(),
            _ => Ok(()),
        }
    }

    /// Traffic of this bench, and the tape that leads to it.
    fn traffic(&self, keeps: bool) -> (Arc<Mutex<Traffic>>, Tape) {
        let traffic = Traffic::new(keeps, self.run.clone());
        let is_wanted = traffic.is_wanted();
        let traffic = Arc::new(Mutex::new(traffic));
        let tape = match is_wanted {
            true => Tape::new(Arc::clone(&traffic) as _),
            false => Tape::default(),
        };
        (traffic, tape)
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
            strict: self.strict,
            archives: None,
            again: self.again.clone(),
            run: None,
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
        let runtime = runtime(None)?;
        let (_, tape) = self.traffic(false);
        runtime.block_on(reach(target, &tape)).map_err(|source| {
            let remedy = remedy(&source);
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
    let known = match embedded::known_list(profile) {
        Some(list) => library.known(list, Path::new("."))?.shown_here(),
        None => KnownDeviations::default(),
    };
    Ok((profile, known))
}

/// What a shell wants to be told, so that the same is played.
fn again(options: &CheckOptions, seed: u64) -> String {
    let mut text = format!(" --seed {seed}");
    for (name, path) in [("target", &options.target), ("cases", &options.cases)] {
        if let Some(path) = path {
            let _ = write!(text, " --{name} '{}'", path.display());
        }
    }
    if let Some(profile) = &options.profile {
        let _ = write!(text, " --profile {profile}");
    }
    text
}

/// A runtime; `log` listens to its further threads.
fn runtime(log: Option<&Log>) -> Result<Runtime, CheckError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    if let Some(log) = log.cloned() {
        builder.on_thread_start(move || log.listen_always());
    }
    builder.enable_all().build().map_err(CheckError::Runtime)
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
    pub(super) watch: Watch,
    /// What travels while a case is played.
    pub(super) traffic: Arc<Mutex<Traffic>>,
    pub(super) tape: Tape,
    /// Where it goes while lifecycles are played: nobody looks at most of them again.
    lives_tape: Tape,
    /// What the embedded server logs meanwhile.
    pub(super) log: Option<Log>,
}

impl<'b> Worker<'b> {
    /// A worker that is ready to play.
    ///
    /// # Errors
    /// When the embedded server does not start.
    pub fn start(bench: &'b Bench) -> Result<Worker<'b>, CheckError> {
        let keeps = bench.archives.is_some();
        let log = (keeps && bench.foreign.is_none()).then(Log::new);
        let runtime = runtime(log.as_ref())?;
        let embedded = match &bench.foreign {
            Some(_) => None,
            None => Some(
                runtime
                    .block_on(Embedded::start(bench.embedded.0, &bench.faults))
                    .map_err(CheckError::Embedded)?,
            ),
        };
        let (traffic, tape) = bench.traffic(keeps);
        let (_, lives_tape) = bench.traffic(false);
        Ok(Worker {
            company: Company::on_tape(&lives_tape),
            embedded,
            runtime,
            bench,
            watch: Watch::default(),
            traffic,
            tape,
            lives_tape,
            log,
        })
    }

    /// Plays one case.
    pub fn play(&mut self, case: &Case) -> Outcome {
        self.forget();
        let mut outcome = Outcome {
            title: case.title.clone(),
            ..self.play_or_say_why(case)
        };
        let story = Story {
            case,
            text: self.bench.library.text_of(&case.id),
            again: &format!("fsrvp check {}{}", case.id, self.bench.again),
        };
        self.archive(&mut outcome, &story);
        outcome
    }

    /// Plays one case; nobody keeps what travels and is logged.
    pub(super) fn play_unheard(&mut self, case: &Case) -> Outcome {
        let lives_tape = self.lives_tape.clone();
        let (tape, log) = (
            std::mem::replace(&mut self.tape, lives_tape),
            self.log.take(),
        );
        let outcome = self.play_or_say_why(case);
        (self.tape, self.log) = (tape, log);
        outcome
    }

    /// Lets go of what travelled and was logged.
    pub(super) fn forget(&self) {
        if let Ok(mut traffic) = self.traffic.lock() {
            traffic.clear();
        }
        if let Some(log) = &self.log {
            log.clear();
        }
    }

    fn play_or_say_why(&mut self, case: &Case) -> Outcome {
        let bench = self.bench;
        let Some((target, _)) = &bench.foreign else {
            return self.play_here(case);
        };
        if let Some(outcome) = self.watch.before(case, target, &self.runtime) {
            return outcome;
        }
        let outcome = self.play_here(case);
        self.watch.after(outcome, target, &self.runtime)
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
            IdSource::of_case(self.bench.seed, &case.id),
            Arc::clone(&self.bench.interrupted),
        )
        .on_tape(&self.tape);
        let listening = self.log.as_ref().map(Log::listen);
        // The runtime's timer must be made inside of it.
        let playing = async { tokio::time::timeout(CASE_MAX, player.play(case)).await };
        let interrupted = Arc::clone(&self.bench.interrupted);
        let played = self
            .runtime
            .block_on(until_interrupted(playing, &interrupted));
        drop(listening);
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
    /// Goes on with clients and an embedded server that are new; a foreign one stays what it is.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn renew(&mut self) -> Result<(), CheckError> {
        self.company = Company::on_tape(&self.lives_tape);
        if self.embedded.is_none() {
            return Ok(());
        }
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
