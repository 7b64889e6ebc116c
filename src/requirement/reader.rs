//! Reading a TOML file so that an error names the file, the line, the key and the nearest known key.

use serde::de::DeserializeOwned;
use std::fmt;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file as the user knows it.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// What is wrong, in one clause.
    pub what: String,
}

impl FileError {
    /// An error at a line of a file.
    #[must_use]
    pub fn new(file: &str, line: usize, what: impl Into<String>) -> FileError {
        FileError {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{} line {line}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for FileError {}

/// The line of a byte offset, from 1.
#[must_use]
pub fn line_of(text: &str, offset_bytes: usize) -> usize {
    let before = text.as_bytes().get(..offset_bytes).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// The candidate that is most like `name`, unless none is like it at all.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Reads `text` as a `T` that refuses unknown keys; `file` is its name in errors.
///
/// # Errors
/// The first key or value that is wrong, with its line.
pub fn read_toml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FileError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        FileError::new(file, line, in_our_words(error.message()))
    })
}

/// The parser's message on one line; of an unknown key only the nearest known one is named, since
/// the list of all of them helps nobody.
fn in_our_words(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    for (kind, word) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        let Some(rest) = message.strip_prefix(kind) else {
            continue;
        };
        let mut quoted = rest.split('`');
        let name = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.skip(1).step_by(2).collect();
        return match nearest(name, known.iter().copied()) {
            Some(near) => format!("unknown {word} {name}; the nearest known one is {near}"),
            None => format!("unknown {word} {name}; known are {}", known.join(", ")),
        };
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Sample {
        hidden: Option<String>,
        shares: Option<Vec<String>>,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        let error =
            read_toml::<Sample>("t.toml", "shares = []\nhiden = \"x\"\n").expect_err("unknown");
        assert_eq!(
            error.to_string(),
            "t.toml line 2: unknown key hiden; the nearest known one is hidden"
        );
    }

    #[test]
    fn a_key_like_no_other_is_told_what_there_is() {
        let error = read_toml::<Sample>("t.toml", "qqq = 1\n").expect_err("unknown");
        assert_eq!(error.what, "unknown key qqq; known are hidden, shares");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_line() {
        let error = read_toml::<Sample>("t.toml", "\n\nhidden = 3\n").expect_err("wrong kind");
        assert_eq!(error.line, 3);
        assert!(error.what.contains("string"), "{}", error.what);
    }
}
