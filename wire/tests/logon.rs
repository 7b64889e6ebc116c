//! Laws between the two sides of a logon, and what an acceptor refuses.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use fsrvp_wire::auth::ntlm::{
    self, Accepted, AcceptorConfig, AuthenticateMessage, AvId, AvPairs, ChallengeMessage,
    ContextError, Credentials, InitiatorOptions, InitiatorRandom, LogonError, NegotiateFlags,
    NegotiateMessage, NtHash, Role, SecurityContext,
};
use fsrvp_wire::auth::spnego::{self, NegState, NegTokenInit, NegTokenResp, Oid};
use fsrvp_wire::security::Secret;
use proptest::prelude::*;

const USER: &str = "alice";
const DOMAIN: &str = "LAB";
const PASSWORD: &str = "correct horse";

fn config() -> AcceptorConfig {
    AcceptorConfig {
        netbios_computer: "SERVER".to_owned(),
        netbios_domain: "LAB".to_owned(),
        dns_computer: "server.lab.example".to_owned(),
        dns_domain: "lab.example".to_owned(),
        time: 0x01DA_0000_1234_5678,
        server_challenge: [0x11; 8],
        allow_anonymous: false,
    }
}

fn initiator(credentials: Credentials) -> ntlm::Initiator {
    let options = InitiatorOptions {
        workstation: "CLIENT".to_owned(),
        target_name: Some("cifs/server".to_owned()),
        channel_bindings: None,
        seal: true,
    };
    let random = InitiatorRandom {
        client_challenge: [0x22; 8],
        exported_session_key: Secret::new([0x33; 16]),
        time: 7,
    };
    ntlm::Initiator::new(credentials, options, random)
}

fn alice() -> Credentials {
    Credentials::user(USER, DOMAIN, PASSWORD)
}

fn only_alice(user: &str, domain: &str) -> Option<NtHash> {
    (user == USER && domain == DOMAIN).then(|| NtHash::of_password(PASSWORD))
}

/// A raw logon; `change` may alter the last token.
fn raw_logon(
    config: AcceptorConfig,
    mut client: ntlm::Initiator,
    change: impl Fn(Vec<u8>) -> Vec<u8>,
) -> Result<(Accepted, ntlm::Initiator), LogonError> {
    let mut server = ntlm::Acceptor::new(config);
    let challenge = server.handle_negotiate(&client.negotiate())?;
    let authenticate = change(client.handle_challenge(&challenge)?);
    server
        .handle_authenticate(&authenticate, &only_alice)
        .map(|accepted| (accepted, client))
}

fn refusal<T>(outcome: Result<T, LogonError>) -> Option<LogonError> {
    outcome.err()
}

