//! MS-FSRVP 3.1.4.4 AddToShadowCopySet (Opnum 3).

use crate::ParseError;
use crate::fsrvp::{Hresult, ShadowCopyId, ShadowCopySetId};
use crate::ndr::{Reader, WideString, Writer};
use uuid::Uuid;

/// MS-FSRVP 3.1.4.4: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The id that the client gave its own shadow copy.
    pub client_shadow_copy_id: Uuid,
    /// The set, by the id that StartShadowCopySet returned.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The share in UNC form; a top-level reference, so no referent id travels.
    pub share_name: WideString,
}

impl Request {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            client_shadow_copy_id: reader.uuid("client_shadow_copy_id")?,
            shadow_copy_set_id: ShadowCopySetId(reader.uuid("shadow_copy_set_id")?),
            share_name: WideString::parse(reader, "share_name")?,
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.client_shadow_copy_id);
        writer.uuid(self.shadow_copy_set_id.0);
        self.share_name.emit(writer);
    }
}

/// MS-FSRVP 3.1.4.4: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The new shadow copy, an id made by the server.
    pub shadow_copy_id: ShadowCopyId,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            shadow_copy_id: ShadowCopyId::NIL,
            status,
        }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            shadow_copy_id: ShadowCopyId(reader.uuid("shadow_copy_id")?),
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.shadow_copy_id.0);
        writer.u32(self.status.0);
    }
}
