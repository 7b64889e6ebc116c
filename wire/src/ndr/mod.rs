//! C706 chapter 14, MS-RPCE 2.2.5: how parameters are marshalled.

/// C706 14.3.4.2: a conformant and varying string of UTF-16 code units, all counts as they came.
///
/// Counts are in code units and include the terminating NUL. The values are open: see
/// [`WideString::is_legal`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
