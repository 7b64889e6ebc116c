//! The door: packets of a capture, or the bytes of a live run, come in; exchanges and gaps come
//! out.

use super::connection::Connection;
use super::ends::Ends;
use super::exchange::{Direction, Link};
use super::framing::{is_from_server, looks_like_smb};
use super::keys::KeyRing;
use super::listing::Listed;
use super::messages::Messages;
use super::output::{Counters, Event, Output};
use super::segment::Segment;
use super::tcp::Stamp;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// The ports on which SMB is always expected: direct, and over NetBIOS.
const SMB_PORTS: [u16; 2] = [445, 139];

/// How many TCP connections are followed at one time; then the quietest ones are let go.
const CONNECTIONS_MAX: usize = 8192;

/// How many bytes may be kept for all connections together because others are missing.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// How many bytes of a direction may come in the capture before its SYN.
const LATE_SYN_BYTES_MAX: u32 = 1 << 20;

/// How many frames later a connection that was closed or reset is let go: packets that were sent
/// before may stand behind in the capture.
const LINGER_FRAMES: u64 = 32;

/// What is known of a TCP connection.
struct Seen {
    stream: u64,
    last: Stamp,
    /// The sequence number of the first byte of each end, in the order of [`Ends`].
    starts: [Option<u32>; 2],
    /// The first sequence number that was seen of each end.
    firsts: [Option<u32>; 2],
    /// The end that opened the connection.
    client: Option<SocketAddr>,
    /// Whether each end was seen to begin with something else than SMB.
    foreign: [bool; 2],
    kept_bytes: usize,
    state: State,
}

enum State {
    /// Nothing was seen yet that is SMB.
    Watched,
    /// It carries SMB.
    Followed(Box<Followed>),
    /// It is over.
    Over,
}

struct Followed {
    client: SocketAddr,
    connection: Connection,
}

/// A live connection whose bytes come in order; see [`Dissector::open_stream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId(u64);

/// Turns packets, or streams, into exchanges and gaps.
///
/// Feed it with [`handle_segment`](Dissector::handle_segment), or with
/// [`open_stream`](Dissector::open_stream) and
/// [`handle_stream_bytes`](Dissector::handle_stream_bytes); after each, take what there is with
/// [`poll_event`](Dissector::poll_event). [`finish`](Dissector::finish) gives up on what is still
/// open; then poll a last time. Events come in the order in which they began.
#[derive(Default)]
pub struct Dissector {
    connections: HashMap<Ends, Seen>,
    streams: HashMap<StreamId, Messages>,
    next_stream: u64,
    kept_bytes: usize,
    /// Connections that are over, and the frame that ended them.
    leaving: VecDeque<(u64, Ends, u64)>,
    last: Stamp,
    output: Output,
}

impl Dissector {
    /// A dissector that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A dissector that opens and checks with `keys` what it can.
    #[must_use]
    pub fn with_keys(keys: KeyRing) -> Self {
        let mut dissector = Self::default();
        dissector.output.shared.set_keys(keys);
        dissector
    }

