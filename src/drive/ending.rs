//! What a case comes to, step by step.

use crate::case::{Case, Deviation, KnownDeviations};
use crate::outcome::{StepRecord, Verdict};

/// What the case comes to so far.
pub(crate) struct Ending {
    pub(crate) verdict: Verdict,
    pub(crate) expected: Vec<String>,
    pub(crate) actual: String,
    pub(crate) message: String,
    pub(crate) steps: Vec<StepRecord>,
}

impl Default for Ending {
    fn default() -> Self {
        Ending {
            verdict: Verdict::NotApplicable,
            expected: Vec::new(),
            actual: String::new(),
            message: String::new(),
            steps: Vec::new(),
        }
    }
}

impl Ending {
    /// What it comes to that a step could not prepare: after a known deviation nothing else is to
    /// be expected; otherwise what follows should have been judged.
    pub(crate) fn unprepared(&self) -> Verdict {
        match self.verdict {
            Verdict::Known => Verdict::Known,
            _ => Verdict::Inconclusive,
        }
    }

    /// The known deviations whose steps were all judged and passed.
    pub(crate) fn stale_entries(&self, case: &Case, known: &KnownDeviations) -> Vec<String> {
        let passed = |n: usize| {
            let record = self.steps.iter().find(|record| record.step == n + 1);
            record.is_some_and(|record| record.verdict == Verdict::Pass)
        };
        let is_stale = |entry: &Deviation| {
            let steps = case.steps.iter().enumerate();
            let mut about = steps.filter(|(_, step)| {
                step.expect.as_ref().is_some_and(|expect| {
                    entry.is_about(&case.id, &expect.requirements, step.method())
                })
            });
            let first = about.next();
            first.is_some_and(|(n, _)| passed(n)) && about.all(|(n, _)| passed(n))
        };
        known
            .entries()
            .iter()
            .filter(|entry| is_stale(entry))
            .map(|entry| {
                format!(
                    "{} no longer deviates: remove it from the list of known deviations",
                    entry.names()
                )
            })
            .collect()
    }

    pub(crate) fn record(&mut self, n: usize, action: String, actual: &str, verdict: Verdict) {
        self.steps.push(StepRecord {
            step: n,
            action,
            actual: actual.to_owned(),
            expected: Vec::new(),
            requirements: Vec::new(),
            verdict,
            message: String::new(),
        });
    }

    /// Takes a judged step; the heaviest one decides, the last one among equals that pass.
    pub(crate) fn decide(&mut self, record: StepRecord) {
        let heavier = self.verdict.and(record.verdict) != self.verdict;
        if heavier || (record.verdict == Verdict::Pass && self.verdict == Verdict::Pass) {
            self.expected.clone_from(&record.expected);
            self.actual.clone_from(&record.actual);
        }
        self.verdict = self.verdict.and(record.verdict);
        if !record.message.is_empty() {
            let line = format!(
                "step {}: {}: {}",
                record.step, record.action, record.message
            );
            self.add(&line);
        }
        self.steps.push(record);
    }

    /// Ends the case before its last step.
    pub(crate) fn close(&mut self, n: usize, verdict: Verdict, why: &str) {
        self.verdict = self.verdict.and(verdict);
        self.add(&format!("step {n} and what follows was not judged: {why}"));
    }

    pub(crate) fn add(&mut self, line: &str) {
        if !self.message.is_empty() {
            self.message.push('\n');
        }
        self.message.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Library;

    const CASE: &str = "add-to-shadow-copy-set/second-share-on-same-store";

    fn record(step: usize, verdict: Verdict) -> StepRecord {
        StepRecord {
            step,
            action: format!("step {step}"),
            actual: verdict.to_string(),
            expected: vec!["pass".to_owned()],
            requirements: Vec::new(),
            verdict,
            message: String::new(),
        }
    }

    #[test]
    fn the_heaviest_step_decides() {
        let mut ending = Ending::default();
        for (n, verdict) in [
            Verdict::Pass,
            Verdict::NonStrict,
            Verdict::Pass,
            Verdict::Info,
        ]
        .into_iter()
        .enumerate()
        {
            ending.decide(record(n + 1, verdict));
        }
        assert_eq!(ending.verdict, Verdict::NonStrict);
        assert_eq!(ending.actual, "non-strict");
    }

    #[test]
    fn what_cannot_be_prepared_is_inconclusive_unless_a_known_deviation_is_why() {
        let mut ending = Ending::default();
        ending.decide(record(1, Verdict::Pass));
        assert_eq!(ending.unprepared(), Verdict::Inconclusive);
        ending.decide(record(2, Verdict::Known));
        assert_eq!(ending.unprepared(), Verdict::Known);
    }

    #[test]
    fn an_entry_is_stale_where_all_it_is_about_passed() {
        let library = Library::built_in().expect("it reads");
        let case = library
            .cases
            .iter()
            .find(|case| case.id == CASE)
            .expect("it is there");
        let judged = case
            .steps
            .iter()
            .position(|step| step.expect.is_some())
            .expect("one judges");
        let list = "target = \"t\"\n[[deviation]]\nrequirement = \"FSRVP-3.1.4.4-14\"\n\
                    answer = \"ZERO\"\nreason = \"r\"\nsource = \"s\"\n";
        let known = KnownDeviations::read("k.toml", list, &library.catalogue, &library.cases)
            .expect("the list reads");
        let stale = |verdict| {
            let mut ending = Ending::default();
            ending.decide(record(judged + 1, verdict));
            ending.stale_entries(case, &known).len()
        };
        assert_eq!(stale(Verdict::Pass), 1);
        assert_eq!(stale(Verdict::Known), 0);
        // The case ended before the step: whether it still deviates was not seen.
        assert_eq!(Ending::default().stale_entries(case, &known).len(), 0);
    }
}
