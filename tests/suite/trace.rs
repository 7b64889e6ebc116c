//! The trace table, `cases/trace.md`: what judges each requirement, and where ours is kept. It is made
//! from the catalogue, the cases and the rules; `FSRVP_TRACE=write` makes it anew.

use fsrvp::case::Library;
use fsrvp::oracle;
use fsrvp::requirement::{Requirement, Role};
use fsrvp::run::judge_client;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const TABLE: &str = "cases/trace.md";

/// More permitted answers than these stand out.
const ANSWERS_MAX: usize = 3;

const HEAD: &str = "# What judges each requirement

Made from `requirements.toml`, the cases and the rules by the test `trace`; it fails where this table
does not say what they say, and where a requirement has neither a case nor a rule nor a reason.
*rule*: judged from traffic alone, by `decode --judge`, `serve --judge-client` or in lifecycles;
*judge-client*: by `serve --judge-client` alone.

";

/// What is known of one requirement.
struct Row<'a> {
    requirement: &'a Requirement,
    rule: &'static str,
    cases: Vec<&'a str>,
    /// The most answers that one step permits.
    answers: usize,
}

fn rows(library: &Library) -> Vec<Row<'_>> {
    let mut cases: BTreeMap<&str, (Vec<&str>, usize)> = BTreeMap::new();
    for case in &library.cases {
        for expect in case.steps.iter().filter_map(|step| step.expect.as_ref()) {
            for id in &expect.requirements {
                let (names, answers) = cases.entry(id.0.as_str()).or_default();
                *answers = expect.answers.len().max(*answers);
                if !names.contains(&case.id.as_str()) {
                    names.push(&case.id);
                }
            }
        }
    }
    let rules = oracle::requirements();
    let mut rows = Vec::new();
    for requirement in library.catalogue.iter() {
        let id = requirement.id.0.as_str();
        let (cases, answers) = cases.remove(id).unwrap_or_default();
        rows.push(Row {
            requirement,
            rule: match id {
                id if rules.contains(&id) => "rule",
                id if judge_client::REQUIREMENTS.contains(&id) => "judge-client",
                _ => "",
            },
            cases,
            answers,
        });
    }
    rows
}

/// Where this project keeps the requirement, below its root.
fn place(requirement: &Requirement) -> String {
    if requirement.role == Role::Client {
        return "src/drive".to_owned();
    }
    if !requirement.id.0.starts_with("FSRVP-") {
        return "reference/src/smb, reference/src/rpc".to_owned();
    }
    match requirement.method.as_str() {
        "timer" => "reference/src/agent/timer.rs".to_owned(),
        "bind" => "reference/src/rpc".to_owned(),
        "any" => "reference/src/agent".to_owned(),
        method => format!("reference/src/agent/methods/{}.rs", snake(method)),
    }
}

fn snake(method: &str) -> String {
    let mut name = String::new();
    for letter in method.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn table(rows: &[Row<'_>]) -> String {
    let judged = rows.iter().filter(|row| is_judged(row)).count();
    let of_cases = rows.iter().filter(|row| !row.cases.is_empty()).count();
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "{judged} of {} have a case or a rule, {of_cases} a case.\n\n\
         | requirement | level | where | rule | cases, or why there is none |\n\
         | --- | --- | --- | --- | --- |",
        rows.len()
    );
    for row in rows {
        let Requirement { id, level, .. } = row.requirement;
        let rule = row.rule;
        let mut what = row.cases.join(", ");
        if !is_judged(row) {
            what = format!("*none:* {}", reason(row.requirement));
        }
        if row.answers > ANSWERS_MAX {
            let _ = write!(what, " **({} answers permitted)**", row.answers);
        }
        let place = place(row.requirement);
        let _ = writeln!(text, "| {id} | {level} | {place} | {rule} | {what} |");
    }
    text
}

fn is_judged(row: &Row<'_>) -> bool {
    !row.rule.is_empty() || !row.cases.is_empty()
}

/// Why no case judges it, or, where nothing else is written, why no rule does.
fn reason(requirement: &Requirement) -> &str {
    let written = requirement.exception.as_ref();
    let written = written.or(requirement.reason.as_ref());
    written.map_or("", String::as_str)
}

#[test]
fn the_trace_table_says_what_cases_and_rules_say() {
    let library = Library::built_in().expect("it reads");
    let rows = rows(&library);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let text = table(&rows);
    if std::env::var_os("FSRVP_TRACE").is_some_and(|word| word == "write") {
        std::fs::write(&path, &text).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines = text.lines().zip(kept.lines());
    let first = lines.find(|(now, then)| now != then);
    assert!(
        first.is_none() && text == kept,
        "{TABLE} is not what it would be now; the first line that differs: {first:?}; \
         FSRVP_TRACE=write cargo test --test suite trace makes it anew"
    );
}

#[test]
fn every_requirement_has_a_case_a_rule_or_a_reason() {
    let library = Library::built_in().expect("it reads");
    for row in rows(&library) {
        let id = &row.requirement.id;
        assert!(
            is_judged(&row) || !reason(row.requirement).is_empty(),
            "{id}: neither a case nor a rule nor a reason"
        );
    }
}

#[test]
fn every_requirement_of_ours_is_kept_somewhere() {
    let library = Library::built_in().expect("it reads");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for requirement in library.catalogue.iter() {
        for place in place(requirement).split(", ") {
            assert!(root.join(place).exists(), "{}: {place}", requirement.id);
        }
    }
}