    /// Takes a TCP segment of a capture. Segments come in the order of their frames.
    pub fn handle_segment(&mut self, segment: &Segment<'_>) {
        let stamp = segment.payload.stamp;
        self.last = stamp;
        self.let_go(stamp);
        let ends = Ends::of(segment.source, segment.destination);
        if segment.syn && self.starts_anew(ends, segment) {
            self.close(ends, stamp);
            self.connections.remove(&ends);
        }
        let next_stream = &mut self.next_stream;
        let output = &mut self.output;
        let seen = self.connections.entry(ends).or_insert_with(|| {
            let stream = *next_stream;
            *next_stream += 1;
            output.counters.connections += 1;
            Seen {
                stream,
                last: stamp,
                starts: [None, None],
                firsts: [None, None],
                client: None,
                foreign: [false, false],
                kept_bytes: 0,
                state: State::Watched,
            }
        });
        seen.last = stamp;
        let over = seen.handle_segment(ends, segment, output);
        let kept = seen.kept();
        self.kept_bytes = self.kept_bytes - seen.kept_bytes + kept;
        seen.kept_bytes = kept;
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.relieve(ends, stamp);
        }
        if over {
            let stream = self.connections.get(&ends).map_or(0, |seen| seen.stream);
            self.leaving.push_back((stamp.frame, ends, stream));
        }
        if self.connections.len() > CONNECTIONS_MAX {
            self.thin_out(stamp);
        }
    }

    /// Opens a stream whose bytes will come in order, such as a connection of a live run.
    pub fn open_stream(&mut self, client: SocketAddr, server: SocketAddr) -> StreamId {
        let id = StreamId(self.next_stream);
        let link = Arc::new(Link {
            stream: self.next_stream,
            client,
            server,
            home: server,
        });
        self.next_stream += 1;
        self.output.counters.connections += 1;
        self.streams.insert(id, Messages::new(link));
        id
    }

    /// Takes the next bytes of a direction of a stream.
    pub fn handle_stream_bytes(
        &mut self,
        stream: StreamId,
        direction: Direction,
        bytes: &[u8],
        stamp: Stamp,
    ) {
        self.last = stamp;
        if let Some(messages) = self.streams.get_mut(&stream) {
            messages.bytes(direction, bytes, stamp, &mut self.output);
        }
    }

    /// Takes the news that a stream is over.
    pub fn close_stream(&mut self, stream: StreamId) {
        if let Some(mut messages) = self.streams.remove(&stream) {
            messages.end(self.last, &mut self.output);
        }
    }

    /// Takes the news that nothing more comes.
    pub fn finish(&mut self) {
        let mut ends: Vec<(u64, Ends)> = self
            .connections
            .iter()
            .map(|(ends, seen)| (seen.stream, *ends))
            .collect();
        ends.sort_unstable();
        for (_, ends) in ends {
            self.close(ends, self.last);
        }
        self.connections.clear();
        let mut streams: Vec<StreamId> = self.streams.keys().copied().collect();
        streams.sort_unstable_by_key(|id| id.0);
        for id in streams {
            self.close_stream(id);
        }
        self.output.finish();
    }

    /// The next exchange or gap, in the order in which they began.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.output.poll()
    }

    /// From now on keeps every exchange of SMB2 and RPC, for
    /// [`poll_listed`](Dissector::poll_listed), which has to be called as often as
    /// [`poll_event`](Dissector::poll_event).
    pub fn list_all(&mut self) {
        self.output.listed.get_or_insert_default();
    }

    /// The next exchange of SMB2 or RPC, in the order of their answers.
    pub fn poll_listed(&mut self) -> Option<Listed> {
        self.output.listed.as_mut()?.pop_front()
    }

    /// What was met so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.output.counters
    }

    /// Whether the SYN in `segment` opens a new connection between ends that had one before.
    fn starts_anew(&self, ends: Ends, segment: &Segment<'_>) -> bool {
        let Some(seen) = self.connections.get(&ends) else {
            return false;
        };
        let first = segment.payload.seq.wrapping_add(1);
        let [a, b] = seen.starts;
        let known = if segment.source == ends.0 { a } else { b };
        match known {
            Some(known) => known != first,
            // A SYN that comes late belongs to the connection whose first bytes were seen already.
            None => {
                let at = usize::from(segment.source != ends.0);
                let late = |seen: u32| seen.wrapping_sub(first) < LATE_SYN_BYTES_MAX;
                let seen_first = seen.firsts.get(at).copied().flatten();
                matches!(seen.state, State::Over) || !seen_first.is_none_or(late)
            }
        }
    }

    fn close(&mut self, ends: Ends, stamp: Stamp) {
        let Some(seen) = self.connections.get_mut(&ends) else {
            return;
        };
        if let State::Followed(followed) = &mut seen.state {
            followed.connection.end(stamp, &mut self.output);
        }
        seen.state = State::Over;
        self.kept_bytes -= seen.kept_bytes;
        seen.kept_bytes = 0;
    }

    fn let_go(&mut self, now: Stamp) {
        while let Some((frame, ends, stream)) = self.leaving.front().copied() {
            if frame + LINGER_FRAMES > now.frame {
                break;
            }
            self.leaving.pop_front();
            let same = |seen: &Seen| seen.stream == stream;
            if self.connections.get(&ends).is_some_and(same) {
                self.close(ends, now);
            }
        }
    }

    /// Gives up on what is missing on the connection that just grew.
    fn relieve(&mut self, ends: Ends, stamp: Stamp) {
        let Some(seen) = self.connections.get_mut(&ends) else {
            return;
        };
        if let State::Followed(followed) = &mut seen.state {
            followed.connection.flush(stamp, &mut self.output);
        }
        let kept = seen.kept();
        self.kept_bytes = self.kept_bytes - seen.kept_bytes + kept;
        seen.kept_bytes = kept;
    }

    /// Lets the quieter half of the connections go, those that are over first.
    fn thin_out(&mut self, stamp: Stamp) {
        let mut quiet: Vec<(bool, u64, Ends)> = self
            .connections
            .iter()
            .map(|(ends, seen)| {
                let alive = !matches!(seen.state, State::Over);
                (alive, seen.last.frame, *ends)
            })
            .collect();
        quiet.sort_unstable();
        for (_, _, ends) in quiet.into_iter().take(CONNECTIONS_MAX / 2) {
            self.close(ends, stamp);
            self.connections.remove(&ends);
        }
    }
}

