//! One TCP connection: bytes in and out, its work on blocking threads, its calls to the agent.

use super::actor::AgentHandle;
use super::answers::{Answers, Said};
use super::door::{Stranger, shown_out};
use super::effects::Workshop;
use super::files::Files;
use super::threads::{OwnThreads, Threads};
use super::time::Time;
use crate::config::{Dropped, Passing, Traffic, Trial};
use crate::smb::work::{FileToken, FileWork};
use crate::smb::{
    Connection, ConnectionId, Effect, EffectId, FileDone, FileResult, OutputFrame, Replaced,
    Server, ShareCall,
};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::lock::LockElement;
use fsrvp_wire::srvsvc;
use rustix::net::sockopt;
use std::collections::HashMap;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How long the end of a session that was replaced is awaited.
const REPLACE_WAIT: Duration = Duration::from_secs(5);

/// How long a client may leave its answers unread.
const WRITE_WAIT: Duration = Duration::from_secs(60);

/// When a silent client is first asked by TCP whether it is still there, how often then, and how
/// many questions it may leave without an answer.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(120);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVES_MAX: u32 = 8;

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) server: Arc<Server>,
    pub(super) workshop: Arc<Workshop>,
    pub(super) agent: AgentHandle,
    pub(super) answers: Arc<Answers>,
    pub(super) time: Time,
    pub(super) peers: Arc<Peers>,
    pub(super) threads: Threads,
    /// Whether the agent wants to know of each connection's end.
    pub(super) tells_ends: bool,
}

/// The connections of a server, for those that have to tell another one something.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<HashMap<ConnectionId, mpsc::UnboundedSender<Event>>>);

impl Peers {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, mpsc::UnboundedSender<Event>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a connection that one of its sessions was replaced; returns when it has ended there,
    /// or when the connection has gone, or takes too long.
    async fn replace(&self, replaced: Replaced) {
        let (done, ended) = oneshot::channel();
        let peer = self.lock().get(&replaced.connection).cloned();
        let told = peer.is_some_and(|peer| peer.send(Event::Replaced(replaced, done)).is_ok());
        if told && tokio::time::timeout(REPLACE_WAIT, ended).await.is_err() {
            tracing::warn!("a session that was replaced has not ended in time");
        }
    }
}

/// What comes from the outside.
#[derive(Debug)]
pub(super) enum Event {
    File(EffectId, FileResult),
    Said(EffectId, Said),
    /// The same, and a script wants no more of this connection once the client has read it.
    SaidLast(EffectId, Said),
    ShareReply(EffectId, srvsvc::Reply),
    /// A session was replaced by one of another connection, which waits until it has ended.
    Replaced(Replaced, oneshot::Sender<()>),
    /// A script wants no reply.
    NoReply,
}

/// Tells a test what passes on a connection.
#[derive(Clone, Copy)]
struct Tap<'a> {
    trial: &'a Trial,
    connection: u64,
    client: SocketAddr,
}

impl Tap<'_> {
    fn pass(self, passing: Passing<'_>) {
        self.trial.traffic(Traffic {
            connection: self.connection,
            client: self.client,
            passing,
        });
    }
}

