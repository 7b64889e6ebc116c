//! MS-SMB2 2.2.2 (SMB1 multi-protocol negotiate): how an old client asks for SMB2.
//!
//! Nothing else of SMB1 is read here.

/// The first four bytes of an SMB1 message.
pub const PROTOCOL_ID: [u8; 4] = [0xFF, b'S', b'M', b'B'];

/// MS-CIFS 2.2.4.52: the command byte of SMB_COM_NEGOTIATE.
pub const SMB_COM_NEGOTIATE: u8 = 0x72;

/// The dialect string that asks for 2.0.2.
pub const DIALECT_2_002: &str = "SMB 2.002";

/// The dialect string that asks for any later dialect; the answer has the wildcard revision.
pub const DIALECT_2_WILDCARD: &str = "SMB 2.???";

/// MS-CIFS 2.2.4.52.1 and MS-SMB2 3.3.5.3.1: an SMB1 negotiate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The 27 bytes of the SMB1 header behind its protocol id and command.
    pub header: [u8; 27],
    /// The dialect strings, in the client's order, without their terminators.
    pub dialects: Vec<Vec<u8>>,
}
