//! C706 12.6.3.1: the common header of all PDUs.

use crate::error::{ErrorKind, ParseError};
use crate::ndr::{ByteOrder, Reader, Representation, TransferSyntax, Writer};
use crate::rpce::{PType, PfcFlags};

/// The length of the common header, in bytes.
pub const HEADER_LEN: usize = 16;

/// C706 14.1: the data representation label of a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataRepresentation(pub [u8; 4]);

impl DataRepresentation {
    /// Least significant byte first, ASCII, IEEE.
    pub const LITTLE_ENDIAN: DataRepresentation = DataRepresentation([0x10, 0, 0, 0]);
    /// Most significant byte first, ASCII, IEEE.
    pub const BIG_ENDIAN: DataRepresentation = DataRepresentation([0, 0, 0, 0]);

    /// The byte order that the first half byte names; values above 1 are not defined and are
    /// taken for 1.
    #[must_use]
    pub fn byte_order(self) -> ByteOrder {
        match self.0 {
            [0x00..=0x0F, ..] => ByteOrder::Big,
            _ => ByteOrder::Little,
        }
    }

    /// The representation of a stub in a PDU with this label.
    #[must_use]
    pub fn representation(self, syntax: TransferSyntax) -> Representation {
        Representation {
            byte_order: self.byte_order(),
            syntax,
        }
    }
}

impl From<ByteOrder> for DataRepresentation {
    fn from(order: ByteOrder) -> Self {
        match order {
            ByteOrder::Big => DataRepresentation::BIG_ENDIAN,
            ByteOrder::Little => DataRepresentation::LITTLE_ENDIAN,
        }
    }
}

/// C706 12.6.3.1: the common header without what the rest of the PDU tells, which is its type and
/// its lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// `rpc_vers`: 5.
    pub rpc_vers: u8,
    /// `rpc_vers_minor`: 0 or 1.
    pub rpc_vers_minor: u8,
    /// Flags; PFC_OBJECT_UUID follows the request when it is emitted.
    pub pfc_flags: PfcFlags,
    /// `packed_drep`.
    pub drep: DataRepresentation,
    /// Names the call; an answer repeats it.
    pub call_id: u32,
}

impl Header {
    /// The header of a PDU of one fragment, least significant byte first.
    #[must_use]
    pub fn new(call_id: u32) -> Self {
        Header {
            rpc_vers: 5,
            rpc_vers_minor: 0,
            pfc_flags: PfcFlags::WHOLE,
            drep: DataRepresentation::LITTLE_ENDIAN,
            call_id,
        }
    }

    /// The header of an answer to a PDU with this header. It is little-endian whatever the client
    /// sends, as it is from every known server: whoever receives swaps.
    #[must_use]
    pub fn answer(&self) -> Self {
        Header::new(self.call_id)
    }
}

/// The header as it travels.
pub(super) struct WireHeader {
    pub(super) header: Header,
    pub(super) ptype: PType,
    pub(super) frag_length: u16,
    pub(super) auth_length: u16,
}

impl WireHeader {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let rpc_vers = reader.u8("rpc_vers")?;
        let rpc_vers_minor = reader.u8("rpc_vers_minor")?;
        let ptype = PType(reader.u8("ptype")?);
        let pfc_flags = PfcFlags(reader.u8("pfc_flags")?);
        let drep = DataRepresentation(reader.array("packed_drep")?);
        let frag_length = reader.u16("frag_length")?;
        let auth_length = reader.u16("auth_length")?;
        let call_id = reader.u32("call_id")?;
        if usize::from(frag_length) < HEADER_LEN {
            return Err(reader.error("frag_length", ErrorKind::LengthOutOfRange));
        }
        Ok(WireHeader {
            header: Header {
                rpc_vers,
                rpc_vers_minor,
                pfc_flags,
                drep,
                call_id,
            },
            ptype,
            frag_length,
            auth_length,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer
            .u8(self.header.rpc_vers)
            .u8(self.header.rpc_vers_minor)
            .u8(self.ptype.0)
            .u8(self.header.pfc_flags.0)
            .bytes(&self.header.drep.0)
            .u16(self.frag_length)
            .u16(self.auth_length)
            .u32(self.header.call_id);
    }
}
