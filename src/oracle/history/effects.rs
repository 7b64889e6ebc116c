//! MS-FSRVP 3.1.4: what each method does to the model.

use super::{Cleared, ContextState, Copy, Gone, History, Holder, Set};
use crate::oracle::names::ShareName;
use crate::oracle::rule::Act;
use crate::oracle::statuses::{Status, Statuses};
use crate::oracle::timer::{Arm, Timer};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, Opnum, Reply, ShadowCopySetId};
use std::net::IpAddr;

impl History {
    pub(super) fn apply(&mut self, act: &Act<'_>, call: &Call, reply: &Reply) {
        let code = reply.status();
        let client = act.client();
        match (call, reply) {
            (Call::SetContext(request), _) => {
                self.set_context(request.context, code, client);
                if code.is_success() {
                    self.arm(act, Arm::SetContext);
                }
            }
            (Call::StartShadowCopySet(_), Reply::StartShadowCopySet(r)) => match code {
                Hresult::ZERO => self.started(r.shadow_copy_set_id, act),
                Hresult::FSRVP_E_BAD_STATE => {
                    self.context = ContextState::CLEAR;
                    self.cleared = None;
                }
                Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS => self.in_progress(),
                _ => {}
            },
            (Call::AddToShadowCopySet(request), Reply::AddToShadowCopySet(r)) => {
                self.added(request, r, act);
            }
            (Call::GetShareMapping(request), Reply::GetShareMapping(r)) => {
                let exposed = Statuses::only(Status::Exposed);
                let id = request.shadow_copy_set_id;
                if code.is_success() && self.statuses(id) == exposed {
                    self.arm_for(act, Arm::GetShareMapping, id);
                } else if code.is_success() {
                    self.timer = Timer::Unknown;
                } else if code == Hresult::E_INVALIDARG && request.level == 1 {
                    // 3.1.4.11 stops the timer before it looks for the copy and the share, and
                    // does not say that it starts again.
                    self.timer = Timer::Unknown;
                }
                self.mapped(request, r);
            }
            (Call::DeleteShareMapping(request), _) if code.is_success() => self.deleted(request),
            (Call::AbortShadowCopySet(request), _) => {
                self.aborted(request.shadow_copy_set_id, code)
            }
            _ => self.moved_on(act, code),
        }
    }

    fn set_context(&mut self, context: Context, code: Hresult, client: IpAddr) {
        let same = self.context.held_by() == Some(client);
        let other = self
            .context
            .held_by()
            .is_some_and(|holder| holder != client);
        if context.is_valid() {
            self.retries = self.retries_of(client).or(self.retries.filter(|_| other));
        }
        match code {
            Hresult::ZERO if context.is_valid() => {
                // Where the timer may have run out meanwhile, it has removed the same sets.
                let was_mine = self
                    .context
                    .holder
                    .is_some_and(|holder| holder.address == Some(client));
                if same || was_mine {
                    self.drop_unfinished();
                } else if !self.context.is_clear() || other {
                    self.doubt_unfinished();
                }
                if self.context.may_be_clear {
                    self.may_have_others = true;
                }
                self.context = ContextState {
                    may_be_clear: false,
                    holder: Some(Holder {
                        address: Some(client),
                    }),
                };
                self.cleared = None;
            }
            Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS => {
                let may_be_same = self
                    .context
                    .holder
                    .is_some_and(|holder| holder.address.is_none_or(|a| a == client));
                if same {
                    // Past the retry limit: the steps have dropped the set and the context.
                    self.drop_unfinished();
                    self.context = ContextState::CLEAR;
                    self.cleared = None;
                } else if may_be_same || self.context.is_clear() {
                    self.doubt_unfinished();
                    self.context = ContextState::UNKNOWN;
                    self.cleared = None;
                }
            }
            Hresult::ZERO => {
                self.context = ContextState::UNKNOWN;
                self.doubt_unfinished();
            }
            _ => {}
        }
    }

