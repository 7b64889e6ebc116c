//! How a client protects its calls and how long it waits: MS-FSRVP 3.1.4, 3.2.2, 3.2.5.

use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use std::time::Duration;

/// MS-FSRVP 3.2.2: how long a client waits for the answer to a call.
pub(in crate::oracle) const CALL_TIMEOUT: Duration = Duration::from_millis(180_000);

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3.1.4-01", level),
    judge("FSRVP-C-3.2.2-01", goes_on_after_the_timeout),
];

fn level(scene: &Scene<'_>) -> Ruling {
    match scene.exchange.rpc_auth {
        Some(level) => Ruling::of(
            scene.is_weak() == Some(false),
            "RPC authentication level 5 (packet integrity) or 6 (packet privacy)",
            format!("calls at level {level} ({})", level_name(level)),
        ),
        None => Ruling::Silent,
    }
}

fn level_name(level: u8) -> &'static str {
    match level {
        0 | 1 => "none",
        2 => "connect",
        3 => "call",
        4 => "packet",
        _ => "unknown",
    }
}

/// A connection over which an answer took longer than the client may wait is closed and not used
/// again.
fn goes_on_after_the_timeout(scene: &Scene<'_>) -> Ruling {
    let stream = scene.history.clients.stream(scene.exchange.link.stream);
    match stream.and_then(|stream| stream.overdue) {
        Some((frame, waited)) if scene.whole_stream => Ruling::of(
            false,
            "the connection is closed when a call has had no answer for 180 s",
            format!(
                "{} on a connection whose call in frame {frame} was answered after {} s",
                scene.asked(),
                waited.as_secs()
            ),
        ),
        _ => Ruling::Silent,
    }
}
