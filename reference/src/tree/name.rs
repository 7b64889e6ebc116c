//! MS-FSCC 2.1.5 names of peers, and the names on disk behind them.
//!
//! A name on disk is bytes; a name on the wire is UTF-16 without certain characters. So that every
//! file can be seen, opened and backed up, the mapping loses nothing: a byte that cannot stand in
//! a name of the protocol (control characters, `" * : < > ? | \`, bytes that are not UTF-8) is
//! shown as the private character U+F000 plus the byte, and so are the bytes of a character that
//! is itself in U+F000..=U+F0FF. Back, such a character becomes its byte, but only when showing
//! the bytes again gives the same name: nothing else can smuggle in a `/`, a NUL or a `..`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::stream::Suffix;
use super::{TreeError, is_hidden};

/// The longest component on disk, as Linux file systems have it.
pub const COMPONENT_BYTES_MAX: usize = 255;

const PRIVATE_FIRST: u32 = 0xF000;
const PRIVATE_LAST: u32 = 0xF0FF;

fn must_be_shown_as_private(c: char) -> bool {
    c < ' '
        || matches!(c, '"' | '*' | ':' | '<' | '>' | '?' | '|' | '\\')
        || (PRIVATE_FIRST..=PRIVATE_LAST).contains(&u32::from(c))
}

fn push_private(shown: &mut String, byte: u8) {
    shown.extend(char::from_u32(PRIVATE_FIRST + u32::from(byte)));
}

/// The name that a peer sees for a name on disk; never fails and loses nothing.
pub fn name_from_disk(disk: &[u8]) -> String {
    let mut shown = String::with_capacity(disk.len());
    for chunk in disk.utf8_chunks() {
        for c in chunk.valid().chars() {
            if must_be_shown_as_private(c) {
                let mut buffer = [0; 4];
                for byte in c.encode_utf8(&mut buffer).bytes() {
                    push_private(&mut shown, byte);
                }
            } else {
                shown.push(c);
            }
        }
        for byte in chunk.invalid() {
            push_private(&mut shown, *byte);
        }
    }
    shown
}

/// The name on disk for one component that a peer sent.
///
/// # Errors
/// [`TreeError::NameInvalid`] for an empty name, `.`, `..`, a separator, a stream (`:`), a
/// wildcard, a control character, a name over [`COMPONENT_BYTES_MAX`], and a private character
/// that does not stand for a byte which needs it.
pub fn name_to_disk(shown: &str) -> Result<OsString, TreeError> {
    let mut disk = Vec::with_capacity(shown.len());
    for c in shown.chars() {
        let code = u32::from(c);
        if (PRIVATE_FIRST..=PRIVATE_LAST).contains(&code) {
            disk.push(u8::try_from(code - PRIVATE_FIRST).map_err(|_| TreeError::NameInvalid)?);
        } else {
            let mut buffer = [0; 4];
            disk.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
    }
    let reserved = disk.is_empty() || disk == b"." || disk == b"..";
    let separator = disk.iter().any(|byte| matches!(byte, 0 | b'/'));
    if reserved || separator || disk.len() > COMPONENT_BYTES_MAX || name_from_disk(&disk) != shown {
        return Err(TreeError::NameInvalid);
    }
    Ok(OsString::from_vec(disk))
}

/// A path below a share's root, already in names on disk; empty for the root.
///
/// INVARIANT: no component is empty, `.`, `..`, too long, or holds `/` or NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TreePath {
    components: Vec<OsString>,
    pub(super) suffix: Option<Suffix>,
}

impl TreePath {
    /// MS-SMB2 2.2.13: the name of a CREATE request, in UTF-16, relative to the share's root and
    /// separated by backslashes. Empty components are refused, except one at the end (`dir\`).
    ///
    /// # Errors
    /// [`TreeError::NameInvalid`]
    pub fn from_utf16(units: &[u16]) -> Result<Self, TreeError> {
        let text = String::from_utf16(units).map_err(|_| TreeError::NameInvalid)?;
        Self::parse(&text)
    }

    /// As [`TreePath::from_utf16`], from text.
    ///
    /// # Errors
    /// [`TreeError::NameInvalid`]
    pub fn parse(text: &str) -> Result<Self, TreeError> {
        let last = text.rfind('\\').map_or(0, |at| at + 1);
        let colon = text.get(last..).and_then(|name| name.find(':'));
        let (text, suffix) = match colon.and_then(|at| text.split_at_checked(last + at)) {
            Some((text, suffix)) => (text, Some(Suffix::parse(suffix.get(1..).unwrap_or(""))?)),
            None => (text.strip_suffix('\\').unwrap_or(text), None),
        };
        if text.is_empty() {
            return Ok(Self {
                components: Vec::new(),
                suffix,
            });
        }
        let components = text
            .split('\\')
            .map(name_to_disk)
            .collect::<Result<_, _>>()?;
        Ok(Self { components, suffix })
    }

    /// The directory that holds it; nothing for the root.
    pub(crate) fn directory(&self) -> Option<Self> {
        self.split_last().map(|(directory, _)| directory)
    }

    /// The file that has the stream.
    pub(super) fn without_suffix(&self) -> Self {
        Self::from_components(self.components.clone())
    }

    /// The root of the share.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it is the root of the share.
    pub fn is_root(&self) -> bool {
        self.components.is_empty()
    }

