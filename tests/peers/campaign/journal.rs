//! What was answered with ZERO, and what was asked and not answered: so what a restarted server has
//! to know, and what it may know.

use super::disk::WRITERS;
use fsrvp_reference::agent::{ShadowCopySet, State, Status};
use fsrvp_wire::fsrvp::{ShadowCopyId, ShadowCopySetId};

/// How far a set has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Started,
    /// So many shares were added.
    Added(usize),
    Committed,
    Exposed,
    Recovered,
    /// One of its two mappings was deleted.
    Halved,
    Gone,
}

/// What each writer had written into each share, at least and at most, when a set was committed.
pub(crate) type Numbers = [[u64; WRITERS]; 2];

/// One set as its client knows it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) set: ShadowCopySetId,
    /// One for each share that was added.
    pub(crate) copies: Vec<ShadowCopyId>,
    /// Answered with ZERO.
    pub(crate) acknowledged: Stage,
    /// Asked for, and not answered.
    pub(crate) pending: Option<Stage>,
    /// What its copies hold at least: acknowledged before Commit was sent.
    pub(crate) at_least: Numbers,
    /// What they hold at most: sent before Commit was answered.
    pub(crate) at_most: Numbers,
    /// What was written into the exposed share of `data`, and acknowledged.
    pub(crate) recovered: bool,
}

impl Record {
    /// Whether the copy of the share of that index may hold these numbers.
    pub(crate) fn permits(&self, index: usize, numbers: &[u64; WRITERS]) -> Result<(), String> {
        let bounds = self.at_least[index].iter().zip(&self.at_most[index]);
        for (writer, (number, (least, most))) in numbers.iter().zip(bounds).enumerate() {
            if !(least..=most).contains(&number) {
                return Err(format!("w{writer} is {number}, not {least} to {most}"));
            }
        }
        Ok(())
    }
}

/// All sets of one campaign.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journal {
    pub(crate) records: Vec<Record>,
    /// A StartShadowCopySet was sent and not answered.
    pub(crate) starting: bool,
}

impl Journal {
    /// The set that was started last.
    pub(crate) fn last(&mut self) -> Option<&mut Record> {
        self.records.last_mut()
    }

    /// What the stored state has that it must not have, or lacks.
    pub(crate) fn objections(&self, state: &State) -> Vec<String> {
        let mut found = Vec::new();
        for record in &self.records {
            let set = state.set(record.set);
            if !fits(set, record.acknowledged) && !may_fit(set, record.pending) {
                found.push(format!("stored: {set:?}\nbut answered: {record:?}"));
            }
        }
        let known = |set: &&ShadowCopySet| self.records.iter().any(|record| record.set == set.id);
        for stranger in state.sets.iter().filter(|set| !known(set)) {
            if !self.starting || stranger.status != Status::Started {
                found.push(format!("a set that nobody made: {stranger:?}"));
            }
        }
        found
    }
}

fn fits(set: Option<&ShadowCopySet>, stage: Stage) -> bool {
    let Some(set) = set else {
        return stage == Stage::Gone;
    };
    let made = set.copies.iter().all(|copy| copy.backend_ref.is_some());
    let exposed = set.exposed_names().len();
    let facts = (set.status, set.copies.len());
    match stage {
        Stage::Started => facts == (Status::Started, 0),
        Stage::Added(count) => facts == (Status::Added, count),
        Stage::Committed => facts == (Status::Committed, 2) && made,
        Stage::Exposed => facts == (Status::Exposed, 2) && made && exposed == 2,
        Stage::Recovered => facts == (Status::Recovered, 2) && made && exposed == 2,
        Stage::Halved => facts == (Status::Recovered, 1) && made && exposed == 1,
        Stage::Gone => false,
    }
}

fn may_fit(set: Option<&ShadowCopySet>, pending: Option<Stage>) -> bool {
    let Some(pending) = pending else { return false };
    let is_being_made = |set: &ShadowCopySet| {
        let made = set.copies.iter().any(|copy| copy.backend_ref.is_some());
        set.status == Status::CreationInProgress && !made
    };
    fits(set, pending) || pending == Stage::Committed && set.is_some_and(is_being_made)
}
