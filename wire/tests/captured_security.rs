//! Real sessions: logons, derived keys, signatures and sealed messages of Samba 4.17 with its own
//! tools and with impacket as clients, as they were on the wire.
//!
//! Each `smb-*.bin` is the beginning of one connection: messages in their NetBIOS framing, both
//! directions in order. Each `rpc-*.bin` is the beginning of one DCE/RPC association: PDUs one
//! after the other. The keys are those that the server said it used.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use fsrvp_wire::auth::ntlm::{
    self, AuthenticateMessage, AvPairs, ChallengeMessage, NtHash, Role, SecurityContext, crypto,
};
use fsrvp_wire::auth::spnego::{NegTokenInit, NegTokenResp};
use fsrvp_wire::security::SigningAlgorithm;
use fsrvp_wire::security::sealing;
use fsrvp_wire::security::signing;
use fsrvp_wire::security::{Cipher, PreauthHash, Secret, SecretKey, SecurityError, SessionKeys};

const PASSWORD: &str = "AdminPass1!";
const MIC: std::ops::Range<usize> = 72..88;

/// One recorded session, and what the server said about it.
struct Recorded {
    bytes: &'static [u8],
    dialect: u16,
    signing: SigningAlgorithm,
    cipher: Cipher,
    session_key: &'static str,
    signing_key: &'static str,
    application_key: &'static str,
    client_to_server: &'static str,
    server_to_client: &'static str,
}

const GMAC: Recorded = Recorded {
    bytes: include_bytes!("data/security/smb-3.1.1-gmac.bin"),
    dialect: 0x0311,
    signing: SigningAlgorithm::AES_GMAC,
    cipher: Cipher::NONE,
    session_key: "f65ee95f9e80ec8da6a40193766f8381",
    signing_key: "be1acf3c8a4e164209f73a8f211638dd",
    application_key: "496c305499150b6d6747c9cfd54c2c58",
    client_to_server: "",
    server_to_client: "",
};

const CMAC: Recorded = Recorded {
    bytes: include_bytes!("data/security/smb-3.1.1-cmac.bin"),
    dialect: 0x0311,
    signing: SigningAlgorithm::AES_CMAC,
    cipher: Cipher::NONE,
    session_key: "4b73646655424c51716e7a6942366654",
    signing_key: "695be48fd52976f4540bbc65aa0a13d9",
    application_key: "0ecefb3f170fb700eaa5d86bdc1ba968",
    client_to_server: "",
    server_to_client: "",
};

const CCM: Recorded = Recorded {
    bytes: include_bytes!("data/security/smb-3.0-ccm.bin"),
    dialect: 0x0300,
    signing: SigningAlgorithm::AES_CMAC,
    cipher: Cipher::AES_128_CCM,
    session_key: "9cd73858c53df4f1650c9f753048e466",
    signing_key: "68a576001188496189d71dddd7aa9a01",
    application_key: "dfbbd09f9065403a27c5e30beaab5e30",
    client_to_server: "4f75bb563e08d69be6439f86a36cc2d3",
    server_to_client: "a5195f37b806b91014d450dc67af6ae5",
};

const GCM: Recorded = Recorded {
    bytes: include_bytes!("data/security/smb-3.1.1-gcm.bin"),
    dialect: 0x0311,
    signing: SigningAlgorithm::AES_GMAC,
    cipher: Cipher::AES_128_GCM,
    session_key: "18478fec5dfd9b4c963632845a97db95",
    signing_key: "a6010b7dce6f7ad491da56b71b9b1a6d",
    application_key: "eddaf3a51da6c007533f6bcce8c5ca2b",
    client_to_server: "7cbc88727e718573537e2b24975ba451",
    server_to_client: "9083da9eeb9a15b5bdb37a691b130d48",
};

const GCM_256: Recorded = Recorded {
    bytes: include_bytes!("data/security/smb-3.1.1-gcm256.bin"),
    dialect: 0x0311,
    signing: SigningAlgorithm::AES_GMAC,
    cipher: Cipher::AES_256_GCM,
    session_key: "1a3b3c8a5804de3bac6fe0eb8da5a665",
    signing_key: "c3e1e71ba9deb33356e2b6e56953ae94",
    application_key: "f968f85196a0b784d2478e2d3003c2cf",
    client_to_server: "2caf73b32288baae7bb1caf60e6e0ef227002a216f4db9804f361ec2082d2ab9",
    server_to_client: "4ca8661e2bb9bbde79cb9a4162d37080190a1bb1787393bd50cf501e1c2f712d",
};

