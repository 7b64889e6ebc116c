//! RFC 1002 4.3.1 and MS-SMB2 2.1: the frames that a TCP stream is cut into.
//!
//! This is the only place where bytes may still be on their way: [`next_frame`] says so with
//! `Ok(None)`. Everything inside a frame is complete.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use std::ops::Range;

/// The four bytes before each payload: the type and a 24-bit length.
pub const HEADER_LEN: usize = 4;

/// The longest payload that the 24-bit length can state.
pub const FRAME_MAX: usize = 0x00FF_FFFF;

/// RFC 1002 4.3.1: what a frame is; unknown types are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameType(pub u8);

impl FrameType {
    /// A message: on SMB Direct TCP the only type.
    pub const SESSION_MESSAGE: FrameType = FrameType(0x00);
    /// Asks for a NetBIOS session; old clients send it on port 139.
    pub const SESSION_REQUEST: FrameType = FrameType(0x81);
    /// Grants a NetBIOS session.
    pub const POSITIVE_RESPONSE: FrameType = FrameType(0x82);
    /// Refuses a NetBIOS session.
    pub const NEGATIVE_RESPONSE: FrameType = FrameType(0x83);
    /// Sends the client to another address.
    pub const RETARGET_RESPONSE: FrameType = FrameType(0x84);
    /// Keeps the connection alive; has no payload and no answer.
    pub const KEEPALIVE: FrameType = FrameType(0x85);
}

/// One whole frame at the start of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the frame is.
    pub frame_type: FrameType,
    /// Where the payload lies in the buffer, in bytes.
    pub payload: Range<usize>,
}

impl Frame {
    /// How many bytes of the buffer the frame fills, its header included.
    #[must_use]
    pub fn consumed(&self) -> usize {
        self.payload.end
    }
}

/// The frame at the start of `buffer`; `None` while it is not there as a whole.
///
/// The length is judged as soon as the header is there, so that nobody buffers for a frame that
/// will be refused.
///
/// # Errors
/// `LengthOutOfRange` when the payload would be longer than `payload_max`; the stream has no next
/// frame then.
pub fn next_frame(buffer: &[u8], payload_max: usize) -> Result<Option<Frame>, ParseError> {
    let Some(&[frame_type, high, middle, low]) = buffer.first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if length > payload_max {
        return Err(ParseError {
            layer: Layer::Nbss,
            offset_bytes: 1,
            field: "Length",
            kind: ErrorKind::LengthOutOfRange,
        });
    }
    let end = HEADER_LEN + length;
    if buffer.len() < end {
        return Ok(None);
    }
    Ok(Some(Frame {
        frame_type: FrameType(frame_type),
        payload: HEADER_LEN..end,
    }))
}

/// A session message with this payload.
///
/// The length field has 24 bits: a payload above [`FRAME_MAX`] cannot be framed and gives `None`.
#[must_use]
pub fn emit(payload: &[u8]) -> Option<Vec<u8>> {
    emit_as(FrameType::SESSION_MESSAGE, payload)
}

/// A frame of any type with this payload; `None` when it is longer than [`FRAME_MAX`].
#[must_use]
pub fn emit_as(frame_type: FrameType, payload: &[u8]) -> Option<Vec<u8>> {
    let head = head(frame_type, payload.len())?;
    let mut out = Writer::new();
    out.reserve(HEADER_LEN + payload.len())
        .bytes(&head)
        .bytes(payload);
    Some(out.into_bytes())
}

/// The bytes before a payload of this length; `None` when it is longer than [`FRAME_MAX`].
#[must_use]
pub fn head(frame_type: FrameType, payload_len: usize) -> Option<[u8; HEADER_LEN]> {
    if payload_len > FRAME_MAX {
        return None;
    }
    let [_, high, middle, low] = u32::try_from(payload_len).ok()?.to_be_bytes();
    Some([frame_type.0, high, middle, low])
}

/// How long the frame at the start of `buffer` will be, its header included; `None` while that is
/// not told.
#[must_use]
pub fn frame_len(buffer: &[u8]) -> Option<usize> {
    let &[_, high, middle, low] = buffer.first_chunk::<HEADER_LEN>()?;
    Some(HEADER_LEN + u32::from_be_bytes([0, high, middle, low]) as usize)
}

#[cfg(test)]
mod tests {
    use super::{FRAME_MAX, FrameType, emit, emit_as, next_frame};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_framed_is_found_again(
            kind in any::<u8>(),
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            after in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut stream = emit_as(FrameType(kind), &payload).unwrap();
            let whole = stream.len();
            stream.extend(&after);
            let frame = next_frame(&stream, FRAME_MAX).unwrap().unwrap();
            prop_assert_eq!(frame.frame_type, FrameType(kind));
            prop_assert_eq!(&stream[frame.payload.clone()], &payload[..]);
            prop_assert_eq!(frame.consumed(), whole);
            for cut in 0..whole {
                prop_assert_eq!(next_frame(&stream[..cut], FRAME_MAX).unwrap(), None);
            }
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_the_payload_comes() {
        let error = next_frame(&[0, 0, 1, 1], 256).unwrap_err();
        assert_eq!(
            error.to_string(),
            "nbss: Length at byte 1: length or offset out of range"
        );
    }

    #[test]
    fn a_payload_that_the_length_cannot_state_is_not_framed() {
        assert_eq!(emit(&vec![0; FRAME_MAX + 1]), None);
        assert_eq!(emit(&[0; 3]), Some(vec![0, 0, 0, 3, 0, 0, 0]));
    }
}
