//! MS-FSRVP 3.1: the agent, one for all connections, as a state machine without I/O.
//!
//! **Architectural invariants**
//! - No I/O, no clock, no randomness: time comes with every call, ids from an [`IdSource`], and
//!   everything that touches shares, backends or the store leaves as an [`Effect`].
//! - A reply of ZERO leaves only after the state that it promises was stored (3.1.4).
//! - There is at most one set that is not Recovered, and one Message Sequence Timer (3.1.2).
//!
//! # How to drive it
//!
//! Inputs are [`Agent::handle_call`], [`Agent::handle_completion`] and [`Agent::handle_timeout`].
//! After each of them, take everything from [`Agent::poll_reply`] and [`Agent::poll_effect`] and
//! arm one alarm at [`Agent::poll_timeout`]. Effects are carried out in the order in which they
//! come, each answered by exactly one `handle_completion`.
//!
//! # What the text leaves open, and what was decided
//!
//! - *Host names* in a share name are never looked up, connected to or compared: the share alone
//!   counts. Anything after `\\host\share` but one backslash names no share.
//! - *A shadow copy of an exposed share* is not supported: an exposed share is itself a shadow
//!   copy, and 3.1.4.4 speaks of the shares that a server's administrator made.
//! - *Nil ids* stand for NULL and give E_INVALIDARG in every method (3.1.4); ClientShadowCopyId is
//!   ignored, as MS-FSRVP <8> has it.
//! - *A dropped or expired set* takes its exposed shares and backend snapshots with it: nothing
//!   else could ever remove them.
//! - *A copy that fails in Commit*: the text leaves the status at CreationInProgress, so a further
//!   Commit starts again; what was made is removed.
//! - *Expose that fails or is too late* takes back the shares that it made and may be repeated.
//! - *Abort during Commit* ends the wait of whoever waits with FSRVP_E_WAIT_FAILED.
//! - *GetShareMapping that fails* after the text has stopped the timer leaves the timer as it was:
//!   otherwise one wrong id would switch off the clean-up.
//! - *Abort and DeleteShareMapping* do not touch the timer, as the text has it; a timer that fires
//!   with no set left only clears the context.
//! - *Shares that share a file store* cannot be in one set (3.1.4.4 step 6).
//! - *ShadowCopyShareName* is the share's bare name, as in 3.1.1.4 and 3.1.4.6 and as every known
//!   server answers; 2.2.1.1 speaks of a UNC name.
//! - *Hidden shares* (MS-FSRVP <9>): the exposed share of a share that ends in `$` ends in `$` too,
//!   whether or not the client sent a trailing backslash.
//! - *After a restart* an unfinished set stands as it was stored, without timer and context.

mod caller;
mod effect;
mod error;
mod long;
mod methods;
mod plan;
mod state;
mod timer;
mod unc;

#[cfg(test)]
mod tests;

pub use caller::{Caller, IdSource, Now, ShareCatalogue, ShareInfo, Support};
pub use effect::{
    BackendRef, CallToken, Completion, CopyOrder, Effect, EffectFailed, EffectId, ExposeOrder,
};
pub use error::AgentError;
pub use state::{MappedShare, ShadowCopy, ShadowCopySet, State, Status};
pub use timer::Durations;

use fsrvp_wire::fsrvp::{Call, Context, Reply};
use long::Long;
use plan::Plan;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use timer::Timer;

/// What a server's administrator decides.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// How long the Message Sequence Timer runs after each event.
    pub durations: Durations,
    /// The name that IsPathSupported gives as OwnerMachineName.
    pub owner_machine_name: String,
    /// How often in a row one client may repeat SetContext: 5 in MS-FSRVP <5>.
    pub retry_limit: u32,
    /// `MinServerVersion` and `MaxServerVersion` of 3.1.1.1.
    pub versions: (u32, u32),
}

/// A call that waits until the plan in hand is done.
struct Waiting {
    token: CallToken,
    caller: Caller,
    call: Call,
}

/// MS-FSRVP 3.1.1.1: the globals that live no longer than the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Session {
    /// `ContextSet` and `CurrentContext`: `None` is FALSE.
    context: Option<Context>,
    /// `ShadowCopyClientAddress`.
    client_address: Option<IpAddr>,
    /// `ShadowCopyClientRetryCount`.
    retry_count: u32,
}

