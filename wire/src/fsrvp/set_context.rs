//! MS-FSRVP 3.1.4.2 SetContext (Opnum 1).

use crate::ParseError;
use crate::fsrvp::{Context, Hresult};
use crate::ndr::{Reader, Writer};

/// MS-FSRVP 3.1.4.2: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The context of the sets to come.
    pub context: Context,
}

impl Request {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            context: Context(reader.u32("context")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.u32(self.context.0);
    }
}

/// MS-FSRVP 3.1.4.2: what the server answers.
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
