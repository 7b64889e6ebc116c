//! More of everything than a client should want: it gets a refusal, or waits, and nobody else
//! notices. What the server may use for it is bounded.

use super::{beside, is_bounded};
use crate::raw::{Raw, is_end};
use crate::server::Server;
use fsrvp_wire::smb2::create::{CreateDisposition, CreateOptions};
use fsrvp_wire::smb2::lock::{self, LockElement, LockFlags};
use fsrvp_wire::smb2::negotiate::{self, Dialect};
use fsrvp_wire::smb2::{Body as _, Command, FileId, NtStatus, echo, read};
use std::io::{Read as _, Write as _};
use std::time::Duration;

/// Asks for as many message ids as one connection can hold.
fn get_rich(raw: &mut Raw) {
    let mut header = raw.header(Command::ECHO);
    header.credits = u16::MAX;
    let message = raw.signed(echo::Request::default().emit(&header));
    raw.send(&message).expect("sent");
    assert!(raw.answer().0.credits > 4000);
}

/// Those who come and say nothing, or half of something, keep nobody out: the oldest have to go.
#[test]
fn connections_that_do_not_log_on_make_room() {
    // So many do not come while one honest client logs on, however slow the machine.
    let server = Server::with("limits = { before_logon_max = 128 }");
    beside(&server, || {
        let mut idle: Vec<Raw> = Vec::new();
        for number in 0..400_usize {
            let mut raw = match number % 3 {
                0 => Raw::silent(server.address()),
                _ => Raw::negotiated(server.address()),
            };
            if number % 3 == 2 {
                // As much of a frame as a stranger may send.
                let begun = [&[0, 1, 0xFF, 0xFF][..], &vec![0xFE; 100_000]].concat();
                raw.stream.write_all(&begun).expect("sent");
            }
            idle.push(raw);
        }
        for raw in idle.iter_mut().take(264) {
            assert!(raw.is_ended(), "the oldest go");
        }
    });
    is_bounded(&server);
}

/// As many as there may be are inside; the next one is served when one of them leaves.
#[test]
fn a_full_house_lets_the_next_one_in_when_somebody_leaves() {
    let server = Server::with("limits = { connections_max = 6, before_logon_max = 5 }");
    let mut inside: Vec<Raw> = (0..6)
        .map(|_| Raw::inside(server.address(), "data"))
        .collect();
    let mut next = Raw::silent(server.address());
    let request = negotiate::Request {
        dialects: vec![Dialect(0x0302)],
        ..negotiate::Request::default()
    };
    let message = next.message(&request);
    next.send(&message).expect("sent");
    let short = Duration::from_millis(300);
    next.stream.set_read_timeout(Some(short)).expect("a limit");
    let early = next.stream.read(&mut [0; 4]).expect_err("nothing yet");
    assert!(!is_end(&early), "{early}");
    let long = Duration::from_secs(20);
    next.stream.set_read_timeout(Some(long)).expect("a limit");
    inside.pop();
    assert_eq!(next.answer().0.status, NtStatus::SUCCESS);
    for raw in &mut inside {
        assert_eq!(raw.status(&echo::Request::default()), NtStatus::SUCCESS);
    }
}

#[test]
fn a_connection_has_so_many_files_pipes_trees_and_sessions() {
    let server = Server::start();
    std::fs::write(server.share("data").join("file"), "x").expect("written");
    beside(&server, || {
        let mut raw = Raw::inside(server.address(), "data");
        let mut opened = 0;
        let refused = loop {
            match raw.open("file") {
                Ok(_) => opened += 1,
                Err(status) => break status,
            }
        };
        assert_eq!((opened, refused), (1024, NtStatus::INSUFFICIENT_RESOURCES));
        let mut raw = Raw::inside(server.address(), "IPC$");
        let pipes = (0..100).filter(|_| raw.open("FssagentRpc").is_ok()).count();
        assert_eq!(pipes, 64);
        let trees = (0..600).filter(|_| raw.enter("data") == NtStatus::SUCCESS);
        assert_eq!(trees.count(), 511, "and the one from before");
        let mut raw = Raw::negotiated(server.address());
        let sessions = (0..70).map(|_| raw.log_on());
        let refused = sessions
            .filter(|status| *status != NtStatus::SUCCESS)
            .count();
        assert_eq!(refused, 6);
    });
    is_bounded(&server);
}

fn locks(file_id: FileId, count: u64, first: u64, flags: LockFlags) -> lock::Request {
    let element = |offset| LockElement {
        offset,
        length: 1,
        flags,
        ..LockElement::default()
    };
    lock::Request {
        file_id,
        locks: (first..first + count).map(element).collect(),
        ..lock::Request::default()
    }
}

