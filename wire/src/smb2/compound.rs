//! MS-SMB2 3.2.4.1.4, 3.3.5.2.7: several messages in one frame.

use crate::error::{ErrorKind, Layer, ParseError};
use crate::smb2::codec::len32;
use crate::smb2::{HEADER_LEN, Header};

/// The most messages of one compound that are read; no known client sends more than ten.
pub const COMPOUND_MAX: usize = 64;

/// What every message of a compound but the first begins at a multiple of, in bytes.
pub const ALIGNMENT: usize = 8;

/// Where `NextCommand` stands in the header, in bytes.
const NEXT_COMMAND_AT: usize = 20;

/// Cuts a frame into its messages, each with the padding that follows it.
///
/// # Errors
/// When a header does not parse, when `NextCommand` is no multiple of eight, lies inside the
/// header or beyond the frame, or when there are more than [`COMPOUND_MAX`] messages.
pub fn split(frame: &[u8]) -> Result<Vec<&[u8]>, ParseError> {
    let mut messages = Vec::new();
    let mut rest = frame;
    loop {
        let start = frame.len() - rest.len();
        let header = Header::parse(rest).map_err(|error| ParseError {
            offset_bytes: error.offset_bytes + start,
            ..error
        })?;
        if header.next_command == 0 {
            messages.push(rest);
            return Ok(messages);
        }
        let refuse = |kind| ParseError {
            layer: Layer::Smb2,
            offset_bytes: start + NEXT_COMMAND_AT,
            field: "NextCommand",
            kind,
        };
        let next = header.next_command as usize;
        if !next.is_multiple_of(ALIGNMENT) {
            return Err(refuse(ErrorKind::Misaligned));
        }
        if next < HEADER_LEN || messages.len() + 1 >= COMPOUND_MAX {
            return Err(refuse(ErrorKind::LengthOutOfRange));
        }
        let (message, after) = rest
            .split_at_checked(next)
            .ok_or_else(|| refuse(ErrorKind::LengthOutOfRange))?;
        messages.push(message);
        rest = after;
    }
}

/// Joins messages into a frame: pads all but the last and sets `NextCommand` in each.
///
/// Signatures cover padding and `NextCommand`, so a signer wants [`pad`] before it signs and puts
/// the signed messages behind each other itself.
#[must_use]
pub fn join(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let mut message = message.clone();
        pad(&mut message, index + 1 == messages.len());
        frame.extend_from_slice(&message);
    }
    frame
}

/// Makes `message` ready to stand in a compound: sets its `NextCommand`, and pads it with zeros
/// unless it is the last.
pub fn pad(message: &mut Vec<u8>, is_last: bool) {
    let next = if is_last {
        0
    } else {
        message.resize(message.len().next_multiple_of(ALIGNMENT), 0);
        len32(message.len())
    };
    if let Some(slot) = message.get_mut(NEXT_COMMAND_AT..NEXT_COMMAND_AT + 4) {
        slot.copy_from_slice(&next.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPOUND_MAX, join, split};
    use crate::smb2::sample::Sample;
    use crate::smb2::{Body, Command, Header, echo};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_joined_is_split_again(headers in proptest::collection::vec(Header::sample(), 1..6)) {
            let messages: Vec<Vec<u8>> = headers
                .iter()
                .map(|header| echo::Request::default().emit(&Header { next_command: 0, ..header.clone() }))
                .collect();
            let frame = join(&messages);
            let split = split(&frame).unwrap();
            prop_assert_eq!(split.len(), headers.len());
            for (part, header) in split.iter().zip(&headers) {
                let (got, _) = echo::Request::parse(part).unwrap();
                prop_assert_eq!(got.message_id, header.message_id);
            }
            prop_assert_eq!(split.concat(), frame);
        }
    }

    #[test]
    fn next_command_meets_its_limits() {
        let request = |next_command| {
            let header = Header {
                next_command,
                ..Header::request(Command::ECHO)
            };
            echo::Request::default().emit(&header)
        };
        for next in [8, 56, 63, 65, 69, 72, u32::MAX - 7] {
            let error = split(&request(next)).unwrap_err();
            assert_eq!(
                (error.field, error.offset_bytes),
                ("NextCommand", 20),
                "{next}"
            );
        }
        let one = request(0);
        assert_eq!(
            split(&join(&vec![one.clone(); COMPOUND_MAX]))
                .unwrap()
                .len(),
            COMPOUND_MAX
        );
        assert!(split(&join(&vec![one; COMPOUND_MAX + 1])).is_err());
    }
}
