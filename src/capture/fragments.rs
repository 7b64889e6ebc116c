//! IP packets that were cut into fragments on their way (RFC 791 3.2, RFC 8200 4.5).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// How many packets may lack fragments at one time; the oldest is let go.
const PACKETS_MAX: usize = 64;

/// How many fragments one packet may have; a 64 KiB packet has at most this many of 8 bytes.
const FRAGMENTS_MAX: usize = 8192;

/// The longest payload of an IP packet.
const PAYLOAD_MAX: usize = 65_535;

/// What fragments of one packet have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PacketKey {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) identification: u32,
}

/// One fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    pub(super) key: PacketKey,
    /// Where its bytes lie in the payload.
    pub(super) offset: usize,
    /// Whether it is the last one.
    pub(super) last: bool,
    pub(super) bytes: &'a [u8],
}

#[derive(Default)]
struct Partial {
    pieces: BTreeMap<usize, Vec<u8>>,
    end: Option<usize>,
}

/// Joins fragments to the payloads of whole packets.
#[derive(Default)]
pub(super) struct Fragments {
    partial: HashMap<PacketKey, Partial>,
    order: VecDeque<PacketKey>,
    whole: Vec<u8>,
    /// How many packets were let go without all their fragments.
    let_go: u64,
}

impl Fragments {
    /// Takes a fragment; the payload, if it completes it. Of two fragments that begin at one place
    /// the first counts; of two that overlap, the one that begins earlier.
    pub(super) fn push(&mut self, fragment: &Fragment<'_>) -> Option<&[u8]> {
        let end = fragment.offset.checked_add(fragment.bytes.len())?;
        if end > PAYLOAD_MAX || fragment.bytes.is_empty() {
            return None;
        }
        if !self.partial.contains_key(&fragment.key) {
            self.order.push_back(fragment.key);
            while self.order.len() > PACKETS_MAX {
                let oldest = self.order.pop_front()?;
                self.let_go += u64::from(self.partial.remove(&oldest).is_some());
            }
        }
        let partial = self.partial.entry(fragment.key).or_default();
        if partial.pieces.len() < FRAGMENTS_MAX {
            let piece = partial.pieces.entry(fragment.offset);
            piece.or_insert_with(|| fragment.bytes.to_vec());
        }
        if fragment.last {
            partial.end.get_or_insert(end);
        }
        self.whole = partial.join()?;
        self.partial.remove(&fragment.key);
        self.order.retain(|key| *key != fragment.key);
        Some(&self.whole)
    }

    /// How many packets never became whole.
    pub(super) fn incomplete(&self) -> u64 {
        self.let_go + u64::try_from(self.partial.len()).unwrap_or(0)
    }
}

impl Partial {
    fn join(&self) -> Option<Vec<u8>> {
        let end = self.end?;
        let mut whole = Vec::new();
        for (offset, piece) in &self.pieces {
            let known = whole.len().checked_sub(*offset)?;
            whole.extend_from_slice(piece.get(known..).unwrap_or_default());
        }
        whole.truncate(end);
        (whole.len() == end).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(identification: u32) -> PacketKey {
        PacketKey {
            source: "10.0.0.1".parse().unwrap(),
            destination: "10.0.0.2".parse().unwrap(),
            protocol: 6,
            identification,
        }
    }

    fn fragment(id: u32, offset: usize, last: bool, bytes: &[u8]) -> Fragment<'_> {
        Fragment {
            key: key(id),
            offset,
            last,
            bytes,
        }
    }

    #[test]
    fn fragments_in_any_order_with_repeats_and_overlaps_make_the_packet() {
        let mut fragments = Fragments::default();
        assert!(fragments.push(&fragment(1, 16, true, b"end")).is_none());
        assert!(
            fragments
                .push(&fragment(2, 0, false, b"another!"))
                .is_none()
        );
        assert!(
            fragments
                .push(&fragment(1, 0, false, b"01234567"))
                .is_none()
        );
        assert!(
            fragments
                .push(&fragment(1, 0, false, b"xxxxxxxx"))
                .is_none()
        );
        let whole = fragments.push(&fragment(1, 4, false, b"4567abcdefgh"));
        assert_eq!(whole, Some(&b"01234567abcdefghend"[..]));
        assert_eq!(fragments.incomplete(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut fragments = Fragments::default();
        for id in 0..1000 {
            assert!(
                fragments
                    .push(&fragment(id, 8, false, b"12345678"))
                    .is_none()
            );
        }
        assert_eq!(fragments.partial.len(), PACKETS_MAX);
        assert_eq!(fragments.incomplete(), 1000);
        assert!(
            fragments
                .push(&fragment(7, 65_530, true, b"12345678"))
                .is_none()
        );
    }
}
