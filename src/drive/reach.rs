//! Whether a target can be judged at all: it is there, lets its accounts in, and has its shares.

use crate::case::{ClientSpec, FileResult, Target, User};
use crate::drive::client::Client;
use crate::drive::error::DriveError;
use crate::drive::remains::release_context;
use crate::drive::tape::Tape;
use crate::drive::wait::SIGN_OF_LIFE_MAX;
use fsrvp_wire::fsrvp::Call;
use fsrvp_wire::fsrvp::get_supported_version::Request;
use tokio::time::timeout;

/// Whether the server answers: a connection, a logon, a bind and a call, in a bounded time.
///
/// # Errors
/// What it did not answer, or how it refused.
pub async fn answers(target: &Target) -> Result<(), DriveError> {
    let during = "a first call";
    let asking = async {
        let mut client = Client::connect(target, &ClientSpec::default(), &Tape::default()).await?;
        client
            .call(&Call::GetSupportedVersion(Request {}))
            .await
            .map(drop)
    };
    let after = SIGN_OF_LIFE_MAX;
    let silence = DriveError::Silence { during, after };
    timeout(after, asking).await.unwrap_or(Err(silence))
}

/// Tries everything that the target file promises, before any case is played: a typing slip there
/// must not look like a fault of the server. What travels goes to `tape`.
///
/// # Errors
/// A server that is not there, that refuses a logon or the pipe, or that lacks a share.
pub async fn reach(target: &Target, tape: &Tape) -> Result<(), DriveError> {
    let mut client = Client::connect(target, &ClientSpec::default(), tape).await?;
    client.bind().await?.map_err(DriveError::BindRefused)?;
    let named = [
        ("shares", target.shares.as_slice()),
        ("same_store", target.same_store.as_slice()),
        ("hidden", target.hidden.as_slice()),
        ("unsupported", target.unsupported.as_slice()),
        ("mount_points", target.mount_points.as_slice()),
        ("restricted", target.restricted.as_slice()),
        ("no_defragmentation", target.no_defragmentation.as_slice()),
        ("no_indexing", target.no_indexing.as_slice()),
    ];
    for (key, shares) in named {
        for share in shares {
            let answer = client.visit(share).await?;
            if answer.result() != Some(FileResult::Done) {
                return Err(DriveError::Share {
                    share: share.clone(),
                    key,
                    answer: answer.to_string(),
                });
            }
        }
    }
    for (user, is_there) in [
        (User::Plain, target.plain_user.is_some()),
        (User::BackupOperator, target.backup_operator.is_some()),
    ] {
        let spec = ClientSpec {
            user,
            ..ClientSpec::default()
        };
        if is_there {
            Client::connect(target, &spec, tape).await?;
        }
    }
    // A run that was broken off may have left its context behind, which would count as a retry.
    release_context(&mut client).await
}
