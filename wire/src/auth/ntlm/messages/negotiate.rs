//! MS-NLMP 2.2.1.1 NEGOTIATE_MESSAGE.

use super::super::{NTLM_NAME_MAX, NTLM_SIGNATURE, NegotiateFlags};
use super::payload::{bytes, emit_header, emitted, payload, payload_start, prologue};
use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, field, run};
use nom::Parser as _;
use nom::number::complete::le_u32;

const MESSAGE_TYPE: u32 = 1;
const FIXED_LEN: usize = 32;
const VERSION_LEN: usize = 8;

/// MS-NLMP 2.2.1.1 NEGOTIATE_MESSAGE: the client says what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiateMessage {
    /// What the client offers.
    pub negotiate_flags: NegotiateFlags,
    /// The client's domain in the OEM character set, as it came.
    pub domain_name: Vec<u8>,
    /// The client's name in the OEM character set, as it came.
    pub workstation: Vec<u8>,
    /// MS-NLMP 2.2.2.10 VERSION, where the message has room for it; for debugging only.
    pub version: Option<[u8; 8]>,
}

impl NegotiateMessage {
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
        let (input, negotiate_flags) = field("negotiate_flags", le_u32).parse(input)?;
        // Old clients stop here: the fields are optional.
        if input.is_empty() {
            return Ok((
                input,
                Self {
                    negotiate_flags: NegotiateFlags(negotiate_flags),
                    domain_name: Vec::new(),
                    workstation: Vec::new(),
                    version: None,
                },
            ));
        }
        let (input, domain_name) = payload(whole, "domain_name", NTLM_NAME_MAX)(input)?;
        let (input, workstation) = payload(whole, "workstation", NTLM_NAME_MAX)(input)?;
        let start = payload_start(whole, &[domain_name, workstation]);
        let (input, version) = if start >= FIXED_LEN + VERSION_LEN {
            bytes("version").map(Some).parse(input)?
        } else {
            (input, None)
        };
        Ok((
            input,
            Self {
                negotiate_flags: NegotiateFlags(negotiate_flags),
                domain_name: domain_name.bytes.to_vec(),
                workstation: workstation.bytes.to_vec(),
                version,
            },
        ))
    }

    /// Writes the message.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .bytes(&NTLM_SIGNATURE)
            .u32(MESSAGE_TYPE)
            .u32(self.negotiate_flags.0);
        let offset = FIXED_LEN + self.version.map_or(0, |version| version.len());
        let offset = emit_header(&mut writer, &self.domain_name, offset);
        emit_header(&mut writer, &self.workstation, offset);
        writer.bytes(self.version.as_ref().map_or(&[], |version| &version[..]));
        writer
            .bytes(emitted(&self.domain_name))
            .bytes(emitted(&self.workstation));
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
            domain_name in prop::collection::vec(any::<u8>(), 0..64),
            workstation in prop::collection::vec(any::<u8>(), 0..64),
            version: Option<[u8; 8]>,
        ) {
            let value = NegotiateMessage {
                negotiate_flags: NegotiateFlags(flags), domain_name, workstation, version,
            };
            prop_assert_eq!(NegotiateMessage::parse(&value.emit()), Ok(value));
        }

        #[test]
        fn what_parses_re_emits_to_the_same_value(noise in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut message = [&NTLM_SIGNATURE[..], &MESSAGE_TYPE.to_le_bytes()].concat();
            message.extend(noise.iter().map(|byte| byte & 0x3F));
            if let Ok(value) = NegotiateMessage::parse(&message) {
                prop_assert_eq!(NegotiateMessage::parse(&value.emit()), Ok(value));
            }
        }
    }
}
