//! Sets that a server let go of without a call for them: for those who show what happened.

use super::history::{Gone, History};
use super::moment::Standing;
use super::statuses::{Status, Statuses};
use super::timer::{Durations, Fired};
use fsrvp_wire::fsrvp::ShadowCopySetId;
use std::net::SocketAddr;
use std::time::Duration;
use uuid::Uuid;

/// A set that a server let go of.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// The server.
    pub server: SocketAddr,
    /// Before which frame; none for the end of the capture.
    pub frame: Option<u64>,
    /// When.
    pub time: Duration,
    /// The set.
    pub set: ShadowCopySetId,
    /// What it was.
    pub was: Standing,
    /// Why it is gone.
    pub cause: LossCause,
}

/// Why a server let go of a set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LossCause {
    /// MS-FSRVP 3.1.5: the timer ran out.
    Expired {
        /// The method that had started it.
        started_by: &'static str,
        /// How long it ran.
        limit: Duration,
    },
    /// MS-FSRVP 3.1.4.2: SetContext was called again.
    Dropped,
}

/// Where and when something is lost.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) server: SocketAddr,
    pub(super) frame: Option<u64>,
}

/// Sets, and what each may have been.
type Unfinished = Vec<(Uuid, Statuses)>;

impl History {
    /// Moves on as [`advance`](History::advance) does, and tells what the timer ended.
    pub(super) fn advance_telling(
        &mut self,
        durations: Durations,
        asked: Duration,
        answered: Duration,
        place: Place,
    ) -> Vec<Loss> {
        let timer = self.timer();
        let Fired::Yes(arm) = timer.fired(durations, asked, answered) else {
            self.advance(durations, asked, answered);
            return Vec::new();
        };
        let unfinished = self.may_be_unfinished();
        self.advance(durations, asked, answered);
        let cause = LossCause::Expired {
            started_by: arm.name(),
            limit: arm.duration(durations).unwrap_or_default(),
        };
        let time = timer.ends(durations).unwrap_or(asked);
        self.lost_of(unfinished, place, time, cause)
    }

    /// The sets that may be unfinished.
    pub(super) fn may_be_unfinished(&self) -> Unfinished {
        self.sets()
            .filter(|(_, set)| set.statuses.meets(Statuses::UNFINISHED))
            .map(|(id, set)| (id, set.statuses))
            .collect()
    }

    /// Those of them that were dropped since.
    pub(super) fn dropped_of(&self, sets: Unfinished, place: Place, time: Duration) -> Vec<Loss> {
        let dropped = |id| {
            let set = self.set(ShadowCopySetId(id));
            set.is_some_and(|set| set.gone == Some(Gone::Dropped))
        };
        let sets = sets.into_iter().filter(|(id, _)| dropped(*id)).collect();
        self.lost_of(sets, place, time, LossCause::Dropped)
    }

    /// Those of the sets that are certainly not there any more.
    fn lost_of(
        &self,
        sets: Unfinished,
        place: Place,
        time: Duration,
        cause: LossCause,
    ) -> Vec<Loss> {
        let gone = |id: &Uuid| {
            let set = self.set(ShadowCopySetId(*id));
            set.is_some_and(|set| set.is_certainly(Status::Absent))
        };
        let sets = sets.into_iter().filter(|(id, _)| gone(id));
        sets.map(|(id, was)| Loss {
            server: place.server,
            frame: place.frame,
            time,
            set: ShadowCopySetId(id),
            was: Standing::of(self, Some(ShadowCopySetId(id)), was),
            cause,
        })
        .collect()
    }
}
