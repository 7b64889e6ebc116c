//! The cases of the page, step by step.

use crate::outcome::{Ledger, Outcome, ShadowCopyOutcome, StepRecord, Verdict};
use crate::report::html::{anchor, answers, badge, case_link, requirement_links};
use crate::report::visible::{any_of, named};
use maud::{Markup, html};

/// Every case; those open that somebody has to look at.
pub(super) fn section(ledger: &Ledger) -> Markup {
    html! {
        section id="cases" {
            h2 { "Cases" }
            @for outcome in &ledger.outcomes { (case(outcome, outcome.verdict.is_failure(ledger.strict))) }
        }
    }
}

fn case(outcome: &Outcome, is_failure: bool) -> Markup {
    html! {
        details class="case" id=(anchor("case", &outcome.case)) data-verdict=(outcome.verdict.as_str())
            open[is_failure] {
            summary {
                (badge(Some(outcome.verdict))) " " span class="id" { (outcome.case) }
                span class="faint" { " " (outcome.duration_ms) " ms" }
            }
            @if !outcome.title.is_empty() { p { (outcome.title) "." } }
            p { "Judges " (requirement_links(&outcome.requirements)) "." }
            @if outcome.verdict.is_judged() && outcome.verdict != Verdict::Pass
                && !outcome.expected.is_empty() {
                p { "Permitted: " (any_of(&outcome.expected)) ". Came: " (named(&outcome.actual)) "." }
            }
            @if !outcome.message.is_empty() { p class="told" { (outcome.message) } }
            @if let Some(archive) = &outcome.archive { p { "archive " code { (archive) } } }
            @if let Some(observed) = &outcome.observed { p { "Observed: " (observed) "." } }
            @if outcome.steps.is_empty() { p { "No step was played." } } @else { (steps(outcome)) }
            @if !outcome.shadow_copies.is_empty() { (copies(&outcome.shadow_copies)) }
        }
    }
}

fn steps(outcome: &Outcome) -> Markup {
    html! {
        div class="wide" { table {
            caption { "Steps of " (outcome.case) }
            thead {
                tr {
                    th scope="col" { "Step" }
                    th scope="col" { "What was done" }
                    th scope="col" { "Came" }
                    th scope="col" { "Permitted" }
                    th scope="col" { "Verdict" }
                }
            }
            tbody { @for record in &outcome.steps { (step(record)) } }
        } }
    }
}

fn step(record: &StepRecord) -> Markup {
    let judges = !record.expected.is_empty() || record.verdict != Verdict::Pass;
    html! {
        tr {
            th scope="row" { (record.step) }
            td { (record.action) }
            td { (named(&record.actual)) }
            td {
                (answers(&record.expected))
                @if !record.requirements.is_empty() {
                    div class="faint" { (requirement_links(&record.requirements)) }
                }
            }
            td {
                @if judges { (badge(Some(record.verdict))) } @else { span class="faint" { "prepares" } }
                @if !record.message.is_empty() { p class="told" { (record.message) } }
            }
        }
    }
}

fn copies(copies: &[ShadowCopyOutcome]) -> Markup {
    html! {
        div class="wide" { table {
            caption { "Shadow copies that it made" }
            thead {
                tr {
                    th scope="col" { "Shadow copy" }
                    th scope="col" { "Of share" }
                    th scope="col" { "Exposed as" }
                    th scope="col" { "Afterwards" }
                }
            }
            tbody {
                @for copy in copies {
                    tr {
                        th scope="row" { (copy.shadow_copy) }
                        td { (copy.share) }
                        td { (copy.exposed_as.as_deref().unwrap_or("not exposed")) }
                        td { @if copy.removed { "removed" } @else { "left on the server" } }
                    }
                }
            }
        } }
    }
}

/// The deviations that the target's list names and that were seen.
pub(super) fn known(ledger: &Ledger) -> Markup {
    let known: Vec<_> = ledger
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Known)
        .collect();
    html! {
        @if !known.is_empty() {
            section id="known" {
                h2 { "Known deviations" }
                div class="wide" { table {
                    caption { "On the target's list, and still so" }
                    thead {
                        tr {
                            th scope="col" { "Case" }
                            th scope="col" { "Permitted" }
                            th scope="col" { "Came" }
                            th scope="col" { "Why" }
                        }
                    }
                    tbody {
                        @for outcome in known {
                            tr {
                                td { (case_link(&outcome.case)) }
                                td { (answers(&outcome.expected)) }
                                td { (named(&outcome.actual)) }
                                td class="told" { (outcome.message) }
                            }
                        }
                    }
                } }
            }
        }
    }
}
