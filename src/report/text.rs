//! The report for a terminal.

use crate::outcome::{Ledger, Outcome, Verdict};
use crate::requirement::{Catalogue, RequirementId};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// All lines of a ledger and its totals.
pub(super) fn render(ledger: &Ledger, catalogue: &Catalogue) -> String {
    let mut out = String::new();
    for outcome in &ledger.outcomes {
        out += &line(outcome, catalogue);
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
    out
}

/// The lines of one case: verdict, id, requirements with their sections; below it what was
/// expected and what came, where it is not a pass.
#[must_use]
pub fn line(outcome: &Outcome, catalogue: &Catalogue) -> String {
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

#[cfg(test)]
mod tests {
    use crate::outcome::{Ledger, Outcome, TargetName, Verdict};
    use crate::report::{Format, render};
    use crate::requirement::{Catalogue, RequirementId};

    fn ledger() -> Ledger {
        let id = || vec![RequirementId("FSRVP-3.1.4.4-14".to_owned())];
        let mut failed =
            Outcome::unplayed("t/b", Verdict::Fail, id(), "step 4: <odd> & \"quoted\"");
        failed.expected = vec!["0x8004230d".to_owned()];
        failed.actual = "0x00000000".to_owned();
        let passed = Outcome::unplayed("t/a", Verdict::Pass, id(), "");
        let absent =
            Outcome::unplayed("t/c", Verdict::NotApplicable, id(), "hidden names no share");
        let target = TargetName {
            name: "x".to_owned(),
            profile: "spec".to_owned(),
        };
        Ledger::new(target, 7, 3, vec![failed, passed, absent])
    }

    #[test]
    fn text_shows_a_line_a_case_and_both_sides_of_a_failure() {
        let catalogue = Catalogue::built_in().expect("it reads");
        let text = render(&ledger(), &catalogue, Format::Text).expect("it renders");
        let wanted = "\
pass         t/a  [FSRVP-3.1.4.4-14; section 3.1.4.4]
fail         t/b  [FSRVP-3.1.4.4-14; section 3.1.4.4]
             expected 0x8004230d
             came     0x00000000
             step 4: <odd> & \"quoted\"
n/a          t/c  [FSRVP-3.1.4.4-14; section 3.1.4.4]
             hidden names no share

causes:
fail         FSRVP-3.1.4.4-14: expected 0x8004230d, came 0x00000000
             in t/b

x (spec): 3 cases: 1 pass, 1 fail, 1 n/a; 1 of 3 requirements judged; seed 7
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn json_has_the_promised_keys() {
        let catalogue = Catalogue::default();
        let text = render(&ledger(), &catalogue, Format::Json).expect("it renders");
        let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(json["summary"]["n/a"], 1);
        assert_eq!(json["outcomes"][1]["verdict"], "fail");
        assert_eq!(json["causes"][0]["cases"][0], "t/b");
        assert!(json["requirements"].is_array());
        for key in [
            "case",
            "verdict",
            "requirements",
            "observed",
            "expected",
            "actual",
            "message",
            "steps",
            "shadow_copies",
            "duration_ms",
        ] {
            assert!(json["outcomes"][0].get(key).is_some(), "{key}");
        }
    }

    #[test]
    fn junit_counts_failures_and_skipped_and_quotes_what_xml_wants_quoted() {
        let catalogue = Catalogue::default();
        let text = render(&ledger(), &catalogue, Format::Junit).expect("it renders");
        assert!(text.contains("failures=\"1\""), "{text}");
        assert!(text.contains("<skipped"), "{text}");
        assert!(text.contains("&lt;odd&gt; &amp;"), "{text}");
        insta::assert_snapshot!("junit", text);
    }
}
