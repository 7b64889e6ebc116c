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
//! Names and arguments:
//! - *Host names* in a share name are never looked up, connected to or compared: the share alone
//!   counts. Anything after `\\host\share` but one backslash names no share, so a malformed name is
//!   answered like a share that there is not; 3.1.4.4, 3.1.4.9 and 3.1.4.10 have no code for it.
//! - *Exposed shares and `IPC$`* are there and have no file store that could be shadow copied, so they
//!   are FSRVP_E_NOT_SUPPORTED and never shadow copied (3.1.4.4 step 2, 3.1.4.9, 3.1.4.10).
//! - *Nil ids* stand for NULL and give E_INVALIDARG in every method (3.1.4), before the set's
//!   status is looked at; ClientShadowCopyId is ignored, as MS-FSRVP <8> has it.
//! - *Shares that share a file store* cannot be in one set (3.1.4.4 step 6).
//! - *ShadowCopyShareName* is the share's bare name, as in 3.1.1.4 and 3.1.4.6 and as every known
//!   server answers; 2.2.1.1 speaks of a UNC name. Its id is written in lower case.
//! - *Hidden shares* follow MS-FSRVP <9> by the letter: the exposed share ends in `$` where the
//!   name that the client gave ends in `$\`, and nowhere else, for 3.1.4.6 itself knows no `$`.
//! - *ShareNameUNC* is the name as AddToShadowCopySet brought it (3.1.1.4); *CreationTimestamp* is
//!   the time of that call (3.1.4.4 step 7).
//! - *ShadowCopyCompatibility* is what the configuration says of the share that is asked about, and
//!   zero where there is no shadow copy.
//!
//! Sets and long work:
//! - *A dropped or expired set* takes its exposed shares and backend snapshots with it: nothing
//!   else could ever remove them. What cannot be removed is tried again later, and at the next
//!   start.
//! - *Abort and DeleteShareMapping* whose removal fails give E_FAIL and change nothing, so that
//!   they can be repeated (3.1.4.8 step 3). Abort works in every status: 3.1.4.8 checks none.
//! - *A copy that fails in Commit*: the text leaves the status at CreationInProgress, so a further
//!   Commit starts again; what was made is removed.
//! - *A commit that is late* goes on, and the status stays CreationInProgress until a further Commit
//!   learns of its end: done meanwhile, that call succeeds at once (3.1.4.5). So a client that tries
//!   again is never refused for having been slower than the server. The same holds for one that was
//!   late before it could begin, since the work of a dropped set had to end first.
//! - *Expose and Prepare that fail or are too late* are taken back and may be repeated. Calls about
//!   the set wait while they run, for the status does not tell; during a commit it does.
//! - *TimeOutInMilliseconds* runs from the arrival of the call, also where other work has to end
//!   before its own can begin.
//! - *Abort, or a dropping SetContext, during long work* ends the wait of whoever waits with
//!   FSRVP_E_WAIT_FAILED.
//!
//! The Message Sequence Timer:
//! - *A GetShareMapping that fails* after the text has stopped the timer leaves the timer as it
//!   was: otherwise one wrong id would switch off the clean-up.
//! - *The timer stands still* as long as anybody waits for long work, and starts when the last one
//!   has been told that it took too long.
//! - *Abort and DeleteShareMapping* do not touch the timer, and neither does a SetContext beyond
//!   the retry limit, as the text has it; a timer that fires with no set left only clears the
//!   context.
//!
//! Store and restart:
//! - *A change that cannot be stored* did not happen: the call gives E_FAIL. Only an expiry goes on.
//! - *After a restart* an unfinished set stands as it was stored, without timer and context: a
//!   SetContext that finds no context keeps it (3.1.4.2), its timer or the next SetContext ends it.
//! - *Contexts that are not persistent* (2.2.2.2) are kept over a restart like the others, for a
//!   restart of this server is none of the machine; nothing is released by itself.

mod caller;
mod effect;
mod error;
mod long;
mod methods;
mod plan;
mod profile;
mod state;
mod status;
mod timer;
mod unc;
mod wrong;

#[cfg(test)]
mod tests;

pub use caller::{Caller, IdSource, Now, ShareCatalogue, ShareInfo, Support};
pub use effect::{
    BackendRef, CallToken, Completion, CopyOrder, Effect, EffectFailed, EffectId, ExposeOrder,
};
pub use error::{AgentError, Missing};
pub use profile::{Deviation, Deviations};
pub use state::{MappedShare, SETS_MAX, ShadowCopy, ShadowCopySet, State, Status};
pub use status::{AgentStatus, Holder, TimerStatus};
pub use timer::Durations;
pub use wrong::Fault;

use fsrvp_wire::fsrvp::{Call, Context, Opnum, Reply, ShadowCopySetId};
use long::Long;
use plan::Plan;
use std::collections::VecDeque;
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
    /// Where the server parts from the text on purpose.
    pub deviations: Deviations,
    /// What the agent does wrong on purpose.
    pub faults: Vec<Fault>,
}

