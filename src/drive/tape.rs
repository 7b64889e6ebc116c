//! What travels on the client's connections, told to whoever wants to keep it.
//!
//! A [`Tape`] goes to each connection that is opened with it. Without a recorder it costs nothing.

use crate::flow::Direction;
use fsrvp_wire::security::Secret;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The connections of this process, so that no two have the same number.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Something that happened on a connection.
#[derive(Debug, Clone, Copy)]
pub enum Passing<'a> {
    /// It came about.
    Opened {
        /// The client's end.
        client: SocketAddr,
        /// The server's end.
        server: SocketAddr,
    },
    /// Bytes passed; those of the client as they were given to the system.
    Bytes {
        /// Who sent them.
        direction: Direction,
        /// As they travelled.
        bytes: &'a [u8],
        /// What the client does with them, where they begin something that a reader looks for.
        begins: Option<&'a str>,
    },
    /// One side sends nothing more.
    Ended {
        /// Which one, by the direction of what it sent.
        direction: Direction,
        /// It broke the connection off.
        reset: bool,
    },
}

/// The key of one logon. It opens what that logon protects, and nothing else.
#[derive(Debug, Clone)]
pub enum LogonKey {
    /// Of an SMB session.
    Smb {
        /// Its id.
        session_id: u64,
        /// The exported session key.
        session_key: Secret<16>,
    },
    /// Of an NTLM logon of its own on a pipe.
    Rpc {
        /// MS-NLMP 3.3.2: the proof that its AUTHENTICATE_MESSAGE brings, different each time.
        proof: [u8; 16],
        /// The exported session key.
        session_key: Secret<16>,
    },
}

/// Who keeps what travels.
pub trait Recorder: Send {
    /// From now on everything belongs to this step.
    fn step(&mut self, step: &str);
    /// Something happened on the connection of this number, `time` after 1970.
    fn passing(&mut self, time: Duration, connection: u64, passing: Passing<'_>);
    /// A logon came about.
    fn logon(&mut self, key: &LogonKey);
}

/// Leads to a recorder, or nowhere.
#[derive(Clone, Default)]
pub struct Tape(Option<Arc<Mutex<dyn Recorder>>>);

impl Tape {
    /// A tape that leads to `recorder`.
    #[must_use]
    pub fn new(recorder: Arc<Mutex<dyn Recorder>>) -> Tape {
        Tape(Some(recorder))
    }

    /// From now on everything belongs to the step that `name` gives, which is asked only where
    /// somebody listens.
    pub(crate) fn step(&self, name: impl FnOnce() -> String) {
        self.tell(|recorder| recorder.step(&name()));
    }

    /// A logon came about.
    pub(crate) fn logon(&self, key: &LogonKey) {
        self.tell(|recorder| recorder.logon(key));
    }

    fn tell(&self, what: impl FnOnce(&mut dyn Recorder)) {
        let Some(recorder) = &self.0 else {
            return;
        };
        if let Ok(mut recorder) = recorder.lock() {
            what(&mut *recorder);
        }
    }
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape").finish_non_exhaustive()
    }
}

/// One connection on a tape, from its beginning until this is dropped.
pub(crate) struct Track {
    tape: Tape,
    number: u64,
    /// What the next bytes of the client begin.
    begins: Option<&'static str>,
    over: bool,
}

impl Track {
    /// The connection between these ends, which has just come about.
    pub(crate) fn begin(tape: &Tape, client: SocketAddr, server: SocketAddr) -> Track {
        let track = Track {
            tape: tape.clone(),
            number: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            begins: None,
            over: false,
        };
        track.pass(Passing::Opened { client, server });
        track
    }

    /// The tape that it is on.
    pub(crate) fn tape(&self) -> &Tape {
        &self.tape
    }

    /// The next bytes of the client begin this.
    pub(crate) fn mark(&mut self, what: &'static str) {
        self.begins = Some(what);
    }

    /// The client sends these bytes.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        let direction = Direction::ClientToServer;
        let begins = self.begins.take();
        self.pass(Passing::Bytes {
            direction,
            bytes,
            begins,
        });
    }

    /// The server sent these bytes.
    pub(crate) fn received(&self, bytes: &[u8]) {
        self.pass(Passing::Bytes {
            direction: Direction::ServerToClient,
            bytes,
            begins: None,
        });
    }

    /// The server closed the connection, or broke it off.
    pub(crate) fn left_by_server(&mut self, reset: bool) {
        if !self.over {
            self.over = reset;
            let direction = Direction::ServerToClient;
            self.pass(Passing::Ended { direction, reset });
        }
    }

    fn pass(&self, passing: Passing<'_>) {
        self.tape.tell(|recorder| {
            #[expect(clippy::disallowed_methods, reason = "a shell reads the clock")]
            let now = SystemTime::now();
            let time = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            recorder.passing(time, self.number, passing);
        });
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        if !self.over {
            self.pass(Passing::Ended {
                direction: Direction::ClientToServer,
                reset: false,
            });
        }
    }
}
