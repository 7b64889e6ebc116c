//! Between what passes at the server and the oracle: clients are judged while they are served.

use super::BINDS;
use super::deserted::Deserted;
use super::owner::Owners;
use super::verdicts::{Found, ledger};
use crate::flow::{
    Answer, Direction, Dissector, Event, Exchange, KeyRing, Listed, StreamId, tcp::Stamp,
};
use crate::oracle::{Durations, Oracle, requirement_of};
use crate::outcome::{Breach, ClientLedger, Place};
use crate::requirement::{Catalogue, RequirementId, Role};
use fsrvp_wire::fsrvp::INTERFACE;
use fsrvp_wire::rpce::PType;
use fsrvp_wire::smb2::Command;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How many calls are remembered by their frames; the first are forgotten first.
const LABELS_MAX: usize = 64 * 1024;

/// How many breaches are kept that the oracle does not keep itself.
const BREACHES_MAX: usize = 1024;

/// MS-FSRVP 3.2.2: how long a client waits for the answer to a call.
const CALL_TIMEOUT: Duration = Duration::from_millis(180_000);

/// How many different places that could not be read are told.
const UNREAD_MAX: usize = 64;

/// How many clients are named.
const CLIENTS_MAX: usize = 1024;

/// The server as the oracle knows it: one, whichever of its addresses is called.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 445);

/// Judges everybody who is served.
pub(super) struct Judge {
    catalogue: Arc<Catalogue>,
    dissector: Dissector,
    oracle: Oracle,
    /// The connections that are open, by the server's number.
    open: HashMap<u64, Connection>,
    /// By the dissector's number: the last SMB2 request, and whether it is one of those that end
    /// something.
    last: HashMap<u64, (u64, bool)>,
    ends: BTreeMap<u64, End>,
    /// By client: the frame of its last request on any connection that is over.
    last_requests: HashMap<IpAddr, u64>,
    frame: u64,
    /// What to call a call, by the first frame of its request and the last one of its answer.
    labels: BTreeMap<u64, Label>,
    counts: HashMap<u64, u64>,
    owners: Owners,
    deserted: Deserted,
    /// The connection that its client ends at the moment, and when.
    leaving: Option<(u64, Duration)>,
    /// The server stops, so that whoever is connected is not to blame.
    stops: bool,
    found: Found,
    first: Option<IpAddr>,
    connections: u64,
}

struct Connection {
    id: StreamId,
    stream: u64,
    client: SocketAddr,
    /// The frame before which it was made.
    since: u64,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed the pipe, the tree or the session, and then the connection.
    Orderly,
    /// The client's end went away in the middle of something.
    Cut,
    /// The server ended it.
    ByServer,
}

/// What a call is called.
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// Its number on its connection, from 1.
    number: u64,
    method: Option<&'static str>,
}

impl Judge {
    /// Judges by this catalogue; the keys open the traffic, the durations are those of the
    /// server's timers. `owner` is the owner that a script names.
    pub(super) fn new(
        catalogue: Arc<Catalogue>,
        keys: KeyRing,
        durations: Durations,
        owner: bool,
    ) -> Judge {
        let mut dissector = Dissector::with_keys(keys);
        dissector.list_all();
        Judge {
            oracle: Oracle::new(Arc::clone(&catalogue), durations),
            catalogue,
            dissector,
            open: HashMap::new(),
            last: HashMap::new(),
            ends: BTreeMap::new(),
            last_requests: HashMap::new(),
            frame: 0,
            labels: BTreeMap::new(),
            counts: HashMap::new(),
            owners: Owners::new(owner),
            deserted: Deserted::default(),
            leaving: None,
            stops: false,
            found: Found::default(),
            first: None,
            connections: 0,
        }
    }

    /// A client has made a connection.
    pub(super) fn opened(&mut self, connection: u64, client: SocketAddr) {
        let id = self.dissector.open_stream(client, SERVER);
        let stream = self.connections;
        self.connections += 1;
        let since = self.frame + 1;
        let connection_of = Connection {
            id,
            stream,
            client,
            since,
        };
        self.open.insert(connection, connection_of);
    }

    /// Bytes pass on a connection.
    pub(super) fn bytes(&mut self, connection: u64, from: Direction, bytes: &[u8], time: Duration) {
        let Some(id) = self.open.get(&connection).map(|open| open.id) else {
            return;
        };
        let stamp = self.stamp(time);
        self.dissector.handle_stream_bytes(id, from, bytes, stamp);
        self.drain();
    }

