//! What a run says of each requirement, and which answers stand behind several failures.

use crate::outcome::{Ledger, Outcome, StepRecord, Verdict};
use crate::requirement::{Catalogue, Level, Requirement, RequirementId, Section};
use serde::Serialize;
use std::collections::BTreeMap;

/// What one case says of a requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementEvidence {
    /// The case.
    pub case: String,
    /// What its steps that name the requirement came to.
    pub verdict: Verdict,
    /// Whether one of those steps was played, or the case as a whole speaks for all of them.
    pub reached: bool,
}

/// What a run says of one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementOutcome {
    /// The requirement.
    pub requirement: RequirementId,
    /// How strongly the text demands it.
    pub level: Level,
    /// Where the text stands.
    pub section: Section,
    /// The heaviest verdict of what judged it; `None` where nothing of this run speaks of it.
    pub verdict: Option<Verdict>,
    /// The cases that speak of it.
    pub cases: Vec<RequirementEvidence>,
    /// Whether generated lifecycles judged it.
    pub lifecycles: bool,
    /// Why it was not judged; empty where it was.
    pub reason: String,
}

/// The same answer where the same requirements were judged: one thing to mend, however many cases
/// it hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What the steps came to.
    pub verdict: Verdict,
    /// The requirements that they judge.
    pub requirements: Vec<RequirementId>,
    /// The permitted answers.
    pub expected: Vec<String>,
    /// What came; where no step decided, what the case says.
    pub actual: String,
    /// The cases that it hits.
    pub cases: Vec<String>,
}

impl Ledger {
    /// What the run says of every requirement of `catalogue`, in the order of their ids.
    #[must_use]
    pub fn requirements(&self, catalogue: &Catalogue) -> Vec<RequirementOutcome> {
        let mut by_id: BTreeMap<&RequirementId, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.outcomes {
            for id in &outcome.requirements {
                by_id.entry(id).or_default().push(outcome);
            }
        }
        let lives = self.lifecycles.as_ref();
        catalogue
            .iter()
            .map(|requirement| {
                let outcomes = by_id.get(&requirement.id).map_or(&[][..], Vec::as_slice);
                let lived = lives
                    .filter(|lives| lives.requirements.contains(&requirement.id))
                    .map(|lives| lives.failed == 0 && lives.known == 0);
                of_requirement(requirement, outcomes, lived)
            })
            .collect()
    }

    /// What stands behind the failures, the one that hits the most cases first.
    #[must_use]
    pub fn causes(&self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = Vec::new();
        for outcome in self.outcomes.iter().filter(|o| is_bad(o.verdict)) {
            let mut bad = outcome
                .steps
                .iter()
                .filter(|step| is_bad(step.verdict) && !step.requirements.is_empty())
                .peekable();
            if bad.peek().is_none() {
                note(&mut causes, outcome, &of_case(outcome));
            }
            for step in bad {
                note(&mut causes, outcome, &of_step(step));
            }
        }
        // The sort is stable: among equals the order is that of the cases.
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.cases.len()));
        causes
    }
}

/// Why lifecycles alone do not say that a requirement was kept.
const SOME_DEVIATED: &str = "only lifecycles judge it, and some of them deviated";

fn is_bad(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Fail | Verdict::Inconclusive | Verdict::NonStrict
    )
}

fn of_step(step: &StepRecord) -> Cause {
    Cause {
        verdict: step.verdict,
        requirements: step.requirements.clone(),
        expected: step.expected.clone(),
        actual: step.actual.clone(),
        cases: Vec::new(),
    }
}

/// The cause where no step decided: a server that is gone, what could not be prepared, an entry
/// of the known deviations that no longer deviates.
fn of_case(outcome: &Outcome) -> Cause {
    Cause {
        verdict: outcome.verdict,
        requirements: outcome.requirements.clone(),
        expected: outcome.expected.clone(),
        actual: match outcome.actual.as_str() {
            "" => outcome.message.lines().next().unwrap_or("").to_owned(),
            actual => actual.to_owned(),
        },
        cases: Vec::new(),
    }
}

fn note(causes: &mut Vec<Cause>, outcome: &Outcome, cause: &Cause) {
    let same = causes.iter_mut().find(|other| {
        (
            other.verdict,
            &other.requirements,
            &other.expected,
            &other.actual,
        ) == (
            cause.verdict,
            &cause.requirements,
            &cause.expected,
            &cause.actual,
        )
    });
    match same {
        Some(known) if known.cases.contains(&outcome.case) => {}
        Some(known) => known.cases.push(outcome.case.clone()),
        None => causes.push(Cause {
            cases: vec![outcome.case.clone()],
            ..cause.clone()
        }),
    }
}

