//! What a running server tells of itself: one JSON object to whoever connects to the socket in its
//! state directory. Only the user who runs the server may.

use super::actor::AgentHandle;
use crate::agent::AgentStatus;
use crate::store::{self, Store};
use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;
use tokio::sync::watch;

/// The socket's file in the state directory.
const SOCKET_NAME: &str = "status.sock";

/// How long whoever asks may take to read the answer, and how long they wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 << 20;

/// The server that is running, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its NetBIOS name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// Since when, in 100 ns intervals since 1601-01-01 00:00 UTC.
    pub since: i64,
    /// What time it is there.
    pub now: i64,
}

/// What is known of a state directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// `None`: no server runs there, and the sets are those that its store holds.
    pub server: Option<Running>,
    /// Context, timer and sets.
    #[serde(flatten)]
    pub agent: AgentStatus,
}

/// Why the status of a state directory cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// There is no state in it.
    #[error("{0}: no server has kept its state here; name the directory of its --state")]
    NoState(PathBuf),
    /// A server runs and does not answer as it should.
    #[error("{path}: {source}")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What came is no status.
    #[error("{path}: not a status: {reason}; ask with the program that serves")]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No server runs, and its store cannot be read.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Asks the server whose state lies in `directory`; where none runs, looks into its store.
///
/// # Errors
/// See [`StatusError`].
pub fn status(directory: &Path) -> Result<ServerStatus, StatusError> {
    if !directory.join(store::FILE_NAME).is_file() {
        return Err(StatusError::NoState(directory.to_owned()));
    }
    let path = directory.join(SOCKET_NAME);
    match ask(directory) {
        Ok(answer) => serde_json::from_slice(&answer).map_err(|error| StatusError::Foreign {
            path,
            reason: error.to_string(),
        }),
        Err(error) if is_nobody(&error) => {
            let sets = Store::open(directory)?.load()?.sets;
            let agent = AgentStatus {
                sets,
                ..AgentStatus::default()
            };
            Ok(ServerStatus {
                server: None,
                agent,
            })
        }
        Err(source) => Err(StatusError::Socket { path, source }),
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
    )
}

fn ask(directory: &Path) -> io::Result<Vec<u8>> {
    let directory = File::open(directory)?;
    let stream = UnixStream::connect(short_path(&directory))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

/// The socket by way of an open directory: a socket's address has room for some 100 bytes, and the
/// path of a state directory may be longer.
fn short_path(directory: &File) -> PathBuf {
    PathBuf::from(format!(
        "/proc/self/fd/{}/{SOCKET_NAME}",
        directory.as_raw_fd()
    ))
}

/// Opens the socket. The caller holds the store, so a socket that is there already is a dead one.
pub(super) fn bind(directory: &Path) -> io::Result<UnixListener> {
    let directory = File::open(directory)?;
    let path = short_path(&directory);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until `stopped` turns true.
pub(super) async fn serve(
    listener: UnixListener,
    running: Running,
    agent: AgentHandle,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let mut stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the status socket closes");
                    return;
                }
            },
            _ = stopped.changed() => return,
        };
        let Some((now, status)) = agent.status().await else {
            return;
        };
        let server = Some(Running {
            now,
            ..running.clone()
        });
        let status = ServerStatus {
            server,
            agent: status,
        };
        let answer = match serde_json::to_vec(&status) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "no status");
                continue;
            }
        };
        // Whoever asked may have gone; one who does not read holds nobody up for long.
        let sent = tokio::time::timeout(PATIENCE, stream.write_all(&answer)).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::debug!("a status was not read");
        }
    }
}
