//! MS-NLMP 3.3.2 and 3.4.5: the computations of NTLMv2 and of its session security.

use super::NegotiateFlags;
use super::context::Role;
use crate::security::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};
use rc4::{Rc4, StreamCipher as _};

/// The hash of a password that NTLM knows users by: MD4 over the password in UTF-16.
///
/// It is as good as the password itself for whoever has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NtHash(Secret<16>);

impl NtHash {
    /// Takes a hash that is known already.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(Secret::new(bytes))
    }

    /// MS-NLMP 3.3.1 NTOWFv1: the hash of a password.
    #[must_use]
    pub fn of_password(password: &str) -> Self {
        let mut hasher = Md4::new();
        for unit in password.encode_utf16() {
            hasher.update(unit.to_le_bytes());
        }
        Self::new(hasher.finalize().into())
    }

    /// The bytes, for an algorithm; not for output.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// HMAC-MD5 over several pieces.
pub(super) fn hmac_md5(key: &[u8], pieces: &[&[u8]]) -> [u8; 16] {
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else {
        // HMAC takes keys of any length, so that this arm is never reached.
        return [0; 16];
    };
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// RC4 with a fresh key over one piece: `RC4K` of MS-NLMP 6.
#[must_use]
pub fn rc4k(key: &Secret<16>, mut data: [u8; 16]) -> [u8; 16] {
    rc4(key.as_bytes()).apply_keystream(&mut data);
    data
}

/// An RC4 state for a key of 5 to 16 bytes.
pub(super) fn rc4(key: &[u8]) -> Rc4 {
    // INVARIANT: RC4 takes keys of 1 to 256 bytes; the callers' keys have 5, 7 or 16, and the
    // second arm only stands in for what the type cannot say.
    Rc4::new_from_slice(key).unwrap_or_else(|_| rc4::KeyInit::new(&[0; 32].into()))
}

/// MS-NLMP 3.3.2 NTOWFv2: the key of a user's responses.
///
/// User and domain are the names of the AUTHENTICATE_MESSAGE; the user's is turned to upper case.
#[must_use]
pub fn ntowf_v2(nt_hash: &NtHash, user: &str, domain: &str) -> Secret<16> {
    let name: Vec<u8> = upper_case(user)
        .chain(domain.chars())
        .flat_map(|c| {
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .flat_map(|u| u.to_le_bytes())
                .collect::<Vec<u8>>()
        })
        .collect();
    Secret::new(hmac_md5(nt_hash.as_bytes(), &[&name]))
}

/// Upper case letter by letter, as Windows has it: a letter whose upper case is not one letter
/// (such as `ß`) stays.
fn upper_case(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().map(|c| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    })
}

/// MS-NLMP 2.2.2.7 NTLMv2_CLIENT_CHALLENGE: what the proof is made over, as the client sends it.
#[must_use]
pub fn client_challenge(time: u64, client_challenge: [u8; 8], av_pairs: &[u8]) -> Vec<u8> {
    [
        &[1, 1, 0, 0, 0, 0, 0, 0][..],
        &time.to_le_bytes(),
        &client_challenge,
        &[0; 4],
        av_pairs,
        &[0; 4],
    ]
    .concat()
}

/// MS-NLMP 3.3.2 NTProofStr.
#[must_use]
pub fn nt_proof(response_key: &Secret<16>, server_challenge: &[u8; 8], temp: &[u8]) -> [u8; 16] {
    hmac_md5(response_key.as_bytes(), &[server_challenge, temp])
}

/// MS-NLMP 3.3.2 LmChallengeResponse of version 2.
#[must_use]
pub fn lm_v2_response(
    response_key: &Secret<16>,
    server_challenge: &[u8; 8],
    client_challenge: &[u8; 8],
) -> Vec<u8> {
    let proof = hmac_md5(
        response_key.as_bytes(),
        &[server_challenge, client_challenge],
    );
    [&proof[..], client_challenge].concat()
}

/// MS-NLMP 3.3.2 SessionBaseKey, which with NTLMv2 is the key exchange key too (3.4.5.1 KXKEY).
#[must_use]
pub fn session_base_key(response_key: &Secret<16>, nt_proof: &[u8; 16]) -> Secret<16> {
    Secret::new(hmac_md5(response_key.as_bytes(), &[nt_proof]))
}

/// MS-NLMP 3.1.5.1.2 the MIC over the three messages, the third with its MIC field zero.
#[must_use]
pub fn mic(
    exported_session_key: &Secret<16>,
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[u8],
) -> [u8; 16] {
    hmac_md5(
        exported_session_key.as_bytes(),
        &[negotiate, challenge, authenticate],
    )
}

/// MS-NLMP 3.4.5.2 SIGNKEY with extended session security, for what `sender` signs.
#[must_use]
pub fn sign_key(exported_session_key: &Secret<16>, sender: Role) -> Secret<16> {
    let magic: &[u8] = match sender {
        Role::Client => b"session key to client-to-server signing key magic constant\0",
        Role::Server => b"session key to server-to-client signing key magic constant\0",
    };
    md5_of(&[exported_session_key.as_bytes(), magic])
}