/// Rewrites the AUTHENTICATE_MESSAGE as a client would that does not know the user's key.
fn altered(change: impl Fn(&mut AuthenticateMessage)) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |token| {
        let mut message = AuthenticateMessage::parse(&token).unwrap();
        change(&mut message);
        message.emit()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_knows_the_password_is_let_in_with_the_same_key(
        user in "[^\\p{C}]{1,20}", domain in "[^\\p{C}]{0,15}", password in "[^\\p{C}]{0,30}",
        wrong in "[^\\p{C}]{0,30}",
    ) {
        let lookup = |u: &str, d: &str| {
            (u == user && d == domain).then(|| NtHash::of_password(&password))
        };
        for offered in [&password, &wrong] {
            let mut client = initiator(Credentials::user(&user, &domain, offered));
            let mut server = ntlm::Acceptor::new(config());
            let challenge = server.handle_negotiate(&client.negotiate()).unwrap();
            let token = client.handle_challenge(&challenge).unwrap();
            let outcome = server.handle_authenticate(&token, &lookup);
            if *offered == password {
                let accepted = outcome.unwrap();
                prop_assert_eq!(&accepted.user, &user);
                prop_assert_eq!(&accepted.domain, &domain);
                prop_assert_eq!(&accepted.workstation, "CLIENT");
                prop_assert!(!accepted.anonymous);
                prop_assert_eq!(Some(accepted.session_key), client.session_key());
            } else {
                prop_assert_eq!(refusal(outcome), Some(LogonError::WrongProof));
            }
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), place in 0_usize..4) {
        let noise = [&b"NTLMSSP\0\x01\0\0\0"[..], &noise].concat();
        let noise = if place % 2 == 0 { &noise[12..] } else { &noise[..] };
        let mut server = spnego::Acceptor::new(ntlm::Acceptor::new(config()));
        let mut client = spnego::Initiator::new(initiator(alice()));
        let first = client.start();
        if place > 1 {
            prop_assert!(server.step(&first, &only_alice).is_ok());
        }
        prop_assert!(!server.step(noise, &only_alice).is_ok_and(|step| step.done));
        prop_assert!(!client.step(noise).is_ok_and(|step| step.done));
    }

    #[test]
    fn what_one_side_seals_or_signs_the_other_opens_in_order(
        messages in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 8..100), 0_usize..8, any::<bool>(), any::<bool>()), 1..10),
        key_exchange: bool, bits in 0_u8..3,
    ) {
        let mut flags = NegotiateFlags::SIGN | NegotiateFlags::SEAL;
        if key_exchange { flags = flags | NegotiateFlags::KEY_EXCHANGE; }
        flags = flags | [NegotiateFlags(0), NegotiateFlags::KEY_56, NegotiateFlags::KEY_128][usize::from(bits)];
        let key = Secret::new([9; 16]);
        let mut client = SecurityContext::new(Role::Client, flags, &key);
        let mut server = SecurityContext::new(Role::Server, flags, &key);
        for (plain, start, from_client, seal) in messages {
            let (sender, receiver) =
                if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            if seal {
                let range = start..plain.len() - 1;
                let mut sealed = plain.clone();
                let signature = sender.seal(&mut sealed, range.clone()).unwrap();
                prop_assert_eq!(&sealed[..start], &plain[..start]);
                prop_assert_eq!(sealed.last(), plain.last());
                receiver.unseal(&mut sealed, range, &signature).unwrap();
                prop_assert_eq!(sealed, plain);
            } else {
                let signature = sender.sign(&plain);
                prop_assert_eq!(receiver.verify(&plain, &signature), Ok(()));
            }
        }
    }
}

#[test]
fn no_changed_bit_of_the_last_token_lets_anybody_in() {
    let len = raw_authenticate().len();
    for bit in 0..len * 8 {
        let outcome = raw_logon(config(), initiator(alice()), |mut token| {
            token[bit / 8] ^= 1 << (bit % 8);
            token
        });
        assert!(outcome.is_err(), "bit {bit}");
    }
}

fn raw_authenticate() -> Vec<u8> {
    let mut client = initiator(alice());
    let mut server = ntlm::Acceptor::new(config());
    let challenge = server.handle_negotiate(&client.negotiate()).unwrap();
    client.handle_challenge(&challenge).unwrap()
}

#[test]
fn a_message_that_comes_twice_or_altered_is_refused() {
    let (flags, key) = (
        NegotiateFlags::SIGN | NegotiateFlags::SEAL,
        Secret::new([9; 16]),
    );
    let mut client = SecurityContext::new(Role::Client, flags, &key);
    let mut server = SecurityContext::new(Role::Server, flags, &key);
    let signature = client.sign(b"one");
    assert_eq!(server.verify(b"one", &signature), Ok(()));
    assert_eq!(
        server.verify(b"one", &signature),
        Err(ContextError::WrongSignature)
    );
    let mut server = SecurityContext::new(Role::Server, flags, &key);
    assert_eq!(
        server.verify(b"two", &signature),
        Err(ContextError::WrongSignature)
    );
    assert_eq!(
        server.verify(b"one", &signature[..8]),
        Err(ContextError::WrongSignature)
    );
    assert_eq!(
        client.seal(&mut [0; 4], 2..5),
        Err(ContextError::RangeOutside)
    );
}

#[test]
fn an_unknown_user_and_a_wrong_password_are_refused_alike() {
    let strangers = [
        Credentials::user("mallory", DOMAIN, PASSWORD),
        Credentials::user(USER, "ELSEWHERE", PASSWORD),
        Credentials::user(USER, DOMAIN, "wrong"),
        Credentials::user(USER, DOMAIN, ""),
    ];
    for stranger in strangers {
        let outcome = raw_logon(config(), initiator(stranger), |token| token);
        assert_eq!(refusal(outcome), Some(LogonError::WrongProof));
    }
}

#[test]
fn the_hash_that_stands_in_for_an_unknown_user_lets_nobody_in() {
    let stranger = Credentials::User {
        user: "mallory".to_owned(),
        domain: DOMAIN.to_owned(),
        nt_hash: NtHash::new([0; 16]),
    };
    let outcome = raw_logon(config(), initiator(stranger), |token| token);
    assert_eq!(refusal(outcome), Some(LogonError::WrongProof));
}

