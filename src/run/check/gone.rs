//! A foreign server that is no longer there in the middle of a run, or that answers no more.
//!
//! A run against one that falls silent ends in a bounded time: the case that it falls silent in waits
//! for its answer (20 s for SMB, 180 s for a call, or what the target file says) and for one more when
//! it cleans up, ten minutes at most; then come this file's looks, of ten seconds each.

use crate::case::{Case, Target};
use crate::drive::{DriveError, RESTART_FAILED, answers};
use crate::outcome::{Outcome, Verdict};
use tokio::runtime::Runtime;

/// How often it is asked whether a server is back that takes connections and answers nothing.
const LOOKS_AT_SILENCE_MAX: u32 = 2;

/// Watches whether a foreign server is there.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// How it went, where it did.
    gone: Option<Gone>,
}

/// A server that went.
#[derive(Debug)]
struct Gone {
    /// The case in which it did.
    since: String,
    /// What is to be seen of it.
    why: String,
    /// Whether it takes time to see that.
    is_silent: bool,
    /// How often that was seen since.
    looks: u32,
}

impl Watch {
    /// What a case comes to that need not be tried, since the server went and is not back.
    pub(super) fn before(
        &mut self,
        case: &Case,
        target: &Target,
        runtime: &Runtime,
    ) -> Option<Outcome> {
        let gone = self.gone.as_mut()?;
        if !gone.is_silent || gone.looks < LOOKS_AT_SILENCE_MAX {
            gone.looks += 1;
            match knock(target, runtime) {
                Ok(()) => {
                    self.gone = None;
                    return None;
                }
                Err(absence) => (gone.why, gone.is_silent) = (absence.why, absence.is_silent),
            }
        }
        let what = format!("server gone since {}: {}", gone.since, gone.why);
        let requirements = case.requirements();
        Some(Outcome::unplayed(
            &case.id,
            Verdict::Inconclusive,
            requirements,
            what,
        ))
    }

    /// The same outcome; a failure where the server went in the middle of the case.
    pub(super) fn after(
        &mut self,
        mut outcome: Outcome,
        target: &Target,
        runtime: &Runtime,
    ) -> Outcome {
        if !matches!(outcome.verdict, Verdict::Fail | Verdict::Inconclusive) {
            return outcome;
        }
        if let Some(gone) = self.look(&outcome.case, target, runtime) {
            if !outcome.message.contains(RESTART_FAILED) {
                outcome.verdict = Verdict::Fail;
            }
            outcome.message = match outcome.message.as_str() {
                "" => format!("server gone: {gone}"),
                message => format!("server gone: {gone}\n{message}"),
            };
        }
        outcome
    }

    /// Looks whether the server is still there after `case`; says what is to be seen where it is not.
    pub(super) fn look(&mut self, case: &str, target: &Target, runtime: &Runtime) -> Option<&str> {
        let absence = knock(target, runtime).err()?;
        let gone = self.gone.insert(Gone {
            since: case.to_owned(),
            why: absence.why,
            is_silent: absence.is_silent,
            looks: 0,
        });
        Some(&gone.why)
    }

    /// Whether the server has gone.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.is_some()
    }
}

/// How a server is not there.
struct Absence {
    why: String,
    is_silent: bool,
}

/// Whether somebody answers there, with whatever answer.
fn knock(target: &Target, runtime: &Runtime) -> Result<(), Absence> {
    let Err(error) = runtime.block_on(answers(target)) else {
        return Ok(());
    };
    let is_silent = matches!(error, DriveError::Silence { .. });
    let is_lost = matches!(
        error,
        DriveError::Connect { .. } | DriveError::Closed { .. } | DriveError::Io { .. }
    );
    match is_silent || is_lost {
        true => Err(Absence {
            why: error.to_string(),
            is_silent,
        }),
        false => Ok(()),
    }
}
