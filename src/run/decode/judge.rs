//! Between the dissector and the oracle: a capture is judged as it is read.

use crate::capture::Timers;
use crate::flow::{Event, Segment};
use crate::oracle::{Durations, Loss, Moment, Oracle};
use crate::outcome::Finding;
use crate::requirement::Catalogue;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Read once for all captures. It is built in and read by the tests.
static CATALOGUE: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::built_in().unwrap_or_default()));

/// Follows one capture, and judges it where that is asked for.
pub(super) struct Judge {
    oracle: Oracle,
}

impl Judge {
    /// For servers whose timers run so long. Without `rules` nothing is found; `follows` keeps
    /// what is known around each exchange.
    pub(super) fn new(rules: bool, follows: bool, timers: Option<Timers>) -> Judge {
        let catalogue = match rules {
            true => Arc::clone(&CATALOGUE),
            false => Arc::default(),
        };
        let mut oracle = Oracle::new(catalogue, durations(timers));
        if follows {
            oracle.follow();
        }
        Judge { oracle }
    }

    /// Takes what the dissector found.
    pub(super) fn event(&mut self, event: &Event) {
        self.oracle.handle_event(event);
    }

    /// Takes a segment, for the ends of connections.
    pub(super) fn segment(&mut self, segment: &Segment<'_>) {
        let frame = segment.payload.stamp.frame;
        // A reset ends the connection for both; a FIN says that its sender is done.
        if segment.fin || segment.rst {
            self.oracle
                .handle_close(segment.source, segment.destination, frame);
        }
        if segment.rst {
            self.oracle
                .handle_close(segment.destination, segment.source, frame);
        }
    }

    /// The findings, the first broken rule first; the capture ends at `end`.
    pub(super) fn finish(&mut self, end: Duration) -> Vec<Finding> {
        self.oracle.handle_time(end);
        self.oracle.finish()
    }

    /// The sets that were lost at the end, and no call showed it.
    pub(super) fn losses_at_end(&mut self) -> Vec<Loss> {
        self.oracle.losses_at_end()
    }

    /// What was known around each exchange so far.
    pub(super) fn moments(&mut self) -> Vec<Moment> {
        self.oracle.settle();
        self.oracle.moments()
    }
}

fn durations(timers: Option<Timers>) -> Durations {
    match timers {
        None => Durations::Unknown,
        Some(Timers::Moved) => Durations::Moved,
        Some(Timers::Scale(scale)) => Durations::Scaled(scale),
        Some(Timers::FixedS(seconds)) => {
            Duration::try_from_secs_f64(seconds).map_or(Durations::Unknown, Durations::Fixed)
        }
    }
}
