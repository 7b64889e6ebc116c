//! The requirements of the page, judged or not.

use crate::outcome::{Ledger, RequirementOutcome, Verdict};
use crate::report::html::{anchor, badge, case_link, requirement_links, word};
use crate::requirement::{Catalogue, Requirement, RequirementId};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Every requirement of the catalogue with its verdict and what that rests on.
pub(super) fn section(outcomes: &[RequirementOutcome], catalogue: &Catalogue) -> Markup {
    html! {
        section id="requirements" {
            h2 { "Requirements" }
            div class="wide" { table {
                caption { "What the text demands, and what was seen" }
                thead {
                    tr {
                        th scope="col" { "Requirement" }
                        th scope="col" { "Verdict" }
                        th scope="col" { "What it demands" }
                        th scope="col" { "Rests on" }
                    }
                }
                tbody {
                    @for outcome in outcomes {
                        tr id=(anchor("req", &outcome.requirement.0)) data-verdict=(word(outcome.verdict)) {
                            th scope="row" {
                                span class="id" { (outcome.requirement) }
                                div class="faint" {
                                    (outcome.level) ", " (place(&outcome.section.0))
                                    @if let Some(of) = catalogue.get(&outcome.requirement) {
                                        ", " (of.role) ", " (of.method)
                                    }
                                }
                            }
                            td { (badge(outcome.verdict)) }
                            td { @if let Some(of) = catalogue.get(&outcome.requirement) { (demand(of)) } }
                            td { (rests_on(outcome)) }
                        }
                    }
                }
            } }
        }
    }
}

/// A section of MS-FSRVP goes by its number alone, one of another document by that one's name.
fn place(section: &str) -> String {
    match section.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("MS-FSRVP {section}"),
        false => section.to_owned(),
    }
}

fn demand(requirement: &Requirement) -> Markup {
    html! {
        dl class="demand" {
            dt { "given" } dd { (requirement.given) }
            dt { "when" } dd { (requirement.when) }
            dt { "then" } dd { (requirement.then) }
        }
    }
}

fn rests_on(outcome: &RequirementOutcome) -> Markup {
    let cases = &outcome.cases;
    html! {
        @if !outcome.reason.is_empty() { p { (outcome.reason) } }
        @if outcome.lifecycles { p { "generated lifecycles" } }
        @if let [only] = cases.as_slice() {
            (badge(Some(only.verdict))) " " (case_link(&only.case))
        } @else if !cases.is_empty() {
            details {
                summary { (cases.len()) " cases" }
                ul {
                    @for case in cases { li { (badge(Some(case.verdict))) " " (case_link(&case.case)) } }
                }
            }
        }
    }
}

/// What could not be judged and why: reasons first, for many requirements share one.
pub(super) fn not_judged(outcomes: &[RequirementOutcome], ledger: &Ledger) -> Markup {
    let mut by_reason: BTreeMap<&str, Vec<RequirementId>> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|of| !of.reason.is_empty()) {
        let reason = by_reason.entry(&outcome.reason).or_default();
        reason.push(outcome.requirement.clone());
    }
    let mut by_reason: Vec<_> = by_reason.into_iter().collect();
    by_reason.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let cases: Vec<_> = ledger
        .outcomes
        .iter()
        .filter(|of| matches!(of.verdict, Verdict::NotApplicable | Verdict::Inconclusive))
        .collect();
    html! {
        section id="not-judged" {
            h2 { "Not judged" }
            @if by_reason.is_empty() && cases.is_empty() { p { "Everything was judged." } }
            @if !by_reason.is_empty() {
                details {
                    summary { "Requirements that were not judged, by reason" }
                    div class="wide" { table {
                        caption { "Requirements that were not judged" }
                        thead { tr { th scope="col" { "Reason" } th scope="col" { "Requirements" } } }
                        tbody {
                            @for (reason, ids) in &by_reason {
                                tr { td { (reason) } td { (requirement_links(ids)) } }
                            }
                        }
                    } }
                }
            }
            @if !cases.is_empty() {
                details open[cases.iter().any(|of| of.verdict == Verdict::Inconclusive)] {
                    summary { "Cases that judged nothing" }
                    div class="wide" { table {
                        caption { "Cases that judged nothing" }
                        thead {
                            tr { th scope="col" { "Verdict" } th scope="col" { "Case" } th scope="col" { "Reason" } }
                        }
                        tbody {
                            @for case in &cases {
                                tr {
                                    td { (badge(Some(case.verdict))) }
                                    td { (case_link(&case.case)) }
                                    td class="told" { (case.message) }
                                }
                            }
                        }
                    } }
                }
            }
        }
    }
}
