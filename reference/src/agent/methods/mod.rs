//! MS-FSRVP 3.1.4: one file a method. Each judges a call and says what it comes to.

mod abort_shadow_copy_set;
mod add_to_shadow_copy_set;
pub(super) mod commit_shadow_copy_set;
mod delete_share_mapping;
pub(super) mod expose_shadow_copy_set;
mod get_share_mapping;
mod get_supported_version;
mod is_path_shadow_copied;
mod is_path_supported;
pub(super) mod prepare_shadow_copy_set;
mod recovery_complete_shadow_copy_set;
mod set_context;
mod start_shadow_copy_set;

use super::plan::{Change, Plan, TimerChange};
use super::{
    Agent, AgentError, CallToken, Deviation, Deviations, Effect, Fault, MappedShare, Missing, Now,
    Session, ShadowCopy, ShadowCopySet, ShareInfo, State, Status, Support, Waiting, unc,
};
use fsrvp_wire::fsrvp::{Call, Opnum, Reply, ShadowCopySetId};
use fsrvp_wire::ndr::WideString;
use std::time::Duration;

/// What a call comes to when it is not refused.
enum Turn {
    /// It is answered at once; nothing changed.
    Answer(Reply),
    /// It is answered when this was carried out.
    Plan(Plan),
    /// It waits for long work, or joined a wait.
    Waits,
}

impl Agent {
    /// Judges a call; no plan is in hand.
    pub(super) fn dispatch(&mut self, waiting: Waiting, now: Now) {
        let (token, opnum) = (waiting.token, waiting.call.opnum());
        let level = match &waiting.call {
            Call::GetShareMapping(request) => Some(request.level),
            _ => None,
        };
        let turn = self.judge(waiting, now);
        if turn.is_ok() {
            self.note_timer(opnum);
        }
        match turn {
            Ok(Turn::Answer(reply)) => {
                self.extend_timer(Fault::QueriesExtend, now);
                self.reply(token, reply);
            }
            Ok(Turn::Plan(plan)) => self.begin(plan, now),
            Ok(Turn::Waits) => {}
            Err(error) => {
                self.extend_timer(Fault::RefusalsExtend, now);
                self.refuse(token, opnum, &error);
                // The union's discriminant is the level that was asked for, in a refusal as well.
                let refusal = self.replies.back_mut().map(|(_, reply)| reply);
                if let (Some(level), Some(Reply::GetShareMapping(response))) = (level, refusal) {
                    response.share_mapping.level = level;
                }
            }
        }
    }

    fn judge(&mut self, waiting: Waiting, now: Now) -> Result<Turn, AgentError> {
        let Waiting {
            token,
            mut caller,
            mut call,
            arrived,
        } = waiting;
        self.bend_call(&mut call, &mut caller);
        if !self.config.deviations.permit(&caller) {
            return Err(AgentError::AccessDenied);
        }
        match call {
            Call::GetSupportedVersion(request) => Ok(self.get_supported_version(&request)),
            Call::SetContext(request) => self.set_context(token, &caller, &request, now),
            Call::StartShadowCopySet(request) => self.start_shadow_copy_set(token, &request, now),
            Call::AddToShadowCopySet(request) => self.add_to_shadow_copy_set(token, &request, now),
            Call::CommitShadowCopySet(request) => {
                self.commit_shadow_copy_set(token, &request, arrived)
            }
            Call::ExposeShadowCopySet(request) => {
                self.expose_shadow_copy_set(token, &request, arrived)
            }
            Call::RecoveryCompleteShadowCopySet(request) => {
                self.recovery_complete_shadow_copy_set(token, &request)
            }
            Call::AbortShadowCopySet(request) => self.abort_shadow_copy_set(token, &request, now),
            Call::IsPathSupported(request) => self.is_path_supported(&request),
            Call::IsPathShadowCopied(request) => self.is_path_shadow_copied(&request),
            Call::GetShareMapping(request) => self.get_share_mapping(&request, now),
            Call::DeleteShareMapping(request) => self.delete_share_mapping(token, &request),
            Call::PrepareShadowCopySet(request) => {
                self.prepare_shadow_copy_set(token, &request, arrived)
            }
        }
    }

    /// [`Deviation::TimerForgetsItsSet`]: which set the timer runs for after a call.
    fn note_timer(&mut self, method: Opnum) {
        match method {
            Opnum::SetContext | Opnum::GetShareMapping => self.timer_has_no_set = true,
            Opnum::StartShadowCopySet
            | Opnum::AddToShadowCopySet
            | Opnum::PrepareShadowCopySet
            | Opnum::CommitShadowCopySet
            | Opnum::ExposeShadowCopySet => self.timer_has_no_set = false,
            _ => {}
        }
    }

    /// Refuses nil, which stands for NULL (3.1.4).
    fn must_not_be_nil(&self, is_nil: bool, parameter: &'static str) -> Result<(), AgentError> {
        match is_nil && !self.deviates(Deviation::NilIsAnUnknownId) {
            true => Err(AgentError::InvalidArgument(parameter)),
            false => Ok(()),
        }
    }

