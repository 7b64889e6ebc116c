//! MS-SMB2 3.3.5.3, 3.3.5.4, 3.3.5.15.12.

use super::client::{Client, PASSWORD, USER, offered_contexts};
use fsrvp_wire::smb2::ioctl::{self, CtlCode, IoctlFlags};
use fsrvp_wire::smb2::negotiate::{self, Capabilities, Dialect, SecurityMode};
use fsrvp_wire::smb2::negotiate_contexts::{
    ContextType, HashAlgorithm, NegotiateContext, PreauthIntegrityCapabilities,
};
use fsrvp_wire::smb2::{FileId, NtStatus, echo, smb1_negotiate, validate_negotiate_info};
use uuid::Uuid;

#[test]
fn the_best_common_dialect_is_chosen() {
    use Dialect as D;
    for (offered, chosen) in [
        (vec![D::SMB_2_0_2], D::SMB_2_0_2),
        (vec![D::SMB_2_1, D::SMB_2_0_2], D::SMB_2_1),
        (vec![D::SMB_3_0, D::SMB_2_1], D::SMB_3_0),
        (vec![D::SMB_2_0_2, D::SMB_3_0_2, D::SMB_3_0], D::SMB_3_0_2),
        (vec![D(0x0399), D::SMB_3_1_1, D::SMB_2_1], D::SMB_3_1_1),
    ] {
        let response = Client::new().negotiate(&offered);
        assert_eq!(response.dialect_revision, chosen);
        assert!(
            response
                .security_mode
                .contains(SecurityMode::SIGNING_REQUIRED)
        );
        let large = response.capabilities.contains(Capabilities::LARGE_MTU);
        assert_eq!(large, chosen != D::SMB_2_0_2);
        let transfer_max = if large { 8 << 20 } else { 1 << 16 };
        assert_eq!(response.max_read_size, transfer_max);
    }
}

#[test]
fn encryption_is_not_promised_to_who_did_not_ask() {
    let response = Client::new().negotiate(&[Dialect::SMB_3_1_1]);
    assert!(!response.capabilities.contains(Capabilities::ENCRYPTION));
    let types: Vec<ContextType> = response
        .negotiate_contexts
        .iter()
        .map(|context| context.context_type)
        .collect();
    let expected = [
        ContextType::PREAUTH_INTEGRITY_CAPABILITIES,
        ContextType::SIGNING_CAPABILITIES,
    ];
    assert_eq!(types, expected);
}

fn refused(dialects: &[Dialect], contexts: Vec<NegotiateContext>) -> NtStatus {
    let request = negotiate::Request {
        dialects: dialects.to_vec(),
        negotiate_contexts: contexts,
        ..negotiate::Request::default()
    };
    Client::new().status(&request)
}

#[test]
fn what_cannot_be_agreed_on_is_refused() {
    assert_eq!(refused(&[], Vec::new()), NtStatus::INVALID_PARAMETER);
    assert_eq!(
        refused(&[Dialect(0x0222)], Vec::new()),
        NtStatus::NOT_SUPPORTED
    );
    let latest = [Dialect::SMB_3_1_1];
    assert_eq!(refused(&latest, Vec::new()), NtStatus::INVALID_PARAMETER);
    let twice = [offered_contexts(), offered_contexts()].concat();
    assert_eq!(refused(&latest, twice), NtStatus::INVALID_PARAMETER);
    let unknown = PreauthIntegrityCapabilities {
        hash_algorithms: vec![HashAlgorithm(9)],
        salt: vec![1; 32],
    };
    assert_eq!(
        refused(&latest, vec![unknown.to_context()]),
        NtStatus::NO_PREAUTH_INTEGRITY_HASH_OVERLAP
    );
}