    /// A connection is over.
    pub(super) fn closed(&mut self, connection: u64, by_client: bool, time: Duration) {
        let Some(over) = self.open.remove(&connection) else {
            return;
        };
        let frame = self.stamp(time).frame;
        self.oracle.handle_time(time);
        self.dissector.close_stream(over.id);
        self.leaving = by_client.then_some((over.stream, time));
        self.drain();
        self.leaving = None;
        let last = self.last.remove(&over.stream).unwrap_or_default();
        let end = match (by_client, last) {
            (false, _) => End::ByServer,
            (true, (_, true)) => End::Orderly,
            (true, (_, false)) => End::Cut,
        };
        let client = over.client.ip();
        let last_request = match self.last_requests.get(&client) {
            Some(before) => last.0.max(*before),
            None => last.0,
        };
        if self.last_requests.len() < CLIENTS_MAX {
            self.last_requests.insert(client, last_request);
        }
        // A set is given up only by a client that leaves on purpose.
        if end == End::Orderly {
            self.oracle.handle_close(over.client, SERVER, frame);
            let others = self.open.values();
            let mut beside = others.filter(|open| open.client.ip() == client);
            if beside.all(|open| open.since > last_request) {
                self.deserted.left(client, last_request);
            }
        }
        let ended = by_client || !self.stops;
        if self.counts.remove(&over.stream).is_some() && ended && self.ends.len() < LABELS_MAX {
            self.ends.insert(over.stream, end);
        }
        self.owners.forget(over.stream);
    }

    /// The server is about to stop.
    pub(super) fn stops(&mut self) {
        self.stops = true;
    }

    /// Whether the first client that called FSRVP has no connection any more.
    pub(super) fn first_has_left(&self) -> bool {
        self.first.is_some_and(|first| {
            let mut clients = self.open.values().map(|open| open.client.ip());
            !clients.any(|client| client == first)
        })
    }

    /// Gives the verdicts; the run ends at `end`.
    pub(super) fn finish(mut self, end: Duration) -> ClientLedger {
        self.dissector.finish();
        self.drain();
        self.oracle.handle_time(end);
        let findings = self.oracle.finish();
        for finding in findings.iter().filter(|found| found.by == Role::Client) {
            let frame = finding.frames.first().copied().unwrap_or(0);
            let breach = Breach {
                expected: finding.expected.clone(),
                seen: without_frames(&finding.seen),
                times: finding.times,
                place: self.place(finding.client, finding.stream, frame, finding.time),
            };
            self.found.broke(finding.requirement.clone(), breach);
        }
        for (requirement, kept) in self.oracle.kept() {
            let place = self.place(kept.client, kept.stream, kept.frame, kept.time);
            self.found.kept(requirement, kept.times, || place);
        }
        for left in self.oracle.left_open() {
            let place = self.place(left.client, left.stream, left.frame, left.time);
            self.found
                .left(left, self.ends.get(&left.stream).copied(), place);
        }
        for breach in self.deserted.finish() {
            let id = RequirementId(Deserted::REQUIREMENT.to_owned());
            self.found.broke(id, breach);
        }
        ledger(&self.catalogue, self.found)
    }

    fn stamp(&mut self, time: Duration) -> Stamp {
        self.frame += 1;
        Stamp {
            frame: self.frame,
            time,
        }
    }

    fn drain(&mut self) {
        while let Some(listed) = self.dissector.poll_listed() {
            self.listed(&listed);
        }
        while let Some(event) = self.dissector.poll_event() {
            self.event(&event);
        }
    }

