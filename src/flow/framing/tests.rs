//! The laws of framing.

use super::*;
use proptest::prelude::*;

/// What came out: elements as kind, length, whether first, and what was seen of them; troubles
/// with their place.
#[derive(Default, Debug, PartialEq, Eq, Clone)]
struct Seen {
    elements: Vec<(Kind, u64, bool, Vec<u8>)>,
    troubles: Vec<(Trouble, u64, u64)>,
    /// What is kept, and whether it is always too much.
    kept: usize,
    is_crowded: bool,
}

impl Sink for Seen {
    /// Messages with an odd command are wanted, those with command 10 only to be checked.
    fn wants(&mut self, _: Kind, head: &[u8]) -> Want {
        match head.get(12) {
            Some(10) => Want::Secured,
            Some(command) if command % 2 == 1 => Want::Whole,
            _ => Want::Head,
        }
    }

    fn element(&mut self, element: Element<'_>) {
        assert!(!element.evidence.frames.is_empty());
        let seen = element.bytes.to_vec();
        self.elements
            .push((element.kind, element.length, element.first, seen));
    }

    fn trouble(&mut self, place: Place<'_>) {
        self.troubles
            .push((place.trouble, place.offset, place.length));
    }

    fn keeps(&mut self, less: usize, more: usize) -> bool {
        self.kept = self.kept - less + more;
        self.is_crowded
    }
}

const STAMP: Stamp = Stamp {
    frame: 1,
    time: std::time::Duration::ZERO,
};

/// One SMB2 message with `length` bytes behind its header.
fn element(command: u8, length: usize, next: usize) -> Vec<u8> {
    let mut bytes = vec![0xfe, b'S', b'M', b'B', 64, 0];
    bytes.resize(64, 0);
    bytes[12] = command;
    bytes[20..24].copy_from_slice(&u32::try_from(next).unwrap().to_le_bytes());
    bytes.extend((0..length).map(|i| u8::try_from(i % 251).unwrap()));
    bytes
}

fn framed(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    let mut message = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    message.extend(body);
    message
}

/// A compound of the given commands and lengths; each but the last is padded to 8.
fn compound(parts: &[(u8, usize)]) -> Vec<u8> {
    let last = parts.len() - 1;
    let elements: Vec<Vec<u8>> = parts
        .iter()
        .enumerate()
        .map(|(i, (command, length))| match i == last {
            true => element(*command, *length, 0),
            false => {
                let length = length.next_multiple_of(8);
                element(*command, length, 64 + length)
            }
        })
        .collect();
    framed(&elements)
}

fn run(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut framer = Framer::new();
    framer.bytes(bytes, STAMP, &mut seen);
    framer.end(STAMP, &mut seen);
    seen
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_messages(
        messages in prop::collection::vec(
            prop::collection::vec((0u8..19, 0usize..300), 1..4), 1..6),
        sizes in prop::collection::vec(1usize..90, 1..20),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|parts| compound(parts)).collect();
        let mut seen = Seen::default();
        let mut framer = Framer::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            framer.bytes(piece, STAMP, &mut seen);
            rest = after;
        }
        framer.end(STAMP, &mut seen);
        prop_assert_eq!(&seen, &run(&bytes));
        prop_assert!(seen.troubles.is_empty());
        let count: usize = messages.iter().map(Vec::len).sum();
        prop_assert_eq!(seen.elements.len(), count);
    }

    #[test]
    fn whatever_comes_the_framer_accounts_for_every_byte_once(
        bytes in prop::collection::vec(
            prop::sample::select(vec![0u8, 0xfe, b'S', b'M', b'B', 64, 1, 5]), 0..400),
        sizes in prop::collection::vec(1usize..50, 1..10),
        losses in prop::collection::vec(0u64..60, 1..10),
    ) {
        let mut seen = Seen::default();
        let mut framer = Framer::new();
        let mut rest = bytes.as_slice();
        let mut fed = 0;
        for (size, loss) in sizes.iter().cycle().zip(losses.iter().cycle()) {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            framer.bytes(piece, STAMP, &mut seen);
            fed += piece.len() as u64;
            rest = after;
            if *loss > 40 {
                framer.lost(*loss, STAMP, &mut seen);
                fed += loss;
            }
            prop_assert!(framer.offset + framer.kept.bytes.len() as u64 == fed);
        }
    }
}

#[test]
fn a_loss_inside_of_a_message_that_nobody_wants_costs_nothing() {
    let mut seen = Seen::default();
    let mut framer = Framer::new();
    let big = framed(&[element(8, 5000, 0)]);
    framer.bytes(&big[..1000], STAMP, &mut seen);
    assert!(framer.lost(3000, STAMP, &mut seen));
    framer.bytes(&big[4000..], STAMP, &mut seen);
    framer.bytes(&framed(&[element(5, 10, 0)]), STAMP, &mut seen);
    assert!(seen.troubles.is_empty());
    assert_eq!(seen.elements.len(), 2);
    assert_eq!(seen.elements[1].3.len(), 74);
}

