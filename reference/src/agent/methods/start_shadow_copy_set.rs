//! MS-FSRVP 3.1.4.3 StartShadowCopySet (Opnum 2).

use super::Turn;
use crate::agent::plan::TimerChange;
use crate::agent::{
    Agent, AgentError, CallToken, Deviation, Fault, Now, SETS_MAX, ShadowCopySet, Status,
};
use fsrvp_wire::fsrvp::start_shadow_copy_set::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply, ShadowCopySetId};
use std::time::Duration;

impl Agent {
    pub(super) fn start_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        // 3.1.4 and MS-FSRVP <7>: the only use that is made of the client's id.
        if request.client_shadow_copy_set_id.is_nil()
            && !self.deviates(Deviation::NilClientSetIdIsTaken)
        {
            return Err(AgentError::InvalidArgument("ClientShadowCopySetId"));
        }
        let context = self.context().ok_or(AgentError::NoContext)?;
        let ends_at = match self.deviates(Deviation::ExposedIsNotInProgress) {
            true => Status::Exposed,
            false => Status::Recovered,
        };
        let is_blocked = |until: Duration| now.monotonic < until;
        let has_set = self.state.unfinished_before(ends_at).is_some();
        if (has_set && !self.is_wrong(Fault::SecondSetAccepted))
            || self.start_blocked_until.is_some_and(is_blocked)
        {
            return Err(AgentError::InProgress);
        }
        // 3.1.4.3 names no code for it: recovered sets stay until they are deleted, and neither the
        // store nor the disk holds any number of them.
        if self.state.sets.len() >= SETS_MAX {
            return Err(AgentError::Failed(format!("there are {SETS_MAX} sets")));
        }
        let id = ShadowCopySetId(
            self.old_id(Fault::SetIdReused)
                .unwrap_or_else(|| self.ids.new_id()),
        );
        let mut state = self.state.clone();
        state.sets.push(ShadowCopySet {
            id,
            status: Status::Started,
            context: context.0,
            copies: Vec::new(),
        });
        let reply = Reply::StartShadowCopySet(Response {
            shadow_copy_set_id: id,
            status: Hresult::ZERO,
        });
        let timer = TimerChange::Start(self.config.durations.start);
        Ok(Turn::Plan(self.plan(state, timer, token, reply)))
    }
}
