//! MS-FSRVP 3.1.4.6 ExposeShadowCopySet (Opnum 5).

use super::{Turn, deadline};
use crate::agent::state::exposed_name;
use crate::agent::{
    Agent, AgentError, CallToken, Deviation, Deviations, Effect, ExposeOrder, ShadowCopySet, Status,
};
use fsrvp_wire::fsrvp::Opnum;
use fsrvp_wire::fsrvp::expose_shadow_copy_set::Request;
use std::time::Duration;

/// Nothing else is ready to be shown.
pub(in crate::agent) const STATES: &[Status] = &[Status::Committed];

impl Agent {
    pub(super) fn expose_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        arrived: Duration,
    ) -> Result<Turn, AgentError> {
        let set = self.set_in(request.shadow_copy_set_id, STATES)?;
        let shares = orders(set, &self.config.deviations)?;
        let exposes = shares
            .iter()
            .map(|share| {
                (
                    share.shadow_copy_id,
                    share.share_name.clone(),
                    share.exposed_name.clone(),
                )
            })
            .collect();
        self.start_long(
            Opnum::ExposeShadowCopySet,
            request.shadow_copy_set_id,
            Effect::Expose { shares },
            exposes,
            vec![(token, deadline(arrived, request.timeout_ms))],
        );
        Ok(Turn::Waits)
    }
}

/// Every share of a set, under its new name.
fn orders(set: &ShadowCopySet, deviations: &Deviations) -> Result<Vec<ExposeOrder>, AgentError> {
    let every_dollar = deviations.has(Deviation::EveryDollarHides);
    let writable = set.context().auto_recovery() || deviations.has(Deviation::NothingIsReadOnly);
    let mut orders = Vec::new();
    for copy in &set.copies {
        let backend_ref = copy
            .backend_ref
            .as_ref()
            .ok_or_else(|| AgentError::Failed(format!("shadow copy {} was never made", copy.id)))?;
        for mapping in &copy.mappings {
            orders.push(ExposeOrder {
                shadow_copy_id: copy.id,
                share_name: mapping.base_name.clone(),
                exposed_name: exposed_name(mapping, copy.id, every_dollar),
                backend_ref: backend_ref.clone(),
                creation_timestamp: copy.creation_timestamp,
                writable,
            });
        }
    }
    Ok(orders)
}
