//! Proof by strangers: the real tools of Samba against our server, our harness against Samba.
//!
//! A trial whose program is not on this machine is ignored with its reason; `scripts/test` says
//! what to install.

mod archive;
mod blackbox;
mod campaign;
mod judge_client;
mod lifecycle;
mod matrix;
mod profiles;
mod relay;
mod report;
mod representations;
mod samba;
mod serve;
mod smb2_crate;
mod strangers;
mod targets;
mod tool;
mod torture;
mod trees;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::process::ExitCode;

/// What a trial returns; the message of a failure is its whole story.
type Outcome = Result<(), Failed>;

fn main() -> ExitCode {
    if let Some(code) = campaign::child::run() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    // One at a time: smbd's timers run on the machine's clock, and a trial beside them would make
    // an answer late that a case has to judge.
    arguments.test_threads.get_or_insert(1);
    let mut trials = Vec::new();
    trials.extend(lifecycle::trials());
    trials.extend(judge_client::trials());
    trials.extend(strangers::trials());
    trials.extend(targets::trials());
    trials.extend(trees::trials());
    trials.extend(torture::trials());
    trials.extend(profiles::trials());
    trials.extend(smb2_crate::trials());
    trials.extend(matrix::trials());
    trials.extend(representations::trials());
    trials.extend(report::trials());
    trials.extend(archive::trials());
    trials.extend(blackbox::trials());
    trials.extend(campaign::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A trial that needs these programs, and root where `root` says so.
fn trial(
    name: impl Into<String>,
    programs: &'static [&'static str],
    root: bool,
    run: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    Trial::ignorable_test(format!("peers::{}", name.into()), move || {
        if let Some(missing) = programs.iter().find(|program| !tool::is_there(program)) {
            return Ok(Completion::ignored_with(format!(
                "{missing} is not installed; scripts/test installs it as root"
            )));
        }
        if root && !rustix::process::geteuid().is_root() {
            return Ok(Completion::ignored_with(
                "needs root, for a loop device or for smbd",
            ));
        }
        run().map(|()| Completion::Completed)
    })
}

/// Fails with the whole text unless `text` holds `wanted`.
fn demand(text: &str, wanted: &str, what: &str) -> Outcome {
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(format!("{what}: no {wanted:?} in:\n{text}").into())
    }
}

/// Fails with the whole text when `text` holds `unwanted`.
fn refuse(text: &str, unwanted: &str, what: &str) -> Outcome {
    if text.contains(unwanted) {
        Err(format!("{what}: {unwanted:?} in:\n{text}").into())
    } else {
        Ok(())
    }
}
