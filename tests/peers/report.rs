//! Strangers read our reports: what junitparser counts in JUnit, and html5lib in the page, is what
//! our ledger has.

use crate::blackbox::PYTHON;
use crate::serve::{ADMIN, Serve, Store};
use crate::{Outcome, tool};
use fsrvp::outcome::{Ledger, TargetName, Verdict};
use fsrvp::report::{Detail, Format, render};
use fsrvp::requirement::{Catalogue, RequirementId};
use fsrvp::run::check::{CheckOptions, check};
use fsrvp_reference::agent::Fault;
use libtest_mimic::{Completion, Failed, Trial};
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

/// Reads the page as a browser does; tells what is wrong with it, what it loads, its dead links,
/// and which case and which requirement it gives which verdict.
const READ: &str = r#"
import collections, html5lib, json, sys
parser = html5lib.HTMLParser(namespaceHTMLElements=False)
with open(sys.argv[1], encoding="utf-8") as page:
    tree = parser.parse(page)
ids = collections.Counter(one.get("id") for one in tree.iter() if one.get("id"))
dead, loads = [], []
for one in tree.iter():
    for name, value in one.items():
        if name == "href" and (value[:1] != '#' or value[1:] not in ids):
            dead.append(value)
        if name in ("src", "srcset", "data", "action") or name.startswith("on"):
            loads.append([name, value])
def verdicts(section):
    inside = next(one for one in tree.iter("section") if one.get("id") == section)
    return {one.get("id"): one.get("data-verdict")
            for one in inside.iter() if one.get("data-verdict")}
print(json.dumps({
    "errors": [list(error) for error in parser.errors],
    "twice": [name for name, count in ids.items() if count > 1],
    "dead": dead,
    "loads": loads,
    "scripts": len(list(tree.iter("script"))),
    "cases": verdicts("cases"),
    "requirements": verdicts("requirements"),
}))
"#;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("junit::wrong_server", "junitparser", wrong_server),
        trial(
            "junit::server_without_features",
            "junitparser",
            server_without_features,
        ),
        trial("junit::every_verdict", "junitparser", every_verdict),
        trial("html::wrong_server", "html5lib", page_of_wrong_server),
        trial("html::every_verdict", "html5lib", page_of_every_verdict),
    ]
}

/// A trial that needs this module of Python.
fn trial(
    name: &str,
    module: &'static str,
    run: impl FnOnce() -> Outcome + Send + 'static,
) -> Trial {
    Trial::ignorable_test(format!("peers::{name}"), move || {
        let there = Command::new(PYTHON)
            .args(["-c", &format!("import {module}")])
            .output();
        if !there.is_ok_and(|run| run.status.success()) {
            return Ok(Completion::ignored_with(format!(
                "python3-{module} is not installed; scripts/test installs it as root"
            )));
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

/// Fails unless html5lib reads in `page` what `ledger`, as JSON, says.
fn compare_page(page: &Path, ledger: &Value) -> Outcome {
    let mut command = Command::new(PYTHON);
    command.args(["-c", READ]).arg(page);
    let printed = tool::run_with_input(command, b"")?.success("html5lib")?;
    let read: Value = serde_json::from_str(&printed)?;
    for nothing in ["errors", "twice", "dead", "loads"] {
        if read[nothing] != json!([]) {
            return Err(format!("{nothing}: {}", read[nothing]).into());
        }
    }
    if read["scripts"] != 1 {
        return Err(format!("{} scripts", read["scripts"]).into());
    }
    for (read, list, key, kind) in [
        (&read["cases"], &ledger["outcomes"], "case", "case"),
        (
            &read["requirements"],
            &ledger["requirements"],
            "requirement",
            "req",
        ),
    ] {
        let all = list.as_array().ok_or("no list")?.iter();
        let wanted: serde_json::Map<String, Value> = all
            .map(|one| {
                let id = one[key].as_str().unwrap_or_default();
                let verdict = one["verdict"].as_str().unwrap_or("not judged");
                (format!("{kind}-{id}"), json!(verdict))
            })
            .collect();
        if wanted.is_empty() || *read != Value::Object(wanted) {
            return Err(format!("{kind}: html5lib reads {read}, the ledger has {list}").into());
        }
    }
    Ok(())
}

/// Runs the same check for either reader; gives the file for the stranger and the ledger.
fn check_twice(
    options: &CheckOptions,
    format: Format,
    dir: &Path,
) -> Result<(PathBuf, Value), Failed> {
    let (report, json) = (dir.join("report"), dir.join("report.json"));
    for (format, path) in [(format, &report), (Format::Json, &json)] {
        let options = CheckOptions {
            format,
            output: Some(path.clone()),
            seed: Some(3),
            ..options.clone()
        };
        check(&options, &mut Vec::new())?;
    }
    let ledger = serde_json::from_str(&fs::read_to_string(json)?)?;
    Ok((report, ledger))
}

/// Cases that a server with a wrong code passes, and some that it fails.
fn of_wrong_server() -> CheckOptions {
    CheckOptions {
        filters: vec!["set-context".to_owned()],
        faults: vec![Fault::ContextCode],
        ..CheckOptions::default()
    }
}

fn wrong_server() -> Outcome {
    let dir = tempfile::tempdir()?;
    let (junit, ledger) = check_twice(&of_wrong_server(), Format::Junit, dir.path())?;
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
    let (junit, ledger) = check_twice(&options, Format::Junit, dir.path())?;
    let summary = &ledger["summary"];
    if summary["n/a"] == 0 || summary["pass"] == 0 {
        return Err(format!("not both passes and skipped: {summary}").into());
    }
    compare(&junit, summary, false)
}

fn page_of_wrong_server() -> Outcome {
    let dir = tempfile::tempdir()?;
    let options = CheckOptions {
        lifecycles: Some(20),
        ..of_wrong_server()
    };
    let (page, ledger) = check_twice(&options, Format::Html, dir.path())?;
    compare_page(&page, &ledger)
}

/// Each verdict another number of times, with text that XML and HTML have to quote.
fn all_verdicts() -> Ledger {
    let outcome = |verdict: Verdict, n: usize| {
        let case = format!("topic-{}/{}-{n}", n % 2, verdict.as_str().replace('/', "-"));
        let id = vec![RequirementId("FSRVP-3.1.4.4-14".to_owned())];
        let message = "a share <b onclick='x'>&\"'<script src=x>\u{1b}\u{0}]]>--></style>";
        fsrvp::outcome::Outcome::unplayed(&case, verdict, id, message)
    };
    let verdicts = Verdict::ALL.iter().enumerate();
    let outcomes = verdicts
        .flat_map(|(more, verdict)| (0..=more).map(move |n| outcome(*verdict, n)))
        .collect();
    let target = TargetName {
        name: "</title><x>".to_owned(),
        profile: "spec".to_owned(),
    };
    Ledger::new(target, 1, 1, outcomes)
}

fn every_verdict() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("report.xml");
    for strict in [false, true] {
        let ledger = all_verdicts().with_strict(strict);
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

fn page_of_every_verdict() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("report.html");
    let (ledger, catalogue) = (all_verdicts(), Catalogue::built_in()?);
    let of = |format| render(&ledger, &catalogue, format, Detail::Outcome);
    fs::write(&path, of(Format::Html)?)?;
    compare_page(&path, &serde_json::from_str(&of(Format::Json)?)?)
}
