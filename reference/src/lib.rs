//! The reference file server for MS-FSRVP: SMB2/3 shares, the FSRVP agent and its backends.
//!
//! **Architectural invariants**
//! - `agent`, `rpc` and `smb` do no I/O, read no clock and start no task: input comes by
//!   `handle_*`, output leaves by `poll_*`. Only [`shell`] knows sockets, timers and threads.
//! - Arrows: `shell` -> `smb` -> `rpc` -> `agent`; `shell` -> `share`, `backend`, `store`, `tree`;
//!   `rules` looks at trees and knows nobody. `config` and `users` are what a server is told, and are known to both ends.
//!   Outside of itself the crate uses only `fsrvp-wire`.
//! - Nothing here opens a connection or looks up a name.

pub mod agent;
pub mod backend;
pub mod config;
pub mod rpc;
pub mod rules;
pub mod share;
pub mod shell;
pub mod smb;
pub mod store;
pub mod tree;
pub mod users;
