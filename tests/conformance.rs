//! The cases of `cases/` as tests: one trial a case, named `conformance::<case id>`.
//!
//! Without more they are played against the embedded reference server, one for each thread. With
//! `FSRVP_TARGET=FILE` they are played against the server of that target file, one at a time. With
//! `FSRVP_ARCHIVES=DIR` each failure leaves an archive there.

use fsrvp::outcome::{Outcome, Verdict};
use fsrvp::report::{self, Detail};
use fsrvp::run::check::{Archives, Bench, CheckOptions, Worker};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// The cases, and the workers that nobody uses at the moment.
struct Stage {
    bench: &'static Bench,
    idle: Mutex<Vec<Worker<'static>>>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let options = CheckOptions {
        target: std::env::var_os("FSRVP_TARGET").map(PathBuf::from),
        cases: Some(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/cases"))),
        archives: std::env::var_os("FSRVP_ARCHIVES")
            .map_or(Archives::None, |folder| Archives::In(PathBuf::from(folder))),
        ..CheckOptions::default()
    };
    // What is wrong with the target file must not look like a fault of the server.
    let bench = match Bench::new(&options).and_then(|bench| bench.reach().map(|()| bench)) {
        Ok(bench) => bench,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "nothing can be tried, and nobody else says so"
            )]
            {
                eprintln!("{error}");
            }
            return ExitCode::from(2);
        }
    };
    if bench.is_foreign() {
        // Two cases at once would be two clients of one server's only context.
        arguments.test_threads = Some(1);
    }
    // The trials want to own what they use, and all of it lives until the process ends.
    let bench: &'static Bench = Box::leak(Box::new(bench));
    let stage = Arc::new(Stage {
        bench,
        idle: Mutex::new(Vec::new()),
    });
    let trials = (0..bench.cases().len())
        .map(|n| {
            let stage = Arc::clone(&stage);
            let name = format!("conformance::{}", bench.cases()[n].id);
            Trial::ignorable_test(name, move || stage.judge(n))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

impl Stage {
    fn judge(&self, n: usize) -> Result<Completion, Failed> {
        let idle = self
            .idle
            .lock()
            .expect("no trial panics while it holds this")
            .pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::start(self.bench).map_err(|error| error.to_string())?,
        };
        let outcome = worker.play(&self.bench.cases()[n]);
        self.idle
            .lock()
            .expect("no trial panics while it holds this")
            .push(worker);
        match outcome.verdict {
            Verdict::Fail | Verdict::Inconclusive => Err(self.story(&outcome).into()),
            Verdict::NotApplicable => Ok(Completion::ignored_with(outcome.message)),
            _ => Ok(Completion::Completed),
        }
    }

    /// All that is known of a failure: a trial's output is not kept, only its message is.
    fn story(&self, outcome: &Outcome) -> String {
        let mut story = report::line(outcome, self.bench.catalogue(), Detail::Steps);
        story += &format!("seed {}\n", self.bench.seed());
        story
    }
}
