//! MS-FSRVP 3.1.4.11 GetShareMapping (Opnum 10).

use super::Turn;
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, Now, Status};
use fsrvp_wire::fsrvp::get_share_mapping::{Request, Response, ShareMapping, ShareMapping1};
use fsrvp_wire::fsrvp::{Hresult, Reply};
use fsrvp_wire::ndr::WideString;

impl Agent {
    pub(super) fn get_share_mapping(
        &mut self,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        // The text stops the timer before it looks for copy and share, and does not start it again
        // when there are none: one wrong name would switch off the clean-up. It runs on instead.
        let mapping = self.share_mapping(request)?;
        let duration = self.config.durations.get_share_mapping;
        self.set_timer(TimerChange::Start(duration), now);
        Ok(Turn::Answer(Reply::GetShareMapping(Response {
            share_mapping: ShareMapping {
                level: request.level,
                mapping: Some(mapping),
            },
            status: Hresult::ZERO,
        })))
    }

    fn share_mapping(&self, request: &Request) -> Result<ShareMapping1, AgentError> {
        if request.level != 1 {
            return Err(AgentError::InvalidArgument("Level"));
        }
        if request.shadow_copy_id.is_nil() {
            return Err(AgentError::InvalidArgument("ShadowCopyId"));
        }
        let set = self.set_in(request.shadow_copy_set_id, &[Status::Exposed])?;
        let copy = set
            .copy(request.shadow_copy_id)
            .ok_or(AgentError::InvalidArgument("ShadowCopyId"))?;
        let mapping = copy
            .mapping(&request.share_name.text())
            .ok_or(AgentError::InvalidArgument("ShareName"))?;
        Ok(ShareMapping1 {
            shadow_copy_set_id: set.id,
            shadow_copy_id: copy.id,
            share_name_unc: Some(WideString::from_text(&mapping.share_name)),
            shadow_copy_share_name: mapping.exposed_name.as_deref().map(WideString::from_text),
            creation_timestamp: copy.creation_timestamp,
        })
    }
}
