//! MS-FSRVP 3.1.4.1 GetSupportedVersion (Opnum 0).

use super::Turn;
use crate::agent::Agent;
use fsrvp_wire::fsrvp::get_supported_version::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};

impl Agent {
    pub(super) fn get_supported_version(&self, Request: &Request) -> Turn {
        let (min_version, max_version) = self.config.versions;
        Turn::Answer(Reply::GetSupportedVersion(Response {
            min_version,
            max_version,
            status: Hresult::ZERO,
        }))
    }
}
