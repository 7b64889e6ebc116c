//! MS-FSRVP 3.1.4.11 GetShareMapping (Opnum 10).

use crate::fsrvp::{Hresult, ShadowCopyId, ShadowCopySetId};
use crate::ndr::WideString;

/// MS-FSRVP 3.1.4.11: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The shadow copy, by the id that AddToShadowCopySet returned.
    pub shadow_copy_id: ShadowCopyId,
    /// The set, by the id that StartShadowCopySet returned.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The share in UNC form; a top-level reference, so no referent id travels.
    pub share_name: WideString,
    /// The form of the answer; only 1 is defined.
    pub level: u32,
}

/// MS-FSRVP 3.1.4.11: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What the share is mapped to.
    pub share_mapping: ShareMapping,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            share_mapping: ShareMapping {
                level: 1,
                mapping: None,
            },
            status,
        }
    }
}

/// MS-FSRVP 2.2.3.1 FSSAGENT_SHARE_MAPPING: a union whose discriminant travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareMapping {
    /// The discriminant; equal to the request's `Level`.
    pub level: u32,
    /// The arm of level 1; `None` is a NULL pointer there, and the empty arm of other levels.
    pub mapping: Option<ShareMapping1>,
}

/// MS-FSRVP 2.2.1.1 FSSAGENT_SHARE_MAPPING_1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareMapping1 {
    /// The set that the shadow copy belongs to.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The shadow copy.
    pub shadow_copy_id: ShadowCopyId,
    /// `ShareNameUNC`: the base share.
    pub share_name_unc: Option<WideString>,
    /// `ShadowCopyShareName`: the exposed share; NULL while it is not exposed.
    pub shadow_copy_share_name: Option<WideString>,
    /// `CreationTimestamp`, in 100 ns intervals since 1601-01-01 00:00 UTC.
    pub creation_timestamp: i64,
}
