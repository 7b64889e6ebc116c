//! smbtorture's suites against our server and against smbd in the same run, held to the committed
//! table `tests/peers/torture.toml`.
//!
//! The table names every test with its outcome over both. A row that is no longer true is a
//! failure, in either direction; where smbd passes and ours does not, the row says why. Suites that
//! the table calls `long` run in `scripts/soak` only, which sets `FSRVP_TORTURE=long`.
//! `FSRVP_TORTURE=write` writes the table anew, keeps the reasons, and leaves the diff to be read.

use crate::samba::{self, SambaPeer};
use crate::serve::{self, Serve};
use crate::tool::{Account, Tool};
use crate::{Outcome, trial};
use libtest_mimic::Trial;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// How long one suite may take over one server, in seconds; what has not ended then has hung.
const SUITE_MAX_S: u32 = 600;

/// What stands above the rows.
const HEAD: &str = "\
# smbtorture 4.17 over our server and over smbd 4.17, test by test: `smbd`, `ours`, and `reason` where
# smbd passes and ours does not. Held by tests/peers/torture.rs, which also tells how to write it anew.
";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    /// Takes more than 20 seconds: only in `scripts/soak`.
    #[serde(default)]
    long: bool,
    #[serde(default)]
    test: BTreeMap<String, Row>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    smbd: String,
    ours: String,
    reason: Option<String>,
}

type Table = BTreeMap<String, Suite>;

pub(crate) fn trials() -> Vec<Trial> {
    let programs = &["smbd", "smbpasswd", "rpcclient", "smbtorture", "timeout"];
    vec![trial("torture", programs, true, torture)]
}

fn torture() -> Outcome {
    let mode = std::env::var("FSRVP_TORTURE").unwrap_or_default();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/torture.toml");
    let table: Table = toml::from_str(&std::fs::read_to_string(&path)?)?;
    let smbd = SambaPeer::start(60)?;
    let ours = Serve::configured(
        "signing = \"allowed\"\n",
        &[("data", ""), ("more", "encryption = \"required\"\n")],
    )?;
    let mut seen = Table::new();
    let mut drift = String::new();
    for (name, suite) in table {
        let found = if suite.long && mode.is_empty() {
            suite.test.clone()
        } else {
            let smbd = run(smbd.port, samba::ADMIN, "nofss", &name)?;
            let ours = run(ours.port, serve::ADMIN, "data", &name)?;
            join(&suite, &smbd, &ours)
        };
        compare(&name, &suite.test, &found, &mut drift);
        let suite = Suite {
            test: found,
            ..suite
        };
        seen.insert(name, suite);
    }
    if mode == "write" {
        return Ok(std::fs::write(&path, emit(&seen))?);
    }
    if drift.is_empty() {
        return Ok(());
    }
    Err(format!("not as {} says:\n{drift}", path.display()).into())
}

/// The outcome of each test of a suite.
fn run(port: u16, user: Account, share: &str, suite: &str) -> io::Result<BTreeMap<String, String>> {
    let output = Tool::smbtorture(port, user, share, suite, SUITE_MAX_S)?.output;
    let mut outcomes = BTreeMap::new();
    for line in output.lines() {
        let (word, rest) = line.split_once(": ").unwrap_or_default();
        let test = rest.split_whitespace().next().unwrap_or_default();
        let outcome = match word {
            // What was begun and is never ended hung, or took the program with it.
            "test" => "hang",
            "success" => "pass",
            "failure" | "error" => "fail",
            "skip" => "skip",
            _ => continue,
        };
        outcomes.insert(test.to_owned(), outcome.to_owned());
    }
    Ok(outcomes)
}

fn join(
    suite: &Suite,
    smbd: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
) -> BTreeMap<String, Row> {
    let tests: BTreeSet<&String> = smbd.keys().chain(ours.keys()).collect();
    let outcome = |of: &BTreeMap<String, String>, test: &String| {
        of.get(test).cloned().unwrap_or_else(|| "absent".to_owned())
    };
    tests
        .into_iter()
        .map(|test| {
            let (smbd, ours) = (outcome(smbd, test), outcome(ours, test));
            let is_owed = smbd == "pass" && ours != "pass";
            let known = suite.test.get(test);
            let reason = known.and_then(|row| row.reason.clone());
            let reason = reason.filter(|_| is_owed);
            (test.clone(), Row { smbd, ours, reason })
        })
        .collect()
}

/// Adds what differs, a line each, as the table would have to say it.
fn compare(
    suite: &str,
    told: &BTreeMap<String, Row>,
    found: &BTreeMap<String, Row>,
    drift: &mut String,
) {
    let tests: BTreeSet<&String> = told.keys().chain(found.keys()).collect();
    for test in tests {
        let (told, found) = (told.get(test), found.get(test));
        if told != found {
            let _ = writeln!(drift, "{suite}.{test}: told {told:?}, found {found:?}");
        }
        if let Some(row) = found
            && row.smbd == "pass"
            && row.ours != "pass"
            && row.reason.as_ref().is_none_or(|reason| reason.is_empty())
        {
            let _ = writeln!(
                drift,
                "{suite}.{test}: smbd passes, ours is {}, and no reason stands there",
                row.ours
            );
        }
    }
}

fn emit(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    for (name, suite) in table {
        let _ = write!(text, "\n[\"{name}\"]\n");
        if suite.long {
            text += "long = true\n";
        }
        for (test, row) in &suite.test {
            let _ = write!(
                text,
                "test.{test} = {{ smbd = \"{}\", ours = \"{}\"",
                row.smbd, row.ours
            );
            if let Some(reason) = &row.reason {
                let _ = write!(text, ", reason = {reason:?}");
            }
            text += " }\n";
        }
    }
    text
}
