//! MS-FSRVP 3.1.4.1 GetSupportedVersion (Opnum 0).

use crate::fsrvp::Hresult;

/// MS-FSRVP 3.1.4.1: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request;

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
}
