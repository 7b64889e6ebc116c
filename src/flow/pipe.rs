//! DCE/RPC on one pipe: binds, fragments, and the calls of FSRVP among everything else.
//!
//! **When the bind was not seen.** A capture may begin after a pipe was bound. Its calls are then
//! taken for FSRVP in two cases only. The CREATE was seen and names `FssagentRpc`. Or one call on
//! that presentation context proves it: its opnum takes a share name, its whole stub reads as
//! exactly the parameters of that method with a legal name that begins with two backslashes, and
//! its reply reads as exactly the results. (An interface with another method of that number, the
//! same marshalling to the last byte both ways and a UNC path as its last string is not known.)
//! Such a proof also counts for the calls before it, which wait until then; without one they
//! become a gap. Where a bind was seen, only the bind counts.

mod carrier;

pub(super) use carrier::Carrier;

use super::exchange::{
    Answer, BadSignature, Direction, Evidence, Exchange, GapLayer, GapReason, Request,
};
use super::listing::{Fragment, RpcListing};
use super::output::{Output, Ticket};
use super::rpc::{self, Offer, Outcome};
use super::rpc_security::{self, PipeSecurity};
use super::smb::Mishap;
use fsrvp_wire::fsrvp::{Opnum, PIPE};
use fsrvp_wire::ndr::TransferSyntax;
use fsrvp_wire::rpce::{Body, JOINED_STUB_MAX, Pdu, Request as RpcRequest, next_fragment};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The longest stub of one call, in bytes; FSRVP's own are far below.
const STUB_MAX: usize = JOINED_STUB_MAX;

/// How many calls may wait for their answer on one pipe; the oldest is handed out without.
const CALLS_MAX: usize = 256;

/// How many presentation contexts, and binds without an answer, are remembered.
const CONTEXTS_MAX: usize = 1024;

/// How long the name of a pipe may be that is remembered, in bytes.
const NAME_MAX: usize = 256;

/// How many calls wait for the proof that they are FSRVP's.
const UNDECIDED_MAX: usize = 64;

/// MS-RPCE 2.2.1.1.8: RPC_C_AUTHN_LEVEL_CONNECT: only the bind is authenticated.
const LEVEL_CONNECT: u8 = 2;

/// What a presentation context stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    Fsrvp(TransferSyntax),
    Other,
}

/// One direction of the pipe, as bytes: a fragment may be cut anywhere.
#[derive(Default)]
struct Lane {
    bytes: Vec<u8>,
    evidence: Evidence,
    /// Bytes were lost, so that the next fragment must be found at the start of a message.
    adrift: bool,
}

/// A call whose answer is still to come.
struct Open {
    ticket: Ticket,
    opnum: Opnum,
    context: u16,
    syntax: TransferSyntax,
    stub: Vec<u8>,
    /// Whether the request is complete, or cannot become so.
    asked: bool,
    answer: Vec<u8>,
    /// Whether the context is known to be FSRVP's.
    proven: bool,
    /// Whether both stubs ended exactly with their last parameter.
    exact: (bool, bool),
}

/// An open of a pipe.
pub(super) struct Pipe {
    /// The name that its CREATE gave, unless that is longer than any pipe's.
    name: Option<String>,
    /// `None` unless every exchange is wanted.
    listing: Option<Box<RpcListing>>,
    is_fsrvp: bool,
    /// Whether any RPC fragment was read.
    spoke_rpc: bool,
    /// It carries something else than RPC, or is no pipe at all.
    is_foreign: bool,
    bound: bool,
    contexts: HashMap<u16, Context>,
    /// What each bind offers, until its answer comes: context, whether FSRVP, its syntaxes.
    offers: BTreeMap<u32, Vec<Offer>>,
    /// The level of the association's security context; `None` before any bind was seen.
    level: Option<u8>,
    /// The security contexts of the association; `None` without keys.
    security: Option<Box<PipeSecurity>>,
    client: Lane,
    server: Lane,
    calls: BTreeMap<u32, Open>,
    /// Answered calls that nothing has proved to be FSRVP's yet.
    undecided: Vec<Ticket>,
    /// Whether the calls without a bind were proved to be FSRVP's.
    proven: bool,
}

type Gaps = Vec<(Direction, Mishap)>;