#[test]
fn a_made_up_proof_without_mic_is_refused() {
    let outcome = raw_logon(
        config(),
        initiator(alice()),
        altered(|message| {
            message.nt_challenge_response[..16].fill(0x5A);
            message.mic = None;
            message.negotiate_flags = message.negotiate_flags.without(NegotiateFlags::TARGET_INFO);
        }),
    );
    assert_eq!(refusal(outcome), Some(LogonError::WrongProof));
}

#[test]
fn responses_of_lm_and_ntlm_v1_are_refused() {
    for (lm, nt) in [(24, 24), (24, 0), (0, 24), (1, 16), (0, 43)] {
        let outcome = raw_logon(
            config(),
            initiator(alice()),
            altered(|message| {
                message.lm_challenge_response = vec![7; lm];
                message.nt_challenge_response = vec![1; nt];
            }),
        );
        assert_eq!(
            refusal(outcome),
            Some(LogonError::NotNtlmV2),
            "lm {lm}, nt {nt}"
        );
    }
}

#[test]
fn a_promised_mic_must_be_there_and_right() {
    let missing = raw_logon(
        config(),
        initiator(alice()),
        altered(|message| message.mic = None),
    );
    assert_eq!(refusal(missing), Some(LogonError::MicMissing));
    for forged in [[0; 16], [1; 16]] {
        let outcome = raw_logon(
            config(),
            initiator(alice()),
            altered(|message| message.mic = Some(forged)),
        );
        assert_eq!(refusal(outcome), Some(LogonError::MicWrong));
    }
    // The MIC binds the first two messages too: a flag that was taken out on the way shows.
    let mut client = initiator(alice());
    let mut server = ntlm::Acceptor::new(config());
    let mut negotiate = NegotiateMessage::parse(&client.negotiate()).unwrap();
    negotiate.negotiate_flags = negotiate.negotiate_flags.without(NegotiateFlags::VERSION);
    let challenge = server.handle_negotiate(&negotiate.emit()).unwrap();
    let token = client.handle_challenge(&challenge).unwrap();
    let outcome = server.handle_authenticate(&token, &only_alice);
    assert_eq!(refusal(outcome), Some(LogonError::MicWrong));
}

#[test]
fn without_a_promise_no_mic_is_legal_and_a_wrong_one_is_refused() {
    // A server that does not state its time gets no MIC; the test plays that server's challenge to
    // the client and gives the answer to an acceptor with the same challenge.
    for (mic, expected) in [
        (None, None),
        (Some([0; 16]), None),
        (Some([1; 16]), Some(LogonError::MicWrong)),
    ] {
        let mut client = initiator(alice());
        let mut server = ntlm::Acceptor::new(config());
        let challenge = server.handle_negotiate(&client.negotiate()).unwrap();
        let mut challenge = ChallengeMessage::parse(&challenge).unwrap();
        let (mut pairs, _) = AvPairs::parse(&challenge.target_info).unwrap();
        pairs.0.retain(|pair| pair.av_id != AvId::TIMESTAMP);
        challenge.target_info = pairs.emit();
        let token = client.handle_challenge(&challenge.emit()).unwrap();
        let mut message = AuthenticateMessage::parse(&token).unwrap();
        assert_eq!(message.mic, None);
        assert_eq!(message.lm_challenge_response.len(), 24);
        message.mic = mic;
        let outcome = server.handle_authenticate(&message.emit(), &only_alice);
        assert_eq!(refusal(outcome), expected);
    }
}

#[test]
fn an_anonymous_logon_is_told_apart_and_accepted_only_where_allowed() {
    let refused = raw_logon(config(), initiator(Credentials::Anonymous), |token| token);
    assert_eq!(refusal(refused), Some(LogonError::AnonymousRefused));
    let open = AcceptorConfig {
        allow_anonymous: true,
        ..config()
    };
    let (accepted, client) = raw_logon(open.clone(), initiator(Credentials::Anonymous), |token| {
        token
    })
    .unwrap();
    assert!(accepted.anonymous);
    assert_eq!(accepted.user, "");
    assert_eq!(Some(accepted.session_key), client.session_key());
    // Without a user but with a proof it is a logon like any other, and a wrong one.
    let outcome = raw_logon(open, initiator(Credentials::user("", "", "")), |token| {
        token
    });
    assert_eq!(refusal(outcome), Some(LogonError::WrongProof));
}

