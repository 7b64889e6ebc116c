//! Requests that are no call, and the order of those that are.

use super::client::TestClient;
use crate::rpc::CallToken;
use crate::rpc::limits::WAITING_CALLS_MAX;
use fsrvp_wire::fsrvp::{Call, Context, Hresult, Opnum, Reply, get_supported_version, set_context};
use fsrvp_wire::ndr::{ByteOrder, Representation};
use fsrvp_wire::rpce::{
    Body, DataRepresentation, FaultStatus, Header, Pdu, PfcFlags, Request, Response,
};

const VERSION: Call = Call::GetSupportedVersion(get_supported_version::Request);

fn answer(client: &mut TestClient) -> Opnum {
    let (token, _, call) = client.endpoint.poll_call().expect("a call");
    let reply = Reply::failure(call.opnum(), Hresult::ZERO).expect("a method");
    client.endpoint.handle_reply(token, &reply);
    call.opnum()
}

fn string(max: u32, offset: u32, text: &[u16]) -> Vec<u8> {
    let actual = u32::try_from(text.len()).expect("short");
    let counts = [max, offset, actual].into_iter().flat_map(u32::to_le_bytes);
    counts
        .chain(text.iter().flat_map(|unit| unit.to_le_bytes()))
        .collect()
}

#[test]
fn what_is_no_call_gets_a_fault_and_the_association_lives() {
    let bad = FaultStatus::BAD_STUB_DATA;
    let unknown = FaultStatus::OP_RNG_ERROR;
    let cases = [
        (13, Vec::new(), unknown),
        (99, Vec::new(), unknown),
        (u16::MAX, vec![0; 40], unknown),
        (1, Vec::new(), bad),
        (2, vec![0; 8], bad),
        (8, string(2, 0, &[65, 66, 0]), bad),
        (8, string(3, 1, &[65, 66, 0]), bad),
        (8, string(3, 0, &[65, 66, 67]), bad),
        (8, string(3, 0, &[65, 0, 0]), bad),
        (8, string(0, 0, &[]), bad),
        (9, string(u32::MAX, 0, &[65, 66]), bad),
        (3, string(3, 0, &[65, 66, 0]), bad),
    ];
    let mut client = TestClient::bound();
    for (opnum, stub, status) in cases {
        client.request(opnum, stub.clone());
        assert_eq!(client.endpoint.poll_call(), None, "{opnum} {stub:?}");
        let pdu = client.receive();
        assert!(pdu.header.pfc_flags.has(PfcFlags::DID_NOT_EXECUTE));
        let Body::Fault(fault) = pdu.body else {
            panic!("{opnum} {stub:?}: no fault");
        };
        assert_eq!(fault.status, status, "{opnum} {stub:?}");
        client.call(&VERSION);
        assert_eq!(answer(&mut client), Opnum::GetSupportedVersion);
        client.reply(&VERSION);
    }
}

#[test]
fn bytes_behind_the_last_parameter_are_passed_over() {
    let mut client = TestClient::bound();
    client.request(0, vec![0xde, 0xad, 0xbe, 0xef]);
    assert_eq!(answer(&mut client), Opnum::GetSupportedVersion);
    client.reply(&VERSION);
}

#[test]
fn a_big_endian_request_is_understood() {
    let mut client = TestClient::bound();
    let call = Call::SetContext(set_context::Request {
        context: Context(0x0102_0304),
    });
    let mut header = Header::new(7);
    header.drep = DataRepresentation::BIG_ENDIAN;
    let stub = call.emit(Representation {
        byte_order: ByteOrder::Big,
        ..Representation::NDR32
    });
    let request = Request {
        alloc_hint: 0,
        context_id: 0,
        opnum: 1,
        object: Some(uuid::Uuid::from_u128(1)),
        stub,
    };
    client.send(&Pdu::new(header, Body::Request(request)));
    let (token, _, seen) = client.endpoint.poll_call().expect("a call");
    assert_eq!(seen, call);
    let reply = Reply::failure(call.opnum(), Hresult::ZERO).expect("a method");
    client.endpoint.handle_reply(token, &reply);
    assert_eq!(client.reply(&call), (reply, 1));
}

#[test]
fn calls_and_faults_are_answered_in_the_order_of_their_requests() {
    let mut client = TestClient::bound();
    client.call(&VERSION);
    let (token, _, _) = client.endpoint.poll_call().expect("a call");
    client.request(13, Vec::new());
    client.call(&VERSION);
    assert_eq!(client.endpoint.poll_output(), None);
    assert_eq!(client.endpoint.poll_call(), None);

    let reply = Reply::failure(VERSION.opnum(), Hresult::E_FAIL).expect("a method");
    client.endpoint.handle_reply(CallToken(token.0 + 1), &reply);
    assert_eq!(client.endpoint.poll_output(), None, "the token of no call");
    client.endpoint.handle_reply(token, &reply);
    assert_eq!(client.reply(&VERSION), (reply.clone(), 1));
    assert_eq!(client.fault(), FaultStatus::OP_RNG_ERROR);
    assert_eq!(answer(&mut client), Opnum::GetSupportedVersion);
    client.endpoint.handle_reply(token, &reply);
    client.reply(&VERSION);
    assert_eq!(
        client.endpoint.poll_output(),
        None,
        "a reply that came twice"
    );
}

#[test]
fn an_answer_names_its_call() {
    let mut client = TestClient::bound();
    let header = Header::new(0xABCD);
    let request = Request {
        alloc_hint: 0,
        context_id: 0,
        opnum: 0,
        object: None,
        stub: Vec::new(),
    };
    client.send(&Pdu::new(header, Body::Request(request)));
    answer(&mut client);
    let pdu = client.receive();
    assert_eq!(pdu.header, Header::new(0xABCD));
    let Body::Response(Response {
        alloc_hint,
        context_id,
        ..
    }) = pdu.body
    else {
        panic!("no response");
    };
    assert_eq!((alloc_hint, context_id), (12, 0));
}

#[test]
fn a_client_that_floods_is_cut_off() {
    let mut client = TestClient::bound();
    for _ in 0..WAITING_CALLS_MAX {
        client.call(&VERSION);
    }
    assert!(!client.endpoint.is_dead());
    client.call(&VERSION);
    assert_eq!(client.fault(), FaultStatus::SERVER_TOO_BUSY);
    assert!(client.endpoint.is_dead());

    let mut client = TestClient::bound();
    for _ in 0..200 {
        client.request(13, Vec::new());
    }
    assert!(client.endpoint.is_dead(), "answers that nobody fetches");
}

#[test]
fn an_orphaned_call_is_forgotten_and_a_cancel_changes_nothing() {
    let mut client = TestClient::bound();
    client.call(&VERSION);
    let (token, _, _) = client.endpoint.poll_call().expect("a call");
    client.call(&VERSION);
    let waiting = client.header().call_id - 1;
    client.send(&Pdu::new(Header::new(waiting), Body::Orphaned));
    let in_hand = waiting - 1;
    client.send(&Pdu::new(Header::new(in_hand), Body::CoCancel));
    let reply = Reply::failure(VERSION.opnum(), Hresult::ZERO).expect("a method");
    client.endpoint.handle_reply(token, &reply);
    client.reply(&VERSION);
    assert_eq!(client.endpoint.poll_call(), None);
    assert!(!client.endpoint.is_dead());
}
