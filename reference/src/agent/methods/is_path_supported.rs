//! MS-FSRVP 3.1.4.9 IsPathSupported (Opnum 8).

use super::Turn;
use crate::agent::{Agent, AgentError};
use fsrvp_wire::fsrvp::is_path_supported::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};
use fsrvp_wire::ndr::WideString;

impl Agent {
    pub(super) fn is_path_supported(&self, request: &Request) -> Result<Turn, AgentError> {
        self.supported_share(&request.share_name)?;
        Ok(Turn::Answer(Reply::IsPathSupported(Response {
            supported_by_this_provider: 1,
            owner_machine_name: Some(WideString::from_text(&self.config.owner_machine_name)),
            status: Hresult::ZERO,
        })))
    }
}
