//! Real DCE/RPC traffic: every PDU parses and goes out byte for byte, and what it carries too.

#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

use fsrvp_wire::auth::ntlm::{AuthenticateMessage, NtHash, Role, SecurityContext, crypto};
use fsrvp_wire::fsrvp::{Call, INTERFACE, INTERFACE_VERSION, Opnum, Reply};
use fsrvp_wire::ndr::{Representation, TransferSyntax};
use fsrvp_wire::rpce::{
    Assembler, AuthLevel, BindTimeFeatures, Body, FaultStatus, NDR32, PType, Pdu, ProviderReason,
    ResultCode, RpcSecurity, SecurityError, SecurityTrailer, SyntaxId, fragment, next_fragment,
};
use fsrvp_wire::security::Secret;
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
    let offered = pdus_of("torture-bigendian")
        .into_iter()
        .find_map(|pdu| match pdu.body {
            Body::Bind(bind) => bind.contexts[1].transfer_syntaxes[0].features(),
            _ => None,
        });
    assert_eq!(offered, Some(BindTimeFeatures(3)));
    assert_eq!(
        SyntaxId::bind_time_features(BindTimeFeatures(3)).features(),
        offered
    );
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

/// The security contexts of a capture whose client logged on by NTLM with a known password.
fn contexts(pdus: &[Pdu]) -> (RpcSecurity, RpcSecurity) {
    let tokens: Vec<(PType, SecurityTrailer)> = pdus
        .iter()
        .filter_map(|pdu| Some((pdu.body.ptype(), pdu.auth.clone()?)))
        .collect();
    let token = |ptype| {
        let (_, trailer) = tokens
            .iter()
            .find(|(found, _)| *found == ptype)
            .expect("a token");
        trailer
    };
    let last = token(PType::AUTH_3);
    let message = AuthenticateMessage::parse(&last.auth_value).expect("the third token");
    let text = |bytes: &[u8]| {
        let units: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).expect("a name")
    };
    let response_key = crypto::ntowf_v2(
        &NtHash::of_password("AdminPass1!"),
        &text(&message.user_name),
        &text(&message.domain_name),
    );
    let proof: [u8; 16] = message.nt_challenge_response[..16]
        .try_into()
        .expect("a proof");
    let exchanged: [u8; 16] = message
        .encrypted_random_session_key
        .as_slice()
        .try_into()
        .expect("a key");
    let base_key = crypto::session_base_key(&response_key, &proof);
    let key = Secret::new(crypto::rc4k(&base_key, exchanged));
    let side = |role| {
        RpcSecurity::new(
            SecurityContext::new(role, message.negotiate_flags, &key),
            last.auth_type,
            last.auth_level,
            last.auth_context_id,
        )
    };
    (side(Role::Client), side(Role::Server))
}

fn is_request(bytes: &[u8]) -> bool {
    bytes[2] == PType::REQUEST.0
}

/// Opens every request as the server and every response as the client; returns calls with codes.
fn opened(name: &str) -> Vec<(Pdu, Vec<u8>)> {
    let (_, bytes) = CAPTURES
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a capture");
    let fragments = split(bytes);
    let (mut client, mut server) = contexts(&pdus_of(name));
    fragments
        .into_iter()
        .filter(|bytes| is_request(bytes) || bytes[2] == PType::RESPONSE.0)
        .map(|bytes| {
            let side = match is_request(bytes) {
                true => &mut server,
                false => &mut client,
            };
            let pdu = side
                .unprotect(bytes)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            (pdu, bytes.to_vec())
        })
        .collect()
}

#[test]
fn signed_and_sealed_traffic_opens_with_the_password() {
    for name in [
        "rpcclient-packet",
        "rpcclient-sign",
        "rpcclient-seal",
        "impacket-integrity",
        "impacket-privacy",
    ] {
        let mut opnum = Opnum(0);
        for (pdu, _) in opened(name) {
            match pdu.body {
                Body::Request(request) => {
                    opnum = Opnum(request.opnum);
                    let (_, rest) = Call::parse_prefix(opnum, &request.stub, Representation::NDR32)
                        .expect(name);
                    // MS-RPCE 2.2.2.13: clients may put a verification trailer behind a stub.
                    let trailer = [0x8a, 0xe3, 0x13, 0x71, 0x02, 0xf4, 0x36, 0x71];
                    let known = rest.windows(8).any(|bytes| bytes == trailer);
                    assert!(rest.is_empty() || known, "{name}: {rest:02x?}");
                }
                Body::Response(response) => {
                    Reply::parse_strict(opnum, &response.stub, Representation::NDR32).expect(name);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn what_is_protected_here_equals_what_samba_sent() {
    for name in ["rpcclient-packet", "rpcclient-sign", "rpcclient-seal"] {
        let (mut client, mut server) = contexts(&pdus_of(name));
        for (pdu, bytes) in opened(name) {
            let side = match is_request(&bytes) {
                true => &mut client,
                false => &mut server,
            };
            let plain = Pdu { auth: None, ..pdu };
            assert_eq!(
                side.protect(&plain).expect("can be protected"),
                bytes,
                "{name}"
            );
        }
    }
}

#[test]
fn a_changed_bit_or_a_missing_trailer_is_refused() {
    for name in ["rpcclient-sign", "rpcclient-seal"] {
        let (_, bytes) = CAPTURES
            .iter()
            .find(|(known, _)| *known == name)
            .expect("a capture");
        let first = split(bytes)
            .into_iter()
            .find(|bytes| is_request(bytes))
            .expect("a request");
        for at in 16..first.len() {
            let mut changed = first.to_vec();
            changed[at] ^= 0x01;
            let (_, mut server) = contexts(&pdus_of(name));
            assert!(
                server.unprotect(&changed).is_err(),
                "{name}: bit at byte {at}"
            );
        }
        let (_, mut server) = contexts(&pdus_of(name));
        let mut bare = Pdu::parse(first).expect("parses");
        bare.auth = None;
        assert_eq!(
            server.unprotect(&bare.emit()),
            Err(SecurityError::TrailerMissing)
        );
    }
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
