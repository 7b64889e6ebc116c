//! What can be told of a message by its head.

use super::super::exchange::{Evidence, GapLayer, GapReason};
use super::super::framing::Kind;
use super::super::output::Output;
use super::Mishap;
use fsrvp_wire::smb2::ioctl::CtlCode;
use fsrvp_wire::smb2::{FileId, HEADER_LEN, Header};
use fsrvp_wire::{ErrorKind, Layer, ParseError};

/// A gap of a whole message.
pub(super) fn mishap_at(
    offset: u64,
    length: u64,
    evidence: &Evidence,
    reason: GapReason,
) -> Mishap {
    Mishap {
        layer: GapLayer::Smb2,
        reason,
        offset,
        length,
        frame: evidence.frames.first().copied().unwrap_or(0),
        time: evidence.time,
    }
}

pub(super) fn smb2_header(kind: Kind, head: &[u8]) -> Option<Header> {
    match kind {
        Kind::Smb2 => Header::parse(head).ok(),
        Kind::Encrypted | Kind::Compressed | Kind::Smb1 => None,
    }
}

pub(super) fn broken_header(head: &[u8]) -> ParseError {
    match Header::parse(head) {
        Err(error) => error,
        // The header is well formed, so it was its place in a compound that is not.
        Ok(_) => ParseError {
            layer: Layer::Smb2,
            offset_bytes: 20,
            field: "NextCommand",
            kind: ErrorKind::LengthOutOfRange,
        },
    }
}

pub(super) fn count(header: &Header, output: &mut Output) {
    let counters = match header.is_response() {
        false => &mut output.counters.smb2_requests,
        true => &mut output.counters.smb2_responses,
    };
    if let Some(counter) = counters.get_mut(usize::from(header.command.0)) {
        *counter += 1;
    }
}

/// MS-SMB2 2.2.31, 2.2.32: `CtlCode`, at the same place in requests and responses.
pub(super) fn ctl_code(message: &[u8]) -> Option<CtlCode> {
    let bytes = message.get(HEADER_LEN + 4..HEADER_LEN + 8)?;
    Some(CtlCode(u32::from_le_bytes(bytes.try_into().ok()?)))
}

/// The `FileId` of a request, `offset` bytes behind the header.
pub(in crate::flow) fn file_id(message: &[u8], offset: usize) -> Option<FileId> {
    let bytes = message.get(HEADER_LEN + offset..HEADER_LEN + offset + 16)?;
    let (persistent, volatile) = bytes.split_at(8);
    Some(FileId {
        persistent: u64::from_le_bytes(persistent.try_into().ok()?),
        volatile: u64::from_le_bytes(volatile.try_into().ok()?),
    })
}

/// Whether the data of a WRITE to an unknown file begin like an RPC fragment from a client: version
/// 5.0 or 5.1, a packet type that clients send, no unknown flag, a known integer format, and the
/// NULs behind it.
pub(super) fn begins_like_rpc(message: &[u8], offset: usize) -> bool {
    matches!(
        message.get(HEADER_LEN + offset..HEADER_LEN + offset + 8),
        Some([5, 0 | 1, 0 | 11 | 14 | 16, _, 0x00 | 0x10, _, 0, 0])
    )
}