#[test]
fn a_connection_has_so_many_locks() {
    let server = Server::start();
    std::fs::write(server.share("data").join("file"), "x").expect("written");
    let flags = LockFlags::SHARED_LOCK | LockFlags::FAIL_IMMEDIATELY;
    beside(&server, || {
        let mut raw = Raw::inside(server.address(), "data");
        let mut taken = 0;
        let mut last = FileId::default();
        'full: for number in 0..5 {
            let name = format!("file{number}");
            std::fs::write(server.share("data").join(&name), "x").expect("written");
            last = raw.open(&name).expect("open");
            for part in 0..8 {
                match raw.status(&locks(last, 1024, part * 1024, flags)) {
                    NtStatus::SUCCESS => taken += 1024,
                    status => {
                        assert_eq!(status, NtStatus::INSUFFICIENT_RESOURCES);
                        break 'full;
                    }
                }
            }
            let one_more = raw.status(&locks(last, 1, 9000, flags));
            assert_eq!(one_more, NtStatus::INSUFFICIENT_RESOURCES, "of a handle");
        }
        assert_eq!(taken, 16_384, "of all handles");
        let close = fsrvp_wire::smb2::close::Request {
            file_id: raw.open("file").expect("open"),
            ..Default::default()
        };
        assert_eq!(raw.status(&close), NtStatus::SUCCESS);
        assert_ne!(last, FileId::default());
    });
    is_bounded(&server);
}

/// Requests that wait for what does not come: the connection is not read any more, others are.
#[test]
fn requests_that_wait_hold_up_their_own_connection_only() {
    let server = Server::start();
    std::fs::write(server.share("data").join("file"), "x").expect("written");
    let address = server.address();
    beside(&server, || {
        let mut holder = Raw::inside(address, "data");
        let held = holder.open("file").expect("open");
        let exclusive = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
        assert_eq!(
            holder.status(&locks(held, 1, 0, exclusive)),
            NtStatus::SUCCESS
        );
        let mut waiting = Raw::inside(address, "data");
        get_rich(&mut waiting);
        let file = waiting.open("file").expect("open");
        for _ in 0..600 {
            let message = waiting.message(&locks(file, 1, 0, LockFlags::EXCLUSIVE_LOCK));
            waiting.send(&message).expect("sent");
        }
        let mut listening = Raw::inside(address, "IPC$");
        get_rich(&mut listening);
        let pipe = listening.open("FssagentRpc").expect("a pipe");
        for _ in 0..600 {
            let message = listening.message(&read::Request {
                length: 65_536,
                file_id: pipe,
                ..read::Request::default()
            });
            listening.send(&message).expect("sent");
        }
        // As many as the server takes in are told that they wait; nobody gets anything.
        for raw in [&mut waiting, &mut listening] {
            for number in 0..256 {
                let told = raw.receive().expect("a word").0;
                assert_eq!(told.status, NtStatus::PENDING, "{number}");
            }
        }
        let unlock = locks(held, 1, 0, LockFlags::UNLOCK);
        assert_eq!(holder.status(&unlock), NtStatus::SUCCESS);
        let next = waiting.receive().expect("an answer").0;
        assert_eq!(next.status, NtStatus::SUCCESS, "for the first in line");
    });
    is_bounded(&server);
}

/// Megabytes asked for again and again by one who reads none of the answers.
#[test]
fn answers_that_nobody_reads_do_not_pile_up() {
    let server = Server::start();
    let big = vec![7; 8 << 20];
    std::fs::write(server.share("data").join("big"), &big).expect("written");
    beside(&server, || {
        let mut raws: Vec<Raw> = (0..2)
            .map(|_| Raw::inside(server.address(), "data"))
            .collect();
        for raw in &mut raws {
            get_rich(raw);
            let file_id = raw.open("big").expect("open");
            for _ in 0..40 {
                let mut header = raw.header(Command::READ);
                header.credit_charge = 128;
                raw.next_message_id += 127;
                let request = read::Request {
                    length: 8 << 20,
                    file_id,
                    ..read::Request::default()
                };
                let message = raw.signed(request.emit(&header));
                raw.send(&message).expect("sent");
            }
        }
        let mut first = [0; 4];
        raws[0].stream.read_exact(&mut first).expect("an answer");
    });
    is_bounded(&server);
}

/// A directory is listed from many handles at once, each left in the middle.
#[test]
fn listings_that_are_left_in_the_middle_are_bounded() {
    use fsrvp_wire::smb2::fscc::FileInfoClass;
    use fsrvp_wire::smb2::query_directory::{self, QueryDirectoryFlags};
    let server = Server::start();
    for number in 0..3000 {
        let name = format!("file{number}");
        std::fs::write(server.share("data").join(name), "").expect("written");
    }
    beside(&server, || {
        let mut raw = Raw::inside(server.address(), "data");
        let mut listed = 0;
        for _ in 0..60 {
            let options = CreateOptions::DIRECTORY_FILE;
            let file_id = raw.create("", CreateDisposition::OPEN, options);
            let request = query_directory::Request {
                file_information_class: FileInfoClass::FILE_NAMES_INFORMATION,
                flags: QueryDirectoryFlags::RETURN_SINGLE_ENTRY,
                file_id: file_id.expect("the root"),
                output_buffer_length: 4096,
                file_name: "*".into(),
                ..query_directory::Request::default()
            };
            match raw.status(&request) {
                NtStatus::SUCCESS => listed += 1,
                status => assert_eq!(status, NtStatus::INSUFFICIENT_RESOURCES),
            }
        }
        assert_eq!(listed, 131_072 / 3002, "with . and ..");
    });
    is_bounded(&server);
}
