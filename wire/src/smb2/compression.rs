//! MS-SMB2 2.2.42 COMPRESSION_TRANSFORM_HEADER: stands before a compressed message.
//!
//! Messages are recognised and kept; nothing here decompresses.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::run;
use crate::smb2::codec::{Fixed, failure, read, record};
use crate::smb2::negotiate_contexts::CompressionAlgorithm;

/// MS-SMB2 2.2.42: `ProtocolId`, 0xFC 'S' 'M' 'B'.
pub const PROTOCOL_ID: [u8; 4] = [0xFC, b'S', b'M', b'B'];

/// The length of the header, in bytes.
pub const HEADER_LEN: usize = 16;

record! {
    /// MS-SMB2 2.2.42.1 SMB2 COMPRESSION_TRANSFORM_HEADER_UNCHAINED without its protocol id.
    ///
    /// In the chained form (`flags` is 1) the last two fields belong to the first payload header
    /// of 2.2.42.2.1: `flags` stands where `Flags` is there, `offset` is its `Length`.
    pub struct CompressionHeader {
        /// The length of the part that is compressed, in bytes, once it is not.
        pub original_compressed_segment_size: u32 = "OriginalCompressedSegmentSize",
        /// The algorithm.
        pub compression_algorithm: CompressionAlgorithm = "CompressionAlgorithm",
        /// 0 unchained, 1 chained.
        pub flags: u16 = "Flags",
        /// Where the compressed part begins behind the header, in bytes.
        pub offset: u32 = "Offset/Length",
    }
}

impl CompressionHeader {
    /// Reads the header at the start of a frame; gives it and what is behind it.
    ///
    /// # Errors
    /// When the frame begins with another protocol id or is too short.
    pub fn parse(frame: &[u8]) -> Result<(CompressionHeader, &[u8]), ParseError> {
        run(Layer::Smb2, frame, |frame| {
            let mut rest = frame;
            let protocol_id: [u8; 4] = read(&mut rest, "ProtocolId")?;
            if protocol_id != PROTOCOL_ID {
                return Err(failure(frame, "ProtocolId", ErrorKind::BadMagic));
            }
            CompressionHeader::read(rest)
        })
    }

    /// The 16 bytes.
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
    use super::{CompressionHeader, HEADER_LEN};
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_compression_header_survives_the_wire(header in CompressionHeader::sample()) {
            let bytes = header.emit();
            prop_assert_eq!(bytes.len(), HEADER_LEN);
            prop_assert_eq!(CompressionHeader::parse(&bytes).unwrap().0, header);
        }
    }
}
