//! Real DCE/RPC traffic: every PDU parses and goes out byte for byte, and what it carries too.

use fsrvp_wire::fsrvp::{Call, INTERFACE, INTERFACE_VERSION, Opnum, Reply};
use fsrvp_wire::ndr::TransferSyntax;
use fsrvp_wire::rpce::{
    Assembler, AuthLevel, Body, FaultStatus, NDR32, PType, Pdu, ProviderReason, ResultCode,
    SyntaxId, fragment, next_fragment,
};
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::Index;
use std::collections::BTreeMap;

macro_rules! capture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("data/rpc/", $name, ".bin")))
    };
}

const CAPTURES: [(&str, &[u8]); 16] = [
    capture!("impacket-bad-names"),
    capture!("impacket-connect"),
    capture!("impacket-integrity"),
    capture!("impacket-none"),
    capture!("impacket-privacy"),
    capture!("impacket-raw"),
    capture!("rpcclient-backup-ro"),
    capture!("rpcclient-connect"),
    capture!("rpcclient-packet"),
    capture!("rpcclient-seal"),
    capture!("rpcclient-sign"),
    capture!("rpcclient-spnego-sign"),
    capture!("rpcclient-three-shares"),
    capture!("torture-bigendian"),
    capture!("torture-ndr64"),
    capture!("torture-noauth"),
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

fn pdus_of(name: &str) -> Vec<Pdu> {
    let (_, bytes) = CAPTURES
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a capture");
    split(bytes)
        .into_iter()
        .map(|pdu| Pdu::parse(pdu).expect("parses"))
        .collect()
}

#[test]
fn every_pdu_goes_out_byte_for_byte() {
    let mut types = BTreeMap::new();
    for (name, bytes) in CAPTURES {
        for (index, bytes) in split(bytes).into_iter().enumerate() {
            let pdu = Pdu::parse(bytes).unwrap_or_else(|error| panic!("{name} {index}: {error}"));
            assert_eq!(pdu.emit(), bytes, "{name} {index}");
            assert!(pdu.trailing.is_empty(), "{name} {index}: {pdu:?}");
            *types.entry(pdu.body.ptype()).or_insert(0) += 1;
        }
    }
    let seen: Vec<PType> = types.into_keys().collect();
    assert_eq!(
        seen,
        [
            PType::REQUEST,
            PType::RESPONSE,
            PType::FAULT,
            PType::BIND,
            PType::BIND_ACK,
            PType::ALTER_CONTEXT,
            PType::ALTER_CONTEXT_RESP,
            PType::AUTH_3,
        ]
    );
}

/// Joins and reads every call of a capture whose stubs are not encrypted.
fn calls(name: &str) -> Vec<(Call, Result<Reply, FaultStatus>)> {
    let mut requests = Assembler::default();
    let mut responses = Assembler::default();
    let mut pending = None;
    let mut calls = Vec::new();
    for pdu in pdus_of(name) {
        let assembler = match pdu.body.ptype() {
            PType::REQUEST => &mut requests,
            _ => &mut responses,
        };
        let Some(pdu) = assembler.push(pdu).expect("fragments in order") else {
            continue;
        };
        let representation = pdu.header.drep.representation(TransferSyntax::Ndr32);
        match pdu.body {
            Body::Request(request) => {
                let opnum = Opnum(request.opnum);
                let call = Call::parse(opnum, &request.stub, representation);
                if let Ok(call) = &call {
                    let emitted = call.emit(representation);
                    assert!(request.stub.starts_with(&emitted), "{name}: {call:?}");
                }
                pending = Some((opnum, call));
            }
            Body::Response(response) => {
                let (opnum, call) = pending.take().expect("a call before its response");
                let reply = Reply::parse_strict(opnum, &response.stub, representation)
                    .expect("a reply of that method");
                assert_eq!(
                    reply.emit(representation),
                    response.stub,
                    "{name}: {reply:?}"
                );
                calls.push((call.expect("a call that was answered"), Ok(reply)));
            }
            Body::Fault(fault) => {
                let (_, call) = pending.take().expect("a call before its fault");
                if let Ok(call) = call {
                    calls.push((call, Err(fault.status)));
                }
            }
            _ => {}
        }
    }
    calls
}

#[test]
fn every_call_and_reply_goes_out_byte_for_byte() {
    let count = |name| calls(name).len();
    assert_eq!(count("impacket-none"), 12);
    assert_eq!(count("rpcclient-backup-ro"), 14);
    assert_eq!(count("rpcclient-three-shares"), 28);
    assert_eq!(count("torture-bigendian"), 24);
    assert_eq!(count("torture-noauth"), 24);
    assert_eq!(count("impacket-integrity"), 12);
    assert_eq!(count("impacket-bad-names"), 15);
}

#[test]
fn a_request_of_several_fragments_is_joined() {
    let longest = calls("impacket-bad-names")
        .into_iter()
        .filter_map(|(call, _)| match call {
            Call::IsPathSupported(request) => Some(request.share_name.units.len()),
            _ => None,
        })
        .max();
    let first_only = pdus_of("impacket-bad-names")
        .iter()
        .filter(|pdu| pdu.body.ptype() == PType::REQUEST && pdu.header.pfc_flags.0 & 3 != 3)
        .count();
    assert!(first_only >= 2, "{first_only} fragments");
    assert!(longest > Some(2000), "{longest:?}");
}

#[test]
fn samba_refuses_broken_strings_that_the_wire_layer_keeps() {
    let broken: Vec<bool> = calls("impacket-raw")
        .into_iter()
        .filter(|(_, outcome)| *outcome == Err(FaultStatus::BAD_STUB_DATA))
        .map(|(call, _)| match call {
            Call::IsPathSupported(request) => request.share_name.is_legal(),
            other => panic!("{other:?} was refused and has no string"),
        })
        .collect();
    assert_eq!(broken, [false]);
}

#[test]
fn binds_name_the_interface_and_their_outcome() {
    for (name, _) in CAPTURES {
        for pdu in pdus_of(name) {
            if let Body::Bind(bind) = pdu.body {
                let interface = SyntaxId::new(INTERFACE, INTERFACE_VERSION);
                assert_eq!(bind.contexts[0].abstract_syntax, interface, "{name}");
            }
        }
    }
    let outcome = |name: &str| {
        pdus_of(name).into_iter().find_map(|pdu| match pdu.body {
            Body::BindAck(ack) => ack.results.first().copied(),
            _ => None,
        })
    };
    let accepted = outcome("impacket-none").expect("a result");
    assert_eq!(accepted.result, ResultCode::ACCEPTANCE);
    assert_eq!(accepted.transfer_syntax, NDR32);
    let refused = outcome("torture-ndr64").expect("a result");
    assert_eq!(refused.result, ResultCode::PROVIDER_REJECTION);
    assert_eq!(
        refused.reason,
        ProviderReason::PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED
    );
}

#[test]
fn trailers_state_their_level() {
    let level = |name: &str| {
        pdus_of(name)
            .into_iter()
            .filter_map(|pdu| pdu.auth)
            .map(|auth| auth.auth_level)
            .next()
    };
    assert_eq!(level("impacket-privacy"), Some(AuthLevel::PKT_PRIVACY));
    assert_eq!(level("rpcclient-packet"), Some(AuthLevel::PKT));
    assert_eq!(level("rpcclient-connect"), Some(AuthLevel::CONNECT));
    assert_eq!(level("torture-noauth"), None);
}

proptest! {
    #[test]
    fn a_changed_pdu_never_panics_and_keeps_the_law(
        capture in any::<Index>(),
        pdu in any::<Index>(),
        at in any::<Index>(),
        value in any::<u8>(),
    ) {
        let (_, bytes) = capture.get(&CAPTURES);
        let pdus = split(bytes);
        let mut bytes = pdu.get(&pdus).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(pdu) = Pdu::parse(&bytes) {
            prop_assert_eq!(Pdu::parse(&pdu.emit()), Ok(pdu));
        }
    }

    #[test]
    fn fragments_of_a_real_message_join_to_it_again(
        pdu in any::<Index>(),
        max_frag in 64..4280_usize,
        auth_value_len in 0..2_usize,
    ) {
        let calls: Vec<Pdu> = pdus_of("torture-bigendian")
            .into_iter()
            .filter(|pdu| pdu.body.stub().is_some() && pdu.body.ptype() != PType::FAULT)
            .collect();
        let mut whole = pdu.get(&calls).clone();
        let mut assembler = Assembler::default();
        let mut joined = None;
        for piece in fragment(&whole, max_frag, auth_value_len * 16) {
            prop_assert_eq!(joined, None);
            prop_assert_eq!(piece.emit().len() + auth_value_len * 24 <= max_frag.max(80), true);
            joined = assembler.push(piece).expect("in order");
        }
        let stub_len = u32::try_from(whole.body.stub().map_or(0, <[u8]>::len)).expect("small");
        match &mut whole.body {
            Body::Request(request) => request.alloc_hint = stub_len,
            Body::Response(response) => response.alloc_hint = stub_len,
            _ => {}
        }
        prop_assert_eq!(joined, Some(whole));
    }
}
