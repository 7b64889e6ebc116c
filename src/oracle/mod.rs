//! The judge: MS-FSRVP 3.1 and 3.2 over a history of exchanges.
//!
//! **Architectural invariants**
//! - The oracle knows exchanges, not where they came from. It is a reading of the text of its own
//!   and shares only `wire` with the server that it may have to judge.
//! - It never guesses. What it knows of a server is the set of states that the traffic leaves
//!   possible (`history`); an answer is wrong only where none of them permits it.
//! - Each rule carries one id of `cases/requirements.toml`. Rules are small functions in tables.

mod client;
mod clients;
mod codes;
mod history;
mod kept;
mod live;
mod loss;
mod moment;
mod names;
mod order;
mod rule;
mod server;
mod signatures;
mod statuses;
#[cfg(test)]
mod tests;
mod timer;

pub use kept::{Kept, LeftOpen};
pub use live::{Judgement, Live};
pub use loss::{Loss, LossCause};
pub use moment::{Countdown, Moment, Standing};
pub use order::weight;
pub use signatures::requirement_of;
pub use timer::Durations;

use crate::flow::{Event, Exchange, Link};
use crate::outcome::Finding;
use crate::requirement::{Catalogue, RequirementId, Role};
use client::Departure;
use fsrvp_wire::fsrvp::{Opnum, ShadowCopySetId};
use history::History;
use loss::Place;
use order::{Happening, Turn};
use rule::{Act, Ruling, Scene};
use server::Judged;
use statuses::{Status, Statuses};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How many happenings are kept for one server before those are judged that are over.
const KEPT_MAX: usize = 8 * 1024;

/// How many bytes of parameters are kept for one server before the same.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// How many servers are followed; then the one of the lowest address is let go.
const SERVERS_MAX: usize = 1024;

/// How many findings are kept before they are gathered; more are not told.
const FINDINGS_MAX: usize = 16 * 1024;

/// The ids of all requirements that have a rule, each once, in their order.
#[must_use]
pub fn requirements() -> Vec<&'static str> {
    let all: BTreeSet<&str> = server::requirements()
        .chain(client::requirements())
        .chain(signatures::requirements())
        .collect();
    all.into_iter().collect()
}

/// Judges what servers and clients did.
///
/// Feed it with [`handle_event`](Oracle::handle_event) and
/// [`handle_close`](Oracle::handle_close); [`finish`](Oracle::finish) gives the findings.
pub struct Oracle {
    catalogue: Arc<Catalogue>,
    durations: Durations,
    servers: BTreeMap<SocketAddr, Server>,
    /// Further addresses of servers, and those under which they are known.
    homes: BTreeMap<SocketAddr, SocketAddr>,
    findings: Vec<Finding>,
    /// What was known around each exchange, where somebody follows.
    moments: Option<Vec<Moment>>,
    /// What servers had let go of by the end.
    losses: Vec<Loss>,
    /// The requirements that were followed.
    kept: BTreeMap<&'static str, Kept>,
    /// What may still be finished.
    left_open: Vec<LeftOpen>,
    end: Duration,
}

/// What is kept for one server.
#[derive(Clone, Default)]
struct Server {
    kept: Vec<Happening>,
    kept_bytes: usize,
    history: History,
    /// Connections that were closed, by the client's end, and the frame of the end.
    closed: BTreeMap<SocketAddr, u64>,
    /// The client's ends of all connections with FSRVP calls.
    ends: BTreeSet<SocketAddr>,
    /// Streams on which something could not be read.
    leaky: BTreeSet<u64>,
}

impl Oracle {
    /// An oracle that has seen nothing. `durations` are those of the servers' timers.
    #[must_use]
    pub fn new(catalogue: impl Into<Arc<Catalogue>>, durations: Durations) -> Oracle {
        Oracle {
            catalogue: catalogue.into(),
            durations,
            servers: BTreeMap::new(),
            homes: BTreeMap::new(),
            findings: Vec::new(),
            moments: None,
            losses: Vec::new(),
            kept: BTreeMap::new(),
            left_open: Vec::new(),
            end: Duration::ZERO,
        }
    }

    /// From now on keeps what was known around each exchange, for [`moments`](Oracle::moments).
    pub fn follow(&mut self) {
        self.moments.get_or_insert_default();
    }

