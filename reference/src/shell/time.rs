//! The clocks: the machine's, and one that the caller moves on.

use crate::agent::Now;
use crate::config::Clock;
use std::time::{Duration, Instant, SystemTime};

/// From 1601-01-01 to 1970-01-01.
const UNIX_EPOCH: Duration = Duration::from_secs(11_644_473_600);

/// The time of one server.
#[derive(Debug, Clone)]
pub(super) struct Time {
    started: Instant,
    /// What FILETIME was at the start.
    filetime: i64,
    /// How far the caller moved the clock on; `None` follows the machine.
    manual: Option<Duration>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the shell is the one place that reads clocks"
)]
impl Time {
    /// Starts counting.
    pub(super) fn start(clock: Clock) -> Self {
        Time {
            started: Instant::now(),
            filetime: filetime_of(SystemTime::now()),
            manual: (clock == Clock::Manual).then_some(Duration::ZERO),
        }
    }

    /// The time now, as the timers of MS-FSRVP see it.
    pub(super) fn now(&self) -> Now {
        match self.manual {
            Some(monotonic) => Now {
                monotonic,
                filetime: self.filetime.saturating_add(ticks(monotonic)),
            },
            None => self.machine(),
        }
    }

    /// The time now, as connections see it: their time-outs are about real peers.
    pub(super) fn machine(&self) -> Now {
        Now {
            monotonic: self.started.elapsed(),
            filetime: filetime_of(SystemTime::now()),
        }
    }
}

impl Time {
    /// Moves a clock of the caller's on to `monotonic`.
    pub(super) fn move_to(&mut self, monotonic: Duration) {
        if let Some(manual) = &mut self.manual {
            *manual = monotonic.max(*manual);
        }
    }

    /// Whether the caller moves the clock.
    pub(super) fn is_manual(&self) -> bool {
        self.manual.is_some()
    }

    /// When it will be `monotonic` by the machine's clock.
    pub(super) fn instant(&self, monotonic: Duration) -> tokio::time::Instant {
        (self.started + monotonic).into()
    }
}

fn filetime_of(time: SystemTime) -> i64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    ticks(since_1970.unwrap_or_default() + UNIX_EPOCH)
}

fn ticks(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos() / 100).unwrap_or(i64::MAX)
}
