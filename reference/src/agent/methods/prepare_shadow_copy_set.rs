//! MS-FSRVP 3.1.4.13 PrepareShadowCopySet (Opnum 12).

use super::{Turn, deadline};
use crate::agent::{Agent, AgentError, CallToken, Effect, Status};
use fsrvp_wire::fsrvp::Opnum;
use fsrvp_wire::fsrvp::prepare_shadow_copy_set::Request;
use std::time::Duration;

/// The text leaves the status as it is, so prepare may be repeated.
pub(in crate::agent) const STATES: &[Status] = &[Status::Added];

impl Agent {
    pub(super) fn prepare_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        arrived: Duration,
    ) -> Result<Turn, AgentError> {
        let set = self.set_in(request.shadow_copy_set_id, STATES)?;
        let mappings = set.copies.iter().flat_map(|copy| &copy.mappings);
        let share_names = mappings.map(|mapping| mapping.base_name.clone()).collect();
        self.start_long(
            Opnum::PrepareShadowCopySet,
            request.shadow_copy_set_id,
            Effect::Prepare { share_names },
            Vec::new(),
            vec![(token, deadline(arrived, request.timeout_ms))],
        );
        Ok(Turn::Waits)
    }
}