    /// What was known around each exchange that was judged since the last time, in their order.
    pub fn moments(&mut self) -> Vec<Moment> {
        self.moments
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// The sets that servers had certainly let go of when the capture ended, and no call showed it.
    pub fn losses_at_end(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    /// Judges what came so far, but for what may overlap with something that comes later.
    pub fn settle(&mut self) {
        let addresses: Vec<SocketAddr> = self.servers.keys().copied().collect();
        for address in addresses {
            self.judge_early(address);
        }
    }

    /// Takes an exchange or a gap.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::Exchange(exchange) => self.exchange(exchange),
            Event::Gap(gap) => {
                let home = self.home(&gap.link);
                self.unsure(home, Some(gap.link.stream), Happening::gap(gap.frames));
            }
            // A message with a wrong signature is one that its receiver ignores, or should.
            Event::BadSignature(found) => {
                let frames = &found.evidence.frames;
                let first = frames.first().copied().unwrap_or(0);
                let last = frames.last().copied().unwrap_or(first);
                let home = self.home(&found.link);
                self.unsure(home, None, Happening::gap((first, last)));
            }
        }
    }

    /// Takes the news that a connection was closed or reset, and when.
    pub fn handle_close(&mut self, client: SocketAddr, server: SocketAddr, frame: u64) {
        let home = self.homes.get(&server).copied().unwrap_or(server);
        if let Some(server) = self.servers.get_mut(&home) {
            server.closed.entry(client).or_insert(frame);
        }
    }

    /// Takes the news that time has passed, without anything that matters.
    pub fn handle_time(&mut self, now: Duration) {
        self.end = self.end.max(now);
    }

    /// Judges everything, and gives the findings in the order in which they began.
    #[must_use]
    pub fn finish(&mut self) -> Vec<Finding> {
        let addresses: Vec<SocketAddr> = self.servers.keys().copied().collect();
        for address in addresses {
            self.judge(address);
            self.judge_departures(address);
        }
        let mut findings = std::mem::take(&mut self.findings);
        findings.sort_by_key(|finding| finding.frames.first().copied());
        gathered(findings)
    }

    /// The address under which the server of a connection is known. A session that was bound says
    /// that two addresses are one server, for all of their connections from then on.
    fn home(&mut self, link: &Link) -> SocketAddr {
        if link.home != link.server && self.homes.len() < SERVERS_MAX {
            self.homes.insert(link.server, link.home);
        }
        self.homes.get(&link.server).copied().unwrap_or(link.server)
    }

    fn exchange(&mut self, exchange: &Exchange) {
        self.handle_time(
            exchange
                .answer_evidence
                .time
                .max(exchange.request_evidence.time),
        );
        let address = self.home(&exchange.link);
        let server = self.server(address);
        server.ends.insert(exchange.link.client);
        // A port that is used again is a new connection.
        let at = exchange.request_evidence.frames.first().copied();
        if server
            .closed
            .get(&exchange.link.client)
            .is_some_and(|closed| at > Some(*closed))
        {
            server.closed.remove(&exchange.link.client);
        }
        server.keep(Happening::exchange(exchange));
        if server.is_full() {
            self.judge_early(address);
        }
    }

    fn server(&mut self, address: SocketAddr) -> &mut Server {
        if self.servers.len() >= SERVERS_MAX && !self.servers.contains_key(&address) {
            let lowest = self.servers.keys().next().copied();
            if let Some(lowest) = lowest {
                self.judge(lowest);
                self.servers.remove(&lowest);
            }
        }
        self.servers.entry(address).or_default()
    }

    fn unsure(&mut self, address: SocketAddr, stream: Option<u64>, happening: Happening) {
        let server = self.server(address);
        server.leaky.extend(stream);
        server.keep(happening);
        if server.is_full() {
            self.judge_early(address);
        }
    }

    /// Judges what is kept for a server, but for what may overlap with something that comes later.
    fn judge_early(&mut self, address: SocketAddr) {
        let Some(server) = self.servers.get_mut(&address) else {
            return;
        };
        let mut later = order::split_open(&mut server.kept);
        if later.len() > KEPT_MAX / 2 || order::total(&later) > KEPT_BYTES_MAX / 2 {
            // More at the same time than is followed: nobody can tell what it did.
            let all = Happening::gap(order::span(&later));
            server.kept.append(&mut later);
            server.kept.push(all);
        }
        self.judge(address);
        if let Some(server) = self.servers.get_mut(&address) {
            server.kept_bytes = order::total(&later);
            server.kept = later;
        }
    }

