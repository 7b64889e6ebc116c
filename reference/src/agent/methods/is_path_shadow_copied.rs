//! MS-FSRVP 3.1.4.10 IsPathShadowCopied (Opnum 9).

use super::Turn;
use crate::agent::{Agent, AgentError, Deviation, Status};
use fsrvp_wire::fsrvp::is_path_shadow_copied::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};

impl Agent {
    pub(super) fn is_path_shadow_copied(&self, request: &Request) -> Result<Turn, AgentError> {
        if self.deviates(Deviation::NoPathIsShadowCopied) {
            return Err(AgentError::NotSupported);
        }
        let share = self.share(&request.share_name)?;
        // Step 3: by file store, so that a second share on it counts too.
        let present = self
            .state
            .sets
            .iter()
            .filter(|set| set.status >= Status::Committed)
            .flat_map(|set| &set.copies)
            .any(|copy| copy.volume_name == share.volume_name);
        Ok(Turn::Answer(Reply::IsPathShadowCopied(Response {
            shadow_copy_present: u32::from(present),
            shadow_copy_compatibility: match present {
                true => share.compatibility,
                false => 0,
            },
            status: Hresult::ZERO,
        })))
    }
}
