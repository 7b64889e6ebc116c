//! MS-FSRVP 3.2.4.2.1: a client leaves for the OwnerMachineName that it was told.

use crate::flow::{Answer, Exchange, Request};
use fsrvp_wire::fsrvp::{Call, Reply};
use std::collections::HashMap;

/// Which RPC connections were told to go elsewhere.
///
/// It is judged only where a script names another owner: that two names mean the same machine,
/// and that a client may stay, nobody can tell otherwise.
pub(super) struct Owners {
    scripted: bool,
    /// By connection: the frame of the call, and the owner in its answer.
    told: HashMap<u64, (u64, String)>,
    /// By connection: the frame of the last bind.
    bound: HashMap<u64, u64>,
}

impl Owners {
    pub(super) const REQUIREMENT: &str = super::OWNER;

    pub(super) fn new(scripted: bool) -> Owners {
        Owners {
            scripted,
            told: HashMap::new(),
            bound: HashMap::new(),
        }
    }

    /// A bind was sent, which makes a new RPC connection on the TCP connection.
    pub(super) fn bound(&mut self, stream: u64, frame: u64) {
        if self.scripted {
            self.bound.insert(stream, frame);
        }
    }

    /// The TCP connection is over.
    pub(super) fn forget(&mut self, stream: u64) {
        self.bound.remove(&stream);
        self.told.remove(&stream);
    }

    /// From the answer that names another owner on, the client does what it was told, until it
    /// goes on where it is: then what was expected and seen. `None` where neither is the case.
    pub(super) fn exchange(
        &mut self,
        exchange: &Exchange,
        frame: u64,
    ) -> Option<Result<(), (String, String)>> {
        let Request::Call(call) = &exchange.request else {
            return None;
        };
        let stream = exchange.link.stream;
        if let (Call::IsPathSupported(request), Answer::Reply(Reply::IsPathSupported(reply))) =
            (call, &exchange.answer)
        {
            let owner = reply.owner_machine_name.as_ref()?.text();
            let name = request.share_name.text();
            let host = name.trim_start_matches('\\').split('\\').next();
            let elsewhere = host.is_some_and(|host| !host.eq_ignore_ascii_case(&owner));
            let supported = reply.status.is_success() && reply.supported_by_this_provider != 0;
            if self.scripted && elsewhere && supported {
                self.told.insert(stream, (frame, owner));
                return Some(Ok(()));
            }
            return None;
        }
        // GetSupportedVersion also begins a deletion, which asks nobody for an owner.
        let starts = matches!(call, Call::SetContext(_) | Call::StartShadowCopySet(_));
        let (told, owner) = self.told.get(&stream).filter(|_| starts)?;
        let anew = self.bound.get(&stream).is_some_and(|bound| bound > told);
        let owner = owner.clone();
        self.told.remove(&stream);
        (!anew).then(|| {
            Err((
                format!("the connection is closed and another one made to {owner}"),
                format!(
                    "{} on the RPC connection on which IsPathSupported returned OwnerMachineName {owner}",
                    exchange.opnum.name().unwrap_or_default()
                ),
            ))
        })
    }
}
