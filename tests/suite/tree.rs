//! `fsrvp check --tree` over real trees. What they break is known from how they were made.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was found: by rule the entries.
type Found = BTreeMap<String, BTreeSet<String>>;

struct Run {
    code: Option<i32>,
    text: String,
    error: String,
}

fn run(root: &Path, more: &[&str]) -> Run {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "--tree"])
        .arg(root)
        .args(more)
        .output()
        .expect("the binary runs");
    Run {
        code: run.status.code(),
        text: String::from_utf8(run.stdout).expect("UTF-8"),
        error: String::from_utf8(run.stderr).expect("UTF-8"),
    }
}

fn report(root: &Path, more: &[&str]) -> Value {
    let run = run(root, &[&["--format", "json", "--all"], more].concat());
    serde_json::from_str(&run.text).expect(&run.error)
}

fn found(root: &Path, more: &[&str]) -> Found {
    let report = report(root, more);
    let findings = report["findings"].as_array().expect("findings");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    findings
        .iter()
        .map(|finding| {
            let examples = finding["examples"].as_array().expect("examples");
            let paths: BTreeSet<String> = examples.iter().map(|one| text(&one["path"])).collect();
            assert_eq!(finding["count"].as_u64(), Some(examples.len() as u64));
            (text(&finding["rule"]), paths)
        })
        .collect()
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).expect("a pipe");
}

#[test]
fn what_an_administrator_sees_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    fs::create_dir(root.join("vm")).expect("made");
    fs::write(root.join("vm/disk.vhdx"), "x").expect("written");
    let clean = run(root, &[]);
    assert_eq!(clean.code, Some(0), "{}", clean.text);
    assert!(
        clean.text.contains("1 directories, 1 other entries"),
        "{}",
        clean.text
    );
    assert!(clean.text.ends_with("hnas: ok\n"), "{}", clean.text);

    symlink("/etc/passwd", root.join("vm/link\u{1b}[31m")).expect("made");
    fs::write(root.join(OsStr::from_bytes(b"bad\xff.vhdx")), "").expect("written");
    let refused = run(root, &[]);
    assert_eq!(refused.code, Some(1), "{}", refused.text);
    for wanted in [
        "DIR-REG-04  a symbolic link with an absolute path: 1\n",
        "    refused  ontap with automatic recovery, seed, hnas\n",
        "    accepted ontap without automatic recovery\n",
        "    means    in the copy it leads to live data\n",
        "    remedy   ",
        "        vm/link\\u{1b}[31m\n",
        "\nspec: ok\n",
        "\nontap (depth 5): with automatic recovery refused by 1 rule, without ok\n",
    ] {
        assert!(
            refused.text.contains(wanted),
            "{wanted:?} in {}",
            refused.text
        );
    }
    // The exit code is that of who was asked for.
    assert_eq!(run(root, &["--profile", "spec"]).code, Some(0));
    assert_eq!(
        run(root, &["--profile", "ontap", "--recovery", "none"]).code,
        Some(0)
    );
    assert_eq!(
        run(root, &["--profile", "ontap", "--recovery", "auto"]).code,
        Some(1)
    );
}

#[test]
fn mistakes_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    for (path, more, wanted) in [
        (
            "missing",
            &[][..],
            "No such file or directory (os error 2); name a directory",
        ),
        ("file", &[], "Not a directory"),
        (
            ".",
            &["--profile", "netapp"],
            "no profile netapp of directory rules: spec, windows",
        ),
        (".", &["--format", "html"], "--tree has text and json only"),
    ] {
        fs::write(dir.path().join("file"), "").expect("written");
        let run = run(&dir.path().join(path), more);
        assert_eq!(run.code, Some(2), "{}", run.error);
        assert!(run.error.contains(wanted), "{wanted:?} in {}", run.error);
    }
}

