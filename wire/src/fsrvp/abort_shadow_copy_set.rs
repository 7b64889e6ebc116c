//! MS-FSRVP 3.1.4.8 AbortShadowCopySet (Opnum 7).

use crate::ParseError;
use crate::fsrvp::{Hresult, ShadowCopySetId};
use crate::ndr::{Reader, Writer};

/// MS-FSRVP 3.1.4.8: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The set, by the id that StartShadowCopySet returned.
    pub shadow_copy_set_id: ShadowCopySetId,
}

impl Request {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            shadow_copy_set_id: ShadowCopySetId(reader.uuid("shadow_copy_set_id")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.shadow_copy_set_id.0);
    }
}

/// MS-FSRVP 3.1.4.8: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response { status }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.u32(self.status.0);
    }
}
