//! The embedded server in each profile: what it does otherwise than the text is what is known of
//! those whom it imitates, and nothing else.

use fsrvp::case::Library;
use fsrvp::outcome::Lifecycles;
use fsrvp::run::check::{Bench, CheckOptions, Failure, Worker, check};
use fsrvp_reference::agent::Fault;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// So many that those deviations show too which need several calls to meet, by whatever seed.
const LIFECYCLES: u64 = 2000;

/// `fsrvp check --profile` of the cases about mappings.
fn check_text(profile: &str) -> String {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "get-share-mapping", "--profile", profile])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(run.status.code(), Some(0), "{profile}: {text}");
    text
}

/// Everything that the list says the embedded server shows is seen, in cases or in lifecycles.
fn shows_its_whole_list(profile: &str, list: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let output = dir.path().join("report.json");
    let options = CheckOptions {
        profile: Some(profile.to_owned()),
        lifecycles: Some(LIFECYCLES),
        seed: Some(5),
        format: fsrvp::report::Format::Json,
        output: Some(output.clone()),
        ..CheckOptions::default()
    };
    let status = check(&options, &mut Vec::new()).expect("it runs");
    let text = std::fs::read_to_string(output).expect("the report is there");
    let ledger: Value = serde_json::from_str(&text).expect("it is JSON");
    let failed = ledger["outcomes"].as_array().expect("outcomes");
    let failed: Vec<_> = failed
        .iter()
        .filter(|outcome| outcome["verdict"] == "fail" || outcome["verdict"] == "non-strict")
        .map(|outcome| (&outcome["case"], &outcome["message"]))
        .collect();
    assert_eq!(status.code(), 0, "{profile}: {failed:?}");
    assert!(failed.is_empty(), "{profile}: {failed:?}");
    let library = Library::built_in().expect("it reads");
    let known = library.known(list, Path::new("")).expect("the list reads");
    let mut shown = 0;
    for entry in known
        .entries()
        .iter()
        .filter(|entry| entry.unshown.is_none())
    {
        let in_cases = format!("{} ({})", entry.reason, entry.source);
        let in_lifecycles = format!("{}: {}", entry.names(), entry.reason);
        let is_seen = text.contains(&json_text(&in_cases))
            || ledger["lifecycles"]["deviations"]
                .get(&in_lifecycles)
                .is_some();
        assert!(is_seen, "{list}: {in_lifecycles}");
        shown += 1;
    }
    assert!(shown > 0, "{list} shows nothing");
}

/// A text as it stands inside of a JSON string.
fn json_text(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.trim_matches('"').to_owned()
}

#[test]
fn samba_deviates_as_its_list_says() {
    shows_its_whole_list("samba", "samba-4.17");
}

#[test]
fn windows_2012_deviates_as_its_list_says() {
    shows_its_whole_list("windows", "windows-2012");
}

#[test]
fn windows_2012_r2_deviates_as_its_list_says() {
    shows_its_whole_list("windows-2012r2", "windows-2012r2");
}

/// What a list does not have is a failure of a lifecycle, however much the list has.
#[test]
fn a_list_hides_nothing_that_is_not_on_it() {
    for profile in ["samba", "windows", "windows-2012r2"] {
        for (fault, requirement) in [
            (Fault::PrepareCommitted, "FSRVP-3.1.4.13-04"),
            (Fault::PrepareExposed, "FSRVP-3.1.4.13-05"),
            (Fault::RecoverRecovered, "FSRVP-3.1.4.7-06"),
            (Fault::ExposedNameWithoutBraces, "FSRVP-3.1.4.6-08"),
            (Fault::TimestampInSeconds, "FSRVP-2.2.1.1-01"),
        ] {
            let options = CheckOptions {
                profile: Some(profile.to_owned()),
                seed: Some(5),
                faults: vec![fault],
                ..CheckOptions::default()
            };
            let bench = Bench::new(&options).expect("the list reads");
            let mut worker = Worker::start(&bench).expect("the server starts");
            let mut tally = Lifecycles::default();
            let is_it = |failure: &Failure| {
                let broken = failure.fault.requirement();
                broken.is_some_and(|id| id.0 == requirement)
            };
            let caught = (0..LIFECYCLES).any(|n| {
                let failure = worker.lifecycle(n, &mut tally);
                failure.as_ref().is_some_and(is_it)
            });
            assert!(caught, "{profile}: {fault:?} breaks {requirement} unseen");
        }
    }
}

#[test]
fn what_nobody_ran_says_so() {
    let text = check_text("windows-2012");
    assert!(text.contains("<10>; not run by us)"), "{text}");
    assert!(!check_text("samba").contains("not run by us"));
}

#[test]
fn a_profile_that_there_is_not_is_named() {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "--profile", "solaris"])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{text}");
    assert!(text.contains("spec, windows and samba"), "{text}");
}