const ALL: [&Recorded; 5] = [&GMAC, &CMAC, &CCM, &GCM, &GCM_256];

#[test]
fn the_session_key_follows_from_the_recorded_logon_and_the_password() {
    for recorded in ALL {
        let frames = frames(recorded.bytes);
        assert_eq!(
            session_key(&frames),
            Secret::new(array(recorded.session_key))
        );
    }
}

#[test]
fn the_keys_of_a_session_follow_from_its_key_and_the_messages_before() {
    for recorded in ALL {
        let keys = derived(recorded);
        assert_eq!(keys.signing, key(recorded.signing_key));
        assert_eq!(keys.application, key(recorded.application_key));
        if recorded.cipher != Cipher::NONE {
            assert_eq!(keys.client_to_server, key(recorded.client_to_server));
            assert_eq!(keys.server_to_client, key(recorded.server_to_client));
        }
    }
}

#[test]
fn dialect_3_1_1_without_preauthentication_hash_has_no_keys() {
    assert_eq!(
        SessionKeys::derive(0x0311, &[1; 16], None, Cipher::NONE),
        Err(SecurityError::PreauthHashMissing)
    );
}

#[test]
fn recorded_signatures_are_right_and_any_changed_bit_makes_them_wrong() {
    for recorded in ALL {
        let keys = derived(recorded);
        check_signatures(&frames(recorded.bytes), recorded.signing, &keys.signing, 1);
    }
    let hmac: [&[u8]; 2] = [
        include_bytes!("data/security/smb-2.0.2-hmac.bin"),
        include_bytes!("data/security/smb-2.1-hmac.bin"),
    ];
    for (bytes, (dialect, at_least)) in hmac.into_iter().zip([(0x0202, 1), (0x0210, 3)]) {
        let frames = frames(bytes);
        let session_key = session_key(&frames);
        let keys =
            SessionKeys::derive(dialect, session_key.as_bytes(), None, Cipher::NONE).unwrap();
        check_signatures(
            &frames,
            SigningAlgorithm::default_of(dialect),
            &keys.signing,
            at_least,
        );
    }
}

fn check_signatures(
    frames: &[Vec<u8>],
    algorithm: SigningAlgorithm,
    key: &SecretKey,
    at_least: usize,
) {
    let signed: Vec<_> = frames
        .iter()
        .filter(|f| f.starts_with(b"\xFESMB") && f[16] & 8 != 0)
        .collect();
    assert!(signed.len() >= at_least, "{} signed messages", signed.len());
    for message in signed {
        assert_eq!(signing::verify(algorithm, key, message), Ok(()));
        let mut again = message.clone();
        again[16] &= !8;
        again[48..64].fill(0xEE);
        signing::sign(algorithm, key, &mut again).unwrap();
        assert_eq!(&again, message);
        for at in [4, 48, 63, message.len() - 1] {
            let mut forged = message.clone();
            forged[at] ^= 1;
            let verdict = signing::verify(algorithm, key, &forged);
            assert_eq!(verdict, Err(SecurityError::WrongSignature), "byte {at}");
        }
    }
}

#[test]
fn recorded_sealed_messages_open_and_seal_again_to_the_same_bytes() {
    for recorded in [&CCM, &GCM, &GCM_256] {
        let keys = derived(recorded);
        let frames = frames(recorded.bytes);
        let mut sealed = 0;
        for (index, message) in frames
            .iter()
            .enumerate()
            .filter(|(_, f)| sealing::is_sealed(f))
        {
            let key = if index % 2 == 0 {
                &keys.client_to_server
            } else {
                &keys.server_to_client
            };
            let plain = sealing::open(recorded.cipher, key, message).unwrap();
            assert!(plain.starts_with(b"\xFESMB"));
            let nonce = message[20..36].try_into().unwrap();
            let session_id = sealing::session_id(message).unwrap();
            let again = sealing::seal(recorded.cipher, key, &nonce, session_id, &plain).unwrap();
            assert_eq!(&again, message);
            sealed += 1;
        }
        assert_eq!(sealed, 4);
    }
}

