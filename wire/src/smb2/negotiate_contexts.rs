//! MS-SMB2 2.2.3.1, 2.2.4.1: the negotiate contexts of dialect 3.1.1.
//!
//! A [`NegotiateContext`] holds its data as bytes, so that unknown and broken ones travel; the
//! other types here are what the data of a known one means.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::LIST_MAX;
use crate::smb2::codec::{
    Failure, Fixed, failure, len16, read, read_bytes, read_list, within, write_list,
};
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::layout::Part;
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

impl NegotiateContext {
    /// A context of this type with this data.
    #[must_use]
    pub fn new(context_type: ContextType, data: Vec<u8>) -> Self {
        NegotiateContext {
            context_type,
            data,
            ..NegotiateContext::default()
        }
    }
}

/// The bytes of `ContextType`, `DataLength` and `Reserved`.
const CONTEXT_HEADER_LEN: usize = 8;

/// Reads `count` contexts from `offset`; each but the first begins at a multiple of eight.
pub(crate) fn read_contexts(
    message: &[u8],
    fixed_end: usize,
    offset: u32,
    count: u16,
) -> Result<Vec<NegotiateContext>, Failure<'_>> {
    const LIST: &str = "NegotiateContextList";
    let count = usize::from(count);
    within(message, LIST, count, LIST_MAX)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let start = offset as usize;
    if start < fixed_end || start > message.len() {
        return Err(failure(message, LIST, ErrorKind::LengthOutOfRange));
    }
    let mut rest = message.get(start..).unwrap_or_default();
    let mut contexts = Vec::new();
    for left in (0..count).rev() {
        let whole = rest;
        let context_type = read(&mut rest, "ContextType")?;
        let length: u16 = read(&mut rest, "DataLength")?;
        let reserved = read(&mut rest, "Reserved")?;
        let data = read_bytes(&mut rest, "Data", usize::from(length))?.to_vec();
        let end = CONTEXT_HEADER_LEN + data.len();
        let gap = if left == 0 {
            0
        } else {
            end.next_multiple_of(8) - end
        };
        let padding = read_bytes(&mut rest, "Padding", gap)?;
        let layout = if padding.iter().all(|byte| *byte == 0) {
            Layout::Canonical
        } else {
            let area = whole.get(CONTEXT_HEADER_LEN..end + gap).unwrap_or_default();
            Layout::AsSent {
                offsets: vec![8],
                area: area.to_vec(),
            }
        };
        contexts.push(NegotiateContext {
            context_type,
            reserved,
            data,
            layout,
        });
    }
    Ok(contexts)
}

/// The list's bytes; no padding behind the last context.
pub(crate) fn emit_contexts(contexts: &[NegotiateContext]) -> Vec<u8> {
    let mut out = Writer::new();
    for context in contexts {
        out.align(8);
        context.context_type.write(&mut out);
        out.u16(len16(context.data.len())).u32(context.reserved);
        let parts = [Part::new(&context.data, 1)];
        out.bytes(&context.layout.place(CONTEXT_HEADER_LEN, 0, &parts).area);
    }
    out.into_bytes()
}

/// Gives the typed data of contexts their public `parse` and `emit`.
macro_rules! context_data {
    ($($name:ident $context_type:ident $read:ident),*) => {$(
        impl $name {
            /// Reads the data of a context.
            ///
            /// # Errors
            /// The first field that could not be read, with its offset from the start of `data`.
            pub fn parse(data: &[u8]) -> Result<Self, ParseError> {
                run(Layer::Smb2, data, $read).map(|(value, _)| value)
            }

            /// The data's bytes.
            #[must_use]
            pub fn emit(&self) -> Vec<u8> {
                let mut out = Writer::new();
                self.write(&mut out);
                out.into_bytes()
            }

            /// A context that carries this.
            #[must_use]
            pub fn to_context(&self) -> NegotiateContext {
                NegotiateContext::new(ContextType::$context_type, self.emit())
            }
        }
    )*};
}

context_data!(
    PreauthIntegrityCapabilities PREAUTH_INTEGRITY_CAPABILITIES read_preauth,
    EncryptionCapabilities ENCRYPTION_CAPABILITIES read_encryption,
    CompressionCapabilities COMPRESSION_CAPABILITIES read_compression,
    NetnameContext NETNAME_NEGOTIATE_CONTEXT_ID read_netname,
    TransportCapabilities TRANSPORT_CAPABILITIES read_transport,
    SigningCapabilities SIGNING_CAPABILITIES read_signing
);

fn read_preauth(data: &[u8]) -> PResult<'_, PreauthIntegrityCapabilities> {
    let mut rest = data;
    let count: u16 = read(&mut rest, "HashAlgorithmCount")?;
    let salt_length: u16 = read(&mut rest, "SaltLength")?;
    let hash_algorithms = read_list(&mut rest, "HashAlgorithms", usize::from(count))?;
    let salt = read_bytes(&mut rest, "Salt", usize::from(salt_length))?.to_vec();
    let value = PreauthIntegrityCapabilities {
        hash_algorithms,
        salt,
    };
    Ok((rest, value))
}

