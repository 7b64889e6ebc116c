//! C706 12.6.4.10 response.

use crate::ParseError;
use crate::ndr::{Reader, Writer};

/// C706 12.6.4.10: one fragment of the answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// How much stub is still to come with this fragment, in bytes; a hint, 0 where not known.
    pub alloc_hint: u32,
    /// `p_cont_id`: the presentation context.
    pub context_id: u16,
    /// How many cancels the server saw.
    pub cancel_count: u8,
    /// Reserved byte.
    pub reserved: u8,
    /// The out parameters, or the part of them that this fragment carries.
    pub stub: Vec<u8>,
}

impl Response {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            alloc_hint: reader.u32("alloc_hint")?,
            context_id: reader.u16("p_cont_id")?,
            cancel_count: reader.u8("cancel_count")?,
            reserved: reader.u8("reserved")?,
            stub: reader.take_rest().to_vec(),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer
            .u32(self.alloc_hint)
            .u16(self.context_id)
            .u8(self.cancel_count)
            .u8(self.reserved)
            .bytes(&self.stub);
    }
}
