//! The harness's own clock, for times that a server states.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds from 1601 to 1970.
const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;

/// Now, in units of 100 ns since 1601-01-01 UTC.
#[must_use]
pub fn now_ticks() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a shell reads the clock")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let ticks = i64::try_from(since.as_nanos() / 100).unwrap_or(i64::MAX);
    ticks.saturating_add(UNIX_EPOCH_SECONDS * 10_000_000)
}
