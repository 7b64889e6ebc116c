//! Writing: a growing buffer with the few shapes that the layers share.

/// Appends little-endian integers, bytes and padding to a buffer.
///
/// It wraps a plain `Vec<u8>`; a layer that needs the other byte order swaps at its own door.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes were written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for `count` more bytes at once.
    pub fn reserve(&mut self, count: usize) -> &mut Self {
        self.bytes.reserve(count);
        self
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// A 16-bit integer, least significant byte first.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// A 32-bit integer, least significant byte first.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// A 64-bit integer, least significant byte first.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }

    /// UTF-16 code units, least significant byte first, without length or terminator.
    pub fn utf16(&mut self, units: &[u16]) -> &mut Self {
        for unit in units {
            self.u16(*unit);
        }
        self
    }

    /// `count` zero bytes.
    pub fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }

    /// Zero bytes up to the next multiple of `alignment` from the start of this buffer.
    pub fn align(&mut self, alignment: usize) -> &mut Self {
        self.zeros(self.bytes.len().next_multiple_of(alignment) - self.bytes.len())
    }

    /// Overwrites bytes that were written before, for lengths that are known only afterwards.
    ///
    /// A range outside of what was written is ignored: it would be a mistake of the caller, and
    /// the round-trip laws would show it.
    pub fn patch(&mut self, offset_bytes: usize, value: &[u8]) -> &mut Self {
        if let Some(slot) = self.bytes.get_mut(offset_bytes..offset_bytes + value.len()) {
            slot.copy_from_slice(value);
        }
        self
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A view of what was written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }
}