    fn listed(&mut self, listed: &Listed) {
        match listed {
            Listed::Smb2(exchange) => {
                let Some(frame) = exchange.request.as_ref().and_then(first_frame) else {
                    return;
                };
                let command = exchange.command;
                let ends = [Command::LOGOFF, Command::TREE_DISCONNECT, Command::CLOSE];
                let last = self.last.entry(exchange.link.stream).or_default();
                if frame >= last.0 {
                    *last = (frame, ends.contains(&command));
                }
            }
            Listed::Rpc(exchange) if exchange.packet == Some(PType::BIND) => {
                let frame = exchange.request.as_ref().and_then(first_frame);
                self.owners.bound(exchange.link.stream, frame.unwrap_or(0));
                let ours = exchange.interfaces.contains(&INTERFACE);
                let on_our_pipe = exchange.pipe.as_deref().is_some_and(is_our_pipe);
                if on_our_pipe && !ours && self.found.len() < BREACHES_MAX {
                    let time = exchange.request.as_ref().map(|part| part.evidence.time);
                    let place = self.place(
                        exchange.link.client,
                        exchange.link.stream,
                        frame.unwrap_or(0),
                        time.unwrap_or_default(),
                    );
                    let offered: Vec<_> = exchange
                        .interfaces
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    self.found.broke(
                        RequirementId(BINDS.to_owned()),
                        Breach {
                            expected: format!("a bind of interface {INTERFACE} on FssagentRpc"),
                            seen: format!("a bind of {}", offered.join(", ")),
                            times: 1,
                            place,
                        },
                    );
                }
            }
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Exchange(exchange) => self.exchange(exchange),
            Event::Gap(gap) => {
                let client = gap.link.client.ip();
                let what = format!("{client}: {}: {}", gap.layer.name(), gap.reason);
                // What speaks no SMB at all hides no call.
                let may_hide = self.last.contains_key(&gap.link.stream).then_some(client);
                self.found.unread(what, may_hide, UNREAD_MAX);
            }
            Event::BadSignature(wrong) if wrong.direction == Direction::ClientToServer => {
                let frame = wrong.evidence.frames.first().copied().unwrap_or(0);
                let link = &wrong.link;
                let place = self.place(link.client, link.stream, frame, wrong.evidence.time);
                let breach = Breach {
                    expected: "a signature made with the keys of the logon".to_owned(),
                    seen: format!("a wrong signature of an {}", wrong.signed),
                    times: 1,
                    place,
                };
                let id = requirement_of(wrong.signed, Role::Client);
                if self.found.len() < BREACHES_MAX {
                    self.found.broke(RequirementId(id.to_owned()), breach);
                }
            }
            _ => {}
        }
        self.oracle.handle_event(event);
    }

    fn exchange(&mut self, exchange: &Exchange) {
        let link = &exchange.link;
        self.first.get_or_insert(link.client.ip());
        let count = self.counts.entry(link.stream).or_default();
        *count += 1;
        let label = Label {
            number: *count,
            method: exchange.opnum.name(),
        };
        let asked = exchange.request_evidence.frames.first();
        let answered = exchange.answer_evidence.frames.last();
        for frame in asked.into_iter().chain(answered) {
            self.labels.insert(*frame, label);
        }
        while self.labels.len() > LABELS_MAX {
            self.labels.pop_first();
        }
        let frame = asked.copied().unwrap_or(0);
        let place = self.place(
            link.client,
            link.stream,
            frame,
            exchange.request_evidence.time,
        );
        self.found.called(exchange, &place, CLIENTS_MAX);
        self.given_up(exchange, &place);
        self.deserted.exchange(exchange, frame, &place);
        if let Some(ruling) = self.owners.exchange(exchange, frame) {
            let id = Owners::REQUIREMENT;
            match ruling {
                Ok(()) => self.found.kept(id, 1, || place),
                Err((expected, seen)) => self.found.broke(
                    RequirementId(id.to_owned()),
                    Breach {
                        expected,
                        seen,
                        times: 1,
                        place,
                    },
                ),
            }
        }
    }

    /// A client that ends its connection while it waits has not waited long enough, or it died, or
    /// somebody has stopped it.
    fn given_up(&mut self, exchange: &Exchange, place: &Place) {
        let Some((_, end)) = self.leaving.filter(|(of, _)| *of == exchange.link.stream) else {
            return;
        };
        let waited = end.saturating_sub(exchange.request_evidence.time);
        if exchange.answer == Answer::Missing && waited < CALL_TIMEOUT {
            let seconds = waited.as_secs_f64();
            let reason = format!(
                "the client ended its connection {seconds:.1} s after a call that had no answer yet; {place}"
            );
            self.found.doubt("FSRVP-C-3.2.2-01", reason);
        }
    }

    fn place(&self, client: SocketAddr, stream: u64, frame: u64, time: Duration) -> Place {
        let label = self.labels.get(&frame);
        Place {
            client: client.to_string(),
            connection: stream + 1,
            call: label.map(|label| label.number),
            method: label.and_then(|label| label.method),
            time_s: time.as_secs_f64(),
        }
    }
}

fn first_frame(part: &crate::flow::Part) -> Option<u64> {
    part.evidence.frames.first().copied()
}

/// A text without the numbers of frames, which nobody but the judge knows here.
fn without_frames(text: &str) -> String {
    const MARK: &str = " in frame ";
    let mut pieces = text.split(MARK);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out += piece.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out
}

