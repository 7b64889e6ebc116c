//! MS-SMB2 3.3.5.9, 3.3.5.12, 3.3.5.13 for pipes: messages in, messages out.
//!
//! A pipe works in message mode: each RPC fragment is a message, a read never gives more than one
//! of them, and what does not fit into a read stays for the next one (BUFFER_OVERFLOW).

use super::limits;
use super::reply::{PipeForm, PipeWait, Reply, Step};
use super::state::State;
use super::work::{RpcCall, ShareCall};
use crate::rpc::{Accounts, CallToken, Endpoint, Fresh, Identity, Service};
use crate::users::Users;
use fsrvp_wire::auth::ntlm::NtHash;
use fsrvp_wire::fsrvp::Reply as FsrvpReply;
use fsrvp_wire::rpce::FaultStatus;
use fsrvp_wire::smb2::ioctl::{self, CtlCode};
use fsrvp_wire::smb2::{FileId, NtStatus, read};
use fsrvp_wire::srvsvc;
use std::collections::VecDeque;

/// An open pipe.
pub(crate) struct Pipe {
    endpoint: Endpoint,
    /// What was not read yet; the first may have been read in part.
    unread: VecDeque<Vec<u8>>,
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipe")
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}

impl Accounts for Users {
    fn nt_hash(&self, user: &str, _domain: &str) -> Option<NtHash> {
        Some(self.find(user)?.nt_hash())
    }

    fn has_backup_rights(&self, user: &str) -> bool {
        self.find(user).is_some_and(|user| user.backup_rights)
    }
}

/// What lives behind the pipe of this name; case, `\` and `\pipe\` in front do not count.
pub(crate) fn service(name: &str) -> Option<Service> {
    let name = name.trim_start_matches('\\');
    let name = match name.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case(r"pipe\") => name.get(5..).unwrap_or_default(),
        _ => name,
    };
    let mut all = Service::ALL.into_iter();
    all.find(|service| name.eq_ignore_ascii_case(service.pipe()))
}

impl Pipe {
    /// Opens the pipe of a service for the user of a session.
    pub(crate) fn open(
        state: &mut State,
        session_id: u64,
        service: Service,
    ) -> Result<Pipe, NtStatus> {
        let user = state.session(session_id)?.user()?;
        let identity = Identity {
            user: user.name.clone(),
            backup_rights: user.backup_rights,
        };
        let mut server_challenge = [0; 8];
        state.entropy.fill(&mut server_challenge);
        let mut assoc_group_id = [0; 4];
        state.entropy.fill(&mut assoc_group_id);
        let fresh = Fresh {
            server_challenge,
            assoc_group_id: u32::from_le_bytes(assoc_group_id),
            filetime: state.wall_time.0,
        };
        let config = state.server.endpoint();
        Ok(Pipe {
            endpoint: Endpoint::of(service, config, fresh, state.client, identity),
            unread: VecDeque::new(),
        })
    }

    /// Whether a message lies unread.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Takes what the endpoint has, as long as the client reads what it gets.
    fn collect(&mut self) {
        while self.unread.len() < limits::PIPE_UNREAD_MAX {
            let Some(message) = self.endpoint.poll_output() else {
                return;
            };
            self.unread.push_back(message);
        }
    }

    /// Nothing more will come.
    fn is_over(&self) -> bool {
        self.endpoint.is_dead() && self.unread.is_empty()
    }

    /// The next message, or as much of it as fits; and whether all of it did.
    fn take(&mut self, length_max: usize) -> Option<(Vec<u8>, bool)> {
        self.collect();
        let mut message = self.unread.pop_front()?;
        if message.len() <= length_max {
            return Some((message, true));
        }
        self.unread.push_front(message.split_off(length_max));
        Some((message, false))
    }
}

/// Takes in what a client has written.
pub(crate) fn write(state: &mut State, file_id: FileId, bytes: &[u8]) -> Result<(), NtStatus> {
    let pipe = state.opens.pipe(file_id).ok_or(NtStatus::FILE_CLOSED)?;
    if pipe.is_over() {
        return Err(NtStatus::PIPE_DISCONNECTED);
    }
    pipe.endpoint.handle_bytes(bytes);
    take_call(state, file_id);
    Ok(())
}

/// Hands out the call that is due next, after everything that a pipe took in.
fn take_call(state: &mut State, file_id: FileId) {
    if let Some(pipe) = state.opens.pipe(file_id) {
        pipe.collect();
        if let Some((token, caller, call)) = pipe.endpoint.poll_share_call() {
            let call = ShareCall { caller, call };
            state.share_calls.push((file_id, token, call));
        }
        if let Some((token, caller, call)) = pipe.endpoint.poll_call() {
            state.calls.push((
                file_id,
                RpcCall {
                    token,
                    caller,
                    call,
                },
            ));
        }
    }
}

/// Takes in the agent's answer to a call.
pub(crate) fn reply(state: &mut State, file_id: FileId, token: CallToken, reply: &FsrvpReply) {
    // The client may have closed the pipe meanwhile.
    if let Some(pipe) = state.opens.pipe(file_id) {
        pipe.endpoint.handle_reply(token, reply);
        take_call(state, file_id);
    }
}

/// Takes in the news that a call was not carried out, and why.
pub(crate) fn fault(state: &mut State, file_id: FileId, token: CallToken, status: FaultStatus) {
    if let Some(pipe) = state.opens.pipe(file_id) {
        pipe.endpoint.handle_fault(token, status);
        take_call(state, file_id);
    }
}

/// Takes in the answer to a call about shares.
pub(crate) fn share_reply(
    state: &mut State,
    file_id: FileId,
    token: CallToken,
    reply: &srvsvc::Reply,
) {
    if let Some(pipe) = state.opens.pipe(file_id) {
        pipe.endpoint.handle_share_reply(token, reply);
        take_call(state, file_id);
    }
}

/// What one who waits for a pipe gets; `None` while there is nothing.
pub(crate) fn next(state: &mut State, wait: &PipeWait) -> Option<Result<Step, NtStatus>> {
    let Some(pipe) = state.opens.pipe(wait.file_id) else {
        return Some(Err(NtStatus::FILE_CLOSED));
    };
    let Some((data, is_whole)) = pipe.take(wait.length_max) else {
        return pipe.is_over().then_some(Err(NtStatus::PIPE_DISCONNECTED));
    };
    let status = if is_whole {
        NtStatus::SUCCESS
    } else {
        NtStatus::BUFFER_OVERFLOW
    };
    let reply = match wait.form {
        PipeForm::Read => Reply::new(
            status,
            &read::Response {
                data,
                ..read::Response::default()
            },
        ),
        PipeForm::Transceive => Reply::new(
            status,
            &ioctl::Response {
                ctl_code: CtlCode::FSCTL_PIPE_TRANSCEIVE,
                file_id: wait.file_id,
                output: data,
                ..ioctl::Response::default()
            },
        ),
    };
    Some(Ok(Step::Done(reply)))
}