impl Seen {
    fn kept(&self) -> usize {
        match &self.state {
            State::Followed(followed) => followed.connection.kept_bytes(),
            State::Watched | State::Over => 0,
        }
    }

    /// Takes a segment; returns whether the connection is over.
    fn handle_segment(&mut self, ends: Ends, segment: &Segment<'_>, output: &mut Output) -> bool {
        let from_first = segment.source == ends.0;
        let [first_a, first_b] = &mut self.firsts;
        let first = if from_first { first_a } else { first_b };
        first.get_or_insert(segment.payload.seq);
        if segment.syn {
            let start = segment.payload.seq.wrapping_add(1);
            let [a, b] = &mut self.starts;
            *(if from_first { a } else { b }) = Some(start);
            self.client.get_or_insert(match segment.ack {
                None => segment.source,
                Some(_) => segment.destination,
            });
        }
        if matches!(self.state, State::Watched) {
            self.watch(ends, segment);
        }
        let State::Followed(followed) = &mut self.state else {
            return false;
        };
        let direction = match segment.source == followed.client {
            true => Direction::ClientToServer,
            false => Direction::ServerToClient,
        };
        followed
            .connection
            .handle_segment(direction, segment, output)
    }

    /// Decides whether to follow the connection from this segment on.
    fn watch(&mut self, ends: Ends, segment: &Segment<'_>) {
        let expected = [ends.0, ends.1].map(|end| SMB_PORTS.contains(&end.port()));
        if expected.contains(&true) {
            let client = self.client.unwrap_or(match expected {
                [true, false] => ends.1,
                [false, true] => ends.0,
                _ => segment.source,
            });
            self.follow(ends, client, self.starts);
            return;
        }
        let bytes = segment.payload.bytes;
        if bytes.is_empty() {
            return;
        }
        let index = usize::from(segment.source != ends.0);
        let start = self.starts.get(index).copied().flatten();
        let at_start = start == Some(segment.payload.seq);
        match looks_like_smb(bytes) {
            Some(true) => {}
            // The first four bytes of a connection came alone: the rest will show.
            None if at_start => {}
            _ => {
                if at_start && let Some(foreign) = self.foreign.get_mut(index) {
                    *foreign = true;
                }
                return;
            }
        }
        let client = self.client.unwrap_or(match is_from_server(bytes) {
            Some(true) => segment.destination,
            Some(false) => segment.source,
            // The lower port is the more likely server.
            None if ends.0.port() < ends.1.port() => ends.1,
            None => ends.0,
        });
        let mut starts = self.starts;
        for (at, (start, foreign)) in starts.iter_mut().zip(self.foreign).enumerate() {
            let mine = at == index;
            if foreign || start.is_none() {
                *start = match mine {
                    true => Some(segment.payload.seq),
                    false => segment.ack,
                };
            }
        }
        self.follow(ends, client, starts);
    }

    fn follow(&mut self, ends: Ends, client: SocketAddr, starts: [Option<u32>; 2]) {
        let [a, b] = starts;
        let (server, starts) = match client == ends.0 {
            true => (ends.1, [a, b]),
            false => (ends.0, [b, a]),
        };
        let link = Arc::new(Link {
            stream: self.stream,
            client,
            server,
            home: server,
        });
        self.state = State::Followed(Box::new(Followed {
            client,
            connection: Connection::new(Messages::new(link), starts),
        }));
    }
}
