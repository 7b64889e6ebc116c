//! MS-SMB2 3.3.4.2, 3.3.5.12, 3.3.5.16: pipes, requests that wait, and those taken back.

use super::client::{Client, open_request};
use crate::smb::limits;
use crate::smb::work::{FileDone, FileWork};
use fsrvp_wire::fsrvp::{INTERFACE, INTERFACE_VERSION};
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::ioctl::{self, CtlCode, IoctlFlags};
use fsrvp_wire::smb2::negotiate::Dialect;
use fsrvp_wire::smb2::{
    Body, Command, FileId, Header, HeaderFlags, NtStatus, cancel, close, echo, lock, read,
    tree_connect, write,
};

const PIPE: &str = "FssagentRpc";

/// C706 12.6.4.3: a bind of FSRVP over NDR, without security.
fn bind() -> Vec<u8> {
    let mut pdu = vec![5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
    pdu.extend([0xB8, 0x10, 0xB8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
    pdu.extend(INTERFACE.to_bytes_le());
    pdu.extend(INTERFACE_VERSION.0.to_le_bytes());
    pdu.extend(INTERFACE_VERSION.1.to_le_bytes());
    let ndr = uuid::Uuid::from_u128(0x8a885d04_1ceb_11c9_9fe8_08002b104860);
    pdu.extend(ndr.to_bytes_le());
    pdu.extend(2_u32.to_le_bytes());
    pdu
}

fn transceive(file_id: FileId, input: Vec<u8>, max_output_response: u32) -> ioctl::Request {
    ioctl::Request {
        ctl_code: CtlCode::FSCTL_PIPE_TRANSCEIVE,
        file_id,
        input,
        max_output_response,
        flags: IoctlFlags::IS_FSCTL,
        ..ioctl::Request::default()
    }
}

fn reading(file_id: FileId, length: u32) -> read::Request {
    read::Request {
        length,
        file_id,
        ..read::Request::default()
    }
}

#[test]
fn the_pipe_has_one_name_in_many_spellings() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "ipc$");
    for name in ["FssagentRpc", "FSSAGENTRPC", r"pipe\fssagentrpc"] {
        client.open(name);
    }
    for name in ["spoolss", "", "fssagentrpc2"] {
        let status = client.status(&open_request(name));
        assert_eq!(status, NtStatus::OBJECT_NAME_NOT_FOUND, "{name}");
    }
}

#[test]
fn a_bind_is_answered_through_a_transceive() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    let file_id = client.open(PIPE);
    let response: ioctl::Response = client.ask(&transceive(file_id, bind(), 4096));
    assert_eq!(response.output.get(2), Some(&12), "bind_ack");
}

#[test]
fn a_message_is_read_in_parts() {
    let mut client = Client::connected(Dialect::SMB_2_1, "IPC$");
    let file_id = client.open(PIPE);
    let message = client.message(&transceive(file_id, bind(), 10));
    client.send(&message);
    let (header, message) = client.receive_one();
    assert_eq!(header.status, NtStatus::BUFFER_OVERFLOW);
    let start = ioctl::Response::parse(&message).expect("the body").1.output;
    assert_eq!(start.len(), 10);
    let rest: read::Response = client.ask(&reading(file_id, 4096));
    let length = u16::from_le_bytes([start[8], start[9]]);
    assert_eq!(usize::from(length), start.len() + rest.data.len());
}

#[test]
fn written_and_read_is_as_good_as_transceived() {
    let mut client = Client::connected(Dialect::SMB_2_0_2, "IPC$");
    let file_id = client.open(PIPE);
    for part in bind().chunks(30) {
        let request = write::Request {
            file_id,
            data: part.to_vec(),
            ..write::Request::default()
        };
        let _: write::Response = client.ask(&request);
    }
    let response: read::Response = client.ask(&reading(file_id, 4096));
    assert_eq!(response.data.get(2), Some(&12), "bind_ack");
}

#[test]
fn a_transceive_over_an_unread_message_is_refused() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    let file_id = client.open(PIPE);
    let request = write::Request {
        file_id,
        data: bind(),
        ..write::Request::default()
    };
    let _: write::Response = client.ask(&request);
    let status = client.status(&transceive(file_id, bind(), 4096));
    assert_eq!(status, NtStatus::PIPE_BUSY);
}

/// A read of an empty pipe that the client was told to wait for.
fn pending(client: &mut Client, file_id: FileId) -> (Header, Header) {
    let message = client.message(&reading(file_id, 4096));
    let request = Header::parse(&message).expect("a header");
    client.send(&message);
    assert!(client.receive().is_none());
    client.pass(limits::INTERIM_AFTER);
    let (interim, _) = client.receive_one();
    assert_eq!(interim.status, NtStatus::PENDING);
    assert!(interim.async_id().is_some());
    assert!(interim.flags.contains(HeaderFlags::SIGNED));
    client.pass(limits::INTERIM_AFTER);
    assert!(client.receive().is_none(), "once is enough");
    (request, interim)
}

#[test]
fn a_read_of_an_empty_pipe_waits_and_is_answered_later() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    let file_id = client.open(PIPE);
    let (request, interim) = pending(&mut client, file_id);
    let write = write::Request {
        file_id,
        data: bind(),
        ..write::Request::default()
    };
    let message = client.message(&write);
    client.send(&message);
    let mut seen = Vec::new();
    while let Some(messages) = client.receive() {
        seen.extend(
            messages
                .into_iter()
                .map(|message| client.checked(message).0),
        );
    }
    let late = seen.iter().find(|header| header.command == Command::READ);
    let late = late.expect("the answer to the read");
    assert_eq!(late.status, NtStatus::SUCCESS);
    assert_eq!(late.async_id(), interim.async_id());
    assert_eq!(late.message_id, request.message_id);
    assert_eq!(late.credits, 0, "the interim response has granted them");
}

