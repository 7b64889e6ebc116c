//! What is wrong with bytes that do not parse, and where.

use std::fmt;

/// The protocol layer whose bytes did not parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// NetBIOS session service framing, RFC 1002 4.3.1 and MS-SMB2 2.1.
    Nbss,
    /// SMB2/3 messages, MS-SMB2 2.2.
    Smb2,
    /// SPNEGO tokens, RFC 4178 and MS-SPNG.
    Spnego,
    /// NTLM messages, MS-NLMP 2.2.
    Ntlm,
    /// DCE/RPC PDUs, C706 chapter 12 and MS-RPCE 2.2.
    Rpce,
    /// Marshalled parameters, C706 chapter 14.
    Ndr,
    /// FSRVP stubs, MS-FSRVP 3.1.4.
    Fsrvp,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Nbss => "nbss",
            Layer::Smb2 => "smb2",
            Layer::Spnego => "spnego",
            Layer::Ntlm => "ntlm",
            Layer::Rpce => "rpce",
            Layer::Ndr => "ndr",
            Layer::Fsrvp => "fsrvp",
        })
    }
}

/// Why a field could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the field does; `needed` more bytes would be wanted (0: not known).
    Truncated {
        /// How many bytes are missing, in bytes.
        needed: usize,
    },
    /// A protocol identifier is not the one that the layer demands.
    BadMagic,
    /// `StructureSize` is not the value that MS-SMB2 gives for the message.
    BadStructureSize {
        /// The value that the specification demands.
        expected: u16,
        /// The value that came.
        got: u16,
    },
    /// A length, count or offset points outside what holds it, or is above a limit.
    LengthOutOfRange,
    /// A field lies at an offset that its alignment forbids.
    Misaligned,
    /// The value cannot be told apart from others, so that nothing after it can be read.
    UnknownValue,
    /// Bytes are left over where the structure must end.
    TrailingBytes,
    /// A DER structure is broken.
    BadDer,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Truncated { needed: 0 } => f.write_str("truncated"),
            ErrorKind::Truncated { needed } => write!(f, "truncated, {needed} more bytes needed"),
            ErrorKind::BadMagic => f.write_str("wrong protocol identifier"),
            ErrorKind::BadStructureSize { expected, got } => {
                write!(f, "structure size is {got}, not {expected}")
            }
            ErrorKind::LengthOutOfRange => f.write_str("length or offset out of range"),
            ErrorKind::Misaligned => f.write_str("misaligned"),
            ErrorKind::UnknownValue => f.write_str("unknown value"),
            ErrorKind::TrailingBytes => f.write_str("bytes left over"),
            ErrorKind::BadDer => f.write_str("broken DER"),
        }
    }
}

/// Bytes that do not parse: the layer, the byte, the field and the reason.
///
/// A reader finds the byte in a hex dump of the layer's unit from the text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{layer}: {field} at byte {offset_bytes}: {kind}")]
pub struct ParseError {
    /// Whose bytes they are.
    pub layer: Layer,
    /// Where the field begins, in bytes from the start of the layer's unit (frame, PDU, stub).
    pub offset_bytes: usize,
    /// The field's name in the specification.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: ErrorKind,
}
