//! The cases of `cases/` as tests: one trial a case, named `conformance::<case id>`.
//!
//! Without more they are played against the embedded reference server, one for each thread. With
//! `FSRVP_TARGET=FILE` they are played against the server of that target file, one at a time; with
//! `FSRVP_PROFILE=NAME` the embedded server behaves as `check --profile` has it. With
//! `FSRVP_ARCHIVES=DIR` each failure leaves an archive there.
//!
//! Generated lifecycles come behind them, in trials of [`LIVES`] each: 400 against the embedded server,
//! none against another one, or as many as `FSRVP_LIFECYCLES=N` says, made from `FSRVP_SEED=N`.
//!
//! With `FSRVP_FAIL_FAST=yes` the first failure ends everything, for those who only want to know whether
//! there is one.

use fsrvp::outcome::{Lifecycles, Outcome, Verdict};
use fsrvp::report::{self, Detail};
use fsrvp::run::check::{Archives, Bench, CheckOptions, Worker};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// The exit code of a test run in which something failed.
const FAILED: i32 = 101;
/// How many lifecycles make a trial.
const LIVES: u64 = 50;
/// How many there are against the embedded server where nobody says.
const LIVES_HERE: u64 = 400;

/// The cases, and the workers that nobody uses at the moment.
struct Stage {
    bench: &'static Bench,
    idle: Mutex<Vec<Worker<'static>>>,
    fails_fast: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "nobody else says so")]
fn complain(text: &str) {
    eprintln!("{text}");
}

fn run(mut arguments: Arguments) -> Result<ExitCode, String> {
    let options = CheckOptions {
        target: std::env::var_os("FSRVP_TARGET").map(PathBuf::from),
        cases: Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))),
        profile: std::env::var("FSRVP_PROFILE").ok(),
        archives: std::env::var_os("FSRVP_ARCHIVES")
            .map_or(Archives::None, |folder| Archives::In(PathBuf::from(folder))),
        seed: number("FSRVP_SEED")?,
        ..CheckOptions::default()
    };
    // What is wrong with the target file must not look like a fault of the server.
    let bench = Bench::new(&options).map_err(|error| error.to_string())?;
    bench.reach().map_err(|error| error.to_string())?;
    if bench.is_foreign() {
        // Two cases at once would be two clients of one server's only context.
        arguments.test_threads = Some(1);
    }
    // The trials want to own what they use, and all of it lives until the process ends.
    let bench: &'static Bench = Box::leak(Box::new(bench));
    let stage = Arc::new(Stage {
        bench,
        idle: Mutex::new(Vec::new()),
        fails_fast: std::env::var_os("FSRVP_FAIL_FAST").is_some_and(|value| value == "yes"),
    });
    let mut trials: Vec<Trial> = (0..bench.cases().len())
        .map(|n| {
            let stage = Arc::clone(&stage);
            let name = format!("conformance::{}", bench.cases()[n].id);
            Trial::ignorable_test(name, move || stage.judge(n))
        })
        .collect();
    let is_judged_by_the_text = !bench.is_foreign() && options.profile.is_none();
    let lives = number("FSRVP_LIFECYCLES")?.unwrap_or(match is_judged_by_the_text {
        true => LIVES_HERE,
        false => 0,
    });
    for first in (0..lives).step_by(usize::try_from(LIVES).expect("a small number")) {
        let stage = Arc::clone(&stage);
        let these = first..lives.min(first + LIVES);
        let name = format!("conformance::lifecycles::{first}");
        trials.push(Trial::test(name, move || stage.judge_lives(these)));
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// The number that an environment variable says.
fn number(name: &str) -> Result<Option<u64>, String> {
    let Some(text) = std::env::var_os(name) else {
        return Ok(None);
    };
    let number = text.to_str().and_then(|text| text.parse().ok());
    let why = || format!("{name} is {}, and no number", text.display());
    number.map(Some).ok_or_else(why)
}

impl Stage {
    /// Does something with a worker that nobody else uses meanwhile.
    fn with_worker<T>(&self, work: impl FnOnce(&mut Worker<'static>) -> T) -> Result<T, Failed> {
        let idle = || {
            self.idle
                .lock()
                .expect("no trial panics while it holds this")
        };
        let rested = idle().pop();
        let mut worker = match rested {
            Some(worker) => worker,
            None => Worker::start(self.bench).map_err(|error| error.to_string())?,
        };
        let done = work(&mut worker);
        idle().push(worker);
        Ok(done)
    }

    /// The first of these lifecycles that fails, in its shortest form.
    fn judge_lives(&self, these: Range<u64>) -> Result<(), Failed> {
        let failed = self.with_worker(|worker| {
            let mut tally = Lifecycles::default();
            let failure = these
                .into_iter()
                .find_map(|n| worker.lifecycle(n, &mut tally))?;
            Some(worker.keep(&failure, 0, Path::new(env!("CARGO_TARGET_TMPDIR"))))
        })?;
        match failed {
            Some(outcome) => Err(self.failed(&outcome)),
            None => Ok(()),
        }
    }

    fn judge(&self, n: usize) -> Result<Completion, Failed> {
        let outcome = self.with_worker(|worker| worker.play(&self.bench.cases()[n]))?;
        match outcome.verdict {
            Verdict::Fail | Verdict::Inconclusive => Err(self.failed(&outcome)),
            Verdict::NotApplicable => Ok(Completion::ignored_with(outcome.message)),
            _ => Ok(Completion::Completed),
        }
    }

    /// A failure with its story, which ends everything where that is wanted.
    fn failed(&self, outcome: &Outcome) -> Failed {
        let story = self.story(outcome);
        if self.fails_fast {
            complain(&story);
            std::process::exit(FAILED);
        }
        story.into()
    }

    /// All that is known of a failure: a trial's output is not kept, only its message is.
    fn story(&self, outcome: &Outcome) -> String {
        let mut story = report::line(outcome, self.bench.catalogue(), Detail::Steps);
        story += &format!("seed {}\n", self.bench.seed());
        story
    }
}
