//! What a case made on the server and may have left there, and how it is taken away again.

use crate::case::Target;
use crate::drive::client::Client;
use crate::drive::error::DriveError;
use crate::drive::judge::RpcAnswer;
use fsrvp_wire::fsrvp::{
    Call, Hresult, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set, prepare_shadow_copy_set,
    start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use uuid::Uuid;

/// `TimeOutInMilliseconds` of the calls that clean up.
const TIMEOUT_MS: u32 = 60_000;

/// The client's own id of a set that is started only to be aborted; any but nil would do.
const CLEANER: Uuid = Uuid::from_u128(0x0b5e_55ed);

/// A shadow copy that a case made.
#[derive(Debug, Clone)]
pub(crate) struct MadeCopy {
    pub(crate) set: ShadowCopySetId,
    pub(crate) copy: ShadowCopyId,
    /// `ShareName` as it was given when it was made.
    pub(crate) share: String,
}

/// Everything that a case made on the server.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    sets: Vec<ShadowCopySetId>,
    copies: Vec<MadeCopy>,
    /// Files that were written to base shares: share and path.
    files: Vec<(String, String)>,
    /// Whether a context was set, which may still be.
    context: bool,
}

impl Remains {
    /// Notes what a call made or took away.
    pub(crate) fn note(&mut self, call: &Call, reply: &Reply) {
        if !reply.status().is_success() {
            return;
        }
        match (call, reply) {
            (Call::SetContext(_), _) => self.context = true,
            (_, Reply::StartShadowCopySet(r)) => self.sets.push(r.shadow_copy_set_id),
            (Call::AddToShadowCopySet(call), Reply::AddToShadowCopySet(r)) => {
                self.copies.push(MadeCopy {
                    set: call.shadow_copy_set_id,
                    copy: r.shadow_copy_id,
                    share: call.share_name.text(),
                });
            }
            _ => {}
        }
    }

    /// Notes a file that was written to a base share.
    pub(crate) fn note_file(&mut self, share: &str, name: &str) {
        let file = (share.to_owned(), name.to_owned());
        if !self.files.contains(&file) {
            self.files.push(file);
        }
    }

    /// The shadow copies, in the order they were made.
    pub(crate) fn copies(&self) -> &[MadeCopy] {
        &self.copies
    }

    /// The files that were written to base shares.
    pub(crate) fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// The sets that were started.
    pub(crate) fn sets(&self) -> &[ShadowCopySetId] {
        &self.sets
    }

    /// Whether there is nothing to take away.
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.files.is_empty() && !self.context
    }

    /// Takes the shadow copy sets away, and the context; gives the ids of the sets that are still
    /// there.
    ///
    /// # Errors
    /// When the conversation breaks.
    pub(crate) async fn remove_sets(
        &self,
        client: &mut Client,
        target: &Target,
    ) -> Result<Vec<ShadowCopySetId>, DriveError> {
        let mut left = Vec::new();
        for set in &self.sets {
            // MS-FSRVP <6>: after an abort Windows refuses new sets for half an hour, so there the
            // way forward is tried first.
            let forward_first = target.profile.is_windows();
            if forward_first {
                self.go_forward(client, *set).await?;
            } else {
                abort(client, *set).await?;
            }
            if is_gone(client, *set).await? {
                continue;
            }
            // Some servers answer an abort of a committed set with success and keep it.
            self.go_forward(client, *set).await?;
            if !is_gone(client, *set).await? {
                abort(client, *set).await?;
            }
            if !is_gone(client, *set).await? {
                left.push(*set);
            }
        }
        if self.context {
            release_context(client).await?;
        }
        Ok(left)
    }

    /// Commits and exposes what is not there yet, and deletes every mapping.
    async fn go_forward(
        &self,
        client: &mut Client,
        set: ShadowCopySetId,
    ) -> Result<(), DriveError> {
        let commit = commit_shadow_copy_set::Request {
            shadow_copy_set_id: set,
            timeout_ms: TIMEOUT_MS,
        };
        let expose = expose_shadow_copy_set::Request {
            shadow_copy_set_id: set,
            timeout_ms: TIMEOUT_MS,
        };
        client.call(&Call::CommitShadowCopySet(commit)).await?;
        client.call(&Call::ExposeShadowCopySet(expose)).await?;
        for made in self.copies.iter().filter(|made| made.set == set) {
            let delete = delete_share_mapping::Request {
                shadow_copy_set_id: set,
                shadow_copy_id: made.copy,
                share_name: WideString::from_text(&made.share),
            };
            client.call(&Call::DeleteShareMapping(delete)).await?;
        }
        Ok(())
    }
}

/// Ends a context that is still set, whichever client set it: a set that is started and aborted
/// takes it along (MS-FSRVP 3.1.4.8). Otherwise it would count as a retry of the next case's
/// SetContext, or keep another client out until the Message Sequence Timer ends it.
pub(crate) async fn release_context(client: &mut Client) -> Result<(), DriveError> {
    let start = start_shadow_copy_set::Request {
        client_shadow_copy_set_id: CLEANER,
    };
    let answer = client.call(&Call::StartShadowCopySet(start)).await?;
    if let RpcAnswer::Reply(Reply::StartShadowCopySet(reply)) = answer
        && reply.status.is_success()
    {
        abort(client, reply.shadow_copy_set_id).await?;
    }
    Ok(())
}

/// Aborts a set, whatever comes of it.
pub(crate) async fn abort(client: &mut Client, set: ShadowCopySetId) -> Result<(), DriveError> {
    let abort = abort_shadow_copy_set::Request {
        shadow_copy_set_id: set,
    };
    client.call(&Call::AbortShadowCopySet(abort)).await?;
    Ok(())
}

/// Whether the server knows the set no more: PrepareShadowCopySet finds the set before all else
/// (MS-FSRVP 3.1.4.13).
async fn is_gone(client: &mut Client, set: ShadowCopySetId) -> Result<bool, DriveError> {
    let prepare = prepare_shadow_copy_set::Request {
        shadow_copy_set_id: set,
        timeout_ms: TIMEOUT_MS,
    };
    let answer = client.call(&Call::PrepareShadowCopySet(prepare)).await?;
    Ok(match answer {
        RpcAnswer::Reply(reply) => matches!(
            reply.status(),
            Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
                | Hresult::E_INVALIDARG
                | Hresult::FSRVP_E_OBJECT_NOT_FOUND
        ),
        RpcAnswer::Fault(_) | RpcAnswer::Unreadable(_) => false,
    })
}

/// The id as it is, for the list of what was made.
impl MadeCopy {
    /// The shadow copy's id.
    pub(crate) fn id(&self) -> Uuid {
        self.copy.0
    }
}
