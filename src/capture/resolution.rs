//! Interfaces of a pcapng file whose clocks are finer than a nanosecond.
//!
//! The option if_tsresol may state up to 10^-127 or 2^-127 seconds; the reader below stops at what
//! a nanosecond holds. Such an interface is shown to it as one that counts nanoseconds, and the
//! times of its packets are put right here.

use pcap_file::Endianness;
use pcap_file::pcapng::blocks::{INTERFACE_DESCRIPTION_BLOCK, SECTION_HEADER_BLOCK};
use std::borrow::Cow;
use std::time::Duration;

/// Type, length, link type, reserved, snap length: then come the options.
const OPTIONS_AT: usize = 16;

/// The option that states the resolution of an interface's clock.
const IF_TSRESOL: u16 = 9;

/// The bit of its value that says that the exponent is one of 2.
const BINARY: u8 = 0x80;

/// The finest exponents that the reader takes.
const DECIMAL_MAX: u8 = 9;
const BINARY_MAX: u8 = 29;

/// The clocks of a section's interfaces, in order; `None` where the reader takes them as they are.
#[derive(Default)]
pub(super) struct Resolutions {
    finer: Vec<Option<u8>>,
}

impl Resolutions {
    /// Takes the next block of the file, and gives what to show of it to the reader.
    pub(super) fn block<'a>(&mut self, unit: &'a [u8], endianness: Endianness) -> Cow<'a, [u8]> {
        let kind = u32_at(unit, endianness);
        // The number of a section header reads the same in both orders.
        if kind == Some(SECTION_HEADER_BLOCK) {
            self.finer.clear();
        }
        if kind != Some(INTERFACE_DESCRIPTION_BLOCK) {
            return Cow::Borrowed(unit);
        }
        let place = resolution_at(unit, endianness);
        let value = place.and_then(|place| unit.get(place).copied());
        let finer = value.filter(|value| match value & BINARY {
            0 => *value > DECIMAL_MAX,
            _ => value & !BINARY > BINARY_MAX,
        });
        self.finer.push(finer);
        let mut shown = Cow::Borrowed(unit);
        if finer.is_some()
            && let Some(value) = place.and_then(|place| shown.to_mut().get_mut(place))
        {
            *value = DECIMAL_MAX;
        }
        shown
    }

    /// The true time of a packet of an interface whose clock has that offset in seconds.
    pub(super) fn correct(&self, interface: usize, read: Duration, offset_s: i64) -> Duration {
        let Some(value) = self.finer.get(interface).copied().flatten() else {
            return read;
        };
        let offset = Duration::from_secs(offset_s.unsigned_abs());
        let counted = match offset_s < 0 {
            true => read.saturating_add(offset),
            false => read.saturating_sub(offset),
        };
        let counted = counted.as_nanos();
        let exponent = u32::from(value & !BINARY);
        let nanoseconds = match value & BINARY {
            0 => 10_u128
                .checked_pow(exponent.saturating_sub(9))
                .map_or(0, |divisor| counted / divisor),
            _ => counted
                .saturating_mul(1_000_000_000)
                .checked_shr(exponent)
                .unwrap_or(0),
        };
        let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        match offset_s < 0 {
            true => time.saturating_sub(offset),
            false => time.saturating_add(offset),
        }
    }
}

fn u32_at(bytes: &[u8], endianness: Endianness) -> Option<u32> {
    let bytes = bytes.first_chunk()?;
    Some(match endianness {
        Endianness::Big => u32::from_be_bytes(*bytes),
        Endianness::Little => u32::from_le_bytes(*bytes),
    })
}

/// Where the value of if_tsresol stands in an interface description.
fn resolution_at(unit: &[u8], endianness: Endianness) -> Option<usize> {
    let mut at = OPTIONS_AT;
    loop {
        let head: [u8; 4] = unit.get(at..at.checked_add(4)?)?.try_into().ok()?;
        let [a, b, c, d] = head;
        let (code, length) = match endianness {
            Endianness::Big => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
            Endianness::Little => (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])),
        };
        match (code, length) {
            (0, _) => return None,
            (IF_TSRESOL, 1) => return Some(at + 4),
            (_, length) => at += 4 + usize::from(length).next_multiple_of(4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A little-endian interface description: a name of three letters, then the resolution.
    fn interface(resolution: u8) -> Vec<u8> {
        let mut unit = vec![1, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        unit.extend([2, 0, 3, 0, b'l', b'a', b'n', 0]);
        unit.extend([9, 0, 1, 0, resolution, 0, 0, 0]);
        unit.extend([0, 0, 0, 0, 40, 0, 0, 0]);
        unit
    }

    #[test]
    fn what_the_reader_takes_is_shown_as_it_is() {
        let mut clocks = Resolutions::default();
        for value in [0, 6, 9, BINARY, BINARY | 29] {
            let unit = interface(value);
            assert_eq!(*clocks.block(&unit, Endianness::Little), *unit);
        }
        let read = Duration::from_millis(1500);
        assert_eq!(clocks.correct(4, read, 7), read);
        assert_eq!(clocks.correct(99, read, 0), read);
    }

    #[test]
    fn a_finer_clock_is_shown_as_nanoseconds_and_put_right() {
        let mut clocks = Resolutions::default();
        for value in [12, BINARY | 40, 127] {
            let unit = interface(value);
            assert_eq!(*clocks.block(&unit, Endianness::Little), *interface(9));
        }
        let counted = Duration::from_nanos(2_500_000_000_000);
        assert_eq!(clocks.correct(0, counted, 0), Duration::from_millis(2500));
        // The reader has added or taken away the offset already.
        let hour = Duration::from_secs(3600);
        let later = Duration::from_millis(2500) + hour;
        assert_eq!(clocks.correct(0, counted + hour, 3600), later);
        let counted = Duration::from_nanos(3 << 39);
        assert_eq!(clocks.correct(1, counted, 0), Duration::from_millis(1500));
        assert_eq!(clocks.correct(2, counted, 0), Duration::ZERO);
    }

    #[test]
    fn a_new_section_has_interfaces_of_its_own() {
        let mut clocks = Resolutions::default();
        clocks.block(&interface(12), Endianness::Little);
        clocks.block(&[0x0a, 0x0d, 0x0d, 0x0a], Endianness::Little);
        let read = Duration::from_secs(5);
        assert_eq!(clocks.correct(0, read, 0), read);
    }
}
