//! `fsrvp diff`: two ledgers side by side, and what differs between them.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

/// The longest ledger that is read, in bytes.
const LEDGER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The file.
    #[error("{path}: {source}; give the path of a ledger")]
    Io {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// What stands in it.
    #[error("{path} line {line}: {what}; give what `fsrvp check --format json` wrote")]
    NoLedger {
        /// Its path.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// What is read of a ledger.
#[derive(Debug, Clone, Deserialize)]
struct Read {
    fsrvp: String,
    target: Target,
    seed: u64,
    outcomes: Vec<ReadOutcome>,
    /// Not in ledgers of versions that did not tell of requirements.
    requirements: Option<Vec<ReadRequirement>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    name: String,
    profile: String,
}

#[derive(Debug, Clone, Deserialize)]
struct ReadOutcome {
    case: String,
    verdict: String,
    actual: String,
}

#[derive(Debug, Clone, Deserialize)]
struct ReadRequirement {
    requirement: String,
    verdict: Option<String>,
}

/// Where one side of a comparison comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The file.
    pub file: String,
    /// The version that wrote it.
    pub fsrvp: String,
    /// The server that was judged.
    pub target: String,
    /// The profile it was judged by.
    pub profile: String,
    /// What the run's ids were made from.
    pub seed: u64,
}

/// What a case came to on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Came {
    /// The verdict.
    pub verdict: String,
    /// What came in the step that decided.
    pub actual: String,
}

/// One case that differs; a side that did not play it is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseRow {
    /// The case.
    pub case: String,
    /// In the first ledger.
    pub a: Option<Came>,
    /// In the second.
    pub b: Option<Came>,
}

/// One requirement whose verdict differs; `None` where a side did not judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementRow {
    /// The requirement.
    pub requirement: String,
    /// In the first ledger.
    pub a: Option<String>,
    /// In the second.
    pub b: Option<String>,
}

/// Two ledgers side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Why the two can be compared only in part.
    pub notes: Vec<String>,
    /// How many cases are the same in both.
    pub same: usize,
    /// The cases that differ, in the order of their ids.
    pub cases: Vec<CaseRow>,
    /// The requirements that differ, in the order of their ids.
    pub requirements: Vec<RequirementRow>,
}

impl Diff {
    /// Whether verdicts or answers differ, or one side played what the other did not.
    #[must_use]
    pub fn differs(&self) -> bool {
        !(self.cases.is_empty() && self.requirements.is_empty())
    }

    /// The differences as a table.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // A writer to a string never fails.
        for (name, side) in [("A", &self.a), ("B", &self.b)] {
            let _ = writeln!(
                out,
                "{name}  {}: {} ({}), fsrvp {}, seed {}",
                side.file, side.target, side.profile, side.fsrvp, side.seed
            );
        }
        for note in &self.notes {
            let _ = writeln!(out, "note: {note}");
        }
        if !self.cases.is_empty() {
            let _ = writeln!(out, "\n{:12}  {:12}  case", "A", "B");
        }
        for row in &self.cases {
            let verdict = |came: &Option<Came>| match came {
                Some(came) => came.verdict.clone(),
                None => NOT_THERE.to_owned(),
            };
            let (a, b) = (verdict(&row.a), verdict(&row.b));
            let _ = writeln!(out, "{a:12}  {b:12}  {}", row.case);
            if let (Some(a), Some(b)) = (&row.a, &row.b)
                && a.actual != b.actual
            {
                let _ = writeln!(out, "{:28}  {} | {}", "", a.actual, b.actual);
            }
        }
        if !self.requirements.is_empty() {
            let _ = writeln!(out, "\n{:12}  {:12}  requirement", "A", "B");
        }
        for row in &self.requirements {
            let verdict = |side: &Option<String>| side.as_deref().unwrap_or(NOT_THERE).to_owned();
            let (a, b) = (verdict(&row.a), verdict(&row.b));
            let _ = writeln!(out, "{a:12}  {b:12}  {}", row.requirement);
        }
        let _ = writeln!(
            out,
            "\n{} cases differ, {} are the same; {} requirements differ",
            self.cases.len(),
            self.same,
            self.requirements.len()
        );
        out
    }
}

/// What stands in a table for a side without a verdict.
const NOT_THERE: &str = "-";

