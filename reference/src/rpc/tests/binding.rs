//! Presentation contexts, fragment sizes, and what breaks the protocol.

use super::client::{TestClient, bind_of, fsrvp_context, interface};
use fsrvp_wire::fsrvp::{Call, Hresult, INTERFACE, Reply, get_supported_version};
use fsrvp_wire::ndr::Representation;
use fsrvp_wire::rpce::{
    BindTimeFeatures, Body, ContextElement, ContextOutcome, Fault, FaultStatus, Header, NDR32,
    NDR64, Pdu, PfcFlags, ProviderReason, RejectReason, Request, ResultCode, SyntaxId,
};
use uuid::Uuid;

const VERSION: Call = Call::GetSupportedVersion(get_supported_version::Request);

fn stranger() -> SyntaxId {
    SyntaxId::new(Uuid::from_u128(42), (1, 0))
}

fn refused(reason: ProviderReason) -> ContextOutcome {
    ContextOutcome::refused(reason)
}

#[test]
fn every_context_of_a_bind_has_its_own_result() {
    let offer = |abstract_syntax, transfer| ContextElement::new(0, abstract_syntax, transfer);
    let features = SyntaxId::bind_time_features(BindTimeFeatures(3));
    let mut contexts = vec![
        offer(stranger(), vec![NDR32]),
        offer(SyntaxId::new(INTERFACE, (3, 0)), vec![NDR32]),
        offer(SyntaxId::new(INTERFACE, (1, 1)), vec![NDR32]),
        offer(interface(), vec![stranger()]),
        offer(interface(), vec![]),
        offer(interface(), vec![features]),
        offer(interface(), vec![stranger(), NDR32]),
        offer(interface(), vec![NDR64]),
    ];
    for (id, context) in (0..).zip(&mut contexts) {
        context.context_id = id;
    }
    let ack = TestClient::new().bind(bind_of(contexts));
    let no_syntax = ProviderReason::PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED;
    let confirmed = ContextOutcome {
        result: ResultCode::NEGOTIATE_ACK,
        reason: ProviderReason(2),
        transfer_syntax: SyntaxId::NIL,
    };
    assert_eq!(
        ack.results,
        [
            refused(ProviderReason::ABSTRACT_SYNTAX_NOT_SUPPORTED),
            refused(ProviderReason::ABSTRACT_SYNTAX_NOT_SUPPORTED),
            refused(ProviderReason::ABSTRACT_SYNTAX_NOT_SUPPORTED),
            refused(no_syntax),
            refused(no_syntax),
            confirmed,
            ContextOutcome::accepted(NDR32),
            ContextOutcome::accepted(NDR64),
        ]
    );
}

#[test]
fn contexts_above_the_limit_are_refused() {
    let contexts = (0..20)
        .map(|id| ContextElement::new(id, interface(), vec![NDR32]))
        .collect();
    let ack = TestClient::new().bind(bind_of(contexts));
    let accepted = ack
        .results
        .iter()
        .filter(|outcome| outcome.result == ResultCode::ACCEPTANCE)
        .count();
    assert_eq!(accepted, 16);
    assert_eq!(
        ack.results.last(),
        Some(&refused(ProviderReason::LOCAL_LIMIT_EXCEEDED))
    );
}

#[test]
fn a_call_over_ndr64_is_answered_in_it() {
    let mut client = TestClient::new();
    client.bind(bind_of(vec![ContextElement::new(
        9,
        interface(),
        vec![NDR64, NDR32],
    )]));
    client.context_id = 9;
    client.representation = Representation::NDR64;
    let call = Call::IsPathSupported(fsrvp_wire::fsrvp::is_path_supported::Request {
        share_name: fsrvp_wire::ndr::WideString::from_text("\\\\server\\data"),
    });
    client.call(&call);
    let (token, _, seen) = client.endpoint.poll_call().expect("a call");
    assert_eq!(seen, call);
    let reply = Reply::IsPathSupported(fsrvp_wire::fsrvp::is_path_supported::Response {
        supported_by_this_provider: 1,
        owner_machine_name: Some(fsrvp_wire::ndr::WideString::from_text("SERVER")),
        status: Hresult::ZERO,
    });
    client.endpoint.handle_reply(token, &reply);
    assert_eq!(client.reply(&call), (reply, 1));
}

#[test]
fn alter_context_adds_a_context_and_keeps_the_others() {
    let mut client = TestClient::bound();
    client.context_id = 5;
    client.call(&VERSION);
    assert_eq!(client.fault(), FaultStatus::UNK_IF);
    let alter = bind_of(vec![
        ContextElement::new(5, interface(), vec![NDR32]),
        fsrvp_context(),
        ContextElement::new(0, interface(), vec![NDR64]),
    ]);
    let answer = client.exchange(Body::AlterContext(alter));
    let Body::AlterContextResp(response) = answer.body else {
        panic!("{answer:?} is no alter_context_resp");
    };
    assert!(response.secondary_address.is_empty());
    assert_eq!(
        response.results,
        [
            ContextOutcome::accepted(NDR32),
            ContextOutcome::accepted(NDR32),
            refused(ProviderReason::PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED),
        ]
    );
    for context_id in [5, 0] {
        client.context_id = context_id;
        client.call(&VERSION);
        let (token, _, call) = client.endpoint.poll_call().expect("a call");
        let reply = Reply::failure(call.opnum(), Hresult::ZERO).expect("a method");
        client.endpoint.handle_reply(token, &reply);
        assert_eq!(client.reply(&VERSION), (reply, 1));
    }
}

