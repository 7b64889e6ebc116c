//! MS-FSRVP 3.1.4.7 RecoveryCompleteShadowCopySet (Opnum 6).

use super::Turn;
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, CallToken, Deviation, Effect, Session, Status};
use fsrvp_wire::fsrvp::recovery_complete_shadow_copy_set::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};

impl Agent {
    pub(super) fn recovery_complete_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
    ) -> Result<Turn, AgentError> {
        let set = self.set_in(request.shadow_copy_set_id, &[Status::Exposed])?;
        // Shares that were never writable are sealed as well: it costs nothing, and it leaves no
        // second way to be read-only.
        let seal = Effect::Seal {
            exposed_names: set.exposed_names(),
            copies: set.backend_refs(),
        };
        let mut state = self.state.clone();
        if let Some(set) = state.set_mut(request.shadow_copy_set_id) {
            set.status = Status::Recovered;
        }
        let session = Session {
            retry_count: self.session.retry_count,
            ..Session::default()
        };
        let reply = Reply::RecoveryCompleteShadowCopySet(Response {
            status: Hresult::ZERO,
        });
        let plan = self.plan_with(state, session, TimerChange::Stop, token, reply);
        Ok(Turn::Plan(
            match self.deviates(Deviation::NothingIsReadOnly) {
                true => plan,
                // Stored first: a server that dies in between seals what is stored as recovered.
                false => plan.after_store(seal, &self.state),
            },
        ))
    }
}
