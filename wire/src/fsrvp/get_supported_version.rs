//! MS-FSRVP 3.1.4.1 GetSupportedVersion (Opnum 0).

use crate::ParseError;
use crate::fsrvp::Hresult;
use crate::ndr::{Reader, Writer};

/// MS-FSRVP 3.1.4.1: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request;

impl Request {
    pub(crate) fn parse(_reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request)
    }

    pub(crate) fn emit(&self, _writer: &mut Writer) {}
}

/// MS-FSRVP 3.1.4.1: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `MinVersion`, the lowest version that the server speaks.
    pub min_version: u32,
    /// `MaxVersion`, the highest version that the server speaks.
    pub max_version: u32,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            min_version: 0,
            max_version: 0,
            status,
        }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            min_version: reader.u32("min_version")?,
            max_version: reader.u32("max_version")?,
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.u32(self.min_version);
        writer.u32(self.max_version);
        writer.u32(self.status.0);
    }
}
