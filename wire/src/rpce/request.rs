//! C706 12.6.4.9 request.

use crate::ParseError;
use crate::ndr::{Reader, Writer};
use uuid::Uuid;

/// C706 12.6.4.9: one fragment of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How much stub is still to come with this fragment, in bytes; a hint, 0 where not known.
    pub alloc_hint: u32,
    /// `p_cont_id`: the presentation context.
    pub context_id: u16,
    /// The number of the method.
    pub opnum: u16,
    /// The object; travels where PFC_OBJECT_UUID is set.
    pub object: Option<Uuid>,
    /// The parameters, or the part of them that this fragment carries.
    pub stub: Vec<u8>,
}

impl Request {
    pub(super) fn parse(reader: &mut Reader<'_>, has_object: bool) -> Result<Self, ParseError> {
        let alloc_hint = reader.u32("alloc_hint")?;
        let context_id = reader.u16("p_cont_id")?;
        let opnum = reader.u16("opnum")?;
        let object = match has_object {
            true => Some(reader.uuid("object")?),
            false => None,
        };
        Ok(Request {
            alloc_hint,
            context_id,
            opnum,
            object,
            stub: reader.take_rest().to_vec(),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer
            .u32(self.alloc_hint)
            .u16(self.context_id)
            .u16(self.opnum);
        if let Some(object) = self.object {
            writer.uuid(object);
        }
        writer.bytes(&self.stub);
    }
}