#[test]
fn only_the_first_entries_are_named_and_the_depth_can_be_set() {
    let dir = tempfile::tempdir().expect("a directory");
    let deep = dir.path().join("vm/a/b/c/d/e");
    fs::create_dir_all(&deep).expect("made");
    for n in 0..14 {
        fs::write(deep.join(format!("{n}.vhdx")), "").expect("written");
    }
    let text = run(dir.path(), &["--profile", "ontap"]).text;
    assert!(
        text.contains("DIR-DEP-01  a file deeper than the limit: 14\n"),
        "{text}"
    );
    assert!(text.contains("        and 4 more\n"), "{text}");
    assert!(!run(dir.path(), &["--all"]).text.contains(" more\n"));
    for (depth, code) in [("6", 0), ("0", 0), ("5", 1), ("1", 1)] {
        let run = run(
            dir.path(),
            &["--profile", "ontap", "--recovery", "auto", "--depth", depth],
        );
        assert_eq!(run.code, Some(code), "{}", run.text);
    }
}

#[test]
fn a_tree_of_4000_levels_is_walked_to_its_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut at = rustix::fs::open(dir.path(), flags, Mode::empty()).expect("opened");
    for level in 0..4000 {
        // Each level has a sibling, so that the walk has to come back to all of them.
        for name in ["d", "e"] {
            rustix::fs::mkdirat(&at, name, Mode::from_raw_mode(0o755)).expect("made");
        }
        let file = rustix::fs::openat(
            &at,
            "x.vhdx",
            OFlags::CREATE | OFlags::WRONLY,
            Mode::from_raw_mode(0o644),
        );
        drop(file.expect("made"));
        at = rustix::fs::openat(&at, "d", flags, Mode::empty()).expect("opened");
        let _ = level;
    }
    drop(at);
    let report = report(dir.path(), &[]);
    let numbers = ["directories", "others", "depth"].map(|key| report[key].as_u64());
    assert_eq!(numbers, [Some(8000), Some(4000), Some(3999)]);
    assert_eq!(report["unseen"]["count"], 0, "{}", report["unseen"]);
    // Nobody removes so long a path by its name.
    let removed = Command::new("rm")
        .arg("-rf")
        .arg(dir.path())
        .status()
        .expect("rm runs");
    assert!(removed.success());
}

#[test]
fn a_large_sparse_file_and_names_of_any_bytes_are_nothing_special() {
    let dir = tempfile::tempdir().expect("a directory");
    let vm = dir.path().join("vm");
    fs::create_dir(&vm).expect("made");
    let file = fs::File::create(vm.join("disk.vhdx")).expect("made");
    // As much as the file system takes: ext4 ends at 16 TiB.
    file.set_len(8 << 40).expect("sparse");
    fs::write(vm.join(OsStr::from_bytes(b"\xf0\x28\x8c\x28.vhdx")), "").expect("written");
    fs::write(vm.join("Disk.vhdx"), "").expect("written");
    assert_eq!(found(dir.path(), &[]), Found::new());
}

/// Something that is put into a tree, and what it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plant {
    Disk,
    LinkToFile,
    LinkToDirectory,
    LinkToNothing,
    AbsoluteLink,
    LinkOutside,
    LinkToItself,
    DfsLink,
    Fifo,
    Socket,
    TwoNames,
    NameOutside,
}

const PLANTS: [Plant; 12] = [
    Plant::Disk,
    Plant::LinkToFile,
    Plant::LinkToDirectory,
    Plant::LinkToNothing,
    Plant::AbsoluteLink,
    Plant::LinkOutside,
    Plant::LinkToItself,
    Plant::DfsLink,
    Plant::Fifo,
    Plant::Socket,
    Plant::TwoNames,
    Plant::NameOutside,
];

