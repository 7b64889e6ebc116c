//! Answers as a test of clients wants them, in place of the right ones; no configuration file can
//! ask for them.

use fsrvp_wire::fsrvp::{Hresult, Opnum};
use std::time::Duration;

/// What is done with some calls of one method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedAnswer {
    /// The method.
    pub method: Opnum,
    /// Which call of it, from 1, over all connections since the start; `None` for each.
    pub call: Option<u64>,
    /// How long the answer is held back.
    pub delay: Duration,
    /// What the answer is.
    pub answer: Scripted,
    /// When the connection is closed, if it is.
    pub drop: Option<Dropped>,
}

impl ScriptedAnswer {
    /// Each call of `method` is answered so, at once.
    #[must_use]
    pub fn each(method: Opnum, answer: Scripted) -> ScriptedAnswer {
        ScriptedAnswer {
            method,
            call: None,
            delay: Duration::ZERO,
            answer,
            drop: None,
        }
    }
}

/// What a scripted answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scripted {
    /// The right one.
    Right,
    /// The call is not carried out and returns this code.
    Code(Hresult),
    /// The call is not carried out, and there is an RPC fault with this status.
    Fault(u32),
    /// The right one of IsPathSupported, but that SupportedByThisProvider is FALSE.
    Unsupported,
    /// The right one of IsPathSupported, but that OwnerMachineName is this.
    Owner(String),
    /// The right one of GetSupportedVersion, but that MinVersion and MaxVersion are these.
    Versions(u32, u32),
}

/// When the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// In place of the answer. What was asked for was done.
    Before,
    /// When the client has the answer.
    After,
}
