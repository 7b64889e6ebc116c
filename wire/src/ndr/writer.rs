//! Writing marshalled values.

use crate::ndr::{ByteOrder, Representation, TransferSyntax};
use uuid::Uuid;

/// Appends values in one representation; alignment counts from the start of the buffer.
#[derive(Debug, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
    representation: Representation,
    referents: u32,
}

/// The first referent id; the next ones follow in steps of four, as other implementations do it.
const FIRST_REFERENT: u32 = 0x0002_0000;

macro_rules! integers {
    ($($(#[$doc:meta])* $int:ident)*) => {$(
        $(#[$doc])*
        pub fn $int(&mut self, value: $int) -> &mut Self {
            self.align(size_of::<$int>());
            match self.representation.byte_order {
                ByteOrder::Little => self.bytes(&value.to_le_bytes()),
                ByteOrder::Big => self.bytes(&value.to_be_bytes()),
            }
        }
    )*};
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new(representation: Representation) -> Self {
        Writer {
            bytes: Vec::new(),
            representation,
            referents: 0,
        }
    }

    /// The representation that values are written in.
    #[must_use]
    pub fn representation(&self) -> Representation {
        self.representation
    }

    integers! {
        /// One byte.
        u8
        /// A 16-bit integer, aligned to 2.
        u16
        /// A 32-bit integer, aligned to 4.
        u32
        /// A 32-bit integer with sign, aligned to 4.
        i32
        /// A 64-bit integer, aligned to 8.
        u64
        /// A 64-bit integer with sign, aligned to 8.
        i64
    }

    /// A GUID, aligned to 4; its first three fields obey the byte order.
    pub fn uuid(&mut self, value: Uuid) -> &mut Self {
        let (data1, data2, data3, data4) = value.as_fields();
        self.u32(data1).u16(data2).u16(data3).bytes(data4)
    }

    /// A count: 4 bytes in NDR32, where a larger value saturates, 8 in NDR64.
    pub fn count(&mut self, value: u64) -> &mut Self {
        match self.representation.syntax {
            TransferSyntax::Ndr32 => self.u32(u32::try_from(value).unwrap_or(u32::MAX)),
            TransferSyntax::Ndr64 => self.u64(value),
        }
    }

    /// The referent id of a unique pointer: a fresh one, or zero for NULL.
    pub fn referent(&mut self, present: bool) -> &mut Self {
        if !present {
            return self.count(0);
        }
        let id = FIRST_REFERENT.wrapping_add(self.referents.wrapping_mul(4));
        self.referents = self.referents.wrapping_add(1);
        self.count(u64::from(id))
    }

    /// Bytes as they are, without alignment.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }

    /// Zero bytes up to the next multiple of `alignment`.
    pub fn align(&mut self, alignment: usize) -> &mut Self {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(alignment), 0);
        self
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

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
