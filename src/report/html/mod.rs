//! One HTML page: no other file, no network, readable without scripts.
//!
//! **Architectural invariants**
//! - Every text is escaped by the macro that places it; nothing but the style and the script of this
//!   folder is placed as it is.
//! - A verdict is told by its word; its colour comes on top.

mod cases;
mod client;
mod lives;
mod requirements;
mod summary;

pub(super) use client::client;

use crate::outcome::{ExitStatus, Ledger, Verdict};
use crate::report::visible::{named, visible};
use crate::requirement::{Catalogue, RequirementId};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const FILTER: &str = include_str!("filter.js");
/// The page may load nothing and send nothing, whatever a server managed to put into it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'";

/// The page of a ledger.
pub(super) fn check(ledger: &Ledger, catalogue: &Catalogue) -> String {
    let requirements = ledger.requirements(catalogue);
    let title = format!("fsrvp check: {}", ledger.target.name);
    let verdicts = Verdict::ALL.into_iter().map(Some).chain([None]);
    let words: Vec<&str> = verdicts.map(word).collect();
    let body = html! {
        (summary::head(ledger))
        nav aria-label="Sections" {
            a href="#totals" { "Totals" }
            a href="#causes" { "Causes" }
            @if ledger.summary.count(Verdict::Known) > 0 {
                a href="#known" { "Known deviations" }
            }
            a href="#not-judged" { "Not judged" }
            @if ledger.lifecycles.is_some() { a href="#lifecycles" { "Lifecycles" } }
            a href="#requirements" { "Requirements" }
            a href="#cases" { "Cases" }
        }
        main {
            (summary::totals(ledger, &requirements))
            (summary::causes(ledger))
            (cases::known(ledger))
            (requirements::not_judged(&requirements, ledger))
            @if let Some(lives) = &ledger.lifecycles { (lives::section(lives)) }
            (filter(&words))
            (requirements::section(&requirements, catalogue))
            (cases::section(ledger))
        }
    };
    page(&title, &ledger.fsrvp, &body)
}

/// The frame around the content. What neither escaping nor a browser makes visible is written out
/// here, once for the whole page.
fn page(title: &str, version: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                footer { "Made by fsrvp " (version) "." }
                script { (PreEscaped(FILTER)) }
            }
        }
    };
    visible(&page.into_string()).into_owned() + "\n"
}

/// The verdict in its word.
fn badge(verdict: Option<Verdict>) -> Markup {
    let word = word(verdict);
    html! { span class={ "verdict " (class(word)) } { (word) } }
}

/// The verdict's word; also for a requirement that nothing spoke of.
fn word(verdict: Option<Verdict>) -> &'static str {
    verdict.map_or("not judged", Verdict::as_str)
}

/// The class of a verdict's word.
fn class(word: &str) -> &str {
    match word {
        "n/a" => "na",
        "not judged" => "none",
        other => other,
    }
}

/// What can be linked to: a text as part of an anchor.
fn anchor(kind: &str, id: &str) -> String {
    let plain = |ch: char| match ch {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '/' => ch,
        _ => '-',
    };
    let id: String = id.chars().map(plain).collect();
    format!("{kind}-{id}")
}

fn case_link(case: &str) -> Markup {
    html! { a href={ "#" (anchor("case", case)) } { (case) } }
}

/// Links to requirements, a comma between them.
fn requirement_links(ids: &[RequirementId]) -> Markup {
    html! {
        @for (n, id) in ids.iter().enumerate() {
            @if n > 0 { ", " }
            a class="id" href={ "#" (anchor("req", &id.0)) } { (id) }
        }
    }
}

/// Permitted answers, one below the other.
fn answers(answers: &[String]) -> Markup {
    html! {
        @for (n, answer) in answers.iter().enumerate() {
            @if n > 0 { " or" br; }
            (named(answer))
        }
    }
}

/// What the exit code of the process says.
fn exit_meaning(status: ExitStatus, strict: bool) -> &'static str {
    match (status, strict) {
        (ExitStatus::AsExpected, _) => "everything as expected",
        (ExitStatus::Deviates, false) => "at least one fail or inconclusive",
        (ExitStatus::Deviates, true) => {
            "at least one fail, inconclusive or, with strict, non-strict"
        }
        (ExitStatus::NothingSelected, _) => "nothing was judged",
    }
}

/// What the script fills; without one it is not shown, and nothing on the page is hidden.
fn filter(words: &[&str]) -> Markup {
    html! {
        form id="filter" hidden aria-label="Filter of the lists below" {
            label { "Show only what holds " input type="search" name="text"; }
            @for word in words { label { input type="checkbox" checked value=(word); " " (word) } }
            output aria-live="polite" {}
        }
    }
}
