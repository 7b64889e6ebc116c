//! MS-FSRVP 3.1.4.2 SetContext (Opnum 1).

use super::{Turn, removal};
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, CallToken, Caller, Deviation, Holder, Now, Session};
use fsrvp_wire::fsrvp::set_context::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply};

impl Agent {
    pub(super) fn set_context(
        &mut self,
        token: CallToken,
        caller: &Caller,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        if !self.config.deviations.knows(request.context) {
            return Err(AgentError::UnsupportedContext);
        }
        let mut state = self.state.clone();
        let mut dropped = None;
        let mut retry_count = 0;
        let holder = self.session.holder.as_ref();
        if let Some(holder) = holder.filter(|_| !self.deviates(Deviation::AnyoneSetsTheContext)) {
            if holder.client_address != caller.address {
                return Err(AgentError::InProgress);
            }
            dropped = self.state.unfinished().cloned();
            retry_count = self.session.retry_count.saturating_add(1);
        }
        if let Some(set) = &dropped {
            state = state.without(set.id);
            self.cancel_long(set.id, now);
        }
        let is_limited = !self.deviates(Deviation::RetriesHaveNoLimit);
        let (session, timer, status) = if is_limited && retry_count > self.config.retry_limit {
            // The context is cleared although the call fails, and the old timer runs on.
            let session = Session {
                retry_count,
                ..Session::default()
            };
            (
                session,
                TimerChange::Keep,
                Hresult::from(&AgentError::RetryLimit),
            )
        } else {
            let session = Session {
                holder: Some(Holder {
                    context: request.context,
                    client_address: caller.address,
                    user: caller.user.clone(),
                    since: now.filetime,
                }),
                retry_count,
            };
            let timer = TimerChange::Start(self.config.durations.set_context);
            (session, timer, Hresult::ZERO)
        };
        let reply = Reply::SetContext(Response { status });
        let plan = self.plan_with(state, session, timer, token, reply);
        Ok(Turn::Plan(match dropped {
            Some(set) => plan.finally(removal(&set)),
            None => plan,
        }))
    }
}
