//! How much of a run's time is our own.

use crate::outcome::Took;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Runs from its start on.
pub(super) struct Stopwatch {
    began: Instant,
    worked: Duration,
}

impl Stopwatch {
    /// Starts one.
    #[expect(
        clippy::disallowed_methods,
        reason = "what a user waits for is real time"
    )]
    pub(super) fn start() -> Stopwatch {
        Stopwatch {
            began: Instant::now(),
            worked: worked(),
        }
    }

    /// What passed since then.
    pub(super) fn read(&self) -> Took {
        let own = worked().saturating_sub(self.worked);
        Took {
            wall_ms: milliseconds(self.began.elapsed()),
            own_ms: milliseconds(own),
        }
    }
}

/// The processor time of all threads of this process.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
