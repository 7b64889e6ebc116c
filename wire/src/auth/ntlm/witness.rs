//! A logon between others: what was recorded of it, and with the right hash its session key.

use super::acceptor::{exported_session_key, is_anonymous, is_ntlm_v2, text};
use super::crypto::{nt_proof, ntowf_v2, session_base_key};
use super::{
    AuthenticateMessage, ChallengeMessage, LogonError, NegotiateFlags, NtHash, Role,
    SecurityContext,
};
use crate::security::Secret;
use crate::security::secret::constant_time_eq;

/// What a server asked for in a recorded CHALLENGE_MESSAGE, as far as keys depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessedChallenge {
    flags: NegotiateFlags,
    server_challenge: [u8; 8],
}

/// A recorded logon whose key is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// The user's name on the wire; empty when anonymous.
    pub user: String,
    /// The user's domain on the wire.
    pub domain: String,
    /// Nobody proved anything.
    pub anonymous: bool,
    /// What both sides agreed on.
    pub flags: NegotiateFlags,
    /// The exported session key.
    pub session_key: Secret<16>,
}

impl From<&ChallengeMessage> for WitnessedChallenge {
    fn from(message: &ChallengeMessage) -> Self {
        Self {
            flags: message.negotiate_flags,
            server_challenge: message.server_challenge,
        }
    }
}

impl WitnessedChallenge {
    /// Finds among `hashes` the one that made the proof of `token`, the AUTHENTICATE_MESSAGE that
    /// answers this challenge, and computes the session key as both sides did.
    ///
    /// Whether the server accepted the logon is not known here: it would not have accepted what is
    /// refused here, apart from responses older than NTLMv2.
    ///
    /// # Errors
    /// The token does not parse, is older than NTLMv2, or none of the hashes made its proof.
    pub fn open<'a>(
        &self,
        token: &[u8],
        hashes: impl IntoIterator<Item = &'a NtHash>,
    ) -> Result<Witnessed, LogonError> {
        let message = AuthenticateMessage::parse(token)?;
        let flags = self.flags & message.negotiate_flags;
        let user = text(&message.user_name, message.negotiate_flags).unwrap_or_default();
        let domain = text(&message.domain_name, message.negotiate_flags).unwrap_or_default();
        let anonymous = is_anonymous(&message);
        let key_exchange_key = match anonymous {
            true => Secret::new([0; 16]),
            false => self.key_exchange_key(&message, &user, &domain, hashes)?,
        };
        Ok(Witnessed {
            session_key: exported_session_key(&message, flags, key_exchange_key)?,
            user,
            domain,
            anonymous,
            flags,
        })
    }

    /// The session security of a logon whose exported session key is known. `find` gives the key
    /// that belongs to the proof in `token`, the AUTHENTICATE_MESSAGE that answers this challenge;
    /// no two logons have the same proof.
    ///
    /// # Errors
    /// The token does not parse, is older than NTLMv2, or there is no key for its proof.
    pub fn open_with_key(
        &self,
        token: &[u8],
        find: impl FnOnce(&[u8; 16]) -> Option<Secret<16>>,
    ) -> Result<Witnessed, LogonError> {
        let message = AuthenticateMessage::parse(token)?;
        let response = &message.nt_challenge_response;
        let proof = response.first_chunk::<16>().ok_or(LogonError::NotNtlmV2)?;
        Ok(Witnessed {
            session_key: find(proof).ok_or(LogonError::WrongProof)?,
            user: text(&message.user_name, message.negotiate_flags).unwrap_or_default(),
            domain: text(&message.domain_name, message.negotiate_flags).unwrap_or_default(),
            anonymous: false,
            flags: self.flags & message.negotiate_flags,
        })
    }

    fn key_exchange_key<'a>(
        &self,
        message: &AuthenticateMessage,
        user: &str,
        domain: &str,
        hashes: impl IntoIterator<Item = &'a NtHash>,
    ) -> Result<Secret<16>, LogonError> {
        let response = &message.nt_challenge_response;
        let (proof, temp) = response.split_at_checked(16).ok_or(LogonError::NotNtlmV2)?;
        if !is_ntlm_v2(response) {
            return Err(LogonError::NotNtlmV2);
        }
        hashes
            .into_iter()
            .map(|nt_hash| ntowf_v2(nt_hash, user, domain))
            .find_map(|key| {
                let expected = nt_proof(&key, &self.server_challenge, temp);
                constant_time_eq(&expected, proof).then(|| session_base_key(&key, &expected))
            })
            .ok_or(LogonError::WrongProof)
    }
}