/// `lived` is whether lifecycles judged it, and then whether all of them were as the text has it.
fn of_requirement(
    requirement: &Requirement,
    outcomes: &[&Outcome],
    lived: Option<bool>,
) -> RequirementOutcome {
    let cases: Vec<RequirementEvidence> = outcomes
        .iter()
        .map(|outcome| evidence(&requirement.id, outcome))
        .collect();
    let heaviest = |reached: bool| {
        cases
            .iter()
            .filter(|case| case.reached == reached)
            .map(|case| case.verdict)
            .reduce(Verdict::and)
    };
    // Deviations of lifecycles are counted together. Where there are some, those alone cannot say
    // that this very requirement was kept.
    let passed_in_lives = (lived == Some(true)).then_some(Verdict::Pass);
    let judged = match (heaviest(true), passed_in_lives) {
        (Some(of_cases), Some(of_lives)) => Some(of_cases.and(of_lives)),
        (of_cases, of_lives) => of_cases.or(of_lives),
    };
    let verdict = judged.or_else(|| heaviest(false));
    let reason = match verdict {
        Some(verdict) if verdict.is_judged() => String::new(),
        Some(_) => why_not(outcomes),
        None if lived.is_some() => SOME_DEVIATED.to_owned(),
        None => why_no_case(requirement),
    };
    RequirementOutcome {
        requirement: requirement.id.clone(),
        level: requirement.level,
        section: requirement.section.clone(),
        verdict,
        cases,
        lifecycles: lived.is_some(),
        reason,
    }
}

/// What `outcome` says of `id`: the steps that name it decide, not what others came to.
fn evidence(id: &RequirementId, outcome: &Outcome) -> RequirementEvidence {
    let of_steps = outcome
        .steps
        .iter()
        .filter(|step| step.requirements.contains(id))
        .map(|step| step.verdict)
        .reduce(Verdict::and);
    let by_no_step = !outcome
        .steps
        .iter()
        .any(|step| step.verdict == outcome.verdict);
    let (verdict, reached) = match of_steps {
        // The case failed and none of its steps: a known deviation that no longer deviates, which
        // the message names.
        _ if outcome.verdict == Verdict::Fail && by_no_step && outcome.message.contains(&id.0) => {
            (Verdict::Fail, true)
        }
        Some(verdict) => (verdict, true),
        // A server that went before anything was played has broken none of these.
        None if outcome.steps.is_empty() && outcome.verdict == Verdict::Fail => {
            (Verdict::Inconclusive, false)
        }
        None if outcome.steps.is_empty() => (outcome.verdict, true),
        // Nothing behind a known deviation is to be expected.
        None if outcome.verdict == Verdict::Known => (Verdict::NotApplicable, false),
        None => (Verdict::Inconclusive, false),
    };
    RequirementEvidence {
        case: outcome.case.clone(),
        verdict,
        reached,
    }
}

/// Why none of the cases that judge a requirement did.
fn why_not(outcomes: &[&Outcome]) -> String {
    let told = outcomes.iter().find(|outcome| !outcome.message.is_empty());
    told.map_or_else(String::new, |outcome| {
        let first = outcome.message.lines().next().unwrap_or("");
        format!("{}: {first}", outcome.case)
    })
}

