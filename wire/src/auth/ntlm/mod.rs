//! MS-NLMP: NT LAN Manager (NTLM) authentication, version 2 responses only.

mod acceptor;
mod context;
pub mod crypto;
mod flags;
mod initiator;
mod messages;
mod witness;

pub use acceptor::{Accepted, Acceptor, AcceptorConfig, Lookup};
pub use context::{Role, SIGNATURE_LEN, SecurityContext};
pub use crypto::NtHash;
pub use flags::NegotiateFlags;
pub use initiator::{Credentials, Initiator, InitiatorOptions, InitiatorRandom};
pub use messages::authenticate::AuthenticateMessage;
pub use messages::av_pairs::{AvId, AvPair, AvPairs};
pub use messages::challenge::ChallengeMessage;
pub use messages::negotiate::NegotiateMessage;
pub use witness::{Witnessed, WitnessedChallenge};

use crate::error::ParseError;

/// The signature at the start of every NTLM message, MS-NLMP 2.2.1.
pub const NTLM_SIGNATURE: [u8; 8] = *b"NTLMSSP\0";
/// The largest NTLM message that is read, in bytes.
pub const NTLM_MESSAGE_MAX: usize = 64 * 1024;
/// The largest name (user, domain, workstation) that is read, in bytes.
pub const NTLM_NAME_MAX: usize = 1024;
/// The most AV pairs of one list.
pub const AV_PAIRS_MAX: usize = 64;

/// Whether a token is a raw NTLM message, without SPNEGO around it.
#[must_use]
pub fn is_raw_ntlm(token: &[u8]) -> bool {
    token.starts_with(&NTLM_SIGNATURE)
}

/// Why a logon did not succeed; on the wire most of them are one and the same refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogonError {
    /// The token's bytes are wrong.
    #[error("{0}")]
    Parse(#[from] ParseError),
    /// The token is not the one that is due.
    #[error("a token came out of turn")]
    OutOfTurn,
    /// The peer does not offer what NTLMv2 needs.
    #[error("the peer did not agree to {0}")]
    NotAgreed(&'static str),
    /// A response of LM or NTLMv1, which are never accepted.
    #[error("the response is not NTLMv2")]
    NotNtlmV2,
    /// No such user, or the password is another: the two are not told apart.
    #[error("unknown user or wrong password")]
    WrongProof,
    /// An anonymous logon where none is accepted.
    #[error("anonymous logon refused")]
    AnonymousRefused,
    /// The response says that a MIC follows, and none does.
    #[error("the message integrity code is missing")]
    MicMissing,
    /// The MIC does not belong to these three messages.
    #[error("the message integrity code is wrong")]
    MicWrong,
    /// The exchanged session key does not have 16 bytes.
    #[error("the exchanged session key has the wrong length")]
    BadSessionKey,
    /// SPNEGO: the peer offers no mechanism that is known here, or selected another.
    #[error("no common authentication mechanism")]
    NoCommonMechanism,
    /// SPNEGO: the peer rejected the logon.
    #[error("the peer rejected the logon")]
    Rejected,
    /// SPNEGO: the signature over the list of mechanisms is missing where it is due.
    #[error("the signature over the mechanism list is missing")]
    MechListMicMissing,
    /// SPNEGO: the signature over the list of mechanisms is wrong.
    #[error("the signature over the mechanism list is wrong")]
    MechListMicWrong,
}

/// A signature that does not belong to its message, or a message out of sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Checksum, version or sequence number of the signature is wrong.
    #[error("the ntlm signature is wrong")]
    WrongSignature,
    /// The range to seal does not lie in the bytes that are signed.
    #[error("the sealed range lies outside of the signed bytes")]
    RangeOutside,
}