impl PreauthIntegrityCapabilities {
    fn write(&self, out: &mut Writer) {
        out.u16(len16(self.hash_algorithms.len()))
            .u16(len16(self.salt.len()));
        write_list(&self.hash_algorithms, out);
        out.bytes(&self.salt);
    }
}

fn read_encryption(data: &[u8]) -> PResult<'_, EncryptionCapabilities> {
    let mut rest = data;
    let count: u16 = read(&mut rest, "CipherCount")?;
    let ciphers = read_list(&mut rest, "Ciphers", usize::from(count))?;
    Ok((rest, EncryptionCapabilities { ciphers }))
}

impl EncryptionCapabilities {
    fn write(&self, out: &mut Writer) {
        out.u16(len16(self.ciphers.len()));
        write_list(&self.ciphers, out);
    }
}

fn read_compression(data: &[u8]) -> PResult<'_, CompressionCapabilities> {
    let mut rest = data;
    let count: u16 = read(&mut rest, "CompressionAlgorithmCount")?;
    let padding = read(&mut rest, "Padding")?;
    let flags = read(&mut rest, "Flags")?;
    let algorithms = read_list(&mut rest, "CompressionAlgorithms", usize::from(count))?;
    let value = CompressionCapabilities {
        padding,
        flags,
        compression_algorithms: algorithms,
    };
    Ok((rest, value))
}

impl CompressionCapabilities {
    fn write(&self, out: &mut Writer) {
        out.u16(len16(self.compression_algorithms.len()))
            .u16(self.padding)
            .u32(self.flags.0);
        write_list(&self.compression_algorithms, out);
    }
}

fn read_netname(data: &[u8]) -> PResult<'_, NetnameContext> {
    let net_name = Utf16::read(data, "NetName")?;
    Ok((&[], NetnameContext { net_name }))
}

impl NetnameContext {
    fn write(&self, out: &mut Writer) {
        out.utf16(&self.net_name.0);
    }
}

fn read_transport(data: &[u8]) -> PResult<'_, TransportCapabilities> {
    let mut rest = data;
    let flags = read(&mut rest, "Flags")?;
    Ok((rest, TransportCapabilities { flags }))
}

impl TransportCapabilities {
    fn write(&self, out: &mut Writer) {
        self.flags.write(out);
    }
}

fn read_signing(data: &[u8]) -> PResult<'_, SigningCapabilities> {
    let mut rest = data;
    let count: u16 = read(&mut rest, "SigningAlgorithmCount")?;
    let signing_algorithms = read_list(&mut rest, "SigningAlgorithms", usize::from(count))?;
    Ok((rest, SigningCapabilities { signing_algorithms }))
}

impl SigningCapabilities {
    fn write(&self, out: &mut Writer) {
        out.u16(len16(self.signing_algorithms.len()));
        write_list(&self.signing_algorithms, out);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        CompressionCapabilities, EncryptionCapabilities, NegotiateContext, NetnameContext,
        PreauthIntegrityCapabilities, SigningCapabilities, TransportCapabilities, emit_contexts,
        read_contexts,
    };
    use crate::smb2::Layout;
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn data_survives_the_wire(
            preauth in PreauthIntegrityCapabilities::sample(),
            encryption in EncryptionCapabilities::sample(),
            compression in CompressionCapabilities::sample(),
            netname in NetnameContext::sample(),
            transport in TransportCapabilities::sample(),
            signing in SigningCapabilities::sample(),
        ) {
            prop_assert_eq!(PreauthIntegrityCapabilities::parse(&preauth.emit()).unwrap(), preauth);
            prop_assert_eq!(EncryptionCapabilities::parse(&encryption.emit()).unwrap(), encryption);
            prop_assert_eq!(CompressionCapabilities::parse(&compression.emit()).unwrap(), compression);
            prop_assert_eq!(NetnameContext::parse(&netname.emit()).unwrap(), netname);
            prop_assert_eq!(TransportCapabilities::parse(&transport.emit()).unwrap(), transport);
            prop_assert_eq!(SigningCapabilities::parse(&signing.emit()).unwrap(), signing);
        }
    }

    #[test]
    fn padding_that_is_not_zero_is_kept() {
        let one = SigningCapabilities::default().to_context();
        let mut list = emit_contexts(&[one.clone(), one]);
        list[13] = 7;
        let count = 2;
        let contexts: Vec<NegotiateContext> = read_contexts(&list, 0, 0, count).unwrap();
        assert!(matches!(contexts[0].layout, Layout::AsSent { .. }));
        assert_eq!(contexts[1].layout, Layout::Canonical);
        assert_eq!(emit_contexts(&contexts), list);
    }
}
