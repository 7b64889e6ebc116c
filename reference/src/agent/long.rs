//! Prepare, commit and expose: work that a caller waits for only so long, while others call.

use super::methods::{
    commit_shadow_copy_set, deadline, expose_shadow_copy_set, prepare_shadow_copy_set,
};
use super::plan::{Change, Plan, TimerChange};
use super::{
    Agent, AgentError, BackendRef, CallToken, Completion, Deviation, Effect, EffectFailed,
    EffectId, Now, Status, Waiting,
};
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId};
use std::time::Duration;

/// The work that is under way; there is never more than one.
#[derive(Debug)]
pub(super) struct Long {
    /// The effect that does it.
    pub(super) effect: EffectId,
    /// The method that asked for it.
    pub(super) method: Opnum,
    /// The set it is for.
    pub(super) set: ShadowCopySetId,
    /// Who waits for it, and until when.
    pub(super) waiters: Vec<(CallToken, Duration)>,
    /// Nobody wants its outcome any more: what it made is removed.
    pub(super) cancelled: bool,
    /// The exposed shares that it makes, with their copies.
    pub(super) exposes: Vec<(ShadowCopyId, String, String)>,
    /// Its outcome, where a plan was in hand when it came.
    pub(super) outcome: Option<Result<Completion, EffectFailed>>,
}

impl Long {
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.waiters.iter().map(|(_, deadline)| *deadline).min()
    }

    fn exposed_names(&self) -> Vec<String> {
        self.exposes
            .iter()
            .map(|(_, _, exposed)| exposed.clone())
            .collect()
    }
}

impl Waiting {
    /// When its caller stops waiting, where the method has a `TimeOutInMilliseconds`.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let timeout_ms = match &self.call {
            Call::PrepareShadowCopySet(request) => request.timeout_ms,
            Call::CommitShadowCopySet(request) => request.timeout_ms,
            Call::ExposeShadowCopySet(request) => request.timeout_ms,
            _ => return None,
        };
        Some(deadline(self.arrived, timeout_ms))
    }
}

/// Lets a call wait for as long as it takes: 49 days, that is.
pub(super) fn wait_without_limit(call: &mut Call) {
    match call {
        Call::PrepareShadowCopySet(request) => request.timeout_ms = u32::MAX,
        Call::CommitShadowCopySet(request) => request.timeout_ms = u32::MAX,
        Call::ExposeShadowCopySet(request) => request.timeout_ms = u32::MAX,
        _ => {}
    }
}

fn too_late(method: Opnum) -> AgentError {
    if method == Opnum::CommitShadowCopySet {
        AgentError::CommitTimeout
    } else {
        AgentError::WaitTimeout
    }
}

/// The set that a call is about.
fn set_of(call: &Call) -> Option<ShadowCopySetId> {
    match call {
        Call::AddToShadowCopySet(request) => Some(request.shadow_copy_set_id),
        Call::CommitShadowCopySet(request) => Some(request.shadow_copy_set_id),
        Call::ExposeShadowCopySet(request) => Some(request.shadow_copy_set_id),
        Call::RecoveryCompleteShadowCopySet(request) => Some(request.shadow_copy_set_id),
        Call::AbortShadowCopySet(request) => Some(request.shadow_copy_set_id),
        Call::GetShareMapping(request) => Some(request.shadow_copy_set_id),
        Call::DeleteShareMapping(request) => Some(request.shadow_copy_set_id),
        Call::PrepareShadowCopySet(request) => Some(request.shadow_copy_set_id),
        Call::GetSupportedVersion(_)
        | Call::SetContext(_)
        | Call::StartShadowCopySet(_)
        | Call::IsPathSupported(_)
        | Call::IsPathShadowCopied(_) => None,
    }
}

impl Agent {
    /// Whether the work under way lets this call be judged now.
    ///
    /// During a commit the set's status says all there is to say. During a prepare or an expose
    /// it does not: calls about the set wait for the outcome, but for an abort.
    pub(super) fn may_start(&self, call: &Call) -> bool {
        let Some(long) = &self.long else { return true };
        if long.outcome.is_some() {
            return false;
        }
        let long_call = matches!(
            call,
            Call::PrepareShadowCopySet(_)
                | Call::CommitShadowCopySet(_)
                | Call::ExposeShadowCopySet(_)
        );
        if long.cancelled {
            return !long_call;
        }
        long.method == Opnum::CommitShadowCopySet
            || matches!(call, Call::AbortShadowCopySet(_))
            || set_of(call) != Some(long.set)
    }

    /// Starts work for callers and the ends of their waits.
    pub(super) fn start_long(
        &mut self,
        method: Opnum,
        set: ShadowCopySetId,
        effect: Effect,
        exposes: Vec<(ShadowCopyId, String, String)>,
        waiters: Vec<(CallToken, Duration)>,
    ) {
        if !waiters.is_empty() {
            self.timer.stop();
        }
        let effect = self.next_effect(effect);
        self.long = Some(Long {
            effect,
            method,
            set,
            waiters,
            cancelled: false,
            exposes,
            outcome: None,
        });
    }

