//! MS-DTYP 2.3.3 FILETIME: time on the wire.

use crate::smb2::codec::newtype;

/// From 1601-01-01 to 1970-01-01, in seconds.
const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;

/// How many steps of 100 nanoseconds a second has.
const TICKS_PER_SECOND: i64 = 10_000_000;

/// MS-DTYP 2.3.3: steps of 100 nanoseconds since 1601-01-01 UTC, in 64 bits.
///
/// In SET_INFO zero means "leave it", and all ones and its neighbour (-1, -2) have meanings of
/// their own (MS-FSCC 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileTime(pub u64);

newtype!(FileTime(u64));

impl FileTime {
    /// "Not given" and, when set, "leave it".
    pub const ZERO: FileTime = FileTime(0);

    /// The time this many seconds and nanoseconds after 1970-01-01 UTC; nanoseconds are cut to
    /// steps of 100. `None` before 1601 and beyond what fits.
    #[must_use]
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<FileTime> {
        let ticks = seconds
            .checked_add(UNIX_EPOCH_SECONDS)?
            .checked_mul(TICKS_PER_SECOND)?
            .checked_add(i64::from(nanos / 100))?;
        u64::try_from(ticks).ok().map(FileTime)
    }

    /// Seconds and nanoseconds since 1970-01-01 UTC; `None` where the top bit is set, which no
    /// time has.
    #[must_use]
    pub fn to_unix(self) -> Option<(i64, u32)> {
        let ticks = i64::try_from(self.0).ok()?;
        let seconds = ticks / TICKS_PER_SECOND - UNIX_EPOCH_SECONDS;
        let nanos = u32::try_from(ticks % TICKS_PER_SECOND).ok()? * 100;
        Some((seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::FileTime;
    use proptest::prelude::*;

    #[test]
    fn the_unix_epoch_is_where_ms_dtyp_has_it() {
        let epoch = FileTime(116_444_736_000_000_000);
        assert_eq!(FileTime::from_unix(0, 0), Some(epoch));
        assert_eq!(epoch.to_unix(), Some((0, 0)));
        assert_eq!(FileTime(0).to_unix(), Some((-11_644_473_600, 0)));
        assert_eq!(FileTime::from_unix(-11_644_473_601, 0), None);
        assert_eq!(FileTime(u64::MAX).to_unix(), None);
    }

    proptest! {
        #[test]
        fn unix_time_and_back(ticks in 0..i64::MAX.unsigned_abs()) {
            let (seconds, nanos) = FileTime(ticks).to_unix().unwrap();
            prop_assert_eq!(FileTime::from_unix(seconds, nanos), Some(FileTime(ticks)));
        }
    }
}