#[test]
fn every_dialect_ends_in_signed_answers() {
    for dialect in [
        Dialect::SMB_2_0_2,
        Dialect::SMB_2_1,
        Dialect::SMB_3_0,
        Dialect::SMB_3_0_2,
        Dialect::SMB_3_1_1,
    ] {
        let mut client = Client::new();
        client.negotiate(&[dialect]);
        assert_eq!(
            client.log_on(USER, PASSWORD),
            NtStatus::SUCCESS,
            "{dialect}"
        );
        let _: echo::Response = client.ask(&echo::Request::default());
    }
}

fn smb1(dialects: &[&str]) -> Vec<u8> {
    let request = smb1_negotiate::Request {
        header: [0; 27],
        dialects: dialects
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect(),
    };
    request.emit()
}

#[test]
fn an_old_client_gets_the_wildcard_and_asks_again() {
    let mut client = Client::new();
    client.send(&smb1(&["NT LM 0.12", "SMB 2.002", "SMB 2.???"]));
    let response: negotiate::Response = client.answer();
    assert_eq!(response.dialect_revision, Dialect::SMB_2_WILDCARD);
    client.next_message_id = 1;
    client.negotiate(&[Dialect::SMB_3_1_1]);
    assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
}

#[test]
fn an_old_client_without_the_wildcard_has_2_0_2() {
    let mut client = Client::new();
    client.send(&smb1(&["NT LM 0.12", "SMB 2.002"]));
    let response: negotiate::Response = client.answer();
    assert_eq!(response.dialect_revision, Dialect::SMB_2_0_2);
}

#[test]
fn smb1_alone_and_a_second_negotiate_end_the_connection() {
    let mut client = Client::new();
    client.send(&smb1(&["NT LM 0.12"]));
    assert!(client.connection.is_closed());
    let mut client = Client::new();
    client.negotiate(&[Dialect::SMB_2_1]);
    let again = negotiate::Request {
        dialects: vec![Dialect::SMB_2_1],
        ..negotiate::Request::default()
    };
    let message = client.message(&again);
    client.send(&message);
    assert!(client.connection.is_closed());
}

fn validation(client: &mut Client, dialects: Vec<Dialect>) -> ioctl::Request {
    client.tree_id = 0;
    assert_eq!(client.connect("IPC$"), NtStatus::SUCCESS);
    let request = validate_negotiate_info::Request {
        capabilities: Capabilities::ENCRYPTION,
        guid: Uuid::from_u128(9),
        security_mode: SecurityMode::SIGNING_ENABLED,
        dialects,
    };
    ioctl::Request {
        ctl_code: CtlCode::FSCTL_VALIDATE_NEGOTIATE_INFO,
        file_id: FileId::RELATED,
        input: request.emit(),
        max_output_response: 24,
        flags: IoctlFlags::IS_FSCTL,
        ..ioctl::Request::default()
    }
}

#[test]
fn a_negotiation_can_be_validated() {
    let mut client = Client::new();
    client.negotiate(&[Dialect::SMB_3_0, Dialect::SMB_2_1]);
    client.log_on(USER, PASSWORD);
    let request = validation(&mut client, vec![Dialect::SMB_3_0, Dialect::SMB_2_1]);
    let response: ioctl::Response = client.ask(&request);
    let info = validate_negotiate_info::Response::parse(&response.output).expect("the data");
    assert_eq!(info.dialect, Dialect::SMB_3_0);
    assert_eq!(info.guid, Uuid::from_u128(7));
}

#[test]
fn a_negotiation_that_was_tampered_with_ends_the_connection() {
    let mut client = Client::new();
    client.negotiate(&[Dialect::SMB_2_1]);
    client.log_on(USER, PASSWORD);
    let request = validation(&mut client, vec![Dialect::SMB_3_0, Dialect::SMB_2_1]);
    let message = client.message(&request);
    client.send(&message);
    assert!(client.connection.is_closed());
}

#[test]
fn requests_before_negotiate_end_the_connection() {
    let mut client = Client::new();
    let message = client.message(&echo::Request::default());
    client.send(&message);
    assert!(client.connection.is_closed());
}
