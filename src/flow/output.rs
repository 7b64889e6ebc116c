//! What waits to be handed out, in the order in which it began.
//!
//! A call has its place in the order of the requests, so whatever began after it waits until its
//! answer came or cannot come any more.

use super::exchange::{BadSignature, Exchange, Gap};
use super::listing::Queue;
use super::shared::Shared;
use std::collections::VecDeque;

/// How many events may wait for the oldest one; then that is handed out as it is.
const WAITING_MAX: usize = 16 * 1024;

/// How many bytes of parameters and results may wait; then the oldest call is handed out as it is.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// What the dissector found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An FSRVP call and its answer.
    Exchange(Box<Exchange>),
    /// A place that could not be read.
    Gap(Box<Gap>),
    /// A signature that is wrong.
    BadSignature(Box<BadSignature>),
}

/// What was met, whether or not it is handed out as an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// TCP connections.
    pub connections: u64,
    /// TCP connections that carried SMB.
    pub smb_connections: u64,
    /// SMB sessions, counted once on each connection.
    pub sessions: u64,
    /// FSRVP calls.
    pub calls: u64,
    /// Gaps.
    pub gaps: u64,
    /// SMB2 requests, by command.
    pub smb2_requests: [u64; 20],
    /// SMB2 responses, by command.
    pub smb2_responses: [u64; 20],
    /// Encrypted SMB3 messages.
    pub encrypted: u64,
    /// Compressed SMB3 messages.
    pub compressed: u64,
    /// SMB1 messages.
    pub smb1: u64,
    /// Encrypted SMB3 messages that were opened.
    pub opened: u64,
    /// Signatures of SMB2 messages and RPC fragments that are right.
    pub right_signatures: u64,
    /// Signatures that are wrong.
    pub bad_signatures: u64,
    /// RPC fragments on pipes, by packet type.
    pub rpc_fragments: [u64; 20],
}

/// The place of something in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

enum Slot {
    Ready(Event),
    Waiting(Box<Exchange>),
    Withdrawn,
}

/// A slot, and how many bytes of parameters and results it holds.
struct Weighed {
    slot: Slot,
    bytes: usize,
}

/// The queue of what waits to be handed out; and what all connections share, as both go everywhere.
#[derive(Default)]
pub(super) struct Output {
    slots: VecDeque<Weighed>,
    bytes: usize,
    first: u64,
    pub(super) counters: Counters,
    pub(super) shared: Shared,
    /// Every exchange of SMB2 and RPC, where somebody wants to see them.
    pub(super) listed: Option<Queue>,
}

impl Output {
    /// Hands out a gap after everything that began before it.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.counters.gaps += 1;
        self.push(Slot::Ready(Event::Gap(Box::new(gap))));
    }

    /// Hands out a wrong signature after everything that began before it.
    pub(super) fn bad_signature(&mut self, found: BadSignature) {
        self.counters.bad_signatures += 1;
        self.push(Slot::Ready(Event::BadSignature(Box::new(found))));
    }

    /// Keeps a place for a call whose answer is still to come.
    pub(super) fn open(&mut self, exchange: Exchange) -> Ticket {
        let ticket = Ticket(self.first + u64::try_from(self.slots.len()).unwrap_or(0));
        self.push(Slot::Waiting(Box::new(exchange)));
        ticket
    }

    /// The call at `ticket` holds so many bytes more.
    pub(super) fn weigh(&mut self, ticket: Ticket, bytes: usize) {
        if let Some(weighed) = self.weighed(ticket) {
            weighed.bytes += bytes;
            self.bytes += bytes;
        }
    }

    fn push(&mut self, slot: Slot) {
        self.slots.push_back(Weighed { slot, bytes: 0 });
    }

    /// The call at `ticket`, unless it was handed out already.
    pub(super) fn waiting(&mut self, ticket: Ticket) -> Option<&mut Exchange> {
        match self.slot(ticket)? {
            Slot::Waiting(exchange) => Some(exchange),
            Slot::Ready(_) | Slot::Withdrawn => None,
        }
    }

    /// The call at `ticket` is complete.
    pub(super) fn complete(&mut self, ticket: Ticket) {
        let Some(slot) = self.slot(ticket) else {
            return;
        };
        if let Slot::Waiting(exchange) = std::mem::replace(slot, Slot::Withdrawn) {
            *slot = Slot::Ready(Event::Exchange(exchange));
            self.counters.calls += 1;
        }
    }

    /// The call at `ticket` turned out to be none of FSRVP's.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        if let Some(slot @ Slot::Waiting(_)) = self.slot(ticket) {
            *slot = Slot::Withdrawn;
        }
    }

    /// The next event, if nothing that began before it is still open.
    pub(super) fn poll(&mut self) -> Option<Event> {
        loop {
            let crowded = self.slots.len() > WAITING_MAX || self.bytes > WAITING_BYTES_MAX;
            match self.slots.front()?.slot {
                Slot::Waiting(_) if !crowded => return None,
                _ => {}
            }
            self.first += 1;
            let weighed = self.slots.pop_front()?;
            self.bytes -= weighed.bytes;
            match weighed.slot {
                Slot::Ready(event) => return Some(event),
                Slot::Waiting(exchange) => {
                    self.counters.calls += 1;
                    return Some(Event::Exchange(exchange));
                }
                Slot::Withdrawn => {}
            }
        }
    }

    /// Nothing more comes: every call that still waits is handed out as it is.
    pub(super) fn finish(&mut self) {
        let waiting = self.slots.iter().enumerate();
        let waiting: Vec<Ticket> = waiting
            .filter(|(_, weighed)| matches!(weighed.slot, Slot::Waiting(_)))
            .map(|(index, _)| Ticket(self.first + u64::try_from(index).unwrap_or(0)))
            .collect();
        for ticket in waiting {
            self.complete(ticket);
        }
    }

    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        self.weighed(ticket).map(|weighed| &mut weighed.slot)
    }

    fn weighed(&mut self, ticket: Ticket) -> Option<&mut Weighed> {
        let index = usize::try_from(ticket.0.checked_sub(self.first)?).ok()?;
        self.slots.get_mut(index)
    }
}

