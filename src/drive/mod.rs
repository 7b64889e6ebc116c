//! The client that plays a case against a server.
//!
//! **Architectural invariants**
//! - What is said is made and read sans-IO (`session`, `rpc`, `logon`); `connection` moves the
//!   bytes on tokio, `client` orders the conversation, [`Player`] plays a case.
//! - Whoever wants to keep what travels is told by [`Tape`], byte by byte.
//! - It shares only `wire` with the reference server: all session code is its own.
//! - Every wait is bounded: `limits` holds the bounds of the conversation, `wait` the waits that a
//!   foreign server's clock forces.

mod background;
mod client;
mod clock;
mod connection;
mod ending;
mod error;
mod files;
mod judge;
mod limits;
mod live;
mod logon;
mod manual;
mod play;
mod reach;
mod remains;
mod restart;
mod rpc;
mod session;
mod tape;
mod values;
mod verbs;
mod wait;
mod words;

pub(crate) use client::{CONNECT_IPC, OPEN_PIPE};
pub use clock::now_ticks;
pub use error::DriveError;
pub use live::{Company, LivePlayer, Trouble};
pub use logon::WORKSTATION;
pub use manual::{ManualClient, ManualFile};
pub use play::{MoveClock, Player, Restart, SteerBackend, Time};
pub use reach::{answers, reach};
pub(crate) use restart::RESTART_FAILED;
pub(crate) use session::NEGOTIATE;
pub use tape::{LogonKey, Passing, Recorder, Tape};
pub use values::IdSource;
pub(crate) use values::out_values;