/// The FSRVP agent; see the module's documentation for how to drive it.
pub struct Agent {
    config: AgentConfig,
    ids: Box<dyn IdSource>,
    catalogue: Arc<dyn ShareCatalogue>,
    session: Session,
    state: State,
    timer: Timer,
    plan: Option<Plan>,
    long: Option<Long>,
    inbox: VecDeque<Waiting>,
    effects: VecDeque<(EffectId, Effect)>,
    replies: VecDeque<(CallToken, Reply)>,
    last_effect: u64,
}

impl Agent {
    /// An agent over the sets that the configuration store held (3.1.3): no context, no timer.
    #[must_use]
    pub fn new(
        config: AgentConfig,
        ids: Box<dyn IdSource>,
        catalogue: Arc<dyn ShareCatalogue>,
        restored: State,
    ) -> Agent {
        Agent {
            config,
            ids,
            catalogue,
            session: Session::default(),
            state: restored.after_restart(),
            timer: Timer::default(),
            plan: None,
            long: None,
            inbox: VecDeque::new(),
            effects: VecDeque::new(),
            replies: VecDeque::new(),
            last_effect: 0,
        }
    }

    /// A call has arrived. Its reply comes from [`Agent::poll_reply`] under the same token, now
    /// or after effects were completed.
    pub fn handle_call(&mut self, token: CallToken, caller: &Caller, call: Call, now: Now) {
        self.inbox.push_back(Waiting {
            token,
            caller: caller.clone(),
            call,
        });
        self.drain(now);
    }

    /// An effect was carried out, or could not be.
    pub fn handle_completion(
        &mut self,
        id: EffectId,
        result: Result<Completion, EffectFailed>,
        now: Now,
    ) {
        if self.long.as_ref().is_some_and(|long| long.effect == id) {
            self.long_done(result, now);
        } else if self
            .plan
            .as_ref()
            .is_some_and(|plan| plan.effect == Some(id))
        {
            self.plan_step_done(result, now);
        }
        self.drain(now);
    }

    /// The time of [`Agent::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        self.expire_waits(now);
        if self.plan.is_none() && self.timer.is_due(now.monotonic) {
            self.timer.stop();
            self.sequence_timer_expired();
        }
        self.drain(now);
    }

    /// The next effect to carry out.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.effects.pop_front()
    }

    /// The next reply to send.
    pub fn poll_reply(&mut self) -> Option<(CallToken, Reply)> {
        self.replies.pop_front()
    }

    /// When [`Agent::handle_timeout`] wants to be called; `None` where nothing is due ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let wait = self.long.as_ref().and_then(Long::next_deadline);
        // The timer waits for a plan in hand: what it would remove may be about to be stored.
        let timer = if self.plan.is_none() {
            self.timer.deadline()
        } else {
            None
        };
        [wait, timer].into_iter().flatten().min()
    }

    /// The sets as they stand (3.1.1.1 GlobalShadowCopySetTable).
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether `ContextSet` is TRUE (3.1.1.1).
    #[must_use]
    pub fn context(&self) -> Option<Context> {
        self.session.context
    }

    /// When the Message Sequence Timer fires, if it runs.
    #[must_use]
    pub fn timer_deadline(&self) -> Option<Duration> {
        self.timer.deadline()
    }

    /// Answers what waits, as long as nothing in hand forbids it.
    fn drain(&mut self, now: Now) {
        while self.plan.is_none() {
            self.resume_long(now);
            if self.plan.is_some() {
                return;
            }
            let Some(index) = self
                .inbox
                .iter()
                .position(|waiting| self.may_start(&waiting.call))
            else {
                return;
            };
            let Some(waiting) = self.inbox.remove(index) else {
                return;
            };
            self.dispatch(waiting.token, &waiting.caller, waiting.call, now);
        }
    }

    fn next_effect(&mut self, effect: Effect) -> EffectId {
        self.last_effect += 1;
        let id = EffectId(self.last_effect);
        self.effects.push_back((id, effect));
        id
    }

    fn reply(&mut self, token: CallToken, reply: Reply) {
        self.replies.push_back((token, reply));
    }
}
