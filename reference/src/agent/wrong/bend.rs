//! Where the faults bend what the agent does: on the way in, on the way out, and in between.

use super::Fault;
use crate::agent::methods::removal;
use crate::agent::plan::{Change, Plan, TimerChange};
use crate::agent::{
    Agent, AgentConfig, Caller, Effect, Holder, Now, Session, ShadowCopySet, State, Status,
};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, Opnum, Reply, ShadowCopySetId};
use fsrvp_wire::ndr::WideString;
use std::net::Ipv4Addr;
use std::time::Duration;
use uuid::Uuid;

/// One code in place of another, from one method.
const CODES: [(Fault, Opnum, Hresult, Hresult); 13] = {
    use Hresult as H;
    use Opnum as M;
    [
        (
            Fault::CommitUnknownSetCode,
            M::CommitShadowCopySet,
            H::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
            H::FSRVP_E_OBJECT_NOT_FOUND,
        ),
        (
            Fault::ExposeBadStateCode,
            M::ExposeShadowCopySet,
            H::FSRVP_E_BAD_STATE,
            H::E_INVALIDARG,
        ),
        (
            Fault::DeleteNotFoundCode,
            M::DeleteShareMapping,
            H::FSRVP_E_OBJECT_NOT_FOUND,
            H::E_INVALIDARG,
        ),
        (
            Fault::MissingShareCode,
            M::IsPathSupported,
            H::FSRVP_E_OBJECT_NOT_FOUND,
            H::E_INVALIDARG,
        ),
        (
            Fault::UnsupportedPathCode,
            M::IsPathSupported,
            H::FSRVP_E_NOT_SUPPORTED,
            H::FSRVP_E_OBJECT_NOT_FOUND,
        ),
        (
            Fault::UnsupportedShareCode,
            M::AddToShadowCopySet,
            H::FSRVP_E_NOT_SUPPORTED,
            H::FSRVP_E_OBJECT_NOT_FOUND,
        ),
        (
            Fault::ContextCode,
            M::SetContext,
            H::FSRVP_E_UNSUPPORTED_CONTEXT,
            H::E_INVALIDARG,
        ),
        (
            Fault::InProgressCode,
            M::StartShadowCopySet,
            H::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS,
            H::FSRVP_E_BAD_STATE,
        ),
        (
            Fault::NoContextCode,
            M::StartShadowCopySet,
            H::FSRVP_E_BAD_STATE,
            H::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS,
        ),
        (
            Fault::AlreadyExistsCode,
            M::AddToShadowCopySet,
            H::FSRVP_E_OBJECT_ALREADY_EXISTS,
            H::FSRVP_E_NOT_SUPPORTED,
        ),
        (
            Fault::AbortNilCode,
            M::AbortShadowCopySet,
            H::E_INVALIDARG,
            H::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
        ),
        (
            Fault::MappingArgumentCode,
            M::GetShareMapping,
            H::E_INVALIDARG,
            H::FSRVP_E_BAD_STATE,
        ),
        (
            Fault::PrepareSuccessCode,
            M::PrepareShadowCopySet,
            H::ZERO,
            Hresult(1),
        ),
    ]
};

/// A status that one method does not mind although it should.
const FORGIVEN: [(Fault, Opnum, Status); 12] = {
    use Opnum as M;
    use Status as S;
    [
        (Fault::PrepareStarted, M::PrepareShadowCopySet, S::Started),
        (
            Fault::PrepareCommitted,
            M::PrepareShadowCopySet,
            S::Committed,
        ),
        (Fault::PrepareExposed, M::PrepareShadowCopySet, S::Exposed),
        (Fault::CommitCommitted, M::CommitShadowCopySet, S::Committed),
        (
            Fault::RecoverCommitted,
            M::RecoveryCompleteShadowCopySet,
            S::Committed,
        ),
        (
            Fault::RecoverRecovered,
            M::RecoveryCompleteShadowCopySet,
            S::Recovered,
        ),
        (Fault::AddCommitted, M::AddToShadowCopySet, S::Committed),
        (Fault::AddExposed, M::AddToShadowCopySet, S::Exposed),
        (Fault::AddRecovered, M::AddToShadowCopySet, S::Recovered),
        (Fault::MappingCommitted, M::GetShareMapping, S::Committed),
        (Fault::MappingRecovered, M::GetShareMapping, S::Recovered),
        (Fault::DeleteCommitted, M::DeleteShareMapping, S::Committed),
    ]
};

