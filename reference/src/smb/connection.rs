//! One TCP connection of the server.

mod closing;
mod progress;
mod receive;
mod send;

use super::chain::{Chain, ChainId};
use super::limits;
use super::message::OutputFrame;
use super::pipes;
use super::reply::{PipeWait, Then};
use super::state::{Entropy, Server, State};
use super::window::Window;
use super::work::{ConnectionId, Effect, EffectId, FileResult, Replaced};
use crate::agent::Now;
use crate::config::same_name;
use crate::rpc::CallToken;
use closing::Closing;
use fsrvp_wire::fsrvp::Reply as FsrvpReply;
use fsrvp_wire::rpce::FaultStatus;
use fsrvp_wire::smb2::{Command, FileId};
use fsrvp_wire::srvsvc;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One TCP connection of the server, sans-IO.
///
/// Inputs are [`Connection::handle_bytes`], [`Connection::handle_completion`],
/// [`Connection::handle_reply`], [`Connection::handle_fault`], [`Connection::handle_replaced`],
/// [`Connection::handle_timeout`] and, at the end, [`Connection::handle_disconnect`]. After each of them take everything from
/// [`Connection::poll_output`] and [`Connection::poll_effect`], look at
/// [`Connection::is_closed`], and arm one alarm at [`Connection::poll_timeout`].
pub struct Connection {
    state: State,
    window: Window,
    input: Vec<u8>,
    output: VecDeque<OutputFrame>,
    chains: BTreeMap<ChainId, Chain>,
    last_chain: u64,
    works: BTreeMap<EffectId, (ChainId, Then)>,
    calls: BTreeMap<EffectId, (FileId, CallToken)>,
    pipe_waits: Vec<(ChainId, PipeWait)>,
    closings: Vec<Closing>,
    effects: VecDeque<(EffectId, Effect)>,
    last_effect: u64,
    last_async: u64,
    /// Since when nobody is logged on, or was when the last bytes came.
    stranger_since: Duration,
    /// When the frame began that has not come whole yet.
    frame_began: Option<Duration>,
    closed: bool,
}

impl Connection {
    /// A connection that a client at `client` has just made.
    #[must_use]
    pub fn new(server: Arc<Server>, client: IpAddr, entropy: Box<dyn Entropy>, now: Now) -> Self {
        Connection {
            state: State::new(server, client, entropy),
            window: Window::default(),
            input: Vec::new(),
            output: VecDeque::new(),
            chains: BTreeMap::new(),
            last_chain: 0,
            works: BTreeMap::new(),
            calls: BTreeMap::new(),
            pipe_waits: Vec::new(),
            closings: Vec::new(),
            effects: VecDeque::new(),
            last_effect: 0,
            last_async: 0,
            stranger_since: now.monotonic,
            frame_began: None,
            closed: false,
        }
    }

