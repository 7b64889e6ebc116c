//! The page of a ledger of clients.

use crate::outcome::{Breach, ClientLedger, ClientOutcome, Verdict};
use crate::report::client::ORDER;
use crate::report::html::{anchor, badge, exit_meaning, filter, page};
use maud::{Markup, html};

/// The page of a ledger of clients.
pub(in crate::report) fn client(ledger: &ClientLedger) -> String {
    let body = html! {
        (head(ledger))
        main {
            (totals(ledger))
            @if !ledger.unread.is_empty() {
                section id="unread" {
                    h2 { "Not read" }
                    ul { @for unread in &ledger.unread { li { (unread) } } }
                }
            }
            (filter(&ORDER.map(Verdict::as_str)))
            section id="requirements" {
                h2 { "Requirements on clients" }
                @for verdict in ORDER {
                    @for outcome in ledger.outcomes.iter().filter(|of| of.verdict == verdict) {
                        (requirement(outcome))
                    }
                }
            }
        }
    };
    page("fsrvp serve --judge-client", &ledger.fsrvp, &body)
}

fn head(ledger: &ClientLedger) -> Markup {
    let status = ledger.exit_status();
    html! {
        header {
            h1 { "fsrvp serve --judge-client" }
            dl {
                dt { "Result" }
                dd { strong { "exit code " (status.code()) } ": " (exit_meaning(status, false)) }
                dt { "Clients" }
                dd {
                    @if ledger.clients.is_empty() { "nobody called FSRVP" }
                    (ledger.clients.join(", "))
                }
                dt { "Calls" } dd { (ledger.calls) }
            }
        }
    }
}

fn totals(ledger: &ClientLedger) -> Markup {
    let count = |verdict: Verdict| {
        let of_it = ledger.outcomes.iter().filter(|of| of.verdict == verdict);
        of_it.count()
    };
    html! {
        section id="totals" {
            h2 { "Totals" }
            div class="wide" { table class="numbers" {
                caption { "Requirements on clients by verdict" }
                thead { tr { th scope="col" { "Verdict" } th scope="col" { "Requirements" } } }
                tbody {
                    @for verdict in ORDER {
                        tr { th scope="row" { (badge(Some(verdict))) } td { (count(verdict)) } }
                    }
                }
                tfoot { tr { th scope="row" { "all" } td { (ledger.outcomes.len()) } } }
            } }
        }
    }
}

fn requirement(outcome: &ClientOutcome) -> Markup {
    let is_failure = matches!(outcome.verdict, Verdict::Fail | Verdict::Inconclusive);
    html! {
        details class="case" id=(anchor("req", &outcome.requirement.0))
            data-verdict=(outcome.verdict.as_str()) open[is_failure] {
            summary {
                (badge(Some(outcome.verdict))) " " span class="id" { (outcome.requirement) }
                " " (outcome.asks)
                span class="faint" { " " (outcome.level) ", section " (outcome.section.0) }
            }
            @if !outcome.reason.is_empty() { p class="told" { (outcome.reason) } }
            @if let Some(place) = &outcome.first_kept {
                p { "Followed " (times(outcome.kept)) ", first: " (place) "." }
            }
            @if !outcome.breaches.is_empty() { (breaches(&outcome.breaches)) }
        }
    }
}

fn breaches(breaches: &[Breach]) -> Markup {
    html! {
        div class="wide" { table {
            caption { "How it was broken" }
            thead {
                tr {
                    th scope="col" { "Expected" }
                    th scope="col" { "Seen" }
                    th scope="col" { "Times" }
                    th scope="col" { "First at" }
                }
            }
            tbody {
                @for breach in breaches {
                    tr {
                        td { (breach.expected) }
                        td { (breach.seen) }
                        td { (breach.times) }
                        td { (breach.place) }
                    }
                }
            }
        } }
    }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
