//! Bytes that no client means: they end their own connection, and never panic.

use super::client::Client;
use crate::smb::limits;
use crate::smb::window::CREDITS_MAX;
use crate::smb::work::FileDone;
use fsrvp_wire::smb2::negotiate::Dialect;
use fsrvp_wire::smb2::{Body, Command, Header, HeaderFlags, NtStatus, echo, read};
use proptest::prelude::*;

#[test]
fn a_frame_too_long_is_refused_by_its_first_bytes() {
    let mut client = Client::new();
    client
        .connection
        .handle_bytes(&[0, 0x02, 0, 0x01], client.now);
    assert!(client.connection.is_closed());
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    client
        .connection
        .handle_bytes(&[0, 0x02, 0, 0x01], client.now);
    assert!(
        !client.connection.is_closed(),
        "a client that has logged on may send more"
    );
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    client.connection.handle_bytes(&[0, 0x81, 0, 1], client.now);
    assert!(client.connection.is_closed());
}

#[test]
fn message_ids_outside_of_the_window_end_the_connection() {
    for (skipped, credit_charge) in [(CREDITS_MAX + 1, 1), (0, u16::MAX)] {
        let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
        client.next_message_id += skipped;
        let header = client.header(Command::ECHO);
        let header = Header {
            credit_charge,
            ..header
        };
        let message = client.finish(echo::Request::default().emit(&header));
        client.send(&message);
        assert!(client.connection.is_closed());
    }
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    client.next_message_id -= 1;
    let message = client.message(&echo::Request::default());
    client.send(&message);
    assert!(client.connection.is_closed(), "an id that was used before");
}

#[test]
fn a_request_that_pays_too_little_is_refused() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let file_id = client.open("file");
    for (length, status) in [
        (limits::CREDIT_BYTES + 1, NtStatus::INVALID_PARAMETER),
        (limits::TRANSFER_MAX + 1, NtStatus::INVALID_PARAMETER),
    ] {
        let request = read::Request {
            length,
            file_id,
            ..read::Request::default()
        };
        assert_eq!(client.status(&request), status);
        assert!(client.work().is_none());
    }
}

#[test]
fn a_response_from_a_client_ends_the_connection() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let header = client.header(Command::ECHO);
    let header = Header {
        flags: HeaderFlags::SERVER_TO_REDIR,
        ..header
    };
    let message = client.finish(echo::Request::default().emit(&header));
    client.send(&message);
    assert!(client.connection.is_closed());
}

#[test]
fn a_client_that_has_too_much_waiting_is_not_read_any_more() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    for _ in 0..60 {
        client.status(&echo::Request::default());
    }
    let mut sent = 0;
    while client.connection.wants_input() {
        let message = client.message(&super::client::open_request("slow"));
        client.send(&message);
        sent += 1;
    }
    assert!(!client.connection.is_closed());
    assert_eq!(sent, limits::CHAINS_MAX);
    let (id, _) = client.work().expect("an open");
    client.done(id, Err(NtStatus::ACCESS_DENIED));
    assert!(client.connection.wants_input());
}

#[test]
fn what_waits_is_bounded_by_what_it_paid_for() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let file_id = client.open("file");
    let mut header = client.header(Command::ECHO);
    header.credits = u16::MAX;
    let message = client.finish(echo::Request::default().emit(&header));
    client.send(&message);
    client.receive_one();
    let charge = u16::try_from(limits::TRANSFER_MAX / limits::CREDIT_BYTES).expect("a charge");
    let mut sent = 0;
    while client.connection.wants_input() {
        let request = read::Request {
            length: limits::TRANSFER_MAX,
            file_id,
            ..read::Request::default()
        };
        let mut header = client.header(Command::READ);
        header.credit_charge = charge;
        client.next_message_id += u64::from(charge) - 1;
        let message = client.finish(request.emit(&header));
        client.send(&message);
        sent += 1;
    }
    assert_eq!(sent, limits::WAITING_BYTES_MAX / 8 / 1024 / 1024);
    let (id, _) = client.work().expect("a read");
    client.done(id, Ok(FileDone::Data(vec![7; 8 * 1024 * 1024])));
    assert!(client.connection.wants_input());
}

proptest! {
    #[test]
    fn random_bytes_end_in_peace(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut client = Client::new();
        client.connection.handle_bytes(&bytes, client.now);
        while client.connection.poll_output().is_some() {}
    }

    /// Headers that are right with bodies that are random, before and after a logon.
    #[test]
    fn random_bodies_are_answered_or_end_in_peace(
        logged_on in any::<bool>(),
        command in 0_u16..0x14,
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut client = Client::new();
        if logged_on {
            client = Client::connected(Dialect::SMB_3_1_1, "data");
        } else {
            client.negotiate(&[Dialect::SMB_3_1_1]);
        }
        let mut message = client.header(Command(command)).emit();
        message.extend(body);
        let message = client.finish(message);
        client.send(&message);
        while client.connection.poll_output().is_some() {}
        while let Some((id, _)) = client.work() {
            client.done(id, Err(NtStatus::ACCESS_DENIED));
        }
    }
}