/// Compares the ledgers of two files.
///
/// # Errors
/// A file that cannot be read or holds no ledger, with its line.
pub fn diff(a: &Path, b: &Path) -> Result<Diff, DiffError> {
    let (of_a, of_b) = (read(a)?, read(b)?);
    let by_case = |read: &Read| -> BTreeMap<String, Came> {
        let cases = read.outcomes.iter().map(|outcome| {
            let came = Came {
                verdict: outcome.verdict.clone(),
                actual: outcome.actual.clone(),
            };
            (outcome.case.clone(), came)
        });
        cases.collect()
    };
    let (cases_a, cases_b) = (by_case(&of_a), by_case(&of_b));
    let names: BTreeSet<&String> = cases_a.keys().chain(cases_b.keys()).collect();
    let cases: Vec<CaseRow> = names
        .iter()
        .map(|case| CaseRow {
            case: (*case).clone(),
            a: cases_a.get(*case).cloned(),
            b: cases_b.get(*case).cloned(),
        })
        .filter(|row| row.a != row.b)
        .collect();
    Ok(Diff {
        notes: notes(&of_a, &of_b, &cases),
        same: names.len() - cases.len(),
        cases,
        requirements: requirements(&of_a, &of_b),
        a: side(a, &of_a),
        b: side(b, &of_b),
    })
}

fn read(path: &Path) -> Result<Read, DiffError> {
    let name = path.display().to_string();
    let fail = |source| DiffError::Io {
        path: name.clone(),
        source,
    };
    if fs::metadata(path).map_err(fail)?.len() > LEDGER_BYTES_MAX {
        let what = format!("longer than {LEDGER_BYTES_MAX} bytes");
        return Err(fail(io::Error::other(what)));
    }
    let bytes = fs::read(path).map_err(fail)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let what = error.to_string();
        // The place stands in front already.
        let what = what.split(" at line ").next().unwrap_or(&what).to_owned();
        DiffError::NoLedger {
            path: name.clone(),
            line: error.line(),
            what,
        }
    })
}

fn side(path: &Path, read: &Read) -> Side {
    Side {
        file: path.display().to_string(),
        fsrvp: read.fsrvp.clone(),
        target: read.target.name.clone(),
        profile: read.target.profile.clone(),
        seed: read.seed,
    }
}

/// What keeps the two from being compared whole.
fn notes(a: &Read, b: &Read, cases: &[CaseRow]) -> Vec<String> {
    let mut notes = Vec::new();
    if a.fsrvp != b.fsrvp {
        notes.push(format!(
            "written by different versions, {} and {}: a case may have changed",
            a.fsrvp, b.fsrvp
        ));
    }
    if a.target.profile != b.target.profile {
        notes.push(format!(
            "judged by different profiles, {} and {}",
            a.target.profile, b.target.profile
        ));
    }
    let only_a = cases.iter().filter(|row| row.b.is_none()).count();
    let only_b = cases.iter().filter(|row| row.a.is_none()).count();
    if only_a + only_b > 0 {
        notes.push(format!(
            "different cases: {only_a} only in A, {only_b} only in B"
        ));
    }
    if a.requirements.is_none() || b.requirements.is_none() {
        notes.push("a ledger tells nothing of requirements: those are not compared".to_owned());
    }
    notes
}

/// The requirements whose verdicts differ, where both sides tell of them.
fn requirements(a: &Read, b: &Read) -> Vec<RequirementRow> {
    let (Some(of_a), Some(of_b)) = (&a.requirements, &b.requirements) else {
        return Vec::new();
    };
    let by_id = |all: &[ReadRequirement]| -> BTreeMap<String, Option<String>> {
        let all = all.iter();
        all.map(|one| (one.requirement.clone(), one.verdict.clone()))
            .collect()
    };
    let (of_a, of_b) = (by_id(of_a), by_id(of_b));
    let ids: BTreeSet<&String> = of_a.keys().chain(of_b.keys()).collect();
    ids.into_iter()
        .map(|id| RequirementRow {
            requirement: id.clone(),
            a: of_a.get(id).cloned().flatten(),
            b: of_b.get(id).cloned().flatten(),
        })
        .filter(|row| row.a != row.b)
        .collect()
}