    /// Bytes have arrived.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Now) {
        self.input.extend_from_slice(bytes);
        self.take_frames(now);
    }

    /// Where bytes that arrive may be appended, for those who can save a copy by it; there is room
    /// for some at least. [`Connection::handle_appended`] follows.
    pub fn input(&mut self) -> &mut Vec<u8> {
        if self.input.len() == self.input.capacity() {
            self.input.reserve(limits::INPUT_LEN);
        }
        &mut self.input
    }

    /// The last bytes that were appended to [`Connection::input`].
    #[must_use]
    pub fn last_input(&self, length: usize) -> &[u8] {
        let start = self.input.len().saturating_sub(length);
        self.input.get(start..).unwrap_or_default()
    }

    /// Bytes have arrived and were appended to [`Connection::input`].
    pub fn handle_appended(&mut self, now: Now) {
        self.take_frames(now);
    }

    /// File work was done.
    pub fn handle_completion(&mut self, id: EffectId, result: FileResult, now: Now) {
        // Work that nobody waits for, or whose waiter has gone, ends here.
        if let Some((chain, then)) = self.works.remove(&id) {
            let step = then(&mut self.state, result);
            self.resume(chain, step, now);
        }
        self.take_frames(now);
    }

    /// The agent has answered a call.
    pub fn handle_reply(&mut self, id: EffectId, reply: FsrvpReply, now: Now) {
        if let Some((file_id, token)) = self.calls.remove(&id) {
            pipes::reply(&mut self.state, file_id, token, &reply);
        }
        self.settle(now);
        self.take_frames(now);
    }

    /// The agent's answer to a call is this RPC fault.
    pub fn handle_fault(&mut self, id: EffectId, status: FaultStatus, now: Now) {
        if let Some((file_id, token)) = self.calls.remove(&id) {
            pipes::fault(&mut self.state, file_id, token, status);
        }
        self.settle(now);
        self.take_frames(now);
    }

    /// Whether an answer of a pipe has not been read by the client yet.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        self.state.opens.has_unread()
    }

    /// MS-SMB2 3.3.5.5.3: a client has come back by another connection, in place of this session.
    /// It ends like one that was logged off.
    pub fn handle_replaced(&mut self, replaced: &Replaced, now: Now) {
        let session = self.state.session(replaced.session_id);
        let is_theirs = session
            .and_then(|session| session.user())
            .is_ok_and(|user| same_name(&user.name, &replaced.user));
        if is_theirs {
            tracing::info!(client = %self.state.client, user = replaced.user, "session replaced");
            self.state.end_session(replaced.session_id);
            self.settle(now);
        }
    }

    /// Names it among those of its server.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.state.connection
    }

    /// A call about shares was answered.
    pub fn handle_share_reply(&mut self, id: EffectId, reply: &srvsvc::Reply, now: Now) {
        if let Some((file_id, token)) = self.calls.remove(&id) {
            pipes::share_reply(&mut self.state, file_id, token, reply);
        }
        self.settle(now);
        self.take_frames(now);
    }

    /// The time of [`Connection::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.logon_deadline().is_some_and(|at| at <= now.monotonic) {
            return self.close("nobody logged on in time");
        }
        if self.frame_deadline().is_some_and(|at| at <= now.monotonic) {
            return self.close("a frame that did not come whole in time");
        }
        let due: Vec<ChainId> = self
            .chains
            .iter()
            .filter(|(_, chain)| {
                let at = interim_at(chain);
                at.is_some_and(|at| at <= now.monotonic)
            })
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.send_interim(id);
        }
    }

    /// The connection is gone: what remains of it leaves as effects that nobody waits for.
    pub fn handle_disconnect(&mut self) {
        self.closed = true;
        self.effects.clear();
        self.works.clear();
        self.chains.clear();
        self.pipe_waits.clear();
        self.closings.clear();
        let sessions: Vec<u64> = self.state.sessions.keys().copied().collect();
        for session_id in sessions {
            self.state.end_session(session_id);
        }
        self.collect_effects();
    }

    /// The next frame to send.
    pub fn poll_output(&mut self) -> Option<OutputFrame> {
        self.output.pop_front()
    }

    /// The next piece of work for the outside.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.effects.pop_front()
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.chains
            .values()
            .filter_map(interim_at)
            .chain(self.logon_deadline())
            .chain(self.frame_deadline())
            .min()
    }

    fn logon_deadline(&self) -> Option<Duration> {
        let wait = self.state.server.limits.logon_wait();
        (!self.is_authenticated()).then_some(self.stranger_since.saturating_add(wait))
    }

    fn frame_deadline(&self) -> Option<Duration> {
        let wait = self.state.server.limits.frame_wait();
        Some(self.frame_began?.saturating_add(wait))
    }

    /// Whether anybody has logged on.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.state.is_authenticated()
    }

    /// Whether the connection is to be closed, once its output is sent.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether more bytes are wanted; not while as much waits as may wait.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        let waiting_bytes: usize = self.chains.values().map(|chain| chain.weight).sum();
        !self.closed
            && self.chains.len() < limits::CHAINS_MAX
            && waiting_bytes < limits::WAITING_BYTES_MAX
    }

    fn close(&mut self, why: &'static str) {
        if !self.closed {
            tracing::info!(client = %self.state.client, why, "connection closed");
        }
        self.closed = true;
    }
}

/// When the client of a chain is told that it waits: once, and only where it asked one thing.
fn interim_at(chain: &Chain) -> Option<Duration> {
    if chain.async_id.is_some() || !chain.is_single() {
        return None;
    }
    let waiting = chain.waiting.as_ref();
    waiting
        .filter(|waiting| may_be_async(waiting.header.command))
        .map(|waiting| waiting.interim_at)
}

/// MS-SMB2 2.2.1.1: an asynchronous header has no room for `TreeId`, which is how a client learns of
/// its tree connect; and nobody expects an interim response before there is a session and a tree.
fn may_be_async(command: Command) -> bool {
    ![
        Command::NEGOTIATE,
        Command::SESSION_SETUP,
        Command::LOGOFF,
        Command::TREE_CONNECT,
        Command::TREE_DISCONNECT,
    ]
    .contains(&command)
}