#[test]
fn a_changed_sealed_message_does_not_open() {
    let keys = derived(&GCM);
    let frames = frames(GCM.bytes);
    let message = frames.iter().find(|f| sealing::is_sealed(f)).unwrap();
    for (at, expected) in [
        (4, SecurityError::WrongSignature),
        (20, SecurityError::WrongSignature),
        (36, SecurityError::BadTransformHeader("OriginalMessageSize")),
        (42, SecurityError::BadTransformHeader("Flags")),
        (44, SecurityError::WrongSignature),
        (60, SecurityError::WrongSignature),
    ] {
        let mut forged = message.clone();
        forged[at] ^= 2;
        let verdict = sealing::open(GCM.cipher, &keys.client_to_server, &forged);
        assert_eq!(verdict, Err(expected), "byte {at}");
    }
    let other_direction = sealing::open(GCM.cipher, &keys.server_to_client, message);
    assert_eq!(other_direction, Err(SecurityError::WrongSignature));
    for len in 0..message.len() {
        assert!(sealing::open(GCM.cipher, &keys.client_to_server, &message[..len]).is_err());
    }
}

#[test]
fn recorded_rpc_requests_and_replies_sealed_by_raw_ntlm_open() {
    let recordings: [&[u8]; 2] = [
        include_bytes!("data/security/rpc-ntlm-seal.bin"),
        include_bytes!("data/security/rpc-impacket-seal.bin"),
    ];
    for bytes in recordings {
        let pdus = pdus(bytes);
        let (_, logon) = logon(
            auth_value(&pdus[0]),
            auth_value(&pdus[1]),
            auth_value(&pdus[2]),
        );
        let mut server = logon.context(Role::Server);
        let mut client = logon.context(Role::Client);
        for pdu in &pdus[3..] {
            let receiver = if pdu[2] == 0 {
                &mut server
            } else {
                &mut client
            };
            let (mut signed, sealed_range, signature) = protected_parts(pdu);
            receiver
                .unseal(&mut signed, sealed_range, signature)
                .unwrap();
        }
        assert!(pdus.len() >= 6);
    }
}

#[test]
fn recorded_rpc_signatures_follow_on_the_ones_over_the_mechanism_list() {
    let (pdus, mut server, mut client) =
        recorded_spnego(include_bytes!("data/security/rpc-spnego-sign.bin"));
    for pdu in &pdus[4..] {
        let receiver = if pdu[2] == 0 {
            &mut server
        } else {
            &mut client
        };
        let (signed, _, signature) = protected_parts(pdu);
        receiver.verify(&signed, signature).unwrap();
    }
    assert_eq!(pdus.len(), 8);
}

#[test]
fn recorded_rpc_calls_that_spnego_sealed_open() {
    let (pdus, mut server, mut client) =
        recorded_spnego(include_bytes!("data/security/rpc-spnego-seal.bin"));
    for pdu in &pdus[4..] {
        let receiver = if pdu[2] == 0 {
            &mut server
        } else {
            &mut client
        };
        let (mut signed, sealed_range, signature) = protected_parts(pdu);
        receiver
            .unseal(&mut signed, sealed_range, signature)
            .unwrap();
    }
    assert_eq!(pdus.len(), 8);
}

/// Follows a recorded SPNEGO logon up to its end; returns the PDUs and the receivers' contexts.
fn recorded_spnego(bytes: &[u8]) -> (Vec<Vec<u8>>, SecurityContext, SecurityContext) {
    let pdus = pdus(bytes);
    let init = NegTokenInit::parse(auth_value(&pdus[0])).unwrap();
    let challenge = NegTokenResp::parse(auth_value(&pdus[1])).unwrap();
    let authenticate = NegTokenResp::parse(auth_value(&pdus[2])).unwrap();
    let last = NegTokenResp::parse(auth_value(&pdus[3])).unwrap();
    assert_eq!(init.emit(), auth_value(&pdus[0]));
    assert_eq!(authenticate.emit(), auth_value(&pdus[2]));
    assert_eq!(last.emit(), auth_value(&pdus[3]));
    let mech_types = init.mech_types_der();
    let (_, logon) = logon(
        &init.mech_token.unwrap(),
        &challenge.response_token.unwrap(),
        &authenticate.response_token.unwrap(),
    );
    let mut server = logon.context(Role::Server);
    let mut client = logon.context(Role::Client);
    server
        .verify(&mech_types, &authenticate.mech_list_mic.unwrap())
        .unwrap();
    server.reset_cipher_states();
    client
        .verify(&mech_types, &last.mech_list_mic.unwrap())
        .unwrap();
    client.reset_cipher_states();
    (pdus, server, client)
}

/// Flags and key of a recorded logon.
struct Logon {
    flags: ntlm::NegotiateFlags,
    session_key: Secret<16>,
}

impl Logon {
    fn context(&self, role: Role) -> SecurityContext {
        SecurityContext::new(role, self.flags, &self.session_key)
    }
}

