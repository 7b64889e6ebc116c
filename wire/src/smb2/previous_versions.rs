//! MS-SMB2 2.2.32.2 SRV_SNAPSHOT_ARRAY: the times of which a file has previous versions.
//!
//! A time is named by a token, `@GMT-YYYY.MM.DD-HH.MM.SS` in UTC (MS-SMB2 1.1, *@GMT token*), to
//! the second. A client may put a token into a path as well.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, fail, field, run};
use crate::smb2::fscc::FileTime;
use nom::bytes::complete::take;
use nom::number::complete::le_u32;

/// MS-SMB2 3.3.5.15.1: the least room for output that a request may state.
pub const OUTPUT_LEN_MIN: u32 = 16;

/// How many bytes of names one answer may have.
pub const NAMES_LEN_MAX: u32 = 0x10_0000;

/// 100 ns steps in a second.
const TICKS: u64 = 10_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// MS-SMB2 2.2.32.2 SRV_SNAPSHOT_ARRAY Response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotArray {
    /// `NumberOfSnapShots`: how many there are.
    pub number: u32,
    /// `NumberOfSnapShotsReturned`: how many of them follow.
    pub number_returned: u32,
    /// `SnapShotArraySize`: the length of the names, or the room that they would need.
    pub array_size: u32,
    /// The names, each with a NUL behind it, and one more NUL at the end.
    pub names: Vec<u16>,
}

impl SnapshotArray {
    /// The answer to a client that has room for `room` bytes: all names, or how much room they
    /// need.
    #[must_use]
    pub fn of(times: &[FileTime], room: u32) -> SnapshotArray {
        let mut names: Vec<u16> = times
            .iter()
            .filter_map(|time| gmt_token(*time))
            .flat_map(|token| token.encode_utf16().chain([0]).collect::<Vec<_>>())
            .collect();
        let number = u32::try_from(times.len()).unwrap_or(u32::MAX);
        if !names.is_empty() {
            names.push(0);
        }
        let array_size = u32::try_from(names.len().saturating_mul(2)).unwrap_or(u32::MAX);
        let fits = array_size.saturating_add(12) <= room;
        if !fits {
            names.clear();
        }
        SnapshotArray {
            number,
            number_returned: if fits { number } else { 0 },
            array_size,
            names,
        }
    }

    /// The tokens that it names.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.names
            .split(|unit| *unit == 0)
            .filter(|name| !name.is_empty())
            .map(String::from_utf16_lossy)
            .collect()
    }

    /// Reads the output of the control; what follows the names is left.
    ///
    /// # Errors
    /// The first field that could not be read.
    pub fn parse(bytes: &[u8]) -> Result<SnapshotArray, ParseError> {
        run(Layer::Smb2, bytes, Self::read).map(|(array, _)| array)
    }

    fn read(bytes: &[u8]) -> PResult<'_, SnapshotArray> {
        use nom::Parser as _;
        let (rest, number) = field("NumberOfSnapShots", le_u32).parse(bytes)?;
        let (rest, number_returned) = field("NumberOfSnapShotsReturned", le_u32).parse(rest)?;
        let (rest, array_size) = field("SnapShotArraySize", le_u32).parse(rest)?;
        let (rest, units) = match number_returned {
            0 => (rest, [].as_slice()),
            _ if array_size > NAMES_LEN_MAX => return fail(rest, ErrorKind::LengthOutOfRange),
            _ => field("SnapShots", take(array_size)).parse(rest)?,
        };
        let (pairs, _) = units.as_chunks::<2>();
        let array = SnapshotArray {
            number,
            number_returned,
            array_size,
            names: pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect(),
        };
        Ok((rest, array))
    }

    /// The output of the control, 16 bytes at least.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.u32(self.number)
            .u32(self.number_returned)
            .u32(self.array_size)
            .utf16(&self.names);
        let least = usize::try_from(OUTPUT_LEN_MIN).unwrap_or(0);
        let missing = least.saturating_sub(out.len());
        out.zeros(missing);
        out.into_bytes()
    }
}

/// The token of a time; `None` where its year has not four digits.
#[must_use]
pub fn gmt_token(time: FileTime) -> Option<String> {
    let (seconds, _) = time.to_unix()?;
    let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    (1000..=9999).contains(&year).then(|| {
        format!(
            "@GMT-{year:04}.{month:02}.{day:02}-{hour:02}.{minute:02}.{:02}",
            second % 60
        )
    })
}

/// The time that a token names.
#[must_use]
pub fn time_of_token(token: &str) -> Option<FileTime> {
    let (date, clock) = token.strip_prefix("@GMT-")?.split_once('-')?;
    let [year, month, day] = numbers(date, [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, [2, 2, 2])?;
    let days = days(year, month, day);
    let is_real = civil(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    is_real.then(|| FileTime::from_unix(seconds, 0)).flatten()
}

/// The time to the second, as a token names it.
#[must_use]
pub fn to_the_second(time: FileTime) -> FileTime {
    FileTime(time.0 - time.0 % TICKS)
}

/// Three numbers with dots between them, of as many digits each.
fn numbers(text: &str, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split('.');
    let mut values = [0; 3];
    for (value, digits) in values.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        *value = is_number.then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(values)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times_have_their_tokens() {
        for (seconds, token) in [
            (0, "@GMT-1970.01.01-00.00.00"),
            (951_827_696, "@GMT-2000.02.29-12.34.56"),
            (1_795_406_400, "@GMT-2026.11.23-04.00.00"),
        ] {
            let time = FileTime::from_unix(seconds, 0).expect("a time");
            assert_eq!(gmt_token(time).as_deref(), Some(token));
            assert_eq!(time_of_token(token), Some(time));
        }
    }

    #[test]
    fn what_is_no_token_names_no_time() {
        for text in [
            "",
            "@GMT-",
            "@GMT-2026.11.23",
            "@GMT-2026.13.01-00.00.00",
            "@GMT-2026.02.30-00.00.00",
            "@GMT-2026.02.03-24.00.00",
            "@GMT-2026.2.3-00.00.00",
            "@GMT-2026.02.03-00.00.00.00",
            "@GMT-+026.02.03-00.00.00",
            "@gmt-2026.02.03-00.00.00",
        ] {
            assert_eq!(time_of_token(text), None, "{text}");
        }
    }

    #[test]
    fn names_that_do_not_fit_are_counted() {
        let times = [FileTime::from_unix(0, 0).expect("a time"); 2];
        let array = SnapshotArray::of(&times, 16);
        assert_eq!((array.number, array.number_returned), (2, 0));
        assert_eq!(array.array_size, 102);
        assert_eq!(array.emit().len(), 16);
        let whole = SnapshotArray::of(&times, 114);
        assert_eq!(whole.tokens().len(), 2);
        assert_eq!(SnapshotArray::parse(&whole.emit()), Ok(whole));
        let none = SnapshotArray::of(&[], 16);
        assert_eq!((none.number, none.array_size), (0, 0));
    }

    proptest! {
        #[test]
        fn a_token_names_the_time_that_it_was_made_of(seconds in -11_000_000_000_i64..250_000_000_000) {
            let time = FileTime::from_unix(seconds, 0).expect("a time");
            let token = gmt_token(time).expect("a token");
            prop_assert_eq!(time_of_token(&token), Some(time));
        }

        #[test]
        fn bytes_that_parse_parse_again(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(array) = SnapshotArray::parse(&bytes) {
                let again = SnapshotArray::parse(&array.emit()).expect("it was emitted");
                prop_assert_eq!(again.tokens(), array.tokens());
            }
        }
    }
}
