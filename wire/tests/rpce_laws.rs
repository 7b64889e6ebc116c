//! The laws of DCE/RPC PDUs, for any value and any bytes, in both byte orders.

use fsrvp_wire::ErrorKind;
use fsrvp_wire::rpce::{
    Assembler, AssemblyError, Auth3, AuthLevel, AuthType, Bind, BindAck, BindNak, Body,
    ContextElement, ContextOutcome, DataRepresentation, Fault, FaultStatus, Header, PType, Pdu,
    PfcFlags, ProviderReason, RejectReason, Request, Response, ResultCode, SecurityTrailer,
    SyntaxId, fragment, next_fragment,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use uuid::Uuid;

fn syntax() -> impl Strategy<Value = SyntaxId> {
    (any::<u128>(), any::<u32>()).prop_map(|(uuid, version)| SyntaxId {
        uuid: Uuid::from_u128(uuid),
        version,
    })
}

fn context() -> impl Strategy<Value = ContextElement> {
    (any::<u16>(), any::<u8>(), syntax(), vec(syntax(), 0..4)).prop_map(
        |(context_id, reserved, abstract_syntax, transfer_syntaxes)| ContextElement {
            context_id,
            reserved,
            abstract_syntax,
            transfer_syntaxes,
        },
    )
}

fn bind() -> impl Strategy<Value = Bind> {
    let fixed = any::<(u16, u16, u32, u8, u16)>();
    (fixed, vec(context(), 0..4)).prop_map(
        |((max_xmit_frag, max_recv_frag, assoc_group_id, reserved, reserved2), contexts)| Bind {
            max_xmit_frag,
            max_recv_frag,
            assoc_group_id,
            reserved,
            reserved2,
            contexts,
        },
    )
}

fn outcome() -> impl Strategy<Value = ContextOutcome> {
    (any::<u16>(), any::<u16>(), syntax()).prop_map(|(result, reason, transfer_syntax)| {
        ContextOutcome {
            result: ResultCode(result),
            reason: ProviderReason(reason),
            transfer_syntax,
        }
    })
}

fn ack() -> impl Strategy<Value = BindAck> {
    let fixed = any::<(u16, u16, u32, u8, u16)>();
    (fixed, vec(any::<u8>(), 0..20), vec(outcome(), 0..4)).prop_map(
        |((xmit, recv, assoc_group_id, reserved, reserved2), secondary_address, results)| BindAck {
            max_xmit_frag: xmit,
            max_recv_frag: recv,
            assoc_group_id,
            secondary_address,
            reserved,
            reserved2,
            results,
        },
    )
}

fn stub() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..80)
}

