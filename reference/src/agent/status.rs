//! What an administrator is told of the agent while it runs.

use super::ShadowCopySet;
use fsrvp_wire::fsrvp::Context;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// 3.1.1.1: who has the server's one context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `CurrentContext`.
    #[serde(with = "as_number")]
    pub context: Context,
    /// `ShadowCopyClientAddress`.
    pub client_address: IpAddr,
    /// The user who called SetContext.
    pub user: String,
    /// When, in 100 ns intervals since 1601-01-01 00:00 UTC.
    pub since: i64,
}

/// 3.1.2: the Message Sequence Timer while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimerStatus {
    /// How long it was started for, in seconds.
    pub limit_s: f64,
    /// How long until it fires, in seconds.
    pub left_s: f64,
}

/// The agent at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentStatus {
    /// `None`: `ContextSet` is FALSE.
    pub holder: Option<Holder>,
    /// `None`: it does not run.
    pub timer: Option<TimerStatus>,
    /// Every set, in the order of their making.
    pub sets: Vec<ShadowCopySet>,
}

mod as_number {
    use fsrvp_wire::fsrvp::Context;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(context: &Context, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(context.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Context, D::Error> {
        u32::deserialize(from).map(Context)
    }
}
