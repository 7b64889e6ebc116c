//! The fields that all messages share: a header of lengths and offsets, then their payload.

use super::super::{NTLM_MESSAGE_MAX, NTLM_SIGNATURE};
use crate::emit::Writer;
use crate::error::ErrorKind;
use crate::parse::{PResult, fail, field};
use nom::Parser as _;
use nom::bytes::complete::{tag, take};
use nom::number::complete::{le_u16, le_u32};

/// A variable field: where it lies in the message, and its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payload<'a> {
    offset: usize,
    pub(super) bytes: &'a [u8],
}

/// Reads `Len`, `MaxLen` and `BufferOffset` of a field and fetches its bytes from the message.
///
/// `MaxLen` is not kept: the specification lets a receiver ignore it. An empty field may have any
/// offset.
pub(super) fn payload<'a>(
    whole: &'a [u8],
    name: &'static str,
    len_max: usize,
) -> impl Fn(&'a [u8]) -> PResult<'a, Payload<'a>> {
    move |input| {
        field(name, |input: &'a [u8]| {
            let (rest, (len, _max_len, offset)) = (le_u16, le_u16, le_u32).parse(input)?;
            let (len, offset) = (
                usize::from(len),
                usize::try_from(offset).unwrap_or(usize::MAX),
            );
            if len == 0 {
                return Ok((
                    rest,
                    Payload {
                        offset: whole.len(),
                        bytes: &[],
                    },
                ));
            }
            let bytes = offset
                .checked_add(len)
                .and_then(|end| whole.get(offset..end));
            match bytes {
                Some(bytes) if len <= len_max => Ok((rest, Payload { offset, bytes })),
                _ => fail(input, ErrorKind::LengthOutOfRange),
            }
        })
        .parse(input)
    }
}

/// Where the payload of a message begins: what lies before it belongs to the header.
pub(super) fn payload_start(whole: &[u8], fields: &[Payload<'_>]) -> usize {
    fields
        .iter()
        .map(|field| field.offset)
        .min()
        .unwrap_or(whole.len())
}

/// Reads the signature and the message type, and refuses messages above the limit.
pub(super) fn prologue<'a>(message_type: u32) -> impl Fn(&'a [u8]) -> PResult<'a, ()> {
    move |input| {
        if input.len() > NTLM_MESSAGE_MAX {
            return field("message", |input: &'a [u8]| {
                fail(input, ErrorKind::LengthOutOfRange)
            })
            .parse(input);
        }
        let (rest, _) = field("signature", tag(&NTLM_SIGNATURE[..])).parse(input)?;
        field("message_type", |input: &'a [u8]| {
            let (rest, got) = le_u32(input)?;
            if got == message_type {
                Ok((rest, ()))
            } else {
                fail(input, ErrorKind::BadMagic)
            }
        })
        .parse(rest)
    }
}

/// Reads a fixed run of bytes.
pub(super) fn bytes<'a, const N: usize>(
    name: &'static str,
) -> impl Fn(&'a [u8]) -> PResult<'a, [u8; N]> {
    move |input| {
        let (rest, bytes) = field(name, take(N)).parse(input)?;
        match bytes.try_into() {
            Ok(array) => Ok((rest, array)),
            Err(_) => fail(input, ErrorKind::Truncated { needed: 0 }),
        }
    }
}

/// Writes the header of a field whose payload comes later; returns where the payload of the next
/// field begins.
///
/// A field above 65535 bytes cannot be stated; its length is then cut, and so is its payload, see
/// [`emitted`].
pub(super) fn emit_header(writer: &mut Writer, value: &[u8], offset: usize) -> usize {
    let len = u16::try_from(emitted(value).len()).unwrap_or(u16::MAX);
    writer.u16(len).u16(len);
    writer.u32(u32::try_from(offset).unwrap_or(u32::MAX));
    offset + emitted(value).len()
}

/// The part of a field that its 16-bit length can state.
pub(super) fn emitted(value: &[u8]) -> &[u8] {
    value.get(..usize::from(u16::MAX)).unwrap_or(value)
}
