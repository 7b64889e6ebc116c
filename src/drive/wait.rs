//! The only place where the harness waits because a foreign server's clock is not ours. Every
//! wait is bounded, by `REAL_WAIT_MAX` of a target or by a constant here.

use crate::case::{Advance, REAL_WAIT_MAX, Timers};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How far beyond a timer's end a foreign server is asked, for it to have noticed.
const SLACK: Duration = Duration::from_millis(750);
/// How near to a timer's end it is asked when the timer must not have run out yet.
const EARLY_SHARE: f64 = 0.7;
/// How long a newly exposed share may take to be seen by a connection that was there before:
/// some servers tell their processes of it only after they answered.
pub(crate) const SHARE_SEEN_MAX: Duration = Duration::from_secs(3);
/// How long the program may take that restarts a foreign server.
pub(crate) const RESTART_MAX: Duration = Duration::from_secs(120);
/// How long a foreign server may take after that until it answers.
pub(crate) const ANSWERS_AGAIN_MAX: Duration = Duration::from_secs(60);
/// How long a foreign server may take for a first call when the question is whether it is there.
pub(crate) const SIGN_OF_LIFE_MAX: Duration = Duration::from_secs(10);
/// How long between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A server's timer was started up to so long before the harness knew of it.
pub(crate) const SENT_BEFORE: Duration = Duration::from_millis(50);

/// How long the timer of `advance` runs on a server with these timers, whose clock is not ours.
pub(crate) fn timer_duration(advance: Advance, timers: Timers) -> Option<Duration> {
    match timers {
        Timers::Fixed(duration) => Some(duration),
        Timers::Scale(scale) => Some(advance.of.div_f64(scale)),
        Timers::Ours | Timers::Unknown => None,
    }
}

/// How long to wait for real when `advance` is asked of a server with these timers.
pub(crate) fn real_duration(advance: Advance, timers: Timers) -> Duration {
    let Some(timer) = timer_duration(advance, timers) else {
        return Duration::ZERO;
    };
    let share = advance.by.as_secs_f64() / advance.of.as_secs_f64();
    let wait = if share < 1.0 {
        timer.mul_f64(share.min(EARLY_SHARE))
    } else {
        timer.mul_f64(share) + SLACK
    };
    wait.min(REAL_WAIT_MAX + SLACK)
}

/// Waits.
pub(crate) async fn pass(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

/// Looks again until a deadline.
pub(crate) struct Patience {
    until: Instant,
}

impl Patience {
    /// Patience for so long.
    pub(crate) fn new(max: Duration) -> Patience {
        Patience {
            until: Instant::now() + max,
        }
    }

    /// Waits a little; `false` when it is over.
    pub(crate) async fn wait(&self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        sleep(LOOK_AGAIN).await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_stays_on_its_side_of_the_expiry() {
        let fixed = Timers::Fixed(Duration::from_secs(2));
        for (by, of, timers) in [
            (179, 180, fixed),
            (1799, 1800, fixed),
            (181, 180, fixed),
            (1801, 1800, fixed),
            (179, 180, Timers::Scale(90.0)),
            (181, 180, Timers::Scale(90.0)),
        ] {
            let advance = Advance {
                by: Duration::from_secs(by),
                of: Duration::from_secs(of),
            };
            let timer = Duration::from_secs(2);
            let wait = real_duration(advance, timers);
            if by < of {
                assert!(wait < timer.mul_f64(0.8), "{by}/{of}: {wait:?}");
            } else {
                assert!(
                    wait > timer + Duration::from_millis(500),
                    "{by}/{of}: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_waits_for_a_clock_that_is_ours() {
        let advance = Advance {
            by: Duration::from_secs(1801),
            of: Duration::from_secs(1800),
        };
        assert_eq!(real_duration(advance, Timers::Ours), Duration::ZERO);
    }
}
