//! `fsrvp check`: plays cases against a server and says what came of them.

mod archive;
mod bench;
mod embedded;
mod gone;
mod keep;
mod lives;
mod progress;
mod remedy;
mod stopwatch;

pub use archive::Archives;
pub use bench::{Bench, Worker};
pub use lives::Failure;

use crate::case::{Case, Filter, LoadError};
use crate::drive::{DriveError, WORKSTATION};
use crate::oracle;
use crate::outcome::{ExitStatus, Ledger, Lifecycles, Outcome};
use crate::report::{self, Detail, Format, ReportError};
use crate::requirement::{FileError, RequirementId};
use crate::run::check::progress::Progress;
use crate::run::check::stopwatch::Stopwatch;
use crate::run::judge_client;
use fsrvp_reference::agent::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What to check, and how to say what came of it.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// A case must match all of them; see [`Filter`].
    pub filters: Vec<String>,
    /// The target file; without one the embedded reference server is judged.
    pub target: Option<PathBuf>,
    /// Who the embedded server behaves like; as the specification has it when not given.
    pub profile: Option<String>,
    /// The report's form.
    pub format: Format,
    /// Where the report goes in place of standard output.
    pub output: Option<PathBuf>,
    /// How many embedded servers are judged at once; a foreign server gets one case at a time.
    pub jobs: Option<usize>,
    /// Only say which cases are selected, and why one would not be played here.
    pub list: bool,
    /// A folder of cases in place of the built-in ones.
    pub cases: Option<PathBuf>,
    /// Let `non-strict` count as a failure.
    pub strict: bool,
    /// How much a text shows of each case.
    pub detail: Detail,
    /// Show on standard error how far the run has come, where the report does not come line by line.
    pub progress: bool,
    /// What the client's ids and the lifecycles are made from; any number when not given.
    pub seed: Option<u64>,
    /// How many generated lifecycles are played after the cases. When nobody says: 1,000 against
    /// the embedded server where all cases are played, otherwise none.
    pub lifecycles: Option<u64>,
    /// Where an archive of each failure goes.
    pub archives: Archives,
    /// A pcapng file for everything that travels.
    pub save_pcap: Option<PathBuf>,
    /// What the embedded server does wrong on purpose, so that it can be seen to be caught.
    pub faults: Vec<Fault>,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Cases, requirements or known deviations.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The target file is wrong.
    #[error(transparent)]
    Target(#[from] FileError),
    /// The target file cannot be read.
    #[error("{path}: {source}; give the path of a target file")]
    TargetIo {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The server is not there, or lets nobody in.
    #[error("{source}; {remedy}")]
    Unreachable {
        /// What was tried.
        source: DriveError,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no embedded server like this.
    #[error("{0}")]
    Profile(String),
    /// The embedded server did not start.
    #[error("the embedded server did not start: {0}")]
    Embedded(String),
    /// The report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The report could not be written.
    #[error("{path}: {source}; give another --output")]
    Output {
        /// The file, or standard output.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The capture of the run could not be written.
    #[error("{path}: {source}; give another --save-pcap")]
    Capture {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The runtime did not start.
    #[error("no runtime: {0}")]
    Runtime(io::Error),
}

/// Checks; the report goes to `out` or to the file of the options.
///
/// # Errors
/// What kept it from running; a server that deviates is no error but an exit status.
pub fn check(options: &CheckOptions, out: &mut dyn Write) -> Result<ExitStatus, CheckError> {
    let mut bench = Bench::new(options)?;
    let filter = Filter::new(&options.filters);
    let selected: Vec<usize> = bench
        .cases()
        .iter()
        .enumerate()
        .filter(|(_, case)| filter.selects(case, bench.catalogue()))
        .map(|(n, _)| n)
        .collect();
    if selected.is_empty() {
        return Ok(ExitStatus::NothingSelected);
    }
    if options.list {
        let text = list(&bench, &selected);
        write_report(options, out, &text)?;
        return Ok(ExitStatus::AsExpected);
    }
    if let Some(path) = &options.save_pcap {
        bench.save_run(path)?;
    }
    bench.reach()?;
    try_output(options)?;
    if bench.is_foreign() {
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(io::stderr(), "{}", notice());
    }
    // A foreign server is played in the order of the report, and takes its time: each line goes
    // out when it is there.
    let as_it_comes =
        bench.is_foreign() && options.format == Format::Text && options.output.is_none();
    let lives = lifecycles(options, &bench);
    let stopwatch = Stopwatch::start();
    let played = if as_it_comes {
        play_in_order(&bench, &selected, lives, options, out)?
    } else {
        let played = play_all(&bench, &selected, lives, options)?;
        keep_failures(&bench, played, options)?
    };
    let took = bench.is_foreign().then(|| stopwatch.read());
    bench.finish_run()?;
    let survey = (lives > 0).then_some(Lifecycles {
        seed: bench.seed(),
        ..played.survey
    });
    let ledger = Ledger::new(
        bench.target_name(),
        bench.seed(),
        bench.catalogue().len(),
        played.outcomes,
    )
    .with_lifecycles(survey)
    .with_time(took)
    .with_strict(options.strict);
    let text = if as_it_comes {
        report::totals(&ledger)
    } else {
        report::render(&ledger, bench.catalogue(), options.format, options.detail)?
    };
    write_report(options, out, &text)?;
    Ok(ledger.exit_status())
}

/// What those who watch the network of a foreign server ought to know.
fn notice() -> String {
    format!(
        "fsrvp: to some detection rules, calls of FSRVP look like an attempt to coerce a logon; \
         this run calls itself workstation {WORKSTATION}"
    )
}

/// The selected cases, and why one would not be played; at the end what that adds up to.
fn list(bench: &Bench, selected: &[usize]) -> String {
    let mut text = String::new();
    let mut not_played = 0;
    for case in selected.iter().filter_map(|n| bench.cases().get(*n)) {
        text += &format!("{}  {}\n", case.id, case.title);
        if let Some(reason) = bench.why_not(case) {
            text += &format!("    not played here: {reason}\n");
            not_played += 1;
        }
    }
    text + &list_totals(bench, selected.len(), not_played)
}

fn list_totals(bench: &Bench, selected: usize, not_played: usize) -> String {
    let target = bench.target_name();
    let rules = oracle::requirements();
    let of_cases: BTreeSet<_> = bench.cases().iter().flat_map(Case::requirements).collect();
    let is_judged = |id: &RequirementId| {
        let id_text = id.0.as_str();
        let of_rules = [rules.as_slice(), &judge_client::REQUIREMENTS];
        of_cases.contains(id) || of_rules.iter().any(|ids| ids.contains(&id_text))
    };
    let all = bench.catalogue().len();
    let catalogue = bench.catalogue().iter();
    let judged = catalogue.filter(|one| is_judged(&one.id)).count();
    format!(
        "\n{} ({}): {selected} cases, {not_played} of them not played here\n\
         {judged} of {all} requirements have a case or a rule; cases/trace.md says why the other {} \
         have none\n",
        target.name,
        target.profile,
        all - judged,
    )
}

/// How many workers there may be.
const JOBS_MAX: usize = 64;

/// How many workers an embedded run has when nobody says: as many as there are processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How many lifecycles are played against the embedded server when nobody says.
const LIFECYCLES: u64 = 1000;

fn lifecycles(options: &CheckOptions, bench: &Bench) -> u64 {
    let is_whole = options.filters.is_empty() && options.cases.is_none();
    match (
        options.lifecycles,
        is_whole && bench.is_judged_by_the_text(),
    ) {
        (Some(count), _) => count,
        (None, true) => LIFECYCLES,
        (None, false) => 0,
    }
}

/// What was played.
#[derive(Default)]
struct Played {
    outcomes: Vec<Outcome>,
    survey: Lifecycles,
    failures: Vec<Failure>,
}

/// How many kinds of failures of lifecycles are brought to their shortest form.
const KINDS_MAX: usize = 20;

/// An outcome for each kind of failure, from the first lifecycle that failed so.
fn keep_failures(
    bench: &Bench,
    mut played: Played,
    options: &CheckOptions,
) -> Result<Played, CheckError> {
    let mut kinds: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
    played.failures.sort_by_key(|failure| failure.n);
    for failure in std::mem::take(&mut played.failures) {
        kinds.entry(failure.fault.kind()).or_default().push(failure);
    }
    if kinds.is_empty() {
        return Ok(played);
    }
    let beside = options.output.as_deref().and_then(Path::parent);
    let place = beside.unwrap_or(Path::new(""));
    let mut worker = Worker::start(bench)?;
    for failures in kinds.values().take(KINDS_MAX) {
        if let Some((first, others)) = failures.split_first() {
            let outcome = worker.keep(first, others.len(), place);
            played.outcomes.push(outcome);
        }
    }
    Ok(played)
}

/// Plays one case after the other, then the lifecycles, and writes each line to `out`.
fn play_in_order(
    bench: &Bench,
    selected: &[usize],
    lives: u64,
    options: &CheckOptions,
    out: &mut dyn Write,
) -> Result<Played, CheckError> {
    let mut worker = Worker::start(bench)?;
    let mut played = Played::default();
    let outcomes = &mut played.outcomes;
    for case in selected.iter().filter_map(|n| bench.cases().get(*n)) {
        let outcome = worker.play(case);
        let line = report::line(&outcome, bench.catalogue(), options.detail);
        outcomes.push(outcome);
        write_out(out, &line)?;
        if bench.is_interrupted() {
            break;
        }
    }
    let of_cases = outcomes.len();
    for n in 0..lives {
        if bench.is_interrupted() || worker.is_server_gone() {
            break;
        }
        let failure = worker.lifecycle(n, &mut played.survey);
        played.failures.extend(failure);
    }
    let played = keep_failures(bench, played, options)?;
    for outcome in played.outcomes.iter().skip(of_cases) {
        write_out(
            out,
            &report::line(outcome, bench.catalogue(), options.detail),
        )?;
    }
    Ok(played)
}

fn play_all(
    bench: &Bench,
    selected: &[usize],
    lives: u64,
    options: &CheckOptions,
) -> Result<Played, CheckError> {
    let progress = Progress::new(options, selected.len(), lives);
    let jobs = if bench.is_foreign() {
        1
    } else {
        options.jobs.unwrap_or_else(default_jobs).clamp(1, JOBS_MAX)
    };
    let next = AtomicUsize::new(0);
    let next_life = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let played = Mutex::new(Played::default());
    let work = || -> Result<(), CheckError> {
        let mut worker = Worker::start(bench)?;
        let goes_on = || !stop.load(Ordering::Relaxed) && !bench.is_interrupted();
        while goes_on() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = selected.get(at).and_then(|n| bench.cases().get(*n)) else {
                break;
            };
            let outcome = worker.play(case);
            progress.played(outcome.verdict);
            if let Ok(mut played) = played.lock() {
                played.outcomes.push(outcome);
            }
        }
        let mut survey = Lifecycles::default();
        let mut failures = Vec::new();
        while goes_on() && !worker.is_server_gone() {
            let n = next_life.fetch_add(1, Ordering::Relaxed);
            if n >= lives {
                break;
            }
            let failure = worker.lifecycle(n, &mut survey);
            progress.lived(failure.is_some());
            failures.extend(failure);
        }
        if let Ok(mut played) = played.lock() {
            played.survey.add(survey);
            played.failures.extend(failures);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        let mut result = Ok(());
        for worker in workers {
            let ended = worker
                .join()
                .unwrap_or_else(|_| Err(CheckError::Embedded("a worker panicked".to_owned())));
            if ended.is_err() {
                stop.store(true, Ordering::Relaxed);
                result = ended;
            }
        }
        result
    })?;
    Ok(played.into_inner().unwrap_or_default())
}

/// Whether the report can be written, told before anything is played. What is there stays.
fn try_output(options: &CheckOptions) -> Result<(), CheckError> {
    let Some(path) = &options.output else {
        return Ok(());
    };
    let opened = fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|source| CheckError::Output {
        path: path.display().to_string(),
        source,
    })
}

fn write_report(options: &CheckOptions, out: &mut dyn Write, text: &str) -> Result<(), CheckError> {
    let Some(path) = &options.output else {
        return write_out(out, text);
    };
    fs::write(path, text).map_err(|source| CheckError::Output {
        path: path.display().to_string(),
        source,
    })
}

fn write_out(out: &mut dyn Write, text: &str) -> Result<(), CheckError> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| CheckError::Output {
        path: "standard output".to_owned(),
        source,
    })
}
