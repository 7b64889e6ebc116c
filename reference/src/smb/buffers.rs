//! Buffers for large frames, used again and again: memory that goes back to the system has to be
//! mapped and cleared once more, page by page, for the frame that follows.

use super::limits;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The buffers of a server that are free.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// A buffer with nothing in it and with room for so much; for the largest frame, where it is
    /// much.
    pub(super) fn room_for(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.used(length);
        buffer.clear();
        buffer
    }

    /// A buffer of this length, to be overwritten: what is in it may be anybody's.
    pub(super) fn filled(&self, length: usize) -> Vec<u8> {
        let mut buffer = self.used(length);
        // What was used before is not cleared again.
        buffer.resize(length, 0);
        buffer
    }

    fn used(&self, length: usize) -> Vec<u8> {
        if length < limits::BUFFER_FROM {
            return Vec::with_capacity(length);
        }
        let free = self.lock().pop();
        free.unwrap_or_else(|| Vec::with_capacity(limits::FRAME_MAX))
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut free = self.lock();
        if buffer.capacity() >= limits::FRAME_MAX && free.len() < limits::BUFFERS_FREE_MAX {
            free.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of one frame; its buffer is free when it is dropped.
pub struct Frame {
    bytes: Vec<u8>,
    buffers: Arc<Buffers>,
}

impl Frame {
    pub(super) fn new(bytes: Vec<u8>, buffers: &Arc<Buffers>) -> Frame {
        Frame {
            bytes,
            buffers: Arc::clone(buffers),
        }
    }
}

impl std::fmt::Debug for Frame {
    /// Without its bytes, which are somebody's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bytes)", self.bytes.len())
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.buffers.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffers, Frame};
    use crate::smb::limits;
    use std::sync::Arc;

    #[test]
    fn a_large_buffer_is_used_again_and_only_so_many_are_kept() {
        let buffers = Arc::new(Buffers::default());
        let frames: Vec<Frame> = (0..limits::BUFFERS_FREE_MAX + 2)
            .map(|_| {
                let mut bytes = buffers.room_for(limits::FRAME_MAX);
                bytes.extend_from_slice(b"somebody's");
                Frame::new(bytes, &buffers)
            })
            .collect();
        drop(frames);
        drop(Frame::new(b"small".to_vec(), &buffers));
        assert_eq!(buffers.lock().len(), limits::BUFFERS_FREE_MAX);
        assert!(buffers.room_for(limits::FRAME_MAX).is_empty());
        assert_eq!(buffers.lock().len(), limits::BUFFERS_FREE_MAX - 1);
    }
}
