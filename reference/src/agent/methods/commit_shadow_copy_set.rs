//! MS-FSRVP 3.1.4.5 CommitShadowCopySet (Opnum 4).

use super::{Turn, deadline};
use crate::agent::plan::{Plan, TimerChange};
use crate::agent::{
    Agent, AgentError, CallToken, CopyOrder, Deviation, Deviations, Effect, ShadowCopy, Status,
};
use fsrvp_wire::fsrvp::commit_shadow_copy_set::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Opnum, Reply, ShadowCopySetId};
use std::time::Duration;

/// A commit that is under way may be waited for again.
pub(in crate::agent) fn states(deviations: &Deviations) -> &'static [Status] {
    match deviations.has(Deviation::CommitsAreNotJoined) {
        true => &[Status::Added],
        false => &[Status::Added, Status::CreationInProgress],
    }
}

impl Agent {
    pub(super) fn commit_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        arrived: Duration,
    ) -> Result<Turn, AgentError> {
        let id = request.shadow_copy_set_id;
        let set = self.set_in(id, states(&self.config.deviations))?;
        // It was done when nobody waited any more.
        let is_done = set.status == Status::CreationInProgress && set.is_made();
        let waiter = (token, deadline(arrived, request.timeout_ms));
        if let Some(long) = self.long.as_mut().filter(|long| long.set == id) {
            // The commit is under way: this caller waits for it as well.
            long.waiters.push(waiter);
            self.timer.stop();
            return Ok(Turn::Waits);
        }
        if is_done {
            return Ok(Turn::Plan(self.committed(token, id)));
        }
        self.begin_commit(id, vec![waiter]);
        Ok(Turn::Waits)
    }

    /// Step 4, for whoever waits for it, if anybody.
    pub(in crate::agent) fn begin_commit(
        &mut self,
        id: ShadowCopySetId,
        waiters: Vec<(CallToken, Duration)>,
    ) {
        let nothing_is_sealed = self.deviates(Deviation::NothingIsReadOnly);
        let Some(set) = self.state.set_mut(id) else {
            return;
        };
        set.status = Status::CreationInProgress;
        let writable = set.context().auto_recovery() || nothing_is_sealed;
        let order = |copy: &ShadowCopy| {
            let share_name = copy.mappings.first()?.base_name.clone();
            Some(CopyOrder {
                shadow_copy_id: copy.id,
                share_name,
                writable,
            })
        };
        let copies = set.copies.iter().filter_map(order).collect();
        let effect = Effect::Commit {
            shadow_copy_set_id: id,
            copies,
        };
        self.start_long(Opnum::CommitShadowCopySet, id, effect, Vec::new(), waiters);
    }

    /// The end of a commit whose copies are made.
    fn committed(&self, token: CallToken, id: ShadowCopySetId) -> Plan {
        let mut state = self.state.clone();
        if let Some(set) = state.set_mut(id) {
            set.status = Status::Committed;
        }
        let reply = Reply::CommitShadowCopySet(Response {
            status: Hresult::ZERO,
        });
        let timer = TimerChange::Start(self.config.durations.commit);
        self.plan(state, timer, token, reply)
    }
}
