//! DCE/RPC endpoints on named pipes, sans-IO: C706 chapters 9 to 12 and MS-RPCE 3.3.
//!
//! **Architectural invariants**
//! - No I/O, no clock, no randomness: challenges, ids and the time are handed in.
//! - What a peer sends can end its own endpoint and nothing else; everything that a peer can make
//!   grow has a limit in [`limits`].
//! - Who the caller is, and how well its call is protected, is established here; what it may do is
//!   the agent's to judge.
//!
//! # How to drive it
//!
//! One [`Endpoint`] for each open of the pipe. Inputs are [`Endpoint::handle_bytes`] and
//! [`Endpoint::handle_reply`]; after each of them take everything from [`Endpoint::poll_output`]
//! and [`Endpoint::poll_call`]. When [`Endpoint::is_dead`], send what is left of the output and
//! close the pipe.
//!
//! # What the text leaves open, and what was decided
//!
//! - *Calls of one association* are handed out one after the other, in the order in which they
//!   came: PFC_CONC_MPX is not offered.
//! - *Faults* carry no verifier; Samba sends none either, and clients take them as they are.
//! - *A failed logon* ends the association: in the bind by bind_nak, in alter_context by a fault,
//!   after rpc_auth_3, which has no answer, by a fault on the next request (as Samba does it).
//! - *A request without verifier* after a logon at PKT or above is refused with access denied and
//!   not executed; a wrong verifier ends the association, for the keys no longer agree.
//! - *Bytes behind the last parameter* are passed over: clients put verification trailers there
//!   (MS-RPCE 2.2.2.13).
//! - *Association groups* mean nothing to FSRVP, which has no context handles: the id that a
//!   client names is given back.

mod association;
mod calls;
mod config;
mod endpoint;
pub mod limits;
mod logon;

#[cfg(test)]
mod tests;

pub use crate::agent::Caller;
pub use calls::CallToken;
pub use config::{Accounts, EndpointConfig, Fresh, Identity, Service};
pub use endpoint::Endpoint;
