//! The top of the page: what was judged, what it adds up to, and what stands behind the failures.

use crate::outcome::{Ledger, RequirementOutcome, Verdict};
use crate::report::html::{answers, badge, case_link, exit_meaning, requirement_links};
use crate::report::text;
use crate::report::visible::named;
use crate::requirement::Level;
use maud::{Markup, html};

/// The levels in the order of their weight.
const LEVELS: [Level; 3] = [Level::Must, Level::Should, Level::May];

pub(super) fn head(ledger: &Ledger) -> Markup {
    let status = ledger.exit_status();
    html! {
        header {
            h1 { "fsrvp check: " (ledger.target.name) }
            dl {
                dt { "Result" }
                dd {
                    strong { "exit code " (status.code()) } ": " (exit_meaning(status, ledger.strict))
                }
                dt { "Profile" } dd { (ledger.target.profile) }
                dt { "Cases" } dd { (ledger.outcomes.len()) }
                dt { "Requirements" }
                dd {
                    (ledger.summary.requirements.judged) " of "
                    (ledger.summary.requirements.total) " judged by cases"
                }
                @if let Some(lives) = &ledger.lifecycles {
                    dt { "Lifecycles" }
                    dd { (lives.count) " with " (lives.calls()) " calls, " (lives.failed) " failed" }
                }
                @if let Some(took) = &ledger.took { dt { "Time" } dd { (text::time(took)) } }
                dt { "Seed" } dd { (ledger.seed) }
                @if ledger.strict { dt { "Strict" } dd { "non-strict counts as a failure" } }
            }
        }
    }
}

/// What a verdict means, in a few words.
fn meaning(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "every answer is one that the text permits",
        Some(Verdict::NonStrict) => "a SHOULD was not followed",
        Some(Verdict::Fail) => "a MUST was broken",
        Some(Verdict::Known) => "deviates as the target's list of known deviations says",
        Some(Verdict::Info) => "the text leaves it open; what came is recorded",
        Some(Verdict::NotApplicable) => {
            "the target lacks what it needs, or the means to judge are missing"
        }
        Some(Verdict::Inconclusive) => "should have been judged and could not be",
        None => "the reason stands with the requirement",
    }
}

/// How many cases and requirements came to which verdict.
pub(super) fn totals(ledger: &Ledger, requirements: &[RequirementOutcome]) -> Markup {
    let count = |level: Level, verdict: Option<Verdict>| {
        let of_it = |of: &&RequirementOutcome| of.level == level && of.verdict == verdict;
        requirements.iter().filter(of_it).count()
    };
    let all = |level: Level| requirements.iter().filter(|of| of.level == level).count();
    html! {
        section id="totals" {
            h2 { "Totals" }
            div class="wide" { table class="numbers" {
                caption { "Cases and requirements by verdict" }
                thead {
                    tr {
                        th scope="col" { "Verdict" }
                        th scope="col" { "Cases" }
                        @for level in LEVELS { th scope="col" { (level) } }
                        th scope="col" { "Meaning" }
                    }
                }
                tbody {
                    @for verdict in Verdict::ALL.map(Some).into_iter().chain([None]) {
                        tr {
                            th scope="row" { (badge(verdict)) }
                            td { @if let Some(verdict) = verdict { (ledger.summary.count(verdict)) } }
                            @for level in LEVELS { td { (count(level, verdict)) } }
                            td { (meaning(verdict)) }
                        }
                    }
                }
                tfoot {
                    tr {
                        th scope="row" { "all" }
                        td { (ledger.outcomes.len()) }
                        @for level in LEVELS { td { (all(level)) } }
                        td {}
                    }
                }
            } }
        }
    }
}

/// Each answer that stands behind failures.
pub(super) fn causes(ledger: &Ledger) -> Markup {
    let causes = ledger.causes();
    html! {
        section id="causes" {
            h2 { "Causes" }
            @if causes.is_empty() {
                p { "No case came to fail, inconclusive or non-strict." }
            } @else {
                div class="wide" { table {
                    caption { "The same answer where the same requirements were judged is one cause" }
                    thead {
                        tr {
                            th scope="col" { "Verdict" }
                            th scope="col" { "Requirements" }
                            th scope="col" { "Permitted" }
                            th scope="col" { "Came" }
                            th scope="col" { "Cases" }
                        }
                    }
                    tbody {
                        @for cause in &causes {
                            tr {
                                td { (badge(Some(cause.verdict))) }
                                td { (requirement_links(&cause.requirements)) }
                                td { (answers(&cause.expected)) }
                                td { (named(&cause.actual)) }
                                td { ul { @for case in &cause.cases { li { (case_link(case)) } } } }
                            }
                        }
                    }
                } }
            }
        }
    }
}
