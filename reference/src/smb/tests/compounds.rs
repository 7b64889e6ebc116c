//! MS-SMB2 3.3.5.2.7: several requests in one frame.

use super::client::{Client, open_request};
use crate::smb::work::{FileDone, FileInfo, FileWork};
use fsrvp_wire::smb2::negotiate::Dialect;
use fsrvp_wire::smb2::query_info::{self, InfoType};
use fsrvp_wire::smb2::{Body, Command, FileId, Header, HeaderFlags, NtStatus, close, create, echo};

fn related(client: &mut Client, command: Command) -> Header {
    let header = client.header(command);
    Header {
        flags: HeaderFlags::RELATED_OPERATIONS,
        session_id: u64::MAX,
        tree_id: u32::MAX,
        ..header
    }
}

/// Open, ask, close, in one frame, as smbclient sends it.
fn open_ask_close(client: &mut Client) -> Vec<u8> {
    let first = client.header(Command::CREATE);
    let second = related(client, Command::QUERY_INFO);
    let third = related(client, Command::CLOSE);
    let ask = query_info::Request {
        info_type: InfoType::FILE,
        file_info_class: 5,
        output_buffer_length: 100,
        file_id: FileId::RELATED,
        ..query_info::Request::default()
    };
    let end = close::Request {
        file_id: FileId::RELATED,
        ..close::Request::default()
    };
    let messages = vec![
        (first.clone(), open_request("file").emit(&first)),
        (second.clone(), ask.emit(&second)),
        (third.clone(), end.emit(&third)),
    ];
    client.compound(messages)
}

#[test]
fn related_requests_share_a_file_and_an_answer() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let frame = open_ask_close(&mut client);
    client.send(&frame);
    client.let_open();
    let (id, work) = client.work().expect("work");
    assert!(matches!(work, FileWork::Info(_)));
    client.done(id, Ok(FileDone::Info(FileInfo::default())));
    let (id, work) = client.work().expect("work");
    assert!(matches!(work, FileWork::Close(_)));
    assert!(
        client.receive().is_none(),
        "nothing is answered before the end"
    );
    client.done(id, Ok(FileDone::Nothing));
    let answers = client.receive().expect("the answers");
    let headers: Vec<Header> = answers
        .into_iter()
        .map(|message| client.checked(message).0)
        .collect();
    assert_eq!(headers.len(), 3);
    for header in &headers {
        assert_eq!(header.status, NtStatus::SUCCESS);
        assert!(header.flags.contains(HeaderFlags::SIGNED));
        assert!(header.credits >= 1);
    }
}

#[test]
fn whoever_means_a_file_that_was_not_opened_fails_with_the_open() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let frame = open_ask_close(&mut client);
    client.send(&frame);
    let (id, _) = client.work().expect("an open");
    client.done(id, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert!(client.work().is_none());
    let answers = client.receive().expect("the answers");
    for message in answers {
        let (header, _) = client.checked(message);
        assert_eq!(header.status, NtStatus::OBJECT_NAME_NOT_FOUND);
    }
}

#[test]
fn the_first_request_cannot_be_related() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let header = client.header(Command::ECHO);
    let header = Header {
        flags: HeaderFlags::RELATED_OPERATIONS,
        ..header
    };
    let message = client.finish(echo::Request::default().emit(&header));
    client.send(&message);
    assert_eq!(client.receive_one().0.status, NtStatus::INVALID_PARAMETER);
}

#[test]
fn unrelated_requests_in_one_frame_are_on_their_own() {
    let mut client = Client::connected(Dialect::SMB_3_0, "data");
    let file_id = client.open("file");
    let first = client.header(Command::ECHO);
    let second = client.header(Command::CLOSE);
    let third = client.header(Command::CLOSE);
    let end = |file_id| close::Request {
        file_id,
        ..close::Request::default()
    };
    let messages = vec![
        (first.clone(), echo::Request::default().emit(&first)),
        (second.clone(), end(FileId::default()).emit(&second)),
        (third.clone(), end(file_id).emit(&third)),
    ];
    let frame = client.compound(messages);
    client.send(&frame);
    let (id, _) = client.work().expect("a close");
    client.done(id, Ok(FileDone::Nothing));
    let answers = client.receive().expect("the answers");
    let statuses: Vec<NtStatus> = answers
        .into_iter()
        .map(|message| client.checked(message).0.status)
        .collect();
    let expected = [NtStatus::SUCCESS, NtStatus::FILE_CLOSED, NtStatus::SUCCESS];
    assert_eq!(statuses, expected);
}

#[test]
fn a_request_that_waits_holds_up_no_other_frame() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let message = client.message(&open_request("slow"));
    client.send(&message);
    let (slow, _) = client.work().expect("an open");
    assert_eq!(client.status(&echo::Request::default()), NtStatus::SUCCESS);
    client.done(slow, Err(NtStatus::ACCESS_DENIED));
    assert_eq!(client.receive_one().0.status, NtStatus::ACCESS_DENIED);
}

#[test]
fn opens_are_checked_before_anything_is_done() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let both = create::CreateOptions::DIRECTORY_FILE | create::CreateOptions::NON_DIRECTORY_FILE;
    let good = open_request("file");
    for (request, status) in [
        (
            create::Request {
                create_options: both,
                ..good.clone()
            },
            NtStatus::INVALID_PARAMETER,
        ),
        (
            create::Request {
                name: r"\file".into(),
                ..good.clone()
            },
            NtStatus::INVALID_PARAMETER,
        ),
        (
            create::Request {
                create_disposition: create::CreateDisposition(6),
                ..good.clone()
            },
            NtStatus::INVALID_PARAMETER,
        ),
        (
            create::Request {
                desired_access: create::AccessMask(0),
                ..good.clone()
            },
            NtStatus::ACCESS_DENIED,
        ),
        (
            create::Request {
                create_options: create::CreateOptions::DELETE_ON_CLOSE,
                ..good.clone()
            },
            NtStatus::ACCESS_DENIED,
        ),
    ] {
        assert_eq!(client.status(&request), status, "{request:?}");
        assert!(client.work().is_none());
    }
}

#[test]
fn what_is_related_to_nothing_fails_to_the_end_of_the_frame() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let file_id = client.open("file");
    let first = related(&mut client, Command::ECHO);
    let second = related(&mut client, Command::CLOSE);
    let end = close::Request {
        file_id,
        ..close::Request::default()
    };
    let frame = client.compound(vec![
        (first.clone(), echo::Request::default().emit(&first)),
        (second.clone(), end.emit(&second)),
    ]);
    client.send(&frame);
    assert!(client.work().is_none());
    for message in client.receive().expect("the answers") {
        assert_eq!(
            client.checked(message).0.status,
            NtStatus::INVALID_PARAMETER
        );
    }
}
