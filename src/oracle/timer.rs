//! MS-FSRVP 3.1.2: the Message Sequence Timer, as far as the traffic tells.

use fsrvp_wire::fsrvp::timers;
use std::time::Duration;

/// How long a server's Message Sequence Timer runs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Durations {
    /// Nobody said: a set may be gone after any time, and is never certain to be.
    #[default]
    Unknown,
    /// The same; and the server's clock is not that of the traffic: somebody moves it.
    Moved,
    /// So many times shorter than nominal; 1 is nominal.
    Scaled(f64),
    /// One duration for every step.
    Fixed(Duration),
    /// Nominal, by a clock that only the judge moves: it is always certain what has run out.
    Exact,
}

impl Durations {
    /// Whether somebody said how long.
    pub(super) fn is_known(self) -> bool {
        !matches!(self, Durations::Unknown | Durations::Moved)
    }

    fn of(self, nominal: Duration) -> Option<Duration> {
        match self {
            Durations::Unknown | Durations::Moved => None,
            Durations::Scaled(scale) if scale > 0.0 => Some(nominal.div_f64(scale)),
            Durations::Scaled(_) => None,
            Durations::Fixed(duration) => Some(duration),
            Durations::Exact => Some(nominal),
        }
    }
}

/// What started the timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arm {
    SetContext,
    Start,
    Add,
    /// A file store that was in the set already.
    AddExists,
    Prepare,
    PrepareFailed,
    Commit,
    Expose,
    GetShareMapping,
}

impl Arm {
    /// How long the timer of servers with these durations runs, where that is known.
    pub(super) fn duration(self, durations: Durations) -> Option<Duration> {
        durations.of(self.nominal())
    }

    pub(super) fn nominal(self) -> Duration {
        match self {
            Arm::SetContext => timers::AFTER_SET_CONTEXT,
            Arm::Start => timers::AFTER_START,
            Arm::Add => timers::AFTER_ADD,
            Arm::AddExists => timers::AFTER_ADD_EXISTS,
            Arm::Prepare => timers::AFTER_PREPARE,
            Arm::PrepareFailed => timers::AFTER_PREPARE_FAILED,
            Arm::Commit => timers::AFTER_COMMIT,
            Arm::Expose => timers::AFTER_EXPOSE,
            Arm::GetShareMapping => timers::AFTER_GET_SHARE_MAPPING,
        }
    }

    /// The event in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Arm::SetContext => "SetContext",
            Arm::Start => "StartShadowCopySet",
            Arm::Add | Arm::AddExists => "AddToShadowCopySet",
            Arm::Prepare | Arm::PrepareFailed => "PrepareShadowCopySet",
            Arm::Commit => "CommitShadowCopySet",
            Arm::Expose => "ExposeShadowCopySet",
            Arm::GetShareMapping => "GetShareMapping",
        }
    }
}

/// The server's one timer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Timer {
    /// It may run, for how long is not known.
    Unknown,
    /// It does not run.
    Stopped,
    /// It was started by `arm` between two moments.
    Running {
        arm: Arm,
        from: Duration,
        to: Duration,
    },
}

/// Whether a timer has fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fired {
    No,
    Maybe,
    Yes(Arm),
}

/// A clock may run one part in a hundred faster than the other.
const DRIFT: u32 = 100;

/// How much later than its time a timer may fire without anybody being sure that it should have:
/// a tenth of its duration, at most this.
const LATE_MAX: Duration = Duration::from_secs(10);

impl Timer {
    /// Whether it has fired before a call that was made at `asked` and answered at `answered`.
    pub(super) fn fired(self, durations: Durations, asked: Duration, answered: Duration) -> Fired {
        let (arm, from, to) = match self {
            Timer::Unknown => return Fired::Maybe,
            Timer::Stopped => return Fired::No,
            Timer::Running { arm, from, to } => (arm, from, to),
        };
        let Some(length) = durations.of(arm.nominal()) else {
            return Fired::Maybe;
        };
        if durations == Durations::Exact {
            return match asked.cmp(&to.saturating_add(length)) {
                std::cmp::Ordering::Less => Fired::No,
                std::cmp::Ordering::Equal => Fired::Maybe,
                std::cmp::Ordering::Greater => Fired::Yes(arm),
            };
        }
        let early = from.saturating_add(length - length / DRIFT);
        let late = to
            .saturating_add(length)
            .saturating_add((length / 10).min(LATE_MAX));
        match (answered < early, asked > late) {
            (true, _) => Fired::No,
            (false, true) => Fired::Yes(arm),
            (false, false) => Fired::Maybe,
        }
    }

    /// When it fires, where it runs and its length is known.
    pub(super) fn ends(self, durations: Durations) -> Option<Duration> {
        match self {
            Timer::Running { arm, to, .. } => Some(to.saturating_add(arm.duration(durations)?)),
            Timer::Unknown | Timer::Stopped => None,
        }
    }

    /// The duration that `arm` starts it with, in words.
    pub(super) fn length(durations: Durations, arm: Arm) -> String {
        durations
            .of(arm.nominal())
            .map_or("an unknown time".to_owned(), |length| {
                format!("{} s", length.as_secs_f64())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_certain_only_away_from_its_end() {
        let second = Duration::from_secs(1);
        let timer = Timer::Running {
            arm: Arm::Start,
            from: second,
            to: second * 2,
        };
        let nominal = Durations::Scaled(1.0);
        let fired = |at: u64| {
            timer.fired(
                nominal,
                second * u32::try_from(at).expect("short"),
                second * u32::try_from(at).expect("short"),
            )
        };
        assert_eq!(fired(170), Fired::No);
        assert_eq!(fired(180), Fired::Maybe);
        assert_eq!(fired(191), Fired::Maybe);
        assert_eq!(fired(193), Fired::Yes(Arm::Start));
        let never = Durations::Unknown;
        assert_eq!(
            timer.fired(never, second * 9999, second * 9999),
            Fired::Maybe
        );
        assert_eq!(timer.fired(never, second * 2, second * 2), Fired::Maybe);
        let fixed = Durations::Fixed(second * 2);
        assert_eq!(
            timer.fired(fixed, second * 5, second * 5),
            Fired::Yes(Arm::Start)
        );
        assert_eq!(
            Timer::Stopped.fired(nominal, second * 9999, second * 9999),
            Fired::No
        );
    }
}
