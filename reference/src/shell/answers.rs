//! Answers as a script wants them: what a client does then is what a test wants to see.

use super::actor::AgentHandle;
use crate::agent::Caller;
use crate::config::{Dropped, Scripted, ScriptedAnswer};
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::rpce::FaultStatus;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is said to a call.
#[derive(Debug)]
pub(super) enum Said {
    Reply(Reply),
    /// The call was not carried out.
    Fault(FaultStatus),
    /// The server stops.
    Nothing,
}

/// The script, and how far it is.
#[derive(Debug, Default)]
pub(super) struct Answers {
    script: Vec<ScriptedAnswer>,
    /// How many calls of each method came.
    calls: Mutex<BTreeMap<u16, u64>>,
}

impl Answers {
    pub(super) fn new(script: Vec<ScriptedAnswer>) -> Answers {
        Answers {
            script,
            calls: Mutex::default(),
        }
    }

    /// The answer to a call, and when its connection is closed, if it is.
    pub(super) async fn answer(
        &self,
        agent: &AgentHandle,
        caller: Caller,
        call: Call,
    ) -> (Said, Option<Dropped>) {
        let Some(scripted) = self.next(call.opnum()) else {
            return (right(agent.call(caller, call).await), None);
        };
        tracing::info!(
            call = call.opnum().name(),
            ?scripted,
            "answered as the script wants it"
        );
        let said = match &scripted.answer {
            Scripted::Code(code) => right(Reply::failure(call.opnum(), *code)),
            Scripted::Fault(status) => Said::Fault(FaultStatus(*status)),
            other => right(
                agent
                    .call(caller, call)
                    .await
                    .map(|reply| bent(reply, other)),
            ),
        };
        if !scripted.delay.is_zero() {
            tokio::time::sleep(scripted.delay).await;
        }
        (said, scripted.drop)
    }

    /// What the script has for the call of `method` that comes now.
    fn next(&self, method: Opnum) -> Option<&ScriptedAnswer> {
        if self.script.is_empty() {
            return None;
        }
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(method.0).or_default();
        *count += 1;
        let fits = |scripted: &&ScriptedAnswer| {
            scripted.method == method && scripted.call.is_none_or(|call| call == *count)
        };
        self.script.iter().find(fits)
    }
}

fn right(reply: Option<Reply>) -> Said {
    reply.map_or(Said::Nothing, Said::Reply)
}

/// A reply as the script has it; one that failed says nothing else.
fn bent(mut reply: Reply, scripted: &Scripted) -> Reply {
    match (&mut reply, scripted) {
        (Reply::IsPathSupported(reply), Scripted::Unsupported) if reply.status.is_success() => {
            reply.supported_by_this_provider = 0;
        }
        (Reply::IsPathSupported(reply), Scripted::Owner(name)) if reply.status.is_success() => {
            reply.owner_machine_name = Some(WideString::from_text(name));
        }
        (Reply::GetSupportedVersion(reply), Scripted::Versions(min, max)) => {
            (reply.min_version, reply.max_version) = (*min, *max);
        }
        _ => {}
    }
    reply
}
