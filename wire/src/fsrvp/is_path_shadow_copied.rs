//! MS-FSRVP 3.1.4.10 IsPathShadowCopied (Opnum 9).

use crate::ParseError;
use crate::fsrvp::Hresult;
use crate::ndr::{Reader, WideString, Writer};

/// MS-FSRVP 2.2.2.3: nothing may defragment the file store while there is a shadow copy of it.
pub const DISABLE_DEFRAG: i32 = 0x1;
/// MS-FSRVP 2.2.2.3: nothing may index its content meanwhile.
pub const DISABLE_CONTENTINDEX: i32 = 0x2;

/// MS-FSRVP 3.1.4.10: what the client sends.
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

/// MS-FSRVP 3.1.4.10: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `ShadowCopyPresent`, a BOOL: any value but zero is TRUE.
    pub shadow_copy_present: u32,
    /// `ShadowCopyCompatibility`, the bits of MS-FSRVP 2.2.2.3.
    pub shadow_copy_compatibility: i32,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            shadow_copy_present: 0,
            shadow_copy_compatibility: 0,
            status,
        }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            shadow_copy_present: reader.u32("shadow_copy_present")?,
            shadow_copy_compatibility: reader.i32("shadow_copy_compatibility")?,
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.u32(self.shadow_copy_present);
        writer.i32(self.shadow_copy_compatibility);
        writer.u32(self.status.0);
    }
}
