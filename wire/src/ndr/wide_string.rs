//! C706 14.3.4.2: strings of UTF-16 code units.

use crate::ParseError;
use crate::error::ErrorKind;
use crate::ndr::{Reader, Writer};
use std::fmt;

/// How many code units one string may have; a stub of one fragment holds half as many.
pub const STRING_UNITS_MAX: usize = 0x1_0000;

/// C706 14.3.4.2: a conformant and varying string of UTF-16 code units, all counts as they came.
///
/// Counts are in code units and include the terminating NUL. The values are open: see
/// [`WideString::is_legal`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WideString {
    /// How many units the receiver must have room for.
    pub max_count: u64,
    /// Where the units that travel begin; zero in every legal string.
    pub offset: u64,
    /// How many units travel; it equals the length of `units` in every string that was parsed.
    pub actual_count: u64,
    /// The code units that travel, the terminating NUL included where there is one.
    pub units: Vec<u16>,
}

/// A legal string as its text; any other with its counts, since those are what is wrong with it.
impl fmt::Debug for WideString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_legal() {
            return fmt::Debug::fmt(&self.text(), f);
        }
        f.debug_struct("WideString")
            .field("max_count", &self.max_count)
            .field("offset", &self.offset)
            .field("actual_count", &self.actual_count)
            .field("units", &String::from_utf16_lossy(&self.units))
            .finish()
    }
}

impl WideString {
    /// A legal string with this text and a terminating NUL.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let mut units: Vec<u16> = text.encode_utf16().collect();
        units.push(0);
        let count = units.len() as u64;
        WideString {
            max_count: count,
            offset: 0,
            actual_count: count,
            units,
        }
    }

    /// Reads the three counts and the units that travel.
    ///
    /// # Errors
    /// A count that cannot be read, more units than [`STRING_UNITS_MAX`], or fewer than stated.
    pub fn parse(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, ParseError> {
        let max_count = reader.count(field)?;
        let offset = reader.count(field)?;
        let actual_count = reader.count(field)?;
        let units = match usize::try_from(actual_count) {
            Ok(count) if count <= STRING_UNITS_MAX => reader.units(field, count)?,
            _ => return Err(reader.error(field, ErrorKind::LengthOutOfRange)),
        };
        Ok(WideString {
            max_count,
            offset,
            actual_count,
            units,
        })
    }

    /// Writes the three counts as they stand and the units.
    pub fn emit(&self, writer: &mut Writer) {
        writer.count(self.max_count);
        writer.count(self.offset);
        writer.count(self.actual_count);
        for unit in &self.units {
            writer.u16(*unit);
        }
    }

    /// Reads a unique pointer to a string, where the string follows at once; `None` is NULL.
    ///
    /// # Errors
    /// As for [`WideString::parse`].
    pub fn parse_unique(
        reader: &mut Reader<'_>,
        field: &'static str,
    ) -> Result<Option<Self>, ParseError> {
        match reader.referent(field)? {
            true => WideString::parse(reader, field).map(Some),
            false => Ok(None),
        }
    }

    /// Writes a unique pointer to a string with the string behind it; `None` is NULL.
    pub fn emit_unique(string: Option<&Self>, writer: &mut Writer) {
        writer.referent(string.is_some());
        if let Some(string) = string {
            string.emit(writer);
        }
    }

    /// The text up to the first NUL; units that are no UTF-16 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        let end = self
            .units
            .iter()
            .position(|unit| *unit == 0)
            .unwrap_or(self.units.len());
        String::from_utf16_lossy(self.units.get(..end).unwrap_or_default())
    }

    /// Whether the counts agree, the offset is zero and the last unit is the only NUL.
    #[must_use]
    pub fn is_legal(&self) -> bool {
        self.offset == 0
            && self.actual_count <= self.max_count
            && self.actual_count == self.units.len() as u64
            && self
                .units
                .iter()
                .position(|unit| *unit == 0)
                .map(|at| at + 1)
                == Some(self.units.len())
    }
}
