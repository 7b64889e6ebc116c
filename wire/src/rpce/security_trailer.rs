//! MS-RPCE 2.2.2.11 sec_trailer and what surrounds it.

use crate::ParseError;
use crate::error::ErrorKind;
use crate::ndr::{Reader, Writer};
use crate::rpce::{AuthLevel, AuthType};

/// The length of the trailer without its token, in bytes.
pub const TRAILER_LEN: usize = 8;

/// MS-RPCE 2.2.2.11: padding, trailer and token at the end of a PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityTrailer {
    /// The padding before the trailer; its length travels in one byte.
    pub auth_pad: Vec<u8>,
    /// The security provider.
    pub auth_type: AuthType,
    /// How much is protected.
    pub auth_level: AuthLevel,
    /// `auth_reserved`.
    pub auth_reserved: u8,
    /// Names the security context on its connection.
    pub auth_context_id: u32,
    /// `auth_value`: the token of a bind, or the signature of a request or response. Its length is
    /// `auth_length`, and zero there says that there is no trailer at all.
    pub auth_value: Vec<u8>,
}

impl SecurityTrailer {
    /// A trailer without padding; [`crate::rpce::Pdu::emit`] does not add any.
    #[must_use]
    pub fn new(
        auth_type: AuthType,
        auth_level: AuthLevel,
        auth_context_id: u32,
        auth_value: Vec<u8>,
    ) -> Self {
        SecurityTrailer {
            auth_pad: Vec::new(),
            auth_type,
            auth_level,
            auth_reserved: 0,
            auth_context_id,
            auth_value,
        }
    }

    /// Reads the trailer at the end of `body`, which is everything of the PDU before the token,
    /// and returns the length of `body` without trailer and padding too.
    pub(super) fn parse(
        reader: &mut Reader<'_>,
        body: &[u8],
        least_len: usize,
        auth_value: &[u8],
    ) -> Result<(Self, usize), ParseError> {
        let out_of_range = |field| reader.error(field, ErrorKind::LengthOutOfRange);
        let trailer_at = body
            .len()
            .checked_sub(TRAILER_LEN)
            .filter(|at| *at >= least_len)
            .ok_or(out_of_range("auth_length"))?;
        let (before, _) = body
            .split_at_checked(trailer_at)
            .ok_or(out_of_range("auth_length"))?;
        let skip = trailer_at.saturating_sub(reader.position());
        reader.bytes("sec_trailer", skip)?;
        let auth_type = AuthType(reader.u8("auth_type")?);
        let auth_level = AuthLevel(reader.u8("auth_level")?);
        let pad_length = usize::from(reader.u8("auth_pad_length")?);
        let auth_reserved = reader.u8("auth_reserved")?;
        // The trailer of a sloppy peer may be misaligned, so this is not an aligned integer.
        let context_id = reader.array::<4>("auth_context_id")?;
        let pad_at = trailer_at
            .checked_sub(pad_length)
            .filter(|at| *at >= least_len)
            .ok_or(reader.error("auth_pad_length", ErrorKind::LengthOutOfRange))?;
        let trailer = SecurityTrailer {
            auth_pad: before.get(pad_at..).unwrap_or_default().to_vec(),
            auth_type,
            auth_level,
            auth_reserved,
            auth_context_id: reader.representation().byte_order.u32(context_id),
            auth_value: auth_value.to_vec(),
        };
        Ok((trailer, pad_at))
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        let context_id = writer
            .representation()
            .byte_order
            .u32_bytes(self.auth_context_id);
        writer
            .bytes(&self.auth_pad)
            .u8(self.auth_type.0)
            .u8(self.auth_level.0)
            .u8(u8::try_from(self.auth_pad.len()).unwrap_or(u8::MAX))
            .u8(self.auth_reserved)
            .bytes(&context_id)
            .bytes(&self.auth_value);
    }
}
