//! The catalogue of requirements: `cases/requirements.toml`, one entry for each testable rule.
//!
//! **Architectural invariants**
//! - A requirement has one id and is defined once. Cases name ids; an id that the catalogue does
//!   not hold is an error with its file and line.
//! - Files are read here without I/O of its own: whoever has the text hands it in. Only
//!   [`embedded`] knows the texts that are built into the program.

pub mod embedded;
mod reader;

pub use reader::{FileError, line_of, nearest, read_toml};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A requirement's id, such as `FSRVP-3.1.4.4-09`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequirementId(pub String);

impl fmt::Display for RequirementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How strongly the text demands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Allowed, not demanded: an answer is recorded, never judged a failure.
    #[serde(rename = "MAY")]
    May,
    /// Demanded unless there is a reason; not following it is `non-strict`.
    #[serde(rename = "SHOULD")]
    Should,
    /// Demanded; not following it is a failure.
    #[serde(rename = "MUST")]
    Must,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::May => "MAY",
            Level::Should => "SHOULD",
            Level::Must => "MUST",
        })
    }
}

/// Who is bound by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The file server.
    Server,
    /// The application server that makes the calls.
    Client,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Server => "server",
            Role::Client => "client",
        })
    }
}

/// A section number of MS-FSRVP, such as `3.1.4.4`, or of another document, with its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Section(pub String);

impl Section {
    /// Whether this section is `outer` or lies below it.
    #[must_use]
    pub fn is_within(&self, outer: &str) -> bool {
        self.0
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One testable rule of the specification.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The id, never reused.
    pub id: RequirementId,
    /// How strongly the text demands it.
    pub level: Level,
    /// Who is bound by it.
    pub role: Role,
    /// Where the text stands.
    pub section: Section,
    /// The method's name; `any`, `bind` or `timer` where no single method is meant.
    pub method: String,
    /// The situation.
    pub given: String,
    /// What happens.
    pub when: String,
    /// What must come of it.
    pub then: String,
    /// How it was derived, and who is known to differ; may be empty.
    pub note: String,
    /// Whether it can be judged from traffic alone; where nothing is said, it is.
    #[serde(default = "yes")]
    pub passive: bool,
    /// Why it cannot be judged from traffic alone.
    #[serde(default)]
    pub reason: Option<String>,
    /// Why no case judges it; where this stands, none needs to.
    #[serde(default)]
    pub exception: Option<String>,
}

fn yes() -> bool {
    true
}

/// All requirements, found by their id.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    by_id: BTreeMap<RequirementId, Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    requirement: Vec<toml::Spanned<Requirement>>,
}

impl Catalogue {
    /// Reads the text of a catalogue; `file` is its name in errors.
    ///
    /// # Errors
    /// The first key or value that is wrong, or an id that stands twice, with its line.
    pub fn read(file: &str, text: &str) -> Result<Catalogue, FileError> {
        let parsed: File = read_toml(file, text)?;
        let mut by_id = BTreeMap::new();
        for entry in parsed.requirement {
            let line = line_of(text, entry.span().start);
            let requirement = entry.into_inner();
            let id = requirement.id.clone();
            if by_id.insert(id.clone(), requirement).is_some() {
                return Err(FileError::new(
                    file,
                    line,
                    format!("requirement {id} stands twice"),
                ));
            }
        }
        Ok(Catalogue { by_id })
    }

    /// The catalogue that is built into the program.
    ///
    /// # Errors
    /// None for a program whose tests passed: they read this very text.
    pub fn built_in() -> Result<Catalogue, FileError> {
        let text = embedded::text("requirements.toml").unwrap_or_default();
        Catalogue::read("cases/requirements.toml", text)
    }

    /// The requirement with this id.
    #[must_use]
    pub fn get(&self, id: &RequirementId) -> Option<&Requirement> {
        self.by_id.get(id)
    }

    /// All requirements in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.by_id.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The id in the catalogue that is most like `id`.
    #[must_use]
    pub fn nearest(&self, id: &RequirementId) -> Option<&RequirementId> {
        self.by_id
            .keys()
            .min_by_key(|known| strsim::levenshtein(&known.0, &id.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_reads_and_is_not_empty() {
        let catalogue = Catalogue::built_in().expect("it reads");
        assert!(catalogue.len() > 300);
        let id = RequirementId("FSRVP-3.1.4.4-14".to_owned());
        let requirement = catalogue.get(&id).expect("it is there");
        assert_eq!(requirement.level, Level::Must);
        assert_eq!(requirement.section.0, "3.1.4.4");
    }

    #[test]
    fn a_section_lies_within_itself_and_its_parents_only() {
        let section = Section("3.1.4.11".to_owned());
        assert!(section.is_within("3.1.4.11"));
        assert!(section.is_within("3.1"));
        assert!(!section.is_within("3.1.4.1"));
    }

    #[test]
    fn an_id_that_stands_twice_is_named_with_its_line() {
        let entry = "[[requirement]]\nid = \"A-1\"\nlevel = \"MUST\"\nrole = \"server\"\nsection = \"1\"\n\
                     method = \"any\"\ngiven = \"\"\nwhen = \"\"\nthen = \"\"\nnote = \"\"\n";
        let error = Catalogue::read("r.toml", &format!("{entry}{entry}")).expect_err("twice");
        assert_eq!(
            error.to_string(),
            "r.toml line 11: requirement A-1 stands twice"
        );
    }
}
