//! What `command` owes beyond the contract.

use crate::Bench;
use fsrvp_reference::backend::{BackendError, BackendSnapshot, CommandBackend, Programs};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Stands for what a vendor would write: it keeps its copies in a store of its own, of which the
/// server knows only what it is told.
const SCRIPT: &str = r#"#!/bin/sh
set -eu
store=$(dirname "$0")/store
order=$(cat)
field() { printf '%s' "$order" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
id=$(field shadow_copy_id)
printf '%s %s\n' "$(field action)" "$order" >>"$store.log"
[ ! -e "$store.trouble" ] || . "$store.trouble"
case $(field action) in
create)
    mkdir "$store/$id"
    cd "$(field source)"
    find . -mindepth 1 -maxdepth 1 ! -name .fsrvp-copies \
        -exec cp -a --reflink=auto --sparse=always -t "$store/$id" {} +
    printf '{"path": "%s", "handle": {"volume": "v-%s"}}' "$store/$id" "$id"
    ;;
seal) [ "$(field volume)" = "v-$id" ] ;;
remove) rm -rf -- "$store/$id" ;;
esac
"#;

/// A backend whose programs lie in `directory`.
pub(crate) fn backend(directory: &Path) -> CommandBackend {
    let script = directory.join("vendor");
    fs::write(&script, SCRIPT).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir(directory.join("store")).unwrap();
    let command = vec![script.display().to_string()];
    CommandBackend::new(Programs {
        create: command.clone(),
        seal: command.clone(),
        remove: command,
        timeout: Duration::from_secs(10),
    })
}

impl Bench {
    fn beside(&self, name: &str) -> PathBuf {
        self.root.parent().unwrap().join(name)
    }

    /// From now on each program runs this first.
    fn trouble(&self, script: &str) {
        fs::write(self.beside("store.trouble"), script).unwrap();
    }

    fn no_trouble(&self) {
        fs::remove_file(self.beside("store.trouble")).unwrap();
    }

    fn refusal(&self) -> String {
        let refused = self.backend.create(&self.request(1, false)).unwrap_err();
        assert!(matches!(refused, BackendError::Program { .. }), "{refused}");
        refused.to_string()
    }

    fn vendors_copies(&self) -> usize {
        fs::read_dir(self.beside("store")).unwrap().count()
    }
}

#[test]
fn a_program_gets_back_the_handle_that_it_gave() {
    let bench = Bench::command().unwrap();
    let snapshot = bench.create(1, true);
    bench.backend.seal(&snapshot).unwrap();
    bench.backend.delete(&snapshot).unwrap();
    let log = fs::read_to_string(bench.beside("store.log")).unwrap();
    let handle = format!(r#""handle":{{"volume":"v-{}"}}"#, Uuid::from_u128(1));
    let told: Vec<bool> = log.lines().map(|line| line.contains(&handle)).collect();
    assert_eq!(told, [false, true, true], "{log}");
    assert!(log.contains(r#""writable":true"#), "{log}");
}

#[test]
fn a_program_that_fails_is_quoted_and_leaves_nothing() {
    let bench = Bench::command().unwrap();
    bench.trouble(
        "[ $(field action) != create ] || { mkdir $store/$id; echo no room >&2; exit 3; }",
    );
    let refusal = bench.refusal();
    assert!(
        refusal.contains("no room") && refusal.contains("vendor"),
        "{refusal}"
    );
    assert_eq!(bench.left_over(), Vec::<PathBuf>::new());
    assert_eq!(bench.vendors_copies(), 0, "remove was run");
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let bench = Bench::command().unwrap();
    let script = bench.beside("vendor").display().to_string();
    let programs = Programs {
        create: vec![script.clone()],
        seal: Vec::new(),
        remove: vec![script],
        timeout: Duration::from_millis(500),
    };
    let bench = Bench {
        backend: std::sync::Arc::new(CommandBackend::new(programs)),
        ..bench
    };
    bench.trouble("[ $(field action) != create ] || { mkdir $store/$id; sleep 1000 & echo $! >$store.pid; wait; }");
    let refusal = bench.refusal();
    assert!(refusal.contains("longer than 500ms"), "{refusal}");
    let pid = fs::read_to_string(bench.beside("store.pid")).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    assert_eq!(bench.left_over(), Vec::<PathBuf>::new());
    assert_eq!(bench.vendors_copies(), 0);
}

#[test]
fn what_could_not_be_removed_stays_on_record() {
    let bench = Bench::command().unwrap();
    let snapshot = bench.create(1, false);
    bench.trouble("exit 1");
    assert!(bench.backend.delete(&snapshot).is_err());
    assert!(bench.backend.create(&bench.request(2, false)).is_err());
    assert_eq!(bench.ids(), [1, 2], "the second one was begun");
    bench.no_trouble();
    for id in [1, 2] {
        let begun = BackendSnapshot {
            shadow_copy_id: Uuid::from_u128(id),
            ..snapshot.clone()
        };
        bench.backend.delete(&begun).unwrap();
    }
    assert_eq!(bench.left_over(), Vec::<PathBuf>::new());
    assert_eq!(bench.vendors_copies(), 0);
}

#[test]
fn a_program_sees_nothing_of_the_servers_environment() {
    let bench = Bench::command().unwrap();
    bench.trouble("env >$store.env; pwd >>$store.env");
    bench.create(1, false);
    let environment = fs::read_to_string(bench.beside("store.env")).unwrap();
    // A shell adds its own.
    let known = [
        "PATH=",
        "LC_ALL=C.UTF-8",
        "PWD=",
        "OLDPWD=",
        "SHLVL=",
        "_=",
        "/",
    ];
    for line in environment.lines() {
        assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
    }
    assert!(environment.ends_with("/\n"), "{environment}");
}

#[test]
fn answers_that_make_no_sense_are_refused() {
    let bench = Bench::command().unwrap();
    let share = bench.root.display();
    for (answer, complaint) in [
        ("not json".to_owned(), "not its answer"),
        (r#"{"path": "relative"}"#.to_owned(), "not absolute"),
        (r#"{"path": "/nonexistent"}"#.to_owned(), "made no"),
        (r#"{"path": "/etc/passwd"}"#.to_owned(), "no directory"),
        (format!(r#"{{"path": "{share}"}}"#), "the share itself"),
        (String::new(), "made no"),
    ] {
        bench.trouble(&format!(
            "[ $(field action) != create ] || {{ echo '{answer}'; exit 0; }}"
        ));
        let refusal = bench.refusal();
        assert!(refusal.contains(complaint), "{refusal}");
        assert_eq!(bench.left_over(), Vec::<PathBuf>::new(), "{answer}");
    }
    assert!(bench.root.is_dir(), "the share is still there");
}
