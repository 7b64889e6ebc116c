//! The ledger: all outcomes of a run, and what they add up to.

use crate::outcome::{Lifecycles, Outcome, Verdict};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// Which server was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetName {
    /// The target file's name for it; `embedded` for the reference server.
    pub name: String,
    /// The profile it was judged by.
    pub profile: String,
}

/// How many requirements there are, and how many a case judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RequirementTotals {
    /// All of the catalogue.
    pub total: usize,
    /// Those that at least one case of the run judged.
    pub judged: usize,
}

/// How many cases came to each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    counts: [usize; Verdict::ALL.len()],
    /// The requirements.
    pub requirements: RequirementTotals,
}

impl Summary {
    /// How many cases came to `verdict`.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        Verdict::ALL
            .iter()
            .zip(self.counts)
            .find(|(other, _)| **other == verdict)
            .map_or(0, |(_, count)| count)
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Verdict::ALL.len() + 1))?;
        for (verdict, count) in Verdict::ALL.iter().zip(self.counts) {
            map.serialize_entry(verdict.as_str(), &count)?;
        }
        map.serialize_entry("requirements", &self.requirements)?;
        map.end()
    }
}

/// How long a run against a foreign server took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Took {
    /// From the first connection to the last answer.
    pub wall_ms: u64,
    /// What this program itself worked of that; the rest was waiting for the server.
    pub own_ms: u64,
}

impl Took {
    /// This program's own share, in percent, rounded up.
    #[must_use]
    pub fn own_percent(&self) -> u64 {
        (self.own_ms * 100).div_ceil(self.wall_ms.max(1))
    }
}

/// What a process says with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything as expected.
    AsExpected,
    /// At least one fail or inconclusive; with strict, also non-strict.
    Deviates,
    /// The filter selected nothing.
    NothingSelected,
}

impl ExitStatus {
    /// The process exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::AsExpected => 0,
            ExitStatus::Deviates => 1,
            ExitStatus::NothingSelected => 3,
        }
    }
}

/// All outcomes of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Ledger {
    /// The version of this program.
    pub fsrvp: String,
    /// Which server was judged.
    pub target: TargetName,
    /// What the run's ids were made from.
    pub seed: u64,
    /// Whether `non-strict` counts as a failure.
    pub strict: bool,
    /// What the outcomes add up to.
    pub summary: Summary,
    /// The outcomes, in the order of the cases' ids; of a generated lifecycle only where it failed.
    pub outcomes: Vec<Outcome>,
    /// The generated lifecycles, where some were played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycles: Option<Lifecycles>,
    /// How long it took, where the server is a foreign one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<Took>,
}

impl Ledger {
    /// Puts outcomes in order and adds them up.
    #[must_use]
    pub fn new(
        target: TargetName,
        seed: u64,
        requirements_total: usize,
        mut outcomes: Vec<Outcome>,
    ) -> Ledger {
        outcomes.sort_by(|a, b| a.case.cmp(&b.case));
        let counts = Verdict::ALL.map(|verdict| {
            outcomes
                .iter()
                .filter(|outcome| outcome.verdict == verdict)
                .count()
        });
        let judged: BTreeSet<_> = outcomes
            .iter()
            .filter(|outcome| outcome.verdict.is_judged())
            .flat_map(|outcome| &outcome.requirements)
            .collect();
        let summary = Summary {
            counts,
            requirements: RequirementTotals {
                total: requirements_total,
                judged: judged.len(),
            },
        };
        Ledger {
            fsrvp: env!("CARGO_PKG_VERSION").to_owned(),
            target,
            seed,
            strict: false,
            summary,
            outcomes,
            lifecycles: None,
            took: None,
        }
    }

    /// The same with how long it took.
    #[must_use]
    pub fn with_time(mut self, took: Option<Took>) -> Ledger {
        self.took = took;
        self
    }

    /// The same with what the generated lifecycles came to.
    #[must_use]
    pub fn with_lifecycles(mut self, lifecycles: Option<Lifecycles>) -> Ledger {
        self.lifecycles = lifecycles;
        self
    }

    /// The same where `non-strict` counts as a failure, if `strict`.
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Ledger {
        self.strict = strict;
        self
    }

    /// What the process says: one failure is enough.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        let deviates = self
            .outcomes
            .iter()
            .any(|of| of.verdict.is_failure(self.strict));
        match (self.outcomes.is_empty(), deviates) {
            (true, _) => ExitStatus::NothingSelected,
            (false, false) => ExitStatus::AsExpected,
            (false, true) => ExitStatus::Deviates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::RequirementId;

    fn ledger(verdicts: &[Verdict]) -> Ledger {
        let outcomes = verdicts
            .iter()
            .enumerate()
            .map(|(n, verdict)| {
                let id = RequirementId(format!("FSRVP-1-{n}"));
                Outcome::unplayed(&format!("t/{n}"), *verdict, vec![id], "")
            })
            .collect();
        let target = TargetName {
            name: "t".to_owned(),
            profile: "spec".to_owned(),
        };
        Ledger::new(target, 1, 10, outcomes)
    }

    #[test]
    fn only_fail_and_inconclusive_turn_the_exit_status() {
        let harmless = [
            Verdict::Pass,
            Verdict::NonStrict,
            Verdict::Known,
            Verdict::Info,
            Verdict::NotApplicable,
        ];
        let lenient = ledger(&harmless);
        assert_eq!(lenient.exit_status(), ExitStatus::AsExpected);
        assert_eq!(
            lenient.with_strict(true).exit_status(),
            ExitStatus::Deviates
        );
        for bad in [Verdict::Fail, Verdict::Inconclusive] {
            let ledger = ledger(&[Verdict::Pass, bad]);
            assert_eq!(ledger.exit_status(), ExitStatus::Deviates);
        }
        assert_eq!(ledger(&[]).exit_status().code(), 3);
    }

    #[test]
    fn what_was_not_judged_is_not_counted_as_judged() {
        let ledger = ledger(&[Verdict::Pass, Verdict::NotApplicable, Verdict::Inconclusive]);
        assert_eq!(ledger.summary.requirements.judged, 1);
    }

    #[test]
    fn the_summary_has_the_promised_keys() {
        let json = serde_json::to_string(&ledger(&[Verdict::Pass]).summary).expect("it serialises");
        assert_eq!(
            json,
            r#"{"pass":1,"non-strict":0,"fail":0,"info":0,"n/a":0,"inconclusive":0,"known":0,"requirements":{"total":10,"judged":1}}"#
        );
    }
}
