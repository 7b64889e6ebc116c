//! What belongs to a session and not to one of its connections: trees, opens, pipes.
//!
//! MS-SMB2 3.3.5.5.2: a client may bind a session to further connections to the same server, and
//! then use a tree or an open on any of them.

use super::exchange::Direction;
use super::keys::KeyRing;
use super::pipe::Pipe;
use super::session_keys::{Algorithms, SessionCrypto};
use fsrvp_wire::smb2::FileId;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// How many pipes may be open at one time; the oldest is let go.
pub(super) const PIPES_MAX: usize = 8192;

/// How many bytes of incomplete fragments and calls all pipes may keep together.
const PIPE_BYTES_MAX: usize = 16 << 20;

/// How many bytes of messages that are not whole yet all connections may keep together.
const MESSAGE_BYTES_MAX: usize = 24 << 20;

/// How many sessions and trees are remembered.
const NAMES_MAX: usize = 64 * 1024;

/// A session: the server's address and the session id.
pub(super) type SessionKey = (IpAddr, u64);

/// Numbers the pipes in the order of their CREATE.
pub(super) type PipeId = u64;

/// What all connections share.
#[derive(Default)]
pub(super) struct Shared {
    /// What servers call themselves (MS-SMB2 2.2.4 ServerGuid), by address.
    servers: HashMap<IpAddr, Uuid>,
    /// How many connections use each session.
    sessions: HashMap<SessionKey, u32>,
    /// Whether a tree is `IPC$`.
    trees: HashMap<(SessionKey, u32), bool>,
    pipes: BTreeMap<PipeId, (SessionKey, Pipe)>,
    files: HashMap<(SessionKey, FileId), PipeId>,
    next_pipe: PipeId,
    /// How many bytes all pipes keep because more is to come.
    kept_bytes: usize,
    /// How many bytes of messages all connections keep because more is to come.
    message_bytes: usize,
    /// What the user gave; `None` where nothing shall be opened or checked.
    keys: Option<Arc<KeyRing>>,
    /// The keys of each session of which there are any.
    crypto: HashMap<SessionKey, SessionCrypto>,
}

impl Shared {
    pub(super) fn set_keys(&mut self, keys: KeyRing) {
        self.keys = (!keys.is_empty()).then(|| Arc::new(keys));
    }

    pub(super) fn keys(&self) -> Option<&Arc<KeyRing>> {
        self.keys.as_ref()
    }

    /// A server has said what it calls itself.
    pub(super) fn meet(&mut self, address: IpAddr, server_guid: Uuid) {
        if self.servers.len() < NAMES_MAX && !server_guid.is_nil() {
            self.servers.insert(address, server_guid);
        }
    }

    /// The one other address at which a server that calls itself the same has this session; `None`
    /// where the session is known at `address` itself, or where there is doubt.
    pub(super) fn home_of(&self, address: IpAddr, session_id: u64) -> Option<IpAddr> {
        if self.sessions.contains_key(&(address, session_id)) {
            return None;
        }
        let own = self.servers.get(&address)?;
        let mut homes = self.servers.iter().filter(|(other, guid)| {
            *guid == own && self.sessions.contains_key(&(**other, session_id))
        });
        let (home, _) = homes.next()?;
        homes.next().is_none().then_some(*home)
    }

    /// Counts bytes of messages that are not whole yet; returns whether they are too many.
    pub(super) fn keeps(&mut self, less: usize, more: usize) -> bool {
        self.message_bytes = self.message_bytes.saturating_sub(less) + more;
        self.message_bytes > MESSAGE_BYTES_MAX
    }

    /// The keys of a session whose logon was seen; empty where none is known.
    pub(super) fn set_crypto(&mut self, session: SessionKey, crypto: SessionCrypto) {
        self.crypto.remove(&session);
        if !crypto.is_empty() && self.crypto.len() < NAMES_MAX {
            self.crypto.insert(session, crypto);
        }
    }

    /// The keys of a session: those of its logon, or those that the user gave.
    pub(super) fn crypto(
        &mut self,
        session: SessionKey,
        algorithms: Algorithms,
    ) -> Option<&mut SessionCrypto> {
        let given = self.keys.as_ref()?.sessions_of(session.1);
        let known = self.crypto.contains_key(&session);
        if !known && (given.is_empty() || self.crypto.len() >= NAMES_MAX) {
            return None;
        }
        let crypto = self.crypto.entry(session).or_insert_with(|| {
            let mut crypto = SessionCrypto::default();
            for given in given {
                crypto.add_given(given, algorithms, None);
            }
            crypto
        });
        (!crypto.is_empty()).then_some(crypto)
    }