impl Pipe {
    pub(super) fn new(name: Option<String>) -> Self {
        let is_fsrvp = name.as_deref().is_some_and(|name| {
            let name = name.trim_start_matches('\\');
            name.eq_ignore_ascii_case(PIPE)
        });
        Pipe {
            name: name.filter(|name| name.len() <= NAME_MAX),
            listing: None,
            is_fsrvp,
            spoke_rpc: false,
            is_foreign: false,
            bound: false,
            contexts: HashMap::new(),
            offers: BTreeMap::new(),
            level: None,
            security: None,
            client: Lane::default(),
            server: Lane::default(),
            calls: BTreeMap::new(),
            undecided: Vec::new(),
            proven: is_fsrvp,
        }
    }

    /// Takes the next bytes of one direction.
    pub(super) fn data(
        &mut self,
        carrier: &Carrier<'_>,
        data: &[u8],
        output: &mut Output,
        gaps: &mut Gaps,
    ) {
        if data.is_empty() || self.is_foreign {
            return;
        }
        let lane = self.lane(carrier.direction);
        if lane.adrift {
            lane.bytes.clear();
            lane.evidence = Evidence::default();
            if next_fragment(data).is_err() {
                gaps.push(carrier.gap(GapReason::Incomplete, data.len()));
                return;
            }
            lane.adrift = false;
        }
        let mut bytes = std::mem::take(&mut lane.bytes);
        let mut evidence = std::mem::take(&mut lane.evidence);
        evidence.extend(carrier.evidence);
        let all: &[u8] = match bytes.is_empty() {
            true => data,
            false => {
                bytes.extend_from_slice(data);
                &bytes
            }
        };
        let mut rest = all;
        loop {
            let length = match next_fragment(rest) {
                Ok(Some(length)) if length <= rest.len() => length,
                Ok(_) => break,
                Err(_) if !self.spoke_rpc && !self.is_fsrvp => {
                    self.is_foreign = true;
                    return;
                }
                Err(error) => {
                    gaps.push(carrier.gap(GapReason::Broken(error), rest.len()));
                    self.lane(carrier.direction).adrift = true;
                    return;
                }
            };
            let (fragment, after) = rest.split_at(length);
            self.fragment(carrier, fragment, &evidence, output, gaps);
            evidence = carrier.evidence.clone();
            rest = after;
        }
        if !rest.is_empty() {
            let rest = rest.to_vec();
            let lane = self.lane(carrier.direction);
            lane.bytes = rest;
            lane.evidence = evidence;
        }
    }

    /// Takes the news that bytes of a direction may be missing: what was only begun stays so.
    pub(super) fn lost(&mut self, direction: Direction) {
        if let Some(security) = &mut self.security {
            security.lost(direction);
        }
        let lane = self.lane(direction);
        lane.adrift = true;
        lane.bytes.clear();
        for open in self.calls.values_mut() {
            match direction {
                // Parameters of which a part is missing stay unknown; opnum and call id are
                // certain.
                Direction::ClientToServer => {
                    open.stub.clear();
                    open.asked = true;
                }
                Direction::ServerToClient => open.answer.clear(),
            }
        }
    }

    /// Takes the news that the pipe is closed: what has no answer gets none.
    pub(super) fn end(&mut self, output: &mut Output, gaps: &mut Gaps) {
        if let (Some(listing), Some(listed)) = (&mut self.listing, &mut output.listed) {
            listing.end(listed);
        }
        for (_, open) in std::mem::take(&mut self.calls) {
            self.settle(open, output);
        }
        self.give_up_undecided(output, gaps);
    }

    /// How many bytes are kept because more is to come.
    pub(super) fn kept_bytes(&self) -> usize {
        let stubs = self
            .calls
            .values()
            .map(|open| open.stub.len() + open.answer.len());
        self.client.bytes.len() + self.server.bytes.len() + stubs.sum::<usize>()
    }

    fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::ClientToServer => &mut self.client,
            Direction::ServerToClient => &mut self.server,
        }
    }

    fn fragment(
        &mut self,
        carrier: &Carrier<'_>,
        bytes: &[u8],
        evidence: &Evidence,
        output: &mut Output,
        gaps: &mut Gaps,
    ) {
        let mut pdu = match Pdu::parse(bytes) {
            Ok(pdu) => pdu,
            Err(error) => {
                if let Some(security) = &mut self.security {
                    security.lost(carrier.direction);
                }
                gaps.push(carrier.gap(GapReason::Broken(error), bytes.len()));
                return;
            }
        };
        self.spoke_rpc = true;
        let counter = usize::from(pdu.body.ptype().0);
        if let Some(counter) = output.counters.rpc_fragments.get_mut(counter) {
            *counter += 1;
        }
        if let Some(listed) = &mut output.listed {
            let fragment = Fragment {
                link: carrier.link,
                direction: carrier.direction,
                pdu: &pdu,
                length_bytes: bytes.len(),
                evidence,
            };
            let listing = self.listing.get_or_insert_with(Box::default);
            listing.fragment(self.name.as_deref(), &fragment, listed);
        }
        let unread = self.unseal(carrier, (&mut pdu, bytes), evidence, output, gaps);
        match &pdu.body {
            Body::Bind(bind) | Body::AlterContext(bind) => self.bind(&pdu, &rpc::offers(bind)),
            Body::BindAck(ack) | Body::AlterContextResp(ack) => {
                self.bind_ack(pdu.header.call_id, &rpc::outcomes(ack));
            }
            Body::BindNak(_) => {
                self.offers.remove(&pdu.header.call_id);
            }
            Body::Auth3(_) => self.see_level(&pdu),
            Body::Request(request) => {
                let request = (&pdu, request, unread);
                self.request(carrier, request, evidence, output, gaps);
            }
            Body::Response(response) => {
                let stub = unread.map_or(Ok(response.stub.as_slice()), Err);
                let answer = (response.context_id, stub, None);
                self.answer(carrier, &pdu, answer, evidence, (output, gaps));
            }
            Body::Fault(fault) => {
                let answer = (fault.context_id, Ok(&[][..]), Some(fault.status.0));
                self.answer(carrier, &pdu, answer, evidence, (output, gaps));
            }
            _ => {}
        }
    }

    /// Checks a fragment and opens its stub; returns why that is not possible. What cannot be
    /// opened is not counted as read, whatever the keys.
    fn unseal(
        &mut self,
        carrier: &Carrier<'_>,
        (pdu, bytes): (&mut Pdu, &[u8]),
        evidence: &Evidence,
        output: &mut Output,
        gaps: &mut Gaps,
    ) -> Option<GapReason> {
        let Some(keys) = output.shared.keys().cloned() else {
            return rpc_security::sealed(pdu).then_some(GapReason::Sealed);
        };
        let security = self.security.get_or_insert_with(Box::default);
        let opened = security.fragment(carrier.direction, pdu, bytes, evidence, &keys);
        output.counters.right_signatures += opened.right;
        for wrong in opened.wrong {
            output.bad_signature(BadSignature {
                link: Arc::clone(carrier.link),
                direction: wrong.direction,
                signed: wrong.signed,
                evidence: wrong.evidence,
            });
        }
        if let Some(reason) = opened.unchecked {
            gaps.push(carrier.gap(reason, bytes.len()));
        }
        if let Some(clear) = opened.clear {
            *pdu = clear;
        }
        opened.unread
    }

    fn see_level(&mut self, pdu: &Pdu) {
        let level = rpc::auth_level(pdu).unwrap_or(0);
        self.level = Some(level.max(self.level.unwrap_or(0)));
    }

    fn bind(&mut self, pdu: &Pdu, offers: &[Offer]) {
        self.bound = true;
        self.see_level(pdu);
        if self.offers.len() < CONTEXTS_MAX {
            self.offers.insert(pdu.header.call_id, offers.to_vec());
        }
    }

    /// C706 12.6.4.4: the results come in the order of the offers.
    fn bind_ack(&mut self, call_id: u32, results: &[Outcome]) {
        let offers = self.offers.remove(&call_id).unwrap_or_default();
        for (offer, result) in offers.iter().zip(results) {
            if self.contexts.len() >= CONTEXTS_MAX {
                return;
            }
            match result {
                Outcome::Accepted(syntax) => {
                    let context = match (offer.is_fsrvp, syntax) {
                        (true, Some(syntax)) => Context::Fsrvp(*syntax),
                        _ => Context::Other,
                    };
                    self.contexts.insert(offer.context, context);
                }
                Outcome::Refused => {
                    self.contexts.remove(&offer.context);
                }
                // MS-RPCE 2.2.2.14: features, not a context.
                Outcome::Features => {}
            }
        }
    }

    /// What a context stands for: as accepted, or as offered where the answer was not seen and
    /// there was no choice.
    fn context(&self, id: u16) -> Option<Context> {
        self.contexts.get(&id).copied().or_else(|| {
            let offer = self
                .offers
                .values()
                .flatten()
                .find(|offer| offer.context == id)?;
            match (offer.is_fsrvp, offer.syntaxes.as_slice()) {
                (false, _) => Some(Context::Other),
                (true, [only]) => Some(Context::Fsrvp(*only)),
                (true, _) => None,
            }
        })
    }

    fn request(
        &mut self,
        carrier: &Carrier<'_>,
        (pdu, request, unread): (&Pdu, &RpcRequest, Option<GapReason>),
        evidence: &Evidence,
        output: &mut Output,
        gaps: &mut Gaps,
    ) {
        let (context, opnum, stub) = (request.context_id, request.opnum, &request.stub);
        let syntax = match self.context(context) {
            Some(Context::Other) => return,
            Some(Context::Fsrvp(syntax)) => Some(syntax),
            None if self.bound => return,
            None => None,
        };
        if let Some(reason) = unread {
            gaps.push(carrier.gap(reason, stub.len()));
            return;
        }
        if rpc::is_first(pdu) {
            self.open(carrier, pdu, (context, Opnum(opnum), syntax), output);
        }
        let Some(open) = self.calls.get_mut(&pdu.header.call_id) else {
            gaps.push(carrier.gap(GapReason::Incomplete, stub.len()));
            return;
        };
        if open.asked {
            gaps.push(carrier.gap(GapReason::Incomplete, stub.len()));
            return;
        }
        if let Some(exchange) = output.waiting(open.ticket) {
            exchange.request_evidence.extend(evidence);
        }
        if open.stub.len() + stub.len() > STUB_MAX {
            open.asked = true;
            gaps.push(carrier.gap(GapReason::TooLong, stub.len()));
            return;
        }
        open.stub.extend_from_slice(stub);
        if rpc::is_last(pdu) {
            open.asked = true;
            let stub = std::mem::take(&mut open.stub);
            let representation = pdu.header.drep.representation(open.syntax);
            let weight = stub.len();
            let (request, exact) = rpc::read_request(open.opnum, representation, stub);
            open.exact.0 = exact;
            output.weigh(open.ticket, weight);
            if let Some(exchange) = output.waiting(open.ticket) {
                exchange.request = request;
            }
        }
    }

    fn open(
        &mut self,
        carrier: &Carrier<'_>,
        pdu: &Pdu,
        (context, opnum, syntax): (u16, Opnum, Option<TransferSyntax>),
        output: &mut Output,
    ) {
        if let Some(old) = self.calls.remove(&pdu.header.call_id) {
            self.settle(old, output);
        }
        if self.calls.len() >= CALLS_MAX
            && let Some((_, oldest)) = self.calls.pop_first()
        {
            self.settle(oldest, output);
        }
        // The byte order is stated anew in every fragment; without a bind the transfer syntax is
        // taken for NDR, which every known peer falls back to.
        let proven = syntax.is_some() || self.proven;
        let syntax = syntax.unwrap_or(TransferSyntax::Ndr32);
        let ticket = output.open(Exchange {
            link: Arc::clone(carrier.link),
            dialect: carrier.dialect,
            smb: carrier.smb,
            rpc_auth: self.request_level(pdu),
            ndr: rpc::label(pdu.header.drep.representation(syntax)),
            call_id: pdu.header.call_id,
            opnum,
            request: Request::Unreadable {
                stub: Vec::new(),
                error: None,
            },
            request_evidence: Evidence::default(),
            answer: Answer::Missing,
            answer_evidence: Evidence::default(),
        });
        let open = Open {
            ticket,
            opnum,
            context,
            syntax,
            stub: Vec::new(),
            asked: false,
            answer: Vec::new(),
            proven,
            exact: (false, false),
        };
        self.calls.insert(pdu.header.call_id, open);
    }

    /// The level at which a request is protected: that of its verifier. Without one it has the
    /// protection of level connect where the association was bound so, and none where not.
    fn request_level(&self, pdu: &Pdu) -> Option<u8> {
        match (rpc::auth_level(pdu), self.level) {
            (Some(level), _) => Some(level),
            (None, Some(LEVEL_CONNECT)) => Some(LEVEL_CONNECT),
            (None, Some(_)) => Some(0),
            (None, None) => None,
        }
    }

    fn answer(
        &mut self,
        carrier: &Carrier<'_>,
        pdu: &Pdu,
        (context, stub, fault): (u16, Result<&[u8], GapReason>, Option<u32>),
        evidence: &Evidence,
        (output, gaps): (&mut Output, &mut Gaps),
    ) {
        let matches = self
            .calls
            .get(&pdu.header.call_id)
            .is_some_and(|open| open.context == context);
        let length = pdu.body.stub().map_or(0, <[u8]>::len);
        if !matches {
            let reason = match self.context(context) {
                Some(Context::Other) => return,
                Some(Context::Fsrvp(_)) => stub.err().unwrap_or(GapReason::NoRequest),
                None if self.bound => return,
                None if self.is_fsrvp => GapReason::NoRequest,
                None => GapReason::UnknownInterface,
            };
            gaps.push(carrier.gap(reason, length));
            return;
        }
        let Some(open) = self.calls.get_mut(&pdu.header.call_id) else {
            return;
        };
        if let Some(exchange) = output.waiting(open.ticket) {
            exchange.answer_evidence.extend(evidence);
        }
        let answer = match (fault, stub) {
            (Some(status), _) => Answer::Fault(status),
            (None, Err(reason)) => {
                gaps.push(carrier.gap(reason, length));
                Answer::Missing
            }
            (None, Ok(stub)) => {
                if open.answer.len() + stub.len() > STUB_MAX {
                    gaps.push(carrier.gap(GapReason::TooLong, stub.len()));
                    open.answer.clear();
                }
                open.answer.extend_from_slice(stub);
                if !rpc::is_last(pdu) {
                    return;
                }
                let stub = std::mem::take(&mut open.answer);
                let representation = pdu.header.drep.representation(open.syntax);
                let weight = stub.len();
                let (answer, exact) = rpc::read_answer(open.opnum, representation, stub);
                open.exact.1 = exact;
                output.weigh(open.ticket, weight);
                answer
            }
        };
        if fault.is_none() && !rpc::is_last(pdu) {
            return;
        }
        if let Some(exchange) = output.waiting(open.ticket) {
            exchange.answer = answer;
        }
        if let Some(open) = self.calls.remove(&pdu.header.call_id) {
            self.settle(open, output);
            if self.undecided.len() > UNDECIDED_MAX {
                self.give_up_undecided(output, gaps);
            }
        }
    }

    /// Hands a call out, or keeps it until something proves what it is.
    fn settle(&mut self, open: Open, output: &mut Output) {
        let proven = open.proven || self.proven;
        let exact = open.exact == (true, true);
        if !proven
            && exact
            && output
                .waiting(open.ticket)
                .is_some_and(|e| rpc::names_a_share(e))
        {
            self.proven = true;
            for ticket in self.undecided.drain(..) {
                output.complete(ticket);
            }
        }
        match proven || self.proven {
            true => output.complete(open.ticket),
            false => self.undecided.push(open.ticket),
        }
    }

    fn give_up_undecided(&mut self, output: &mut Output, gaps: &mut Gaps) {
        for ticket in std::mem::take(&mut self.undecided) {
            if let Some(exchange) = output.waiting(ticket) {
                let mishap = Mishap {
                    layer: GapLayer::Rpc,
                    reason: GapReason::UnknownInterface,
                    offset: 0,
                    length: 0,
                    frame: exchange
                        .request_evidence
                        .frames
                        .first()
                        .copied()
                        .unwrap_or(0),
                    time: exchange.request_evidence.time,
                };
                gaps.push((Direction::ClientToServer, mishap));
            }
            output.withdraw(ticket);
        }
    }
}
