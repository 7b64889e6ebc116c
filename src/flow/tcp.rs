//! One direction of a TCP connection, put back in order.
//!
//! Bytes that come in order are handed on without a copy; only what came too early is kept. The
//! first arrival of a byte wins: a later segment that says something else about it changes
//! nothing. What never came is handed on as a [`Piece::Lost`] with its place and length.

use std::collections::BTreeMap;
use std::time::Duration;

/// How many bytes that came too early are kept for one direction.
pub const PENDING_BYTES_MAX: usize = 1 << 20;

/// How many segments that came too early are kept for one direction.
pub const PENDING_PIECES_MAX: usize = 512;

/// A segment further ahead than this belongs to no window that TCP can offer (RFC 7323 2.2).
const WINDOW_MAX: u64 = 1 << 30;

/// After so many segments outside of the window in a row, the stream is taken to go on there.
const STRAYS_MAX: u32 = 8;

/// Where the unwrapped sequence numbers begin, so that a segment before the start stays positive.
const EPOCH: u64 = 1 << 40;

/// Why bytes of a stream are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// No packet with them is in the capture.
    NotCaptured,
    /// The packet is in the capture, but its end was cut off by the snap length.
    CutBySnapLength,
}

/// Where and when a segment was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The frame, counted from 1.
    pub frame: u64,
    /// The time since the run or the capture began.
    pub time: Duration,
}

/// What comes out of a [`Reassembler`], in the order of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes.
    Bytes {
        /// Their place, counted from the first byte of the stream.
        offset: u64,
        /// The bytes; never empty.
        bytes: &'a [u8],
        /// The frame that brought them.
        stamp: Stamp,
    },
    /// Bytes that are missing here.
    Lost {
        /// Their place, counted from the first byte of the stream.
        offset: u64,
        /// How many are missing; zero where it cannot be known.
        length: u64,
        /// Why.
        reason: LossReason,
        /// The frame at which the loss became certain.
        stamp: Stamp,
    },
}

/// A segment's payload as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Payload<'a> {
    /// The sequence number of the first byte.
    pub seq: u32,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
    /// How many more bytes the segment had on the wire.
    pub cut: u64,
    /// Where it was seen.
    pub stamp: Stamp,
}

struct Early {
    bytes: Vec<u8>,
    cut: u64,
    stamp: Stamp,
}

impl Early {
    fn len(&self) -> u64 {
        len_u64(&self.bytes).saturating_add(self.cut)
    }
}

/// Puts the segments of one direction in order.
pub struct Reassembler {
    /// The unwrapped sequence number of the stream's first byte.
    start: u64,
    /// The unwrapped sequence number of the next byte to hand on.
    next: u64,
    /// INVARIANT: every key is above `next`, and no two pieces overlap.
    early: BTreeMap<u64, Early>,
    early_bytes: usize,
    fin: Option<u64>,
    strays: u32,
}

impl Reassembler {
    /// A stream whose first byte has the sequence number `first`.
    #[must_use]
    pub fn new(first: u32) -> Self {
        let start = EPOCH + u64::from(first);
        Reassembler {
            start,
            next: start,
            early: BTreeMap::new(),
            early_bytes: 0,
            fin: None,
            strays: 0,
        }
    }

    /// How many bytes wait for others before them.
    #[must_use]
    pub fn early_bytes(&self) -> usize {
        self.early_bytes
    }

    /// Whether `ack`, from the other side, acknowledges bytes that were not handed on yet.
    #[must_use]
    pub fn lacks(&self, ack: u32) -> bool {
        let acked = self.unwrap(ack);
        // The FIN occupies one number of its own.
        let have = self.next + u64::from(self.fin == Some(self.next));
        acked > have && acked - have < WINDOW_MAX
    }