impl Witnessed {
    /// The session security of `role`; none without extended session security, which is not
    /// computed here.
    #[must_use]
    pub fn context(&self, role: Role) -> Option<SecurityContext> {
        self.flags
            .contains(NegotiateFlags::EXTENDED_SESSION_SECURITY)
            .then(|| SecurityContext::new(role, self.flags, &self.session_key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ntlm::{
        Acceptor, AcceptorConfig, Credentials, Initiator, InitiatorOptions, InitiatorRandom,
    };
    use proptest::prelude::*;

    fn config() -> AcceptorConfig {
        AcceptorConfig {
            netbios_computer: "SERVER".to_owned(),
            netbios_domain: "SERVER".to_owned(),
            dns_computer: String::new(),
            dns_domain: String::new(),
            time: 7,
            server_challenge: [3; 8],
            allow_anonymous: false,
        }
    }

    /// A whole logon: its last two tokens, and the key that the server has.
    fn logon(user: &str, password: &str) -> (Vec<u8>, Vec<u8>, Secret<16>) {
        let credentials = Credentials::user(user, "DOMAIN", password);
        let random = InitiatorRandom {
            client_challenge: [5; 8],
            exported_session_key: Secret::new([9; 16]),
            time: 7,
        };
        let mut client = Initiator::new(credentials, InitiatorOptions::default(), random);
        let mut server = Acceptor::new(config());
        let challenge = server.handle_negotiate(&client.negotiate()).unwrap();
        let authenticate = client.handle_challenge(&challenge).unwrap();
        let lookup = |_: &str, _: &str| Some(NtHash::of_password(password));
        let accepted = server.handle_authenticate(&authenticate, &lookup).unwrap();
        (challenge, authenticate, accepted.session_key)
    }

    fn witnessed(challenge: &[u8]) -> WitnessedChallenge {
        WitnessedChallenge::from(&ChallengeMessage::parse(challenge).unwrap())
    }

    proptest! {
        #[test]
        fn the_right_hash_among_others_gives_the_key_that_the_server_has(
            user in "[a-zA-Z0-9ä]{1,12}", password in ".{0,12}", others in 0_usize..4,
        ) {
            let (challenge, authenticate, key) = logon(&user, &password);
            let mut hashes = vec![NtHash::new([1; 16]); others];
            hashes.push(NtHash::of_password(&password));
            let found = witnessed(&challenge).open(&authenticate, &hashes).unwrap();
            prop_assert_eq!(&found.session_key, &key);
            prop_assert_eq!(&found.user, &user);
            let message = AuthenticateMessage::parse(&authenticate).unwrap();
            let proof = *message.nt_challenge_response.first_chunk::<16>().unwrap();
            let known = |asked: &[u8; 16]| (*asked == proof).then(|| key.clone());
            let by_key = witnessed(&challenge).open_with_key(&authenticate, known);
            prop_assert_eq!(by_key, Ok(found));
            let by_no_key = witnessed(&challenge).open_with_key(&authenticate, |_| None);
            prop_assert_eq!(by_no_key, Err(LogonError::WrongProof));
            let without = hashes.get(..others).unwrap_or_default();
            let verdict = witnessed(&challenge).open(&authenticate, without);
            prop_assert_eq!(verdict, Err(LogonError::WrongProof));
        }

        #[test]
        fn a_changed_token_never_panics(
            at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let (challenge, mut authenticate, _) = logon("user", "secret");
            let at = at.index(authenticate.len());
            if let Some(byte) = authenticate.get_mut(at) { *byte ^= 1 << bit; }
            let _ = witnessed(&challenge).open(&authenticate, [&NtHash::of_password("secret")]);
        }
    }
}
