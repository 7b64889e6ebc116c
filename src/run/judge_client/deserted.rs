//! Sets that were Exposed when their client left in order, and that it came back for only to delete
//! them: it has shut down without RecoveryComplete or Abort (MS-FSRVP 3.2.4.5, 3.2.4.9).
//!
//! What is left behind for good, the oracle tells.

use crate::flow::{Answer, Exchange, Request};
use crate::outcome::{Breach, Place};
use fsrvp_wire::fsrvp::{Call, ShadowCopySetId};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many sets are followed.
const SETS_MAX: usize = 4096;

/// The sets of all clients that are Exposed.
#[derive(Default)]
pub(super) struct Deserted(BTreeMap<(IpAddr, uuid::Uuid), Exposed>);

/// A set that is Exposed, as far as its client can know.
struct Exposed {
    place: Place,
    /// The frame of the last request on the connection that was its client's last.
    left: Option<u64>,
    /// The frame in which the last of its mappings was deleted.
    deleted: Option<u64>,
}

impl Deserted {
    pub(super) const REQUIREMENT: &str = "FSRVP-C-3.2.4.5-02";

    /// A client has closed its last connection, in order. The last request on it came in this
    /// frame; that it was the last one may show only when the next connection is in use.
    pub(super) fn left(&mut self, client: IpAddr, frame: u64) {
        let sets = self.0.iter_mut().filter(|((of, _), _)| *of == client);
        for (_, set) in sets {
            set.left.get_or_insert(frame);
        }
    }

    /// Learns from a call, whose request came in this frame.
    pub(super) fn exchange(&mut self, exchange: &Exchange, frame: u64, place: &Place) {
        let (Request::Call(call), Answer::Reply(reply)) = (&exchange.request, &exchange.answer)
        else {
            return;
        };
        if !reply.status().is_success() {
            return;
        }
        let client = exchange.link.client.ip();
        let key = |set: ShadowCopySetId| (client, set.0);
        match call {
            Call::ExposeShadowCopySet(request) if self.0.len() < SETS_MAX => {
                let exposed = Exposed {
                    place: place.clone(),
                    left: None,
                    deleted: None,
                };
                self.0.insert(key(request.shadow_copy_set_id), exposed);
            }
            Call::RecoveryCompleteShadowCopySet(request) => {
                self.0.remove(&key(request.shadow_copy_set_id));
            }
            Call::AbortShadowCopySet(request) => {
                self.0.remove(&key(request.shadow_copy_set_id));
            }
            Call::DeleteShareMapping(request) => {
                if let Some(set) = self.0.get_mut(&key(request.shadow_copy_set_id)) {
                    set.deleted = Some(frame);
                }
            }
            _ => {}
        }
    }

    /// What was broken.
    pub(super) fn finish(self) -> impl Iterator<Item = Breach> {
        let deserted = self
            .0
            .into_iter()
            .filter(|(_, set)| set.left.is_some() && set.deleted > set.left);
        deserted.map(|((_, id), set)| Breach {
            expected: "RecoveryCompleteShadowCopySet, or AbortShadowCopySet, for a set that is \
                       Exposed, before the client closes its last connection"
                .to_owned(),
            seen: format!("set {id} was left Exposed, and deleted later without either"),
            times: 1,
            place: set.place,
        })
    }
}
