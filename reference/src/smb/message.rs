//! Messages without copies: requests inside of the frame that brought them, answers on their way.

use super::buffers::Frame;
use fsrvp_wire::nbss;
use std::ops::Range;
use std::sync::Arc;

/// One request of a frame, or a part of one; it keeps the frame, which may hold megabytes, instead
/// of a copy.
#[derive(Clone)]
pub struct Message {
    frame: Arc<Frame>,
    range: Range<usize>,
}

impl Message {
    /// The message that lies there in the frame.
    pub(crate) fn new(frame: &Arc<Frame>, range: Range<usize>) -> Message {
        Message {
            frame: Arc::clone(frame),
            range,
        }
    }

    /// Its bytes, header included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.frame.get(self.range.clone()).unwrap_or_default()
    }

    /// A part of it; empty where it has no such part.
    pub(super) fn part(&self, part: Range<usize>) -> Message {
        let start = self.range.start.saturating_add(part.start);
        let end = self.range.start.saturating_add(part.end);
        let is_inside = start <= end && end <= self.range.end;
        let range = if is_inside { start..end } else { 0..0 };
        Message::new(&self.frame, range)
    }
}

impl std::fmt::Debug for Message {
    /// Without its bytes, which are somebody's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} bytes)", self.range.len())
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Message) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Message {}

/// A frame to send: the bytes of `head`, then those of `payload`.
#[derive(Debug)]
pub struct OutputFrame {
    /// What states the length, and the transform header of what is encrypted.
    pub head: Vec<u8>,
    /// One message or a compound, or what became of either by encryption.
    pub payload: Frame,
}

impl OutputFrame {
    /// A frame with this payload, behind its transform header if it is encrypted; `None` when both
    /// are too long for one.
    pub(super) fn new(transform: &[u8], payload: Frame) -> Option<OutputFrame> {
        let length = transform.len() + payload.len();
        let states_length = nbss::head(nbss::FrameType::SESSION_MESSAGE, length)?;
        Some(OutputFrame {
            head: [&states_length, transform].concat(),
            payload,
        })
    }

    /// All of it behind each other.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}