#[test]
fn tokens_out_of_turn_are_refused() {
    let mut client = initiator(alice());
    let mut server = ntlm::Acceptor::new(config());
    assert_eq!(
        refusal(server.handle_authenticate(b"", &only_alice)),
        Some(LogonError::OutOfTurn)
    );
    let mut server2 = ntlm::Acceptor::new(config());
    assert_eq!(
        refusal(client.handle_challenge(b"")),
        Some(LogonError::OutOfTurn)
    );
    let negotiate = client.negotiate();
    let challenge = server2.handle_negotiate(&negotiate).unwrap();
    assert_eq!(
        refusal(server2.handle_negotiate(&negotiate)),
        Some(LogonError::OutOfTurn)
    );
    let token = client.handle_challenge(&challenge).unwrap();
    assert!(server2.handle_authenticate(&token, &only_alice).is_ok());
    let again = server2.handle_authenticate(&token, &only_alice);
    assert_eq!(refusal(again), Some(LogonError::OutOfTurn));
}

#[test]
fn debug_output_shows_no_secret() {
    let credentials = Credentials::user(USER, DOMAIN, PASSWORD);
    let mut client = initiator(credentials.clone());
    client.negotiate();
    let shown = format!(
        "{credentials:?} {client:?} {:?}",
        NtHash::of_password(PASSWORD)
    );
    assert!(shown.contains(USER));
    assert!(
        !shown.contains(PASSWORD) && !shown.contains("51, 51, 51"),
        "{shown}"
    );
}

// SPNEGO

struct Sides {
    client: spnego::Initiator,
    server: spnego::Acceptor,
}

fn sides() -> Sides {
    Sides {
        client: spnego::Initiator::new(initiator(alice())),
        server: spnego::Acceptor::new(ntlm::Acceptor::new(config())),
    }
}

/// Runs the first three tokens; returns the client's last one.
fn up_to_authenticate(sides: &mut Sides) -> Vec<u8> {
    let challenge = sides
        .server
        .step(&sides.client.start(), &only_alice)
        .unwrap();
    assert!(!challenge.done);
    let authenticate = sides.client.step(&challenge.reply).unwrap();
    assert!(!authenticate.done);
    authenticate.reply
}

#[test]
fn spnego_signs_the_mechanism_list_both_ways_and_the_contexts_agree_afterwards() {
    let mut sides = sides();
    let token = up_to_authenticate(&mut sides);
    let last = sides.server.step(&token, &only_alice).unwrap();
    assert!(last.done);
    assert!(
        NegTokenResp::parse(&last.reply)
            .unwrap()
            .mech_list_mic
            .is_some()
    );
    assert_eq!(
        sides.client.step(&last.reply).map(|step| step.done),
        Ok(true)
    );
    let session_key = sides.client.session_key();
    let accepted = sides.server.into_accepted().unwrap();
    assert_eq!(Some(accepted.session_key), session_key);
    let (mut client, mut server) = (
        sides.client.into_context().unwrap(),
        accepted.context.unwrap(),
    );
    for text in [*b"first", *b"other"] {
        let mut bytes = text;
        let signature = client.seal(&mut bytes, 0..5).unwrap();
        assert_eq!(server.unseal(&mut bytes, 0..5, &signature), Ok(()));
        assert_eq!(bytes, text);
        let signature = server.sign(&text);
        assert_eq!(client.verify(&text, &signature), Ok(()));
    }
}

#[test]
fn a_client_copes_with_servers_that_sign_no_list_or_say_nothing() {
    let endings = [
        Vec::new(),
        NegTokenResp::default().emit(),
        NegTokenResp {
            neg_state: Some(NegState::ACCEPT_COMPLETED),
            ..NegTokenResp::default()
        }
        .emit(),
    ];
    for ending in endings {
        let mut sides = sides();
        up_to_authenticate(&mut sides);
        assert_eq!(sides.client.step(&ending).map(|step| step.done), Ok(true));
        assert!(sides.client.into_context().is_some());
    }
    let incomplete = NegTokenResp {
        neg_state: Some(NegState::ACCEPT_INCOMPLETE),
        ..NegTokenResp::default()
    }
    .emit();
    let mut sides = sides();
    up_to_authenticate(&mut sides);
    assert_eq!(
        sides.client.step(&incomplete).map(|step| step.done),
        Ok(false)
    );
    assert_eq!(sides.client.step(&[]).map(|step| step.done), Ok(true));
}