/// Follows a recorded logon with the password: proof and MIC must be right.
fn logon(negotiate: &[u8], challenge: &[u8], authenticate: &[u8]) -> (AuthenticateMessage, Logon) {
    let challenge_message = ChallengeMessage::parse(challenge).unwrap();
    let message = AuthenticateMessage::parse(authenticate).unwrap();
    let (proof, temp) = message.nt_challenge_response.split_at(16);
    let response_key = crypto::ntowf_v2(
        &NtHash::of_password(PASSWORD),
        &text(&message.user_name),
        &text(&message.domain_name),
    );
    assert_eq!(
        crypto::nt_proof(&response_key, &challenge_message.server_challenge, temp),
        proof
    );
    let base_key = crypto::session_base_key(&response_key, proof.try_into().unwrap());
    let exchanged = message
        .negotiate_flags
        .contains(ntlm::NegotiateFlags::KEY_EXCHANGE);
    let session_key = if exchanged {
        let encrypted = message
            .encrypted_random_session_key
            .as_slice()
            .try_into()
            .unwrap();
        Secret::new(crypto::rc4k(&base_key, encrypted))
    } else {
        base_key
    };
    let (av_pairs, _) = AvPairs::parse(&temp[28..]).unwrap();
    if av_pairs.flags() & AvPairs::FLAG_MIC != 0 {
        let mut zeroed = authenticate.to_vec();
        zeroed[MIC].fill(0);
        let expected = crypto::mic(&session_key, negotiate, challenge, &zeroed);
        assert_eq!(message.mic, Some(expected));
    }
    let flags = message.negotiate_flags & challenge_message.negotiate_flags;
    (message, Logon { flags, session_key })
}

/// The session key of a recorded SMB connection.
fn session_key(frames: &[Vec<u8>]) -> Secret<16> {
    let tokens: Vec<&[u8]> = frames
        .iter()
        .filter_map(|frame| setup_token(frame))
        .collect();
    let init = NegTokenInit::parse(tokens[0]).unwrap();
    let challenge = NegTokenResp::parse(tokens[1])
        .unwrap()
        .response_token
        .unwrap();
    let authenticate = NegTokenResp::parse(tokens[2])
        .unwrap()
        .response_token
        .unwrap();
    logon(&init.mech_token.unwrap(), &challenge, &authenticate)
        .1
        .session_key
}

/// The security buffer of a SESSION_SETUP message.
fn setup_token(frame: &[u8]) -> Option<&[u8]> {
    if !frame.starts_with(b"\xFESMB") || u16_at(frame, 12) != 1 {
        return None;
    }
    let fields = if frame[16] & 1 == 0 { 64 + 12 } else { 64 + 4 };
    let (offset, len) = (u16_at(frame, fields), u16_at(frame, fields + 2));
    frame.get(offset..offset + len)
}

fn derived(recorded: &Recorded) -> SessionKeys {
    let mut chain = PreauthHash::new();
    let hashed = frames(recorded.bytes).into_iter().filter(|frame| {
        let smb2 = frame.starts_with(b"\xFESMB");
        // The answer to the multi-protocol negotiate of SMB1 (dialect 0x02FF) does not count.
        let negotiate = smb2 && u16_at(frame, 12) == 0 && u16_at(frame, 68) != 0x02FF;
        let setup = smb2 && u16_at(frame, 12) == 1;
        negotiate || (setup && !(frame[16] & 1 == 1 && frame[8..12] == [0; 4]))
    });
    for message in hashed {
        chain.update(&message);
    }
    let session_key: [u8; 16] = array(recorded.session_key);
    let hash = (recorded.dialect == 0x0311).then(|| chain.value());
    SessionKeys::derive(recorded.dialect, &session_key, hash, recorded.cipher).unwrap()
}

fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

fn pdus(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pdus = Vec::new();
    while !bytes.is_empty() {
        let (pdu, rest) = bytes.split_at(u16_at(bytes, 8));
        pdus.push(pdu.to_vec());
        bytes = rest;
    }
    pdus
}

fn auth_value(pdu: &[u8]) -> &[u8] {
    &pdu[pdu.len() - u16_at(pdu, 10)..]
}

/// What the signature of a PDU covers, which part of it is sealed, and the signature.
fn protected_parts(pdu: &[u8]) -> (Vec<u8>, std::ops::Range<usize>, &[u8]) {
    let (signed, signature) = pdu.split_at(pdu.len() - u16_at(pdu, 10));
    (signed.to_vec(), 24..signed.len() - 8, signature)
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn text(utf16: &[u8]) -> String {
    let units: Vec<u16> = utf16
        .chunks(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).unwrap()
}

fn key(hex: &str) -> SecretKey {
    SecretKey::new(bytes(hex))
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}