#[test]
fn fragment_sizes_stay_between_what_all_must_take_and_what_we_prefer() {
    let sizes = |max_xmit_frag, max_recv_frag| {
        let mut bind = bind_of(vec![fsrvp_context()]);
        bind.max_xmit_frag = max_xmit_frag;
        bind.max_recv_frag = max_recv_frag;
        let ack = TestClient::new().bind(bind);
        (ack.max_xmit_frag, ack.max_recv_frag)
    };
    assert_eq!(sizes(4280, 4280), (4280, 4280));
    assert_eq!(sizes(2000, 1432), (1432, 2000));
    assert_eq!(sizes(u16::MAX, u16::MAX), (4280, 4280));
    assert_eq!(sizes(0, 100), (1432, 1432));
}

#[test]
fn the_association_group_is_ours_or_the_one_that_the_client_names() {
    let group = |named| {
        let mut bind = bind_of(vec![fsrvp_context()]);
        bind.assoc_group_id = named;
        TestClient::new().bind(bind).assoc_group_id
    };
    assert_eq!(group(0), 1);
    assert_eq!(group(77), 77);
}

/// Demands a fault that names a protocol error, and the end.
fn breaks(mut client: TestClient, pdu: &Pdu) {
    client.send(pdu);
    assert_eq!(client.fault(), FaultStatus::PROTO_ERROR, "{pdu:?}");
    assert!(client.endpoint.is_dead(), "{pdu:?}");
    client.call(&VERSION);
    assert_eq!(client.endpoint.poll_call(), None);
    assert_eq!(client.endpoint.poll_output(), None);
}

fn request(flags: PfcFlags, stub: Vec<u8>) -> Pdu {
    let mut header = Header::new(2);
    header.pfc_flags = flags;
    let request = Request {
        alloc_hint: 0,
        context_id: 0,
        opnum: 0,
        object: None,
        stub,
    };
    Pdu::new(header, Body::Request(request))
}

#[test]
fn protocol_errors_are_told_and_end_the_association() {
    let of = |body| Pdu::new(Header::new(2), body);
    let whole = request(PfcFlags::WHOLE, Vec::new());
    breaks(TestClient::new(), &whole);
    breaks(
        TestClient::new(),
        &of(Body::AlterContext(bind_of(vec![fsrvp_context()]))),
    );
    breaks(
        TestClient::bound(),
        &of(Body::Bind(bind_of(vec![fsrvp_context()]))),
    );
    breaks(
        TestClient::bound(),
        &of(Body::Fault(Fault::new(0, FaultStatus::CANCEL))),
    );
    breaks(TestClient::bound(), &of(Body::Shutdown));
    breaks(TestClient::bound(), &of(Body::Auth3(Default::default())));
    breaks(
        TestClient::bound(),
        &request(PfcFlags::LAST_FRAG, Vec::new()),
    );
    breaks(
        TestClient::bound(),
        &request(PfcFlags::WHOLE, vec![0; 4280]),
    );
}

#[test]
fn a_stub_without_end_is_cut_off() {
    let mut client = TestClient::bound();
    client.send(&request(PfcFlags::FIRST_FRAG, vec![0; 4000]));
    for _ in 0..31 {
        client.send(&request(PfcFlags(0), vec![0; 4000]));
    }
    assert!(!client.endpoint.is_dead());
    client.send(&request(PfcFlags(0), vec![0; 4000]));
    client.send(&request(PfcFlags(0), vec![0; 4000]));
    assert!(client.endpoint.is_dead());
}

#[test]
fn what_is_no_pdu_ends_the_association_without_a_word() {
    for bytes in [&[4][..], &[5, 0, 0, 3, 0x10, 0, 0, 0, 15, 0]] {
        let mut client = TestClient::bound();
        client.endpoint.handle_bytes(bytes);
        assert!(client.endpoint.is_dead());
        assert_eq!(client.endpoint.poll_output(), None);
    }
}

#[test]
fn an_unknown_minor_version_gets_a_bind_nak() {
    let mut client = TestClient::new();
    let mut header = Header::new(1);
    header.rpc_vers_minor = 2;
    client.send(&Pdu::new(
        header,
        Body::Bind(bind_of(vec![fsrvp_context()])),
    ));
    let Body::BindNak(nak) = client.receive().body else {
        panic!("no bind_nak");
    };
    assert_eq!(
        nak.reject_reason,
        RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED
    );
    assert_eq!(nak.versions, [(5, 0), (5, 1)]);
    assert!(client.endpoint.is_dead());
}