#[test]
fn a_wait_can_be_taken_back_by_either_id() {
    for by_async_id in [true, false] {
        let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
        let file_id = client.open(PIPE);
        let (request, interim) = pending(&mut client, file_id);
        let mut header = Header {
            message_id: request.message_id,
            session_id: client.session_id,
            ..Header::request(Command::CANCEL)
        };
        if by_async_id {
            header.message_id = 0;
            header.set_async_id(interim.async_id().expect("an id"));
        }
        let message = client.finish(cancel::Request::default().emit(&header));
        client.send(&message);
        let (answer, _) = client.receive_one();
        assert_eq!(answer.status, NtStatus::CANCELLED);
        assert_eq!(answer.message_id, request.message_id);
        assert_eq!(client.status(&echo::Request::default()), NtStatus::SUCCESS);
    }
}

#[test]
fn a_cancel_that_nobody_signed_takes_nothing_back() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    let file_id = client.open(PIPE);
    let (request, _) = pending(&mut client, file_id);
    let header = Header {
        message_id: request.message_id,
        session_id: client.session_id,
        ..Header::request(Command::CANCEL)
    };
    client.send(&cancel::Request::default().emit(&header));
    assert!(client.receive().is_none());
}

#[test]
fn bytes_that_are_no_rpc_end_the_pipe_and_nothing_else() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    let file_id = client.open(PIPE);
    let status = client.status(&transceive(file_id, vec![0xFF; 40], 4096));
    assert_eq!(status, NtStatus::PIPE_DISCONNECTED);
    let other = client.open(PIPE);
    let response: ioctl::Response = client.ask(&transceive(other, bind(), 4096));
    assert_eq!(response.output.get(2), Some(&12), "bind_ack");
}

#[test]
fn pipes_have_a_limit() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    for _ in 0..limits::PIPES_MAX {
        client.open(PIPE);
    }
    let status = client.status(&open_request(PIPE));
    assert_eq!(status, NtStatus::INSUFFICIENT_RESOURCES);
}

#[test]
fn a_tree_connect_that_takes_long_is_answered_once_and_with_its_tree() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "IPC$");
    let request = tree_connect::Request {
        path: r"\\server\data".into(),
        ..tree_connect::Request::default()
    };
    let message = client.message(&request);
    client.send(&message);
    let (id, _) = client.work().expect("the share is looked for");
    client.pass(limits::INTERIM_AFTER);
    assert!(client.receive().is_none(), "an interim response");
    let tree = FileDone::Tree {
        maximal_access: AccessMask::FILE_ALL_ACCESS,
        encrypts: false,
    };
    client.done(id, Ok(tree));
    let (header, _) = client.receive_one();
    assert_eq!(header.status, NtStatus::SUCCESS);
    assert_eq!(header.async_id(), None);
    assert_ne!(header.tree_id, client.tree_id, "a tree of its own");
}

/// What a read of one byte gives, with the room in front of it.
fn one_byte() -> FileDone {
    FileDone::Data(vec![0; read::DATA_AT + 1])
}

fn closing(file_id: FileId) -> close::Request {
    close::Request {
        file_id,
        ..close::Request::default()
    }
}

/// MS-SMB2 3.3.5.10: what was asked before is done before, and its client is told that it waits.
#[test]
fn a_close_overtakes_nothing_that_was_asked_before() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let (file_id, other) = (client.open("a"), client.open("b"));
    for file_id in [file_id, other] {
        let message = client.message(&reading(file_id, 10));
        client.send(&message);
    }
    let (first, _) = client.work().expect("a read");
    let (second, _) = client.work().expect("another file's read");
    let message = client.message(&closing(file_id));
    client.send(&message);
    assert!(client.work().is_none(), "the file is being read");
    client.done(second, Ok(one_byte()));
    assert!(client.work().is_none(), "it still is");
    client.receive_one();
    client.pass(limits::INTERIM_AFTER);
    let mut told = Vec::new();
    while let Some(messages) = client.receive() {
        told.extend(
            messages
                .into_iter()
                .map(|message| client.checked(message).0),
        );
    }
    let told: Vec<_> = told
        .iter()
        .map(|told| (told.command, told.status))
        .collect();
    let waits = |command| (command, NtStatus::PENDING);
    assert_eq!(told, [waits(Command::READ), waits(Command::CLOSE)]);
    client.done(first, Ok(one_byte()));
    let (header, _) = client.receive_one();
    assert_eq!(
        (header.command, header.status),
        (Command::READ, NtStatus::SUCCESS)
    );
    let (last, work) = client.work().expect("now it is closed");
    assert!(matches!(work, FileWork::Close(_)), "{work:?}");
    client.done(last, Ok(FileDone::Nothing));
    let (header, _) = client.receive_one();
    assert_eq!(
        (header.command, header.status),
        (Command::CLOSE, NtStatus::SUCCESS)
    );
}

/// Whoever waits for a lock may wait for ever, and ends with the file.
#[test]
fn a_close_waits_for_no_lock() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let file_id = client.open("a");
    let element = lock::LockElement {
        length: 1,
        flags: lock::LockFlags::EXCLUSIVE_LOCK,
        ..lock::LockElement::default()
    };
    let message = client.message(&lock::Request {
        file_id,
        locks: vec![element],
        ..lock::Request::default()
    });
    client.send(&message);
    let (_, work) = client.work().expect("a lock");
    assert!(
        matches!(work, FileWork::Lock { wait: true, .. }),
        "{work:?}"
    );
    let message = client.message(&closing(file_id));
    client.send(&message);
    let (_, work) = client.work().expect("a close");
    assert!(matches!(work, FileWork::Close(_)), "{work:?}");
}
