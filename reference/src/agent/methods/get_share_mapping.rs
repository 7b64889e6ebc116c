//! MS-FSRVP 3.1.4.11 GetShareMapping (Opnum 10).

use super::Turn;
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, Deviation, MappedShare, Now, Status};
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
        let set = self.state.set(request.shadow_copy_set_id);
        // What is Recovered has no timer that could run on.
        if set.is_some_and(|set| set.status != Status::Recovered)
            || self.deviates(Deviation::TimerForgetsItsSet)
        {
            let duration = self.config.durations.get_share_mapping;
            self.set_timer(TimerChange::Start(duration), now);
        }
        Ok(Turn::Answer(Reply::GetShareMapping(Response {
            share_mapping: ShareMapping {
                level: request.level,
                mapping: Some(mapping),
            },
            status: Hresult::ZERO,
        })))
    }

    fn share_mapping(&self, request: &Request) -> Result<ShareMapping1, AgentError> {
        let is_level_wrong = request.level != 1;
        if is_level_wrong && !self.deviates(Deviation::LevelIsLookedAtLast) {
            return Err(AgentError::InvalidArgument("Level"));
        }
        self.must_not_be_nil(request.shadow_copy_id.is_nil(), "ShadowCopyId")?;
        let states: &[Status] = match self.deviates(Deviation::RecoveredHasMappings) {
            true => &[Status::Exposed, Status::Recovered],
            false => &[Status::Exposed],
        };
        let set = self.set_in(request.shadow_copy_set_id, states)?;
        let copy = set
            .copy(request.shadow_copy_id)
            .ok_or(AgentError::InvalidArgument("ShadowCopyId"))?;
        let mapping = self
            .mapping_of(copy, &request.share_name)
            .ok_or(AgentError::InvalidArgument("ShareName"))?;
        if is_level_wrong {
            return Err(AgentError::InvalidArgument("Level"));
        }
        Ok(ShareMapping1 {
            shadow_copy_set_id: set.id,
            shadow_copy_id: copy.id,
            share_name_unc: Some(WideString::from_text(&self.base_name(mapping))),
            shadow_copy_share_name: mapping.exposed_name.as_deref().map(WideString::from_text),
            creation_timestamp: copy.creation_timestamp,
        })
    }

    /// 2.2.1.1 ShareNameUNC.
    fn base_name(&self, mapping: &MappedShare) -> String {
        match self.deviates(Deviation::ShareNameIsMadeAnew) {
            true => format!(
                r"\\{}\{}",
                self.config.owner_machine_name, mapping.base_name
            ),
            false => mapping.share_name.clone(),
        }
    }
}