    /// The path as a peer writes it.
    pub fn to_text(&self) -> String {
        let names = self
            .components
            .iter()
            .map(|name| name_from_disk(name.as_encoded_bytes()));
        let path = names.collect::<Vec<_>>().join("\\");
        match &self.suffix {
            Some(suffix) => format!("{path}:{}", suffix.text()),
            None => path,
        }
    }

    /// The last component as a peer writes it; empty for the root.
    pub fn file_name(&self) -> String {
        let last = self.components.last();
        last.map(|name| name_from_disk(name.as_encoded_bytes()))
            .unwrap_or_default()
    }

    pub(crate) fn from_components(components: Vec<OsString>) -> Self {
        Self {
            components,
            suffix: None,
        }
    }

    pub(crate) fn components(&self) -> &[OsString] {
        &self.components
    }

    /// The directory that holds it, and its name in there; nothing for the root.
    pub(crate) fn split_last(&self) -> Option<(Self, &OsString)> {
        let (last, parents) = self.components.split_last()?;
        Some((Self::from_components(parents.to_vec()), last))
    }

    /// The path for the kernel, relative to the root.
    pub(crate) fn to_relative(&self) -> PathBuf {
        if self.is_root() {
            return PathBuf::from(".");
        }
        self.components.iter().collect()
    }

    /// Whether it names the directory of shadow copies or something in it.
    pub(crate) fn is_hidden(&self) -> bool {
        self.components
            .iter()
            .any(|name| is_hidden(name.as_encoded_bytes()))
    }
}

/// Equal for names that differ in case only.
pub(super) fn fold(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn every_name_on_disk_can_be_shown_and_found_again(
            disk in proptest::collection::vec(any::<u8>(), 1..=COMPONENT_BYTES_MAX)
        ) {
            let possible = !disk.contains(&0) && !disk.contains(&b'/')
                && disk != b"." && disk != b"..";
            let shown = name_from_disk(&disk);
            prop_assert!(!shown.contains(['"', '*', ':', '<', '>', '?', '|', '\\']));
            prop_assert!(!shown.chars().any(|c| c < ' '));
            match name_to_disk(&shown) {
                Ok(again) => prop_assert_eq!(again.as_encoded_bytes(), &disk[..]),
                Err(_) => prop_assert!(!possible),
            }
        }

        #[test]
        fn a_name_that_is_taken_is_shown_as_it_was_sent(shown in any::<String>()) {
            if let Ok(disk) = name_to_disk(&shown) {
                prop_assert_eq!(name_from_disk(disk.as_encoded_bytes()), shown);
                let bytes = disk.as_encoded_bytes();
                prop_assert!(!bytes.contains(&b'/') && !bytes.contains(&0));
                prop_assert!(bytes != b"." && bytes != b".." && !bytes.is_empty());
            }
        }

        #[test]
        fn private_characters_smuggle_nothing_in(
            shown in proptest::collection::vec(0xF000_u32..=0xF0FF, 1..6)
        ) {
            let shown: String = shown.into_iter().filter_map(char::from_u32).collect();
            if let Ok(disk) = name_to_disk(&shown) {
                let bytes = disk.as_encoded_bytes();
                prop_assert!(!bytes.contains(&b'/') && !bytes.contains(&0) && !bytes.contains(&b'.'));
                prop_assert_eq!(name_from_disk(bytes), shown);
            }
        }

        #[test]
        fn any_utf16_is_a_path_or_an_error(units in proptest::collection::vec(any::<u16>(), 0..40)) {
            if let Ok(path) = TreePath::from_utf16(&units) {
                prop_assert_eq!(TreePath::parse(&path.to_text()).ok(), Some(path.clone()));
                prop_assert!(path.to_relative().is_relative());
            }
        }
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a\0b",
            "file:stream",
            "file::$DATA",
            "a*",
            "a?",
            "a<b",
            "a|b",
            "\u{F02E}",
            "\u{F02E}\u{F02E}",
            ".\u{F02E}",
            "\u{F02F}",
            "\u{F000}",
            "a\u{F041}",
            "\u{F0C3}\u{F0A9}",
            "tab\t",
        ] {
            assert!(name_to_disk(name).is_err(), "{name:?} was taken");
        }
        assert!(name_to_disk(&"a".repeat(256)).is_err());
        assert!(name_to_disk(&"a".repeat(255)).is_ok());
        for path in [
            "a\\:b\\c", "a:b:c", "a:", "..\\a", "a\\..", "a\\\\b", "\\a", "a\\.", "/etc", "a:b\\c",
            "\\\\",
        ] {
            assert!(TreePath::parse(path).is_err(), "{path:?} was taken");
        }
        assert!(TreePath::from_utf16(&[0xD800]).is_err());
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "a", ".profile", "a b", "...", "é", "日本", "name.", "😀", "a'b;c",
        ] {
            assert_eq!(name_to_disk(name).unwrap(), *name);
            assert_eq!(name_from_disk(name.as_bytes()), name);
        }
        assert_eq!(TreePath::parse("a\\b\\").unwrap().to_text(), "a\\b");
        assert_eq!(TreePath::parse("a\\b:S:$DATA").unwrap().to_text(), "a\\b:S");
        assert_eq!(TreePath::parse("a::$data").unwrap().to_text(), "a::$DATA");
        assert!(TreePath::parse(":s").unwrap().stream().is_some());
        assert!(TreePath::parse("").unwrap().is_root());
        assert!(TreePath::parse("a\\.FSRVP-Copies\\x").unwrap().is_hidden());
    }
}
