//! MS-SMB2 2.2.42 COMPRESSION_TRANSFORM_HEADER: stands before a compressed message.
//!
//! Messages are recognised and kept; nothing here decompresses.

use crate::smb2::codec::record;
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
