//! MS-FSRVP 3.1.4.3 StartShadowCopySet (Opnum 2).

use crate::ParseError;
use crate::fsrvp::{Hresult, ShadowCopySetId};
use crate::ndr::{Reader, Writer};
use uuid::Uuid;

/// MS-FSRVP 3.1.4.3: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The id that the client gave its own set; the server makes another.
    pub client_shadow_copy_set_id: Uuid,
}

impl Request {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            client_shadow_copy_set_id: reader.uuid("client_shadow_copy_set_id")?,
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.client_shadow_copy_set_id);
    }
}

/// MS-FSRVP 3.1.4.3: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The new set, an id made by the server.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            shadow_copy_set_id: ShadowCopySetId::NIL,
            status,
        }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            shadow_copy_set_id: ShadowCopySetId(reader.uuid("shadow_copy_set_id")?),
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.shadow_copy_set_id.0);
        writer.u32(self.status.0);
    }
}