    /// A connection uses the session; returns whether it is the first one.
    pub(super) fn join(&mut self, session: SessionKey) -> bool {
        if self.sessions.len() >= NAMES_MAX && !self.sessions.contains_key(&session) {
            return false;
        }
        let users = self.sessions.entry(session).or_insert(0);
        *users += 1;
        *users == 1
    }

    /// A connection that used the session is over; returns the session's pipes if it was the
    /// last one.
    pub(super) fn leave(&mut self, session: SessionKey) -> Vec<Pipe> {
        let Some(users) = self.sessions.get_mut(&session) else {
            return Vec::new();
        };
        *users -= 1;
        if *users > 0 {
            return Vec::new();
        }
        self.sessions.remove(&session);
        self.crypto.remove(&session);
        self.trees.retain(|(key, _), _| *key != session);
        self.files.retain(|(key, _), _| *key != session);
        let ended: Vec<Pipe> = self
            .pipes
            .extract_if(.., |_, (key, _)| *key == session)
            .map(|(_, (_, pipe))| pipe)
            .collect();
        self.kept_bytes -= ended.iter().map(Pipe::kept_bytes).sum::<usize>();
        ended
    }

    /// Whether a tree is `IPC$`; `None` where its TREE_CONNECT was not seen.
    pub(super) fn is_ipc(&self, session: SessionKey, tree_id: u32) -> Option<bool> {
        self.trees.get(&(session, tree_id)).copied()
    }

    pub(super) fn add_tree(&mut self, session: SessionKey, tree_id: u32, is_ipc: bool) {
        if self.trees.len() < NAMES_MAX {
            self.trees.insert((session, tree_id), is_ipc);
        }
    }

    pub(super) fn remove_tree(&mut self, session: SessionKey, tree_id: u32) {
        self.trees.remove(&(session, tree_id));
    }

    /// Adds a pipe; also returns the one that has to go for it.
    pub(super) fn add_pipe(
        &mut self,
        session: SessionKey,
        name: Option<String>,
    ) -> (PipeId, Option<Pipe>) {
        let evicted = match self.pipes.len() >= PIPES_MAX {
            true => self.pipes.first_key_value().map(|(&oldest, _)| oldest),
            false => None,
        };
        let evicted = evicted.and_then(|oldest| self.remove_pipe(oldest));
        let id = self.next_pipe;
        self.next_pipe += 1;
        self.pipes.insert(id, (session, Pipe::new(name)));
        (id, evicted)
    }

    /// The pipe has this file id from now on.
    pub(super) fn name_file(&mut self, file: FileId, pipe: PipeId) {
        if let Some((session, _)) = self.pipes.get(&pipe) {
            self.files.insert((*session, file), pipe);
        }
    }

    pub(super) fn pipe_of(&self, session: SessionKey, file: FileId) -> Option<PipeId> {
        self.files.get(&(session, file)).copied()
    }

    /// Takes a pipe out, to be put back with [`Shared::put_back`].
    pub(super) fn take(&mut self, id: PipeId) -> Option<(SessionKey, Pipe)> {
        let taken = self.pipes.remove(&id)?;
        self.kept_bytes -= taken.1.kept_bytes();
        Some(taken)
    }

    /// Returns whether all pipes together keep more than they may; then this one must give up
    /// what it only began.
    pub(super) fn is_crowded_with(&self, pipe: &Pipe) -> bool {
        self.kept_bytes + pipe.kept_bytes() > PIPE_BYTES_MAX
    }

    pub(super) fn put_back(&mut self, id: PipeId, pipe: (SessionKey, Pipe)) {
        self.kept_bytes += pipe.1.kept_bytes();
        self.pipes.insert(id, pipe);
    }

    pub(super) fn remove_pipe(&mut self, id: PipeId) -> Option<Pipe> {
        self.files.retain(|_, pipe| *pipe != id);
        self.take(id).map(|(_, pipe)| pipe)
    }

    /// Bytes of a session's messages may be lost.
    pub(super) fn lost(&mut self, session: SessionKey, direction: Direction) {
        let mine = self.pipes.values_mut().filter(|(key, _)| *key == session);
        for (_, pipe) in mine {
            self.kept_bytes -= pipe.kept_bytes();
            pipe.lost(direction);
            self.kept_bytes += pipe.kept_bytes();
        }
    }
}
