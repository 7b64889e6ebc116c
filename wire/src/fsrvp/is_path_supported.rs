//! MS-FSRVP 3.1.4.9 IsPathSupported (Opnum 8).

use crate::ParseError;
use crate::fsrvp::Hresult;
use crate::ndr::{Reader, WideString, Writer};

/// MS-FSRVP 3.1.4.9: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The share in UNC form; a top-level reference, so no referent id travels.
    pub share_name: WideString,
}

impl Request {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            share_name: WideString::parse(reader, "share_name")?,
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        self.share_name.emit(writer);
    }
}

/// MS-FSRVP 3.1.4.9: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `SupportedByThisProvider`, a BOOL: any value but zero is TRUE.
    pub supported_by_this_provider: u32,
    /// `OwnerMachineName`, a reference to a unique pointer; `None` is NULL.
    pub owner_machine_name: Option<WideString>,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            supported_by_this_provider: 0,
            owner_machine_name: None,
            status,
        }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            supported_by_this_provider: reader.u32("supported_by_this_provider")?,
            owner_machine_name: WideString::parse_unique(reader, "owner_machine_name")?,
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.u32(self.supported_by_this_provider);
        WideString::emit_unique(self.owner_machine_name.as_ref(), writer);
        writer.u32(self.status.0);
    }
}
