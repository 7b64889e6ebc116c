//! One fixed ledger in every format.

use super::*;
use crate::outcome::{Lifecycles, Outcome, ShadowCopyOutcome, StepRecord, TargetName, Verdict};
use crate::requirement::RequirementId;

const ADDED: &str = "FSRVP-3.1.4.4-14";
const REFUSED: &str = "FSRVP-3.1.4.4-07";
/// A share's name as a hostile server may have it.
const HOSTILE: &str = "<script>alert('x')</script>\u{1b}[2J\u{202e}\"&";

fn ids(id: &str) -> Vec<RequirementId> {
    vec![RequirementId(id.to_owned())]
}

fn step(n: usize, action: &str, actual: &str) -> StepRecord {
    StepRecord {
        step: n,
        action: action.to_owned(),
        actual: actual.to_owned(),
        expected: Vec::new(),
        requirements: Vec::new(),
        verdict: Verdict::Pass,
        message: String::new(),
    }
}

/// A case of two steps, the second of which judges and comes to `verdict`.
fn played(case: &str, verdict: Verdict, actual: &str, message: &str) -> Outcome {
    let mut judging = step(2, "AddToShadowCopySet set {set-1}", actual);
    judging.expected = vec!["0x8004230d".to_owned(), "0x80042308".to_owned()];
    judging.requirements = ids(ADDED);
    judging.verdict = verdict;
    judging.message = message.to_owned();
    let mut outcome = Outcome::unplayed(case, verdict, ids(ADDED), message);
    outcome.title = format!("what {case} <is about>");
    outcome.expected = judging.expected.clone();
    outcome.actual = actual.to_owned();
    outcome.steps = vec![step(1, "StartShadowCopySet", "0x00000000"), judging];
    outcome.duration_ms = 15;
    outcome
}

/// Every verdict once, and what a server may do to a report.
fn ledger() -> Ledger {
    let mut failed = played(
        "t/b",
        Verdict::Fail,
        "0x00000000",
        "step 2: <odd> & \"quoted\"\nand more",
    );
    failed.shadow_copies = vec![ShadowCopyOutcome {
        shadow_copy: "{copy-1}".to_owned(),
        share: HOSTILE.to_owned(),
        exposed_as: None,
        removed: false,
    }];
    failed.observed = Some("refused-clean".to_owned());
    let absent = Outcome::unplayed(
        "t/c",
        Verdict::NotApplicable,
        ids(REFUSED),
        "hidden names no share",
    );
    let gone = Outcome::unplayed("u/gone", Verdict::Inconclusive, ids(REFUSED), HOSTILE);
    let outcomes = vec![
        failed,
        played("t/a", Verdict::Pass, "0x8004230d", ""),
        absent,
        played("t/d", Verdict::NonStrict, "0x80070057", "another code"),
        played("t/e", Verdict::Known, "0x80070057", "known: it does so"),
        played("t/f", Verdict::Info, "0x80042308", "left open"),
        gone,
    ];
    let target = TargetName {
        name: "x".to_owned(),
        profile: "spec".to_owned(),
    };
    let mut ledger = Ledger::new(target, 7, 338, outcomes);
    ledger.fsrvp = "1.2.3".to_owned();
    ledger
}

fn lives() -> Lifecycles {
    let mut lives = Lifecycles {
        count: 2,
        seed: 7,
        ..Lifecycles::default()
    };
    lives.note("StartShadowCopySet", "ZERO".to_owned(), Some("none"));
    lives.note("AddToShadowCopySet", "ZERO".to_owned(), Some("Started"));
    lives.note("AddToShadowCopySet", "fault 0x000006f7".to_owned(), None);
    lives.judged(ADDED);
    lives
}