/// MS-SMB2 2.2.1.2: the commands, by number.
const COMMANDS: [&str; 20] = [
    "NEGOTIATE",
    "SESSION_SETUP",
    "LOGOFF",
    "TREE_CONNECT",
    "TREE_DISCONNECT",
    "CREATE",
    "CLOSE",
    "FLUSH",
    "READ",
    "WRITE",
    "LOCK",
    "IOCTL",
    "CANCEL",
    "ECHO",
    "QUERY_DIRECTORY",
    "CHANGE_NOTIFY",
    "QUERY_INFO",
    "SET_INFO",
    "OPLOCK_BREAK",
    "SERVER_TO_CLIENT_NOTIFICATION",
];

/// C706 12.6.1: the packet types, by number.
const PACKET_TYPES: [&str; 20] = [
    "request",
    "ping",
    "response",
    "fault",
    "working",
    "nocall",
    "reject",
    "ack",
    "cl_cancel",
    "fack",
    "cancel_ack",
    "bind",
    "bind_ack",
    "bind_nak",
    "alter_context",
    "alter_context_resp",
    "auth3",
    "shutdown",
    "co_cancel",
    "orphaned",
];

impl Counters {
    /// Adds what another one counted.
    pub fn add(&mut self, other: &Counters) {
        self.connections += other.connections;
        self.smb_connections += other.smb_connections;
        self.sessions += other.sessions;
        self.calls += other.calls;
        self.gaps += other.gaps;
        self.encrypted += other.encrypted;
        self.compressed += other.compressed;
        self.smb1 += other.smb1;
        self.opened += other.opened;
        self.right_signatures += other.right_signatures;
        self.bad_signatures += other.bad_signatures;
        for (mine, theirs) in [
            (&mut self.smb2_requests, &other.smb2_requests),
            (&mut self.smb2_responses, &other.smb2_responses),
            (&mut self.rpc_fragments, &other.rpc_fragments),
        ] {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
    }

    /// What was met of messages and fragments, by name, without the zeros.
    #[must_use]
    pub fn tables(&self) -> Vec<(&'static str, Vec<(&'static str, u64)>)> {
        let rows = |names: &[&'static str], counts: &[u64]| {
            let pairs = names.iter().copied().zip(counts.iter().copied());
            pairs.filter(|(_, count)| *count > 0).collect::<Vec<_>>()
        };
        let transforms = [self.encrypted, self.opened, self.compressed, self.smb1];
        let signatures = [self.right_signatures, self.bad_signatures];
        vec![
            ("smb2_requests", rows(&COMMANDS, &self.smb2_requests)),
            ("smb2_responses", rows(&COMMANDS, &self.smb2_responses)),
            (
                "other_smb",
                rows(&["encrypted", "opened", "compressed", "smb1"], &transforms),
            ),
            ("signatures", rows(&["right", "wrong"], &signatures)),
            ("rpc_fragments", rows(&PACKET_TYPES, &self.rpc_fragments)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Answer, Evidence, Link, Request, SmbProtection};
    use fsrvp_wire::fsrvp::Opnum;
    use std::sync::Arc;

    fn call(call_id: u32) -> Exchange {
        let end = "127.0.0.1:445".parse().unwrap();
        Exchange {
            link: Arc::new(Link {
                stream: 0,
                client: end,
                server: end,
                home: end,
            }),
            dialect: None,
            smb: SmbProtection::Plain,
            rpc_auth: None,
            ndr: "ndr32-le",
            call_id,
            opnum: Opnum(0),
            request: Request::Unreadable {
                stub: Vec::new(),
                error: None,
            },
            request_evidence: Evidence::default(),
            answer: Answer::Missing,
            answer_evidence: Evidence::default(),
        }
    }

    fn ids(output: &mut Output) -> Vec<u32> {
        std::iter::from_fn(|| output.poll())
            .map(|event| match event {
                Event::Exchange(exchange) => exchange.call_id,
                Event::Gap(_) | Event::BadSignature(_) => 0,
            })
            .collect()
    }

    #[test]
    fn calls_come_out_in_the_order_of_their_requests() {
        let mut output = Output::default();
        let tickets: Vec<Ticket> = (1..=4).map(|id| output.open(call(id))).collect();
        output.complete(tickets[1]);
        output.withdraw(tickets[2]);
        assert!(ids(&mut output).is_empty());
        output.complete(tickets[0]);
        assert_eq!(ids(&mut output), [1, 2]);
        output.finish();
        assert_eq!(ids(&mut output), [4]);
        assert!(output.waiting(tickets[3]).is_none());
        assert_eq!(output.counters.calls, 3);
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_in_bytes() {
        let mut output = Output::default();
        for id in 0..u32::try_from(WAITING_MAX).unwrap() + 10 {
            output.open(call(id));
        }
        assert_eq!(ids(&mut output).len(), 10);
        let heavy = output.open(call(7));
        output.weigh(heavy, WAITING_BYTES_MAX + 1);
        assert_eq!(ids(&mut output).len(), WAITING_MAX + 1);
        assert_eq!(output.bytes, 0);
    }
}