/// A call that waits until the plan in hand, or work on its set, is done.
struct Waiting {
    token: CallToken,
    caller: Caller,
    call: Call,
    /// When it came: its `TimeOutInMilliseconds`, if it has one, runs from here.
    arrived: Duration,
}

/// MS-FSRVP 3.1.1.1: the globals that live no longer than the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Session {
    /// `ContextSet`: `None` is FALSE.
    holder: Option<Holder>,
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
    /// What the configuration store is known to hold.
    stored: Option<State>,
    timer: Timer,
    /// [`Deviation::TimerForgetsItsSet`]: the timer was last started for no set in progress.
    timer_has_no_set: bool,
    /// [`Deviation::AbortBlocksTheNextSet`]: no set may start before.
    start_blocked_until: Option<Duration>,
    plan: Option<Plan>,
    long: Option<Long>,
    /// A commit that took too long before it could begin.
    commit_due: Option<ShadowCopySetId>,
    inbox: VecDeque<Waiting>,
    effects: VecDeque<(EffectId, Effect)>,
    given_up: VecDeque<EffectId>,
    replies: VecDeque<(CallToken, Reply)>,
    last_effect: u64,
    /// The method that is being judged, or was last.
    judged: Opnum,
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
            session: wrong::first_session(&config),
            config: wrong::bend_config(config),
            ids,
            catalogue,
            // Nothing works on a commit any more: where one was under way, Commit starts it again.
            state: restored.clone(),
            stored: Some(restored),
            timer: Timer::default(),
            timer_has_no_set: false,
            start_blocked_until: None,
            plan: None,
            long: None,
            commit_due: None,
            inbox: VecDeque::new(),
            effects: VecDeque::new(),
            given_up: VecDeque::new(),
            replies: VecDeque::new(),
            last_effect: 0,
            judged: Opnum::GetSupportedVersion,
        }
    }

    /// A call has arrived. Its reply comes from [`Agent::poll_reply`] under the same token, now
    /// or after effects were completed.
    pub fn handle_call(&mut self, token: CallToken, caller: &Caller, mut call: Call, now: Now) {
        if self.deviates(Deviation::WaitsHaveNoLimit) {
            long::wait_without_limit(&mut call);
        }
        self.inbox.push_back(Waiting {
            token,
            caller: caller.clone(),
            call,
            arrived: now.monotonic,
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
        self.expire_queued(now);
        if self.plan.is_none() && self.timer.is_due(now.monotonic) {
            self.timer.stop();
            self.sequence_timer_expired(now);
        }
        self.drain(now);
    }

    /// The next effect to carry out.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.effects.pop_front()
    }

    /// The next effect of long work whose outcome nobody wants any more: it may end early, and
    /// fail. Where it is done all the same, what it made is removed.
    pub fn poll_given_up(&mut self) -> Option<EffectId> {
        self.given_up.pop_front()
    }

    /// The next reply to send.
    pub fn poll_reply(&mut self) -> Option<(CallToken, Reply)> {
        let (token, mut reply) = self.replies.pop_front()?;
        self.bend_reply(&mut reply);
        Some((token, reply))
    }

    /// When [`Agent::handle_timeout`] wants to be called; `None` where nothing is due ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let wait = self.long.as_ref().and_then(Long::next_deadline);
        // All else waits for a plan in hand: what it would judge may be about to change.
        let (queued, timer) = if self.plan.is_none() {
            let queued = self.inbox.iter().filter_map(Waiting::deadline);
            (queued.min(), self.timer.deadline())
        } else {
            (None, None)
        };
        [wait, queued, timer].into_iter().flatten().min()
    }

    /// The sets as they stand (3.1.1.1 GlobalShadowCopySetTable).
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether `ContextSet` is TRUE (3.1.1.1).
    #[must_use]
    pub fn context(&self) -> Option<Context> {
        self.session.holder.as_ref().map(|holder| holder.context)
    }

    /// When the Message Sequence Timer fires, if it runs.
    #[must_use]
    pub fn timer_deadline(&self) -> Option<Duration> {
        self.timer.deadline()
    }

    /// Everything that an administrator wants to know.
    #[must_use]
    pub fn status(&self, now: Now) -> AgentStatus {
        let session = &self.session;
        AgentStatus {
            holder: session.holder.clone(),
            timer: self.timer.status(now.monotonic),
            sets: self.state.sets.clone(),
        }
    }

    /// Answers what waits, as long as nothing in hand forbids it.
    fn drain(&mut self, now: Now) {
        while self.plan.is_none() {
            self.resume_long(now);
            if self.plan.is_some() {
                return;
            }
            self.begin_due_commit();
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
            self.dispatch(waiting, now);
        }
    }

    fn next_effect(&mut self, effect: Effect) -> EffectId {
        self.last_effect += 1;
        let id = EffectId(self.last_effect);
        if matches!(effect, Effect::Persist(_)) {
            self.stored = None;
        }
        self.effects.push_back((id, effect));
        id
    }

    fn deviates(&self, deviation: Deviation) -> bool {
        self.config.deviations.has(deviation)
    }

    fn reply(&mut self, token: CallToken, reply: Reply) {
        self.replies.push_back((token, reply));
    }
}
