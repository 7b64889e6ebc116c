//! MS-SMB2 2.2.41 TRANSFORM_HEADER: stands before an encrypted message.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::run;
use crate::smb2::codec::{Fixed, failure, flags, read, record};

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

impl TransformHeader {
    /// Reads the header at the start of a frame; gives it and the encrypted message behind it.
    ///
    /// # Errors
    /// When the frame begins with another protocol id or is too short.
    pub fn parse(frame: &[u8]) -> Result<(TransformHeader, &[u8]), ParseError> {
        run(Layer::Smb2, frame, |frame| {
            let mut rest = frame;
            let protocol_id: [u8; 4] = read(&mut rest, "ProtocolId")?;
            if protocol_id != PROTOCOL_ID {
                return Err(failure(frame, "ProtocolId", ErrorKind::BadMagic));
            }
            TransformHeader::read(rest)
        })
    }

    /// The 52 bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.bytes(&PROTOCOL_ID);
        self.write(&mut out);
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{AUTHENTICATED_FROM, HEADER_LEN, TransformHeader};
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_transform_header_survives_the_wire(header in TransformHeader::sample()) {
            let mut bytes = header.emit();
            prop_assert_eq!(bytes.len(), HEADER_LEN);
            prop_assert_eq!(&bytes[AUTHENTICATED_FROM..AUTHENTICATED_FROM + 16], &header.nonce);
            bytes.extend([1, 2, 3]);
            let (again, message) = TransformHeader::parse(&bytes).unwrap();
            prop_assert_eq!(again, header);
            prop_assert_eq!(message, &[1, 2, 3]);
        }
    }
}
