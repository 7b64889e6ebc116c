//! MS-FSRVP 3.1.4.7 RecoveryCompleteShadowCopySet (Opnum 6).

use crate::fsrvp::{Hresult, ShadowCopySetId};

/// MS-FSRVP 3.1.4.7: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The set, by the id that StartShadowCopySet returned.
    pub shadow_copy_set_id: ShadowCopySetId,
}

/// MS-FSRVP 3.1.4.7: what the server answers.
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
