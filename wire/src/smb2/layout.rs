//! Where the variable parts of a message lie.
//!
//! A message states an offset and a length for each of its variable parts, and the specification
//! leaves room for gaps. [`Layout`] holds what a sender did with that room, so that a message that
//! came in goes out again byte for byte, and one that is built here needs no thought about it.

use crate::error::ErrorKind;
use crate::smb2::codec::{Failure, failure, len32};

/// How the parts behind the fixed fields are laid out.
///
/// Whoever changes a part of a message that came in sets its layout to [`Layout::Canonical`],
/// since the old offsets belong to the old parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// As this project lays them out: in order, aligned with zeros, nothing left over.
    #[default]
    Canonical,
    /// As a sender did it; also the way to send an illegal offset on purpose.
    AsSent {
        /// The stated offset of each part, in the order of the fields.
        offsets: Vec<u32>,
        /// Every byte behind the fixed fields; `emit` writes the parts over it where they fit.
        area: Vec<u8>,
    },
}

/// One variable part, for laying it out.
pub(crate) struct Part<'a> {
    /// Its bytes.
    pub(crate) bytes: &'a [u8],
    /// What its offset must be a multiple of, counted from the start of the message.
    pub(crate) align: usize,
    /// Whether an empty part has the offset zero, or the place where it would stand.
    pub(crate) zero_when_empty: bool,
}

impl<'a> Part<'a> {
    /// A part that states the place where it would stand when it is empty.
    pub(crate) fn new(bytes: &'a [u8], align: usize) -> Self {
        Part {
            bytes,
            align,
            zero_when_empty: false,
        }
    }

    /// A part whose offset is zero when it is empty.
    pub(crate) fn optional(bytes: &'a [u8], align: usize) -> Self {
        Part {
            bytes,
            align,
            zero_when_empty: true,
        }
    }
}

/// The outcome of laying parts out: offsets to state and bytes to append.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    offsets: Vec<u32>,
    /// What stands behind the fixed fields.
    pub(crate) area: Vec<u8>,
}

impl Placed {
    /// The offset of the part `index`, as a 32-bit field.
    pub(crate) fn offset32(&self, index: usize) -> u32 {
        self.offsets.get(index).copied().unwrap_or_default()
    }

    /// The offset of the part `index`, as a 16-bit field.
    pub(crate) fn offset16(&self, index: usize) -> u16 {
        u16::try_from(self.offset32(index)).unwrap_or(u16::MAX)
    }

    /// The offset of the part `index`, as the 8-bit field of a READ Response.
    pub(crate) fn offset8(&self, index: usize) -> u8 {
        u8::try_from(self.offset32(index)).unwrap_or(u8::MAX)
    }
}

