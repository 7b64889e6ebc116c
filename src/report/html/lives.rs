//! What the generated lifecycles of the run came to.

use crate::outcome::Lifecycles;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

type Counts = BTreeMap<String, BTreeMap<String, u64>>;

pub(super) fn section(lives: &Lifecycles) -> Markup {
    html! {
        section id="lifecycles" {
            h2 { "Generated lifecycles" }
            p {
                (lives.count) " lifecycles of seed " (lives.seed) " with " (lives.calls())
                " calls: " (lives.failed) " failed, " (lives.known)
                " known deviations met, " (lives.requirements.len()) " requirements judged."
                @if lives.failed > 0 { " Those that failed are cases below, in their shortest form." }
            }
            details {
                summary { "Calls by method and by status of the set" }
                (matrix(&turned(&lives.cells)))
                (answered(&lives.calls))
            }
        }
    }
}

/// The same counts, their keys changed about.
fn turned(counts: &Counts) -> Counts {
    let mut turned = Counts::new();
    for (outer, row) in counts {
        for (inner, count) in row {
            let cells = turned.entry(inner.clone()).or_default();
            cells.insert(outer.clone(), *count);
        }
    }
    turned
}

fn matrix(by_method: &Counts) -> Markup {
    let statuses: BTreeSet<&String> = by_method.values().flat_map(BTreeMap::keys).collect();
    html! {
        div class="wide" { table class="numbers" {
            caption { "How often each method was judged in which status" }
            thead {
                tr {
                    th scope="col" { "Method" }
                    @for status in &statuses { th scope="col" { (status) } }
                }
            }
            tbody {
                @for (method, row) in by_method {
                    tr {
                        th scope="row" { (method) }
                        @for status in &statuses { td { (row.get(*status).copied().unwrap_or(0)) } }
                    }
                }
            }
        } }
    }
}

fn answered(calls: &Counts) -> Markup {
    html! {
        div class="wide" { table {
            caption { "What was answered" }
            thead { tr { th scope="col" { "Method" } th scope="col" { "Answers" } } }
            tbody {
                @for (method, row) in calls {
                    tr {
                        th scope="row" { (method) }
                        td {
                            @for (n, (answer, count)) in row.iter().enumerate() {
                                @if n > 0 { ", " }
                                (answer) " " span class="faint" { (count) }
                            }
                        }
                    }
                }
            }
        } }
    }
}