/// The requirements that the ledger speaks of, one that nothing speaks of, and one of each level.
fn catalogue() -> Catalogue {
    let text = [
        (REFUSED, "MUST", "<b>given</b>"),
        (ADDED, "SHOULD", "a set"),
        ("SMB2-3.1.4.1-01", "MAY", "x"),
    ]
    .map(|(id, level, given)| {
        let section = match id {
            "SMB2-3.1.4.1-01" => "MS-SMB2 3.1.4.1",
            _ => "3.1.4.4",
        };
        format!(
            "[[requirement]]\nid = \"{id}\"\nlevel = \"{level}\"\nrole = \"server\"\n\
             section = \"{section}\"\nmethod = \"AddToShadowCopySet\"\ngiven = \"{given}\"\n\
             when = \"it is called\"\nthen = \"it answers\"\nnote = \"\"\n"
        )
    });
    Catalogue::read("here", &text.concat()).expect("it reads")
}

fn rendered(ledger: &Ledger, format: Format) -> String {
    render(ledger, &catalogue(), format, Detail::Outcome).expect("it renders")
}

#[test]
fn text_shows_a_line_a_case_and_both_sides_of_a_failure() {
    insta::assert_snapshot!("text", rendered(&ledger(), Format::Text));
}

#[test]
fn text_shows_every_step_where_it_is_asked_to() {
    let text = render(&ledger(), &catalogue(), Format::Text, Detail::Steps).expect("it renders");
    insta::assert_snapshot!("text-steps", text);
}

#[test]
fn json_has_the_promised_keys() {
    let json = rendered(&ledger(), Format::Json);
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
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
fn junit_counts_failures_errors_and_skipped_and_quotes_what_xml_wants_quoted() {
    let text = rendered(&ledger(), Format::Junit);
    assert!(
        text.contains("tests=\"7\" skipped=\"1\" failures=\"1\" errors=\"1\""),
        "{text}"
    );
    assert!(text.contains("&lt;odd&gt; &amp;"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    insta::assert_snapshot!("junit", text);
}

#[test]
fn html_has_all_that_the_ledger_has() {
    let ledger = ledger().with_lifecycles(Some(lives()));
    insta::assert_snapshot!("html", without_frame(&rendered(&ledger, Format::Html)));
}

/// The page between its style and its script, which have files of their own, one element a line.
fn without_frame(page: &str) -> String {
    let (_, page) = page.split_once("</style>").expect("a style");
    let (page, _) = page.split_once("<script>").expect("a script");
    page.replace("><", ">\n<")
}

#[test]
fn html_loads_nothing_and_takes_no_word_of_a_server_for_its_own() {
    let page = rendered(&ledger(), Format::Html);
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(page.contains("&lt;script&gt;alert('x')&lt;/script&gt;\\u{1b}[2J\\u{202e}&quot;&amp;"));
    assert!(page.contains("&lt;b&gt;given&lt;/b&gt;"));
    assert!(!page.contains(['\u{1b}', '\u{202e}']));
    for outside in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// A reader of a report and one of the exit code are told the same.
#[test]
fn strict_makes_a_failure_of_what_is_not_strict_in_every_format() {
    let outcome = || played("t/d", Verdict::NonStrict, "0x80070057", "another code");
    let name = || TargetName {
        name: "x".to_owned(),
        profile: "spec".to_owned(),
    };
    let lenient = Ledger::new(name(), 7, 338, vec![outcome()]);
    let strict = Ledger::new(name(), 7, 338, vec![outcome()]).with_strict(true);
    assert_eq!(
        (lenient.exit_status().code(), strict.exit_status().code()),
        (0, 1)
    );
    for (format, of_lenient, of_strict) in [
        (
            Format::Text,
            "1 non-strict, 0 fail",
            "strict: 1 non-strict count as failures",
        ),
        (Format::Json, "\"strict\": false", "\"strict\": true"),
        (Format::Junit, "failures=\"0\"", "failures=\"1\""),
        (Format::Html, "exit code 0<", "exit code 1<"),
    ] {
        let (of_it, of_other) = (rendered(&lenient, format), rendered(&strict, format));
        assert!(of_it.contains(of_lenient), "{format:?}: {of_it}");
        assert!(!of_it.contains(of_strict), "{format:?}: {of_it}");
        assert!(of_other.contains(of_strict), "{format:?}: {of_other}");
    }
}
