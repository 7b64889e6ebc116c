//! What a peer did against the specification, seen in its traffic.

use crate::requirement::{Level, RequirementId, Role, Section};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// A requirement that was broken, by whom, and the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The requirement.
    pub requirement: RequirementId,
    /// Where its text stands.
    pub section: Section,
    /// How strongly the text demands it.
    pub level: Level,
    /// Who broke it.
    pub by: Role,
    /// What the text permits.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
    /// The frames that show it; the first is where it begins.
    pub frames: Vec<u64>,
    /// When it began, since the run or the capture began.
    pub time: Duration,
    /// How often exactly this was seen on the connection.
    pub times: u64,
    /// The number of the connection.
    pub stream: u64,
    /// The client.
    pub client: SocketAddr,
    /// The server.
    pub server: SocketAddr,
}

impl Finding {
    /// Whether it makes a run fail: what a SHOULD asks for may be left undone.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.level == Level::Must
    }
}
