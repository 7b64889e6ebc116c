//! The two things that decide how a value becomes bytes.

/// C706 14.2.5: the integer representation of a data representation label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ByteOrder {
    /// Most significant byte first.
    Big,
    /// Least significant byte first.
    #[default]
    Little,
}

impl ByteOrder {
    pub(crate) fn endianness(self) -> nom::number::Endianness {
        match self {
            ByteOrder::Big => nom::number::Endianness::Big,
            ByteOrder::Little => nom::number::Endianness::Little,
        }
    }
}

impl ByteOrder {
    /// These bytes as an integer, for the few places that NDR does not align.
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            ByteOrder::Big => u32::from_be_bytes(bytes),
            ByteOrder::Little => u32::from_le_bytes(bytes),
        }
    }

    /// This integer as bytes, for the few places that NDR does not align.
    pub(crate) fn u32_bytes(self, value: u32) -> [u8; 4] {
        match self {
            ByteOrder::Big => value.to_be_bytes(),
            ByteOrder::Little => value.to_le_bytes(),
        }
    }
}

/// Which rules a presentation context agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TransferSyntax {
    /// C706 chapter 14: counts and referent ids of 4 bytes.
    #[default]
    Ndr32,
    /// MS-RPCE 2.2.5: counts and referent ids of 8 bytes.
    Ndr64,
}

/// Byte order and transfer syntax together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Representation {
    /// From the data representation label of the PDU.
    pub byte_order: ByteOrder,
    /// From the presentation context.
    pub syntax: TransferSyntax,
}

impl Representation {
    /// NDR32, least significant byte first: what nearly every peer sends.
    pub const NDR32: Representation = Representation {
        byte_order: ByteOrder::Little,
        syntax: TransferSyntax::Ndr32,
    };

    /// NDR64, least significant byte first.
    pub const NDR64: Representation = Representation {
        byte_order: ByteOrder::Little,
        syntax: TransferSyntax::Ndr64,
    };

    /// How long counts and referent ids are, and what they are aligned to, in bytes.
    #[must_use]
    pub fn pointer_len(self) -> usize {
        match self.syntax {
            TransferSyntax::Ndr32 => 4,
            TransferSyntax::Ndr64 => 8,
        }
    }
}
