//! What was known around one exchange, for those who show it: the set before and after, and how
//! much of the Message Sequence Timer was used.

use super::history::{Gone, History};
use super::loss::Loss;
use super::statuses::{Status, Statuses};
use super::timer::{Durations, Timer};
use fsrvp_wire::fsrvp::ShadowCopySetId;
use std::fmt;
use std::time::Duration;

/// What was known around one exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// The connection of the exchange.
    pub stream: u64,
    /// The first frame of its request.
    pub frame: u64,
    /// Its call id.
    pub call_id: u32,
    /// The set that it is about: of the request, or the one that StartShadowCopySet made.
    pub set: Option<ShadowCopySetId>,
    /// Whether the server may have that set before or after.
    pub may_exist: bool,
    /// Whether that set is certainly recovered or gone after it.
    pub is_over: bool,
    /// The set before.
    pub before: Standing,
    /// The set after.
    pub after: Standing,
    /// The timer when the call came.
    pub timer: Countdown,
    /// The sets that the server let go of before this call, or because of it, without being asked
    /// to.
    pub losses: Vec<Loss>,
}

/// MS-FSRVP 3.1.1.2 Status, as far as the traffic tells, in a word or two; empty where there is no
/// set to speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing(String);

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Standing {
    /// How many statuses are worth naming; more say no more than that it is not known.
    const NAMED_MAX: usize = 2;

    /// That of the set `id`, which has one of these statuses.
    pub(super) fn of(
        history: &History,
        id: Option<ShadowCopySetId>,
        statuses: Statuses,
    ) -> Standing {
        let Some(id) = id.filter(|id| !id.is_nil()) else {
            return Standing(String::new());
        };
        let gone = history.set(id).and_then(|set| set.gone);
        match (statuses.certain(), gone) {
            (Some(Status::Absent), Some(gone)) => Standing(gone.name().to_owned()),
            (Some(status), _) => Standing(word(status).to_owned()),
            (None, _) if statuses.iter().count() > Standing::NAMED_MAX => Standing("?".to_owned()),
            (None, _) => {
                let words: Vec<&str> = statuses.iter().map(word).collect();
                Standing(words.join("/"))
            }
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Absent => "none",
        status => status.name(),
    }
}

impl Gone {
    fn name(self) -> &'static str {
        match self {
            Gone::Dropped => "dropped",
            Gone::Aborted(_) => "aborted",
            Gone::Expired(_) => "expired",
            Gone::Emptied => "deleted",
        }
    }
}

/// MS-FSRVP 3.1.2: the timer when a call came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Countdown {
    /// Whether it runs is not known.
    Unknown,
    /// It does not run.
    Stopped,
    /// It has fired since the call before.
    Fired,
    /// It runs.
    Running {
        /// Since it was started, counted from the answer that started it.
        used: Duration,
        /// How long it runs.
        limit: Duration,
        /// Whether that is the specification's duration because the server's own is not known.
        nominal: bool,
    },
}

impl Countdown {
    /// How `timer` stands when a call comes at `asked`, where it is `later` once time has passed.
    pub(super) fn of(timer: Timer, later: Timer, durations: Durations, asked: Duration) -> Self {
        match (timer, later) {
            (Timer::Running { .. }, Timer::Stopped) => Countdown::Fired,
            (Timer::Unknown, _) => Countdown::Unknown,
            (Timer::Stopped, _) => Countdown::Stopped,
            (Timer::Running { arm, to, .. }, _) => {
                let known = arm.duration(durations);
                Countdown::Running {
                    used: asked.saturating_sub(to),
                    limit: known.unwrap_or_else(|| arm.nominal()),
                    nominal: known.is_none(),
                }
            }
        }
    }
}