/// Serves one client until either side ends the connection.
pub(super) async fn serve(
    mut stream: TcpStream,
    client: SocketAddr,
    shared: Shared,
    stranger: Stranger,
    mut shutdown: watch::Receiver<bool>,
) {
    // A server that answers in small messages must not wait for more to send.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%client, %error, "no delay");
    }
    if let Err(error) = notice_its_end(&stream) {
        tracing::debug!(%client, %error, "no keep-alive");
    }
    let mut stranger = Some(stranger);
    let entropy = Box::new(super::random_bytes);
    let server = Arc::clone(&shared.server);
    let mut connection = Connection::new(server, client.ip(), entropy, shared.time.machine());
    let files = Arc::new(Files::new(Arc::clone(&shared.workshop.shares)));
    let threads = OwnThreads::of(&shared.threads);
    let (sender, mut events) = mpsc::unbounded_channel();
    let id = connection.id();
    shared.peers.lock().insert(id, sender.clone());
    let workshop = Arc::clone(&shared.workshop);
    let tap = Tap {
        trial: &workshop.trial,
        connection: id.0,
        client,
    };
    tap.pass(Passing::Opened);
    let (mut by_client, mut is_last) = (false, false);
    let mut waits = HashMap::new();
    tracing::debug!(%client, "connected");
    loop {
        let sent = tokio::select! {
            sent = send(&mut stream, &mut connection, tap) => sent,
            () = shown_out(&mut stranger) => break,
            _ = shutdown.changed() => break,
        };
        if let Err(error) = sent {
            tracing::debug!(%client, %error, "gone while sending");
            by_client = true;
            break;
        }
        if is_last && !connection.has_unread() {
            break;
        }
        while let Some((id, effect)) = connection.poll_effect() {
            if let Effect::Cancel(waiting) = effect {
                waits.remove(&waiting);
                continue;
            }
            if let Effect::File(FileWork::Lock {
                file,
                locks,
                wait: true,
            }) = effect
            {
                waits.insert(id, wait_for_lock(id, file, locks, &files, &sender));
                continue;
            }
            begin(id, effect, &files, &threads, &shared, &sender);
        }
        if connection.is_closed() {
            break;
        }
        if connection.is_authenticated() {
            stranger = None;
        }
        let alarm = connection.poll_timeout();
        tokio::select! {
            read = stream.read_buf(connection.input()), if connection.wants_input() => match read {
                Ok(length) if length > 0 => {
                    tap.pass(Passing::Received(connection.last_input(length)));
                    connection.handle_appended(shared.time.machine());
                }
                _ => {
                    by_client = true;
                    break;
                }
            },
            Some(event) = events.recv() => match event {
                Event::File(id, result) => {
                    waits.remove(&id);
                    connection.handle_completion(id, result, shared.time.machine());
                }
                Event::Said(id, said) => {
                    if hear(&mut connection, id, said, &shared.time).is_none() {
                        break;
                    }
                }
                Event::SaidLast(id, said) => {
                    is_last = true;
                    if hear(&mut connection, id, said, &shared.time).is_none() {
                        break;
                    }
                }
                Event::ShareReply(id, reply) => {
                    connection.handle_share_reply(id, &reply, shared.time.machine());
                }
                Event::Replaced(replaced, ended) => {
                    connection.handle_replaced(&replaced, shared.time.machine());
                    let mut works = Vec::new();
                    while let Some((id, effect)) = connection.poll_effect() {
                        works.push(begin(id, effect, &files, &threads, &shared, &sender));
                    }
                    tokio::spawn(async move {
                        for work in works {
                            let _ = work.await;
                        }
                        let _ = ended.send(());
                    });
                }
                Event::NoReply => break,
            },
            () = alarm_of(&shared.time, alarm) => {
                connection.handle_timeout(shared.time.machine());
            }
            () = shown_out(&mut stranger) => {
                tracing::info!(%client, "too many have not logged on, and this is the oldest");
                break;
            }
            _ = shutdown.changed() => break,
        }
    }
    tap.pass(Passing::Closed { by_client });
    if shared.tells_ends {
        shared.agent.connection_lost().await;
    }
    finish(connection, files, threads).await;
    shared.peers.lock().remove(&id);
    tracing::debug!(%client, "disconnected");
}

/// A client that lost its power or its network says nothing; what it has open is freed all the same.
fn notice_its_end(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVES_MAX)
}

/// Takes in what was said to a call; `None` where the server stops before anything was.
fn hear(connection: &mut Connection, id: EffectId, said: Said, time: &Time) -> Option<()> {
    match said {
        Said::Reply(reply) => connection.handle_reply(id, reply, time.machine()),
        Said::Fault(status) => connection.handle_fault(id, status, time.machine()),
        Said::Nothing => return None,
    }
    Some(())
}

async fn alarm_of(time: &Time, alarm: Option<Duration>) {
    match alarm {
        Some(deadline) => tokio::time::sleep_until(time.instant(deadline)).await,
        None => std::future::pending().await,
    }
}

async fn send(
    stream: &mut TcpStream,
    connection: &mut Connection,
    tap: Tap<'_>,
) -> std::io::Result<()> {
    while let Some(frame) = connection.poll_output() {
        tap.pass(Passing::Sent(&frame.head));
        tap.pass(Passing::Sent(&frame.payload));
        tokio::time::timeout(WRITE_WAIT, send_frame(stream, &frame)).await??;
    }
    Ok(())
}

