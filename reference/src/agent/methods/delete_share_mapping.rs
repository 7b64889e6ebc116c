//! MS-FSRVP 3.1.4.12 DeleteShareMapping (Opnum 11).

use super::{Turn, restoral};
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, CallToken, Effect, Missing, Status, unc};
use fsrvp_wire::fsrvp::delete_share_mapping::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};

impl Agent {
    pub(super) fn delete_share_mapping(
        &mut self,
        token: CallToken,
        request: &Request,
    ) -> Result<Turn, AgentError> {
        self.must_not_be_nil(request.shadow_copy_id.is_nil(), "ShadowCopyId")?;
        let set = match self.set_in(
            request.shadow_copy_set_id,
            &[Status::Exposed, Status::Recovered],
        ) {
            // Step 2 has another code here than everywhere else.
            Err(AgentError::UnknownSet) => Err(AgentError::NotFound(Missing::ShadowCopySet)),
            other => other,
        }?;
        let copy = set
            .copy(request.shadow_copy_id)
            .ok_or(AgentError::NotFound(Missing::ShadowCopy))?;
        let mapping = self
            .mapping_of(copy, &request.share_name)
            .ok_or(AgentError::NotFound(Missing::ShareMapping))?
            .clone();

        let restore = restoral(set, &self.config.deviations);
        let mut state = self.state.clone();
        let mut removed = Vec::new();
        if let Some(set) = state.set_mut(request.shadow_copy_set_id) {
            for copy in set
                .copies
                .iter_mut()
                .filter(|copy| copy.id == request.shadow_copy_id)
            {
                copy.mappings
                    .retain(|other| !unc::same_name(&other.base_name, &mapping.base_name));
                if copy.mappings.is_empty() {
                    removed.extend(copy.backend_ref.clone());
                }
            }
            set.copies.retain(|copy| !copy.mappings.is_empty());
        }
        state
            .sets
            .retain(|set| set.id != request.shadow_copy_set_id || !set.copies.is_empty());

        let remove = Effect::Remove {
            exposed_names: mapping.exposed_name.into_iter().collect(),
            copies: removed,
        };
        let reply = Reply::DeleteShareMapping(Response {
            status: Hresult::ZERO,
        });
        let plan = self.plan(state, TimerChange::Keep, token, reply);
        // What cannot be taken away stays mapped, so that the client can try again.
        Ok(Turn::Plan(
            plan.after_store(remove, &self.state)
                .or_else(restore, TimerChange::Keep),
        ))
    }
}
