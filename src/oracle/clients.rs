//! MS-FSRVP 3.2.1: what each client knows, from the answers it got.

use super::names::ShareName;
use super::rule::{Act, set_id};
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// MS-FSRVP 3.2.1.2: the client's own Status of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Local {
    Started,
    Added,
    Committed,
    Exposed,
    Recovered,
    /// AbortShadowCopySet returned ZERO.
    Forgotten,
    /// Every mapping was deleted.
    Emptied,
}

impl Local {
    pub(super) fn name(self) -> &'static str {
        match self {
            Local::Started => "Started",
            Local::Added => "Added",
            Local::Committed => "Committed",
            Local::Exposed => "Exposed",
            Local::Recovered => "Recovered",
            Local::Forgotten => "aborted",
            Local::Emptied => "deleted",
        }
    }

    /// Whether the set is still being made.
    pub(super) fn is_unfinished(self) -> bool {
        self < Local::Recovered
    }
}

/// A copy as the client knows it.
#[derive(Debug, Clone)]
pub(super) struct LocalCopy {
    pub(super) id: ShadowCopyId,
    pub(super) name: Option<ShareName>,
    /// Whether GetShareMapping was called for it since Expose.
    pub(super) mapped: bool,
    pub(super) deleted: bool,
}

/// A set that a client made, seen from its StartShadowCopySet on.
#[derive(Debug, Clone)]
pub(super) struct LocalSet {
    pub(super) status: Local,
    pub(super) copies: Vec<LocalCopy>,
    /// Whether PrepareShadowCopySet was called since the last share was added.
    pub(super) prepare_called: bool,
    /// Whether it succeeded.
    pub(super) prepared: bool,
    /// Whether AbortShadowCopySet was called, and failed: more than to call it nobody has to do.
    abort_tried: bool,
    /// Whether RecoveryCompleteShadowCopySet was called, and failed.
    pub(super) recovery_tried: bool,
    /// Whether the server said that it does not know the set.
    told_gone: bool,
    /// What the last call for it returned.
    pub(super) last_code: Option<Hresult>,
    /// Whether its last answer may be read so.
    pub(super) last_unknown: bool,
    /// The set's last call: connection, frame and time of its answer.
    pub(super) last: (u64, u64, Duration),
    /// The ends of the connection of that call.
    pub(super) link: std::sync::Arc<crate::flow::Link>,
}

/// What was called on one connection, from its beginning on.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    /// Whether the connection's beginning was seen.
    pub(super) from_start: bool,
    pub(super) version_asked: bool,
    /// MinVersion of the last answer.
    pub(super) min_version: Option<u32>,
    /// What SetContext last returned, until a set is started with it.
    pub(super) set_context: Option<Hresult>,
    /// The answer to a call came later than the client may wait: frame, and how long it took.
    pub(super) overdue: Option<(u64, Duration)>,
}

/// All clients of one server.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients {
    sets: BTreeMap<(IpAddr, Uuid), LocalSet>,
    /// Unfinished sets of which an answer was not seen, or may have been overtaken by another.
    blurred: BTreeMap<(IpAddr, Uuid), LocalSet>,
    pub(super) streams: BTreeMap<u64, Stream>,
    /// The ids that clients gave to StartShadowCopySet, and the server's in their place.
    given: BTreeMap<(IpAddr, Uuid), ShadowCopySetId>,
    /// Shares for which the last IsPathSupported failed or said FALSE.
    refused: BTreeSet<(IpAddr, String)>,
}

impl Clients {
    /// Something was not seen.
    pub(super) fn forget(&mut self) {
        let streams = std::mem::take(&mut self.streams);
        *self = Clients::default();
        // What a connection was seen to have called stays; what it did not call is not known.
        self.streams = streams;
        for stream in self.streams.values_mut() {
            stream.from_start = false;
            stream.set_context = None;
            stream.overdue = None;
        }
    }

    pub(super) fn set(&self, client: IpAddr, id: ShadowCopySetId) -> Option<&LocalSet> {
        self.sets.get(&(client, id.0))
    }

