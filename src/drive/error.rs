//! Why a conversation with a server could not go on.

use fsrvp_wire::ParseError;
use fsrvp_wire::smb2::NtStatus;
use std::time::Duration;

/// Why a conversation could not go on. Each variant says what was being done.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Nobody listens, or the address is none.
    #[error("{address}: {source}")]
    Connect {
        /// Where to.
        address: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The server ended the connection.
    #[error("connection closed during {during}")]
    Closed {
        /// What was being done.
        during: &'static str,
    },
    /// Sending or receiving failed.
    #[error("{during}: {source}")]
    Io {
        /// What was being done.
        during: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// No answer came in time.
    #[error("no answer to {during} within {} s", after.as_secs())]
    Silence {
        /// What was being done.
        during: &'static str,
        /// How long the wait was.
        after: Duration,
    },
    /// The logon was refused.
    #[error("logon as {user} refused: {status}")]
    Logon {
        /// Who.
        user: String,
        /// What the server says.
        status: NtStatus,
    },
    /// The server let the user in, but as a guest.
    #[error("{user} was logged on as a guest")]
    Guest {
        /// Who.
        user: String,
    },
    /// The server wants all messages encrypted.
    #[error("the server demands encryption of {user}'s session, which this client lacks")]
    Encryption {
        /// Who.
        user: String,
    },
    /// An answer that had to be signed is not.
    #[error("{during}: an answer with {status} is not signed")]
    NotSigned {
        /// What was being done.
        during: &'static str,
        /// What the server answered.
        status: NtStatus,
    },
    /// An SMB request was refused where it had to be granted.
    #[error("{during}: {status}")]
    Refused {
        /// What was being done.
        during: &'static str,
        /// What the server says.
        status: NtStatus,
    },
    /// A share that the target file names cannot be reached.
    #[error("share {share} of {key}: {answer}")]
    Share {
        /// The share.
        share: String,
        /// The key of the target file that names it.
        key: &'static str,
        /// What the server says.
        answer: String,
    },
    /// The RPC bind was refused.
    #[error("bind refused: {0}")]
    BindRefused(String),
    /// Bytes of the server do not parse.
    #[error("unreadable answer to {during}: {source}")]
    Unreadable {
        /// What was being done.
        during: &'static str,
        /// Where and why.
        source: ParseError,
    },
    /// The server broke a rule of the transport.
    #[error("{during}: {what}")]
    Misbehaved {
        /// What was being done.
        during: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The client could not build its own part.
    #[error("{0}")]
    Own(String),
}
