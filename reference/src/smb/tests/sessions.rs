//! MS-SMB2 3.3.5.2.4, 3.3.5.2.9, 3.3.5.5 to 3.3.5.8: logons, signatures, shares.

use super::client::{Client, PASSWORD, USER};
use crate::smb::Replaced;
use crate::smb::work::{FileDone, FileWork};
use fsrvp_wire::smb2::negotiate::Dialect;
use fsrvp_wire::smb2::session_setup::{self, SessionSetupFlags};
use fsrvp_wire::smb2::{
    Body, Command, HeaderFlags, NtStatus, close, echo, logoff, tree_connect, tree_disconnect,
};
use std::sync::Arc;
use std::time::Duration;

fn negotiated() -> Client {
    let mut client = Client::new();
    client.negotiate(&[Dialect::SMB_3_1_1]);
    client
}

#[test]
fn a_wrong_password_an_unknown_user_and_nobody_are_refused_alike() {
    for (user, password) in [(USER, "wrong"), ("nobody", PASSWORD), ("", "")] {
        let mut client = negotiated();
        assert_eq!(
            client.log_on(user, password),
            NtStatus::LOGON_FAILURE,
            "{user}"
        );
        assert!(!client.connection.is_closed());
        assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
    }
}

#[test]
fn bytes_that_are_no_token_are_refused() {
    let mut client = negotiated();
    let request = session_setup::Request {
        security_buffer: vec![0x60, 0x99, 1, 2, 3],
        ..session_setup::Request::default()
    };
    assert_eq!(client.status(&request), NtStatus::INVALID_PARAMETER);
}

#[test]
fn sessions_cannot_be_bound_to_further_connections() {
    let mut client = negotiated();
    let request = session_setup::Request {
        flags: SessionSetupFlags::BINDING,
        ..session_setup::Request::default()
    };
    assert_eq!(client.status(&request), NtStatus::REQUEST_NOT_ACCEPTED);
}

#[test]
fn a_client_that_comes_back_ends_its_session_of_before() {
    let mut before = Client::connected(Dialect::SMB_3_1_1, "data");
    before.open("file");
    let mut after = Client::to(Arc::clone(&before.server));
    after.negotiate(&[Dialect::SMB_3_1_1]);
    after.previous_session_id = before.session_id;
    assert_eq!(after.log_on(USER, PASSWORD), NtStatus::SUCCESS);
    assert_ne!(after.session_id, before.session_id);
    let replaced = after.replaced.take().expect("the session of before");
    assert_eq!(replaced.connection, before.connection.id());
    let of_another = Replaced {
        user: "eve".to_owned(),
        ..replaced.clone()
    };
    before.connection.handle_replaced(&of_another, before.now);
    assert!(before.work().is_none());
    before.connection.handle_replaced(&replaced, before.now);
    assert!(matches!(before.work(), Some((_, FileWork::Close(_)))));
    assert!(matches!(
        before.work(),
        Some((_, FileWork::DisconnectTree(_)))
    ));
    assert_eq!(
        before.status(&echo::Request::default()),
        NtStatus::USER_SESSION_DELETED
    );
    assert_eq!(after.status(&echo::Request::default()), NtStatus::SUCCESS);
}

#[test]
fn a_session_that_is_not_there_is_not_replaced() {
    let mut client = negotiated();
    client.previous_session_id = 0x1234;
    assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
    assert!(client.replaced.is_none());
}

#[test]
fn an_unsigned_request_of_a_session_is_refused() {
    let mut client = negotiated();
    client.log_on(USER, PASSWORD);
    let key = client.key.take();
    assert_eq!(
        client.status(&echo::Request::default()),
        NtStatus::ACCESS_DENIED
    );
    client.key = key;
    assert_eq!(client.status(&echo::Request::default()), NtStatus::SUCCESS);
}

#[test]
fn a_wrong_signature_is_refused_and_not_obeyed() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let mut message = client.message(&logoff::Request::default());
    message[50] ^= 1;
    client.send(&message);
    assert_eq!(client.receive_one().0.status, NtStatus::ACCESS_DENIED);
    assert_eq!(client.status(&echo::Request::default()), NtStatus::SUCCESS);
}

#[test]
fn nothing_but_the_logon_is_served_before_its_end() {
    let mut client = negotiated();
    let request = tree_connect::Request {
        path: r"\\server\data".into(),
        ..tree_connect::Request::default()
    };
    client.session_id = 77;
    assert_eq!(client.status(&request), NtStatus::USER_SESSION_DELETED);
    client.session_id = 0;
    assert_eq!(client.status(&request), NtStatus::USER_SESSION_DELETED);
}

#[test]
fn a_share_of_another_name_is_not_there() {
    let mut client = negotiated();
    client.log_on(USER, PASSWORD);
    let request = tree_connect::Request {
        path: r"\\server\nope".into(),
        ..tree_connect::Request::default()
    };
    let message = client.message(&request);
    client.send(&message);
    let (id, work) = client.work().expect("work");
    let FileWork::ConnectTree { share, user, .. } = work else {
        panic!("{work:?}");
    };
    assert_eq!((share.as_str(), user.as_str()), ("nope", USER));
    client.done(id, Err(NtStatus::BAD_NETWORK_NAME));
    assert_eq!(client.receive_one().0.status, NtStatus::BAD_NETWORK_NAME);
}

