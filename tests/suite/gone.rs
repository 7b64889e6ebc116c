//! A server that dies in the middle of a run.

use crate::server::Server;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Passes connections on to `server`; at the connection with number `last` it closes that one and
/// listens no more.
fn mortal(listener: TcpListener, server: SocketAddr, last: usize) {
    for n in 1..=last {
        let Ok((client, _)) = listener.accept() else {
            return;
        };
        if n == last {
            drop(listener);
            let _ = client.shutdown(Shutdown::Both);
            return;
        }
        let upstream = TcpStream::connect(server).expect("the server is there");
        for (from, to) in [(&client, &upstream), (&upstream, &client)] {
            let (mut from, mut to) = (
                from.try_clone().expect("a handle"),
                to.try_clone().expect("a handle"),
            );
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }
}

#[test]
fn a_server_that_dies_is_a_failure_and_the_rest_is_not_tried() {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let of_server = server.address();
    let target = server.target(
        &format!("port = {}", of_server.port()),
        &format!("port = {port}"),
    );
    let kept = tempfile::tempdir().expect("a directory");
    let dying = thread::spawn(move || mortal(listener, of_server, 8));
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "is-path-supported,set-context", "--archives"])
        .arg(kept.path())
        .arg("--target")
        .arg(target)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.contains("\npass "), "{text}");
    assert_eq!(
        text.matches("  server gone: 127.0.0.1:").count(),
        1,
        "{text}"
    );
    assert!(text.matches("  server gone since ").count() > 5, "{text}");
    assert!(text.contains(" pass, 1 fail, "), "{text}");
    // Of what was not tried nothing is kept.
    let archives: Vec<_> = std::fs::read_dir(kept.path()).expect("readable").collect();
    let [Ok(archive)] = archives.as_slice() else {
        panic!("{archives:?}\n{text}");
    };
    let shown = format!("archive  {}", archive.path().display());
    assert!(text.contains(&shown), "{text}");
    let files = crate::archive::unzipped(&archive.path());
    assert!(String::from_utf8_lossy(&files["steps.txt"]).contains("server gone"));
    let ends = crate::archive::ends(&files["traffic.pcapng"]);
    assert!(ends.contains(&port), "{ends:?}");
    dying.join().expect("it died as it should");
}

/// Passes connections on to `server`; from the connection with number `last` on, and on those that
/// there are, nothing more comes back.
fn falls_silent(listener: &TcpListener, server: SocketAddr, last: usize) {
    let silent = Arc::new(AtomicBool::new(false));
    let mut kept = Vec::new();
    for (n, client) in listener.incoming().enumerate() {
        let Ok(client) = client else { return };
        if n + 1 >= last {
            silent.store(true, Ordering::SeqCst);
            kept.push(client);
            continue;
        }
        let upstream = TcpStream::connect(server).expect("the server is there");
        let there = (client.try_clone(), upstream.try_clone());
        let (Ok(mut from), Ok(mut to)) = there else {
            return;
        };
        thread::spawn(move || io::copy(&mut from, &mut to));
        let silent = Arc::clone(&silent);
        thread::spawn(move || back(upstream, client, &silent));
    }
}

/// Passes answers on until nothing more is to come back.
fn back(mut from: TcpStream, mut to: TcpStream, silent: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if !silent.load(Ordering::SeqCst) && to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_falls_silent_costs_one_case_its_patience_and_no_more() {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let of_server = server.address();
    let target = server.target(
        &format!("port = {}", of_server.port()),
        &format!("smb = {{ answer_within_s = 1 }}\nport = {port}"),
    );
    thread::spawn(move || falls_silent(&listener, of_server, 8));
    let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
        .args(["check", "--lifecycles", "20", "--target"])
        .arg(target)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{text}");
    assert!(text.contains("\npass "), "{text}");
    let fails = text.matches("  server gone: no answer to ").count();
    assert_eq!(fails, 1, "{text}");
    assert!(text.matches("  server gone since ").count() > 100, "{text}");
    assert!(text.contains(" pass, 1 fail, "), "{text}");
    assert!(text.contains("generated: 0 lifecycles"), "{text}");
    // Most of the time went by in waiting for it.
    let (_, time) = text.split_once("\ntook ").expect("the time is told");
    let (_, share) = time.split_once(" s; ").expect("the share");
    let (share, _) = share.split_once(" % ").expect("in percent");
    let share: u64 = share.parse().expect("a number");
    assert!((1..50).contains(&share), "{time}");
}

#[test]
fn a_program_that_does_not_restart_the_server_says_nothing_of_the_server() {
    let server = Server::start();
    for (program, told) in [
        (
            r#"["/bin/sh", "-c", "echo no such service; exit 3"]"#,
            "printed:",
        ),
        (
            r#"["/nonexistent/restart"]"#,
            "/nonexistent/restart: No such file",
        ),
    ] {
        let target = server.target("shares =", &format!("restart = {program}\nshares ="));
        let run = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
            .args(["check", "persistence/the-context-is-not-kept", "--target"])
            .arg(target)
            .output()
            .expect("the binary runs");
        let text = String::from_utf8_lossy(&run.stdout);
        assert_eq!(run.status.code(), Some(1), "{text}");
        assert!(text.starts_with("inconclusive "), "{text}");
        assert!(
            text.contains("the program that restarts the server failed"),
            "{text}"
        );
        assert!(text.contains(told), "{text}");
    }
}
