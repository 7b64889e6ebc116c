//! What the requests of one connection share.

use super::buffers::Buffers;
use super::negotiate::{Negotiated, Phase};
use super::opens::{Open, Opens, Target};
use super::session::Session;
use super::work::{ConnectionId, FileToken, FileWork, RpcCall, ShareCall, TreeToken};
use crate::config::{Encryption, Limits, Signing};
use crate::rpc::{Accounts, CallToken, EndpointConfig};
use crate::users::Users;
use fsrvp_wire::smb2::fscc::FileTime;
use fsrvp_wire::smb2::{FileId, NtStatus};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// What all connections of a server share.
#[derive(Debug)]
pub struct Server {
    /// The NetBIOS name.
    pub name: String,
    /// MS-SMB2 3.3.1.5 ServerGuid.
    pub guid: Uuid,
    /// Whether requests must be signed.
    pub signing: Signing,
    /// Whether requests may or must be encrypted.
    pub encryption: Encryption,
    /// Who may log on.
    pub users: Arc<Users>,
    /// How long its clients may take.
    pub limits: Limits,
    /// For large frames.
    pub(crate) buffers: Arc<Buffers>,
    endpoint: Arc<EndpointConfig>,
    sessions: GlobalSessions,
    last_connection: AtomicU64,
}

impl Server {
    /// A server of this name.
    #[must_use]
    pub fn new(
        name: &str,
        guid: Uuid,
        signing: Signing,
        encryption: Encryption,
        users: Arc<Users>,
    ) -> Self {
        let endpoint = EndpointConfig {
            accounts: Arc::clone(&users) as Arc<dyn Accounts>,
            netbios_name: name.to_owned(),
            dns_name: name.to_lowercase(),
        };
        Server {
            name: name.to_owned(),
            guid,
            signing,
            encryption,
            users,
            limits: Limits::default(),
            buffers: Arc::default(),
            endpoint: Arc::new(endpoint),
            sessions: GlobalSessions::default(),
            last_connection: AtomicU64::new(0),
        }
    }

    /// The same with limits of its own.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Server { limits, ..self }
    }

    /// A number for one more connection.
    pub(crate) fn new_connection(&self) -> ConnectionId {
        ConnectionId(self.last_connection.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the endpoints behind its pipes share.
    pub(crate) fn endpoint(&self) -> Arc<EndpointConfig> {
        Arc::clone(&self.endpoint)
    }
}

/// Random bytes, handed in.
pub trait Entropy: Send {
    /// Fills `bytes` with bytes that nobody can foretell.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// MS-SMB2 3.3.1.5 GlobalSessionTable: which connection has which session.
#[derive(Debug, Default)]
struct GlobalSessions(Mutex<BTreeMap<u64, ConnectionId>>);

impl GlobalSessions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, ConnectionId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the requests of one connection share.
pub(crate) struct State {
    /// Which connection it is.
    pub(crate) connection: ConnectionId,
    pub(crate) server: Arc<Server>,
    /// The client's address.
    pub(crate) client: IpAddr,
    pub(crate) entropy: Box<dyn Entropy>,
    /// The wall clock at the last input.
    pub(crate) wall_time: FileTime,
    pub(crate) phase: Phase,
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) opens: Opens,
    /// Work that nobody waits for.
    pub(crate) errands: Vec<FileWork>,
    /// FSRVP calls that came through pipes, with their pipes.
    pub(crate) calls: Vec<(FileId, RpcCall)>,
    /// Calls about shares, with their pipes and their names there.
    pub(crate) share_calls: Vec<(FileId, CallToken, ShareCall)>,
    last_token: u64,
}

impl State {
    pub(crate) fn new(server: Arc<Server>, client: IpAddr, entropy: Box<dyn Entropy>) -> Self {
        State {
            connection: server.new_connection(),
            server,
            client,
            entropy,
            wall_time: FileTime::ZERO,
            phase: Phase::Fresh,
            sessions: BTreeMap::new(),
            opens: Opens::default(),
            errands: Vec::new(),
            calls: Vec::new(),
            share_calls: Vec::new(),
            last_token: 0,
        }
    }

    /// What was agreed on; requests other than NEGOTIATE need it.
    pub(crate) fn negotiated(&self) -> Result<&Negotiated, NtStatus> {
        match &self.phase {
            Phase::Done(negotiated) => Ok(negotiated),
            Phase::Fresh | Phase::Wildcard => Err(NtStatus::INVALID_PARAMETER),
        }
    }

    pub(crate) fn session(&mut self, session_id: u64) -> Result<&mut Session, NtStatus> {
        self.sessions
            .get_mut(&session_id)
            .ok_or(NtStatus::USER_SESSION_DELETED)
    }

    pub(crate) fn new_file_token(&mut self) -> FileToken {
        self.last_token += 1;
        FileToken(self.last_token)
    }

    pub(crate) fn new_tree_token(&mut self) -> TreeToken {
        self.last_token += 1;
        TreeToken(self.last_token)
    }

    /// Closes all opens that `which` names; nobody waits for it.
    pub(crate) fn close_all(&mut self, which: impl Fn(&Open) -> bool) {
        for open in self.opens.remove_all(which) {
            if let Target::File(file) = open.target {
                self.errands.push(FileWork::Close(file.token));
            }
        }
    }

    /// Takes a session in under an id that no session of the server has.
    pub(crate) fn add_session(&mut self, session: Session) -> u64 {
        let mut taken = self.server.sessions.lock();
        let session_id = loop {
            let mut bytes = [0; 8];
            self.entropy.fill(&mut bytes);
            let id = u64::from_le_bytes(bytes);
            if id != 0 && id != u64::MAX && !taken.contains_key(&id) {
                break id;
            }
        };
        taken.insert(session_id, self.connection);
        self.sessions.insert(session_id, session);
        session_id
    }

    /// The connection that has a session.
    pub(crate) fn holder_of(&self, session_id: u64) -> Option<ConnectionId> {
        self.server.sessions.lock().get(&session_id).copied()
    }

    /// Ends a session with all that is open in it.
    pub(crate) fn end_session(&mut self, session_id: u64) {
        self.close_all(|open| open.session_id == session_id);
        if let Some(session) = self.sessions.remove(&session_id) {
            self.server.sessions.lock().remove(&session_id);
            for token in session.trees.tokens() {
                self.errands.push(FileWork::DisconnectTree(token));
            }
        }
    }

    /// Whether anybody has logged on.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.sessions.values().any(Session::is_authenticated)
    }
}
