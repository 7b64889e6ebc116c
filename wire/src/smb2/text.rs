//! Names as they travel: UTF-16 code units, least significant byte first, without terminator.

use crate::error::ErrorKind;
use crate::smb2::codec::{Failure, failure};
use std::fmt;

/// UTF-16 code units as they came; they may hold NULs and lone surrogates.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Utf16(pub Vec<u16>);

impl Utf16 {
    /// The text; units that are no UTF-16 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    /// The text; `None` when the units are no UTF-16.
    #[must_use]
    pub fn strict_text(&self) -> Option<String> {
        String::from_utf16(&self.0).ok()
    }

    /// Whether there is no unit at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The units as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    /// The units of these bytes; `None` when their count is odd.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Utf16> {
        let (pairs, []) = bytes.as_chunks::<2>() else {
            return None;
        };
        Some(Utf16(
            pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect(),
        ))
    }

    /// Like [`Utf16::from_bytes`], as a failure of the field `name`.
    pub(crate) fn read<'a>(bytes: &'a [u8], name: &'static str) -> Result<Utf16, Failure<'a>> {
        Utf16::from_bytes(bytes).ok_or_else(|| failure(bytes, name, ErrorKind::LengthOutOfRange))
    }
}

impl From<&str> for Utf16 {
    fn from(text: &str) -> Self {
        Utf16(text.encode_utf16().collect())
    }
}

impl From<String> for Utf16 {
    fn from(text: String) -> Self {
        Utf16::from(text.as_str())
    }
}

impl fmt::Debug for Utf16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

impl fmt::Display for Utf16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
