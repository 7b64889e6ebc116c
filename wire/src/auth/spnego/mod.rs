//! RFC 4178 and MS-SPNG: SPNEGO around NTLM, for both roles.

mod acceptor;
mod der;
mod initiator;
mod neg_token_init;
mod neg_token_resp;
mod oid;

pub use acceptor::Acceptor;
pub use initiator::Initiator;
pub use neg_token_init::{NegHints, NegTokenInit};
pub use neg_token_resp::{NegState, NegTokenResp};
pub use oid::Oid;

/// The largest SPNEGO token that is read, in bytes: an NTLM message and what is around it.
pub const SPNEGO_TOKEN_MAX: usize = super::ntlm::NTLM_MESSAGE_MAX + 4096;
/// The most mechanisms that a peer may offer.
pub const MECH_TYPES_MAX: usize = 32;

/// What one token leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What to send; empty where there is nothing to say.
    pub reply: Vec<u8>,
    /// Whether the logon has succeeded; otherwise another token must come.
    pub done: bool,
}
