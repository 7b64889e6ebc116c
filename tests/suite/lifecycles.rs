//! Generated lifecycles: they meet every status with every method, come to the same whoever plays
//! them, and what fails is kept in its shortest form.

use fsrvp::run::check::{CheckOptions, check};
use serde_json::Value;
use std::path::Path;

/// Every method.
const METHODS: [&str; 13] = [
    "GetSupportedVersion",
    "SetContext",
    "StartShadowCopySet",
    "AddToShadowCopySet",
    "CommitShadowCopySet",
    "ExposeShadowCopySet",
    "RecoveryCompleteShadowCopySet",
    "AbortShadowCopySet",
    "IsPathSupported",
    "IsPathShadowCopied",
    "GetShareMapping",
    "DeleteShareMapping",
    "PrepareShadowCopySet",
];

/// Every status that a set can be met in: a commit is done before its caller makes another call, so
/// nothing is ever in CreationInProgress here.
const STATUSES: [&str; 6] = [
    "none",
    "Started",
    "Added",
    "Committed",
    "Exposed",
    "Recovered",
];

fn lifecycles(seed: u64, count: u64, jobs: usize, dir: &Path) -> Value {
    let report = dir.join(format!("{seed}-{jobs}.json"));
    let options = CheckOptions {
        filters: vec!["get-supported-version".to_owned()],
        format: fsrvp::report::Format::Json,
        output: Some(report.clone()),
        jobs: Some(jobs),
        seed: Some(seed),
        lifecycles: Some(count),
        ..CheckOptions::default()
    };
    let status = check(&options, &mut Vec::new()).expect("it runs");
    let text = std::fs::read_to_string(report).expect("the report is there");
    assert_eq!(status.code(), 0, "seed {seed}: {text}");
    let ledger: Value = serde_json::from_str(&text).expect("it is JSON");
    ledger["lifecycles"].clone()
}

#[test]
fn a_thousand_lifecycles_meet_every_status_with_every_method() {
    let dir = tempfile::tempdir().expect("a directory");
    let survey = lifecycles(1, 1000, 2, dir.path());
    assert_eq!(survey["count"], 1000);
    assert_eq!(survey["failed"], 0);
    for status in STATUSES {
        for method in METHODS {
            let met = survey["cells"][status][method].as_u64().unwrap_or(0);
            assert!(met >= 5, "{method} met {status} {met} times");
        }
    }
    let judged = survey["requirements"].as_array().map_or(0, Vec::len);
    assert!(judged > 130, "only {judged} requirements");
}

#[test]
fn ten_seeds_fail_nowhere_and_one_thread_sees_what_two_see() {
    let dir = tempfile::tempdir().expect("a directory");
    for seed in 2..12 {
        assert_eq!(lifecycles(seed, 40, 2, dir.path())["failed"], 0);
    }
    let alone = lifecycles(12, 60, 1, dir.path());
    assert_eq!(alone, lifecycles(12, 60, 2, dir.path()));
}
