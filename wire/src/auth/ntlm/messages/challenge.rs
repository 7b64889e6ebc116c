//! MS-NLMP 2.2.1.2 CHALLENGE_MESSAGE.

use super::super::{NTLM_MESSAGE_MAX, NTLM_NAME_MAX, NTLM_SIGNATURE, NegotiateFlags};
use super::payload::{bytes, emit_header, emitted, payload, payload_start, prologue};
use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, field, run};
use nom::Parser as _;
use nom::number::complete::le_u32;

const MESSAGE_TYPE: u32 = 2;
const FIXED_LEN: usize = 48;
const VERSION_LEN: usize = 8;

/// MS-NLMP 2.2.1.2 CHALLENGE_MESSAGE: the server's challenge, and who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeMessage {
    /// The server's name as it came: UTF-16 or OEM, as the flags say.
    pub target_name: Vec<u8>,
    /// What the server agrees to.
    pub negotiate_flags: NegotiateFlags,
    /// What the client's proof is made over.
    pub server_challenge: [u8; 8],
    /// Zero, to be ignored.
    pub reserved: [u8; 8],
    /// The AV pairs as they came, see [`super::super::AvPairs`].
    pub target_info: Vec<u8>,
    /// MS-NLMP 2.2.2.10 VERSION, where the message has room for it; for debugging only.
    pub version: Option<[u8; 8]>,
}

impl ChallengeMessage {
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
        let (input, target_name) = payload(whole, "target_name", NTLM_NAME_MAX)(input)?;
        let (input, negotiate_flags) = field("negotiate_flags", le_u32).parse(input)?;
        let (input, server_challenge) = bytes("server_challenge")(input)?;
        let (input, reserved) = bytes("reserved")(input)?;
        let (input, target_info) = payload(whole, "target_info", NTLM_MESSAGE_MAX)(input)?;
        let start = payload_start(whole, &[target_name, target_info]);
        let (input, version) = if start >= FIXED_LEN + VERSION_LEN {
            bytes("version").map(Some).parse(input)?
        } else {
            (input, None)
        };
        Ok((
            input,
            Self {
                target_name: target_name.bytes.to_vec(),
                negotiate_flags: NegotiateFlags(negotiate_flags),
                server_challenge,
                reserved,
                target_info: target_info.bytes.to_vec(),
                version,
            },
        ))
    }

    /// Writes the message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(&NTLM_SIGNATURE).u32(MESSAGE_TYPE);
        let offset = FIXED_LEN + self.version.map_or(0, |version| version.len());
        let offset = emit_header(&mut writer, &self.target_name, offset);
        writer
            .u32(self.negotiate_flags.0)
            .bytes(&self.server_challenge)
            .bytes(&self.reserved);
        emit_header(&mut writer, &self.target_info, offset);
        writer.bytes(self.version.as_ref().map_or(&[], |version| &version[..]));
        writer
            .bytes(emitted(&self.target_name))
            .bytes(emitted(&self.target_info));
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_emitted_parses_to_the_same_value(
            flags: u32,
            server_challenge: [u8; 8],
            reserved: [u8; 8],
            target_name in prop::collection::vec(any::<u8>(), 0..64),
            target_info in prop::collection::vec(any::<u8>(), 0..64),
            version: Option<[u8; 8]>,
        ) {
            let value = ChallengeMessage {
                target_name, negotiate_flags: NegotiateFlags(flags), server_challenge, reserved,
                target_info, version,
            };
            prop_assert_eq!(ChallengeMessage::parse(&value.emit()), Ok(value));
        }

        #[test]
        fn what_parses_re_emits_to_the_same_value(noise in prop::collection::vec(0_u8..0x50, 36..120)) {
            let message = [&NTLM_SIGNATURE[..], &MESSAGE_TYPE.to_le_bytes(), &noise].concat();
            if let Ok(value) = ChallengeMessage::parse(&message) {
                prop_assert_eq!(ChallengeMessage::parse(&value.emit()), Ok(value));
            }
        }
    }
}