    /// Whether a set of this client is known, finished or not.
    pub(super) fn has_made_sets(&self, client: IpAddr) -> bool {
        let range = (client, Uuid::nil())..=(client, Uuid::max());
        self.sets.range(range).next().is_some()
    }

    /// Every set that a client has not finished, as far as it can know.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = (IpAddr, ShadowCopySetId, &LocalSet)> {
        self.sets
            .iter()
            .filter(|(_, set)| set.status.is_unfinished() && !set.told_gone && !set.abort_tried)
            .map(|((client, id), set)| (*client, ShadowCopySetId(*id), set))
    }

    /// The sets that a client may not have finished, and nobody knows how far they are.
    pub(super) fn blurred(&self) -> impl Iterator<Item = (ShadowCopySetId, &LocalSet)> {
        let sets = self.blurred.iter();
        sets.map(|((_, id), set)| (ShadowCopySetId(*id), set))
    }

    /// The server's id of a set whose id the client made up itself.
    pub(super) fn given(&self, client: IpAddr, id: Uuid) -> Option<ShadowCopySetId> {
        self.given.get(&(client, id)).copied()
    }

    pub(super) fn was_refused(&self, client: IpAddr, name: &ShareName) -> bool {
        let key = format!("{}\\{}", name.host, name.share);
        self.refused.contains(&(client, key))
    }

    pub(super) fn stream(&self, stream: u64) -> Option<&Stream> {
        self.streams.get(&stream)
    }

    /// Notes a connection before its exchange is judged.
    pub(super) fn meet(&mut self, stream: u64, from_start: bool) {
        self.streams.entry(stream).or_insert(Stream {
            from_start,
            ..Stream::default()
        });
    }

    /// Takes an exchange as its client saw it.
    pub(super) fn learn(&mut self, act: &Act<'_>) {
        let client = act.client();
        self.learn_stream(act);
        let Some(call) = act.call() else {
            return;
        };
        self.learn_share(client, act);
        if let (Call::StartShadowCopySet(request), Some(Reply::StartShadowCopySet(reply))) =
            (call, act.reply())
            && reply.status.is_success()
        {
            self.start(
                act,
                request.client_shadow_copy_set_id,
                reply.shadow_copy_set_id,
            );
        }
        let Some(id) = set_id(call) else {
            return;
        };
        // Whoever calls AbortShadowCopySet has done what it has to, whatever comes of it.
        let ends = act.is(Opnum::AbortShadowCopySet)
            || act.succeeded()
                && (act.is(Opnum::RecoveryCompleteShadowCopySet)
                    || act.is(Opnum::DeleteShareMapping));
        if ends {
            self.blurred.remove(&(client, id.0));
        }
        if !act.alone {
            // The client may have got an answer that was not seen, or one after another.
            let set = self.sets.remove(&(client, id.0));
            if let Some(set) = set.filter(|set| set.status.is_unfinished() && !ends) {
                self.blurred.insert((client, id.0), set);
            }
            return;
        }
        let Some(set) = self.sets.get_mut(&(client, id.0)) else {
            return;
        };
        set.last = last(act);
        set.link = std::sync::Arc::clone(&act.exchange.link);
        // An argument of AddToShadowCopySet or GetShareMapping may be at fault, too.
        let of_set_alone = !act.is(Opnum::AddToShadowCopySet) && !act.is(Opnum::GetShareMapping);
        set.last_code = act.code();
        set.last_unknown = act.code().is_some_and(super::codes::says_unknown);
        set.told_gone = match act.code() {
            Some(Hresult::E_INVALIDARG) => of_set_alone || set.told_gone,
            Some(Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH) => true,
            _ => false,
        };
        if act.is(Opnum::PrepareShadowCopySet) {
            set.prepare_called = true;
        }
        if let Call::GetShareMapping(request) = call {
            for copy in &mut set.copies {
                copy.mapped |= copy.id == request.shadow_copy_id;
            }
        }
        set.abort_tried |= act.is(Opnum::AbortShadowCopySet);
        set.recovery_tried |= act.is(Opnum::RecoveryCompleteShadowCopySet);
        if act.succeeded() {
            set.abort_tried = false;
            set.success(call, act);
        }
    }

    fn start(&mut self, act: &Act<'_>, own: Uuid, id: ShadowCopySetId) {
        let client = act.client();
        if !own.is_nil() && own != id.0 {
            self.given.insert((client, own), id);
        }
        let set = LocalSet {
            status: Local::Started,
            copies: Vec::new(),
            prepare_called: false,
            prepared: false,
            abort_tried: false,
            recovery_tried: false,
            told_gone: false,
            last_unknown: false,
            last_code: None,
            last: last(act),
            link: std::sync::Arc::clone(&act.exchange.link),
        };
        self.sets.insert((client, id.0), set);
    }

    fn learn_share(&mut self, client: IpAddr, act: &Act<'_>) {
        let Some(Reply::IsPathSupported(reply)) = act.reply() else {
            return;
        };
        let Some(name) = act.share() else {
            return;
        };
        let key = (client, format!("{}\\{}", name.host, name.share));
        match reply.status.is_success() && reply.supported_by_this_provider != 0 {
            true => self.refused.remove(&key),
            false => self.refused.insert(key),
        };
    }

    fn learn_stream(&mut self, act: &Act<'_>) {
        let stream = self.streams.entry(act.exchange.link.stream).or_default();
        stream.overdue = None;
        let asked = act.exchange.request_evidence.time;
        let answered = act.exchange.answer_evidence.time;
        if act.reply().is_some()
            && let Some(waited) = answered.checked_sub(asked)
            && waited > super::client::CALL_TIMEOUT
        {
            let frame = act.exchange.request_evidence.frames.first();
            stream.overdue = Some((frame.copied().unwrap_or(0), waited));
        }
        match act.reply() {
            Some(Reply::GetSupportedVersion(reply)) if reply.status.is_success() => {
                stream.min_version = Some(reply.min_version);
            }
            Some(Reply::SetContext(reply)) => stream.set_context = Some(reply.status),
            Some(Reply::StartShadowCopySet(reply)) if reply.status.is_success() => {
                stream.set_context = None;
            }
            _ => {}
        }
        if act.is(Opnum::GetSupportedVersion) {
            stream.version_asked = true;
        }
    }
}

