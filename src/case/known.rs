//! Lists of known deviations: what a target answers in place of what the text demands, and why.

use crate::case::Case;
use crate::requirement::{Catalogue, FileError, RequirementId, line_of, nearest, read_toml};
use fsrvp_wire::fsrvp::{Hresult, Opnum};
use serde::Deserialize;

/// One known deviation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The case it is about; without it, every case that judges one of the requirements.
    pub case: Option<String>,
    /// The requirement that is not followed, or several.
    #[serde(alias = "requirements")]
    pub requirement: OneOrMore,
    /// Only what this method answers.
    pub method: Option<String>,
    /// What comes instead: a code by its name, `fault NUMBER`, `done`, `refused`; or the name of
    /// the out parameter that is not what it must be.
    pub answer: OneOrMore,
    /// Why the target does so.
    pub reason: String,
    /// Where that is written or was seen.
    pub source: String,
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
}

impl OneOrMore {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, more) = match self {
            OneOrMore::One(text) => (Some(text), None),
            OneOrMore::More(texts) => (None, Some(texts)),
        };
        one.into_iter()
            .chain(more.into_iter().flatten())
            .map(String::as_str)
    }
}

impl Deviation {
    /// Whether this entry is about what a step of `case` with this method judges.
    #[must_use]
    pub fn is_about(
        &self,
        case: &str,
        requirements: &[RequirementId],
        method: Option<Opnum>,
    ) -> bool {
        let called = method.and_then(Opnum::name);
        self.case.as_deref().is_none_or(|named| named == case)
            && (self.method.is_none() || self.method.as_deref() == called)
            && requirements
                .iter()
                .any(|id| self.requirement.iter().any(|named| named == id.0))
    }

    /// Whether what came is what the entry says.
    #[must_use]
    pub fn has_answer(&self, actual: &str) -> bool {
        self.answer.iter().any(|wanted| {
            let code = Hresult::from_name(wanted).map(|code| code.to_string());
            let wanted = code.as_deref().unwrap_or(wanted);
            actual
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }

    /// The requirements, for a message.
    #[must_use]
    pub fn names(&self) -> String {
        self.requirement.iter().collect::<Vec<_>>().join(", ")
    }
}

/// All known deviations of one target.
#[derive(Debug, Clone, Default)]
pub struct KnownDeviations {
    entries: Vec<Deviation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "target")]
    _target: String,
    #[serde(default)]
    deviation: Vec<toml::Spanned<Deviation>>,
}

impl KnownDeviations {
    /// Reads a list; `file` is its name in errors. An entry about nothing that `cases` judge is an
    /// error.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(
        file: &str,
        text: &str,
        catalogue: &Catalogue,
        cases: &[Case],
    ) -> Result<KnownDeviations, FileError> {
        let mut entries = Vec::new();
        for (line, entry) in parse(file, text)? {
            check(&entry, catalogue, cases).map_err(|what| FileError::new(file, line, what))?;
            entries.push(entry);
        }
        Ok(KnownDeviations { entries })
    }

    /// Reads a list and passes over the entries about nothing that `cases` judge.
    ///
    /// # Errors
    /// A text that is no list, with its line.
    pub fn read_what_applies(
        file: &str,
        text: &str,
        catalogue: &Catalogue,
        cases: &[Case],
    ) -> Result<KnownDeviations, FileError> {
        let entries = parse(file, text)?
            .into_iter()
            .map(|(_, entry)| entry)
            .filter(|entry| check(entry, catalogue, cases).is_ok())
            .collect();
        Ok(KnownDeviations { entries })
    }

    /// The entry that says `actual` comes of a step of `case` with
    /// this method that judges `requirements`; one that names the case goes before others.
    #[must_use]
    pub fn find(
        &self,
        case: &str,
        requirements: &[RequirementId],
        method: Option<Opnum>,
        actual: &str,
    ) -> Option<&Deviation> {
        self.entries
            .iter()
            .filter(|entry| entry.is_about(case, requirements, method) && entry.has_answer(actual))
            .max_by_key(|entry| entry.case.is_some())
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Deviation] {
        &self.entries
    }
}

/// The entries with their lines.
fn parse(file: &str, text: &str) -> Result<Vec<(usize, Deviation)>, FileError> {
    let parsed: File = read_toml(file, text)?;
    let with_line = |entry: toml::Spanned<Deviation>| {
        let line = line_of(text, entry.span().start);
        (line, entry.into_inner())
    };
    Ok(parsed.deviation.into_iter().map(with_line).collect())
}

fn check(entry: &Deviation, catalogue: &Catalogue, cases: &[Case]) -> Result<(), String> {
    if entry.reason.is_empty() || entry.source.is_empty() {
        return Err(format!(
            "{}: reason and source must say something",
            entry.names()
        ));
    }
    for name in entry.requirement.iter() {
        let id = RequirementId(name.to_owned());
        if catalogue.get(&id).is_none() {
            return Err(match catalogue.nearest(&id) {
                Some(near) => format!("unknown requirement {id}; the nearest known one is {near}"),
                None => format!("unknown requirement {id}"),
            });
        }
    }
    if let Some(method) = &entry.method
        && Opnum::from_name(method).is_none()
    {
        let known = Opnum::ALL.iter().filter_map(|opnum| opnum.name());
        let near = nearest(method, known).unwrap_or("any of the 13");
        return Err(format!(
            "unknown method {method}; the nearest known one is {near}"
        ));
    }
    if let Some(name) = &entry.case
        && !cases.iter().any(|case| &case.id == name)
    {
        return Err(
            match nearest(name, cases.iter().map(|case| case.id.as_str())) {
                Some(near) => format!("unknown case {name}; the nearest known one is {near}"),
                None => format!("unknown case {name}"),
            },
        );
    }
    let is_judged = cases.iter().any(|case| {
        case.steps.iter().any(|step| {
            step.expect
                .as_ref()
                .is_some_and(|expect| entry.is_about(&case.id, &expect.requirements, step.method()))
        })
    });
    match is_judged {
        true => Ok(()),
        false => Err(format!("{}: no such step is judged", entry.names())),
    }
}
