//! MS-FSRVP 3.1.4.10 IsPathShadowCopied (Opnum 9).

use crate::fsrvp::Hresult;
use crate::ndr::WideString;

/// MS-FSRVP 3.1.4.10: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The share in UNC form; a top-level reference, so no referent id travels.
    pub share_name: WideString,
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
}
