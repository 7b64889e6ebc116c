//! The rules on clients: MS-FSRVP 3.2, and what 2.1 and 3.1.4 ask of them. One file a topic.
//!
//! A client is an IP address, as the server takes it. What it knows is only what the answers told
//! it: a set that the server's timer removed is still Started for its client.

mod creation;
mod deletion;
mod ending;
mod exposure;
mod protection;
mod situations;
mod start;

pub(super) use ending::{Departure, abandoned, unfinished};
pub(super) use protection::CALL_TIMEOUT;

use super::rule::{Rule, Ruling, Scene, Test};
use super::server::Judged;

/// Every rule on single exchanges.
pub(super) const TABLES: &[&[Rule]] = &[
    protection::RULES,
    start::RULES,
    creation::RULES,
    exposure::RULES,
    ending::RULES,
    deletion::RULES,
    situations::RULES,
];

/// Every requirement on clients that has a rule.
pub(super) fn requirements() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|rule| rule.requirement)
        .chain(ending::REQUIREMENTS.iter().copied())
}

/// Judges what the client asked.
pub(super) fn judge(scene: &Scene<'_>) -> Vec<Judged> {
    let mut judged = Vec::new();
    for rule in TABLES.iter().flat_map(|table| table.iter()) {
        if let Test::Judge(test) = &rule.test {
            let ruling = test(scene);
            if ruling != Ruling::Silent {
                judged.push(Judged {
                    requirement: rule.requirement,
                    ruling,
                });
            }
        }
    }
    judged
}