    fn drop_unfinished(&mut self) {
        for set in self.sets.values_mut() {
            if set.statuses.within(Statuses::UNFINISHED) {
                set.end(Gone::Dropped);
            } else if set.statuses.meets(Statuses::UNFINISHED) {
                set.last = set.statuses;
                set.statuses = set
                    .statuses
                    .without(Statuses::UNFINISHED)
                    .or(Statuses::only(Status::Absent));
                set.gone = Some(Gone::Dropped);
            }
        }
    }

    /// A set is unfinished after all: one that should be gone may still be there.
    fn in_progress(&mut self) {
        self.context.may_be_clear = false;
        self.may_have_others = true;
        for set in self.sets.values_mut() {
            if set.gone.is_some() && set.last.meets(Statuses::UNFINISHED) {
                set.statuses = set.statuses.or(set.last);
            }
        }
    }

    fn started(&mut self, id: ShadowCopySetId, act: &Act<'_>) {
        let mut set = Set::seen_only(Statuses::only(Status::Started));
        set.whole = true;
        self.sets.insert(id.0, set);
        // An unfinished set that was not seen would have been in the way.
        self.may_have_others = false;
        let holder = self.context.holder.unwrap_or(Holder { address: None });
        self.context = ContextState {
            may_be_clear: false,
            holder: Some(holder),
        };
        self.cleared = None;
        self.arm_for(act, Arm::Start, id);
    }

    fn added(
        &mut self,
        request: &fsrvp_wire::fsrvp::add_to_shadow_copy_set::Request,
        reply: &fsrvp_wire::fsrvp::add_to_shadow_copy_set::Response,
        act: &Act<'_>,
    ) {
        let id = request.shadow_copy_set_id;
        match reply.status {
            Hresult::ZERO => {
                let share = request.share_name.text();
                let copy = Copy {
                    id: reply.shadow_copy_id,
                    name: ShareName::parse(&share),
                    share,
                    added: (
                        act.exchange.request_evidence.time,
                        act.exchange.answer_evidence.time,
                    ),
                    deleted: false,
                    mapped: None,
                };
                if let Some(set) = self.sets.get_mut(&id.0) {
                    set.statuses = Statuses::only(Status::Added);
                    set.prepared = false;
                    set.copies.push(copy);
                }
                self.arm_for(act, Arm::Add, id);
            }
            Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS => self.arm_for(act, Arm::AddExists, id),
            // Where the server stops the timer first is not seen.
            code if crate::oracle::codes::is_own_failure(code) => self.timer = Timer::Unknown,
            _ => {}
        }
    }

    fn mapped(
        &mut self,
        request: &fsrvp_wire::fsrvp::get_share_mapping::Request,
        reply: &fsrvp_wire::fsrvp::get_share_mapping::Response,
    ) {
        let Some(set) = self.sets.get_mut(&request.shadow_copy_set_id.0) else {
            return;
        };
        if let Some(mapping) = &reply.share_mapping.mapping
            && let Some(copy) = set
                .copies
                .iter_mut()
                .find(|copy| copy.id == request.shadow_copy_id)
        {
            copy.mapped = Some(mapping.clone());
        }
    }

    fn deleted(&mut self, request: &fsrvp_wire::fsrvp::delete_share_mapping::Request) {
        self.present.clear();
        let Some(set) = self.sets.get_mut(&request.shadow_copy_set_id.0) else {
            return;
        };
        let name = ShareName::parse(&request.share_name.text());
        let known = set.copies.iter_mut().find(|copy| {
            copy.id == request.shadow_copy_id
                && !copy.deleted
                && copy.name.as_ref().map(|n| &n.share) == name.as_ref().map(|n| &n.share)
        });
        match known {
            Some(copy) => copy.deleted = true,
            None => set.whole = false,
        }
        if set.whole && set.copies.iter().all(|copy| copy.deleted) {
            set.end(Gone::Emptied);
        } else if !set.whole {
            set.statuses = set.statuses.or(Statuses::only(Status::Absent));
        }
    }

