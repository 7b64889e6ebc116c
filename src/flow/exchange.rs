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
}

/// How the SMB message that carried a request was protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SmbProtection {
    /// Neither signed nor encrypted.
    Plain,
    /// Signed (SMB2_FLAGS_SIGNED). The signature was not checked.
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
    /// An SMB3 compressed message.
    Compressed,
    /// An RPC fragment sealed at level privacy, without its key.
    Sealed,
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
                | GapReason::Compressed
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
            GapReason::Compressed => "compressed",
            GapReason::Sealed => "sealed, no key",
            GapReason::Broken(error) => return write!(f, "does not parse: {error}"),
            GapReason::Incomplete => "part of the message is lost",
            GapReason::TooLong => "longer than this reader takes",
            GapReason::UnknownInterface => "bind not seen, interface not known",
            GapReason::NoRequest => "reply without its request",
            GapReason::TooMany => "too much open at one time",
        })
    }
}
