//! One TCP connection of the server.

use super::chain::{Chain, ChainId, Waiting, seal_message};
use super::dispatch::{self, Admitted, Request};
use super::limits;
use super::negotiate::{self, Phase};
use super::pipes;
use super::reply::{Hashed, PipeWait, Reply, Step, Then};
use super::sealer::Sealer;
use super::state::{Entropy, Server, State};
use super::window::Window;
use super::work::{Effect, EffectId, FileResult};
use crate::agent::Now;
use crate::rpc::CallToken;
use fsrvp_wire::fsrvp::Reply as FsrvpReply;
use fsrvp_wire::nbss::{self, FrameType};
use fsrvp_wire::security::sealing;
use fsrvp_wire::smb2::fscc::FileTime;
use fsrvp_wire::smb2::{Command, FileId, Header, HeaderFlags, NtStatus, compound, smb1_negotiate};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// One TCP connection of the server, sans-IO.
///
/// Inputs are [`Connection::handle_bytes`], [`Connection::handle_completion`],
/// [`Connection::handle_reply`], [`Connection::handle_timeout`] and, at the end,
/// [`Connection::handle_disconnect`]. After each of them take everything from
/// [`Connection::poll_output`] and [`Connection::poll_effect`], look at
/// [`Connection::is_closed`], and arm one alarm at [`Connection::poll_timeout`].
pub struct Connection {
    state: State,
    window: Window,
    input: Vec<u8>,
    output: VecDeque<Vec<u8>>,
    chains: BTreeMap<ChainId, Chain>,
    last_chain: u64,
    works: BTreeMap<EffectId, (ChainId, Then)>,
    calls: BTreeMap<EffectId, (FileId, CallToken)>,
    pipe_waits: Vec<(ChainId, PipeWait)>,
    effects: VecDeque<(EffectId, Effect)>,
    last_effect: u64,
    last_async: u64,
    started: Duration,
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
            effects: VecDeque::new(),
            last_effect: 0,
            last_async: 0,
            started: now.monotonic,
            closed: false,
        }
    }

    /// Bytes have arrived.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Now) {
        self.input.extend_from_slice(bytes);
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

    /// The time of [`Connection::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        if !self.state.is_authenticated()
            && now.monotonic >= self.started.saturating_add(limits::LOGON_WAIT)
        {
            self.close("nobody logged on in time");
            return;
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
        let sessions: Vec<u64> = self.state.sessions.keys().copied().collect();
        for session_id in sessions {
            self.state.end_session(session_id);
        }
        self.collect_effects();
    }

    /// The next bytes to send: one frame.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    /// The next piece of work for the outside.
    pub fn poll_effect(&mut self) -> Option<(EffectId, Effect)> {
        self.effects.pop_front()
    }

    /// When [`Connection::handle_timeout`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let logon = self.started.saturating_add(limits::LOGON_WAIT);
        let logon = (!self.state.is_authenticated()).then_some(logon);
        self.chains
            .values()
            .filter_map(interim_at)
            .chain(logon)
            .min()
    }

    /// Whether the connection is to be closed, once its output is sent.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether more bytes are wanted; not while as much waits as may wait.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        !self.closed && self.chains.len() < limits::CHAINS_MAX
    }

    fn close(&mut self, why: &'static str) {
        if !self.closed {
            tracing::info!(client = %self.state.client, why, "connection closed");
        }
        self.closed = true;
    }

    fn take_frames(&mut self, now: Now) {
        let filetime = u64::try_from(now.filetime).unwrap_or(0);
        self.state.wall_time = FileTime(filetime);
        let mut input = std::mem::take(&mut self.input);
        let mut taken = 0;
        while self.wants_input() {
            let frame_max = if self.state.is_authenticated() {
                limits::FRAME_MAX
            } else {
                limits::FRAME_BEFORE_LOGON_MAX
            };
            let rest = input.get(taken..).unwrap_or_default();
            match nbss::next_frame(rest, frame_max) {
                Ok(Some(frame)) => {
                    taken += frame.consumed();
                    match frame.frame_type {
                        FrameType::SESSION_MESSAGE => {
                            let payload = rest.get(frame.payload).unwrap_or_default();
                            self.take_payload(payload, now);
                        }
                        FrameType::KEEPALIVE => {}
                        _ => self.close("a frame of NetBIOS that this transport has not"),
                    }
                }
                Ok(None) => break,
                Err(_) => self.close("a frame that is too long"),
            }
        }
        input.drain(..taken);
        self.input = input;
    }

    fn take_payload(&mut self, payload: &[u8], now: Now) {
        if smb1_negotiate::is_smb1_negotiate(payload) {
            return self.take_smb1(payload);
        }
        if sealing::is_sealed(payload) {
            return self.take_sealed(payload, now);
        }
        self.take_messages(payload, None, now);
    }

    /// MS-SMB2 3.3.5.2.1.1: a frame that is encrypted.
    fn take_sealed(&mut self, payload: &[u8], now: Now) {
        let session = sealing::session_id(payload).ok();
        let session = session.and_then(|id| self.state.session(id).ok());
        let Some(sealer) = session.and_then(|session| session.sealer()) else {
            return self.close("a frame encrypted for no session");
        };
        match sealer.open(payload) {
            Ok(opened) => self.take_messages(&opened, Some(sealer), now),
            Err(error) => {
                tracing::warn!(%error, session = sealer.session_id(), "decryption");
                self.close("a frame that does not decrypt");
            }
        }
    }

    fn take_messages(&mut self, payload: &[u8], sealer: Option<Arc<Sealer>>, now: Now) {
        let messages = match compound::split(payload) {
            Ok(messages) => messages,
            Err(error) => {
                tracing::debug!(%error, "frame does not parse");
                return self.close("a frame that is no SMB2 message");
            }
        };
        let mut served = Vec::new();
        for message in messages {
            let Ok(header) = Header::parse(message) else {
                return self.close("a header that does not parse");
            };
            if header.is_response() {
                return self.close("a response from a client");
            }
            // Only a request with one before it takes its session over from there.
            let is_related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS)
                && !served.is_empty()
                && header.command != Command::CANCEL;
            if let Some(sealer) = &sealer
                && !is_related
                && header.session_id != sealer.session_id()
            {
                return self.close("a request encrypted with the key of another session");
            }
            if header.command == Command::CANCEL {
                self.cancel(&header, message, sealer.is_some(), now);
                continue;
            }
            if let Err(error) = self.window.take(header.message_id, header.credit_charge) {
                tracing::debug!(%error, "window");
                return self.close("a message id outside of the window");
            }
            served.push(message.to_vec());
        }
        if served.is_empty() {
            return;
        }
        self.last_chain += 1;
        let id = ChainId(self.last_chain);
        self.chains.insert(id, Chain::new(served, sealer));
        self.advance(id, now);
        self.settle(now);
    }

    fn take_smb1(&mut self, payload: &[u8]) {
        if self.window.take(0, 1).is_err() {
            return self.close("an SMB1 negotiate after SMB2");
        }
        match negotiate::multi_protocol(&mut self.state, payload) {
            Step::Done(reply) => {
                let mut header = Header::response_to(&Header::default(), reply.status);
                header.credits = self.window.grant(1);
                let message = seal_message(&header, reply.message, None, true);
                self.send(&message);
            }
            Step::Disconnect(why) => self.close(why),
            Step::Work(..) | Step::Pipe(_) => {}
        }
    }

    /// Serves a chain as far as it goes without waiting.
    fn advance(&mut self, id: ChainId, now: Now) {
        loop {
            let Some(chain) = self.chains.get_mut(&id) else {
                return;
            };
            let Some(message) = chain.left.pop_front() else {
                return self.finish(id);
            };
            let Ok(mut header) = Header::parse(&message) else {
                return self.close("a header that does not parse");
            };
            let related = chain.relate(&mut header);
            let request = Request {
                related_file: related.ok().flatten(),
                meant_file: Cell::new(None),
                header,
                is_sealed: chain.sealer.is_some(),
                message: &message,
            };
            let (step, signer) = match dispatch::admit(&mut self.state, &request) {
                Err(status) => (Err(status), None),
                Ok(Admitted { signer }) => {
                    let step = related.and_then(|_| dispatch::serve(&mut self.state, &request));
                    (step, signer)
                }
            };
            let waiting = Waiting {
                file_id: request.meant_file.get(),
                header: request.header,
                signer,
                interim_at: now.monotonic.saturating_add(limits::INTERIM_AFTER),
            };
            if !self.take_step(id, waiting, step) {
                return;
            }
        }
    }

    /// Goes on with a chain whose request waited.
    fn resume(&mut self, id: ChainId, step: Result<Step, NtStatus>, now: Now) {
        let Some(waiting) = self
            .chains
            .get_mut(&id)
            .and_then(|chain| chain.waiting.take())
        else {
            return;
        };
        if self.take_step(id, waiting, step) {
            self.advance(id, now);
        }
        self.settle(now);
    }

    /// Takes in what a request has led to; whether the chain can go on.
    fn take_step(&mut self, id: ChainId, waiting: Waiting, step: Result<Step, NtStatus>) -> bool {
        let Some(chain) = self.chains.get_mut(&id) else {
            return false;
        };
        let reply = match step {
            Ok(Step::Done(reply)) => reply,
            Err(status) => Reply::error(status),
            Ok(Step::Work(work, then)) => {
                chain.waiting = Some(waiting);
                let effect = self.push_effect(Effect::File(work));
                self.works.insert(effect, (id, then));
                return false;
            }
            Ok(Step::Pipe(wait)) => {
                chain.waiting = Some(waiting);
                self.pipe_waits.push((id, wait));
                return false;
            }
            Ok(Step::Disconnect(why)) => {
                self.close(why);
                return false;
            }
        };
        // An interim response has granted the credits of its request already.
        let credits = match chain.async_id {
            Some(_) => 0,
            None => self.window.grant(waiting.header.credits),
        };
        let reply = Reply {
            file_id: reply.file_id.or(waiting.file_id),
            ..reply
        };
        chain.answer(waiting.header, reply, waiting.signer, credits);
        true
    }

    fn finish(&mut self, id: ChainId) {
        let Some(chain) = self.chains.remove(&id) else {
            return;
        };
        let state = &mut self.state;
        let sealer = chain.sealer.clone();
        let frame = chain.finish(|hashed, message| match hashed {
            Hashed::No => {}
            Hashed::Connection => {
                if let Phase::Done(negotiated) = &mut state.phase
                    && let Some(hash) = &mut negotiated.preauth
                {
                    hash.update(message);
                }
            }
            Hashed::Session(session_id) => {
                if let Ok(session) = state.session(session_id) {
                    session.hash(message);
                }
            }
        });
        if !frame.is_empty() {
            self.send_sealed(&frame, sealer.as_deref());
        }
    }

    fn send_sealed(&mut self, payload: &[u8], sealer: Option<&Sealer>) {
        match sealer.map(|sealer| sealer.seal(payload)) {
            None => self.send(payload),
            Some(Ok(sealed)) => self.send(&sealed),
            Some(Err(error)) => {
                tracing::error!(%error, "an answer was not encrypted");
                self.close("an answer that cannot be encrypted");
            }
        }
    }

    fn send(&mut self, payload: &[u8]) {
        match nbss::emit(payload) {
            Some(frame) => self.output.push_back(frame),
            None => self.close("an answer too long for a frame"),
        }
    }

    /// MS-SMB2 3.3.4.2: tells the client that its request waits.
    fn send_interim(&mut self, id: ChainId) {
        let Some(chain) = self.chains.get_mut(&id) else {
            return;
        };
        let Some(waiting) = &chain.waiting else {
            return;
        };
        self.last_async += 1;
        chain.async_id = Some(self.last_async);
        let mut header = Header::response_to(&waiting.header, NtStatus::PENDING);
        header.credits = self.window.grant(waiting.header.credits);
        header.set_async_id(self.last_async);
        let reply = Reply::error(NtStatus::PENDING);
        let message = seal_message(&header, reply.message, waiting.signer.as_ref(), true);
        let sealer = chain.sealer.clone();
        self.send_sealed(&message, sealer.as_deref());
    }

    /// MS-SMB2 3.3.5.16: takes a request back that waits for a pipe; others end soon anyway.
    fn cancel(&mut self, header: &Header, message: &[u8], is_sealed: bool, now: Now) {
        let request = Request {
            header: header.clone(),
            is_sealed,
            message,
            related_file: None,
            meant_file: Cell::new(None),
        };
        if dispatch::admit(&mut self.state, &request).is_err() {
            return;
        }
        let found = self.chains.iter().find(|(_, chain)| {
            let Some(waiting) = &chain.waiting else {
                return false;
            };
            let is_named = match header.async_id() {
                Some(async_id) => chain.async_id == Some(async_id),
                None => waiting.header.message_id == header.message_id,
            };
            is_named && waiting.header.session_id == header.session_id
        });
        let Some(id) = found.map(|(id, _)| *id) else {
            return;
        };
        if let Some(index) = self.pipe_waits.iter().position(|(chain, _)| *chain == id) {
            self.pipe_waits.remove(index);
            self.resume(id, Err(NtStatus::CANCELLED), now);
        }
    }

    /// Serves those who wait for pipes that have something, and hands out what became to be done.
    fn settle(&mut self, now: Now) {
        while let Some((index, step)) = self.next_pipe() {
            let (id, _) = self.pipe_waits.remove(index);
            self.resume(id, step, now);
        }
        self.collect_effects();
    }

    fn next_pipe(&mut self) -> Option<(usize, Result<Step, NtStatus>)> {
        for (index, (_, wait)) in self.pipe_waits.iter().enumerate() {
            if let Some(step) = pipes::next(&mut self.state, wait) {
                return Some((index, step));
            }
        }
        None
    }

    fn collect_effects(&mut self) {
        for work in std::mem::take(&mut self.state.errands) {
            self.push_effect(Effect::File(work));
        }
        for (file_id, call) in std::mem::take(&mut self.state.calls) {
            let token = call.token;
            let id = self.push_effect(Effect::Call(call));
            self.calls.insert(id, (file_id, token));
        }
    }

    fn push_effect(&mut self, effect: Effect) -> EffectId {
        self.last_effect += 1;
        let id = EffectId(self.last_effect);
        self.effects.push_back((id, effect));
        id
    }
}

/// When the client of a chain is told that it waits: once, and only where it asked one thing.
fn interim_at(chain: &Chain) -> Option<Duration> {
    if chain.async_id.is_some() || !chain.is_single() {
        return None;
    }
    chain.waiting.as_ref().map(|waiting| waiting.interim_at)
}
