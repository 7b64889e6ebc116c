//! MS-SMB2 2.2.41 TRANSFORM_HEADER: stands before an encrypted message.

use crate::smb2::codec::{flags, record, standalone};

/// MS-SMB2 2.2.41: `ProtocolId`, 0xFD 'S' 'M' 'B'.
pub const PROTOCOL_ID: [u8; 4] = [0xFD, b'S', b'M', b'B'];

/// The length of the header, in bytes.
pub const HEADER_LEN: usize = 52;

/// Where the part begins that the cipher authenticates, the header from `Nonce` on, in bytes.
pub const AUTHENTICATED_FROM: usize = 20;

flags! {
    /// MS-SMB2 2.2.41: `Flags` in 3.1.1, `EncryptionAlgorithm` before; 1 in every legal message.
    TransformFlags(u16) {
        ENCRYPTED = 0x0001,
    }
}

record! {
    /// MS-SMB2 2.2.41 SMB2 TRANSFORM_HEADER without its protocol id.
    pub struct TransformHeader {
        /// The cipher's authentication tag.
        pub signature: [u8; 16] = "Signature",
        /// The nonce: 11 bytes with CCM, 12 with GCM, then zeros.
        pub nonce: [u8; 16] = "Nonce",
        /// The length of the message before encryption, in bytes.
        pub original_message_size: u32 = "OriginalMessageSize",
        /// Reserved.
        pub reserved: u16 = "Reserved",
        /// That it is encrypted.
        pub flags: TransformFlags = "Flags/EncryptionAlgorithm",
        /// The session whose key it is.
        pub session_id: u64 = "SessionId",
    }
}