/// Head and payload in as few calls as the socket takes them.
async fn send_frame(stream: &mut TcpStream, frame: &OutputFrame) -> std::io::Result<()> {
    let (head, payload): (&[u8], &[u8]) = (&frame.head, &frame.payload);
    let mut sent = 0;
    while sent < head.len() + payload.len() {
        let left = [
            head.get(sent..).unwrap_or_default(),
            payload
                .get(sent.saturating_sub(head.len())..)
                .unwrap_or_default(),
        ];
        match stream.write_vectored(&left.map(IoSlice::new)).await? {
            0 => return Err(std::io::ErrorKind::WriteZero.into()),
            count => sent += count,
        }
    }
    Ok(())
}

fn begin(
    id: EffectId,
    effect: Effect,
    files: &Arc<Files>,
    threads: &OwnThreads,
    shared: &Shared,
    events: &mpsc::UnboundedSender<Event>,
) -> JoinHandle<()> {
    let events = events.clone();
    // Where the connection has gone meanwhile, nobody receives the event, and nobody needs to.
    match effect {
        Effect::File(work) => {
            let files = Arc::clone(files);
            let threads = threads.clone();
            tokio::spawn(async move {
                let _thread = threads.take(files.changes(&work)).await;
                let work = tokio::task::spawn_blocking(move || files.perform(work));
                let result = work.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "file work broke off");
                    Err(NtStatus::INTERNAL_ERROR)
                });
                let _ = events.send(Event::File(id, result));
            })
        }
        Effect::EndSession(replaced) => {
            let peers = Arc::clone(&shared.peers);
            tokio::spawn(async move {
                peers.replace(replaced).await;
                let _ = events.send(Event::File(id, Ok(FileDone::Nothing)));
            })
        }
        Effect::ShareCall(ShareCall { caller, call }) => {
            let shared = shared.clone();
            tokio::task::spawn_blocking(move || {
                let name = shared.server.name();
                let reply = super::srvsvc::answer(&shared.workshop, name, &caller, &call);
                let _ = events.send(Event::ShareReply(id, reply));
            })
        }
        // Only a lock is waited for without a thread, and so taken back.
        Effect::Cancel(_) => tokio::spawn(std::future::ready(())),
        Effect::Call(call) => {
            let (agent, answers) = (shared.agent.clone(), Arc::clone(&shared.answers));
            tokio::spawn(async move {
                let (said, drop) = answers.answer(&agent, call.caller, call.call).await;
                // The client gets no moment to do anything between the last answer and the end.
                let _ = events.send(match drop {
                    None => Event::Said(id, said),
                    Some(Dropped::Before) => Event::NoReply,
                    Some(Dropped::After) => Event::SaidLast(id, said),
                });
            })
        }
    }
}

/// Waits for a lock; when the answer is dropped, no longer.
fn wait_for_lock(
    id: EffectId,
    file: FileToken,
    locks: Vec<LockElement>,
    files: &Arc<Files>,
    events: &mpsc::UnboundedSender<Event>,
) -> oneshot::Sender<()> {
    let (keep, mut dropped) = oneshot::channel();
    let files = Arc::clone(files);
    let events = events.clone();
    tokio::spawn(async move {
        let result = tokio::select! {
            result = files.lock(file, &locks) => result,
            _ = &mut dropped => Err(NtStatus::CANCELLED),
        };
        let _ = events.send(Event::File(id, result));
    });
    keep
}

/// Closes what the client left open, so that files that shall go at their close do go.
async fn finish(mut connection: Connection, files: Arc<Files>, threads: OwnThreads) {
    // Nothing may be waiting for the connection any more, but removals at a close may wait.
    let _thread = threads.take(true).await;
    connection.handle_disconnect();
    let mut left = Vec::new();
    while let Some((_, effect)) = connection.poll_effect() {
        if let Effect::File(work) = effect {
            left.push(work);
        }
    }
    let closing = tokio::task::spawn_blocking(move || {
        for work in left {
            if let Err(status) = files.perform(work) {
                tracing::debug!(%status, "close at the end of a connection");
            }
        }
    });
    if let Err(error) = closing.await {
        tracing::error!(%error, "closing broke off");
    }
}