/// The configuration as the faults have it.
pub(in crate::agent) fn bend_config(mut config: AgentConfig) -> AgentConfig {
    let short = Duration::from_secs(90);
    let long = Duration::from_secs(3600);
    let faults = config.faults.clone();
    for fault in faults {
        let durations = &mut config.durations;
        let (duration, value) = match fault {
            Fault::ContextTimerShort => (&mut durations.set_context, short),
            Fault::ContextTimerLong => (&mut durations.set_context, long),
            Fault::StartTimerShort => (&mut durations.start, short),
            Fault::StartTimerLong => (&mut durations.start, long),
            Fault::AddTimerShort => (&mut durations.add, short),
            Fault::AddTimerLong => (&mut durations.add, long),
            Fault::ExistsTimerLong => (&mut durations.add_exists, long),
            Fault::PrepareTimerShort => (&mut durations.prepare, short),
            Fault::CommitTimerShort => (&mut durations.commit, short),
            Fault::CommitTimerLong => (&mut durations.commit, long),
            Fault::ExposeTimerShort => (&mut durations.expose, short),
            Fault::ExposeTimerLong => (&mut durations.expose, long),
            Fault::MappingTimerShort => (&mut durations.get_share_mapping, short),
            Fault::MappingTimerLong => (&mut durations.get_share_mapping, long),
            Fault::RetryLimitLow => {
                config.retry_limit = 2;
                continue;
            }
            _ => continue,
        };
        *duration = value;
    }
    config
}

/// What an agent begins with as the faults have it.
pub(in crate::agent) fn first_session(config: &AgentConfig) -> Session {
    let outlives = config.faults.contains(&Fault::ContextOutlivesRestart);
    Session {
        holder: outlives.then(some_holder),
        ..Session::default()
    }
}

/// Somebody who holds a context.
fn some_holder() -> Holder {
    Holder {
        context: Context::CTX_BACKUP,
        client_address: Ipv4Addr::LOCALHOST.into(),
        user: String::new(),
        since: 0,
    }
}

impl Agent {
    /// A connection has ended. Nothing hangs on one, but for a fault.
    pub(crate) fn handle_connection_lost(&mut self, now: Now) {
        let is_recovered = |set: &&ShadowCopySet| set.status == Status::Recovered;
        let recovered: Vec<ShadowCopySet> = self
            .state
            .sets
            .iter()
            .filter(is_recovered)
            .cloned()
            .collect();
        let releases = self.is_wrong(Fault::LostConnectionReleases) && self.plan.is_none();
        if recovered.is_empty() || !releases {
            return;
        }
        self.state
            .sets
            .retain(|set| set.status != Status::Recovered);
        let persist = Effect::Persist(self.state.clone());
        let removals = recovered.iter().map(removal);
        self.begin(
            Plan::of_effects(std::iter::once(persist).chain(removals)),
            now,
        );
    }

    /// An effect that is about to be carried out, of the call of `method`.
    pub(in crate::agent) fn bend_effect(&self, method: Option<Opnum>, effect: Effect) -> Effect {
        let Some(method) = method.filter(|_| !self.config.faults.is_empty()) else {
            return effect;
        };
        let returns = match method {
            Opnum::SetContext => self.is_wrong(Fault::DroppedSetReturns),
            Opnum::AbortShadowCopySet => self.is_wrong(Fault::AbortedSetReturns),
            Opnum::DeleteShareMapping => self.is_wrong(Fault::DeletedMappingReturns),
            _ => false,
        };
        match effect {
            Effect::Persist(_) if returns => Effect::Persist(self.state.clone()),
            // What shows again needs what it shows.
            Effect::Remove { exposed_names, .. } if returns => Effect::Remove {
                exposed_names,
                copies: Vec::new(),
            },
            other => other,
        }
    }

    /// Whether the agent has this fault.
    pub(in crate::agent) fn is_wrong(&self, fault: Fault) -> bool {
        self.config.faults.contains(&fault)
    }

