//! C706 12.6.4.7 fault.

use crate::ParseError;
use crate::ndr::{Reader, Writer};
use crate::rpce::FaultStatus;

/// MS-RPCE 2.2.2.8: the stub of the fault holds extended error information.
pub const FAULT_FLAG_EXTENDED_ERROR: u8 = 0x01;

/// C706 12.6.4.7: a call ended without a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// How much stub is still to come with this fragment, in bytes; a hint.
    pub alloc_hint: u32,
    /// `p_cont_id`: the presentation context.
    pub context_id: u16,
    /// How many cancels the server saw.
    pub cancel_count: u8,
    /// MS-RPCE 2.2.2.8 `reserved`: see [`FAULT_FLAG_EXTENDED_ERROR`].
    pub fault_flags: u8,
    /// Why.
    pub status: FaultStatus,
    /// `reserved2`, four bytes.
    pub reserved2: u32,
    /// What follows; empty from most servers.
    pub stub: Vec<u8>,
}

impl Fault {
    /// A fault without stub.
    #[must_use]
    pub fn new(context_id: u16, status: FaultStatus) -> Self {
        Fault {
            alloc_hint: 0,
            context_id,
            cancel_count: 0,
            fault_flags: 0,
            status,
            reserved2: 0,
            stub: Vec::new(),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Fault {
            alloc_hint: reader.u32("alloc_hint")?,
            context_id: reader.u16("p_cont_id")?,
            cancel_count: reader.u8("cancel_count")?,
            fault_flags: reader.u8("reserved")?,
            status: FaultStatus(reader.u32("status")?),
            reserved2: reader.u32("reserved2")?,
            stub: reader.take_rest().to_vec(),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer
            .u32(self.alloc_hint)
            .u16(self.context_id)
            .u8(self.cancel_count)
            .u8(self.fault_flags)
            .u32(self.status.0)
            .u32(self.reserved2)
            .bytes(&self.stub);
    }
}
