//! What a stranger that reads JUnit counts in our reports is what our ledger has.

use crate::blackbox::PYTHON;
use crate::serve::{ADMIN, Serve, Store};
use crate::{Outcome, tool};
use fsrvp::outcome::{Ledger, TargetName, Verdict};
use fsrvp::report::{Detail, Format, render};
use fsrvp::requirement::{Catalogue, RequirementId};
use fsrvp::run::check::{CheckOptions, check};
use fsrvp_reference::agent::Fault;
use libtest_mimic::{Completion, Trial};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Counts the results of the test cases, and adds what the report says of itself.
const COUNT: &str = r#"
import json, sys
from junitparser import Error, Failure, JUnitXml, Skipped
report = JUnitXml.fromfile(sys.argv[1])
kinds = {Failure: "failures", Error: "errors", Skipped: "skipped"}
seen = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
for suite in report:
    for case in suite:
        seen["tests"] += 1
        for result in case.result:
            seen[kinds[type(result)]] += 1
said = {"tests": report.tests, "failures": report.failures, "errors": report.errors,
        "skipped": report.skipped}
print(json.dumps({"seen": seen, "said": said}))
"#;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("junit::wrong_server", wrong_server),
        trial("junit::server_without_features", server_without_features),
        trial("junit::every_verdict", every_verdict),
    ]
}

/// A trial that needs junitparser.
fn trial(name: &str, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("peers::{name}"), move || {
        let there = Command::new(PYTHON)
            .args(["-c", "import junitparser"])
            .output();
        if !there.is_ok_and(|run| run.status.success()) {
            let reason = "python3-junitparser is not installed; scripts/test installs it as root";
            return Ok(Completion::ignored_with(reason));
        }
        run().map(|()| Completion::Completed)
    })
}

/// Fails unless the stranger counts in `junit` what `summary`, the ledger's own as JSON, says.
fn compare(junit: &Path, summary: &Value, strict: bool) -> Outcome {
    let mut command = Command::new(PYTHON);
    command.args(["-c", COUNT]).arg(junit);
    let printed = tool::run_with_input(command, b"")?.success("junitparser")?;
    let read: Value = serde_json::from_str(&printed)?;
    let count = |verdict: Verdict| summary[verdict.as_str()].as_u64().unwrap_or(0);
    let mut failures = count(Verdict::Fail);
    if strict {
        failures += count(Verdict::NonStrict);
    }
    let wanted = json!({
        "tests": Verdict::ALL.map(count).iter().sum::<u64>(),
        "failures": failures,
        "errors": count(Verdict::Inconclusive),
        "skipped": count(Verdict::NotApplicable),
    });
    match read["seen"] == wanted && read["said"] == wanted {
        true => Ok(()),
        false => Err(format!("the ledger has {wanted}, junitparser reads {read}").into()),
    }
}

/// Runs the same check for either reader; gives the file for the stranger and the ledger.
fn check_twice(
    options: &CheckOptions,
    dir: &Path,
) -> Result<(PathBuf, Value), libtest_mimic::Failed> {
    let mut files = Vec::new();
    for (format, name) in [(Format::Junit, "report.xml"), (Format::Json, "report.json")] {
        let path = dir.join(name);
        let options = CheckOptions {
            format,
            output: Some(path.clone()),
            seed: Some(3),
            ..options.clone()
        };
        check(&options, &mut Vec::new())?;
        files.push(path);
    }
    let ledger = serde_json::from_str(&fs::read_to_string(dir.join("report.json"))?)?;
    Ok((dir.join("report.xml"), ledger))
}

fn wrong_server() -> Outcome {
    let dir = tempfile::tempdir()?;
    let options = CheckOptions {
        filters: vec!["set-context".to_owned()],
        faults: vec![Fault::ContextCode],
        ..CheckOptions::default()
    };
    let (junit, ledger) = check_twice(&options, dir.path())?;
    let summary = &ledger["summary"];
    if summary["fail"] == 0 || summary["pass"] == 0 {
        return Err(format!("not both passes and failures: {summary}").into());
    }
    compare(&junit, summary, false)
}

fn server_without_features() -> Outcome {
    let dir = tempfile::tempdir()?;
    let server = Serve::start(Store::Any)?;
    let target = dir.path().join("target.toml");
    let text = format!(
        "name = \"bare\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\npassword = \"{}\"\n\
         shares = [\"data\"]\n",
        server.port, ADMIN.name, ADMIN.password
    );
    fs::write(&target, text)?;
    let options = CheckOptions {
        filters: vec!["is-path-supported,access".to_owned()],
        target: Some(target),
        ..CheckOptions::default()
    };
    let (junit, ledger) = check_twice(&options, dir.path())?;
    let summary = &ledger["summary"];
    if summary["n/a"] == 0 || summary["pass"] == 0 {
        return Err(format!("not both passes and skipped: {summary}").into());
    }
    compare(&junit, summary, false)
}

/// Each verdict another number of times, with text that XML has to quote.
fn every_verdict() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("report.xml");
    let outcome = |verdict: Verdict, n: usize| {
        let case = format!("topic-{}/{}-{n}", n % 2, verdict.as_str().replace('/', "-"));
        let id = vec![RequirementId("FSRVP-3.1.4.4-14".to_owned())];
        let message = "a share <b>&\"'\u{1b}\u{0}]]>";
        fsrvp::outcome::Outcome::unplayed(&case, verdict, id, message)
    };
    let verdicts = Verdict::ALL.iter().enumerate();
    let outcomes: Vec<_> = verdicts
        .flat_map(|(more, verdict)| (0..=more).map(move |n| outcome(*verdict, n)))
        .collect();
    for strict in [false, true] {
        let target = TargetName {
            name: "<x>".to_owned(),
            profile: "spec".to_owned(),
        };
        let ledger = Ledger::new(target, 1, 1, outcomes.clone()).with_strict(strict);
        let text = render(
            &ledger,
            &Catalogue::default(),
            Format::Junit,
            Detail::Outcome,
        )?;
        fs::write(&path, text)?;
        compare(&path, &serde_json::to_value(ledger.summary)?, strict)?;
    }
    Ok(())
}
