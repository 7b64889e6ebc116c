//! MS-SMB2 2.2.3.1, 2.2.4.1: the negotiate contexts of dialect 3.1.1.
//!
//! A [`NegotiateContext`] holds its data as bytes, so that unknown and broken ones travel; the
//! other types here are what the data of a known one means.

use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::{Layout, Utf16};

codes! {
    /// MS-SMB2 2.2.3.1: what a negotiate context is about.
    ContextType(u16) {
        PREAUTH_INTEGRITY_CAPABILITIES = 0x0001,
        ENCRYPTION_CAPABILITIES = 0x0002,
        COMPRESSION_CAPABILITIES = 0x0003,
        NETNAME_NEGOTIATE_CONTEXT_ID = 0x0005,
        TRANSPORT_CAPABILITIES = 0x0006,
        RDMA_TRANSFORM_CAPABILITIES = 0x0007,
        SIGNING_CAPABILITIES = 0x0008,
        POSIX_EXTENSIONS_AVAILABLE = 0x0100,
    }
}

codes! {
    /// MS-SMB2 2.2.3.1.1: a hash for preauthentication integrity.
    HashAlgorithm(u16) {
        SHA_512 = 0x0001,
    }
}

codes! {
    /// MS-SMB2 2.2.3.1.2: a cipher.
    Cipher(u16) {
        NONE = 0x0000,
        AES_128_CCM = 0x0001,
        AES_128_GCM = 0x0002,
        AES_256_CCM = 0x0003,
        AES_256_GCM = 0x0004,
    }
}

codes! {
    /// MS-SMB2 2.2.3.1.3: a compression algorithm.
    CompressionAlgorithm(u16) {
        NONE = 0x0000,
        LZNT1 = 0x0001,
        LZ77 = 0x0002,
        LZ77_HUFFMAN = 0x0003,
        PATTERN_V1 = 0x0004,
        LZ4 = 0x0005,
    }
}

codes! {
    /// MS-SMB2 2.2.3.1.7: a signing algorithm.
    SigningAlgorithm(u16) {
        HMAC_SHA256 = 0x0000,
        AES_CMAC = 0x0001,
        AES_GMAC = 0x0002,
    }
}

flags! {
    /// MS-SMB2 2.2.3.1.3: how compression may be used.
    CompressionFlags(u32) {
        CHAINED = 0x0000_0001,
    }
}

flags! {
    /// MS-SMB2 2.2.3.1.5: what the transport below gives.
    TransportFlags(u32) {
        ACCEPT_TRANSPORT_LEVEL_SECURITY = 0x0000_0001,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1 NEGOTIATE_CONTEXT: one context, its data as it travels.
    pub struct NegotiateContext {
        /// What the data is.
        pub context_type: ContextType,
        /// Zero in every legal message.
        pub reserved: u32,
        /// The data.
        pub data: Vec<u8>,
        /// What stands between the data and the next context.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1.1 PREAUTH_INTEGRITY_CAPABILITIES.
    pub struct PreauthIntegrityCapabilities {
        /// The hashes offered, or the one chosen.
        pub hash_algorithms: Vec<HashAlgorithm>,
        /// Random bytes.
        pub salt: Vec<u8>,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1.2 ENCRYPTION_CAPABILITIES.
    pub struct EncryptionCapabilities {
        /// The ciphers offered, or the one chosen.
        pub ciphers: Vec<Cipher>,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1.3 COMPRESSION_CAPABILITIES.
    pub struct CompressionCapabilities {
        /// Zero in every legal message.
        pub padding: u16,
        /// Whether chains are allowed.
        pub flags: CompressionFlags,
        /// The algorithms offered or chosen.
        pub compression_algorithms: Vec<CompressionAlgorithm>,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1.4 NETNAME_NEGOTIATE_CONTEXT_ID.
    pub struct NetnameContext {
        /// The server's name as the client knows it.
        pub net_name: Utf16,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1.5 TRANSPORT_CAPABILITIES.
    pub struct TransportCapabilities {
        /// What the transport gives.
        pub flags: TransportFlags,
    }
}

structure! {
    /// MS-SMB2 2.2.3.1.7 SIGNING_CAPABILITIES.
    pub struct SigningCapabilities {
        /// The algorithms offered, or the one chosen.
        pub signing_algorithms: Vec<SigningAlgorithm>,
    }
}
