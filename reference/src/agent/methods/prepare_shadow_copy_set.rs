//! MS-FSRVP 3.1.4.13 PrepareShadowCopySet (Opnum 12).

use super::{Turn, deadline};
use crate::agent::{Agent, AgentError, CallToken, Effect, Now, Status};
use fsrvp_wire::fsrvp::Opnum;
use fsrvp_wire::fsrvp::prepare_shadow_copy_set::Request;

impl Agent {
    pub(super) fn prepare_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        let set = self.set_in(request.shadow_copy_set_id, &[Status::Added])?;
        let mappings = set.copies.iter().flat_map(|copy| &copy.mappings);
        let share_names = mappings.map(|mapping| mapping.base_name.clone()).collect();
        self.start_long(
            Opnum::PrepareShadowCopySet,
            request.shadow_copy_set_id,
            Effect::Prepare { share_names },
            Vec::new(),
            (token, deadline(now, request.timeout_ms)),
        );
        Ok(Turn::Waits)
    }
}