#[test]
fn a_wrong_signature_over_the_mechanism_list_is_refused_by_both_sides() {
    let mut sides = sides();
    let token = up_to_authenticate(&mut sides);
    let mut forged = NegTokenResp::parse(&token).unwrap();
    if let Some(byte) = forged.mech_list_mic.as_mut().and_then(|mic| mic.get_mut(5)) {
        *byte ^= 1;
    }
    let outcome = sides.server.step(&forged.emit(), &only_alice);
    assert_eq!(refusal(outcome), Some(LogonError::MechListMicWrong));
    let last = NegTokenResp {
        mech_list_mic: Some(vec![1; 16]),
        ..NegTokenResp::default()
    };
    assert_eq!(
        refusal(sides.client.step(&last.emit())),
        Some(LogonError::MechListMicWrong)
    );
    assert_eq!(refusal(sides.client.step(&[])), Some(LogonError::OutOfTurn));
    assert!(sides.server.into_accepted().is_none());
}

#[test]
fn a_rejection_ends_the_logon() {
    let mut sides = sides();
    up_to_authenticate(&mut sides);
    let outcome = sides.client.step(&spnego::Acceptor::reject());
    assert_eq!(refusal(outcome), Some(LogonError::Rejected));
    assert!(sides.client.into_context().is_none());
}

/// A client that would rather use Kerberos: the acceptor selects NTLM and wants the list signed.
fn kerberos_first(sign: bool) -> Result<spnego::Step, LogonError> {
    let mut client = initiator(alice());
    let mut server = spnego::Acceptor::new(ntlm::Acceptor::new(config()));
    let init = NegTokenInit {
        mech_types: vec![Oid(Oid::KERBEROS.to_vec()), Oid::ntlm()],
        mech_token: Some(b"not for NTLM".to_vec()),
        ..NegTokenInit::default()
    };
    let selected = NegTokenResp::parse(&server.step(&init.emit(), &only_alice)?.reply)?;
    assert_eq!(selected.neg_state, Some(NegState::REQUEST_MIC));
    assert!(selected.supported_mech.is_some_and(|mech| mech.is_ntlm()));
    let negotiate = NegTokenResp {
        response_token: Some(client.negotiate()),
        ..NegTokenResp::default()
    };
    let challenge = NegTokenResp::parse(&server.step(&negotiate.emit(), &only_alice)?.reply)?;
    let token = client.handle_challenge(&challenge.response_token.unwrap())?;
    let key = client.session_key().unwrap();
    let flags = AuthenticateMessage::parse(&token)?.negotiate_flags;
    let mut context = SecurityContext::new(Role::Client, flags, &key);
    let mech_list_mic = sign.then(|| context.sign(&init.mech_types_der()).to_vec());
    let last = NegTokenResp {
        response_token: Some(token),
        mech_list_mic,
        ..NegTokenResp::default()
    };
    server.step(&last.emit(), &only_alice)
}

#[test]
fn where_ntlm_is_the_second_choice_the_mechanism_list_must_be_signed() {
    assert_eq!(kerberos_first(true).map(|step| step.done), Ok(true));
    assert_eq!(
        refusal(kerberos_first(false)),
        Some(LogonError::MechListMicMissing)
    );
}

#[test]
fn a_client_without_ntlm_finds_no_common_mechanism() {
    let init = NegTokenInit {
        mech_types: vec![Oid(Oid::KERBEROS.to_vec())],
        ..NegTokenInit::default()
    };
    let outcome = sides().server.step(&init.emit(), &only_alice);
    assert_eq!(refusal(outcome), Some(LogonError::NoCommonMechanism));
}

#[test]
fn the_acceptor_takes_raw_ntlm_too() {
    let mut client = initiator(alice());
    let mut server = spnego::Acceptor::new(ntlm::Acceptor::new(config()));
    let challenge = server.step(&client.negotiate(), &only_alice).unwrap();
    let token = client.handle_challenge(&challenge.reply).unwrap();
    let last = server.step(&token, &only_alice).unwrap();
    assert!(last.done && last.reply.is_empty());
    assert_eq!(
        server.into_accepted().map(|accepted| accepted.user),
        Some(USER.to_owned())
    );
}

#[test]
fn the_servers_hello_offers_ntlm() {
    let hello = NegTokenInit::parse(&spnego::Acceptor::hello()).unwrap();
    assert_eq!(hello, NegTokenInit::server_hello());
    assert!(hello.mech_types.iter().any(Oid::is_ntlm));
}