    fn aborted(&mut self, id: ShadowCopySetId, code: Hresult) {
        if !code.is_success() {
            return;
        }
        if let Some(set) = self.sets.get_mut(&id.0)
            && !set.is_certainly(Status::Absent)
        {
            let alive = set.statuses.without(Statuses::only(Status::Absent));
            set.statuses = alive;
            let status = alive.certain();
            set.end(Gone::Aborted(status));
        }
        self.context = ContextState::CLEAR;
        self.cleared = Some(Cleared::Aborted);
        self.may_have_others = true;
        self.present.clear();
    }

    /// The four methods that move a set on.
    fn moved_on(&mut self, act: &Act<'_>, code: Hresult) {
        let Some(id) = act.set_id() else {
            return;
        };
        let past_state_check = !says_refused(code);
        let opnum = act.opnum();
        let success = code.is_success();
        match opnum {
            Opnum::PrepareShadowCopySet if past_state_check => {
                let arm = match success {
                    true => Arm::Prepare,
                    false => Arm::PrepareFailed,
                };
                self.arm_for(act, arm, id);
            }
            Opnum::CommitShadowCopySet if past_state_check => {
                self.arm_for(act, Arm::Commit, id);
                self.present.clear();
            }
            Opnum::ExposeShadowCopySet if past_state_check => self.arm_for(act, Arm::Expose, id),
            Opnum::RecoveryCompleteShadowCopySet if success => {
                self.timer = Timer::Stopped;
                self.context = ContextState::CLEAR;
                self.cleared = Some(Cleared::Recovered);
                self.may_have_others = true;
            }
            _ => {}
        }
        let Some(set) = self.sets.get_mut(&id.0) else {
            return;
        };
        let becomes = |status| Statuses::only(status);
        match (opnum, success) {
            (Opnum::PrepareShadowCopySet, true) => {
                set.statuses = becomes(Status::Added);
                set.prepared = true;
            }
            (Opnum::CommitShadowCopySet, true) => set.statuses = becomes(Status::Committed),
            (Opnum::ExposeShadowCopySet, true) => set.statuses = becomes(Status::Exposed),
            (Opnum::RecoveryCompleteShadowCopySet, true) => {
                set.statuses = becomes(Status::Recovered);
            }
            (Opnum::CommitShadowCopySet, false) if past_state_check => {
                set.statuses = commit_failed(set.statuses, code);
            }
            _ => {}
        }
    }

    fn arm_for(&mut self, act: &Act<'_>, arm: Arm, id: ShadowCopySetId) {
        self.arm(act, arm);
        if let Some(set) = self.sets.get_mut(&id.0) {
            set.armed = Some(arm);
        }
    }

    fn arm(&mut self, act: &Act<'_>, arm: Arm) {
        self.timer = Timer::Running {
            arm,
            from: act.exchange.request_evidence.time,
            to: act.exchange.answer_evidence.time,
        };
    }
}

/// Whether a code says that the method stopped before its work.
fn says_refused(code: Hresult) -> bool {
    crate::oracle::codes::says_unknown(code)
        || [
            Hresult::FSRVP_E_BAD_STATE,
            Hresult::VSS_E_INVALID_XML_DOCUMENT,
        ]
        .contains(&code)
}

/// MS-FSRVP 3.1.4.5: what a set is after a commit that did not succeed.
fn commit_failed(before: Statuses, code: Hresult) -> Statuses {
    let in_progress = Statuses::only(Status::CreationInProgress);
    match code {
        Hresult::FSSAGENT_E_TIMEOUT | Hresult::FSRVP_E_WAIT_TIMEOUT => in_progress,
        Hresult::FSRVP_E_WAIT_FAILED => Statuses::only(Status::Added),
        // The text does not say which; Samba goes back to Added.
        _ => before.or(in_progress).or(Statuses::only(Status::Added)),
    }
}
