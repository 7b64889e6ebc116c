//! Verdicts and what they rest on.
//!
//! **Architectural invariants**
//! - A verdict is never guessed: what should have been judged and could not be is `inconclusive`.
//! - An outcome is a value. Nothing here talks to a server, prints, or reads a clock.

mod client;
mod finding;
mod ledger;
mod lifecycles;
mod normalise;
mod requirements;

pub use client::{Breach, ClientLedger, ClientOutcome, ClientSummary, Place};
pub use finding::Finding;
pub use ledger::{ExitStatus, Ledger, RequirementTotals, Summary, TargetName, Took};
pub use lifecycles::Lifecycles;
pub use normalise::Normaliser;
pub use requirements::{Cause, RequirementEvidence, RequirementOutcome};

use crate::requirement::RequirementId;
use serde::Serialize;
use std::fmt;

/// What a case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Verdict {
    /// An answer that the text permits.
    #[serde(rename = "pass")]
    Pass,
    /// A SHOULD that was not followed.
    #[serde(rename = "non-strict")]
    NonStrict,
    /// A MUST that was broken.
    #[serde(rename = "fail")]
    Fail,
    /// A deviation on the target's list, which still deviates.
    #[serde(rename = "known")]
    Known,
    /// The text leaves it open; what came is recorded.
    #[serde(rename = "info")]
    Info,
    /// The target lacks what the case needs.
    #[serde(rename = "n/a")]
    NotApplicable,
    /// Should have been judged and could not be.
    #[serde(rename = "inconclusive")]
    Inconclusive,
}

impl Verdict {
    /// All verdicts, in the order of a report's totals.
    pub const ALL: [Verdict; 7] = [
        Verdict::Pass,
        Verdict::NonStrict,
        Verdict::Fail,
        Verdict::Info,
        Verdict::NotApplicable,
        Verdict::Inconclusive,
        Verdict::Known,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::NonStrict => "non-strict",
            Verdict::Fail => "fail",
            Verdict::Known => "known",
            Verdict::Info => "info",
            Verdict::NotApplicable => "n/a",
            Verdict::Inconclusive => "inconclusive",
        }
    }

    /// The verdict with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Verdict> {
        Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
    }

    /// How much it weighs when several parts of a case come to different verdicts.
    fn weight(self) -> u8 {
        match self {
            Verdict::NotApplicable => 0,
            Verdict::Pass => 1,
            Verdict::Info => 2,
            Verdict::NonStrict => 3,
            Verdict::Known => 4,
            Verdict::Inconclusive => 5,
            Verdict::Fail => 6,
        }
    }

    /// The heavier of two verdicts; a failure outweighs all.
    #[must_use]
    pub fn and(self, other: Verdict) -> Verdict {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }

    /// Whether a run with it deviates; `strict` is whether `non-strict` counts as a failure.
    #[must_use]
    pub fn is_failure(self, strict: bool) -> bool {
        match self {
            Verdict::Fail | Verdict::Inconclusive => true,
            Verdict::NonStrict => strict,
            Verdict::Pass | Verdict::Known | Verdict::Info | Verdict::NotApplicable => false,
        }
    }

    /// Whether requirements were judged by it.
    #[must_use]
    pub fn is_judged(self) -> bool {
        !matches!(self, Verdict::NotApplicable | Verdict::Inconclusive)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One step of a case as it was played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// Its number in the case file, from 1.
    pub step: usize,
    /// What was done, ids normalised.
    pub action: String,
    /// What came.
    pub actual: String,
    /// Every answer that is permitted; empty for a step that only prepares.
    pub expected: Vec<String>,
    /// The requirements that the step judges.
    pub requirements: Vec<RequirementId>,
    /// What the step came to.
    pub verdict: Verdict,
    /// What differs; empty where nothing does.
    pub message: String,
}

/// A shadow copy that a case made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShadowCopyOutcome {
    /// Its id, normalised.
    pub shadow_copy: String,
    /// The share it was made of.
    pub share: String,
    /// The share it was exposed as, where the case asked.
    pub exposed_as: Option<String>,
    /// Whether nothing of it is left on the server.
    pub removed: bool,
}

/// What one case came to on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The case's id: its path without extension.
    pub case: String,
    /// What holds, in the words of the case.
    pub title: String,
    /// What it came to.
    pub verdict: Verdict,
    /// The requirements it judges.
    pub requirements: Vec<RequirementId>,
    /// The directory outcome, for cases that have one.
    pub observed: Option<String>,
    /// The permitted answers of the step that decided.
    pub expected: Vec<String>,
    /// What came in the step that decided.
    pub actual: String,
    /// Why it is not a pass; the reason for `n/a`; what could not be cleaned up.
    pub message: String,
    /// The steps that were played.
    pub steps: Vec<StepRecord>,
    /// The shadow copies that were made.
    pub shadow_copies: Vec<ShadowCopyOutcome>,
    /// Where the archive lies with everything about it, if one was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl Outcome {
    /// An outcome without a step played, and without a title.
    #[must_use]
    pub fn unplayed(
        case: &str,
        verdict: Verdict,
        requirements: Vec<RequirementId>,
        message: impl Into<String>,
    ) -> Outcome {
        Outcome {
            case: case.to_owned(),
            title: String::new(),
            verdict,
            requirements,
            observed: None,
            expected: Vec::new(),
            actual: String::new(),
            message: message.into(),
            steps: Vec::new(),
            shadow_copies: Vec::new(),
            archive: None,
            duration_ms: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_all_and_a_pass_only_what_was_not_played() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.and(Verdict::Fail), Verdict::Fail);
            assert_eq!(Verdict::NotApplicable.and(verdict), verdict);
        }
        assert_eq!(Verdict::Pass.and(Verdict::Info), Verdict::Info);
        assert_eq!(Verdict::Known.and(Verdict::NonStrict), Verdict::Known);
    }

    #[test]
    fn every_verdict_is_found_by_its_word() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_word(verdict.as_str()), Some(verdict));
        }
    }
}