    /// Takes a segment in; `sink` gets what is in order now.
    pub fn push(&mut self, payload: &Payload<'_>, sink: &mut impl FnMut(Piece<'_>)) {
        let begin = self.unwrap(payload.seq);
        if begin >= self.next + WINDOW_MAX || begin + WINDOW_MAX <= self.next {
            self.stray(payload, sink);
            return;
        }
        self.strays = 0;
        let end = begin + len_u64(payload.bytes) + payload.cut;
        if end <= self.next {
            return;
        }
        if begin <= self.next && self.early.is_empty() {
            let skip = self.next - begin;
            self.deliver(tail(payload.bytes, skip), end, payload.stamp, sink);
            return;
        }
        self.store(begin, payload);
        self.drain(sink);
        while self.early_bytes > PENDING_BYTES_MAX || self.early.len() > PENDING_PIECES_MAX {
            let Some((&first, _)) = self.early.first_key_value() else {
                break;
            };
            self.lose(first, payload.stamp, sink);
            self.drain(sink);
        }
    }

    /// Notes that the stream ends at `seq`.
    pub fn finish_at(&mut self, seq: u32) {
        let at = self.unwrap(seq);
        if at >= self.next && at - self.next < WINDOW_MAX {
            self.fin = Some(at);
        }
    }

    /// Whether everything up to the end of the stream was handed on.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| fin <= self.next)
    }

    /// Gives up on what is missing before `ack`.
    pub fn give_up_before(&mut self, ack: u32, stamp: Stamp, sink: &mut impl FnMut(Piece<'_>)) {
        if !self.lacks(ack) {
            return;
        }
        let mut until = self.unwrap(ack);
        if let Some(fin) = self.fin {
            until = until.min(fin);
        }
        while self.next < until {
            let first = self.early.first_key_value().map_or(until, |(&at, _)| at);
            self.lose(first.min(until), stamp, sink);
            self.drain(sink);
        }
    }

    /// Gives up on everything that is missing and hands on what is left.
    pub fn flush(&mut self, stamp: Stamp, sink: &mut impl FnMut(Piece<'_>)) {
        while let Some((&first, _)) = self.early.first_key_value() {
            self.lose(first, stamp, sink);
            self.drain(sink);
        }
    }

    /// The unwrapped number that lies nearest to the next byte.
    fn unwrap(&self, seq: u32) -> u64 {
        let [_, _, _, _, a, b, c, d] = self.next.to_be_bytes();
        let distance = seq
            .wrapping_sub(u32::from_be_bytes([a, b, c, d]))
            .cast_signed();
        self.next.saturating_add_signed(i64::from(distance))
    }

    /// A segment outside of any window is noise, until so many came that the stream must have
    /// gone on there while the capture looked away.
    fn stray(&mut self, payload: &Payload<'_>, sink: &mut impl FnMut(Piece<'_>)) {
        self.strays += 1;
        if self.strays < STRAYS_MAX {
            return;
        }
        self.strays = 0;
        self.flush(payload.stamp, sink);
        let at = self.unwrap(payload.seq);
        if at > self.next {
            self.lose(at, payload.stamp, sink);
        } else {
            sink(Piece::Lost {
                offset: self.next - self.start,
                length: 0,
                reason: LossReason::NotCaptured,
                stamp: payload.stamp,
            });
            // Places keep counting upwards although the numbers jumped back.
            self.start = self.start.saturating_sub(self.next - at);
            self.next = at;
        }
        self.push(payload, sink);
    }

    /// Keeps those parts of the segment that no earlier one brought.
    fn store(&mut self, begin: u64, payload: &Payload<'_>) {
        let end = begin + len_u64(payload.bytes) + payload.cut;
        let mut at = begin.max(self.next);
        while at < end {
            let covered = self
                .early
                .range(..=at)
                .next_back()
                .map_or(at, |(&start, piece)| start + piece.len());
            if covered > at {
                at = covered;
                continue;
            }
            let until = self
                .early
                .range(at..)
                .next()
                .map_or(end, |(&start, _)| start.min(end));
            let bytes = slice(payload.bytes, at - begin, until - begin).to_vec();
            self.early_bytes += bytes.len();
            let cut = (until - at).saturating_sub(len_u64(&bytes));
            let stamp = payload.stamp;
            self.early.insert(at, Early { bytes, cut, stamp });
            at = until;
        }
    }

    fn drain(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() != self.next {
                break;
            }
            let piece = entry.remove();
            self.early_bytes -= piece.bytes.len();
            let end = self.next + piece.len();
            self.deliver(&piece.bytes, end, piece.stamp, sink);
        }
    }

    /// Hands on `bytes` and, up to `end`, the loss of what was cut off behind them.
    fn deliver(&mut self, bytes: &[u8], end: u64, stamp: Stamp, sink: &mut impl FnMut(Piece<'_>)) {
        if !bytes.is_empty() {
            sink(Piece::Bytes {
                offset: self.next - self.start,
                bytes,
                stamp,
            });
            self.next += len_u64(bytes);
        }
        if self.next < end {
            sink(Piece::Lost {
                offset: self.next - self.start,
                length: end - self.next,
                reason: LossReason::CutBySnapLength,
                stamp,
            });
            self.next = end;
        }
    }

    fn lose(&mut self, until: u64, stamp: Stamp, sink: &mut impl FnMut(Piece<'_>)) {
        if until > self.next {
            sink(Piece::Lost {
                offset: self.next - self.start,
                length: until - self.next,
                reason: LossReason::NotCaptured,
                stamp,
            });
            self.next = until;
        }
    }
}

fn len_u64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn tail(bytes: &[u8], skip: u64) -> &[u8] {
    slice(bytes, skip, u64::MAX)
}

/// `bytes[from..to]`, cut to what is there.
fn slice(bytes: &[u8], from: u64, to: u64) -> &[u8] {
    let clamp = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
    bytes.get(clamp(from)..clamp(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(frame: usize) -> Stamp {
        Stamp {
            frame: frame as u64,
            time: Duration::ZERO,
        }
    }

    /// What a stream came to: each byte or its loss, in order.
    #[derive(Default)]
    struct Collected {
        bytes: Vec<Option<u8>>,
    }

    impl Collected {
        fn take(&mut self, piece: Piece<'_>) {
            match piece {
                Piece::Bytes { offset, bytes, .. } => {
                    assert_eq!(offset, self.bytes.len() as u64);
                    assert!(!bytes.is_empty());
                    self.bytes.extend(bytes.iter().copied().map(Some));
                }
                Piece::Lost { offset, length, .. } => {
                    assert_eq!(offset, self.bytes.len() as u64);
                    let end = self.bytes.len() + usize::try_from(length).unwrap();
                    self.bytes.resize(end, None);
                }
            }
        }
    }

    #[derive(Debug, Clone)]
    struct Sent {
        at: usize,
        bytes: Vec<u8>,
        cut: usize,
    }

    fn segments() -> impl Strategy<Value = Vec<Sent>> {
        let segment = (
            0usize..160,
            prop::collection::vec(any::<u8>(), 0..40),
            prop_oneof![4 => Just(0usize), 1 => 1usize..10],
        )
            .prop_map(|(at, bytes, cut)| Sent { at, bytes, cut });
        prop::collection::vec(segment, 0..60)
    }

    /// The model: an array in which the first arrival of each place wins. A place that was cut
    /// off counts as arrived.
    fn model(sent: &[Sent]) -> Vec<Option<u8>> {
        let mut places: Vec<Option<Option<u8>>> = Vec::new();
        for segment in sent {
            let end = segment.at + segment.bytes.len() + segment.cut;
            if end == segment.at {
                continue;
            }
            if places.len() < end {
                places.resize(end, None);
            }
            for (i, place) in places[segment.at..end].iter_mut().enumerate() {
                place.get_or_insert(segment.bytes.get(i).copied());
            }
        }
        places.into_iter().map(Option::flatten).collect()
    }

    proptest! {
        #[test]
        fn any_order_with_repeats_overlaps_losses_and_wrap_equals_the_model(
            sent in segments(),
            first in prop_oneof![any::<u32>(), (u32::MAX - 200)..=u32::MAX],
        ) {
            let mut out = Collected::default();
            let mut stream = Reassembler::new(first);
            for (i, segment) in sent.iter().enumerate() {
                let payload = Payload {
                    seq: first.wrapping_add(u32::try_from(segment.at).unwrap()),
                    bytes: &segment.bytes,
                    cut: segment.cut as u64,
                    stamp: stamp(i + 1),
                };
                stream.push(&payload, &mut |piece| out.take(piece));
            }
            stream.flush(stamp(sent.len()), &mut |piece| out.take(piece));
            prop_assert_eq!(stream.early_bytes(), 0);
            prop_assert_eq!(out.bytes, model(&sent));
        }

        #[test]
        fn a_whole_stream_in_any_order_comes_out_whole(
            // More pieces than are kept would be a stream with holes.
            content in prop::collection::vec(any::<u8>(), 1..PENDING_PIECES_MAX),
            cuts in prop::collection::vec(1usize..50, 1..40),
            keys in prop::collection::vec(any::<u32>(), 64),
            first in prop_oneof![any::<u32>(), (u32::MAX - 300)..=u32::MAX],
        ) {
            let mut pieces = Vec::new();
            let mut at = 0;
            for length in cuts.iter().cycle() {
                if at >= content.len() { break; }
                let end = (at + length).min(content.len());
                pieces.push((keys[pieces.len() % keys.len()], at, end));
                at = end;
            }
            pieces.sort_by_key(|(key, _, _)| *key);
            let mut out = Collected::default();
            let mut stream = Reassembler::new(first);
            for (_, from, to) in pieces {
                let payload = Payload {
                    seq: first.wrapping_add(u32::try_from(from).unwrap()),
                    bytes: &content[from..to],
                    cut: 0,
                    stamp: stamp(1),
                };
                stream.push(&payload, &mut |piece| out.take(piece));
            }
            let expected: Vec<Option<u8>> = content.iter().copied().map(Some).collect();
            prop_assert_eq!(out.bytes, expected);
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_hole_is_reported() {
        let mut lost = Vec::new();
        let mut stream = Reassembler::new(7);
        let block = vec![0u8; 64 * 1024];
        for i in 0..64u32 {
            let payload = Payload {
                seq: 7 + 100 + i * 65536,
                bytes: &block,
                cut: 0,
                stamp: stamp(1),
            };
            stream.push(&payload, &mut |piece| {
                if let Piece::Lost { offset, length, .. } = piece {
                    lost.push((offset, length));
                }
            });
            assert!(stream.early_bytes() <= PENDING_BYTES_MAX);
        }
        assert_eq!(lost, [(0, 100)]);
    }

    #[test]
    fn an_acknowledged_hole_is_given_up_up_to_the_acknowledgement_only() {
        let mut out = Vec::new();
        let mut stream = Reassembler::new(0);
        let push = |stream: &mut Reassembler, seq, out: &mut Vec<(u64, u64)>| {
            let payload = Payload {
                seq,
                bytes: b"abc",
                cut: 0,
                stamp: stamp(1),
            };
            stream.push(&payload, &mut |piece| match piece {
                Piece::Bytes { offset, bytes, .. } => out.push((offset, bytes.len() as u64)),
                Piece::Lost { offset, .. } => out.push((offset, 0)),
            });
        };
        push(&mut stream, 3, &mut out);
        push(&mut stream, 9, &mut out);
        assert!(stream.lacks(6));
        stream.give_up_before(6, stamp(2), &mut |piece| {
            if let Piece::Lost { offset, length, .. } = piece {
                assert_eq!((offset, length), (0, 3));
            }
        });
        assert!(!stream.lacks(6));
        assert!(stream.lacks(12));
        push(&mut stream, 6, &mut out);
        assert_eq!(out, [(6, 3), (9, 3)]);
    }

    #[test]
    fn a_lone_segment_outside_of_the_window_is_ignored_and_many_move_the_stream() {
        let mut out = Vec::new();
        let mut stream = Reassembler::new(1000);
        for _ in 0..STRAYS_MAX {
            let payload = Payload {
                seq: 1000 + 0x6000_0000,
                bytes: b"x",
                cut: 0,
                stamp: stamp(1),
            };
            stream.push(&payload, &mut |piece| out.push(format!("{piece:?}")));
        }
        assert_eq!(out.len(), 2, "{out:?}");
        assert!(out[0].starts_with("Lost { offset: 0, length: 1610612736"));
        assert!(out[1].starts_with("Bytes { offset: 1610612736"));
    }
}
