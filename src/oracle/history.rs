//! MS-FSRVP 3.1.1: the abstract data model of one server, as far as the traffic tells.
//!
//! Everything here is knowledge, not state: a set has the statuses that it *may* have, the context
//! is set, not set, or either. A call narrows that, time and what was not seen widen it. **What
//! the capture shows is taken for all that reached the server**, except where a gap hides
//! something, with one reserve: a client that was not seen may hold the context or make a set, so
//! `FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS` is not held against a server that is free as far as the
//! traffic tells.

mod effects;

use super::clients::Clients;
use super::names::ShareName;
use super::rule::{Act, share_name};
use super::statuses::{Status, Statuses};
use super::timer::{Arm, Durations, Fired, Timer};
use crate::flow::Answer;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// How many sets, ids or shares of one server are remembered; then everything is forgotten.
const REMEMBERED_MAX: usize = 16 * 1024;

/// Why a set is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// SetContext was called again.
    Dropped,
    /// It was aborted, in this status where that is certain.
    Aborted(Option<Status>),
    /// The timer that this event started fired.
    Expired(Arm),
    /// Its last mapping was deleted.
    Emptied,
}

/// MS-FSRVP 3.1.1.3 ShadowCopy with its MappedShare.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) id: ShadowCopyId,
    /// The share as AddToShadowCopySet named it.
    pub(super) share: String,
    pub(super) name: Option<ShareName>,
    /// When AddToShadowCopySet was asked and answered.
    pub(super) added: (Duration, Duration),
    /// Whether its mapping was deleted.
    pub(super) deleted: bool,
    /// What GetShareMapping returned for it.
    pub(super) mapped: Option<fsrvp_wire::fsrvp::get_share_mapping::ShareMapping1>,
}

/// MS-FSRVP 3.1.1.2 ShadowCopySet.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) statuses: Statuses,
    /// What it may have been before it went.
    pub(super) last: Statuses,
    pub(super) gone: Option<Gone>,
    pub(super) copies: Vec<Copy>,
    /// Whether all of its copies are known.
    pub(super) whole: bool,
    pub(super) prepared: bool,
    /// What started the timer for it last.
    pub(super) armed: Option<Arm>,
}

impl Set {
    fn seen_only(statuses: Statuses) -> Set {
        Set {
            statuses,
            last: statuses,
            gone: None,
            copies: Vec::new(),
            whole: false,
            prepared: false,
            armed: None,
        }
    }

    fn end(&mut self, gone: Gone) {
        self.last = self.statuses;
        self.statuses = Statuses::only(Status::Absent);
        self.gone = Some(gone);
    }

    /// The copy with this id, unless its mapping was deleted.
    pub(super) fn copy(&self, id: ShadowCopyId) -> Option<&Copy> {
        self.copies
            .iter()
            .find(|copy| copy.id == id && !copy.deleted)
    }

    pub(super) fn is_certainly(&self, status: Status) -> bool {
        self.statuses.certain() == Some(status)
    }
}

/// MS-FSRVP 3.1.1.1: ContextSet, CurrentContext and ShadowCopyClientAddress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContextState {
    /// Whether it may not be set.
    pub(super) may_be_clear: bool,
    /// Whether it may be set, and by whom.
    pub(super) holder: Option<Holder>,
}

/// Who may hold the context; `None` for anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) address: Option<IpAddr>,
}

impl ContextState {
    const UNKNOWN: ContextState = ContextState {
        may_be_clear: true,
        holder: Some(Holder { address: None }),
    };
    const CLEAR: ContextState = ContextState {
        may_be_clear: true,
        holder: None,
    };

    pub(super) fn is_clear(self) -> bool {
        self.may_be_clear && self.holder.is_none()
    }

    pub(super) fn is_set(self) -> bool {
        !self.may_be_clear && self.holder.is_some()
    }