    /// A call as the faults see it.
    pub(in crate::agent) fn bend_call(&mut self, call: &mut Call, caller: &mut Caller) {
        self.judged = call.opnum();
        if self.config.faults.is_empty() {
            return;
        }
        if self.is_wrong(Fault::WeakLevelsAccepted) && caller.auth_level < 5 {
            caller.auth_level = 5;
            caller.auth_type = 10;
        }
        if self.is_wrong(Fault::EverybodyPermitted) {
            caller.backup_rights = true;
        }
        if let (true, Some(holder)) = (self.is_wrong(Fault::AddressIgnored), &self.session.holder) {
            caller.address = holder.client_address;
        }
        match call {
            Call::SetContext(request)
                if self.is_wrong(Fault::AnyContextAccepted) && !request.context.is_valid() =>
            {
                request.context = Context::CTX_BACKUP;
            }
            Call::StartShadowCopySet(request) => {
                if self.is_wrong(Fault::NilClientIdAccepted) {
                    request.client_shadow_copy_set_id = Uuid::from_u128(1);
                }
                if self.is_wrong(Fault::StartWithoutContext) && self.session.holder.is_none() {
                    self.session.holder = Some(Holder {
                        client_address: caller.address,
                        ..some_holder()
                    });
                }
            }
            Call::GetShareMapping(request) if self.is_wrong(Fault::LevelIgnored) => {
                request.level = 1;
            }
            Call::AddToShadowCopySet(request) if self.is_wrong(Fault::CaseSensitiveNames) => {
                let text = request.share_name.text();
                if text.chars().any(char::is_uppercase) {
                    request.share_name = WideString::from_text("");
                }
            }
            _ => {}
        }
        if self.is_wrong(Fault::OtherSetTaken) {
            self.take_other_set(call);
        }
    }

    fn take_other_set(&self, call: &mut Call) {
        let id = match call {
            Call::CommitShadowCopySet(request) => &mut request.shadow_copy_set_id,
            Call::AbortShadowCopySet(request) => &mut request.shadow_copy_set_id,
            Call::PrepareShadowCopySet(request) => &mut request.shadow_copy_set_id,
            Call::DeleteShareMapping(request) => &mut request.shadow_copy_set_id,
            _ => return,
        };
        if let (None, Some(set)) = (self.state.set(*id), self.state.unfinished()) {
            *id = set.id;
        }
    }

    /// Whether a fault lets the method that is being judged pass in this status.
    pub(in crate::agent) fn forgives(&self, status: Status) -> bool {
        FORGIVEN.iter().any(|(fault, method, forgiven)| {
            *method == self.judged && *forgiven == status && self.is_wrong(*fault)
        })
    }

    /// An id that a fault gives in place of a new one.
    pub(in crate::agent) fn old_id(&self, fault: Fault) -> Option<Uuid> {
        self.is_wrong(fault).then(|| Uuid::from_u128(0x01d_01d))
    }

    /// The timer, where a fault starts it again after a call that leaves it alone.
    pub(in crate::agent) fn extend_timer(&mut self, fault: Fault, now: Now) {
        if self.is_wrong(fault) && self.timer.deadline().is_some() {
            let duration = self.timer.limit();
            self.set_timer(TimerChange::Start(duration), now);
        }
    }

    /// What is left of the sets when the timer has fired for `set`.
    pub(in crate::agent) fn left_by_expiry(&self, set: ShadowCopySetId) -> State {
        if self.is_wrong(Fault::ExpiryKeepsSet) {
            self.state.clone()
        } else if self.is_wrong(Fault::ExpiryTakesRecovered) {
            State::default()
        } else {
            self.state.without(set)
        }
    }

    /// A change that is about to hold, of the call that gets `reply`.
    pub(in crate::agent) fn bend_change(&self, reply: Option<&Reply>, change: &mut Change) {
        let Some(method) = reply.map(Reply::opnum) else {
            return;
        };
        let old = &self.state;
        for fault in &self.config.faults {
            match (fault, method) {
                (Fault::AbortKeepsContext, Opnum::AbortShadowCopySet)
                | (Fault::RecoveryKeepsContext, Opnum::RecoveryCompleteShadowCopySet) => {
                    change.session = self.session.clone();
                }
                (Fault::AbortKeepsSet, Opnum::AbortShadowCopySet)
                | (Fault::SetContextKeepsSet, Opnum::SetContext)
                | (Fault::DeleteKeepsMapping, Opnum::DeleteShareMapping)
                | (Fault::RecoveryLeavesExposed, Opnum::RecoveryCompleteShadowCopySet) => {
                    change.state = old.clone();
                }
                (Fault::SetContextDropsRecovered, Opnum::SetContext) => {
                    let sets = &mut change.state.sets;
                    sets.retain(|set| set.status != Status::Recovered);
                }
                (Fault::EmptySetStays, Opnum::DeleteShareMapping) => keep_empty(old, change),
                (Fault::CommitLeavesAdded, Opnum::CommitShadowCopySet) => {
                    put_back(change, Status::Committed, Status::Added);
                }
                (Fault::ExposeLeavesCommitted, Opnum::ExposeShadowCopySet) => {
                    put_back(change, Status::Exposed, Status::Committed);
                }
                _ => {}
            }
        }
    }

