//! The command line as a user meets it: exit codes, and errors that name the place and the remedy.

use crate::server::Server;
use std::fs;
use std::process::{Command, Output};

fn fsrvp(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(arguments)
        .env_remove("FSRVP_PASSWORD")
        .env_remove("FSRVP_TARGET")
        .output()
        .expect("the binary runs")
}

/// Exit 2, nothing on standard output, one line on standard error that holds every one of `words`.
fn could_not_run(arguments: &[&str], words: &[&str]) {
    let run = fsrvp(arguments);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(
        run.stdout.is_empty(),
        "{arguments:?} printed {:?}",
        String::from_utf8_lossy(&run.stdout)
    );
    assert_eq!(
        stderr.trim_end().lines().count(),
        1,
        "{arguments:?}: {stderr}"
    );
    for word in words {
        assert!(
            stderr.contains(word),
            "{arguments:?}: no {word:?} in {stderr}"
        );
    }
}

/// A target file for a port of 127.0.0.1 where nothing listens.
fn silent_target(dir: &tempfile::TempDir, more: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let path = dir.path().join("target.toml");
    let text = format!(
        "name = \"silent\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"u\"\npassword = \"p\"\nshares = [\"data\"]\n{more}"
    );
    fs::write(&path, text).expect("the target file is written");
    path.display().to_string()
}

#[test]
fn a_capture_that_is_not_there_is_named() {
    could_not_run(&["decode", "/nonexistent/x.pcap"], &["/nonexistent/x.pcap"]);
}

#[test]
fn a_file_that_is_no_capture_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("letter.pcap");
    fs::write(&path, "Dear Sir or Madam, this is not a capture.").expect("written");
    could_not_run(
        &["decode", &path.display().to_string()],
        &["letter.pcap", "pcap"],
    );
}

#[test]
fn a_target_that_is_not_there_is_named() {
    could_not_run(
        &["check", "--target", "/nonexistent/t.toml"],
        &["/nonexistent/t.toml"],
    );
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let target = silent_target(&dir, "hiden = \"x$\"\n");
    could_not_run(
        &["check", "--target", &target],
        &["hiden", "hidden", "target.toml"],
    );
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let target = silent_target(&dir, "");
    could_not_run(&["check", "--target", &target], &["127.0.0.1:"]);
}

#[test]
fn a_case_folder_with_a_broken_case_is_named_with_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let topic = dir.path().join("set-context");
    fs::create_dir(&topic).expect("a directory");
    fs::write(
        topic.join("broken.toml"),
        "title = \"x\"\n\nfrobnicate = 1\n",
    )
    .expect("written");
    could_not_run(
        &["check", "--cases", &dir.path().display().to_string()],
        &["broken.toml", "3", "frobnicate"],
    );
}

#[test]
fn a_filter_that_selects_nothing_is_exit_3() {
    let run = fsrvp(&["check", "no-such-topic"]);
    assert_eq!(
        run.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_share_folder_that_is_not_there_is_named() {
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--share",
            "data=/nonexistent/dir",
            "--user",
            "admin",
        ])
        .env("FSRVP_PASSWORD", "x")
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("/nonexistent/dir") && stderr.contains("data"),
        "{stderr}"
    );
}

#[test]
fn a_server_without_a_password_says_how_to_give_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let share = format!("data={}", dir.path().display());
    could_not_run(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--share",
            &share,
            "--user",
            "admin",
        ],
        &["FSRVP_PASSWORD"],
    );
}

#[test]
fn a_wrong_password_is_not_a_fault_of_the_server() {
    let server = Server::start();
    for (right, wrong) in [("secret-of-admin", "guess"), ("secret-of-eve", "guess")] {
        let target = server.target(right, wrong).display().to_string();
        could_not_run(
            &["check", "--target", &target],
            &["LOGON_FAILURE", "correct user, password and domain"],
        );
    }
}

#[test]
fn a_share_that_is_not_there_is_not_a_fault_of_the_server() {
    let server = Server::start();
    for key in ["more", "alias"] {
        let target = server
            .target(&format!("\"{key}\""), "\"nowhere\"")
            .display()
            .to_string();
        could_not_run(&["check", "--target", &target], &["nowhere", "target file"]);
    }
}

/// One run leaves nothing behind that the next one could trip over: no set, no context.
#[test]
fn our_own_server_passes_as_a_stranger_twice() {
    let server = Server::start();
    let target = server.target("admin", "admin").display().to_string();
    for round in 1..=2 {
        let run = fsrvp(&["check", "--target", &target]);
        let output = String::from_utf8_lossy(&run.stdout);
        assert_eq!(run.status.code(), Some(0), "round {round}:\n{output}");
        assert!(output.contains(" pass, 0 fail"), "{output}");
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(told.contains("workstation FSRVPCHECK"), "{told}");
    }
}

#[test]
fn a_status_without_a_state_says_what_to_name() {
    could_not_run(&["serve", "--status"], &["--state", "--config"]);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().display().to_string();
    could_not_run(
        &["serve", "--status", "--state", &path],
        &[&path, "--state"],
    );
    let left = fs::read_dir(dir.path()).expect("readable").count();
    assert_eq!(left, 0, "asking made something");
}

#[test]
fn the_status_of_a_server_is_json_while_it_runs_and_after_it() {
    let server = Server::start();
    let config = server.configuration().display().to_string();
    let status = || {
        let run = fsrvp(&["serve", "--status", "--config", &config, "--format", "json"]);
        assert_eq!(run.status.code(), Some(0));
        serde_json::from_slice::<serde_json::Value>(&run.stdout).expect("JSON")
    };
    assert_eq!(status()["server"]["address"], server.address().to_string());
    let files = server.kill();
    assert!(status()["server"].is_null());
    drop(files);
}
