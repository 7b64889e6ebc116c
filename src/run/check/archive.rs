//! One archive for each failure: everything that is known of it, to be mailed to whoever can mend
//! it. No password is in it, nor what a password could be taken from but the logons themselves.

mod keys;
mod log;
mod traffic;
mod zip;

pub(super) use keys::head as keys_head;
pub(super) use log::Log;
pub(super) use traffic::{RunCapture, SharedCapture, Traffic};

use crate::case::Case;
use crate::outcome::Outcome;
use crate::report::{self, Detail};
use crate::run::check::archive::zip::Zip;
use crate::run::check::bench::{Bench, Worker};
use crate::run::explain;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use traffic::{APPLICATION, TRAFFIC_BYTES_MAX, private};

/// The folder for archives and case files of failures.
pub(super) const FOLDER: &str = "fsrvp-failures";

/// Where the archives of a run go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Archives {
    /// None is kept.
    #[default]
    None,
    /// To the folder `fsrvp-failures` beside the report, or here.
    Beside,
    /// To this folder.
    In(PathBuf),
}

impl Archives {
    /// The folder, where the report goes to `output`.
    pub(super) fn folder(&self, output: Option<&Path>) -> Option<PathBuf> {
        match self {
            Archives::None => None,
            Archives::Beside => {
                let beside = output.and_then(Path::parent);
                Some(beside.unwrap_or(Path::new("")).join(FOLDER))
            }
            Archives::In(folder) => Some(folder.clone()),
        }
    }
}

/// How the program was told to play what failed.
pub(super) struct Story<'a> {
    pub(super) case: &'a Case,
    /// The case file, where there is one.
    pub(super) text: Option<&'a str>,
    /// What a shell wants to be told to see it again.
    pub(super) again: &'a str,
}

impl Worker<'_> {
    /// Writes the archive of a failure, and notes in the outcome where it lies, or why it does not.
    pub(super) fn archive(&self, outcome: &mut Outcome, story: &Story<'_>) {
        let Some(folder) = &self.bench.archives else {
            return;
        };
        if !outcome.verdict.is_failure(self.bench.strict) {
            return;
        }
        let Ok(traffic) = self.traffic.lock() else {
            return;
        };
        if traffic.is_empty() {
            return;
        }
        let path = folder.join(format!("{}.zip", outcome.case.replace('/', "-")));
        let written = self
            .packed(outcome, story, &traffic)
            .and_then(|bytes| write(folder, &path, &bytes));
        match written {
            Ok(()) => outcome.archive = Some(path.display().to_string()),
            Err(error) => {
                let separator = if outcome.message.is_empty() { "" } else { "\n" };
                let what = format!("{separator}no archive: {}: {error}", path.display());
                outcome.message += &what;
            }
        }
    }

    fn packed(
        &self,
        outcome: &Outcome,
        story: &Story<'_>,
        traffic: &Traffic,
    ) -> io::Result<Vec<u8>> {
        let bench = self.bench;
        let target = self.target().ok_or(io::ErrorKind::NotFound)?;
        let mut zip = Zip::new();
        zip.add(
            "README.txt",
            readme(bench, outcome, story, traffic).as_bytes(),
        )?;
        zip.add("steps.txt", steps(bench, outcome, story.case).as_bytes())?;
        zip.add("traffic.pcapng", &traffic.pcapng(&outcome.case)?)?;
        let keys = keys::file(&keys_head(target.timers), traffic.keys());
        zip.add("traffic.keys.toml", keys.as_bytes())?;
        let wireshark = keys::wireshark(&traffic.ports(), traffic.keys());
        zip.add("wireshark.txt", wireshark.as_bytes())?;
        zip.add("target.toml", target.without_secrets().as_bytes())?;
        if let Some(text) = story.text {
            zip.add(&format!("cases/{}.toml", outcome.case), text.as_bytes())?;
        }
        if let Some(log) = &self.log {
            zip.add("log.txt", &log.take())?;
        }
        zip.finish()
    }
}

fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = private(path)?;
    file.write_all(bytes)
}

/// A writer to a string never fails: the results of `writeln!` are dropped below.
fn readme(bench: &Bench, outcome: &Outcome, story: &Story<'_>, traffic: &Traffic) -> String {
    let target = bench.target_name();
    let mut text = format!(
        "{APPLICATION}: {} came to {} on {} ({})\n\nsteps.txt       what was done, what is \
         permitted, what came\ntraffic.pcapng  every byte of it; `fsrvp decode --judge \
         traffic.pcapng` reads it with the keys beside it\nwireshark.txt   how Wireshark opens it\n",
        outcome.case, outcome.verdict, target.name, target.profile
    );
    if traffic.is_cut() {
        let mib = TRAFFIC_BYTES_MAX >> 20;
        let _ = writeln!(
            text,
            "\nThere was more traffic than is kept: what came behind the first {mib} MiB is missing."
        );
    }
    let _ = writeln!(
        text,
        "\nseed {}; play it again:\n  {}",
        bench.seed(),
        story.again
    );
    if story.text.is_some() {
        let whose = match (bench.is_foreign(), target.profile.as_str()) {
            (true, _) => " --target target.toml".to_owned(),
            (false, profile) => format!(" --profile {profile}"),
        };
        let seed = bench.seed();
        let _ = writeln!(
            text,
            "or here, with this case alone:\n  fsrvp check --cases cases --seed {seed}{whose}"
        );
    }
    text += "\nNo password is in here. But the logons in the traffic let anybody try out passwords on\n\
             them: where the password is weak, keep this archive among those who may know it.\n";
    text
}

fn steps(bench: &Bench, outcome: &Outcome, case: &Case) -> String {
    let mut text = report::line(outcome, bench.catalogue(), Detail::Steps);
    if let Ok(told) = explain::case(&bench.library, case) {
        text += "\n";
        text += &told;
    }
    text
}