    /// An answer on its way out.
    pub(in crate::agent) fn bend_reply(&mut self, reply: &mut Reply) {
        for fault in self.config.faults.clone() {
            let code = CODES.iter().find(|(of, method, from, _)| {
                *of == fault && *method == reply.opnum() && *from == reply.status()
            });
            if let Some((_, method, _, to)) = code
                && let Some(mut other) = Reply::failure(*method, *to)
            {
                if let (Reply::GetShareMapping(other), Reply::GetShareMapping(reply)) =
                    (&mut other, &*reply)
                {
                    other.share_mapping.level = reply.share_mapping.level;
                }
                *reply = other;
            }
            self.bend_out(fault, reply);
        }
    }

    fn bend_out(&mut self, fault: Fault, reply: &mut Reply) {
        let succeeded = reply.status().is_success();
        match (fault, reply) {
            (Fault::VersionTwo, Reply::GetSupportedVersion(r)) => r.max_version = 2,
            (Fault::NilSetId, Reply::StartShadowCopySet(r)) => {
                r.shadow_copy_set_id.0 = Uuid::nil();
            }
            (Fault::NilCopyId, Reply::AddToShadowCopySet(r)) => r.shadow_copy_id.0 = Uuid::nil(),
            (Fault::FailureHasId, Reply::AddToShadowCopySet(r)) if !succeeded => {
                r.shadow_copy_id.0 = Uuid::from_u128(2);
            }
            (Fault::NoOwner, Reply::IsPathSupported(r)) => r.owner_machine_name = None,
            (Fault::SupportedIsFalse, Reply::IsPathSupported(r)) => {
                r.supported_by_this_provider = 0;
            }
            (Fault::AlwaysPresent, Reply::IsPathShadowCopied(r)) if succeeded => {
                r.shadow_copy_present = 1;
            }
            (Fault::NeverPresent, Reply::IsPathShadowCopied(r)) => r.shadow_copy_present = 0,
            (Fault::CompatibilityBits, Reply::IsPathShadowCopied(r)) if succeeded => {
                r.shadow_copy_compatibility = 4;
            }
            (Fault::CompatibilityLost, Reply::IsPathShadowCopied(r)) => {
                r.shadow_copy_compatibility = 0;
            }
            (fault, Reply::GetShareMapping(r)) => {
                if let Some(mapping) = &mut r.share_mapping.mapping {
                    self.bend_mapping(fault, mapping);
                }
            }
            _ => {}
        }
    }

    fn bend_mapping(
        &mut self,
        fault: Fault,
        mapping: &mut fsrvp_wire::fsrvp::get_share_mapping::ShareMapping1,
    ) {
        let other = |name: &Option<WideString>, change: fn(&str) -> String| {
            name.as_ref()
                .map(|name| WideString::from_text(&change(&name.text())))
        };
        match fault {
            Fault::MappingIdsSwapped => {
                std::mem::swap(
                    &mut mapping.shadow_copy_set_id.0,
                    &mut mapping.shadow_copy_id.0,
                );
            }
            Fault::MappingBareName => {
                mapping.share_name_unc = other(&mapping.share_name_unc, |name| {
                    name.rsplit('\\').next().unwrap_or_default().to_owned()
                });
            }
            Fault::ExposedNameWithoutBraces => {
                mapping.shadow_copy_share_name = other(&mapping.shadow_copy_share_name, |name| {
                    name.replace(['{', '}'], "")
                });
            }
            Fault::TimestampInSeconds => mapping.creation_timestamp /= 10_000_000,
            Fault::TimestampMoves => {
                // Any number will do that is another one each time.
                self.last_effect += 1;
                mapping.creation_timestamp += i64::try_from(self.last_effect).unwrap_or(0);
            }
            _ => {}
        }
    }
}

/// Brings back a set that has lost its last mapping.
fn keep_empty(old: &State, change: &mut Change) {
    for set in &old.sets {
        if change.state.set(set.id).is_none() {
            let mut set = set.clone();
            set.copies.clear();
            change.state.sets.push(set);
        }
    }
}

fn put_back(change: &mut Change, from: Status, to: Status) {
    for set in &mut change.state.sets {
        if set.status == from {
            set.status = to;
        }
    }
}
