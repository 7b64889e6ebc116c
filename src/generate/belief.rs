//! What the generator takes a server to be in, so that its calls meet every status.
//!
//! It steers and judges nothing: where it is wrong, a call only meets another status than it was
//! meant for.

use super::Stage;
use crate::case::{CallTemplate, IdRef};
use fsrvp_wire::fsrvp::Opnum;

/// How far a set is taken to have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    Gone,
    Started,
    Added,
    Committed,
    Exposed,
    Recovered,
}

/// A shadow copy set by the name that its id is saved under.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) progress: Progress,
    pub(super) copies: Vec<Copy>,
}

/// A shadow copy by the name that its id is saved under, and its share.
#[derive(Debug, Clone)]
pub(super) struct Copy {
    pub(super) name: String,
    pub(super) share: String,
    pub(super) deleted: bool,
}

/// The whole belief.
#[derive(Debug, Default)]
pub(super) struct Belief {
    pub(super) sets: Vec<Set>,
    /// Who set the context, by address: whether from the other one.
    pub(super) context: Option<bool>,
    /// How long the timer still runs, and how long it ran from its start, in seconds.
    pub(super) timer: Option<(u64, u64)>,
    retries: u32,
}

/// MS-FSRVP <5>: how often in a row one client may repeat SetContext.
const RETRIES_MAX: u32 = 5;

impl Belief {
    /// The set that is not finished.
    pub(super) fn unfinished(&self) -> Option<&Set> {
        self.sets.iter().find(|set| is_unfinished(set))
    }

    /// How far the server has come with the set that is not finished.
    pub(super) fn progress(&self) -> Progress {
        self.unfinished().map_or(Progress::Gone, |set| set.progress)
    }

    /// Time passes.
    pub(super) fn pass(&mut self, seconds: u64) {
        match self.timer {
            Some((left, _)) if left <= seconds => {
                self.timer = None;
                self.context = None;
                self.drop_unfinished();
            }
            Some((left, of)) => self.timer = Some((left - seconds, of)),
            None => {}
        }
    }

    fn drop_unfinished(&mut self) {
        for set in self.sets.iter_mut().filter(|set| is_unfinished(set)) {
            set.progress = Progress::Gone;
        }
    }

    fn arm(&mut self, seconds: u64) {
        self.timer = Some((seconds, seconds));
    }

    /// A call by a client that may make it. `save` is the name of the id that it gives.
    pub(super) fn call(
        &mut self,
        call: &CallTemplate,
        from_other: bool,
        save: Option<&str>,
        stage: &Stage,
    ) {
        match call.method {
            Opnum::SetContext if call.context.is_valid() => self.set_context(from_other),
            Opnum::StartShadowCopySet => self.start(&call.client_id, save),
            Opnum::AddToShadowCopySet => self.add(call, save, stage),
            Opnum::PrepareShadowCopySet => self.step(call, Progress::Added, Progress::Added, 1800),
            Opnum::CommitShadowCopySet => {
                self.step(call, Progress::Added, Progress::Committed, 180);
            }
            Opnum::ExposeShadowCopySet => {
                self.step(call, Progress::Committed, Progress::Exposed, 180);
            }
            Opnum::RecoveryCompleteShadowCopySet if self.is_in(call, Progress::Exposed) => {
                self.step(call, Progress::Exposed, Progress::Recovered, 180);
                self.timer = None;
                self.context = None;
            }
            Opnum::AbortShadowCopySet => {
                if let Some(set) = self.named(&call.set) {
                    set.progress = Progress::Gone;
                    self.context = None;
                }
            }
            Opnum::GetShareMapping if call.level == 1 && self.is_in(call, Progress::Exposed) => {
                self.arm(1800);
            }
            Opnum::DeleteShareMapping => self.delete(call),
            _ => {}
        }
    }

    fn set_context(&mut self, from_other: bool) {
        match self.context {
            Some(holder) if holder != from_other => return,
            Some(_) => {
                self.drop_unfinished();
                self.retries += 1;
            }
            None => self.retries = 0,
        }
        if self.retries > RETRIES_MAX {
            self.context = None;
        } else {
            self.context = Some(from_other);
            self.arm(180);
        }
    }

    fn start(&mut self, client_id: &IdRef, save: Option<&str>) {
        let free = self.context.is_some() && self.unfinished().is_none();
        let (true, Some(name)) = (free && *client_id != IdRef::Nil, save) else {
            return;
        };
        self.sets.push(Set {
            name: name.to_owned(),
            progress: Progress::Started,
            copies: Vec::new(),
        });
        self.arm(180);
    }

    fn add(&mut self, call: &CallTemplate, save: Option<&str>, stage: &Stage) {
        let Some(share) = share_of(&call.share).filter(|share| stage.can_be_copied(share)) else {
            return;
        };
        let can = [Progress::Started, Progress::Added];
        let Some(set) = self.named(&call.set) else {
            return;
        };
        if !can.contains(&set.progress) {
            return;
        }
        let store = stage.store(&share);
        if set
            .copies
            .iter()
            .any(|copy| stage.store(&copy.share) == store)
        {
            self.arm(180);
            return;
        }
        set.progress = Progress::Added;
        set.copies.push(Copy {
            name: save.unwrap_or_default().to_owned(),
            share,
            deleted: false,
        });
        self.arm(1800);
    }

    fn step(&mut self, call: &CallTemplate, from: Progress, to: Progress, seconds: u64) {
        if let Some(set) = self.named(&call.set).filter(|set| set.progress == from) {
            set.progress = to;
            self.arm(seconds);
        }
    }

    fn delete(&mut self, call: &CallTemplate) {
        let share = share_of(&call.share);
        let IdRef::Saved(id) = &call.copy else {
            return;
        };
        let Some(set) = self.named(&call.set) else {
            return;
        };
        if set.progress < Progress::Exposed {
            return;
        }
        for copy in &mut set.copies {
            if copy.name == *id && share.as_ref() == Some(&copy.share) {
                copy.deleted = true;
            }
        }
        if set.copies.iter().all(|copy| copy.deleted) {
            set.progress = Progress::Gone;
        }
    }

    fn is_in(&mut self, call: &CallTemplate, progress: Progress) -> bool {
        self.named(&call.set)
            .is_some_and(|set| set.progress == progress)
    }

    fn named(&mut self, id: &IdRef) -> Option<&mut Set> {
        let IdRef::Saved(name) = id else {
            return None;
        };
        self.sets
            .iter_mut()
            .find(|set| set.name == *name && set.progress != Progress::Gone)
    }
}

fn is_unfinished(set: &Set) -> bool {
    !matches!(set.progress, Progress::Gone | Progress::Recovered)
}

/// The placeholder of the share in a name of the form `\\host\{share}`; letters in another case
/// name the same share.
pub(super) fn share_of(name: &str) -> Option<String> {
    let (host, share) = name.strip_prefix(r"\\")?.split_once('\\')?;
    let share = share.strip_suffix('\\').unwrap_or(share);
    let whole = !host.is_empty() && !share.contains('\\');
    whole.then(|| share.replace("{SHARE}", "{share}"))
}
