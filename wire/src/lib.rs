//! Bytes to messages and back: SMB2/3, SPNEGO and NTLM, DCE/RPC, NDR, MS-FSRVP, parts of MS-SRVS.
//!
//! **Architectural invariants**
//! - No I/O, no clock, no randomness, no async runtime: time, challenges and keys are handed in.
//! - The layer is *open*: it keeps reserved fields, padding, unknown flags and unknown codes, so
//!   that a tester can see an illegal value and can send one. Whether a value is legal is for the
//!   layers above to judge.
//! - Nothing that arrives from outside can make it panic, and every length that a peer states
//!   meets a named limit before it is used.
//! - Each message stands in one file: the structure, `parse`, `emit`, `wire_len` and its laws.
#![forbid(unsafe_code)]

pub mod auth;
pub mod emit;
pub mod error;
pub mod fsrvp;
pub mod nbss;
pub mod ndr;
pub mod parse;
pub mod rpce;
pub mod security;
pub mod smb2;
pub mod srvsvc;

pub use error::{ErrorKind, Layer, ParseError};
