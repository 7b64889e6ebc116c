//! MS-FSRVP 3.1.4.11 GetShareMapping (Opnum 10).

use super::Turn;
use crate::agent::plan::TimerChange;
use crate::agent::{Agent, AgentError, Now, Status};
use fsrvp_wire::fsrvp::get_share_mapping::{Request, Response, ShareMapping, ShareMapping1};
use fsrvp_wire::fsrvp::{Hresult, Reply};
use fsrvp_wire::ndr::WideString;

impl Agent {
    pub(super) fn get_share_mapping(
        &mut self,
        request: &Request,
        now: Now,
    ) -> Result<Turn, AgentError> {
        match self.share_mapping(request) {
            Ok(mapping) => {
                let duration = self.config.durations.get_share_mapping;
                self.set_timer(TimerChange::Start(duration), now);
                Ok(Turn::Answer(Reply::GetShareMapping(Response {
                    share_mapping: ShareMapping {
                        level: request.level,
                        mapping: Some(mapping),
                    },
                    status: Hresult::ZERO,
                })))
            }
            // The union's discriminant is the level that was asked for, in a refusal as well.
            Err(error) => Ok(Turn::Answer(Reply::GetShareMapping(Response {
                share_mapping: ShareMapping {
                    level: request.level,
                    mapping: None,
                },
                status: Hresult::from(&error),
            }))),
        }
    }

    fn share_mapping(&self, request: &Request) -> Result<ShareMapping1, AgentError> {
        if request.level != 1 {
            return Err(AgentError::InvalidArgument("Level"));
        }
        let set = self.set_in(request.shadow_copy_set_id, &[Status::Exposed])?;
        let copy = set
            .copy(request.shadow_copy_id)
            .ok_or(AgentError::InvalidArgument("ShadowCopyId"))?;
        let mapping = copy
            .mapping(&request.share_name.text())
            .ok_or(AgentError::InvalidArgument("ShareName"))?;
        Ok(ShareMapping1 {
            shadow_copy_set_id: set.id,
            shadow_copy_id: copy.id,
            share_name_unc: Some(WideString::from_text(&mapping.share_name)),
            shadow_copy_share_name: mapping.exposed_name.as_deref().map(WideString::from_text),
            creation_timestamp: copy.creation_timestamp,
        })
    }
}