    /// The set with this id, which must not be nil (3.1.4) and must exist.
    fn known_set(&self, id: ShadowCopySetId) -> Result<&ShadowCopySet, AgentError> {
        self.must_not_be_nil(id.is_nil(), "ShadowCopySetId")?;
        self.state.set(id).ok_or(AgentError::UnknownSet)
    }

    /// The set with this id in one of these states.
    pub(super) fn set_in(
        &self,
        id: ShadowCopySetId,
        allowed: &[Status],
    ) -> Result<&ShadowCopySet, AgentError> {
        let set = self.known_set(id)?;
        if allowed.contains(&set.status) || self.forgives(set.status) {
            Ok(set)
        } else {
            Err(AgentError::BadState(set.status))
        }
    }

    /// The share that a request names.
    fn share(&self, share_name: &WideString) -> Result<ShareInfo, AgentError> {
        let text = share_name.text();
        let share = self.share_part(&text);
        let share = share.and_then(|share| self.catalogue.find(share));
        share.ok_or(AgentError::NotFound(Missing::Share))
    }

    /// The share's own name in a UNC name.
    fn share_part<'n>(&self, unc: &'n str) -> Option<&'n str> {
        match self.deviates(Deviation::NamesMayGoOn) {
            true => unc::share_somewhere_in(unc),
            false => unc::share_of(unc),
        }
    }

    /// The mapping of the share that a request names.
    fn mapping_of<'c>(&self, copy: &'c ShadowCopy, unc: &WideString) -> Option<&'c MappedShare> {
        copy.mapping(self.share_part(&unc.text())?)
    }

    /// The share that a request names, which must be one that can be shadow copied.
    fn supported_share(&self, share_name: &WideString) -> Result<ShareInfo, AgentError> {
        let share = self.share(share_name)?;
        match share.support {
            Support::Supported => Ok(share),
            Support::Unsupported => Err(AgentError::NotSupported),
        }
    }

    /// A plan that makes these the sets, leaves the context alone, and answers.
    fn plan(&self, state: State, timer: TimerChange, token: CallToken, reply: Reply) -> Plan {
        self.plan_with(state, self.session.clone(), timer, token, reply)
    }

    fn plan_with(
        &self,
        state: State,
        session: Session,
        timer: TimerChange,
        token: CallToken,
        reply: Reply,
    ) -> Plan {
        Plan::new(
            self.stored.as_ref(),
            Change {
                state,
                session,
                timer,
            },
            vec![(token, reply)],
        )
    }

    /// MS-FSRVP 3.1.5: the timer has fired; what was not recovered goes away.
    pub(super) fn sequence_timer_expired(&mut self, now: Now) {
        let session = Session {
            retry_count: self.session.retry_count,
            ..Session::default()
        };
        tracing::info!("timer fired, context cleared");
        let ends_at = match self.deviates(Deviation::ExposedOutlivesTheTimer) {
            true => Status::Exposed,
            false => Status::Recovered,
        };
        let is_forgotten = self.timer_has_no_set && self.deviates(Deviation::TimerForgetsItsSet);
        let taken = self.state.unfinished_before(ends_at);
        let Some(set) = taken.filter(|_| !is_forgotten).cloned() else {
            if !self.is_wrong(Fault::ExpiryKeepsContext) {
                self.session = session;
            }
            return;
        };
        tracing::info!(set = %set.id, from = ?set.status, "set gone");
        self.cancel_long(set.id, now);
        self.timer.stop();
        // Where this cannot be stored, the set is gone all the same, and the next start finds it
        // without its shares and copies. Calls wait for it all the same, so that none is answered
        // by what is not yet stored, and none finds the exposed shares still there.
        self.state = self.left_by_expiry(set.id);
        if !self.is_wrong(Fault::ExpiryKeepsContext) {
            self.session = session;
        }
        let persist = Effect::Persist(self.state.clone());
        self.begin(Plan::of_effects([persist, removal(&set)]), now);
    }
}

/// The effect that removes everything a set has made.
pub(super) fn removal(set: &ShadowCopySet) -> Effect {
    Effect::Remove {
        exposed_names: set.exposed_names(),
        copies: set.backend_refs(),
    }
}

/// The effect that shows again what a removal that failed has taken away and not deleted.
fn restoral(set: &ShadowCopySet, deviations: &Deviations) -> Effect {
    let writable = set.is_writable() || deviations.has(Deviation::NothingIsReadOnly);
    Effect::Restore {
        shares: set.exposed_orders(writable),
    }
}

/// When the caller of a call that came at `arrived` stops waiting, by `TimeOutInMilliseconds`.
pub(super) fn deadline(arrived: Duration, timeout_ms: u32) -> Duration {
    arrived.saturating_add(Duration::from_millis(u64::from(timeout_ms)))
}