    /// The address that certainly holds it.
    pub(super) fn held_by(self) -> Option<IpAddr> {
        self.holder
            .filter(|_| !self.may_be_clear)
            .and_then(|holder| holder.address)
    }
}

/// Why the context is certainly not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cleared {
    Recovered,
    Aborted,
    Expired(Arm),
}

/// What is known of one server.
#[derive(Debug, Clone)]
pub(super) struct History {
    sets: BTreeMap<Uuid, Set>,
    pub(super) context: ContextState,
    /// Why it is clear, where a call or the timer cleared it.
    pub(super) cleared: Option<Cleared>,
    timer: Timer,
    /// Every id that a method made, and every id of a copy.
    set_ids: BTreeSet<Uuid>,
    copy_ids: BTreeSet<Uuid>,
    /// Shares that were answered to be supported, by host and share.
    supported: BTreeSet<String>,
    /// What IsPathShadowCopied answered last.
    present: BTreeMap<String, bool>,
    /// Whether a set that was not seen may be unfinished.
    pub(super) may_have_others: bool,
    /// Whether the server began with this history and nobody else uses it: what is not here did
    /// not happen.
    complete: bool,
    /// How often in a row the holder of the context has repeated SetContext, where that is known.
    pub(super) retries: Option<u32>,
    pub(super) clients: Clients,
}

impl Default for History {
    fn default() -> Self {
        History {
            sets: BTreeMap::new(),
            context: ContextState::UNKNOWN,
            cleared: None,
            timer: Timer::Unknown,
            set_ids: BTreeSet::new(),
            copy_ids: BTreeSet::new(),
            supported: BTreeSet::new(),
            present: BTreeMap::new(),
            may_have_others: true,
            complete: false,
            retries: None,
            clients: Clients::default(),
        }
    }
}

impl History {
    /// Of a server that has no set, no context and no other clients.
    pub(super) fn fresh() -> History {
        History {
            context: ContextState::CLEAR,
            timer: Timer::Stopped,
            may_have_others: false,
            complete: true,
            ..History::default()
        }
    }

    /// Whether what is not here did not happen.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether no set can have a copy in a store.
    pub(super) fn none_made(&self) -> bool {
        let may_hold = |set: &Set| {
            set.statuses.meets(Statuses::PRESENT) && set.copies.iter().any(|copy| !copy.deleted)
        };
        self.complete && !self.sets.values().any(may_hold)
    }

    /// How often in a row the client will have repeated SetContext when it calls it now; `None`
    /// where that is not certain.
    pub(super) fn retries_of(&self, client: IpAddr) -> Option<u32> {
        match self.context.held_by() {
            _ if !self.complete => None,
            None if self.context.is_clear() => Some(0),
            Some(holder) if holder == client => self.retries.map(|retries| retries + 1),
            _ => None,
        }
    }

    pub(super) fn set(&self, id: ShadowCopySetId) -> Option<&Set> {
        self.sets.get(&id.0)
    }

    /// The statuses that a set may have. A nil id names none.
    pub(super) fn statuses(&self, id: ShadowCopySetId) -> Statuses {
        match self.set(id) {
            _ if id.is_nil() => Statuses::only(Status::Absent),
            Some(set) => set.statuses,
            None => self.unseen(),
        }
    }

    /// What a set may be that the capture does not know.
    fn unseen(&self) -> Statuses {
        match self.complete {
            true => Statuses::only(Status::Absent),
            false => Statuses::ANY,
        }
    }

