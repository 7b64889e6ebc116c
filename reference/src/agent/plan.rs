//! A change of state on its way: what has to be done outside before it holds and is answered.

use super::{
    Agent, AgentError, CallToken, Completion, Effect, EffectFailed, EffectId, Now, Session, State,
};
use fsrvp_wire::fsrvp::{Opnum, Reply};
use std::collections::VecDeque;
use std::time::Duration;

/// What a call does to the Message Sequence Timer once it has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerChange {
    Keep,
    Stop,
    Start(Duration),
}

/// What holds once a plan was carried out.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) state: State,
    pub(super) session: Session,
    pub(super) timer: TimerChange,
}

#[derive(Debug)]
enum Step {
    Effect(Effect),
    /// From here on the change holds, and a failure of later steps takes nothing back.
    Apply,
}

/// One change: effects before it, the store, the change itself, effects after it, the answers.
#[derive(Debug)]
pub(super) struct Plan {
    /// The effect that is being carried out.
    pub(super) effect: Option<EffectId>,
    /// What the store will hold when that effect succeeds.
    persisting: Option<State>,
    steps: VecDeque<Step>,
    change: Option<Change>,
    replies: Vec<(CallToken, Reply)>,
    /// What takes back the effects before the change when the change does not come to hold.
    undo: Vec<Effect>,
    /// How the timer stands when the change cannot be stored.
    timer_on_failure: TimerChange,
}

impl Plan {
    /// A plan that makes `change` hold, stores it where the store would differ, and then answers.
    pub(super) fn new(
        stored: Option<&State>,
        change: Change,
        replies: Vec<(CallToken, Reply)>,
    ) -> Plan {
        let mut steps = VecDeque::new();
        if stored != Some(&change.state) {
            steps.push_back(Step::Effect(Effect::Persist(change.state.clone())));
        }
        steps.push_back(Step::Apply);
        Plan {
            effect: None,
            persisting: None,
            steps,
            change: Some(change),
            replies,
            undo: Vec::new(),
            timer_on_failure: TimerChange::Keep,
        }
    }

    /// A plan for what holds already: nobody is answered, and failures are for the log alone.
    pub(super) fn of_effects(effects: impl IntoIterator<Item = Effect>) -> Plan {
        Plan {
            effect: None,
            persisting: None,
            steps: effects.into_iter().map(Step::Effect).collect(),
            change: None,
            replies: Vec::new(),
            undo: Vec::new(),
            timer_on_failure: TimerChange::Keep,
        }
    }

    /// Does this when the change is stored and before it holds; its failure fails the call and
    /// brings `stored` back. So a crash leaves nothing that the store does not know to be gone.
    pub(super) fn after_store(mut self, effect: Effect, stored: &State) -> Plan {
        let apply = self.steps.len().saturating_sub(1);
        self.steps.insert(apply, Step::Effect(effect));
        self.or_else(Effect::Persist(stored.clone()), TimerChange::Keep)
    }

    /// Does this after the change holds; its failure is for the log alone.
    pub(super) fn finally(mut self, effect: Effect) -> Plan {
        self.steps.push_back(Step::Effect(effect));
        self
    }

    /// Does this, after what is done already, when the change does not come to hold.
    pub(super) fn or_else(mut self, undo: Effect, timer: TimerChange) -> Plan {
        self.undo.push(undo);
        self.timer_on_failure = timer;
        self
    }
}

impl Agent {
    /// Begins a plan; there is none in hand.
    pub(super) fn begin(&mut self, plan: Plan, now: Now) {
        self.plan = Some(plan);
        self.advance_plan(now);
    }

    /// The effect of the plan in hand was carried out, or could not be.
    pub(super) fn plan_step_done(&mut self, result: Result<Completion, EffectFailed>, now: Now) {
        let Some(plan) = self.plan.as_mut() else {
            return;
        };
        plan.effect = None;
        if let (Some(state), Ok(_)) = (plan.persisting.take(), &result) {
            self.stored = Some(state);
        }
        match result {
            Err(failed) if plan.change.is_some() => self.fail_plan(failed, now),
            _ => self.advance_plan(now),
        }
    }

    fn advance_plan(&mut self, now: Now) {
        while let Some(plan) = self.plan.as_mut() {
            match plan.steps.pop_front() {
                Some(Step::Effect(effect)) => {
                    let method = plan.replies.first().map(|(_, reply)| reply.opnum());
                    let effect = self.bend_effect(method, effect);
                    let persisting = match &effect {
                        Effect::Persist(state) => Some(state.clone()),
                        _ => None,
                    };
                    let id = self.next_effect(effect);
                    if let Some(plan) = self.plan.as_mut() {
                        plan.effect = Some(id);
                        plan.persisting = persisting;
                    }
                    return;
                }
                Some(Step::Apply) => {
                    if let Some(mut change) = plan.change.take() {
                        let reply = plan.replies.first().map(|(_, reply)| reply.clone());
                        self.bend_change(reply.as_ref(), &mut change);
                        self.log_change(&change);
                        self.state = change.state;
                        self.session = change.session;
                        self.set_timer(change.timer, now);
                    }
                }
                None => {
                    if let Some(plan) = self.plan.take() {
                        self.replies.extend(plan.replies);
                    }
                }
            }
        }
    }

    fn fail_plan(&mut self, failed: EffectFailed, now: Now) {
        let Some(plan) = self.plan.take() else { return };
        for undo in plan.undo {
            self.next_effect(undo);
        }
        self.set_timer(plan.timer_on_failure, now);
        let error = AgentError::Failed(failed.to_string());
        for (token, reply) in plan.replies {
            self.refuse(token, reply.opnum(), &error);
        }
    }

    pub(super) fn set_timer(&mut self, change: TimerChange, now: Now) {
        match change {
            TimerChange::Keep => {}
            TimerChange::Stop => {
                tracing::info!("timer stopped");
                self.timer.stop();
            }
            TimerChange::Start(duration) => {
                tracing::info!(seconds = duration.as_secs_f64(), "timer started");
                self.timer.start(now.monotonic, duration);
            }
        }
    }

    /// Tells what a change does to the context and to each set.
    fn log_change(&self, change: &Change) {
        match (&self.session.holder, &change.session.holder) {
            (old, Some(new)) if old.as_ref() != Some(new) => {
                tracing::info!(context = ?new.context, user = new.user, client = %new.client_address, "context set");
            }
            (Some(_), None) => tracing::info!("context cleared"),
            _ => {}
        }
        for set in &change.state.sets {
            let from = self.state.set(set.id).map(|old| old.status);
            if from != Some(set.status) {
                tracing::info!(set = %set.id, ?from, to = ?set.status, "set changed");
            }
        }
        for set in &self.state.sets {
            if change.state.set(set.id).is_none() {
                tracing::info!(set = %set.id, from = ?set.status, "set gone");
            }
        }
    }

    /// Answers with the code that stands for `error`.
    pub(super) fn refuse(&mut self, token: CallToken, opnum: Opnum, error: &AgentError) {
        tracing::info!(method = opnum.name(), %error, "refused");
        if let Some(reply) = Reply::failure(opnum, self.config.deviations.code(opnum, error)) {
            self.reply(token, reply);
        }
    }
}
