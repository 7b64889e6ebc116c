//! The rules of the house that a compiler does not hold: which room may use which, where clocks
//! and runtimes may stand, how long a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// How many lines a source file may have before it wants to be two.
const LINES_MAX: usize = 700;

/// The rooms of the root package and what each may use directly.
const HARNESS: &[(&str, &[&str])] = &[
    ("flow", &[]),
    ("requirement", &[]),
    ("outcome", &["requirement", "flow"]),
    ("case", &["outcome", "requirement", "flow"]),
    ("report", &["outcome", "requirement", "flow"]),
    ("capture", &["flow"]),
    ("oracle", &["outcome", "requirement", "flow"]),
    ("drive", &["case", "outcome", "requirement", "flow"]),
    ("generate", &["case", "outcome", "requirement", "flow"]),
    (
        "run",
        &[
            "flow",
            "requirement",
            "outcome",
            "case",
            "report",
            "capture",
            "drive",
            "generate",
            "oracle",
        ],
    ),
];

/// The rooms of the reference server and what each may use directly.
const REFERENCE: &[(&str, &[&str])] = &[
    ("agent", &[]),
    ("rules", &[]),
    ("tree", &[]),
    ("backend", &["tree"]),
    ("store", &["agent", "backend"]),
    ("config", &["agent", "backend"]),
    ("users", &["config"]),
    ("share", &["agent", "backend", "tree"]),
    ("rpc", &["agent", "users"]),
    ("smb", &["rpc", "agent", "share", "tree", "users", "config"]),
    (
        "shell",
        &[
            "smb", "rpc", "agent", "backend", "store", "tree", "share", "users", "config",
        ],
    ),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `dir`, with its path from the root and its text.
fn sources(dir: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != "target" {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(dir), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no Rust files below {dir}");
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file is readable");
            let name = path
                .strip_prefix(root())
                .unwrap_or(&path)
                .display()
                .to_string();
            (name, text)
        })
        .collect()
}

/// The rooms of its own crate that a text names, as `crate::room`.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut used = BTreeSet::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            for name in rest
                .trim_start_matches('{')
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .take(1)
            {
                used.insert(name.to_owned());
            }
        }
    }
    used
}

fn violations(dir: &str, rooms: &[(&str, &[&str])]) -> Vec<String> {
    let mut found = Vec::new();
    for (room, allowed) in rooms {
        for (name, text) in sources(dir) {
            let inside = name.strip_prefix(&format!("{dir}/")).unwrap_or(&name);
            if inside != format!("{room}.rs") && !inside.starts_with(&format!("{room}/")) {
                continue;
            }
            for used in rooms_used(&text) {
                let is_room = rooms.iter().any(|(other, _)| *other == used);
                if is_room && used != *room && !allowed.contains(&used.as_str()) {
                    found.push(format!("{name}: {room} may not use {used}"));
                }
            }
        }
    }
    found
}

#[test]
fn rooms_use_only_what_their_arrows_reach() {
    let mut found = violations("src", HARNESS);
    found.extend(violations("reference/src", REFERENCE));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_is_on_the_map() {
    for (dir, rooms) in [("src", HARNESS), ("reference/src", REFERENCE)] {
        for (name, _) in sources(dir) {
            let inside = name.strip_prefix(&format!("{dir}/")).unwrap_or(&name);
            let room = inside
                .split('/')
                .next()
                .unwrap_or(inside)
                .trim_end_matches(".rs");
            let known = rooms.iter().any(|(other, _)| *other == room);
            assert!(
                known || ["lib", "main"].contains(&room),
                "{name}: a room without arrows"
            );
        }
    }
}

#[test]
fn only_run_knows_the_reference_server() {
    for (name, text) in sources("src") {
        let knows = text.contains("fsrvp_reference");
        assert!(
            !knows || name.starts_with("src/run/"),
            "{name} uses the reference server"
        );
    }
    for (name, text) in sources("wire/src")
        .into_iter()
        .chain(sources("reference/src"))
    {
        let knows = text
            .lines()
            .any(|line| line.trim_start().starts_with("use fsrvp::"));
        assert!(!knows, "{name} uses the harness");
    }
}

#[test]
fn runtimes_stand_only_in_shells() {
    for dir in ["wire/src", "reference/src", "src"] {
        for (name, text) in sources(dir) {
            let shell = [
                "reference/src/shell",
                "src/drive/",
                "src/run/",
                "src/main.rs",
            ];
            let allowed = shell.iter().any(|prefix| name.starts_with(prefix));
            assert!(
                allowed || !text.contains("tokio::"),
                "{name} uses tokio outside a shell"
            );
        }
    }
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for dir in ["wire", "reference", "src", "tests"] {
        for (name, text) in sources(dir) {
            let lines = text.lines().count();
            if lines > LINES_MAX {
                long.push(format!("{name}: {lines} lines"));
            }
        }
    }
    assert!(
        long.is_empty(),
        "longer than {LINES_MAX} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn nothing_is_left_unfinished() {
    for dir in ["wire/src", "reference/src", "src"] {
        for (name, text) in sources(dir) {
            for mark in [
                "todo!(",
                "unimplemented!(",
                "dbg!(",
                "TODO",
                "FIXME",
                "XXX:",
            ] {
                assert!(!text.contains(mark), "{name} holds {mark}");
            }
        }
    }
}

#[test]
fn the_readme_names_the_test_command() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md is readable");
    assert!(readme.contains("scripts/test"));
}
