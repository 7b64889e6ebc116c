//! Frames that do not come whole, messages that are not what they say, and clients who know no
//! order: an error or an end for their own connection.

use super::{Noise, beside};
use crate::raw::Raw;
use crate::server::Server;
use fsrvp_wire::nbss;
use fsrvp_wire::smb2::negotiate::{self, Dialect};
use fsrvp_wire::smb2::{Body as _, Command, Header, NtStatus, echo};
use std::io::Write as _;

/// The waits of the server's own, short enough to wait for.
const SHORT: &str = "limits = { logon_wait_s = 2.0, frame_wait_s = 0.5 }";

#[test]
fn who_does_not_go_on_is_cut_off() {
    let server = Server::with(SHORT);
    beside(&server, || {
        let address = server.address();
        let echo = echo::Request::default();
        let mut strangers = vec![Raw::silent(address), Raw::negotiated(address)];
        let mut begun = Vec::new();
        for part in [1, 3, 4, 5, 40] {
            let mut stranger = Raw::silent(address);
            let message = nbss::emit(&stranger.message(&echo)).expect("short");
            stranger.stream.write_all(&message[..part]).expect("sent");
            begun.push(stranger);
            let mut known = Raw::inside(address, "data");
            let message = nbss::emit(&known.message(&echo)).expect("short");
            known.stream.write_all(&message[..part]).expect("sent");
            begun.push(known);
        }
        // A frame of 8 MiB that stays behind its first part, of one who is logged on.
        let mut known = Raw::inside(address, "data");
        known.stream.write_all(&[0, 0x80, 0, 0]).expect("sent");
        known.stream.write_all(&vec![0xFE; 60_000]).expect("sent");
        begun.push(known);
        for raw in begun.iter_mut().chain(&mut strangers) {
            assert!(raw.is_ended());
        }
        // Who has logged on and is silent between frames stays.
        let mut quiet = Raw::inside(address, "data");
        assert!(Raw::silent(address).is_ended());
        assert_eq!(quiet.status(&echo), NtStatus::SUCCESS);
    });
}

#[test]
fn a_message_that_comes_byte_by_byte_is_served() {
    let server = Server::start();
    let mut raw = Raw::inside(server.address(), "data");
    let message = raw.message(&echo::Request::default());
    for byte in nbss::emit(&message).expect("short") {
        raw.stream.write_all(&[byte]).expect("sent");
    }
    assert_eq!(raw.answer().0.status, NtStatus::SUCCESS);
}

#[test]
fn lengths_that_no_message_has_end_the_connection() {
    let server = Server::start();
    beside(&server, || {
        for (is_known, head) in [
            (false, [0, 0xFF, 0xFF, 0xFF]),
            (false, [0, 2, 0, 1]),
            (true, [0, 0xFF, 0xFF, 0xFF]),
            (true, [0, 0x81, 0, 1]),
            (true, [0x81, 0, 0, 0]),
        ] {
            let mut raw = match is_known {
                true => Raw::inside(server.address(), "data"),
                false => Raw::silent(server.address()),
            };
            raw.stream.write_all(&head).expect("sent");
            assert!(raw.is_ended(), "{is_known} {head:?}");
        }
    });
}

#[test]
fn what_nobody_signed_is_not_obeyed_and_no_more() {
    let server = Server::start();
    std::fs::write(server.share("data").join("file"), "x").expect("written");
    beside(&server, || {
        let mut raw = Raw::inside(server.address(), "data");
        let echo = echo::Request::default();
        for bit in 0..128 {
            let mut message = raw.message(&echo);
            message[48 + bit / 8] ^= 1 << (bit % 8);
            raw.send(&message).expect("sent");
            assert_eq!(raw.answer().0.status, NtStatus::ACCESS_DENIED, "bit {bit}");
        }
        let header = raw.header(Command::ECHO);
        raw.send(&echo.emit(&header)).expect("sent");
        assert_eq!(
            raw.answer().0.status,
            NtStatus::ACCESS_DENIED,
            "no signature"
        );
        assert_eq!(raw.status(&echo), NtStatus::SUCCESS, "and it goes on");
    });
}

/// What somebody who has logged on says.
type Lie<'a> = &'a dyn Fn(&mut Raw) -> Vec<u8>;

#[test]
fn messages_out_of_order_end_the_connection() {
    let server = Server::start();
    std::fs::write(server.share("data").join("file"), "x").expect("written");
    let echo = echo::Request::default();
    let negotiate = negotiate::Request {
        dialects: vec![Dialect(0x0302)],
        ..negotiate::Request::default()
    };
    let liars: [(&str, Lie<'_>); 7] = [
        ("a message again", &|raw| {
            let message = raw.message(&echo);
            raw.send(&message).expect("sent");
            assert_eq!(raw.answer().0.status, NtStatus::SUCCESS);
            message
        }),
        ("an id that nobody granted", &|raw| {
            raw.next_message_id += 100_000;
            raw.message(&echo)
        }),
        ("more credits than there are", &|raw| {
            let header = Header {
                credit_charge: u16::MAX,
                ..raw.header(Command::ECHO)
            };
            raw.signed(echo.emit(&header))
        }),
        ("a second negotiation", &|raw| raw.message(&negotiate)),
        ("sealed for nobody", &|_| {
            [&[0xFD, b'S', b'M', b'B'][..], &[0x41; 200]].concat()
        }),
        ("compressed, which was not agreed on", &|_| {
            [&[0xFC, b'S', b'M', b'B'][..], &[0xFF; 200]].concat()
        }),
        ("an answer", &|raw| {
            let mut header = raw.header(Command::ECHO);
            header.flags |= fsrvp_wire::smb2::HeaderFlags::SERVER_TO_REDIR;
            raw.signed(echo.emit(&header))
        }),
    ];
    beside(&server, || {
        for (what, lie) in liars {
            let mut raw = Raw::inside(server.address(), "data");
            let message = lie(&mut raw);
            raw.send(&message).expect("sent");
            assert!(raw.is_ended(), "{what}");
        }
    });
}

/// Signed requests of every command with bodies of noise: an answer each, whatever it is.
#[test]
fn bodies_of_noise_from_one_who_is_logged_on_are_answered() {
    let server = Server::start();
    std::fs::write(server.share("data").join("file"), "x").expect("written");
    beside(&server, || {
        let mut noise = Noise(0x5EED_0002);
        let mut raw = Raw::inside(server.address(), "data");
        let file_id = raw.open("file").expect("open");
        for round in 0..3000_u16 {
            // All but NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_DISCONNECT and CANCEL.
            let commands = [3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18];
            let command = Command(commands[usize::from(round) % commands.len()]);
            let mut message = raw.header(command).emit();
            let length = usize::try_from(noise.next() % 200).expect("small");
            let mut body = noise.bytes(length);
            // Often with the structure size and the file of a good one.
            if round % 3 > 0 && body.len() > 40 {
                let size = [
                    0, 0, 0, 9, 0, 57, 24, 24, 49, 49, 48, 57, 0, 4, 33, 32, 41, 33, 0,
                ];
                body[0] = size[usize::from(command.0)];
                body[1] = 0;
                let id = [
                    file_id.persistent.to_le_bytes(),
                    file_id.volatile.to_le_bytes(),
                ];
                body[8..24].copy_from_slice(&id.concat());
            }
            message.extend(body);
            let message = raw.signed(message);
            raw.send(&message).expect("sent");
            let Some((header, _)) = raw.receive() else {
                panic!("round {round}: {command} ended the connection");
            };
            if header.status == NtStatus::PENDING {
                raw = Raw::inside(server.address(), "data");
            }
        }
    });
}