    /// Judges what is kept for a server.
    fn judge(&mut self, address: SocketAddr) {
        let Some(server) = self.servers.get_mut(&address) else {
            return;
        };
        let kept = std::mem::take(&mut server.kept);
        server.kept_bytes = 0;
        let mut findings = Vec::new();
        for turn in order::turns(kept) {
            match turn {
                Turn::Gap => server.history.forget(),
                Turn::Exchange { exchange, alone } => {
                    let (judged, moment) = server.exchange(&exchange, alone, self.durations);
                    if let Some(moments) = &mut self.moments {
                        moments.push(moment);
                    }
                    findings.push((exchange, judged));
                }
            }
        }
        for (exchange, judged) in findings {
            let mut seen = BTreeSet::new();
            kept::note(&mut self.kept, &exchange, &judged);
            for judged in judged {
                if self.findings.len() < FINDINGS_MAX
                    && let Some(finding) = finding(&self.catalogue, &exchange, judged)
                    && seen.insert((finding.by == Role::Client, finding.seen.clone()))
                {
                    self.findings.push(finding);
                }
            }
        }
    }

    /// Judges the sets that clients left unfinished.
    fn judge_departures(&mut self, address: SocketAddr) {
        let Some(server) = self.servers.get_mut(&address) else {
            return;
        };
        let place = Place {
            server: address,
            frame: None,
        };
        let history = &mut server.history;
        let losses = history.advance_telling(self.durations, self.end, self.end, place);
        let mut found = Vec::new();
        for (client, id, set) in server.history.clients.unfinished() {
            let Some(departure) = server.departure(client, id, set) else {
                let gone = server.history.set(id).and_then(|set| set.gone);
                self.left_open.extend(kept::left_open(gone, id, set));
                continue;
            };
            found.push((set.clone(), client::abandoned(id, set, departure)));
        }
        for (id, set) in server.history.clients.blurred() {
            let gone = server.history.set(id).and_then(|set| set.gone);
            self.left_open.extend(kept::left_open(gone, id, set));
        }
        self.losses.extend(losses);
        for (set, judged) in found {
            let (stream, frame, time) = set.last;
            let id = RequirementId(judged.requirement.to_owned());
            let (Ruling::Broken { expected, seen }, Some(requirement)) =
                (judged.ruling, self.catalogue.get(&id))
            else {
                continue;
            };
            self.findings.push(Finding {
                requirement: id,
                section: requirement.section.clone(),
                level: requirement.level,
                by: Role::Client,
                expected,
                seen,
                frames: vec![frame],
                time,
                times: 1,
                stream,
                client: set.link.client,
                server: set.link.server,
            });
        }
    }
}

impl Server {
    fn keep(&mut self, happening: Happening) {
        self.kept_bytes += happening.weight();
        self.kept.push(happening);
    }

    fn is_full(&self) -> bool {
        self.kept.len() >= KEPT_MAX || self.kept_bytes >= KEPT_BYTES_MAX
    }

    /// Judges one exchange and learns from it.
    fn exchange(
        &mut self,
        exchange: &Exchange,
        alone: bool,
        durations: Durations,
    ) -> (Vec<Judged>, Moment) {
        let asked = exchange.request_evidence.time;
        let answered = exchange.answer_evidence.time.max(asked);
        let timer = self.history.timer();
        let place = Place {
            server: exchange.link.server,
            frame: exchange.request_evidence.frames.first().copied(),
        };
        let history = &mut self.history;
        let mut losses = history.advance_telling(durations, asked, answered, place);
        let timer = Countdown::of(timer, self.history.timer(), durations, asked);
        let whole_stream = !self.leaky.contains(&exchange.link.stream);
        let from_start = exchange.dialect.is_some() && exchange.rpc_auth.is_some() && whole_stream;
        self.history.clients.meet(exchange.link.stream, from_start);
        let answered = exchange.answer != crate::flow::Answer::Missing;
        let act = Act {
            exchange,
            alone: alone && answered,
        };
        let scene = Scene {
            act,
            history: &self.history,
            durations,
            whole_stream,
        };
        let mut judged = server::judge(&scene);
        judged.extend(client::judge(&scene));
        let fits = server::fits(&scene);
        let set = act.set_id().or_else(|| act.made());
        let was = self.was(&act, set, fits);
        let before = Standing::of(&self.history, set, was);
        let unfinished = match act.is(Opnum::SetContext) {
            true => self.history.may_be_unfinished(),
            false => Vec::new(),
        };
        match act.alone {
            true => self.history.learn(&act, fits),
            false => self.history.blur(&act),
        }
        self.history.clients.learn(&act);
        losses.extend(self.history.dropped_of(unfinished, place, asked));
        let is = set.map_or(Statuses::only(Status::Absent), |id| {
            self.history.statuses(id)
        });
        let after = Standing::of(&self.history, set, is);
        let moment = Moment {
            stream: exchange.link.stream,
            frame: place.frame.unwrap_or(0),
            call_id: exchange.call_id,
            set,
            may_exist: was.or(is).meets(Statuses::ALIVE),
            is_over: !is.meets(Statuses::UNFINISHED),
            before,
            after,
            timer,
            losses,
        };
        (judged, moment)
    }

