//! From streams to exchanges: TCP reassembly, SMB2 sessions and pipes, RPC fragments, gaps.
//!
//! **Architectural invariants**
//! - Uses only `wire`; knows neither files nor sockets nor clocks. Packets of a capture and the
//!   bytes of a live run come in at the same door, [`Dissector`].
//! - One pass, bounded memory: bytes that nobody needs (the contents of files) are passed over
//!   without a copy, and everything that is kept meets a named limit.
//! - Nothing is guessed. What cannot be read becomes a [`Gap`] with its place and its reason.

mod connection;
mod dissector;
mod ends;
mod exchange;
mod framing;
mod keys;
mod listing;
mod logon;
mod messages;
mod output;
mod pipe;
mod rpc;
mod rpc_security;
mod segment;
mod session_keys;
mod shared;
mod smb;
pub mod tcp;

pub use dissector::{Dissector, StreamId};
pub use exchange::{
    Answer, BadSignature, Direction, Evidence, Exchange, Gap, GapLayer, GapReason, Link, Request,
    Signed, SmbProtection,
};
pub use keys::{KeyRing, NtlmLogonKey, SmbSessionKey, UserKey};
pub use listing::{Listed, Part, RpcExchange, Smb2Exchange};
pub use output::{Counters, Event};
pub use segment::Segment;