#[test]
fn the_end_of_a_tree_closes_what_was_open_in_it() {
    let mut client = Client::connected(Dialect::SMB_2_1, "data");
    let file_id = client.open("file");
    let _: tree_disconnect::Response = client.ask(&tree_disconnect::Request::default());
    assert!(matches!(client.work(), Some((_, FileWork::Close(_)))));
    assert!(matches!(
        client.work(),
        Some((_, FileWork::DisconnectTree(_)))
    ));
    let request = close::Request {
        file_id,
        ..close::Request::default()
    };
    assert_eq!(client.status(&request), NtStatus::NETWORK_NAME_DELETED);
}

#[test]
fn a_logoff_is_answered_signed_and_ends_everything() {
    let mut client = Client::connected(Dialect::SMB_3_0, "data");
    client.open("file");
    let message = client.message(&logoff::Request::default());
    client.send(&message);
    let (header, _) = client.receive_one();
    assert_eq!(header.status, NtStatus::SUCCESS);
    assert!(header.flags.contains(HeaderFlags::SIGNED));
    assert!(matches!(client.work(), Some((_, FileWork::Close(_)))));
    assert_eq!(
        client.status(&echo::Request::default()),
        NtStatus::USER_SESSION_DELETED
    );
}

#[test]
fn the_end_of_the_connection_closes_what_was_open() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    client.open("file");
    client.connection.handle_disconnect();
    assert!(matches!(client.work(), Some((_, FileWork::Close(_)))));
    assert!(matches!(
        client.work(),
        Some((_, FileWork::DisconnectTree(_)))
    ));
    assert!(client.work().is_none());
}

#[test]
fn an_open_that_comes_after_the_logoff_is_closed() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let message = client.message(&super::client::open_request("late"));
    client.send(&message);
    let (id, work) = client.work().expect("an open");
    assert!(matches!(work, FileWork::Open(_)));
    let message = client.message(&logoff::Request::default());
    client.send(&message);
    client.receive_one();
    assert!(matches!(
        client.work(),
        Some((_, FileWork::DisconnectTree(_)))
    ));
    let opened = FileDone::Opened {
        granted_access: Default::default(),
        maximal_access: Default::default(),
        action: Default::default(),
        info: Default::default(),
    };
    client.done(id, Ok(opened));
    assert_eq!(
        client.receive_one().0.status,
        NtStatus::USER_SESSION_DELETED
    );
    assert!(matches!(client.work(), Some((_, FileWork::Close(_)))));
}

#[test]
fn a_client_that_does_not_log_on_is_cut_off() {
    let mut client = negotiated();
    client.pass(crate::config::LOGON_WAIT - Duration::from_secs(1));
    assert!(!client.connection.is_closed());
    client.pass(Duration::from_secs(1));
    assert!(client.connection.is_closed());
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    client.pass(crate::config::LOGON_WAIT * 100);
    assert!(!client.connection.is_closed());
}

#[test]
fn who_logs_off_has_time_to_log_on_again() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    client.pass(crate::config::LOGON_WAIT * 100);
    let logoff = logoff::Request::default();
    assert_eq!(client.status(&logoff), NtStatus::SUCCESS);
    client.pass(crate::config::LOGON_WAIT - Duration::from_secs(1));
    assert!(!client.connection.is_closed());
    client.pass(Duration::from_secs(1));
    assert!(client.connection.is_closed());
}

#[test]
fn a_frame_comes_whole_in_time_or_ends_its_connection() {
    use crate::config::FRAME_WAIT;
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    let message = client.message(&echo::Request::default());
    let frame = fsrvp_wire::nbss::emit(&message).expect("short");
    let (begin, end) = frame.split_at(2);
    client.connection.handle_bytes(begin, client.now);
    client.pass(FRAME_WAIT - Duration::from_secs(1));
    client.connection.handle_bytes(end, client.now);
    assert_eq!(client.receive_one().0.status, NtStatus::SUCCESS);
    client.pass(FRAME_WAIT * 3);
    assert!(
        !client.connection.is_closed(),
        "silence between frames is fine"
    );
    client.connection.handle_bytes(begin, client.now);
    // Bytes that trickle in do not put it off.
    for byte in end.iter().take(4) {
        client.pass(FRAME_WAIT / 8);
        client.connection.handle_bytes(&[*byte], client.now);
    }
    client.pass(FRAME_WAIT / 2 - Duration::from_secs(1));
    assert!(!client.connection.is_closed());
    client.pass(Duration::from_secs(1));
    assert!(client.connection.is_closed());
}

#[test]
fn commands_that_are_not_served_say_so() {
    let mut client = Client::connected(Dialect::SMB_3_1_1, "data");
    for (command, status) in [
        (Command::CHANGE_NOTIFY, NtStatus::NOT_SUPPORTED),
        (Command(0x77), NtStatus::INVALID_PARAMETER),
    ] {
        let header = client.header(command);
        let message = client.finish(echo::Request::default().emit(&header));
        client.send(&message);
        assert_eq!(client.receive_one().0.status, status, "{command}");
    }
}
