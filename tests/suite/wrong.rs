//! Servers that are wrong on purpose: each is caught, by a generated lifecycle or by a case, and
//! the requirement that it breaks is named.

use fsrvp::case::Filter;
use fsrvp::outcome::{Lifecycles, Verdict};
use fsrvp::run::check::{Bench, CheckOptions, Worker, check};
use fsrvp_reference::agent::Fault;
use std::collections::BTreeSet;

/// How many lifecycles a wrong server is given to show itself.
const LIFECYCLES: u64 = 150;
/// The same for two faults at once, of which any may show itself.
const LIFECYCLES_OF_PAIRS: u64 = 200;
/// How many pairs are tried.
const PAIRS: usize = 20;

/// Cases against servers without a fault.
fn bench() -> Bench {
    let options = CheckOptions {
        seed: Some(5),
        ..CheckOptions::default()
    };
    Bench::new(&options).expect("the built-in cases read")
}

/// How a fault was caught; an error says what was seen instead.
fn catch(sound: &Bench, fault: Fault) -> Result<String, String> {
    let bench = sound.with_faults(&[fault]);
    let mut worker = Worker::start(&bench).expect("the server starts");
    let mut tally = Lifecycles::default();
    let mut named = BTreeSet::new();
    for n in 0..LIFECYCLES {
        let Some(failure) = worker.lifecycle(n, &mut tally) else {
            continue;
        };
        let requirement = failure.fault.requirement();
        let requirement = requirement.map_or(format!("{:?}", failure.fault), |id| id.0.clone());
        if fault.breaks().contains(&requirement.as_str()) {
            return Ok(format!("lifecycle {n}: {requirement}"));
        }
        named.insert(requirement);
    }
    let filter = Filter::new(&[fault.breaks().join(",")]);
    for case in bench.cases() {
        if !filter.selects(case, bench.catalogue()) {
            continue;
        }
        if worker.play(case).verdict == Verdict::Fail {
            return Ok(format!("case {}", case.id));
        }
    }
    Err(format!("{fault:?}: not caught; seen instead: {named:?}"))
}

/// Every `of`th fault, from number `from` on.
fn all_are_caught(from: usize, of: usize) {
    let faults = Fault::ALL.iter().skip(from).step_by(of);
    let sound = bench();
    let caught = faults.map(|fault| catch(&sound, *fault));
    let missed: Vec<String> = caught.filter_map(Result::err).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_wrong_server_is_caught_with_the_requirement_that_it_breaks() {
    assert!(Fault::ALL.len() >= 60, "{} faults", Fault::ALL.len());
    all_are_caught(0, 2);
}

#[test]
fn the_other_half_of_the_wrong_servers_is_caught_as_well() {
    all_are_caught(1, 2);
}

#[test]
fn pairs_of_faults_do_not_hide_each_other() {
    let all = Fault::ALL;
    let sound = bench();
    for n in 0..PAIRS {
        // Two steps that have no divisor in common with the number of pairs meet all kinds.
        let pair = [all[(n * 7) % all.len()], all[(n * 31 + 13) % all.len()]];
        let bench = sound.with_faults(&pair);
        let mut worker = Worker::start(&bench).expect("the server starts");
        let mut tally = Lifecycles::default();
        let caught = (0..LIFECYCLES_OF_PAIRS).any(|n| worker.lifecycle(n, &mut tally).is_some());
        assert!(caught, "{pair:?}");
    }
}

#[test]
fn a_server_without_a_fault_is_not_caught() {
    let bench = bench();
    let mut worker = Worker::start(&bench).expect("the server starts");
    let mut tally = Lifecycles::default();
    for n in 0..LIFECYCLES {
        let failure = worker.lifecycle(n, &mut tally);
        assert!(failure.is_none(), "{failure:?}");
    }
}

/// What a failed lifecycle leaves behind: a file that fails on the wrong server, and on no other.
#[test]
fn a_failure_is_kept_as_a_short_case_that_only_the_wrong_server_fails() {
    for (fault, requirement, steps_max) in [
        (Fault::SetContextKeepsSet, "FSRVP-3.1.4.2-14", 4),
        (Fault::StartTimerShort, "FSRVP-3.1.2-04", 4),
        (Fault::CopyIdReused, "FSRVP-3.1.4.4-15", 6),
        (Fault::PrepareStarted, "FSRVP-3.1.4.13-02", 3),
        (Fault::SameStoreAccepted, "FSRVP-3.1.4.4-13", 4),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let played = |cases: Option<std::path::PathBuf>, faults: Vec<Fault>, lifecycles| {
            let options = CheckOptions {
                filters: match cases {
                    None => vec!["get-supported-version".to_owned()],
                    Some(_) => Vec::new(),
                },
                cases,
                faults,
                lifecycles: Some(lifecycles),
                seed: Some(5),
                output: Some(dir.path().join("report.txt")),
                ..CheckOptions::default()
            };
            let status = check(&options, &mut Vec::new()).expect("it runs");
            let report = std::fs::read_to_string(dir.path().join("report.txt"));
            (status.code(), report.expect("the report is there"))
        };
        let (code, report) = played(None, vec![fault], 60);
        assert_eq!(code, 1, "{fault:?}: {report}");
        let file = format!("lifecycles/{}.toml", requirement.to_lowercase());
        let folder = dir.path().join("fsrvp-failures");
        let text = std::fs::read_to_string(folder.join(&file));
        let text = text.unwrap_or_else(|error| panic!("{fault:?}: {file}: {error}\n{report}"));
        let steps = text.matches("[[step]]").count();
        assert!(steps <= steps_max, "{fault:?}: {steps} steps\n{text}");
        let kept = dir.path().join("kept");
        std::fs::create_dir_all(kept.join("lifecycles")).expect("a directory");
        std::fs::write(kept.join(&file), text).expect("written");
        let (code, report) = played(Some(kept.clone()), vec![fault], 0);
        assert_eq!(code, 1, "{fault:?}: {report}");
        let (code, report) = played(Some(kept), Vec::new(), 0);
        assert_eq!(code, 0, "{fault:?}: {report}");
    }
}
