//! What was followed, and what may still be: for those who give a verdict on every requirement.

use super::Oracle;
use super::client;
use super::clients::LocalSet;
use super::history::Gone;
use super::rule::{Ruling, short};
use super::server::Judged;
use crate::flow::Exchange;
use fsrvp_wire::fsrvp::ShadowCopySetId;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A requirement that came up and was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// How often.
    pub times: u64,
    /// The connection on which it first did.
    pub stream: u64,
    /// The client of that connection.
    pub client: SocketAddr,
    /// The first frame of the request.
    pub frame: u64,
    /// When.
    pub time: Duration,
}

/// A set that its client has not finished, and may still finish as far as the traffic tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOpen {
    /// What is broken if nothing more comes.
    pub requirement: &'static str,
    /// The set, by the first group of its id.
    pub set: String,
    /// The client's own status of it.
    pub status: &'static str,
    /// The connection of its last call.
    pub stream: u64,
    /// The client's end of that connection.
    pub client: SocketAddr,
    /// The last frame of the answer to that call.
    pub frame: u64,
    /// When that came.
    pub time: Duration,
}

impl Oracle {
    /// The requirements that came up and were followed in what was judged so far; one of them may
    /// have been broken another time.
    #[must_use]
    pub fn kept(&self) -> &BTreeMap<&'static str, Kept> {
        &self.kept
    }

    /// After [`Oracle::finish`]: the sets that clients had not finished and may still.
    #[must_use]
    pub fn left_open(&self) -> &[LeftOpen] {
        &self.left_open
    }
}

/// Notes what was followed in an exchange.
pub(super) fn note(
    kept: &mut BTreeMap<&'static str, Kept>,
    exchange: &Exchange,
    judged: &[Judged],
) {
    for judged in judged.iter().filter(|judged| judged.ruling == Ruling::Kept) {
        let evidence = &exchange.request_evidence;
        let first = kept.entry(judged.requirement).or_insert_with(|| Kept {
            times: 0,
            stream: exchange.link.stream,
            client: exchange.link.client,
            frame: evidence.frames.first().copied().unwrap_or(0),
            time: evidence.time,
        });
        first.times += 1;
    }
}

/// A set that nothing shows to be given up, unless the server has let go of it, which was judged.
pub(super) fn left_open(
    gone: Option<Gone>,
    id: ShadowCopySetId,
    set: &LocalSet,
) -> Option<LeftOpen> {
    if matches!(gone, Some(Gone::Dropped | Gone::Expired(_))) {
        return None;
    }
    let (stream, frame, time) = set.last;
    Some(LeftOpen {
        requirement: client::unfinished(set).0,
        set: short(id.0),
        status: set.status.name(),
        stream,
        client: set.link.client,
        frame,
        time,
    })
}
