//! MS-FSRVP 3.1.4.2 SetContext (Opnum 1).

use crate::fsrvp::{Context, Hresult};

/// MS-FSRVP 3.1.4.2: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The context of the sets to come.
    pub context: Context,
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
}
