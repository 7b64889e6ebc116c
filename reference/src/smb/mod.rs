//! MS-SMB2 3.3: the server, sans-IO. One [`Connection`] for each TCP connection.
//!
//! **Architectural invariants**
//! - No I/O, no clock, no randomness: bytes and time come by `handle_*`, bytes and work leave by
//!   `poll_*`. Nothing here knows a path of the machine or an open file: the outside keeps them
//!   under the tokens of [`work`].
//! - A request of an authenticated session is served only after its signature was checked, where
//!   the server's policy or the client asks for signing.
//! - What a peer sends can end its own connection and nothing else. Everything that a peer can
//!   make grow has a limit in [`limits`].
//! - A request that has to wait holds up no other: each frame is a `chain` of its own.

mod buffers;
mod chain;
mod connection;
mod create;
mod directory;
mod dispatch;
mod io;
mod ioctl;
pub mod limits;
mod lock;
mod message;
mod negotiate;
mod object_id;
mod opens;
pub mod pattern;
mod pipes;
mod previous;
mod query_info;
mod reparse;
mod reply;
mod sealer;
mod session;
mod set_info;
mod short_name;
mod sparse;
mod state;
mod trees;
pub mod window;
pub mod work;

pub use connection::Connection;
pub use message::OutputFrame;
pub use state::{Entropy, Server};
pub use work::{
    ConnectionId, Effect, EffectId, FileDone, FileResult, FileWork, Replaced, RpcCall, ShareCall,
};

#[cfg(test)]
mod tests;