fn last(act: &Act<'_>) -> (u64, u64, Duration) {
    let evidence = &act.exchange.answer_evidence;
    let frame = evidence.frames.last().copied().unwrap_or(0);
    (act.exchange.link.stream, frame, evidence.time)
}

impl LocalSet {
    fn success(&mut self, call: &Call, act: &Act<'_>) {
        match (call, act.reply()) {
            (Call::AddToShadowCopySet(request), Some(Reply::AddToShadowCopySet(reply))) => {
                self.status = Local::Added;
                self.prepare_called = false;
                self.prepared = false;
                self.copies.push(LocalCopy {
                    id: reply.shadow_copy_id,
                    name: ShareName::parse(&request.share_name.text()),
                    mapped: false,
                    deleted: false,
                });
            }
            (Call::PrepareShadowCopySet(_), _) => self.prepared = true,
            (Call::CommitShadowCopySet(_), _) => self.status = Local::Committed,
            (Call::ExposeShadowCopySet(_), _) => {
                self.status = Local::Exposed;
                for copy in &mut self.copies {
                    copy.mapped = false;
                }
            }
            (Call::RecoveryCompleteShadowCopySet(_), _) => self.status = Local::Recovered,
            (Call::AbortShadowCopySet(_), _) => self.status = Local::Forgotten,
            (Call::DeleteShareMapping(request), _) => {
                for copy in &mut self.copies {
                    copy.deleted |= copy.id == request.shadow_copy_id;
                }
                if !self.copies.is_empty() && self.copies.iter().all(|copy| copy.deleted) {
                    self.status = Local::Emptied;
                }
            }
            _ => {}
        }
    }
}
