//! What the dissector yields: exchanges, and the places where something could not be read.

use fsrvp_wire::ParseError;
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Who sent the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The side that opened the connection.
    ClientToServer,
    /// The side that answers.
    ServerToClient,
}

impl Direction {
    /// The opposite direction.
    #[must_use]
    pub fn reverse(self) -> Direction {
        match self {
            Direction::ClientToServer => Direction::ServerToClient,
            Direction::ServerToClient => Direction::ClientToServer,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::ClientToServer => "client-to-server",
            Direction::ServerToClient => "server-to-client",
        })
    }
}

/// A TCP connection, as its two ends and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The number of the connection in the order of appearance, from 0.
    pub stream: u64,
    /// The side that opened it.
    pub client: SocketAddr,
    /// The side that answers.
    pub server: SocketAddr,
    /// The address under which that server is known: another one than `server` where a session of
    /// that address was bound to this connection (MS-SMB2 3.3.5.5.2).
    pub home: SocketAddr,
}

/// How the SMB message that carried a request was protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SmbProtection {
    /// Neither signed nor encrypted.
    Plain,
    /// Signed (SMB2_FLAGS_SIGNED). Where the session's key is known, the signature was checked, and
    /// a wrong one is a [`BadSignature`] of its own.
    Signed,
    /// Encrypted in a transform message.
    Encrypted,
}

impl SmbProtection {
    /// The word in the reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SmbProtection::Plain => "plain",
            SmbProtection::Signed => "signed",
            SmbProtection::Encrypted => "encrypted",
        }
    }
}

/// The proof for something that was read: the frames that brought it, and when the first did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Every frame of every RPC fragment, in order.
    pub frames: Vec<u64>,
    /// The time of the first of these frames since the run or the capture began.
    pub time: Duration,
}

impl Evidence {
    /// Adds the frames of `other` behind these.
    pub fn extend(&mut self, other: &Evidence) {
        if self.frames.is_empty() {
            self.time = other.time;
        }
        for frame in &other.frames {
            if self.frames.last() != Some(frame) {
                self.frames.push(*frame);
            }
        }
    }
}

/// What the client asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The stub was read.
    Call(Call),
    /// The stub could not be read as the parameters of the opnum.
    Unreadable {
        /// The stub as it came.
        stub: Vec<u8>,
        /// Why; `None` where the opnum names no method.
        error: Option<ParseError>,
    },
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A response whose stub was read.
    Reply(Reply),
    /// An RPC fault with this status.
    Fault(u32),
    /// A response whose stub could not be read.
    Unreadable {
        /// The stub as it came.
        stub: Vec<u8>,
        /// Why; `None` where the opnum names no method.
        error: Option<ParseError>,
    },
    /// Nothing was seen.
    Missing,
}

/// One call of an FSRVP method, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The connection that carried it.
    pub link: Arc<Link>,
    /// The negotiated dialect revision, such as 0x0311; `None` where the negotiation was not seen.
    pub dialect: Option<u16>,
    /// How the request's SMB message was protected.
    pub smb: SmbProtection,
    /// The RPC authentication level of the request, such as 5 for packet integrity; 0 where the
    /// connection is not authenticated, `None` where it cannot be known.
    pub rpc_auth: Option<u8>,
    /// The marshalling, such as `ndr32-le`.
    pub ndr: &'static str,
    /// C706 12.6: ties the reply to the request.
    pub call_id: u32,
    /// The method.
    pub opnum: Opnum,
    /// What the client asked.
    pub request: Request,
    /// The frames of the request.
    pub request_evidence: Evidence,
    /// What the server answered.
    pub answer: Answer,
    /// The frames of the answer.
    pub answer_evidence: Evidence,
}

/// The layer at which something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapLayer {
    /// The stream: bytes are missing.
    Tcp,
    /// NetBIOS framing: the next message had to be searched.
    Nbss,
    /// An SMB2 message.
    Smb2,
    /// DCE/RPC on a pipe.
    Rpc,
}

impl GapLayer {
    /// The word in the reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GapLayer::Tcp => "tcp",
            GapLayer::Nbss => "nbss",
            GapLayer::Smb2 => "smb2",
            GapLayer::Rpc => "rpc",
        }
    }
}

/// Something that could not be read: where, why and how much. Nothing is guessed in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The connection.
    pub link: Arc<Link>,
    /// Who sent it.
    pub direction: Direction,
    /// The layer that could not be read.
    pub layer: GapLayer,
    /// Why.
    pub reason: GapReason,
    /// Where it begins in the direction's stream, in bytes from its first one.
    pub offset_bytes: u64,
    /// How many bytes could not be read; zero where it cannot be known.
    pub length_bytes: u64,
    /// How many messages or places in a row were gathered in this one.
    pub count: u64,
    /// The first and the last frame concerned.
    pub frames: (u64, u64),
    /// The time of the first frame.
    pub time: Duration,
}

