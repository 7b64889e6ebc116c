//! The report for build servers.

use crate::outcome::{Ledger, Outcome, Verdict};
use crate::report::visible::visible;
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
            .add_test_case(test_case(
                outcome,
                outcome.verdict.is_failure(ledger.strict),
            ));
    }
    report.add_test_suites(suites.into_values());
    report.to_string()
}

/// `counts` is whether the outcome makes the run deviate; then it is a failure here as well. What
/// could not be judged is an error, what was not played is skipped.
fn test_case(outcome: &Outcome, counts: bool) -> TestCase {
    let mut status = match outcome.verdict {
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ if counts => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::NotApplicable => TestCaseStatus::skipped(),
        _ => TestCaseStatus::success(),
    };
    let story = story(outcome);
    let story = visible(&story);
    if outcome.verdict != Verdict::Pass {
        status.set_type(outcome.verdict.as_str());
        status.set_message(story.as_ref());
    }
    let mut case = TestCase::new(outcome.case.clone(), status);
    case.set_classname("fsrvp");
    case.set_time(Duration::from_millis(outcome.duration_ms));
    if outcome.verdict != Verdict::Pass {
        // A success has no place for its verdict but this one.
        case.set_system_out(format!("{}: {story}", outcome.verdict));
    }
    case
}

/// What was expected and what came, where something was judged, and what is said of it.
fn story(outcome: &Outcome) -> String {
    let mut story = judged(outcome);
    if let Some(archive) = &outcome.archive {
        story += &format!("\narchive {archive}");
    }
    story
}

fn judged(outcome: &Outcome) -> String {
    if outcome.expected.is_empty() {
        return outcome.message.clone();
    }
    let both = format!(
        "expected {}; came {}",
        outcome.expected.join(" or "),
        outcome.actual
    );
    match outcome.message.as_str() {
        "" => both,
        message => format!("{both}\n{message}"),
    }
}