    /// Ends every wait for work on this set and makes sure that its outcome is taken back.
    pub(super) fn cancel_long(&mut self, set: ShadowCopySetId, now: Now) {
        let Some(long) = self.long.as_mut().filter(|long| long.set == set) else {
            return;
        };
        if !std::mem::replace(&mut long.cancelled, true) {
            self.given_up.push_back(long.effect);
        }
        let (method, waiters) = (long.method, std::mem::take(&mut long.waiters));
        if !waiters.is_empty() {
            // Whatever comes of the call that cancels: the set is never left without a timer.
            self.waited_in_vain(method, now);
        }
        for (token, _) in waiters {
            self.refuse(token, method, &AgentError::WaitFailed);
        }
    }

    /// Answers whoever has waited long enough.
    pub(super) fn expire_waits(&mut self, now: Now) {
        let Some(long) = self.long.as_mut() else {
            return;
        };
        let (late, waiting) = long
            .waiters
            .drain(..)
            .partition(|(_, deadline)| *deadline <= now.monotonic);
        let late: Vec<(CallToken, Duration)> = late;
        long.waiters = waiting;
        if late.is_empty() {
            return;
        }
        let method = long.method;
        // 3.1.4.5: a commit goes on and may be waited for again. Nothing in 3.1.4.6 and 3.1.4.13
        // lets a caller come back to an expose or a prepare, so those are taken back.
        long.cancelled |= method != Opnum::CommitShadowCopySet;
        let error = too_late(method);
        self.waited_in_vain(method, now);
        for (token, _) in late {
            self.refuse(token, method, &error);
        }
    }

    /// Answers whoever has waited long enough for work that could not even begin, because other
    /// work was under way.
    pub(super) fn expire_queued(&mut self, now: Now) {
        if self.plan.is_some() {
            return;
        }
        let is_late = |waiting: &Waiting| {
            let deadline = waiting.deadline();
            deadline.is_some_and(|deadline| deadline <= now.monotonic)
        };
        while let Some(index) = self.inbox.iter().position(is_late) {
            let Some(waiting) = self.inbox.remove(index) else {
                return;
            };
            let method = waiting.call.opnum();
            let error = match self.may_work(&waiting) {
                Err(error) => error,
                Ok(()) => {
                    // 3.1.4.5: also a commit that could not begin goes on when it can.
                    if let Call::CommitShadowCopySet(request) = &waiting.call
                        && let Some(set) = self.state.set_mut(request.shadow_copy_set_id)
                    {
                        set.status = Status::CreationInProgress;
                        self.commit_due = Some(request.shadow_copy_set_id);
                    }
                    self.waited_in_vain(method, now);
                    too_late(method)
                }
            };
            self.refuse(waiting.token, method, &error);
        }
    }

    /// Begins the commit that nobody waits for any more, now that nothing else is under way.
    pub(super) fn begin_due_commit(&mut self) {
        if self.plan.is_some() || self.long.is_some() {
            return;
        }
        let due = self.commit_due.take();
        let waits = |id: &ShadowCopySetId| {
            let set = self.state.set(*id);
            set.is_some_and(|set| set.status == Status::CreationInProgress && !set.is_made())
        };
        if let Some(id) = due.filter(waits) {
            self.begin_commit(id, Vec::new());
        }
    }

    /// What a prepare, commit or expose is refused for before any work.
    fn may_work(&self, waiting: &Waiting) -> Result<(), AgentError> {
        let states = match &waiting.call {
            _ if !self.config.deviations.permit(&waiting.caller) => {
                return Err(AgentError::AccessDenied);
            }
            Call::PrepareShadowCopySet(_) => prepare_shadow_copy_set::STATES,
            Call::CommitShadowCopySet(_) => commit_shadow_copy_set::states(&self.config.deviations),
            Call::ExposeShadowCopySet(_) => expose_shadow_copy_set::STATES,
            _ => return Ok(()),
        };
        let set = set_of(&waiting.call).ok_or(AgentError::UnknownSet)?;
        self.set_in(set, states).map(|_| ())
    }

    /// Starts the timer after a call that got no outcome, unless another one still waits for it:
    /// the timer stands still as long as anybody does.
    fn waited_in_vain(&mut self, method: Opnum, now: Now) {
        let waits = |long: &Long| !long.waiters.is_empty();
        if !self.long.as_ref().is_some_and(waits) {
            let duration = self.duration_after(method, false);
            self.set_timer(TimerChange::Start(duration), now);
        }
    }

