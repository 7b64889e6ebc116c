//! Who the caller is, and what becomes of those who cannot prove it.

use super::client::{ADDRESS, Proof, TestClient, bind_of, fsrvp_context, proof};
use crate::agent::Caller;
use fsrvp_wire::auth::ntlm::Credentials;
use fsrvp_wire::fsrvp::{Call, Hresult, Reply, get_share_mapping, get_supported_version};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::rpce::{
    AuthLevel, AuthType, Body, FaultStatus, Pdu, PfcFlags, RejectReason, Request,
};
use get_share_mapping::{ShareMapping, ShareMapping1};

const VERSION: Call = Call::GetSupportedVersion(get_supported_version::Request);
const PROVIDERS: [AuthType; 2] = [AuthType::WINNT, AuthType::GSS_NEGOTIATE];
const LEVELS: [AuthLevel; 4] = [
    AuthLevel::CONNECT,
    AuthLevel::PKT,
    AuthLevel::PKT_INTEGRITY,
    AuthLevel::PKT_PRIVACY,
];

/// A call that needs several fragments in both directions, and its reply.
fn long_call() -> (Call, Reply) {
    let call = Call::GetShareMapping(get_share_mapping::Request {
        shadow_copy_id: fsrvp_wire::fsrvp::ShadowCopyId::NIL,
        shadow_copy_set_id: fsrvp_wire::fsrvp::ShadowCopySetId::NIL,
        share_name: WideString::from_text(&"x".repeat(5000)),
        level: 1,
    });
    let mapping = ShareMapping1 {
        shadow_copy_set_id: fsrvp_wire::fsrvp::ShadowCopySetId::NIL,
        shadow_copy_id: fsrvp_wire::fsrvp::ShadowCopyId::NIL,
        share_name_unc: Some(WideString::from_text(&"y".repeat(3000))),
        shadow_copy_share_name: Some(WideString::from_text("z")),
        creation_timestamp: 1,
    };
    let reply = Reply::GetShareMapping(get_share_mapping::Response {
        share_mapping: ShareMapping {
            level: 1,
            mapping: Some(mapping),
        },
        status: Hresult::ZERO,
    });
    (call, reply)
}

#[test]
fn a_logon_at_every_level_names_the_caller_and_protects_both_ways() {
    for auth_type in PROVIDERS {
        for auth_level in LEVELS {
            let mut client = TestClient::logged_on(&proof("backup", auth_type, auth_level));
            let (call, reply) = long_call();
            for _ in 0..3 {
                client.call(&call);
                let (token, caller, seen) = client.endpoint.poll_call().expect("a call");
                assert_eq!(seen, call);
                assert_eq!(
                    caller,
                    Caller {
                        address: ADDRESS,
                        user: "backup".to_owned(),
                        backup_rights: true,
                        auth_type: auth_type.0,
                        auth_level: auth_level.0,
                    }
                );
                client.endpoint.handle_reply(token, &reply);
                let (got, fragments) = client.reply(&call);
                assert_eq!(got, reply);
                assert_eq!(fragments, 2, "{auth_type:?} {auth_level:?}");
            }
        }
    }
}

#[test]
fn the_rights_are_those_of_the_rpc_user_not_of_the_smb_user() {
    let mut client =
        TestClient::logged_on(&proof("mortal", AuthType::WINNT, AuthLevel::PKT_INTEGRITY));
    client.call(&VERSION);
    let (_, caller, _) = client.endpoint.poll_call().expect("a call");
    assert_eq!(
        (caller.user.as_str(), caller.backup_rights),
        ("mortal", false)
    );
}

#[test]
fn anyone_may_bind_and_nobody_has_no_rights() {
    for auth_type in PROVIDERS {
        let mut client = TestClient::logged_on(&Proof {
            credentials: Credentials::Anonymous,
            auth_type,
            auth_level: AuthLevel::PKT_INTEGRITY,
        });
        client.call(&VERSION);
        let (_, caller, _) = client.endpoint.poll_call().expect("a call");
        assert_eq!((caller.user.as_str(), caller.backup_rights), ("", false));
    }
}

#[test]
fn without_a_logon_the_caller_is_who_smb_says() {
    let mut client = TestClient::bound();
    client.call(&VERSION);
    let (_, caller, _) = client.endpoint.poll_call().expect("a call");
    assert_eq!(
        caller,
        Caller {
            address: ADDRESS,
            user: "admin".to_owned(),
            backup_rights: true,
            auth_type: 0,
            auth_level: 1,
        }
    );
}

#[test]
fn a_wrong_password_or_user_is_denied_and_nothing_is_executed() {
    let wrong = [
        Credentials::user("backup", "SERVER", "wrong"),
        Credentials::user("nobody", "SERVER", "secret"),
    ];
    for credentials in wrong {
        for auth_type in PROVIDERS {
            for auth_level in LEVELS {
                let mut client = TestClient::logged_on(&Proof {
                    credentials: credentials.clone(),
                    auth_type,
                    auth_level,
                });
                if auth_type == AuthType::WINNT {
                    assert!(!client.endpoint.is_dead(), "rpc_auth_3 has no answer");
                    client.call(&VERSION);
                }
                assert_eq!(client.fault(), FaultStatus::ACCESS_DENIED);
                assert!(client.endpoint.is_dead());
                assert_eq!(client.endpoint.poll_call(), None);
                assert_eq!(client.endpoint.poll_output(), None);
            }
        }
    }
}

