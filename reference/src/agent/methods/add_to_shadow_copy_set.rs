//! MS-FSRVP 3.1.4.4 AddToShadowCopySet (Opnum 3).

use super::Turn;
use crate::agent::plan::TimerChange;
use crate::agent::{
    Agent, AgentError, CallToken, Deviation, Fault, MappedShare, Now, ShadowCopy, ShadowCopySet,
    ShareInfo, Status, unc,
};
use fsrvp_wire::fsrvp::add_to_shadow_copy_set::{Request, Response};
use fsrvp_wire::fsrvp::{Hresult, Reply, ShadowCopyId};

impl Agent {
    pub(super) fn add_to_shadow_copy_set(
        &mut self,
        token: CallToken,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        self.must_not_be_nil(request.shadow_copy_set_id.is_nil(), "ShadowCopySetId")?;
        if self.deviates(Deviation::SetBeforeShare) {
            self.known_set(request.shadow_copy_set_id)?;
        }
        let share = self.supported_share(&request.share_name)?;
        let set = self.set_in(
            request.shadow_copy_set_id,
            &[Status::Started, Status::Added],
        )?;
        if self.is_in(set, &share) && !self.is_wrong(Fault::SameStoreAccepted) {
            // Step 6 stops the timer and starts it again, shorter than it may have been.
            let duration = self.config.durations.add_exists;
            self.set_timer(TimerChange::Start(duration), now);
            return Err(AgentError::AlreadyExists);
        }
        let id = ShadowCopyId(
            self.old_id(Fault::CopyIdReused)
                .unwrap_or_else(|| self.ids.new_id()),
        );
        let copy = ShadowCopy {
            id,
            volume_name: share.volume_name,
            creation_timestamp: now.filetime,
            mappings: vec![MappedShare {
                share_name: request.share_name.text(),
                base_name: share.name,
                exposed_name: None,
            }],
            backend_ref: None,
        };
        let mut state = self.state.clone();
        if let Some(set) = state.set_mut(request.shadow_copy_set_id) {
            set.copies.push(copy);
            set.status = Status::Added;
        }
        let reply = Reply::AddToShadowCopySet(Response {
            shadow_copy_id: id,
            status: Hresult::ZERO,
        });
        let timer = TimerChange::Start(self.config.durations.add);
        Ok(Turn::Plan(self.plan(state, timer, token, reply)))
    }

    /// Whether a set has no room for a share: for its file store is in it.
    fn is_in(&self, set: &ShadowCopySet, share: &ShareInfo) -> bool {
        if self.deviates(Deviation::StoresMayRepeat) {
            let mut mappings = set.copies.iter().flat_map(|copy| &copy.mappings);
            return mappings.any(|mapping| unc::same_name(&mapping.base_name, &share.name));
        }
        let mut copies = set.copies.iter();
        copies.any(|copy| copy.volume_name == share.volume_name)
    }
}