fn request() -> impl Strategy<Value = Request> {
    (any::<(u32, u16, u16)>(), option::of(any::<u128>()), stub()).prop_map(
        |((alloc_hint, context_id, opnum), object, stub)| Request {
            alloc_hint,
            context_id,
            opnum,
            object: object.map(Uuid::from_u128),
            stub,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    (any::<(u32, u16, u8, u8)>(), stub()).prop_map(
        |((alloc_hint, context_id, cancel_count, reserved), stub)| Response {
            alloc_hint,
            context_id,
            cancel_count,
            reserved,
            stub,
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    (any::<(u32, u16, u8, u8, u32, u32)>(), stub()).prop_map(
        |((alloc_hint, context_id, cancel_count, fault_flags, status, reserved2), stub)| Fault {
            alloc_hint,
            context_id,
            cancel_count,
            fault_flags,
            status: FaultStatus(status),
            reserved2,
            stub,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        request().prop_map(Body::Request),
        response().prop_map(Body::Response),
        fault().prop_map(Body::Fault),
        bind().prop_map(Body::Bind),
        bind().prop_map(Body::AlterContext),
        ack().prop_map(Body::BindAck),
        ack().prop_map(Body::AlterContextResp),
        (any::<u16>(), vec(any::<(u8, u8)>(), 0..4)).prop_map(|(reason, versions)| {
            Body::BindNak(BindNak {
                reject_reason: RejectReason(reason),
                versions,
            })
        }),
        any::<[u8; 4]>().prop_map(|pad| Body::Auth3(Auth3 { pad })),
        Just(Body::Shutdown),
        Just(Body::CoCancel),
        Just(Body::Orphaned),
        (20..=u8::MAX).prop_map(|ptype| Body::Unknown(PType(ptype))),
    ]
}

fn trailer() -> impl Strategy<Value = SecurityTrailer> {
    (any::<(u8, u8, u8, u32)>(), stub(), vec(any::<u8>(), 1..40)).prop_map(
        |((auth_type, auth_level, auth_reserved, auth_context_id), auth_pad, auth_value)| {
            SecurityTrailer {
                auth_pad,
                auth_type: AuthType(auth_type),
                auth_level: AuthLevel(auth_level),
                auth_reserved,
                auth_context_id,
                auth_value,
            }
        },
    )
}

fn header() -> impl Strategy<Value = Header> {
    let order = prop_oneof![
        Just(DataRepresentation::BIG_ENDIAN),
        Just(DataRepresentation::LITTLE_ENDIAN),
        any::<[u8; 4]>().prop_map(DataRepresentation),
    ];
    (any::<(u8, u8, u8, u32)>(), order).prop_map(
        |((rpc_vers, rpc_vers_minor, flags, call_id), drep)| Header {
            rpc_vers,
            rpc_vers_minor,
            pfc_flags: PfcFlags(flags),
            drep,
            call_id,
        },
    )
}

/// Any PDU that can be told apart from others by its bytes.
fn pdu() -> impl Strategy<Value = Pdu> {
    (header(), body(), stub(), option::of(trailer())).prop_map(
        |(mut header, body, trailing, auth)| {
            let trailing = match &body {
                // A stub goes to the end, so nothing can stand behind it.
                Body::Request(request) => {
                    header.pfc_flags = header
                        .pfc_flags
                        .with(PfcFlags::OBJECT_UUID, request.object.is_some());
                    Vec::new()
                }
                Body::Response(_) | Body::Fault(_) => Vec::new(),
                _ => trailing,
            };
            Pdu {
                header,
                body,
                trailing,
                auth,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_pdu_survives_emit_and_parse(pdu in pdu()) {
        let bytes = pdu.emit();
        prop_assert_eq!(Pdu::parse(&bytes), Ok(pdu));
    }

    #[test]
    fn a_pdu_cut_short_or_with_a_byte_too_many_is_refused(pdu in pdu(), cut in 1..200_usize) {
        let mut bytes = pdu.emit();
        bytes.push(0);
        let kind = Pdu::parse(&bytes).map_err(|error| error.kind);
        prop_assert_eq!(kind, Err(ErrorKind::TrailingBytes));
        bytes.pop();
        bytes.truncate(bytes.len().saturating_sub(cut));
        prop_assert!(Pdu::parse(&bytes).is_err());
    }

    #[test]
    fn the_first_fragment_is_found_as_soon_as_ten_bytes_are_there(
        mut pdu in pdu(),
        behind in stub(),
    ) {
        pdu.header.rpc_vers = 5;
        let mut bytes = pdu.emit();
        let length = bytes.len();
        bytes.extend(behind);
        for end in 0..10 {
            prop_assert_eq!(next_fragment(&bytes[..end]), Ok(None));
        }
        prop_assert_eq!(next_fragment(&bytes[..10]), Ok(Some(length)));
        prop_assert_eq!(next_fragment(&bytes), Ok(Some(length)));
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut framed = bytes.clone();
        if let Some(length) = framed.get_mut(8..10) {
            length.copy_from_slice(&u16::try_from(bytes.len()).expect("short").to_le_bytes());
        }
        for bytes in [bytes, framed] {
            let _ = next_fragment(&bytes);
            if let Ok(pdu) = Pdu::parse(&bytes) {
                prop_assert_eq!(Pdu::parse(&pdu.emit()), Ok(pdu));
            }
        }
    }
}

fn message(call_id: u32, stub_len: usize) -> Pdu {
    let request = Request {
        alloc_hint: 0,
        context_id: 1,
        opnum: 2,
        object: None,
        stub: vec![0; stub_len],
    };
    Pdu::new(Header::new(call_id), Body::Request(request))
}

#[test]
fn fragments_that_do_not_belong_together_are_named() {
    let pieces = |call_id| fragment(&message(call_id, 100), 80, 0);
    let outcome = |pdus: &[&Pdu]| {
        let mut assembler = Assembler::new(150);
        let mut last = Ok(None);
        for pdu in pdus {
            last = assembler.push((*pdu).clone());
        }
        last.expect_err("refused")
    };
    let (a, b) = (pieces(1), pieces(2));
    assert_eq!(a.len(), 3);
    assert_eq!(outcome(&[&a[1]]), AssemblyError::NoFirst { call_id: 1 });
    assert_eq!(
        outcome(&[&a[0], &b[0]]),
        AssemblyError::NotFinished { call_id: 2 }
    );
    let differs = |field| AssemblyError::Mismatch { call_id: 1, field };
    assert_eq!(outcome(&[&a[0], &b[1]]), differs("call_id"));
    let change = |change: &dyn Fn(&mut Pdu, &mut Request)| {
        let mut pdu = a[1].clone();
        let Body::Request(mut request) = pdu.body.clone() else {
            panic!("a request");
        };
        change(&mut pdu, &mut request);
        pdu.body = Body::Request(request);
        outcome(&[&a[0], &pdu])
    };
    assert_eq!(change(&|_, request| request.opnum = 9), differs("opnum"));
    assert_eq!(
        change(&|_, request| request.context_id = 9),
        differs("p_cont_id")
    );
    assert_eq!(
        change(&|pdu, _| pdu.header.drep = DataRepresentation::BIG_ENDIAN),
        differs("packed_drep")
    );
    assert_eq!(
        outcome(&[&message(4, 151)]),
        AssemblyError::TooLong {
            call_id: 4,
            limit_bytes: 150
        }
    );
}

#[test]
fn lengths_that_contradict_each_other_are_refused() {
    let mut bytes = message(1, 8).emit();
    bytes[10] = 200;
    let error = Pdu::parse(&bytes).expect_err("auth_length beyond the PDU");
    assert_eq!(error.field, "auth_length");
    bytes[10] = 8;
    bytes[18] = 255;
    let error = Pdu::parse(&bytes).expect_err("padding longer than the body");
    assert_eq!(error.field, "auth_pad_length");
    assert!(next_fragment(&[5, 0, 0, 0, 0x10, 0, 0, 0, 15, 0]).is_err());
    assert!(next_fragment(&[4]).is_err());
}
