//! A TCP connection: both directions, in an order in which an answer follows its question.
//!
//! A capture may show packets in another order than the one in which they were sent, also across
//! the two directions. A segment tells by its acknowledgement what its sender had seen, so a
//! segment is handed on only after everything that it acknowledges. If that does not come within
//! [`HELD_MAX`] segments, it is lost: the other direction gets its gap, and things go on.

use super::exchange::Direction;
use super::messages::Messages;
use super::output::Output;
use super::segment::Segment;
use super::tcp::{LossReason, Payload, Piece, Reassembler, Stamp};
use std::collections::VecDeque;

/// How many segments wait for what they acknowledge.
const HELD_MAX: usize = 32;

/// How many bytes of segments wait for what they acknowledge.
const HELD_BYTES_MAX: usize = 1 << 20;

/// How many segments of a connection without a visible beginning are gathered, to find where each
/// direction begins: the first one that was captured need not be the first one that was sent.
const OPENING_MAX: usize = 8;

/// A segment that has to wait.
struct Held {
    direction: Direction,
    seq: u32,
    ack: Option<u32>,
    syn: bool,
    fin: bool,
    bytes: Vec<u8>,
    cut: u64,
    stamp: Stamp,
}

impl Held {
    fn payload(&self) -> Payload<'_> {
        Payload {
            seq: self.seq,
            bytes: &self.bytes,
            cut: self.cut,
            stamp: self.stamp,
        }
    }
}

/// One direction of the connection.
#[derive(Default)]
struct Half {
    tcp: Option<Reassembler>,
    /// What the other side acknowledged first: this direction begins there at the latest.
    acked: Option<u32>,
}

/// A connection that is followed.
pub(super) struct Connection {
    client: Half,
    server: Half,
    /// Segments before it is known where the directions begin; `None` once it is.
    opening: Option<Vec<Held>>,
    held: VecDeque<Held>,
    held_bytes: usize,
    messages: Messages,
}

impl Connection {
    /// A connection that carries `messages`. `starts` are the sequence numbers of the first byte
    /// of each direction, client first, as far as they are known.
    pub(super) fn new(messages: Messages, starts: [Option<u32>; 2]) -> Self {
        let half = |start: Option<u32>| Half {
            tcp: start.map(Reassembler::new),
            acked: None,
        };
        let [client, server] = starts.map(half);
        let opening = (client.tcp.is_none() && server.tcp.is_none()).then(Vec::new);
        Connection {
            client,
            server,
            opening,
            held: VecDeque::new(),
            held_bytes: 0,
            messages,
        }
    }

    /// Takes a segment; returns whether the connection is over.
    pub(super) fn handle_segment(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        output: &mut Output,
    ) -> bool {
        if let Some(opening) = &mut self.opening {
            opening.push(held(direction, segment));
            if segment.syn || segment.rst || opening.len() >= OPENING_MAX {
                self.settle(output);
            }
        } else {
            self.take(direction, segment, output);
        }
        segment.rst || self.is_finished()
    }

    /// How many bytes are kept because others are missing.
    pub(super) fn kept_bytes(&self) -> usize {
        let early = |half: &Half| half.tcp.as_ref().map_or(0, Reassembler::early_bytes);
        self.held_bytes + early(&self.client) + early(&self.server)
    }

