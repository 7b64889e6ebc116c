//! One TCP connection: bytes in and out, its work on blocking threads, its calls to the agent.

use super::actor::AgentHandle;
use super::files::Files;
use super::time::Time;
use crate::share::ShareTable;
use crate::smb::{Connection, Effect, EffectId, FileResult, Server};
use fsrvp_wire::fsrvp::Reply;
use fsrvp_wire::smb2::NtStatus;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, watch};

/// How many bytes are read from the socket at a time.
const READ_LEN: usize = 64 * 1024;

/// How many threads one connection may keep busy: writes that wait for the end of a freeze must
/// not take them from everybody else.
const THREADS_MAX: usize = 32;

/// How long a client may leave its answers unread.
const WRITE_WAIT: Duration = Duration::from_secs(60);

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) server: Arc<Server>,
    pub(super) shares: Arc<ShareTable>,
    pub(super) agent: AgentHandle,
    pub(super) time: Time,
}

/// What comes back from the outside.
enum Event {
    File(EffectId, FileResult),
    Reply(EffectId, Reply),
    /// The server stops before there is a reply.
    NoReply,
}

/// Serves one client until either side ends the connection.
pub(super) async fn serve(
    mut stream: TcpStream,
    client: SocketAddr,
    shared: Shared,
    mut shutdown: watch::Receiver<bool>,
) {
    // A server that answers in small messages must not wait for more to send.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%client, %error, "no delay");
    }
    let entropy = Box::new(super::random_bytes);
    let server = Arc::clone(&shared.server);
    let mut connection = Connection::new(server, client.ip(), entropy, shared.time.machine());
    let files = Arc::new(Files::new(Arc::clone(&shared.shares)));
    let threads = Arc::new(Semaphore::new(THREADS_MAX));
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut buffer = vec![0; READ_LEN];
    tracing::debug!(%client, "connected");
    loop {
        let sent = tokio::select! {
            sent = send(&mut stream, &mut connection) => sent,
            _ = shutdown.changed() => break,
        };
        if let Err(error) = sent {
            tracing::debug!(%client, %error, "gone while sending");
            break;
        }
        while let Some((id, effect)) = connection.poll_effect() {
            begin(id, effect, &files, &threads, &shared.agent, &sender);
        }
        if connection.is_closed() {
            break;
        }
        let alarm = connection.poll_timeout();
        tokio::select! {
            read = stream.read(&mut buffer), if connection.wants_input() => match read {
                Ok(length) if length > 0 => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    connection.handle_bytes(bytes, shared.time.machine());
                }
                _ => break,
            },
            Some(event) = events.recv() => match event {
                Event::File(id, result) => {
                    connection.handle_completion(id, result, shared.time.machine());
                }
                Event::Reply(id, reply) => {
                    connection.handle_reply(id, reply, shared.time.machine());
                }
                Event::NoReply => break,
            },
            () = alarm_of(&shared.time, alarm) => {
                connection.handle_timeout(shared.time.machine());
            }
            _ = shutdown.changed() => break,
        }
    }
    finish(connection, files).await;
    tracing::debug!(%client, "disconnected");
}

async fn alarm_of(time: &Time, alarm: Option<Duration>) {
    match alarm {
        Some(deadline) => tokio::time::sleep_until(time.instant(deadline)).await,
        None => std::future::pending().await,
    }
}

async fn send(stream: &mut TcpStream, connection: &mut Connection) -> std::io::Result<()> {
    while let Some(frame) = connection.poll_output() {
        tokio::time::timeout(WRITE_WAIT, stream.write_all(&frame)).await??;
    }
    Ok(())
}

fn begin(
    id: EffectId,
    effect: Effect,
    files: &Arc<Files>,
    threads: &Arc<Semaphore>,
    agent: &AgentHandle,
    events: &mpsc::UnboundedSender<Event>,
) {
    let events = events.clone();
    // Where the connection has gone meanwhile, nobody receives the event, and nobody needs to.
    match effect {
        Effect::File(work) => {
            let files = Arc::clone(files);
            let threads = Arc::clone(threads);
            tokio::spawn(async move {
                let _thread = threads.acquire_owned().await;
                let work = tokio::task::spawn_blocking(move || files.perform(work));
                let result = work.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "file work broke off");
                    Err(NtStatus::INTERNAL_ERROR)
                });
                let _ = events.send(Event::File(id, result));
            });
        }
        Effect::Call(call) => {
            let agent = agent.clone();
            tokio::spawn(async move {
                let event = match agent.call(call.caller, call.call).await {
                    Some(reply) => Event::Reply(id, reply),
                    None => Event::NoReply,
                };
                let _ = events.send(event);
            });
        }
    }
}

/// Closes what the client left open, so that files that shall go at their close do go.
async fn finish(mut connection: Connection, files: Arc<Files>) {
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
