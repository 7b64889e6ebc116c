//! MS-SMB2 3.3.5.7, 3.3.5.8: entering and leaving a share.

use super::dispatch::Request;
use super::limits;
use super::reply::{Reply, Step};
use super::state::State;
use super::work::{FileDone, FileWork, TreeToken};
use crate::config::same_name;
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::tree_connect::{self, ShareFlags, ShareType};
use fsrvp_wire::smb2::{NtStatus, tree_disconnect};
use std::collections::BTreeMap;

/// The share that holds the pipes.
const PIPE_SHARE: &str = "IPC$";

/// MS-SMB2 3.3.1.9: one tree connect.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TreeConnect {
    /// `IPC$`.
    Pipes,
    /// A share with files.
    Files {
        /// What the outside knows it by.
        token: TreeToken,
        /// Whether every request to it must be encrypted.
        encrypts: bool,
    },
}

/// The tree connects of a session.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    by_id: BTreeMap<u32, TreeConnect>,
    last_id: u32,
}

impl Trees {
    fn insert(&mut self, tree: TreeConnect) -> u32 {
        // Ids that are in use or illegal are passed over; TREES_MAX leaves plenty of others.
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let is_legal = self.last_id != 0 && self.last_id != u32::MAX;
            if is_legal && !self.by_id.contains_key(&self.last_id) {
                self.by_id.insert(self.last_id, tree);
                return self.last_id;
            }
        }
    }

    /// The tree connect with this id.
    pub(crate) fn get(&self, tree_id: u32) -> Result<TreeConnect, NtStatus> {
        let found = self.by_id.get(&tree_id).copied();
        found.ok_or(NtStatus::NETWORK_NAME_DELETED)
    }

    /// What the outside knows them by.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = TreeToken> {
        self.by_id.values().filter_map(|tree| match tree {
            TreeConnect::Pipes => None,
            TreeConnect::Files { token, .. } => Some(*token),
        })
    }
}

/// MS-SMB2 3.3.5.7.
pub(crate) fn connect(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: tree_connect::Request = request.body()?;
    let path = body.path.text();
    let share = path
        .strip_prefix(r"\\")
        .and_then(|rest| rest.split_once('\\'))
        .map(|(_, share)| share.to_owned())
        .filter(|share| !share.is_empty())
        .ok_or(NtStatus::BAD_NETWORK_NAME)?;
    let trees: usize = state
        .sessions
        .values()
        .map(|session| session.trees.by_id.len())
        .sum();
    if trees >= limits::TREES_MAX {
        return Err(NtStatus::INSUFFICIENT_RESOURCES);
    }
    let session_id = request.header.session_id;
    let user = state.session(session_id)?.user()?;
    let (user, is_administrator) = (user.name.clone(), user.backup_rights);
    if same_name(&share, PIPE_SHARE) {
        return connected(state, session_id, TreeConnect::Pipes, pipe_access());
    }
    let token = state.new_tree_token();
    let work = FileWork::ConnectTree {
        tree: token,
        share,
        user,
        is_administrator,
    };
    Step::work(work, move |state, result| {
        let FileDone::Tree {
            maximal_access,
            encrypts,
        } = result?
        else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let tree = TreeConnect::Files { token, encrypts };
        let outcome = connected(state, session_id, tree, maximal_access);
        if outcome.is_err() {
            state.errands.push(FileWork::DisconnectTree(token));
        }
        outcome
    })
}

/// What every user may do with the pipes.
fn pipe_access() -> AccessMask {
    AccessMask::FILE_GENERIC_READ
        | AccessMask::FILE_GENERIC_WRITE
        | AccessMask::FILE_GENERIC_EXECUTE
}

fn connected(
    state: &mut State,
    session_id: u64,
    tree: TreeConnect,
    maximal_access: AccessMask,
) -> Result<Step, NtStatus> {
    let (share_type, encrypts) = match tree {
        TreeConnect::Pipes => (ShareType::PIPE, false),
        TreeConnect::Files { encrypts, .. } => (ShareType::DISK, encrypts),
    };
    let mut share_flags = ShareFlags::NO_CACHING;
    if encrypts {
        // MS-SMB2 3.3.5.7: nobody enters who cannot encrypt.
        let cipher = state.negotiated()?.cipher;
        cipher.ok_or(NtStatus::ACCESS_DENIED)?;
        share_flags |= ShareFlags::ENCRYPT_DATA;
    }
    let tree_id = state.session(session_id)?.trees.insert(tree);
    let body = tree_connect::Response {
        share_type,
        share_flags,
        maximal_access,
        ..tree_connect::Response::default()
    };
    let mut reply = Reply::new(NtStatus::SUCCESS, &body);
    reply.tree_id = Some(tree_id);
    Ok(Step::Done(reply))
}

/// MS-SMB2 3.3.5.8.
pub(crate) fn disconnect(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let _: tree_disconnect::Request = request.body()?;
    let (session_id, tree_id) = (request.header.session_id, request.header.tree_id);
    let trees = &mut state.session(session_id)?.trees;
    let removed = trees.by_id.remove(&tree_id);
    let removed = removed.ok_or(NtStatus::NETWORK_NAME_DELETED)?;
    state.close_all(|open| open.session_id == session_id && open.tree_id == tree_id);
    if let TreeConnect::Files { token, .. } = removed {
        state.errands.push(FileWork::DisconnectTree(token));
    }
    Step::body(&tree_disconnect::Response::default())
}
