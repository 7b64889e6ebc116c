//! One connection that does the same thing again and again.

use crate::Outcome;
use fsrvp::case::Target;
use fsrvp::drive::{IdSource, ManualClient};
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Reply, ShadowCopyId, ShadowCopySetId, add_to_shadow_copy_set,
    commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set, get_share_mapping,
    get_supported_version, is_path_supported, prepare_shadow_copy_set,
    recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;

/// `TimeOutInMilliseconds` of every call.
const TIMEOUT_MS: u32 = 180_000;

/// A client that is logged on.
pub(crate) struct Load {
    client: ManualClient,
    host: String,
    ids: IdSource,
}

impl Load {
    /// Connects as the target's administrator and logs on.
    pub(crate) async fn connect(target: &Target, ids: IdSource) -> Outcome<Load> {
        Ok(Load {
            client: ManualClient::connect(target).await?,
            host: target.host.clone(),
            ids,
        })
    }

    /// Opens the pipe, binds and calls.
    pub(crate) async fn greet(&mut self) -> Outcome<()> {
        let call = Call::GetSupportedVersion(get_supported_version::Request);
        self.zero(call).await.map(drop)
    }

    /// Takes one shadow copy of `share` through its whole life: eleven calls, from
    /// IsPathSupported to DeleteShareMapping, each of which has to be answered with ZERO.
    pub(crate) async fn lifecycle(&mut self, share: &str) -> Outcome<()> {
        let unc = WideString::from_text(&format!(r"\\{}\{share}\", self.host));
        let (set, copy) = self.begin(&unc).await?;
        self.go_on(&unc, set, copy).await
    }

    /// Up to the shadow copy that is part of a set.
    async fn begin(&mut self, share: &WideString) -> Outcome<(ShadowCopySetId, ShadowCopyId)> {
        let supported = is_path_supported::Request {
            share_name: share.clone(),
        };
        self.zero(Call::IsPathSupported(supported)).await?;
        self.zero(Call::GetSupportedVersion(get_supported_version::Request))
            .await?;
        let context = set_context::Request {
            context: Context::CTX_BACKUP,
        };
        self.zero(Call::SetContext(context)).await?;
        let start = start_shadow_copy_set::Request {
            client_shadow_copy_set_id: self.ids.next_id(),
        };
        let Reply::StartShadowCopySet(started) = self.zero(Call::StartShadowCopySet(start)).await?
        else {
            return Err("StartShadowCopySet: the reply of another method".into());
        };
        let add = add_to_shadow_copy_set::Request {
            client_shadow_copy_id: self.ids.next_id(),
            shadow_copy_set_id: started.shadow_copy_set_id,
            share_name: share.clone(),
        };
        let Reply::AddToShadowCopySet(added) = self.zero(Call::AddToShadowCopySet(add)).await?
        else {
            return Err("AddToShadowCopySet: the reply of another method".into());
        };
        Ok((started.shadow_copy_set_id, added.shadow_copy_id))
    }

    /// From there to its end.
    async fn go_on(
        &mut self,
        share: &WideString,
        shadow_copy_set_id: ShadowCopySetId,
        shadow_copy_id: ShadowCopyId,
    ) -> Outcome<()> {
        let timeout_ms = TIMEOUT_MS;
        let calls = [
            Call::PrepareShadowCopySet(prepare_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms,
            }),
            Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms,
            }),
            Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms,
            }),
            Call::GetShareMapping(get_share_mapping::Request {
                shadow_copy_id,
                shadow_copy_set_id,
                share_name: share.clone(),
                level: 1,
            }),
            Call::RecoveryCompleteShadowCopySet(recovery_complete_shadow_copy_set::Request {
                shadow_copy_set_id,
            }),
            Call::DeleteShareMapping(delete_share_mapping::Request {
                shadow_copy_set_id,
                shadow_copy_id,
                share_name: share.clone(),
            }),
        ];
        for call in calls {
            self.zero(call).await?;
        }
        Ok(())
    }

    async fn zero(&mut self, call: Call) -> Outcome<Reply> {
        let method = call.opnum().name().unwrap_or("a call");
        let reply = self.client.call(&call).await??;
        match reply.status() {
            Hresult::ZERO => Ok(reply),
            other => Err(format!("{method}: {other}").into()),
        }
    }
}