impl Layout {
    /// Lays out `parts` behind `fixed_end`, the end of the fixed fields from the start of the
    /// message; at least `area_min` bytes follow the fixed fields in a canonical layout.
    pub(crate) fn place(&self, fixed_end: usize, area_min: usize, parts: &[Part<'_>]) -> Placed {
        match self {
            Layout::Canonical => canonical(fixed_end, area_min, parts),
            Layout::AsSent { offsets, area } => {
                let mut area = area.clone();
                for (part, offset) in parts.iter().zip(offsets) {
                    let Some(start) = (*offset as usize).checked_sub(fixed_end) else {
                        continue;
                    };
                    let end = start.saturating_add(part.bytes.len());
                    if let Some(slot) = area.get_mut(start..end) {
                        slot.copy_from_slice(part.bytes);
                    }
                }
                Placed {
                    offsets: offsets.clone(),
                    area,
                }
            }
        }
    }

    /// The layout of a message that came with these `offsets` and this `area`.
    pub(crate) fn detect(
        fixed_end: usize,
        area_min: usize,
        parts: &[Part<'_>],
        offsets: &[u32],
        area: &[u8],
    ) -> Layout {
        if is_canonical(fixed_end, area_min, parts, offsets, area) {
            return Layout::Canonical;
        }
        Layout::AsSent {
            offsets: offsets.to_vec(),
            area: area.to_vec(),
        }
    }
}

fn canonical(fixed_end: usize, area_min: usize, parts: &[Part<'_>]) -> Placed {
    let mut offsets = Vec::with_capacity(parts.len());
    let mut area = Vec::new();
    for part in parts {
        if part.bytes.is_empty() && part.zero_when_empty {
            offsets.push(0);
            continue;
        }
        let at = (fixed_end + area.len()).next_multiple_of(part.align);
        offsets.push(len32(at));
        if !part.bytes.is_empty() {
            area.resize(at - fixed_end, 0);
            area.extend_from_slice(part.bytes);
        }
    }
    if area.len() < area_min {
        area.resize(area_min, 0);
    }
    Placed { offsets, area }
}

/// Whether [`canonical`] would give just this; parts may be megabytes, so nothing is laid out.
fn is_canonical(
    fixed_end: usize,
    area_min: usize,
    parts: &[Part<'_>],
    offsets: &[u32],
    area: &[u8],
) -> bool {
    let is_zero = |range| {
        let bytes = area.get(range);
        bytes.is_some_and(|bytes: &[u8]| bytes.iter().all(|byte| *byte == 0))
    };
    let mut end = 0;
    if offsets.len() != parts.len() {
        return false;
    }
    for (part, offset) in parts.iter().zip(offsets) {
        if part.bytes.is_empty() && part.zero_when_empty {
            if *offset != 0 {
                return false;
            }
            continue;
        }
        let at = (fixed_end + end).next_multiple_of(part.align);
        if *offset != len32(at) {
            return false;
        }
        if !part.bytes.is_empty() {
            let start = at - fixed_end;
            let there = area.get(start..start.saturating_add(part.bytes.len()));
            // What was read out of this very area needs no second look.
            let is_same = |found: &[u8]| std::ptr::eq(found, part.bytes) || found == part.bytes;
            if !is_zero(end..start) || !there.is_some_and(is_same) {
                return false;
            }
            end = start + part.bytes.len();
        }
    }
    let whole = end.max(area_min);
    area.len() == whole && is_zero(end..whole)
}

/// The part that `offset` and `length` point at; an empty one may point anywhere.
///
/// A part that begins inside the header or the fixed fields is refused: no sender needs it, and
/// a reader that follows it would take fields for data.
pub(crate) fn part<'a>(
    message: &'a [u8],
    name: &'static str,
    fixed_end: usize,
    offset: usize,
    length: usize,
) -> Result<&'a [u8], Failure<'a>> {
    if length == 0 {
        return Ok(&[]);
    }
    let rest = message.get(offset..).unwrap_or_default();
    if offset < fixed_end {
        return Err(failure(rest, name, ErrorKind::LengthOutOfRange));
    }
    rest.get(..length)
        .ok_or_else(|| failure(rest, name, ErrorKind::LengthOutOfRange))
}

#[cfg(test)]
mod tests {
    use super::{Layout, Part, canonical, is_canonical, part};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_canonical_is_seen_and_nothing_else(
            bytes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 0..4),
            (fixed_end, area_min, align, optional) in (60usize..70, 0usize..6, 1usize..9, any::<bool>()),
            change in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            (longer, moved) in (0usize..2, 0u32..2),
        ) {
            let parts: Vec<Part<'_>> = bytes
                .iter()
                .map(|bytes| Part { bytes, align, zero_when_empty: optional })
                .collect();
            let ours = canonical(fixed_end, area_min, &parts);
            let (mut offsets, mut area) = (ours.offsets.clone(), ours.area.clone());
            area.resize(area.len() + longer, 0);
            if let (Some((at, value)), false) = (change, area.is_empty()) {
                let at = at.index(area.len());
                area[at] = value;
            }
            if let Some(last) = offsets.last_mut() {
                *last += moved;
            }
            let is_same = ours.offsets == offsets && ours.area == area;
            prop_assert_eq!(is_canonical(fixed_end, area_min, &parts, &offsets, &area), is_same);
        }
    }

    #[test]
    fn an_illegal_offset_can_be_sent() {
        let layout = Layout::AsSent {
            offsets: vec![3, 0xFFFF],
            area: vec![9, 9],
        };
        let placed = layout.place(100, 0, &[Part::new(b"ab", 1), Part::new(b"c", 1)]);
        assert_eq!(placed.offset16(0), 3);
        assert_eq!(placed.offset16(1), 0xFFFF);
        assert_eq!(placed.area, [9, 9]);
    }

    #[test]
    fn empty_parts_state_zero_or_their_place() {
        let parts = [Part::optional(&[], 8), Part::new(&[], 8)];
        let placed = Layout::Canonical.place(101, 1, &parts);
        assert_eq!((placed.offset32(0), placed.offset32(1)), (0, 104));
        assert_eq!(placed.area, [0]);
    }

    #[test]
    fn a_part_lies_behind_the_fixed_fields_and_inside_the_message() {
        let message = [7; 100];
        let found = |offset, length| part(&message, "Buffer", 72, offset, length).ok();
        assert_eq!(found(72, 28), Some(&message[72..]));
        assert_eq!(found(71, 1), None);
        assert_eq!(found(0, 8), None);
        assert_eq!(found(73, 28), None);
        assert_eq!(found(usize::MAX, 1), None);
        assert_eq!(found(0, 0), Some(&message[..0]));
    }
}
