//! The ledger of clients as text and for build servers.

use crate::outcome::{ClientLedger, ClientOutcome, Verdict};
use crate::report::visible::visible;
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Write as _;

/// In which order the verdicts are shown: first what somebody has to look at.
pub(super) const ORDER: [Verdict; 5] = [
    Verdict::Fail,
    Verdict::Inconclusive,
    Verdict::NonStrict,
    Verdict::Pass,
    Verdict::NotApplicable,
];

/// How many breaches of one requirement a text shows; JSON has all.
const SHOWN_MAX: usize = 3;

/// One paragraph a requirement, then totals.
pub(super) fn text(ledger: &ClientLedger) -> String {
    let mut out = String::new();
    for verdict in ORDER {
        let of_it = ledger.outcomes.iter().filter(|o| o.verdict == verdict);
        for outcome in of_it {
            paragraph(outcome, &mut out);
        }
    }
    for unread in &ledger.unread {
        let _ = writeln!(out, "not read: {unread}");
    }
    let summary = &ledger.summary;
    let clients = match ledger.clients.as_slice() {
        [] => "no client".to_owned(),
        clients => clients.join(", "),
    };
    let _ = writeln!(
        out,
        "\n{clients}: {} calls; {} requirements on clients: {} pass, {} non-strict, {} fail, \
         {} inconclusive, {} n/a",
        ledger.calls,
        ledger.outcomes.len(),
        summary.pass,
        summary.non_strict,
        summary.fail,
        summary.inconclusive,
        summary.not_applicable,
    );
    visible(&out).into_owned()
}

/// A writer to a string never fails.
fn paragraph(outcome: &ClientOutcome, out: &mut String) {
    let _ = writeln!(
        out,
        "{:<12} {}  {}  [{}; section {}]",
        outcome.verdict, outcome.requirement, outcome.asks, outcome.level, outcome.section
    );
    for line in story(outcome) {
        let _ = writeln!(out, "             {line}");
    }
}

/// What was seen, line by line.
fn story(outcome: &ClientOutcome) -> Vec<String> {
    let mut lines = Vec::new();
    for breach in outcome.breaches.iter().take(SHOWN_MAX) {
        lines.push(format!("expected {}", breach.expected));
        let times = match breach.times {
            1 => String::new(),
            times => format!(" ({times} times)"),
        };
        lines.push(format!("seen     {}{times}", breach.seen));
        lines.push(format!("at       {}", breach.place));
    }
    if let more @ 1.. = outcome.breaches.len().saturating_sub(SHOWN_MAX) {
        lines.push(format!("and {more} more, which --format json shows"));
    }
    if let Some(place) = &outcome.first_kept {
        let times = match outcome.kept {
            1 => "once".to_owned(),
            times => format!("{times} times, first"),
        };
        lines.push(format!("followed {times}: {place}"));
    }
    lines.extend(outcome.reason.lines().map(str::to_owned));
    lines
}

/// One suite, one test case a requirement.
pub(super) fn junit(ledger: &ClientLedger) -> Result<String, SerializeError> {
    let mut report = Report::new("fsrvp serve --judge-client");
    let mut suite = TestSuite::new("client");
    for outcome in &ledger.outcomes {
        let story = story(outcome).join("\n");
        let story = visible(&story);
        let mut status = match outcome.verdict {
            Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
            Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
            Verdict::NotApplicable => TestCaseStatus::skipped(),
            _ => TestCaseStatus::success(),
        };
        if outcome.verdict != Verdict::Pass {
            status.set_type(outcome.verdict.as_str());
            status.set_message(story.as_ref());
        }
        let mut case = TestCase::new(outcome.requirement.0.clone(), status);
        case.set_classname("client");
        case.set_system_out(format!("{}\n{story}", outcome.asks));
        suite.add_test_case(case);
    }
    report.add_test_suite(suite);
    report.to_string()
}

#[cfg(test)]
mod tests {
    use crate::outcome::{Breach, ClientLedger, ClientOutcome, Place, Verdict};
    use crate::report::{Format, render_client};
    use crate::requirement::{Level, RequirementId, Section};

