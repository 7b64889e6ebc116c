//! Lists of known deviations: what a target answers in place of what the text demands, and why.

use crate::case::Case;
use crate::requirement::{Catalogue, FileError, RequirementId, line_of, nearest, read_toml};
use fsrvp_wire::fsrvp::Hresult;
use serde::Deserialize;

/// One known deviation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The case it is about; without it, every case that judges the requirement.
    pub case: Option<String>,
    /// The requirement that is not followed.
    pub requirement: RequirementId,
    /// What comes instead: a code by its name, `fault NUMBER`, `done`, `refused`; or the name of
    /// the out parameter that is not what it must be.
    pub answer: Answers,
    /// Why the target does so.
    pub reason: String,
    /// Where that is written or was seen.
    pub source: String,
}

/// One answer or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Answers {
    /// One.
    One(String),
    /// Any of these.
    AnyOf(Vec<String>),
}

impl Deviation {
    /// Whether this entry is about what `case` judges with one of `requirements`.
    #[must_use]
    pub fn is_about(&self, case: &str, requirements: &[RequirementId]) -> bool {
        self.case.as_deref().is_none_or(|named| named == case)
            && requirements.contains(&self.requirement)
    }

    /// Whether what came is what the entry says.
    #[must_use]
    pub fn has_answer(&self, actual: &str) -> bool {
        let is = |wanted: &String| {
            let code = Hresult::from_name(wanted).map(|code| code.to_string());
            let wanted = code.as_deref().unwrap_or(wanted);
            actual
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        match &self.answer {
            Answers::One(wanted) => is(wanted),
            Answers::AnyOf(wanted) => wanted.iter().any(is),
        }
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
    /// Reads a list; `file` is its name in errors. With `cases`, an entry about a case or a
    /// requirement that is not there is an error.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(
        file: &str,
        text: &str,
        catalogue: &Catalogue,
        cases: &[Case],
    ) -> Result<KnownDeviations, FileError> {
        let parsed: File = read_toml(file, text)?;
        let mut entries = Vec::new();
        for entry in parsed.deviation {
            let line = line_of(text, entry.span().start);
            let entry = entry.into_inner();
            check(&entry, catalogue, cases).map_err(|what| FileError::new(file, line, what))?;
            entries.push(entry);
        }
        Ok(KnownDeviations { entries })
    }

    /// The entry about what `case` judges with one of `requirements`; one that names the case
    /// goes before one that does not.
    #[must_use]
    pub fn find(&self, case: &str, requirements: &[RequirementId]) -> Option<&Deviation> {
        self.entries
            .iter()
            .filter(|entry| entry.is_about(case, requirements))
            .max_by_key(|entry| entry.case.is_some())
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Deviation] {
        &self.entries
    }
}

fn check(entry: &Deviation, catalogue: &Catalogue, cases: &[Case]) -> Result<(), String> {
    let id = &entry.requirement;
    if catalogue.get(id).is_none() {
        return Err(match catalogue.nearest(id) {
            Some(near) => format!("unknown requirement {id}; the nearest known one is {near}"),
            None => format!("unknown requirement {id}"),
        });
    }
    if entry.reason.is_empty() || entry.source.is_empty() {
        return Err(format!("{id}: reason and source must say something"));
    }
    let is_judged = |case: &Case| case.requirements().contains(id);
    match &entry.case {
        Some(name) => match cases.iter().find(|case| &case.id == name) {
            Some(case) if is_judged(case) => Ok(()),
            Some(_) => Err(format!("case {name} does not judge {id}")),
            None => Err(
                match nearest(name, cases.iter().map(|case| case.id.as_str())) {
                    Some(near) => format!("unknown case {name}; the nearest known one is {near}"),
                    None => format!("unknown case {name}"),
                },
            ),
        },
        None if cases.iter().any(is_judged) => Ok(()),
        None => Err(format!("no case judges {id}")),
    }
}