#[test]
fn a_loss_inside_of_a_message_that_was_only_to_be_checked_costs_the_check() {
    let checked = framed(&[element(10, 5000, 0)]);
    let mut seen = Seen::default();
    let mut framer = Framer::new();
    framer.bytes(&checked[..1000], STAMP, &mut seen);
    assert!(framer.lost(3000, STAMP, &mut seen));
    framer.bytes(&checked[4000..], STAMP, &mut seen);
    framer.bytes(&framed(&[element(10, 10, 0)]), STAMP, &mut seen);
    framer.bytes(&checked[..1000], STAMP, &mut seen);
    framer.end(STAMP, &mut seen);
    assert!(seen.troubles.is_empty(), "{seen:?}");
    let lengths: Vec<usize> = seen.elements.iter().map(|found| found.3.len()).collect();
    assert_eq!(lengths, [HEAD_LEN, 74, HEAD_LEN]);
}

#[test]
fn the_elements_of_a_whole_message_are_those_of_the_stream() {
    let message = compound(&[(5, 10), (10, 300), (8, 77)]);
    let streamed = run(&message).elements;
    let parts: Vec<_> = elements(&message[4..]).map(|part| part.unwrap()).collect();
    assert_eq!(parts.len(), 3);
    for ((kind, bytes), (streamed_kind, length, _, _)) in parts.iter().zip(&streamed) {
        assert_eq!((kind, bytes.len() as u64), (streamed_kind, *length));
    }
    let mut broken = message[4..].to_vec();
    broken[20] = 7;
    assert_eq!(elements(&broken).collect::<Vec<_>>(), [None]);
    assert_eq!(elements(&[]).count(), 0);
}

#[test]
fn a_loss_inside_of_a_wanted_message_costs_that_one_only() {
    let mut seen = Seen::default();
    let mut framer = Framer::new();
    let wanted = framed(&[element(5, 500, 0)]);
    framer.bytes(&wanted[..200], STAMP, &mut seen);
    assert!(!framer.lost(100, STAMP, &mut seen));
    framer.bytes(&wanted[300..], STAMP, &mut seen);
    framer.bytes(&framed(&[element(7, 10, 0)]), STAMP, &mut seen);
    assert_eq!(seen.troubles, [(Trouble::Incomplete, 4, 564)]);
    assert_eq!(seen.elements.len(), 1);
}

#[test]
fn after_a_loss_over_a_boundary_the_next_plausible_header_is_found_and_said_so() {
    let mut seen = Seen::default();
    let mut framer = Framer::new();
    let first = framed(&[element(8, 300, 0)]);
    framer.bytes(&first[..100], STAMP, &mut seen);
    framer.lost(1000, STAMP, &mut seen);
    let mut rest = vec![9u8; 50];
    // A protocol identifier in the middle of data is no boundary by itself.
    rest.extend([0, 0, 0, 80, 0xfe, b'S', b'M', b'B', 63, 0]);
    rest.extend([7u8; 60]);
    let passed = rest.len() as u64;
    rest.extend(framed(&[element(5, 20, 0)]));
    for piece in rest.chunks(11) {
        framer.bytes(piece, STAMP, &mut seen);
    }
    assert_eq!(seen.troubles.len(), 2, "{:?}", seen.troubles);
    assert_eq!(seen.troubles[1], (Trouble::NoBoundary, 1100, passed));
    assert_eq!(seen.elements.len(), 1);
    assert_eq!(seen.elements[0].1, 84);
}

/// A message of this command that is longer than may be kept, in pieces, and a short one behind it.
fn crowded(command: u8) -> Seen {
    let bytes = [
        compound(&[(command, 4 * KEPT_MIN)]),
        compound(&[(command, 8)]),
    ]
    .concat();
    let mut seen = Seen {
        is_crowded: true,
        ..Seen::default()
    };
    let mut framer = Framer::new();
    for piece in bytes.chunks(1400) {
        framer.bytes(piece, STAMP, &mut seen);
        assert!(seen.kept <= KEPT_MIN + 1400, "{} bytes", seen.kept);
    }
    framer.end(STAMP, &mut seen);
    assert_eq!(seen.kept, 0);
    seen
}

#[test]
fn where_it_is_crowded_a_message_to_be_checked_is_read_by_its_head() {
    let seen = crowded(10);
    let lengths: Vec<(u64, usize)> = seen
        .elements
        .iter()
        .map(|(_, length, _, bytes)| (*length, bytes.len()))
        .collect();
    let long = 64 + 4 * KEPT_MIN as u64;
    assert_eq!(lengths, [(long, HEAD_LEN), (72, 72)]);
    assert!(seen.troubles.is_empty());
}

#[test]
fn where_it_is_crowded_a_message_that_is_wanted_whole_is_let_go_and_the_next_is_found() {
    let seen = crowded(1);
    let length = 64 + 4 * KEPT_MIN as u64;
    assert_eq!(seen.troubles, [(Trouble::Crowded, 4, length)]);
    assert_eq!(seen.elements.len(), 1);
    assert_eq!(seen.elements[0].1, 72);
}
