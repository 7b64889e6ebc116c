//! A server that dies in the middle of a run.

use crate::server::Server;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
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
