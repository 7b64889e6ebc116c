//! The README shows what the programs really print.

use std::fs;
use std::process::Command;

fn readme() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    fs::read_to_string(path).expect("README.md is readable")
}

/// Every line that the README shows of `fsrvp check` is one that it prints; the seed is another
/// one in every run.
#[test]
fn the_verdicts_in_the_readme_are_those_of_a_run() {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "--lifecycles", "0"])
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&run.stdout);
    let without_seed = |line: &str| line.split("; seed").next().unwrap_or(line).to_owned();
    let printed: Vec<String> = printed.lines().map(without_seed).collect();
    let readme = readme();
    let shown: Vec<String> = readme
        .lines()
        .filter(|line| line.starts_with("pass  ") || line.starts_with("embedded (spec): "))
        .map(without_seed)
        .collect();
    assert!(shown.len() > 3, "the README shows no verdicts");
    for line in shown {
        assert!(
            printed.contains(&line),
            "not printed by fsrvp check: {line}"
        );
    }
}

/// The timeline in the README is that of the stored capture.
#[test]
fn the_timeline_in_the_readme_is_that_of_the_capture() {
    let capture = "captures/rpcclient-backup-ro/capture.pcap";
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["decode", capture])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    let readme = readme();
    let (_, after) = readme
        .split_once(&format!("decode {capture}\n"))
        .expect("the command is shown");
    let (shown, _) = after.split_once("```").expect("the output ends");
    let shown: Vec<&str> = shown.lines().filter(|line| *line != "...").collect();
    assert!(shown.len() > 5, "the README shows no timeline");
    for line in shown {
        assert!(
            printed.lines().any(|other| other == line),
            "not printed by fsrvp decode: {line}"
        );
    }
}