/// What a signature is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signed {
    /// MS-SMB2 3.1.4.1: an SMB2 message.
    SmbMessage,
    /// MS-SMB2 3.1.4.3: an encrypted SMB2 message.
    EncryptedSmbMessage,
    /// MS-RPCE 3.3.1.5.2.2: an RPC fragment.
    RpcFragment,
    /// RFC 4178 5: the list of mechanisms of an RPC bind through SPNEGO.
    MechanismList,
}

impl Signed {
    /// Where it is written how the signature is made.
    #[must_use]
    pub fn section(self) -> &'static str {
        match self {
            Signed::SmbMessage => "MS-SMB2 3.1.4.1",
            Signed::EncryptedSmbMessage => "MS-SMB2 3.1.4.3",
            Signed::RpcFragment => "MS-RPCE 3.3.1.5.2.2",
            Signed::MechanismList => "RFC 4178 5",
        }
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signed::SmbMessage => "smb2 message",
            Signed::EncryptedSmbMessage => "encrypted smb2 message",
            Signed::RpcFragment => "rpc fragment",
            Signed::MechanismList => "spnego mechanism list",
        })
    }
}

/// A signature that is wrong: its key is known, and made or checked others that are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSignature {
    /// The connection.
    pub link: Arc<Link>,
    /// Who sent it.
    pub direction: Direction,
    /// What it is made over.
    pub signed: Signed,
    /// The frames of the message or fragment.
    pub evidence: Evidence,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// Bytes of the stream are not in the capture.
    NotCaptured,
    /// Packets were cut off by the snap length.
    CutBySnapLength,
    /// Bytes that belong to no message that can be told, passed over up to the next plausible
    /// NetBIOS and SMB2 header.
    NoBoundary,
    /// An SMB3 transform message without its key.
    Encrypted,
    /// An SMB3 compressed message, and its algorithm (MS-SMB2 2.2.3.1.3) where its header was read.
    Compressed(Option<u16>),
    /// An RPC fragment sealed at level privacy, without its key.
    Sealed,
    /// An RPC fragment sealed at level privacy behind a loss: RC4 needs every byte before it.
    SealedAfterLoss,
    /// Encrypted, sealed or signed with another key than those that are known for it.
    KeyDoesNotFit,
    /// Encrypted or sealed with the right key, and then changed: it cannot be opened.
    Changed,
    /// A message or fragment that does not parse.
    Broken(ParseError),
    /// Part of the message is lost, so that the rest of it is of no use.
    Incomplete,
    /// A message or call longer than this reader takes.
    TooLong,
    /// An RPC call on a pipe whose bind was not seen, and which nothing shows to be FSRVP.
    UnknownInterface,
    /// An RPC reply whose request was not seen.
    NoRequest,
    /// More was open at one time than this reader follows; the oldest was let go.
    TooMany,
}

impl GapReason {
    /// Whether a run of these on one direction of one connection is gathered in one gap.
    pub(super) fn gathers(&self) -> bool {
        matches!(
            self,
            GapReason::Encrypted
                | GapReason::Sealed
                | GapReason::CutBySnapLength
                | GapReason::Incomplete
                | GapReason::Compressed(_)
                | GapReason::SealedAfterLoss
                | GapReason::KeyDoesNotFit
        )
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GapReason::NotCaptured => "not in the capture",
            GapReason::CutBySnapLength => "cut by the snap length",
            GapReason::NoBoundary => "no message boundary; passed over up to the next one found",
            GapReason::Encrypted => "encrypted, no key",
            GapReason::Compressed(algorithm) => {
                return match algorithm.map(compression_name) {
                    Some(name) => write!(f, "compressed by {name}"),
                    None => f.write_str("compressed"),
                };
            }
            GapReason::Sealed => "sealed, no key",
            GapReason::SealedAfterLoss => "sealed, and part of what was sealed before it is lost",
            GapReason::KeyDoesNotFit => "no key that is known for it fits",
            GapReason::Changed => "changed after it was encrypted",
            GapReason::Broken(error) => return write!(f, "does not parse: {error}"),
            GapReason::Incomplete => "part of the message is lost",
            GapReason::TooLong => "longer than this reader takes",
            GapReason::UnknownInterface => "bind not seen, interface not known",
            GapReason::NoRequest => "reply without its request",
            GapReason::TooMany => "too much open at one time",
        })
    }
}

/// MS-SMB2 2.2.3.1.3: the algorithms that have names.
fn compression_name(algorithm: u16) -> String {
    match algorithm {
        0 => "no algorithm".to_owned(),
        1 => "LZNT1".to_owned(),
        2 => "LZ77".to_owned(),
        3 => "LZ77+Huffman".to_owned(),
        4 => "Pattern_V1".to_owned(),
        5 => "LZ4".to_owned(),
        other => format!("algorithm {other}"),
    }
}