/// Plants it as `path` below `root`, which lies in `outside`; gives the rule that it breaks.
fn plant(what: Plant, root: &Path, outside: &Path, path: &str) -> Option<&'static str> {
    let at = root.join(path);
    let up = "../".repeat(path.matches('/').count());
    let link = |target: &str| symlink(target, &at).expect("made");
    match what {
        Plant::Disk => {
            fs::write(&at, "x").expect("written");
            return None;
        }
        Plant::LinkToFile => link(&format!("{up}vm/disk.vhdx")),
        Plant::LinkToDirectory => link(&format!("{up}vm")),
        Plant::LinkToNothing => link("nowhere"),
        Plant::AbsoluteLink => link("/vm/disk.vhdx"),
        Plant::LinkOutside => link(&format!("{up}../other")),
        Plant::LinkToItself => link(
            Path::new(path)
                .file_name()
                .and_then(OsStr::to_str)
                .expect("a name"),
        ),
        Plant::DfsLink => link("msdfs:server\\share"),
        Plant::Fifo => fifo(&at),
        Plant::Socket => drop(std::os::unix::net::UnixListener::bind(&at).expect("bound")),
        Plant::TwoNames => {
            fs::write(&at, "x").expect("written");
            fs::hard_link(&at, at.with_extension("b.vhdx")).expect("linked");
        }
        Plant::NameOutside => {
            fs::write(&at, "x").expect("written");
            let name = path.replace('/', "-");
            fs::hard_link(&at, outside.join(name)).expect("linked");
        }
    }
    Some(match what {
        Plant::Disk => return None,
        Plant::LinkToFile => "DIR-REG-01",
        Plant::LinkToDirectory => "DIR-REG-02",
        Plant::LinkToNothing => "DIR-REG-03",
        Plant::AbsoluteLink => "DIR-REG-04",
        Plant::LinkOutside => "DIR-REG-05",
        Plant::LinkToItself => "DIR-REG-06",
        Plant::DfsLink => "DIR-REG-07",
        Plant::TwoNames => "DIR-REG-08",
        Plant::NameOutside => "DIR-REG-09",
        Plant::Fifo => "DIR-REG-10",
        Plant::Socket => "DIR-REG-11",
    })
}

/// Makes a tree of plants, each with the directories above it; gives what is broken.
fn make(root: &Path, outside: &Path, plants: &[(Plant, usize)]) -> Found {
    fs::create_dir_all(root.join("vm")).expect("made");
    fs::write(root.join("vm/disk.vhdx"), "x").expect("written");
    let mut expected = Found::new();
    let mut break_rule = |rule: &str, path: &str| {
        expected
            .entry(rule.to_owned())
            .or_default()
            .insert(path.to_owned());
    };
    for (n, (what, depth)) in plants.iter().enumerate() {
        let above: PathBuf = (0..*depth).map(|level| format!("{level}")).collect();
        let above = Path::new("vm").join(above);
        fs::create_dir_all(root.join(&above)).expect("made");
        let path = above.join(format!("n{n}.vhdx")).display().to_string();
        if let Some(rule) = plant(*what, root, outside, &path) {
            break_rule(rule, &path);
        }
        // `vm` is one level itself.
        if depth + 1 > 5 {
            break_rule("DIR-DEP-01", &path);
            if *what == Plant::TwoNames {
                break_rule("DIR-DEP-01", &path.replace(".vhdx", ".b.vhdx"));
            }
        }
    }
    expected
}

#[test]
fn what_is_planted_into_500_trees_is_found_and_nothing_else() {
    let config = Config {
        cases: 500,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, seed);
    let one = (proptest::sample::select(&PLANTS[..]), 0..8usize);
    let plants = proptest::collection::vec(one, 0..12);
    let result = runner.run(&plants, |plants| {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("share");
        let expected = make(&root, dir.path(), &plants);
        let mut found = found(&root, &[]);
        // Of a file with several names the one that is named is the first that was met.
        for rule in ["DIR-REG-08", "DIR-REG-09"] {
            if let Some(paths) = found.get_mut(rule) {
                let first = |path: &String| path.replace(".b.vhdx", ".vhdx");
                *paths = paths.iter().map(first).collect();
            }
        }
        prop_assert_eq!(found, expected);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