    fn ledger() -> ClientLedger {
        let outcome = |id: &str, verdict| ClientOutcome {
            requirement: RequirementId(id.to_owned()),
            section: Section("3.2.4.5".to_owned()),
            level: Level::Must,
            asks: "set Exposed; sent".to_owned(),
            verdict,
            kept: 0,
            first_kept: None,
            breaches: Vec::new(),
            reason: String::new(),
        };
        let place = Place {
            client: "10.0.0.1:4000".to_owned(),
            connection: 1,
            call: Some(9),
            method: Some("ExposeShadowCopySet"),
            time_s: 0.25,
        };
        let mut failed = outcome("FSRVP-C-3.2.4.5-02", Verdict::Fail);
        failed.breaches.push(Breach {
            expected: "<recovery> & more".to_owned(),
            seen: "nothing".to_owned(),
            times: 2,
            place: place.clone(),
        });
        let mut passed = outcome("FSRVP-C-3.1.4-01", Verdict::Pass);
        (passed.kept, passed.first_kept) = (3, Some(place));
        let mut skipped = outcome("FSRVP-C-3-01", Verdict::NotApplicable);
        skipped.reason = "does not travel".to_owned();
        let clients = vec!["10.0.0.1".to_owned()];
        ClientLedger::new(clients, 9, Vec::new(), vec![skipped, passed, failed])
    }

    #[test]
    fn text_shows_failures_first_with_their_proof() {
        let wanted = "\
fail         FSRVP-C-3.2.4.5-02  set Exposed; sent  [MUST; section 3.2.4.5]
             expected <recovery> & more
             seen     nothing (2 times)
             at       10.0.0.1:4000, connection 1, call 9 ExposeShadowCopySet, at 0.250 s
pass         FSRVP-C-3.1.4-01  set Exposed; sent  [MUST; section 3.2.4.5]
             followed 3 times, first: 10.0.0.1:4000, connection 1, call 9 ExposeShadowCopySet, at 0.250 s
n/a          FSRVP-C-3-01  set Exposed; sent  [MUST; section 3.2.4.5]
             does not travel

10.0.0.1: 9 calls; 3 requirements on clients: 1 pass, 0 non-strict, 1 fail, 0 inconclusive, 1 n/a
";
        assert_eq!(
            render_client(&ledger(), Format::Text).expect("it renders"),
            wanted
        );
    }

    #[test]
    fn text_shows_the_first_breaches_and_how_many_more_there_are() {
        let mut outcomes = ledger().outcomes;
        let failed = outcomes.last_mut().expect("a failure");
        let breach = failed.breaches[0].clone();
        failed.breaches.extend(vec![breach; 4]);
        let ledger = ClientLedger::new(Vec::new(), 9, Vec::new(), outcomes);
        let text = render_client(&ledger, Format::Text).expect("it renders");
        assert_eq!(text.matches("expected").count(), 3, "{text}");
        assert!(text.contains("and 2 more, "), "{text}");
    }

    #[test]
    fn json_and_junit_count_the_same() {
        let json = render_client(&ledger(), Format::Json).expect("it renders");
        let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        assert_eq!(json["summary"]["fail"], 1);
        assert_eq!(json["outcomes"][2]["breaches"][0]["place"]["call"], 9);
        let junit = render_client(&ledger(), Format::Junit).expect("it renders");
        assert!(junit.contains("tests=\"3\""), "{junit}");
        assert!(junit.contains("failures=\"1\""), "{junit}");
        assert!(junit.contains("&lt;recovery&gt; &amp;"), "{junit}");
    }

    #[test]
    fn html_has_every_requirement_with_its_proof() {
        let page = render_client(&ledger(), Format::Html).expect("it renders");
        for wanted in [
            "exit code 1<",
            "id=\"req-FSRVP-C-3.2.4.5-02\" data-verdict=\"fail\" open>",
            "&lt;recovery&gt; &amp; more",
            "Followed 3 times, first: 10.0.0.1:4000, connection 1, call 9 ExposeShadowCopySet",
            "does not travel",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
    }

    #[test]
    fn the_exit_status_is_that_of_check() {
        assert_eq!(ledger().exit_status().code(), 1);
        let mut good = ledger().outcomes;
        good.pop();
        let of = |calls| ClientLedger::new(Vec::new(), calls, Vec::new(), good.clone());
        assert_eq!(of(9).exit_status().code(), 0);
        assert_eq!(of(0).exit_status().code(), 3);
    }
}
