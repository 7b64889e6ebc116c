//! MS-SMB2 3.3.5.2.1.1, 3.3.5.2.9, 3.3.4.1.4.

use super::client::{Client, ENCRYPTED, PASSWORD, USER, offered_contexts, open_request};
use crate::config::Encryption;
use crate::smb::work::FileWork;
use fsrvp_wire::security::Cipher;
use fsrvp_wire::smb2::negotiate::Dialect;
use fsrvp_wire::smb2::negotiate_contexts::{
    self as contexts, ContextType, EncryptionCapabilities, NegotiateContext,
};
use fsrvp_wire::smb2::session_setup::SessionFlags;
use fsrvp_wire::smb2::{Command, HeaderFlags, NtStatus, echo, logoff, tree_disconnect};

const CIPHERS: [contexts::Cipher; 4] = [
    contexts::Cipher::AES_128_GCM,
    contexts::Cipher::AES_128_CCM,
    contexts::Cipher::AES_256_GCM,
    contexts::Cipher::AES_256_CCM,
];

fn offering(ciphers: &[contexts::Cipher]) -> Vec<NegotiateContext> {
    let offered = EncryptionCapabilities {
        ciphers: ciphers.to_vec(),
    };
    let mut all = offered_contexts();
    all.push(offered.to_context());
    all
}

/// A client of 3.1.1 that is logged on and offered these ciphers.
fn logged_on(encryption: Encryption, ciphers: &[contexts::Cipher]) -> Client {
    let mut client = Client::of(encryption);
    client.negotiate_with(&[Dialect::SMB_3_1_1], offering(ciphers));
    assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
    client
}

/// Encrypted requests are served, to the last: the answer of LOGOFF is encrypted as well.
fn works_encrypted(mut client: Client) {
    client.seals = true;
    assert_eq!(client.connect("IPC$"), NtStatus::SUCCESS);
    client.open("FssagentRpc");
    let _: echo::Response = client.ask(&echo::Request::default());
    let _: logoff::Response = client.ask(&logoff::Request::default());
}

#[test]
fn every_cipher_is_agreed_on_and_used() {
    for cipher in CIPHERS {
        let client = logged_on(Encryption::Allowed, &[contexts::Cipher(0x99), cipher]);
        assert_eq!(client.cipher, Some(Cipher(cipher.0)));
        assert_eq!(client.session_flags, SessionFlags::default());
        works_encrypted(client);
    }
    for dialect in [Dialect::SMB_3_0, Dialect::SMB_3_0_2] {
        let mut client = Client::new();
        client.negotiate(&[dialect]);
        assert_eq!(client.cipher, Some(Cipher::AES_128_CCM));
        assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
        works_encrypted(client);
    }
}

#[test]
fn dialects_before_3_0_have_no_encryption() {
    for dialect in [Dialect::SMB_2_0_2, Dialect::SMB_2_1] {
        let mut client = Client::of(Encryption::Required);
        client.negotiate(&[dialect]);
        assert_eq!(client.cipher, None);
        assert_eq!(client.log_on(USER, PASSWORD), NtStatus::ACCESS_DENIED);
    }
}

#[test]
fn no_cipher_in_common_is_told() {
    let mut client = Client::new();
    let contexts = offering(&[contexts::Cipher(0x99)]);
    let response = client.negotiate_with(&[Dialect::SMB_3_1_1], contexts);
    let told = response
        .negotiate_contexts
        .iter()
        .find(|context| context.context_type == ContextType::ENCRYPTION_CAPABILITIES)
        .map(|context| EncryptionCapabilities::parse(&context.data).expect("the data"));
    assert_eq!(told.expect("it").ciphers, [contexts::Cipher::NONE]);
}

#[test]
fn a_server_without_encryption_agrees_on_none() {
    let mut client = logged_on(Encryption::Off, &CIPHERS);
    assert_eq!(client.cipher, None);
    assert_eq!(client.connect("IPC$"), NtStatus::SUCCESS);
    let mut client = Client::of(Encryption::Off);
    client.negotiate(&[Dialect::SMB_3_0]);
    assert_eq!(client.cipher, None);
}

#[test]
fn a_bare_request_is_refused_where_encryption_is_required() {
    let mut client = logged_on(Encryption::Required, &CIPHERS);
    assert_eq!(client.session_flags, SessionFlags::ENCRYPT_DATA);
    assert_eq!(client.connect("IPC$"), NtStatus::ACCESS_DENIED);
    assert_eq!(
        client.status(&logoff::Request::default()),
        NtStatus::ACCESS_DENIED
    );
    works_encrypted(client);
}

#[test]
fn a_frame_that_was_changed_ends_the_connection() {
    let mut client = logged_on(Encryption::Allowed, &CIPHERS);
    client.seals = true;
    let keys = client.keys.as_mut().expect("keys");
    keys.client_to_server = keys.server_to_client.clone();
    let message = client.message(&echo::Request::default());
    client.send(&message);
    assert!(client.connection.is_closed());
    assert!(client.connection.poll_output().is_none());
}

#[test]
fn a_key_opens_its_own_session_only() {
    // A request that claims to be related has none before it to take its session from.
    for flags in [HeaderFlags::default(), HeaderFlags::RELATED_OPERATIONS] {
        let mut client = logged_on(Encryption::Allowed, &CIPHERS);
        client.seals = true;
        let mut header = client.header(Command::TREE_DISCONNECT);
        header.session_id += 1;
        header.flags |= flags;
        let body = tree_disconnect::Request::default();
        let message = fsrvp_wire::smb2::Body::emit(&body, &header);
        client.send(&message);
        assert!(client.connection.is_closed());
    }
}

#[test]
fn a_share_that_encrypts_is_closed_to_those_who_cannot() {
    for dialect in [Dialect::SMB_2_0_2, Dialect::SMB_2_1] {
        let mut client = Client::new();
        client.negotiate(&[dialect]);
        assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
        assert_eq!(client.connect(ENCRYPTED), NtStatus::ACCESS_DENIED);
        let forgotten = client.work().map(|(_, work)| work);
        assert!(matches!(forgotten, Some(FileWork::DisconnectTree(_))));
    }
}

#[test]
fn a_share_that_encrypts_takes_no_bare_request() {
    let mut client = logged_on(Encryption::Allowed, &CIPHERS);
    // The way in is open, since only its answer tells the client.
    assert_eq!(client.connect(ENCRYPTED), NtStatus::SUCCESS);
    for status in [
        client.status(&open_request("file")),
        client.status(&tree_disconnect::Request::default()),
    ] {
        assert_eq!(status, NtStatus::ACCESS_DENIED);
    }
    assert!(client.work().is_none());
    // Other shares of the same session are not concerned.
    let encrypted = client.tree_id;
    assert_eq!(client.connect("data"), NtStatus::SUCCESS);
    client.open("file");
    client.tree_id = encrypted;
    client.seals = true;
    client.open("file");
}
