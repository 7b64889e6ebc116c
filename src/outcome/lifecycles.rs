//! What generated lifecycles came to, added up.

use crate::requirement::RequirementId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What all lifecycles of a run came to. Those that failed have an outcome of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lifecycles {
    /// How many were played.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many deviations were met that are on the target's list.
    pub known: u64,
    /// Which ones, with their reasons, and how often each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub deviations: BTreeMap<String, u64>,
    /// What they were made from.
    pub seed: u64,
    /// How many calls were answered how: by method, then by code or fault.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many calls were judged in which status of the set, by status, then by method.
    pub cells: BTreeMap<String, BTreeMap<String, u64>>,
    /// The requirements that at least one exchange was judged by.
    pub requirements: BTreeSet<RequirementId>,
}

impl Lifecycles {
    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.values().flat_map(BTreeMap::values).sum()
    }

    /// How often `method` was judged for a set of this status.
    #[must_use]
    pub fn cell(&self, status: &str, method: &str) -> u64 {
        let row = self.cells.get(status);
        row.and_then(|row| row.get(method)).copied().unwrap_or(0)
    }

    /// Notes a call.
    pub fn note(&mut self, method: &str, answer: String, status: Option<&str>) {
        let answers = self.calls.entry(method.to_owned()).or_default();
        *answers.entry(answer).or_default() += 1;
        if let Some(status) = status {
            let row = self.cells.entry(status.to_owned()).or_default();
            *row.entry(method.to_owned()).or_default() += 1;
        }
    }

    /// Notes a requirement that was judged.
    pub fn judged(&mut self, requirement: &str) {
        if !self.requirements.iter().any(|known| known.0 == requirement) {
            self.requirements
                .insert(RequirementId(requirement.to_owned()));
        }
    }

    /// Adds what other lifecycles of the same run came to.
    pub fn add(&mut self, other: Lifecycles) {
        self.count += other.count;
        self.failed += other.failed;
        self.known += other.known;
        for (what, count) in other.deviations {
            *self.deviations.entry(what).or_default() += count;
        }
        self.requirements.extend(other.requirements);
        add_counts(&mut self.calls, other.calls);
        add_counts(&mut self.cells, other.cells);
    }
}

type Counts = BTreeMap<String, BTreeMap<String, u64>>;

fn add_counts(all: &mut Counts, more: Counts) {
    for (row, counts) in more {
        let row = all.entry(row).or_default();
        for (name, count) in counts {
            *row.entry(name).or_default() += count;
        }
    }
}
