//! What waits to be handed out, in the order in which it began.
//!
//! A call has its place in the order of the requests, so whatever began after it waits until its
//! answer came or cannot come any more.

use super::exchange::{Exchange, Gap};
use super::shared::Shared;
use std::collections::VecDeque;

/// How many events may wait for the oldest one; then that is handed out as it is.
pub(super) const WAITING_MAX: usize = 16 * 1024;

/// What the dissector found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An FSRVP call and its answer.
    Exchange(Box<Exchange>),
    /// A place that could not be read.
    Gap(Box<Gap>),
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

/// The queue of what waits to be handed out; and what all connections share, as both go everywhere.
#[derive(Default)]
pub(super) struct Output {
    slots: VecDeque<Slot>,
    first: u64,
    pub(super) counters: Counters,
    pub(super) shared: Shared,
}

impl Output {
    /// Hands out a gap after everything that began before it.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.counters.gaps += 1;
        self.slots.push_back(Slot::Ready(Event::Gap(Box::new(gap))));
    }

    /// Keeps a place for a call whose answer is still to come.
    pub(super) fn open(&mut self, exchange: Exchange) -> Ticket {
        let ticket = Ticket(self.first + u64::try_from(self.slots.len()).unwrap_or(0));
        self.slots.push_back(Slot::Waiting(Box::new(exchange)));
        ticket
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
            let crowded = self.slots.len() > WAITING_MAX;
            match self.slots.front()? {
                Slot::Waiting(_) if !crowded => return None,
                _ => {}
            }
            self.first += 1;
            match self.slots.pop_front()? {
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
            .filter(|(_, slot)| matches!(slot, Slot::Waiting(_)))
            .map(|(index, _)| Ticket(self.first + u64::try_from(index).unwrap_or(0)))
            .collect();
        for ticket in waiting {
            self.complete(ticket);
        }
    }

    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot> {
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
        let transforms = [self.encrypted, self.compressed, self.smb1];
        vec![
            ("smb2_requests", rows(&COMMANDS, &self.smb2_requests)),
            ("smb2_responses", rows(&COMMANDS, &self.smb2_responses)),
            (
                "other_smb",
                rows(&["encrypted", "compressed", "smb1"], &transforms),
            ),
            ("rpc_fragments", rows(&PACKET_TYPES, &self.rpc_fragments)),
        ]
    }
}