    /// What a set may have been when a call came, given what was answered.
    fn was(&self, act: &Act<'_>, set: Option<ShadowCopySetId>, fits: Statuses) -> Statuses {
        let before = match set {
            Some(id) if act.made() != Some(id) => self.history.statuses(id),
            _ => Statuses::only(Status::Absent),
        };
        let fitting = before.and(fits);
        match act.alone && !fitting.is_empty() {
            true => fitting,
            false => before,
        }
    }

    /// How it is known that the client does nothing more for its set.
    fn departure(
        &self,
        client: std::net::IpAddr,
        id: ShadowCopySetId,
        set: &clients::LocalSet,
    ) -> Option<Departure> {
        let gone = self.history.set(id).and_then(|set| set.gone);
        if matches!(gone, Some(history::Gone::Dropped)) {
            // The SetContext that removed it was judged.
            return None;
        }
        if matches!(gone, Some(history::Gone::Expired(_))) && set.last_unknown {
            // It came too late, was judged for that, and was told so.
            return None;
        }
        let mut ends = self.ends.iter().filter(|end| end.ip() == client);
        let closed: Option<Vec<u64>> = ends.try_fold(Vec::new(), |mut all, end| {
            all.push(*self.closed.get(end)?);
            Some(all)
        });
        match (closed.and_then(|all| all.into_iter().max()), gone) {
            (Some(frame), _) => Some(Departure::Closed(frame)),
            (None, Some(history::Gone::Expired(_))) => Some(Departure::Expired),
            (None, _) => None,
        }
    }
}

/// What a broken rule says, with its proof.
fn finding(catalogue: &Catalogue, exchange: &Exchange, judged: Judged) -> Option<Finding> {
    let Ruling::Broken { expected, seen } = judged.ruling else {
        return None;
    };
    let id = RequirementId(judged.requirement.to_owned());
    let requirement = catalogue.get(&id)?;
    let mut frames = exchange.request_evidence.frames.clone();
    if requirement.role == Role::Server {
        frames.extend(&exchange.answer_evidence.frames);
    }
    Some(Finding {
        requirement: id,
        section: requirement.section.clone(),
        level: requirement.level,
        by: requirement.role,
        expected,
        seen,
        frames,
        time: exchange.request_evidence.time,
        times: 1,
        stream: exchange.link.stream,
        client: exchange.link.client,
        server: exchange.link.server,
    })
}

/// Gathers what is said of one connection more than once.
fn gathered(findings: Vec<Finding>) -> Vec<Finding> {
    /// How many frames one finding names.
    const FRAMES_MAX: usize = 64;
    let mut gathered: Vec<Finding> = Vec::new();
    let mut places: BTreeMap<(String, u64, String, String), usize> = BTreeMap::new();
    for finding in findings {
        let key = (
            finding.requirement.0.clone(),
            finding.stream,
            finding.expected.clone(),
            finding.seen.clone(),
        );
        match places.get(&key).and_then(|place| gathered.get_mut(*place)) {
            Some(first) => {
                first.times += 1;
                let room = FRAMES_MAX.saturating_sub(first.frames.len());
                first.frames.extend(finding.frames.iter().take(room));
            }
            None => {
                places.insert(key, gathered.len());
                gathered.push(finding);
            }
        }
    }
    gathered
}
