//! The ledger of a client that was judged: one entry for each requirement that binds clients.

use crate::outcome::{ExitStatus, Verdict};
use crate::requirement::{Level, RequirementId, Section};
use serde::Serialize;
use std::fmt;

/// Where something was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Place {
    /// The client's end of the connection.
    pub client: String,
    /// The number of the connection, from 1.
    pub connection: u64,
    /// The number of the call on its connection, from 1, where it is about a call.
    pub call: Option<u64>,
    /// The method of that call.
    pub method: Option<&'static str>,
    /// When, in seconds since the server was started.
    pub time_s: f64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, connection {}", self.client, self.connection)?;
        if let Some(call) = self.call {
            write!(f, ", call {call}")?;
        }
        if let Some(method) = self.method {
            write!(f, " {method}")?;
        }
        write!(f, ", at {:.3} s", self.time_s)
    }
}

/// A way in which a requirement was broken, or may have been.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breach {
    /// What the text permits.
    pub expected: String,
    /// What was seen instead.
    pub seen: String,
    /// How often exactly this was seen on the connection.
    pub times: u64,
    /// Where it was first seen.
    pub place: Place,
}

/// What one requirement came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientOutcome {
    /// The requirement.
    pub requirement: RequirementId,
    /// Where its text stands.
    pub section: Section,
    /// How strongly the text demands it.
    pub level: Level,
    /// What it asks for, in words.
    pub asks: String,
    /// What it came to.
    pub verdict: Verdict,
    /// How often it came up and was followed.
    pub kept: u64,
    /// Where it first was.
    pub first_kept: Option<Place>,
    /// How it was broken.
    pub breaches: Vec<Breach>,
    /// Why it was not judged, or could not be.
    pub reason: String,
}

/// How many requirements came to each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClientSummary {
    /// Followed whenever they came up.
    pub pass: usize,
    /// A SHOULD that was not followed.
    #[serde(rename = "non-strict")]
    pub non_strict: usize,
    /// A MUST that was broken.
    pub fail: usize,
    /// Did not come up, or cannot be judged from here.
    #[serde(rename = "n/a")]
    pub not_applicable: usize,
    /// Came up, and could not be judged.
    pub inconclusive: usize,
}

/// What the clients of one server came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientLedger {
    /// The version of this program.
    pub fsrvp: String,
    /// The addresses of the clients that called FSRVP.
    pub clients: Vec<String>,
    /// How many FSRVP calls they made.
    pub calls: u64,
    /// What could not be read of their traffic, and how often.
    pub unread: Vec<String>,
    /// What the outcomes add up to.
    pub summary: ClientSummary,
    /// The outcomes, in the order of their ids.
    pub outcomes: Vec<ClientOutcome>,
}

impl ClientLedger {
    /// Adds the outcomes up.
    #[must_use]
    pub fn new(
        clients: Vec<String>,
        calls: u64,
        unread: Vec<String>,
        outcomes: Vec<ClientOutcome>,
    ) -> ClientLedger {
        let count = |verdict| {
            let of_it = outcomes.iter().filter(|outcome| outcome.verdict == verdict);
            of_it.count()
        };
        let summary = ClientSummary {
            pass: count(Verdict::Pass),
            non_strict: count(Verdict::NonStrict),
            fail: count(Verdict::Fail),
            not_applicable: count(Verdict::NotApplicable),
            inconclusive: count(Verdict::Inconclusive),
        };
        ClientLedger {
            fsrvp: env!("CARGO_PKG_VERSION").to_owned(),
            clients,
            calls,
            unread,
            summary,
            outcomes,
        }
    }

    /// What the process says; a run in which nobody called FSRVP judged nothing.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match (self.calls, self.summary.fail + self.summary.inconclusive) {
            (_, 1..) => ExitStatus::Deviates,
            (0, _) => ExitStatus::NothingSelected,
            (_, 0) => ExitStatus::AsExpected,
        }
    }
}
