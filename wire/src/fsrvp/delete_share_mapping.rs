//! MS-FSRVP 3.1.4.12 DeleteShareMapping (Opnum 11).

use crate::fsrvp::{Hresult, ShadowCopyId, ShadowCopySetId};
use crate::ndr::WideString;

/// MS-FSRVP 3.1.4.12: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The set, by the id that StartShadowCopySet returned.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The shadow copy, by the id that AddToShadowCopySet returned.
    pub shadow_copy_id: ShadowCopyId,
    /// The share in UNC form; a top-level reference, so no referent id travels.
    pub share_name: WideString,
}

/// MS-FSRVP 3.1.4.12: what the server answers.
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
}