/// Whether this is the name of FSRVP's pipe, as clients write it.
fn is_our_pipe(name: &str) -> bool {
    let name = name.rsplit('\\').next().unwrap_or(name);
    name.eq_ignore_ascii_case("FssagentRpc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{
        BadSignature, Evidence, Link, Part, Request, RpcExchange, Signed, SmbProtection,
    };
    use crate::outcome::Verdict;
    use fsrvp_wire::fsrvp::{Call, get_supported_version};
    use uuid::Uuid;

    fn judge() -> Judge {
        let catalogue = Catalogue::built_in().expect("it reads");
        let ring = KeyRing::default();
        Judge::new(Arc::new(catalogue), ring, Durations::Unknown, false)
    }

    fn link() -> Arc<Link> {
        Arc::new(Link {
            stream: 0,
            client: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            server: SERVER,
            home: SERVER,
        })
    }

    fn verdict(judge: Judge, id: &str) -> Verdict {
        let outcomes = judge.finish(Duration::ZERO).outcomes;
        let of_it = outcomes.iter().find(|of| of.requirement.0 == id);
        of_it.expect("a requirement on clients").verdict
    }

    fn bind(interface: Uuid, pipe: &str) -> Listed {
        Listed::Rpc(Box::new(RpcExchange {
            link: link(),
            pipe: Some(pipe.to_owned()),
            call_id: 1,
            packet: Some(PType::BIND),
            answer: Some(PType::BIND_ACK),
            interfaces: vec![interface],
            context_id: None,
            opnum: None,
            fault: None,
            request: Some(Part::default()),
            response: None,
        }))
    }

    #[test]
    fn a_bind_of_another_interface_on_the_pipe_of_fsrvp_is_told() {
        let judged = |interface, pipe| {
            let mut judge = judge();
            judge.listed(&bind(interface, pipe));
            verdict(judge, "FSRVP-C-2.1-01")
        };
        let other = Uuid::from_u128(7);
        assert_eq!(judged(other, r"\pipe\FSSAGENTRPC"), Verdict::Fail);
        assert_eq!(judged(other, "srvsvc"), Verdict::NotApplicable);
        assert_eq!(judged(INTERFACE, "FssagentRpc"), Verdict::NotApplicable);
    }

    #[test]
    fn a_wrong_signature_of_a_client_is_told_and_one_of_the_server_is_not() {
        let all = [
            (Signed::SmbMessage, "SMB2-C-3.1.4.1-01"),
            (Signed::EncryptedSmbMessage, "SMB2-C-3.1.4.3-01"),
            (Signed::RpcFragment, "RPCE-C-3.3.1.5.2.2-01"),
            (Signed::MechanismList, "SPNEGO-C-5-01"),
        ];
        for (signed, id) in all {
            let judged = |direction| {
                let mut judge = judge();
                judge.event(&Event::BadSignature(Box::new(BadSignature {
                    link: link(),
                    direction,
                    signed,
                    evidence: Evidence::default(),
                })));
                verdict(judge, id)
            };
            assert_eq!(judged(Direction::ClientToServer), Verdict::Fail, "{id}");
            let servers = judged(Direction::ServerToClient);
            assert_eq!(servers, Verdict::NotApplicable, "{id}");
        }
    }

    #[test]
    fn a_client_that_does_not_wait_for_an_answer_is_in_doubt() {
        let judged = |waited: u64, answered| {
            let mut judge = judge();
            judge.leaving = Some((0, Duration::from_secs(waited)));
            let call = Call::GetSupportedVersion(get_supported_version::Request);
            let fault = Answer::Fault(5);
            judge.event(&Event::Exchange(Box::new(Exchange {
                link: link(),
                dialect: Some(0x0311),
                smb: SmbProtection::Signed,
                rpc_auth: Some(5),
                ndr: "ndr32-le",
                call_id: 1,
                opnum: call.opnum(),
                request: Request::Call(call),
                request_evidence: Evidence::default(),
                answer: if answered { fault } else { Answer::Missing },
                answer_evidence: Evidence::default(),
            })));
            verdict(judge, "FSRVP-C-3.2.2-01")
        };
        assert_eq!(judged(10, false), Verdict::Inconclusive);
        assert_eq!(judged(10, true), Verdict::NotApplicable);
        assert_eq!(judged(181, false), Verdict::NotApplicable);
    }

    #[test]
    fn frames_are_not_told() {
        assert_eq!(
            without_frames("whose call in frame 12 was answered after 200 s"),
            "whose call was answered after 200 s"
        );
        assert_eq!(without_frames("closed in frame 7"), "closed");
    }
}