    /// Every set that is certainly unfinished.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (Uuid, &Set)> {
        self.sets
            .iter()
            .filter(|(_, set)| set.statuses.within(Statuses::UNFINISHED))
            .map(|(id, set)| (*id, set))
    }

    /// Whether a second SetContext removed a set, as far as the server should have it.
    pub(super) fn was_dropped(&self) -> bool {
        self.sets
            .values()
            .any(|set| set.gone == Some(Gone::Dropped))
    }

    /// Whether no set can be unfinished.
    pub(super) fn none_unfinished(&self) -> bool {
        (self.complete || !self.may_have_others)
            && !self
                .sets
                .values()
                .any(|set| set.statuses.meets(Statuses::UNFINISHED))
    }

    pub(super) fn timer(&self) -> Timer {
        self.timer
    }

    pub(super) fn sets(&self) -> impl Iterator<Item = (Uuid, &Set)> {
        self.sets.iter().map(|(id, set)| (*id, set))
    }

    pub(super) fn is_set_id(&self, id: Uuid) -> bool {
        self.set_ids.contains(&id)
    }

    pub(super) fn is_copy_id(&self, id: Uuid) -> bool {
        self.copy_ids.contains(&id)
    }

    pub(super) fn is_supported(&self, name: &ShareName) -> bool {
        self.supported.contains(&key(name))
    }

    /// What IsPathShadowCopied last answered for the share.
    pub(super) fn was_present(&self, name: &ShareName) -> Option<bool> {
        self.present.get(&key(name)).copied()
    }

    /// Whether the timer has fired before an exchange of these times.
    pub(super) fn fired(&self, durations: Durations, asked: Duration, answered: Duration) -> Fired {
        self.timer.fired(durations, asked, answered)
    }

    /// Moves on to the moment of an exchange: the timer may have fired.
    pub(super) fn advance(&mut self, durations: Durations, asked: Duration, answered: Duration) {
        match self.fired(durations, asked, answered) {
            Fired::No => {}
            Fired::Maybe => {
                self.context.may_be_clear = true;
                self.doubt_unfinished();
            }
            Fired::Yes(arm) => {
                for set in self.sets.values_mut() {
                    if set.statuses.within(Statuses::UNFINISHED) {
                        set.end(Gone::Expired(arm));
                    } else if set.statuses.meets(Statuses::UNFINISHED) {
                        set.last = set.statuses;
                        set.statuses = set
                            .statuses
                            .without(Statuses::UNFINISHED)
                            .or(Statuses::only(Status::Absent));
                    }
                }
                self.context = ContextState::CLEAR;
                self.cleared = Some(Cleared::Expired(arm));
                self.timer = Timer::Stopped;
                self.may_have_others = true;
            }
        }
    }

    fn doubt_unfinished(&mut self) {
        for set in self.sets.values_mut() {
            if set.statuses.meets(Statuses::UNFINISHED) {
                set.statuses = set.statuses.or(Statuses::only(Status::Absent));
            }
        }
    }

    /// Something happened that was not seen.
    pub(super) fn forget(&mut self) {
        for set in self.sets.values_mut() {
            // Ids are never made twice, so what is gone stays gone.
            if !set.is_certainly(Status::Absent) {
                set.statuses = Statuses::ANY;
                set.gone = None;
            }
            set.whole = false;
        }
        self.complete = false;
        self.context = ContextState::UNKNOWN;
        self.cleared = None;
        self.timer = Timer::Unknown;
        self.present.clear();
        self.may_have_others = true;
        self.clients.forget();
    }

    /// Takes an exchange of which the effects, or their order, are not certain.
    pub(super) fn blur(&mut self, act: &Act<'_>) {
        self.remember_ids(act);
        let may_matter = match (&act.exchange.answer, act.call()) {
            (Answer::Reply(reply), _) => reply.status() != Hresult::E_ACCESSDENIED,
            (Answer::Fault(_), _) | (_, None) => false,
            (_, Some(_)) => true,
        };
        let quiet = [
            Opnum::GetSupportedVersion,
            Opnum::IsPathSupported,
            Opnum::IsPathShadowCopied,
        ];
        if may_matter && !quiet.contains(&act.opnum()) {
            let clients = std::mem::take(&mut self.clients);
            self.forget();
            self.clients = clients;
        }
    }

    /// Takes an exchange that was judged. `fits` are the statuses of its set that permit its
    /// answer.
    pub(super) fn learn(&mut self, act: &Act<'_>, fits: Statuses) {
        if self.sets.len() + self.copy_ids.len() + self.supported.len() > REMEMBERED_MAX {
            *self = History::default();
        }
        self.remember_ids(act);
        let (Some(call), Some(reply)) = (act.call(), act.reply()) else {
            return;
        };
        if reply.status() == Hresult::E_ACCESSDENIED {
            return;
        }
        self.remember_share(call, reply);
        if let Some(id) = super::rule::set_id(call) {
            let shown = shown(act.opnum(), reply.status()).unwrap_or(fits);
            self.narrow(id, fits, shown, reply.status());
        }
        self.apply(act, call, reply);
    }

    fn remember_ids(&mut self, act: &Act<'_>) {
        match act.reply() {
            Some(Reply::StartShadowCopySet(r)) if r.status.is_success() => {
                self.set_ids.insert(r.shadow_copy_set_id.0);
            }
            Some(Reply::AddToShadowCopySet(r)) if r.status.is_success() => {
                self.copy_ids.insert(r.shadow_copy_id.0);
            }
            _ => {}
        }
    }

    fn remember_share(&mut self, call: &Call, reply: &Reply) {
        let Some(name) = share_name(call).and_then(|name| ShareName::parse(&name.text())) else {
            return;
        };
        let supported = match reply {
            Reply::IsPathSupported(r) => {
                Some(r.status.is_success() && r.supported_by_this_provider != 0)
            }
            Reply::AddToShadowCopySet(r) if r.status.is_success() => Some(true),
            _ => None,
        };
        match supported {
            Some(true) => {
                self.supported.insert(key(&name));
            }
            Some(false) => {
                self.supported.remove(&key(&name));
            }
            None => {}
        }
        if let Reply::IsPathShadowCopied(r) = reply
            && r.status.is_success()
        {
            self.present.insert(key(&name), r.shadow_copy_present != 0);
        }
    }

    /// Keeps the statuses that fit the answer; where none does, those that the answer shows.
    fn narrow(&mut self, id: ShadowCopySetId, fits: Statuses, shown: Statuses, code: Hresult) {
        if id.is_nil() {
            return;
        }
        let before = self.statuses(id);
        let fitting = before.and(fits);
        let set = self
            .sets
            .entry(id.0)
            .or_insert_with(|| Set::seen_only(before));
        if !fitting.is_empty() {
            set.statuses = fitting;
        } else if super::codes::says_unknown(code) {
            set.statuses = before.or(Statuses::only(Status::Absent));
        } else {
            let was = match before.certain() {
                Some(Status::Absent) => set.last,
                _ => before,
            };
            let shown = Statuses::ALIVE.and(shown);
            let was = was.and(Statuses::ALIVE);
            let both = was.and(shown);
            set.statuses = match (both.is_empty(), shown.is_empty()) {
                (false, _) => both,
                (true, false) => shown,
                (true, true) if !was.is_empty() => was,
                (true, true) => Statuses::ALIVE,
            };
        }
        if !set.statuses.has(Status::Absent) {
            set.gone = None;
        }
    }
}

/// What an answer shows of a set where no status that it may have permits it, apart from the
/// statuses that would: some servers read mappings of a set that is Recovered, and have a code of
/// their own for one that is not Exposed yet.
fn shown(opnum: Opnum, code: Hresult) -> Option<Statuses> {
    let exposed = Statuses::only(Status::Exposed).or(Statuses::only(Status::Recovered));
    match (opnum, code) {
        (Opnum::GetShareMapping, Hresult::ZERO) => Some(exposed),
        (Opnum::GetShareMapping, Hresult::VSS_E_INVALID_XML_DOCUMENT) => {
            Some(Statuses::ALIVE.without(exposed))
        }
        _ => None,
    }
}

fn key(name: &ShareName) -> String {
    format!("{}\\{}", name.host, name.share)
}
