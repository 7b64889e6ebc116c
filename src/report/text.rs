//! The report for a terminal.

use crate::outcome::{Ledger, Outcome, StepRecord, Took, Verdict};
use crate::report::Detail;
use crate::report::visible::{any_of, named, visible};
use crate::requirement::{Catalogue, RequirementId};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// All lines of a ledger and its totals.
pub(super) fn render(ledger: &Ledger, catalogue: &Catalogue, detail: Detail) -> String {
    let mut out = String::new();
    for outcome in &ledger.outcomes {
        out += &line(outcome, catalogue, detail);
    }
    out += &totals(ledger);
    out
}

/// How many cases of one cause a text names; JSON has all.
const CASES_SHOWN_MAX: usize = 5;

/// What stands behind the failures, below an empty line; nothing where none was seen.
fn causes(ledger: &Ledger) -> String {
    let mut out = String::new();
    for (n, cause) in ledger.causes().iter().enumerate() {
        if n == 0 {
            out += "\ncauses:\n";
        }
        let ids: Vec<&str> = cause.requirements.iter().map(|id| id.0.as_str()).collect();
        let expected = match cause.expected.as_slice() {
            [] => String::new(),
            expected => format!("expected {}, came ", expected.join(" or ")),
        };
        let _ = writeln!(
            out,
            "{:12} {}: {expected}{}",
            cause.verdict.as_str(),
            ids.join(" "),
            cause.actual,
        );
        let shown: Vec<&str> = cause
            .cases
            .iter()
            .take(CASES_SHOWN_MAX)
            .map(String::as_str)
            .collect();
        let more = match cause.cases.len().saturating_sub(CASES_SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(out, "             in {}{more}", shown.join(", "));
    }
    out
}

/// What stands behind the failures and what the outcomes add up to, each below an empty line.
#[must_use]
pub fn totals(ledger: &Ledger) -> String {
    let mut out = causes(ledger);
    let counts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| (verdict, ledger.summary.count(*verdict)))
        .filter(|(verdict, count)| *count > 0 || **verdict == Verdict::Fail)
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    let requirements = ledger.summary.requirements;
    let _ = writeln!(
        out,
        "\n{} ({}): {} cases: {}; {} of {} requirements judged; seed {}",
        ledger.target.name,
        ledger.target.profile,
        ledger.outcomes.len(),
        counts.join(", "),
        requirements.judged,
        requirements.total,
        ledger.seed,
    );
    if let Some(lives) = &ledger.lifecycles {
        let _ = writeln!(
            out,
            "generated: {} lifecycles with {} calls: {} failed; {} requirements judged",
            lives.count,
            lives.calls(),
            lives.failed,
            lives.requirements.len(),
        );
    }
    if let Some(took) = &ledger.took {
        let _ = writeln!(out, "{}", time(took));
    }
    if let (true, count @ 1..) = (ledger.strict, ledger.summary.count(Verdict::NonStrict)) {
        let _ = writeln!(out, "strict: {count} non-strict count as failures");
    }
    visible(&out).into_owned()
}

/// How long a run took, in a sentence.
pub(super) fn time(took: &Took) -> String {
    format!(
        "took {}.{:03} s; {} % of that is this program's own work, the rest is waiting for the server",
        took.wall_ms / 1000,
        took.wall_ms % 1000,
        took.own_percent(),
    )
}

/// The lines of one case: verdict, id, requirements with their sections; below it what was
/// expected and what came, where it is not a pass; and its steps, where `detail` asks for them.
#[must_use]
pub fn line(outcome: &Outcome, catalogue: &Catalogue, detail: Detail) -> String {
    let mut out = head(outcome, catalogue);
    if detail == Detail::Steps {
        for record in &outcome.steps {
            out += &step(record);
        }
    }
    visible(&out).into_owned()
}

/// What was done and what came; below it what is permitted, where the step judges something, and
/// what it came to, where that is not a pass.
fn step(record: &StepRecord) -> String {
    let mut out = String::new();
    let (n, came) = (record.step, named(&record.actual));
    let _ = writeln!(out, "             {n:>3}. {}: {came}", record.action);
    if !record.expected.is_empty() {
        let ids: Vec<&str> = record.requirements.iter().map(|id| id.0.as_str()).collect();
        let judges = match ids.as_slice() {
            [] => String::new(),
            ids => format!("  [{}]", ids.join(" ")),
        };
        let permitted = any_of(&record.expected);
        let _ = writeln!(out, "                  permitted {permitted}{judges}");
    }
    if record.verdict != Verdict::Pass {
        let mut said = record.message.lines();
        let first = said.next().unwrap_or("");
        let _ = writeln!(out, "                  {}: {first}", record.verdict);
        for line in said {
            let _ = writeln!(out, "                  {line}");
        }
    }
    out
}

fn head(outcome: &Outcome, catalogue: &Catalogue) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:12} {}  [{}]",
        outcome.verdict.as_str(),
        outcome.case,
        requirements(&outcome.requirements, catalogue)
    );
    if outcome.verdict == Verdict::Pass && outcome.message.is_empty() {
        return out;
    }
    if outcome.verdict.is_judged() && !outcome.expected.is_empty() {
        let _ = writeln!(
            out,
            "             expected {}",
            outcome.expected.join(" or ")
        );
        let _ = writeln!(out, "             came     {}", outcome.actual);
    }
    for line in outcome.message.lines() {
        let _ = writeln!(out, "             {line}");
    }
    if let Some(archive) = &outcome.archive {
        let _ = writeln!(out, "             archive  {archive}");
    }
    out
}

/// The first requirement with its section, and how many more there are.
fn requirements(ids: &[RequirementId], catalogue: &Catalogue) -> String {
    let sections: BTreeSet<String> = ids
        .iter()
        .filter_map(|id| catalogue.get(id))
        .map(|requirement| requirement.section.0.clone())
        .collect();
    let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
    let sections: Vec<String> = sections.into_iter().collect();
    format!("{}; section {}", ids.join(" "), sections.join(", "))
}
