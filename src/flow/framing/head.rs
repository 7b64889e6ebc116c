//! What can be told of a message by its first bytes.

use super::{COMMAND_MAX, HEAD_LEN, Kind, MESSAGE_MAX, SMB2_HEADER_LEN, TRANSFORM_HEADER_LEN};

/// Whether a segment that begins with `bytes` looks like the beginning of an SMB message; `None`
/// where there are too few bytes to tell.
pub(in crate::flow) fn looks_like_smb(bytes: &[u8]) -> Option<bool> {
    match (bytes.first(), bytes.get(4..8)) {
        (Some(0), Some(identifier)) => Some(kind_of(identifier).is_some()),
        (Some(0), None) => None,
        _ => Some(false),
    }
}

/// MS-SMB2 2.2.1.1: whether the message at the start of a segment was sent by a server.
pub(in crate::flow) fn is_from_server(segment: &[u8]) -> Option<bool> {
    match kind_of(segment.get(4..8)?)? {
        Kind::Smb2 => Some(segment.get(4 + 16)? & 1 != 0),
        Kind::Smb1 => Some(segment.get(4 + 9)? & 0x80 != 0),
        Kind::Encrypted | Kind::Compressed => None,
    }
}

pub(super) fn kind_of(identifier: &[u8]) -> Option<Kind> {
    match identifier {
        [0xfe, b'S', b'M', b'B', ..] => Some(Kind::Smb2),
        [0xfd, b'S', b'M', b'B', ..] => Some(Kind::Encrypted),
        [0xfc, b'S', b'M', b'B', ..] => Some(Kind::Compressed),
        [0xff, b'S', b'M', b'B', ..] => Some(Kind::Smb1),
        _ => None,
    }
}

/// The kind and length of the element that `head` begins, of a message with `left` bytes to go;
/// `None` where it is broken.
pub(super) fn element_length(head: &[u8], left: u64) -> Option<(Kind, u64)> {
    let kind = kind_of(head)?;
    if kind != Kind::Smb2 {
        return Some((kind, left));
    }
    if head.len() < SMB2_HEADER_LEN {
        return None;
    }
    // MS-SMB2 2.2.1.2: NextCommand, the offset of the next element, or zero in the last one.
    match u64::from(le32(head, 20)?) {
        0 => Some((kind, left)),
        next if next < 64 || next >= left => None,
        next => Some((kind, next)),
    }
}

/// The elements of a message that is there as a whole. `None` stands for a broken one, and is the
/// last.
pub(in crate::flow) fn elements(message: &[u8]) -> impl Iterator<Item = Option<(Kind, &[u8])>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let head = rest.get(..HEAD_LEN).unwrap_or(rest);
        let split = element_length(head, len_u64(rest)).and_then(|(kind, length)| {
            let (element, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((kind, element, after))
        });
        rest = split.map_or(&[][..], |(_, _, after)| after);
        Some(split.map(|(kind, element, _)| (kind, element)))
    })
}

pub(super) fn is_plausible(candidate: &[u8]) -> bool {
    let (Some(0), Some(length)) = (candidate.first(), length_at(candidate)) else {
        return false;
    };
    let message = candidate.get(4..).unwrap_or_default();
    match kind_of(message) {
        Some(Kind::Smb2) => {
            length >= 64
                && le16(message, 4) == Some(64)
                && le16(message, 12).is_some_and(|command| command <= COMMAND_MAX)
        }
        // MS-SMB2 2.2.41: OriginalMessageSize is what the message has behind the header.
        Some(Kind::Encrypted) => le32(message, 36)
            .and_then(|size| usize::try_from(size).ok())
            .and_then(|size| u64::try_from(size + TRANSFORM_HEADER_LEN).ok())
            .is_some_and(|size| size == length),
        Some(Kind::Compressed) => length >= 16,
        Some(Kind::Smb1) => length >= 35,
        None => false,
    }
}

/// The length in a NetBIOS header: 24 bits over TCP (MS-SMB2 2.1).
pub(super) fn length_at(bytes: &[u8]) -> Option<u64> {
    let length = u64::from(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?));
    Some(length & MESSAGE_MAX)
}

pub(super) fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn len_u64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
