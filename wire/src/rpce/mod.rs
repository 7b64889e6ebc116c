//! C706 chapter 12 and MS-RPCE 2.2: the connection-oriented DCE/RPC protocol data units.
//!
//! One file for each PDU. [`Pdu::parse`] takes exactly one fragment; where the bytes come as a
//! stream, [`next_fragment`] says how many of them are the first one. [`Assembler`] joins the
//! fragments of one request or response, [`fragment`] splits one.

mod auth_3;
mod bind;
mod bind_ack;
mod bind_nak;
mod codes;
mod fault;
mod fragments;
mod header;
mod pdu;
mod request;
mod response;
mod security;
mod security_trailer;
mod syntax;

pub use auth_3::Auth3;
pub use bind::{Bind, ContextElement};
pub use bind_ack::{BindAck, ContextOutcome};
pub use bind_nak::BindNak;
pub use codes::{
    AuthLevel, AuthType, FaultStatus, PType, PfcFlags, ProviderReason, RejectReason, ResultCode,
};
pub use fault::{FAULT_FLAG_EXTENDED_ERROR, Fault};
pub use fragments::{
    Assembler, AssemblyError, JOINED_STUB_MAX, fragment, next_fragment, stub_room,
};
pub use header::{DataRepresentation, HEADER_LEN, Header};
pub use pdu::{Body, Pdu};
pub use request::Request;
pub use response::Response;
pub use security::{RpcSecurity, SecurityError};
pub use security_trailer::{SecurityTrailer, TRAILER_LEN};
pub use syntax::{BIND_TIME_FEATURES_PREFIX, BindTimeFeatures, NDR32, NDR64, SyntaxId};

/// MS-RPCE 2.2.2.1: the pipe of every peer must take fragments of this length, in bytes.
pub const MUST_RECV_FRAG_SIZE: u16 = 1432;

/// What we offer as `max_xmit_frag` and `max_recv_frag`, as Windows does, in bytes.
pub const PREFERRED_FRAG_SIZE: u16 = 4280;
