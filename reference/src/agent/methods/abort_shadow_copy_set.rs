//! MS-FSRVP 3.1.4.8 AbortShadowCopySet (Opnum 7).

use super::{Turn, removal, restoral};
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, CallToken, Deviation, Now, Session, Status};
use fsrvp_wire::fsrvp::abort_shadow_copy_set::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};

impl Agent {
    pub(super) fn abort_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        let set = self.known_set(request.shadow_copy_set_id)?.clone();
        let reply = Reply::AbortShadowCopySet(Response {
            status: Hresult::ZERO,
        });
        if self.deviates(Deviation::AbortOnlyBeforeCommit) {
            match set.status {
                Status::Started | Status::Added => {}
                Status::CreationInProgress => return Err(AgentError::BadState(set.status)),
                _ => return Ok(Turn::Answer(reply)),
            }
        }
        if set.status == Status::Recovered && self.deviates(Deviation::AbortRefusesRecovered) {
            return Err(AgentError::BadState(set.status));
        }
        if matches!(set.status, Status::Added | Status::Exposed)
            && self.deviates(Deviation::AbortBlocksTheNextSet)
        {
            let blocked = self.config.durations.add;
            self.start_blocked_until = Some(now.monotonic.saturating_add(blocked));
        }
        self.cancel_long(set.id, now);
        let session = match self.deviates(Deviation::AbortKeepsTheContext) {
            true => self.session.clone(),
            false => Session {
                retry_count: self.session.retry_count,
                ..Session::default()
            },
        };
        let state = self.state.without(set.id);
        let plan = self.plan_with(state, session, TimerChange::Keep, token, reply);
        // Step 3: what cannot be taken away fails the call, and the set stays to be aborted again.
        let restore = restoral(&set, &self.config.deviations);
        Ok(Turn::Plan(
            plan.after_store(removal(&set), &self.state)
                .or_else(restore, TimerChange::Keep),
        ))
    }
}