/// The reason of the bind_nak that a first token meets.
fn refused_bind(auth_type: AuthType, auth_level: AuthLevel, token: &[u8]) -> RejectReason {
    let proof = proof("backup", auth_type, auth_level);
    let mut client = TestClient::new();
    let bind = Body::Bind(bind_of(vec![fsrvp_context()]));
    let answer = client
        .exchange_token(bind, &proof, token.to_vec())
        .expect("an answer");
    assert!(client.endpoint.is_dead());
    match answer.body {
        Body::BindNak(nak) => nak.reject_reason,
        other => panic!("{other:?} is no bind_nak"),
    }
}

#[test]
fn a_logon_that_cannot_begin_gets_a_bind_nak() {
    let unknown = RejectReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED;
    let unreadable = RejectReason::INVALID_CHECKSUM;
    let level = AuthLevel::PKT_INTEGRITY;
    let ntlm = b"NTLMSSP\0\x01\0\0\0";
    assert_eq!(refused_bind(AuthType::GSS_KERBEROS, level, ntlm), unknown);
    assert_eq!(refused_bind(AuthType::NETLOGON, level, ntlm), unknown);
    assert_eq!(refused_bind(AuthType::WINNT, level, b"rubbish"), unknown);
    assert_eq!(refused_bind(AuthType::WINNT, AuthLevel(7), ntlm), unknown);
    assert_eq!(
        refused_bind(AuthType::WINNT, AuthLevel::NONE, ntlm),
        unknown
    );
    assert_eq!(refused_bind(AuthType::WINNT, level, ntlm), unreadable);
    assert_eq!(
        refused_bind(AuthType::GSS_NEGOTIATE, level, b"rubbish"),
        unreadable
    );
}

fn bare_request() -> Body {
    Body::Request(Request {
        alloc_hint: 0,
        context_id: 0,
        opnum: 0,
        object: None,
        stub: Vec::new(),
    })
}

#[test]
fn a_request_without_verifier_is_denied_and_the_association_lives() {
    for auth_level in [
        AuthLevel::PKT,
        AuthLevel::PKT_INTEGRITY,
        AuthLevel::PKT_PRIVACY,
    ] {
        let mut client = TestClient::logged_on(&proof("backup", AuthType::WINNT, auth_level));
        let header = client.header();
        client.send(&Pdu::new(header, bare_request()));
        let answer = client.receive();
        assert!(answer.header.pfc_flags.has(PfcFlags::DID_NOT_EXECUTE));
        let Body::Fault(fault) = answer.body else {
            panic!("no fault");
        };
        assert_eq!(fault.status, FaultStatus::ACCESS_DENIED);
        assert_eq!(client.endpoint.poll_call(), None);
        client.call(&VERSION);
        assert!(client.endpoint.poll_call().is_some());
    }
}

#[test]
fn a_changed_request_is_denied_and_ends_the_association() {
    for auth_level in [
        AuthLevel::PKT,
        AuthLevel::PKT_INTEGRITY,
        AuthLevel::PKT_PRIVACY,
    ] {
        let mut client = TestClient::logged_on(&proof("backup", AuthType::WINNT, auth_level));
        let whole = Pdu::new(client.header(), bare_request());
        let security = client.security.as_mut().expect("logged on");
        let mut bytes = security.protect(&whole).expect("can be protected");
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        client.endpoint.handle_bytes(&bytes);
        assert_eq!(client.fault(), FaultStatus::ACCESS_DENIED);
        assert!(client.endpoint.is_dead());
        assert_eq!(client.endpoint.poll_call(), None);
    }
}

#[test]
fn a_request_that_was_sent_before_is_denied() {
    let mut client =
        TestClient::logged_on(&proof("backup", AuthType::WINNT, AuthLevel::PKT_INTEGRITY));
    let whole = Pdu::new(client.header(), bare_request());
    let security = client.security.as_mut().expect("logged on");
    let bytes = security.protect(&whole).expect("can be protected");
    client.endpoint.handle_bytes(&bytes);
    assert!(client.endpoint.poll_call().is_some());
    client.endpoint.handle_bytes(&bytes);
    assert_eq!(client.fault(), FaultStatus::ACCESS_DENIED);
    assert!(client.endpoint.is_dead());
}

#[test]
fn requests_before_the_logon_is_over_break_the_protocol() {
    let proof = proof("backup", AuthType::WINNT, AuthLevel::PKT_INTEGRITY);
    let mut client = TestClient::new();
    let token = fsrvp_wire::auth::ntlm::Initiator::new(
        proof.credentials.clone(),
        Default::default(),
        fsrvp_wire::auth::ntlm::InitiatorRandom {
            client_challenge: [3; 8],
            exported_session_key: [5; 16].into(),
            time: 0,
        },
    )
    .negotiate();
    let bind = Body::Bind(bind_of(vec![fsrvp_context()]));
    assert!(client.exchange_token(bind, &proof, token).is_some());
    client.call(&VERSION);
    assert_eq!(client.fault(), FaultStatus::PROTO_ERROR);
    assert!(client.endpoint.is_dead());
}

#[test]
fn a_verifier_without_a_logon_breaks_the_protocol() {
    let mut client = TestClient::bound();
    let proof = proof("backup", AuthType::WINNT, AuthLevel::PKT_INTEGRITY);
    let answer = client.exchange_token(bare_request(), &proof, vec![0; 16]);
    let Some(Body::Fault(fault)) = answer.map(|pdu| pdu.body) else {
        panic!("no fault");
    };
    assert_eq!(fault.status, FaultStatus::PROTO_ERROR);
    assert!(client.endpoint.is_dead());
}