    /// The work has ended.
    pub(super) fn long_done(&mut self, result: Result<Completion, EffectFailed>, now: Now) {
        if self.plan.is_some() {
            // The plan in hand rests on the state as it is; the outcome waits for it.
            if let Some(long) = self.long.as_mut() {
                long.outcome = Some(result);
            }
            return;
        }
        let Some(long) = self.long.take() else { return };
        match result {
            Ok(completion) if long.cancelled || self.state.set(long.set).is_none() => {
                self.take_back(&long, completion);
            }
            Ok(completion) => self.long_succeeded(&long, completion, now),
            Err(failed) => {
                let is_lost = matches!(failed, EffectFailed::Lost(_));
                let error = match failed {
                    EffectFailed::Failed(reason) => AgentError::Failed(reason),
                    EffectFailed::Lost(_) => AgentError::WaitFailed,
                };
                // 3.1.4.5: after a wait that failed it is Added; of a copy that failed nothing is
                // said, so the status stays.
                if long.method == Opnum::CommitShadowCopySet
                    && (is_lost || self.deviates(Deviation::CommitsAreNotJoined))
                    && let Some(set) = self.state.set_mut(long.set)
                {
                    set.status = Status::Added;
                }
                if !long.waiters.is_empty() {
                    let duration = self.duration_after(long.method, false);
                    self.set_timer(TimerChange::Start(duration), now);
                }
                for (token, _) in long.waiters {
                    self.refuse(token, long.method, &error);
                }
            }
        }
    }

    /// An outcome that waited for a plan is dealt with as soon as there is none.
    pub(super) fn resume_long(&mut self, now: Now) {
        if self.plan.is_none()
            && let Some(result) = self.long.as_mut().and_then(|long| long.outcome.take())
        {
            self.long_done(result, now);
        }
    }

    fn take_back(&mut self, long: &Long, completion: Completion) {
        let copies = match completion {
            Completion::Copied(copies) => copies.into_iter().map(|(_, made)| made).collect(),
            Completion::Done => Vec::new(),
        };
        let exposed_names = long.exposed_names();
        if !copies.is_empty() || !exposed_names.is_empty() {
            self.next_effect(Effect::Remove {
                exposed_names,
                copies,
            });
        }
    }

    fn long_succeeded(&mut self, long: &Long, completion: Completion, now: Now) {
        let mut state = self.state.clone();
        let mut made: Vec<BackendRef> = Vec::new();
        let waits_for_nobody = self.deviates(Deviation::CommitsAreNotJoined);
        if let Some(set) = state.set_mut(long.set) {
            match completion {
                Completion::Copied(copies) => {
                    // 3.1.4.5: whoever calls Commit again learns of it; until then the status
                    // stays, whatever the work has come to.
                    if !long.waiters.is_empty() || waits_for_nobody {
                        set.status = Status::Committed;
                    }
                    for (id, backend_ref) in copies {
                        made.push(backend_ref.clone());
                        if let Some(copy) = set.copies.iter_mut().find(|copy| copy.id == id) {
                            copy.backend_ref = Some(backend_ref);
                        }
                    }
                }
                Completion::Done if long.method == Opnum::ExposeShadowCopySet => {
                    set.status = Status::Exposed;
                    for (id, base, exposed) in &long.exposes {
                        let copy = set.copies.iter_mut().find(|copy| copy.id == *id);
                        let mappings = copy.into_iter().flat_map(|copy| &mut copy.mappings);
                        for mapping in mappings.filter(|mapping| mapping.base_name == *base) {
                            mapping.exposed_name = Some(exposed.clone());
                        }
                    }
                }
                Completion::Done => {}
            }
        }
        // Without a waiter the timer runs since the last one was told that it took too long.
        let timer = |ok| match long.waiters.is_empty() {
            true => TimerChange::Keep,
            false => TimerChange::Start(self.duration_after(long.method, ok)),
        };
        let (timer, timer_on_failure) = (timer(true), timer(false));
        let replies = long
            .waiters
            .iter()
            .filter_map(|(token, _)| Some((*token, Reply::failure(long.method, Hresult::ZERO)?)))
            .collect();
        let undo = Effect::Remove {
            exposed_names: long.exposed_names(),
            copies: made,
        };
        let change = Change {
            state,
            session: self.session.clone(),
            timer,
        };
        let plan = Plan::new(self.stored.as_ref(), change, replies).or_else(undo, timer_on_failure);
        self.begin(plan, now);
    }

    /// How long the timer runs after a method that reached its work.
    fn duration_after(&self, method: Opnum, succeeded: bool) -> Duration {
        let durations = &self.config.durations;
        match (method, succeeded) {
            (Opnum::PrepareShadowCopySet, true) => durations.prepare,
            (Opnum::PrepareShadowCopySet, false) => durations.prepare_failed,
            (Opnum::ExposeShadowCopySet, _) => durations.expose,
            _ => durations.commit,
        }
    }
}
