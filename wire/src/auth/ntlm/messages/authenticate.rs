//! MS-NLMP 2.2.1.3 AUTHENTICATE_MESSAGE.

use super::super::{NTLM_MESSAGE_MAX, NTLM_NAME_MAX, NTLM_SIGNATURE, NegotiateFlags};
use super::payload::{bytes, emit_header, emitted, payload, payload_start, prologue};
use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, field, run};
use nom::Parser as _;
use nom::number::complete::le_u32;
use std::ops::Range;

const MESSAGE_TYPE: u32 = 3;
const FIXED_LEN: usize = 64;
/// Where the Version lies, if the payload begins after it.
const VERSION_END: usize = 72;
/// Where the MIC lies, if the payload begins after it.
pub(in super::super) const MIC_RANGE: Range<usize> = 72..88;

/// MS-NLMP 2.2.1.3 AUTHENTICATE_MESSAGE: who the client is, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticateMessage {
    /// LMv2 response, or 24 zero bytes, or one zero byte for an anonymous logon.
    pub lm_challenge_response: Vec<u8>,
    /// NTLMv2 response: the proof (16 bytes) and what it was made over; empty when anonymous.
    pub nt_challenge_response: Vec<u8>,
    /// The user's domain as it came: UTF-16 or OEM, as the flags say.
    pub domain_name: Vec<u8>,
    /// The user's name as it came.
    pub user_name: Vec<u8>,
    /// The client's name as it came.
    pub workstation: Vec<u8>,
    /// The session key that the client chose, encrypted; empty without key exchange.
    pub encrypted_random_session_key: Vec<u8>,
    /// What client and server agreed on.
    pub negotiate_flags: NegotiateFlags,
    /// MS-NLMP 2.2.2.10 VERSION, where the message has room for it; for debugging only.
    pub version: Option<[u8; 8]>,
    /// The MIC over all three messages, where the message has room for it. A message with a MIC
    /// has a version too; without one, [`AuthenticateMessage::emit`] writes zero bytes for it.
    pub mic: Option<[u8; 16]>,
}

impl AuthenticateMessage {
    /// Reads one message.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(message: &[u8]) -> Result<Self, ParseError> {
        let (value, _payload) = run(Layer::Ntlm, message, |input| {
            Self::parse_fields(message, input)
        })?;
        Ok(value)
    }

    fn parse_fields<'a>(whole: &'a [u8], input: &'a [u8]) -> PResult<'a, Self> {
        let (input, ()) = prologue(MESSAGE_TYPE)(input)?;
        let (input, lm) = payload(whole, "lm_challenge_response", NTLM_MESSAGE_MAX)(input)?;
        let (input, nt) = payload(whole, "nt_challenge_response", NTLM_MESSAGE_MAX)(input)?;
        let (input, domain) = payload(whole, "domain_name", NTLM_NAME_MAX)(input)?;
        let (input, user) = payload(whole, "user_name", NTLM_NAME_MAX)(input)?;
        let (input, workstation) = payload(whole, "workstation", NTLM_NAME_MAX)(input)?;
        let (input, key) = payload(whole, "encrypted_random_session_key", NTLM_NAME_MAX)(input)?;
        let (input, negotiate_flags) = field("negotiate_flags", le_u32).parse(input)?;
        let start = payload_start(whole, &[lm, nt, domain, user, workstation, key]);
        let (input, version) = if start >= VERSION_END {
            bytes("version").map(Some).parse(input)?
        } else {
            (input, None)
        };
        let (input, mic) = if start >= MIC_RANGE.end {
            bytes("mic").map(Some).parse(input)?
        } else {
            (input, None)
        };
        Ok((
            input,
            Self {
                lm_challenge_response: lm.bytes.to_vec(),
                nt_challenge_response: nt.bytes.to_vec(),
                domain_name: domain.bytes.to_vec(),
                user_name: user.bytes.to_vec(),
                workstation: workstation.bytes.to_vec(),
                encrypted_random_session_key: key.bytes.to_vec(),
                negotiate_flags: NegotiateFlags(negotiate_flags),
                version,
                mic,
            },
        ))
    }

    /// Writes the message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(&NTLM_SIGNATURE).u32(MESSAGE_TYPE);
        let mut offset = match (self.version, self.mic) {
            (_, Some(_)) => MIC_RANGE.end,
            (Some(_), None) => VERSION_END,
            (None, None) => FIXED_LEN,
        };
        let fields = [
            &self.lm_challenge_response,
            &self.nt_challenge_response,
            &self.domain_name,
            &self.user_name,
            &self.workstation,
            &self.encrypted_random_session_key,
        ];
        for value in fields {
            offset = emit_header(&mut writer, value, offset);
        }
        writer.u32(self.negotiate_flags.0);
        if self.version.is_some() || self.mic.is_some() {
            writer.bytes(&self.version.unwrap_or_default());
        }
        writer.bytes(self.mic.as_ref().map_or(&[], |mic| &mic[..]));
        for value in fields {
            writer.bytes(emitted(value));
        }
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..48)
    }

    prop_compose! {
        fn message()(
            fields in prop::array::uniform6(some_bytes()),
            flags: u32,
            version: Option<[u8; 8]>,
            mic: Option<[u8; 16]>,
        ) -> AuthenticateMessage {
            let [lm, nt, domain_name, user_name, workstation, key] = fields;
            AuthenticateMessage {
                lm_challenge_response: lm,
                nt_challenge_response: nt,
                domain_name,
                user_name,
                workstation,
                encrypted_random_session_key: key,
                negotiate_flags: NegotiateFlags(flags),
                version,
                mic: version.and(mic),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_to_the_same_value(value in message()) {
            prop_assert_eq!(AuthenticateMessage::parse(&value.emit()), Ok(value));
        }

        #[test]
        fn what_parses_re_emits_to_the_same_value(noise in prop::collection::vec(0_u8..0x60, 52..120)) {
            let mut message = [&NTLM_SIGNATURE[..], &MESSAGE_TYPE.to_le_bytes(), &noise].concat();
            // Without high bytes the offsets have a chance to lie inside of the message.
            for at in (12..64).step_by(8) {
                for high in [at + 1, at + 5, at + 6, at + 7] {
                    if let Some(byte) = message.get_mut(high) { *byte = 0; }
                }
            }
            if let Ok(value) = AuthenticateMessage::parse(&message) {
                prop_assert_eq!(AuthenticateMessage::parse(&value.emit()), Ok(value));
            }
        }

        #[test]
        fn a_cut_message_is_an_error_or_a_value_but_never_a_panic(value in message(), cut in 0_usize..200) {
            let bytes = value.emit();
            let cut = bytes.get(..cut.min(bytes.len())).unwrap_or_default();
            if cut.len() < FIXED_LEN {
                prop_assert!(AuthenticateMessage::parse(cut).is_err());
            } else {
                let _ = AuthenticateMessage::parse(cut);
            }
        }
    }
}
