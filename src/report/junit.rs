//! The report for build servers.

use crate::outcome::{Ledger, Outcome, Verdict};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::time::Duration;

/// One suite a topic, one test case a case.
pub(super) fn render(ledger: &Ledger) -> Result<String, SerializeError> {
    let mut report = Report::new(format!("fsrvp check {}", ledger.target.name));
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for outcome in &ledger.outcomes {
        let topic = outcome.case.split('/').next().unwrap_or_default();
        suites
            .entry(topic)
            .or_insert_with(|| TestSuite::new(topic))
            .add_test_case(test_case(outcome));
    }
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn test_case(outcome: &Outcome) -> TestCase {
    let mut story = outcome.message.clone();
    if !outcome.expected.is_empty() && outcome.verdict != Verdict::Pass {
        story = format!(
            "expected {}; came {}\n{story}",
            outcome.expected.join(" or "),
            outcome.actual
        );
    }
    let mut status = match outcome.verdict {
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::NotApplicable => TestCaseStatus::skipped(),
        _ => TestCaseStatus::success(),
    };
    if outcome.verdict != Verdict::Pass {
        status.set_type(outcome.verdict.as_str());
        status.set_message(story.clone());
    }
    let mut case = TestCase::new(outcome.case.clone(), status);
    case.set_classname("fsrvp");
    case.set_time(Duration::from_millis(outcome.duration_ms));
    if !matches!(outcome.verdict, Verdict::Pass) {
        case.set_system_out(story);
    }
    case
}
