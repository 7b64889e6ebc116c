//! Frames that do not come whole, messages that are not what they say, and clients who know no
//! order: an error or an end for their own connection.

use super::{Noise, beside};
use crate::raw::Raw;
use crate::server::Server;
use fsrvp_wire::nbss;
use fsrvp_wire::smb2::negotiate::{self, Dialect};
use fsrvp_wire::smb2::{Body as _, Command, FileId, Header, NtStatus, close, echo, write};
use fsrvp_wire::srvsvc;
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

/// A bind to `srvsvc` with NDR32, and nothing to prove who asks.
fn bind() -> Vec<u8> {
    let mut pdu = vec![5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
    pdu.extend([0xB8, 0x10, 0xB8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
    pdu.extend(srvsvc::INTERFACE.to_bytes_le());
    pdu.extend([3, 0, 0, 0]);
    let ndr32 = uuid::Uuid::from_u128(0x8a885d04_1ceb_11c9_9fe8_08002b104860);
    pdu.extend(ndr32.to_bytes_le());
    pdu.extend([2, 0, 0, 0]);
    pdu
}

/// A fragment of a request that is longer than everything, first or in the middle and never last.
fn endless(flags: u8) -> Vec<u8> {
    let mut pdu = vec![5, 0, 0, flags, 0x10, 0, 0, 0];
    pdu.extend(4280_u16.to_le_bytes());
    pdu.extend([0, 0, 2, 0, 0, 0]);
    // Its hint of the whole length is a lie as well.
    pdu.extend([0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 15, 0]);
    pdu.resize(4280, 0x41);
    pdu
}

fn write(raw: &mut Raw, file_id: FileId, data: Vec<u8>) -> NtStatus {
    raw.status(&write::Request {
        file_id,
        data,
        ..write::Request::default()
    })
}

/// Pipes take what is no RPC, or RPC without end, and end; what they kept meanwhile is bounded.
#[test]
fn noise_through_pipes_ends_the_pipes() {
    let server = Server::start();
    beside(&server, || {
        let mut noise = Noise(0x5EED_0003);
        let mut raw = Raw::inside(server.address(), "IPC$");
        for round in 0..200_u32 {
            let pipe = ["FssagentRpc", "srvsvc"][usize::from(round % 2 == 0)];
            let pipe = raw.open(pipe).expect("a pipe");
            let length = usize::try_from(noise.next() % 300).expect("small");
            let mut bytes = noise.bytes(length);
            if round % 3 > 0 && bytes.len() > 16 {
                // With the head of a PDU of each kind, of the length that it has.
                let kind = u8::try_from(round % 20).expect("small");
                bytes[..8].copy_from_slice(&[5, 0, kind, 3, 0x10, 0, 0, 0]);
                let length = u16::try_from(bytes.len()).expect("short");
                bytes[8..10].copy_from_slice(&length.to_le_bytes());
            }
            write(&mut raw, pipe, bytes);
            let close = close::Request {
                file_id: pipe,
                ..close::Request::default()
            };
            assert_eq!(raw.status(&close), NtStatus::SUCCESS, "round {round}");
        }
        for _ in 0..64 {
            let pipe = raw.open("srvsvc").expect("a pipe");
            assert_eq!(write(&mut raw, pipe, bind()), NtStatus::SUCCESS);
            assert_eq!(raw.read(pipe).expect("an answer")[2], 12, "BindAck");
            for number in 0..40 {
                write(&mut raw, pipe, endless(u8::from(number == 0)));
            }
            assert_eq!(raw.read(pipe).expect("an answer")[2], 3, "Fault");
            let over = write(&mut raw, pipe, endless(0));
            assert_eq!(over, NtStatus::PIPE_DISCONNECTED);
        }
        assert_eq!(raw.status(&echo::Request::default()), NtStatus::SUCCESS);
    });
    super::is_bounded(&server);
}
