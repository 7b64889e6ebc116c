//! NTLM logons between others, token by token: raw, or inside of SPNEGO.

use super::keys::KeyRing;
use fsrvp_wire::auth::ntlm::{ChallengeMessage, Witnessed, WitnessedChallenge, is_raw_ntlm};
use fsrvp_wire::auth::spnego::{NegTokenInit, NegTokenResp};

/// Where the message type of an NTLM message lies, and what an AUTHENTICATE_MESSAGE states there.
const MESSAGE_TYPE: std::ops::Range<usize> = 8..12;
const NEGOTIATE: [u8; 4] = 1u32.to_le_bytes();
const CHALLENGE: [u8; 4] = 2u32.to_le_bytes();
const AUTHENTICATE: [u8; 4] = 3u32.to_le_bytes();

/// The longest list of SPNEGO mechanisms that is remembered, in bytes.
const MECH_TYPES_BYTES_MAX: usize = 1024;

/// A logon that is going on.
#[derive(Debug, Clone, Default)]
pub(super) struct Logon {
    /// What SPNEGO's signatures are made over.
    mech_types: Option<Vec<u8>>,
    challenge: Option<WitnessedChallenge>,
}

/// What a token brought.
#[derive(Debug, Default)]
pub(super) struct Token {
    /// The key, if this was the token that shows it and one of the users' hashes fits.
    pub(super) opened: Option<Witnessed>,
    /// SPNEGO's signature over the list of mechanisms.
    pub(super) mech_list_mic: Option<Vec<u8>>,
}

impl Logon {
    /// Takes the next token of either side.
    pub(super) fn token(&mut self, token: &[u8], keys: &KeyRing) -> Token {
        if is_raw_ntlm(token) {
            return Token {
                opened: self.ntlm(token, keys),
                mech_list_mic: None,
            };
        }
        let (inner, mech_list_mic) = if let Ok(init) = NegTokenInit::parse(token) {
            let list = init.mech_types_der();
            self.mech_types = Some(list).filter(|list| list.len() <= MECH_TYPES_BYTES_MAX);
            (init.mech_token, init.mech_list_mic)
        } else if let Ok(resp) = NegTokenResp::parse(token) {
            (resp.response_token, resp.mech_list_mic)
        } else {
            return Token::default();
        };
        Token {
            opened: inner.and_then(|inner| self.ntlm(&inner, keys)),
            mech_list_mic,
        }
    }

    /// RFC 4178 4.2.1: the list of mechanisms as it was sent, which SPNEGO's signatures cover.
    pub(super) fn mech_types(&self) -> Option<&[u8]> {
        self.mech_types.as_deref()
    }

    fn ntlm(&mut self, message: &[u8], keys: &KeyRing) -> Option<Witnessed> {
        if !is_raw_ntlm(message) {
            return None;
        }
        match message.get(MESSAGE_TYPE)?.try_into().ok()? {
            NEGOTIATE => self.challenge = None,
            CHALLENGE => {
                let message = ChallengeMessage::parse(message).ok();
                self.challenge = message.as_ref().map(WitnessedChallenge::from);
            }
            AUTHENTICATE => {
                let challenge = self.challenge.take()?;
                let by_key = challenge.open_with_key(message, |proof| keys.logon_of(proof));
                return by_key
                    .or_else(|_| challenge.open(message, keys.hashes()))
                    .ok();
            }
            _ => {}
        }
        None
    }
}