/// MS-NLMP 3.4.5.3 SEALKEY with extended session security, for what `sender` seals.
#[must_use]
pub fn seal_key(flags: NegotiateFlags, exported: &Secret<16>, sender: Role) -> Secret<16> {
    let magic: &[u8] = match sender {
        Role::Client => b"session key to client-to-server sealing key magic constant\0",
        Role::Server => b"session key to server-to-client sealing key magic constant\0",
    };
    let len = if flags.contains(NegotiateFlags::KEY_128) {
        16
    } else if flags.contains(NegotiateFlags::KEY_56) {
        7
    } else {
        5
    };
    md5_of(&[exported.as_bytes().get(..len).unwrap_or_default(), magic])
}

fn md5_of(pieces: &[&[u8]]) -> Secret<16> {
    let mut hasher = Md5::new();
    for piece in pieces {
        hasher.update(piece);
    }
    Secret::new(hasher.finalize().into())
}

/// MS-NLMP 4.2.1 and 4.2.4: the values that the specification gives.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ntlm::{ChallengeMessage, SecurityContext};

    const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
    const FLAGS: NegotiateFlags = NegotiateFlags(0xE28A_8233);
    const TARGET_INFO: &str = "02000c0044006f006d00610069006e0001000c005300650072007600650072000000\
                               0000";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn array<const N: usize>(hex: &str) -> [u8; N] {
        bytes(hex).try_into().unwrap()
    }

    fn response_key() -> Secret<16> {
        ntowf_v2(&NtHash::of_password("Password"), "User", "Domain")
    }

    fn proof() -> [u8; 16] {
        let temp = client_challenge(0, [0xAA; 8], &bytes(TARGET_INFO));
        nt_proof(&response_key(), &SERVER_CHALLENGE, &temp)
    }

    #[test]
    fn hashes_of_the_password_are_those_of_the_specification() {
        let nt_hash = NtHash::of_password("Password");
        assert_eq!(
            nt_hash.as_bytes(),
            &array("a4f49c406510bdcab6824ee7c30fd852")
        );
        assert_eq!(
            response_key().as_bytes(),
            &array("0c868a403bfd7a93a3001ef22ef02e3f")
        );
    }

    #[test]
    fn responses_are_those_of_the_specification() {
        assert_eq!(proof(), array("68cd0ab851e51c96aabc927bebef6a1c"));
        assert_eq!(
            lm_v2_response(&response_key(), &SERVER_CHALLENGE, &[0xAA; 8]),
            bytes("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa")
        );
    }

    #[test]
    fn keys_are_those_of_the_specification() {
        let base = session_base_key(&response_key(), &proof());
        assert_eq!(base.as_bytes(), &array("8de40ccadbc14a82f15cb0ad0de95ca3"));
        assert_eq!(
            rc4k(&base, [0x55; 16]),
            array("c5dad2544fc9799094ce1ce90bc9d03e")
        );
        let exported = Secret::new([0x55; 16]);
        let seal = seal_key(FLAGS, &exported, Role::Client);
        assert_eq!(seal.as_bytes(), &array("59f600973cc4960a25480a7c196e4c58"));
        let sign = sign_key(&exported, Role::Client);
        assert_eq!(sign.as_bytes(), &array("4788dc861b4782f35d43fd98fe1a2d39"));
    }

    #[test]
    fn the_key_of_an_anonymous_logon_is_exchanged_under_zero_bytes() {
        // Samba 4.17's client chose it, its server said that it used it.
        let encrypted = array("b3128aa31cc15c1e4fd1eb9bacd41bdd");
        assert_eq!(
            rc4k(&Secret::new([0; 16]), encrypted),
            array("6d0a03e2bff60124c5d7f5fcfbba89b0")
        );
    }

    #[test]
    fn the_sealed_message_is_that_of_the_specification() {
        let mut context = SecurityContext::new(Role::Client, FLAGS, &Secret::new([0x55; 16]));
        let mut message = bytes("50006c00610069006e007400650078007400");
        let len = message.len();
        let signature = context.seal(&mut message, 0..len).unwrap();
        assert_eq!(message, bytes("54e50165bf1936dc996020c1811b0f06fb5f"));
        assert_eq!(signature, array("010000007fb38ec5c55d497600000000"));
    }

    #[test]
    fn the_challenge_message_is_that_of_the_specification() {
        let message = bytes(
            "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef0000000000000000\
             2400240044000000060070170000000f530065007200760065007200\
             02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000",
        );
        let challenge = ChallengeMessage::parse(&message).unwrap();
        assert_eq!(challenge.negotiate_flags, FLAGS);
        assert_eq!(challenge.server_challenge, SERVER_CHALLENGE);
        assert_eq!(challenge.target_info, bytes(TARGET_INFO));
        assert_eq!(challenge.emit(), message);
    }

    #[test]
    fn a_letter_whose_upper_case_is_two_letters_stays() {
        assert_eq!(upper_case("straße_ünï").collect::<String>(), "STRAßE_ÜNÏ");
    }
}