    /// Gives up on everything that is missing.
    pub(super) fn flush(&mut self, stamp: Stamp, output: &mut Output) {
        self.settle(output);
        while !self.held.is_empty() {
            self.force(output);
        }
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            let (half, messages) = self.parts(direction);
            if let Some(tcp) = &mut half.tcp {
                tcp.flush(stamp, &mut |piece| {
                    hand_on(messages, direction, &piece, output)
                });
            }
        }
    }

    /// Gives up on everything that is missing, and on every answer that did not come.
    pub(super) fn end(&mut self, stamp: Stamp, output: &mut Output) {
        self.flush(stamp, output);
        self.messages.end(stamp, output);
    }

    fn is_finished(&self) -> bool {
        let over = |half: &Half| half.tcp.as_ref().is_some_and(Reassembler::is_finished);
        over(&self.client) && over(&self.server)
    }

    fn parts(&mut self, direction: Direction) -> (&mut Half, &mut Messages) {
        match direction {
            Direction::ClientToServer => (&mut self.client, &mut self.messages),
            Direction::ServerToClient => (&mut self.server, &mut self.messages),
        }
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        self.parts(direction).0
    }

    /// Decides where each direction begins and takes the segments of the opening.
    fn settle(&mut self, output: &mut Output) {
        let Some(opening) = self.opening.take() else {
            return;
        };
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            let mine = || opening.iter().filter(|held| held.direction == direction);
            let syn = mine().find(|held| held.syn).map(|held| held.seq);
            let first = mine()
                .filter(|held| !held.bytes.is_empty() || held.cut > 0)
                .map(|held| held.seq)
                .reduce(|a, b| match a.wrapping_sub(b).cast_signed() {
                    ..0 => a,
                    _ => b,
                });
            let acked = opening
                .iter()
                .filter(|held| held.direction != direction)
                .find_map(|held| held.ack);
            self.half(direction).acked = acked;
            let start = syn.or(match (first, acked) {
                // What was acknowledged before the capture began is not missing from it.
                (Some(first), Some(acked)) if first.wrapping_sub(acked).cast_signed() > 0 => {
                    Some(acked)
                }
                (first, acked) => first.or(acked),
            });
            self.half(direction).tcp = start.map(Reassembler::new);
        }
        for held in opening {
            self.take_held(held, output);
        }
    }

    fn take(&mut self, direction: Direction, segment: &Segment<'_>, output: &mut Output) {
        let mut payload = segment.payload;
        if segment.syn {
            payload.seq = payload.seq.wrapping_add(1);
        }
        if let Some(ack) = segment.ack {
            self.half(direction.reverse()).acked.get_or_insert(ack);
        }
        if segment.syn {
            let first = payload.seq;
            self.half(direction)
                .tcp
                .get_or_insert_with(|| Reassembler::new(first));
        }
        let idle = payload.bytes.is_empty() && payload.cut == 0 && !segment.fin;
        if idle {
            return;
        }
        if self.must_wait(direction, segment.ack) {
            let mut waiting = held(direction, segment);
            waiting.seq = payload.seq;
            self.hold(waiting, output);
            return;
        }
        self.deliver(direction, &payload, segment.fin, output);
        self.release(output);
    }

    fn take_held(&mut self, mut held: Held, output: &mut Output) {
        if held.syn {
            held.seq = held.seq.wrapping_add(1);
        }
        if held.bytes.is_empty() && held.cut == 0 && !held.fin {
            return;
        }
        if self.must_wait(held.direction, held.ack) {
            self.hold(held, output);
            return;
        }
        self.deliver(held.direction, &held.payload(), held.fin, output);
        self.release(output);
    }

    fn must_wait(&mut self, direction: Direction, ack: Option<u32>) -> bool {
        let other = self.half(direction.reverse());
        matches!((&other.tcp, ack), (Some(tcp), Some(ack)) if tcp.lacks(ack))
    }

    fn hold(&mut self, held: Held, output: &mut Output) {
        self.held_bytes += held.bytes.len();
        self.held.push_back(held);
        while self.held.len() > HELD_MAX || self.held_bytes > HELD_BYTES_MAX {
            self.force(output);
        }
    }

    /// Hands on every held segment whose acknowledged bytes came.
    fn release(&mut self, output: &mut Output) {
        while let Some(index) = (0..self.held.len()).find(|&index| {
            let Some(held) = self.held.get(index) else {
                return false;
            };
            let other = match held.direction {
                Direction::ClientToServer => &self.server,
                Direction::ServerToClient => &self.client,
            };
            !matches!((&other.tcp, held.ack), (Some(tcp), Some(ack)) if tcp.lacks(ack))
        }) {
            if let Some(held) = self.held.remove(index) {
                self.held_bytes -= held.bytes.len();
                self.deliver(held.direction, &held.payload(), held.fin, output);
            }
        }
    }

    /// Hands on the segment that waits longest; what it acknowledges and did not come is lost.
    fn force(&mut self, output: &mut Output) {
        let Some(held) = self.held.pop_front() else {
            return;
        };
        self.held_bytes -= held.bytes.len();
        let other = held.direction.reverse();
        if let Some(ack) = held.ack {
            // Segments that wait themselves may fill the hole before it is given up.
            let (mine, later): (VecDeque<Held>, VecDeque<Held>) = std::mem::take(&mut self.held)
                .into_iter()
                .partition(|waiting| waiting.direction == other);
            let (fill, keep): (VecDeque<Held>, VecDeque<Held>) =
                mine.into_iter().partition(|waiting| {
                    let (half, _) = self.parts(other);
                    let end = waiting
                        .seq
                        .wrapping_add(u32::try_from(waiting.bytes.len()).unwrap_or(0));
                    half.tcp.is_some() && ack.wrapping_sub(end).cast_signed() >= 0
                });
            self.held = later;
            self.held.extend(keep);
            for filler in fill {
                self.held_bytes -= filler.bytes.len();
                if let Some(ack) = filler.ack {
                    self.give_up_between(&held, ack, output);
                }
                self.deliver(other, &filler.payload(), filler.fin, output);
            }
            let (half, messages) = self.parts(other);
            if let Some(tcp) = &mut half.tcp {
                tcp.give_up_before(ack, held.stamp, &mut |piece| {
                    hand_on(messages, other, &piece, output)
                });
            }
        }
        self.deliver(held.direction, &held.payload(), held.fin, output);
        self.release_once_more(output);
    }

    /// What fills a hole was sent after everything that it acknowledges itself: of that, what
    /// should come before `held` and did not is lost too.
    fn give_up_between(&mut self, held: &Held, ack: u32, output: &mut Output) {
        let limit = match ack.wrapping_sub(held.seq).cast_signed() {
            0.. => held.seq,
            _ => ack,
        };
        let direction = held.direction;
        let late = |waiting: &Held| {
            let length = u32::try_from(waiting.bytes.len()).unwrap_or(0);
            let end = waiting.seq.wrapping_add(length);
            waiting.direction == direction && limit.wrapping_sub(end).cast_signed() >= 0
        };
        let (late, keep): (VecDeque<Held>, VecDeque<Held>) =
            std::mem::take(&mut self.held).into_iter().partition(late);
        self.held = keep;
        for segment in late {
            self.held_bytes -= segment.bytes.len();
            self.deliver(direction, &segment.payload(), segment.fin, output);
        }
        let (half, messages) = self.parts(direction);
        if let Some(tcp) = &mut half.tcp {
            tcp.give_up_before(limit, held.stamp, &mut |piece| {
                hand_on(messages, direction, &piece, output)
            });
        }
    }

    fn release_once_more(&mut self, output: &mut Output) {
        if !self.held.is_empty() {
            self.release(output);
        }
    }

    fn deliver(
        &mut self,
        direction: Direction,
        payload: &Payload<'_>,
        fin: bool,
        output: &mut Output,
    ) {
        let (half, messages) = self.parts(direction);
        let start = match half.acked {
            Some(acked) if payload.seq.wrapping_sub(acked).cast_signed() > 0 => acked,
            _ => payload.seq,
        };
        let tcp = half.tcp.get_or_insert_with(|| Reassembler::new(start));
        if fin {
            let length = payload.bytes.len().saturating_add(usize_from(payload.cut));
            let length = u32::try_from(length).unwrap_or(0);
            tcp.finish_at(payload.seq.wrapping_add(length));
        }
        tcp.push(payload, &mut |piece| {
            hand_on(messages, direction, &piece, output)
        });
    }
}

fn hand_on(messages: &mut Messages, direction: Direction, piece: &Piece<'_>, output: &mut Output) {
    match piece {
        Piece::Bytes { bytes, stamp, .. } => messages.bytes(direction, bytes, *stamp, output),
        Piece::Lost {
            offset,
            length,
            reason,
            stamp,
        } => messages.lost(direction, (*offset, *length), *reason, *stamp, output),
    }
}

fn held(direction: Direction, segment: &Segment<'_>) -> Held {
    Held {
        direction,
        seq: segment.payload.seq,
        ack: segment.ack,
        syn: segment.syn,
        fin: segment.fin,
        bytes: segment.payload.bytes.to_vec(),
        cut: segment.payload.cut,
        stamp: segment.payload.stamp,
    }
}

fn usize_from(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// What the layers above are told when bytes are missing.
pub(super) fn reason_of(reason: LossReason) -> super::GapReason {
    match reason {
        LossReason::NotCaptured => super::GapReason::NotCaptured,
        LossReason::CutBySnapLength => super::GapReason::CutBySnapLength,
    }
}
