//! Real clients, recorded with Samba as their server: they get the same bytes from this endpoint.

use super::client::endpoint_with_group;
use fsrvp_wire::fsrvp::{Hresult, Reply};
use fsrvp_wire::ndr::Representation;
use fsrvp_wire::rpce::{Body, PType, Pdu, ProviderReason, ResultCode, next_fragment};
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::Index;

macro_rules! capture {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../wire/tests/data/rpc/",
                $name,
                ".bin"
            )),
        )
    };
}

const WITHOUT_LOGON: [(&str, &[u8]); 3] = [
    capture!("impacket-none"),
    capture!("torture-noauth"),
    capture!("torture-bigendian"),
];

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pdus = Vec::new();
    while !bytes.is_empty() {
        let length = next_fragment(bytes).expect("a PDU").expect("whole PDUs");
        let (pdu, rest) = bytes.split_at(length);
        pdus.push(pdu);
        bytes = rest;
    }
    pdus
}

/// Samba confirms both bind-time features; several security contexts are not possible here.
fn without_multiplexing(mut answer: Pdu) -> Pdu {
    if let Body::BindAck(ack) = &mut answer.body {
        for outcome in &mut ack.results {
            if outcome.result == ResultCode::NEGOTIATE_ACK {
                assert_eq!(outcome.reason, ProviderReason(3));
                outcome.reason = ProviderReason(2);
            }
        }
    }
    answer
}

/// Answers every call with what Samba replied, and demands Samba's bytes.
fn replay(name: &str, bytes: &[u8], step: usize) -> usize {
    let mut pdus = split(bytes).into_iter();
    let mut endpoint = endpoint_with_group(0);
    let mut calls = 0;
    while let (Some(sent), Some(answered)) = (pdus.next(), pdus.next()) {
        let answer = Pdu::parse(answered).expect("parses");
        if let Body::BindAck(ack) = &answer.body {
            endpoint = endpoint_with_group(ack.assoc_group_id);
        }
        for piece in sent.chunks(step) {
            assert_eq!(
                endpoint.poll_output(),
                None,
                "{name}: an answer to half a PDU"
            );
            endpoint.handle_bytes(piece);
        }
        if let Some((token, caller, call)) = endpoint.poll_call() {
            assert_eq!((caller.auth_type, caller.auth_level), (0, 1), "{name}");
            assert_eq!(caller.user, "admin", "{name}");
            let stub = answer.body.stub().expect("a response");
            let reply = Reply::parse_strict(call.opnum(), stub, Representation::NDR32);
            endpoint.handle_reply(token, &reply.expect("a reply"));
            calls += 1;
        }
        let expected = without_multiplexing(answer).emit();
        assert_eq!(endpoint.poll_output(), Some(expected), "{name}");
        assert!(!endpoint.is_dead(), "{name}");
    }
    calls
}

#[test]
fn real_clients_get_what_samba_gave_them_byte_for_byte() {
    let counts = WITHOUT_LOGON.map(|(name, bytes)| replay(name, bytes, usize::MAX));
    assert_eq!(counts, [12, 24, 24]);
}

#[test]
fn fragments_may_come_byte_by_byte() {
    let counts = WITHOUT_LOGON.map(|(name, bytes)| replay(name, bytes, 1));
    assert_eq!(counts, [12, 24, 24]);
}

#[test]
fn several_fragments_may_come_at_once() {
    let (_, bytes) = WITHOUT_LOGON[0];
    let requests: Vec<u8> = split(bytes)
        .into_iter()
        .filter(|bytes| [PType::BIND.0, PType::REQUEST.0].contains(&bytes[2]))
        .flatten()
        .copied()
        .collect();
    let mut endpoint = endpoint_with_group(1);
    endpoint.handle_bytes(&requests);
    let mut order = Vec::new();
    while let Some((token, _, call)) = endpoint.poll_call() {
        order.push(call.opnum());
        let status = Hresult::E_FAIL;
        let reply = Reply::failure(call.opnum(), status).expect("a method");
        assert_eq!(endpoint.poll_call(), None, "one call in hand at a time");
        endpoint.handle_reply(token, &reply);
    }
    assert_eq!(order.len(), 12);
    assert_eq!(std::iter::from_fn(|| endpoint.poll_output()).count(), 13);
}

proptest! {
    #[test]
    fn changed_bytes_end_the_endpoint_at_worst(
        capture in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        step in 1..400_usize,
    ) {
        let (_, bytes) = capture.get(&WITHOUT_LOGON);
        let mut bytes = bytes.to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let mut endpoint = endpoint_with_group(1);
        for piece in bytes.chunks(step) {
            endpoint.handle_bytes(piece);
            while let Some((token, _, call)) = endpoint.poll_call() {
                let reply = Reply::failure(call.opnum(), Hresult::ZERO);
                endpoint.handle_reply(token, &reply.expect("a method"));
            }
            while let Some(output) = endpoint.poll_output() {
                prop_assert_eq!(Pdu::parse(&output).is_ok(), true);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut endpoint = endpoint_with_group(1);
        let mut framed = vec![5, 0, 11, 3, 0x10, 0, 0, 0];
        framed.extend(u16::try_from(bytes.len() + 10).expect("short").to_le_bytes());
        framed.extend(bytes);
        endpoint.handle_bytes(&framed);
        prop_assert_eq!(endpoint.poll_call().is_none(), true);
    }
}
