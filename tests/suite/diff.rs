//! `fsrvp diff` of ledgers that `fsrvp check` wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fsrvp(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(arguments)
        .output()
        .expect("the binary runs")
}

fn ledger(dir: &Path, name: &str, more: &[&str]) -> String {
    let path: PathBuf = dir.join(name);
    let path = path.display().to_string();
    let mut arguments = vec![
        "check",
        "get-share-mapping",
        "--format",
        "json",
        "--output",
        &path,
    ];
    arguments.extend(more);
    assert_eq!(fsrvp(&arguments).status.code(), Some(0));
    path
}

#[test]
fn two_seeds_of_one_server_are_the_same_and_another_profile_is_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let one = ledger(dir.path(), "one.json", &["--seed", "1"]);
    let two = ledger(dir.path(), "two.json", &["--seed", "2"]);
    let samba = ledger(dir.path(), "samba.json", &["--profile", "samba"]);

    let same = fsrvp(&["diff", &one, &two]);
    let text = String::from_utf8_lossy(&same.stdout);
    assert_eq!(same.status.code(), Some(0), "{text}");
    assert!(text.contains("\n0 cases differ, "), "{text}");

    let differs = fsrvp(&["diff", &one, &samba]);
    let text = String::from_utf8_lossy(&differs.stdout);
    assert_eq!(differs.status.code(), Some(1), "{text}");
    let row = "pass          known         get-share-mapping/unknown-and-nil-set\n";
    assert!(text.contains(row), "{text}");
    assert!(
        text.contains("note: judged by different profiles, spec and samba"),
        "{text}"
    );

    let json = fsrvp(&["diff", &one, &samba, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!(json["a"]["profile"], "spec");
    assert!(
        json["requirements"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty())
    );
}

#[test]
fn another_version_and_other_cases_are_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, version: &str, case: &str| {
        let path = dir.path().join(name);
        let text = format!(
            r#"{{"fsrvp":"{version}","target":{{"name":"t","profile":"spec"}},"seed":1,
            "outcomes":[{{"case":"{case}","verdict":"pass","actual":"0"}}]}}"#
        );
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (a, b) = (
        write("a.json", "0.1.0", "t/a"),
        write("b.json", "0.2.0", "t/b"),
    );
    let run = fsrvp(&["diff", &a, &b]);
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{text}");
    for part in [
        "different versions, 0.1.0 and 0.2.0",
        "different cases: 1 only in A, 1 only in B",
        "a ledger tells nothing of requirements",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn what_is_no_ledger_is_named_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bad.json");
    fs::write(&path, "{\n  \"fsrvp\": 7\n}\n").expect("written");
    let path = path.display().to_string();
    let run = fsrvp(&["diff", &path, &path]);
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{told}");
    assert!(told.contains("bad.json line 2: invalid type"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    let run = fsrvp(&["diff", "/nonexistent/a.json", &path]);
    assert_eq!(run.status.code(), Some(2));
}
