//! MS-FSRVP 3.1.2: the Message Sequence Timer.

use super::TimerStatus;
use fsrvp_wire::fsrvp::timers;
use std::time::Duration;

/// How long the timer runs after each event; see [`timers`] for the sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durations {
    /// After SetContext.
    pub set_context: Duration,
    /// After StartShadowCopySet.
    pub start: Duration,
    /// After AddToShadowCopySet.
    pub add: Duration,
    /// After AddToShadowCopySet met a file store that was there already.
    pub add_exists: Duration,
    /// After PrepareShadowCopySet.
    pub prepare: Duration,
    /// After PrepareShadowCopySet failed.
    pub prepare_failed: Duration,
    /// After CommitShadowCopySet.
    pub commit: Duration,
    /// After ExposeShadowCopySet.
    pub expose: Duration,
    /// After GetShareMapping.
    pub get_share_mapping: Duration,
}

impl Durations {
    /// Every nominal duration as `change` makes it.
    pub fn map(change: impl Fn(Duration) -> Duration) -> Durations {
        Durations {
            set_context: change(timers::AFTER_SET_CONTEXT),
            start: change(timers::AFTER_START),
            add: change(timers::AFTER_ADD),
            add_exists: change(timers::AFTER_ADD_EXISTS),
            prepare: change(timers::AFTER_PREPARE),
            prepare_failed: change(timers::AFTER_PREPARE_FAILED),
            commit: change(timers::AFTER_COMMIT),
            expose: change(timers::AFTER_EXPOSE),
            get_share_mapping: change(timers::AFTER_GET_SHARE_MAPPING),
        }
    }

    /// The specification's own durations.
    #[must_use]
    pub fn nominal() -> Durations {
        Durations::map(|duration| duration)
    }
}

/// The one timer; stopped at first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timer {
    deadline: Option<Duration>,
    /// How long it was started for.
    limit: Duration,
}

impl Timer {
    pub(super) fn start(&mut self, now: Duration, duration: Duration) {
        self.deadline = Some(now.saturating_add(duration));
        self.limit = duration;
    }

    /// How long it was started for.
    pub(super) fn limit(self) -> Duration {
        self.limit
    }

    /// How it stands at `now`; `None` while it does not run.
    pub(super) fn status(self, now: Duration) -> Option<TimerStatus> {
        Some(TimerStatus {
            limit_s: self.limit.as_secs_f64(),
            left_s: self.deadline?.saturating_sub(now).as_secs_f64(),
        })
    }

    pub(super) fn stop(&mut self) {
        self.deadline = None;
    }

    pub(super) fn deadline(self) -> Option<Duration> {
        self.deadline
    }

    pub(super) fn is_due(self, now: Duration) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}
