//! MS-FSRVP 3.1.4.8 AbortShadowCopySet (Opnum 7).

use super::{Turn, removal};
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, CallToken, Now, Session};
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
        self.cancel_long(set.id, now);
        let session = Session {
            retry_count: self.session.retry_count,
            ..Session::default()
        };
        let reply = Reply::AbortShadowCopySet(Response {
            status: Hresult::ZERO,
        });
        let state = self.state.without(set.id);
        let plan = self.plan_with(state, session, TimerChange::Keep, token, reply);
        // Step 3: what cannot be taken away fails the call, and the set stays to be aborted again.
        Ok(Turn::Plan(plan.after_store(removal(&set), &self.state)))
    }
}