fn why_no_case(requirement: &Requirement) -> String {
    let no_case = "no case of this run judges it";
    match (&requirement.exception, &requirement.reason) {
        (Some(why), _) => format!("{no_case}: {why}"),
        // That says nothing about cases, which may only not have been selected.
        (None, Some(why)) => format!("{no_case}; why traffic alone cannot: {why}"),
        (None, None) => no_case.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Lifecycles, TargetName};

    const REFUSED: &str = "FSRVP-3.1.4.4-07";
    const LATER: &str = "FSRVP-3.1.4.4-14";

    fn id(name: &str) -> RequirementId {
        RequirementId(name.to_owned())
    }

    fn step(requirement: &str, verdict: Verdict) -> StepRecord {
        StepRecord {
            step: 1,
            action: "AddToShadowCopySet".to_owned(),
            actual: "E_INVALIDARG".to_owned(),
            expected: vec!["FSRVP_E_OBJECT_NOT_FOUND".to_owned()],
            requirements: vec![id(requirement)],
            verdict,
            message: String::new(),
        }
    }

    fn played(case: &str, verdict: Verdict, steps: Vec<StepRecord>) -> Outcome {
        let requirements = vec![id(REFUSED), id(LATER)];
        let mut outcome = Outcome::unplayed(case, verdict, requirements, "it is so");
        outcome.steps = steps;
        outcome
    }

    fn ledger(outcomes: Vec<Outcome>) -> Ledger {
        let target = TargetName {
            name: "t".to_owned(),
            profile: "spec".to_owned(),
        };
        Ledger::new(target, 1, 2, outcomes)
    }

    #[test]
    fn a_server_that_is_gone_before_the_first_step_breaks_no_requirement() {
        let mut gone = played("a/gone", Verdict::Fail, Vec::new());
        gone.message = "server gone: refused".to_owned();
        let told = of(&ledger(vec![gone]), REFUSED);
        assert_eq!(told.verdict, Some(Verdict::Inconclusive));
        assert_eq!(told.reason, "a/gone: server gone: refused");
    }

    fn of(ledger: &Ledger, name: &str) -> RequirementOutcome {
        let catalogue = Catalogue::built_in().expect("it reads");
        let all = ledger.requirements(&catalogue);
        assert_eq!(all.len(), catalogue.len());
        let found = all
            .into_iter()
            .find(|outcome| outcome.requirement.0 == name);
        found.expect("every requirement is told of")
    }

    #[test]
    fn a_failed_step_breaks_its_own_requirement_and_leaves_what_follows_open() {
        let ledger = ledger(vec![played(
            "t/a",
            Verdict::Fail,
            vec![step(REFUSED, Verdict::Fail)],
        )]);
        assert_eq!(of(&ledger, REFUSED).verdict, Some(Verdict::Fail));
        let later = of(&ledger, LATER);
        assert_eq!(later.verdict, Some(Verdict::Inconclusive));
        assert_eq!(later.reason, "t/a: it is so");
    }

    #[test]
    fn what_another_case_judged_is_not_in_doubt_because_one_ended_before_it() {
        let ended = played("t/a", Verdict::Fail, vec![step(REFUSED, Verdict::Fail)]);
        let whole = played("t/b", Verdict::Pass, vec![step(LATER, Verdict::Pass)]);
        let ledger = ledger(vec![ended, whole]);
        assert_eq!(of(&ledger, LATER).verdict, Some(Verdict::Pass));
        assert_eq!(of(&ledger, LATER).cases.len(), 2);
    }

    #[test]
    fn an_entry_that_no_longer_deviates_fails_the_requirement_that_it_names() {
        let steps = vec![step(REFUSED, Verdict::Pass), step(LATER, Verdict::Pass)];
        let mut outcome = played("t/a", Verdict::Fail, steps);
        outcome.message = format!("{REFUSED} no longer deviates");
        let ledger = ledger(vec![outcome]);
        assert_eq!(of(&ledger, REFUSED).verdict, Some(Verdict::Fail));
        assert_eq!(of(&ledger, LATER).verdict, Some(Verdict::Pass));
    }

    #[test]
    fn lifecycles_are_evidence_and_what_nothing_speaks_of_has_a_reason() {
        let mut lives = Lifecycles::default();
        lives.judged(REFUSED);
        let absent = played("t/a", Verdict::NotApplicable, Vec::new());
        let deviated = Lifecycles {
            known: 1,
            ..lives.clone()
        };
        let in_doubt = ledger(Vec::new()).with_lifecycles(Some(deviated));
        assert_eq!(of(&in_doubt, REFUSED).verdict, None);
        assert_eq!(of(&in_doubt, REFUSED).reason, SOME_DEVIATED);
        let ledger = ledger(vec![absent]).with_lifecycles(Some(lives));
        assert_eq!(of(&ledger, REFUSED).verdict, Some(Verdict::Pass));
        assert!(of(&ledger, REFUSED).lifecycles);
        let not_judged = of(&ledger, LATER);
        assert_eq!(not_judged.verdict, Some(Verdict::NotApplicable));
        assert_eq!(not_judged.reason, "t/a: it is so");
        let silent = of(&ledger, "FSRVP-1.9-01");
        assert_eq!(silent.verdict, None);
        assert!(
            silent
                .reason
                .starts_with("no case of this run judges it; why traffic alone cannot: ")
        );
    }

    #[test]
    fn one_answer_in_several_cases_is_one_cause() {
        let bad = |case: &str, requirement| {
            played(case, Verdict::Fail, vec![step(requirement, Verdict::Fail)])
        };
        let ledger = ledger(vec![
            bad("t/a", LATER),
            bad("t/b", REFUSED),
            bad("t/c", REFUSED),
            played("t/d", Verdict::Pass, Vec::new()),
        ]);
        let causes = ledger.causes();
        let cases: Vec<_> = causes.iter().map(|cause| cause.cases.join(" ")).collect();
        assert_eq!(cases, ["t/b t/c", "t/a"]);
    }
}
