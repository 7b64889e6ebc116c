//! The keys of an SMB session and what is done with them: derivation, preauthentication
//! integrity, signing and sealing.
//!
//! **Architectural invariants**
//! - Everything works on plain bytes; no message structure of `smb2` is needed here.
//! - A key never shows in `Debug` output, is wiped when it is dropped, and is compared in constant
//!   time. So are signatures.
//! - Nonces are handed in: whoever sends must never use one twice with the same key.

pub mod kdf;
pub mod preauth;
pub mod sealing;
pub mod secret;
pub mod signing;

pub use kdf::SessionKeys;
pub use preauth::PreauthHash;
pub use secret::{Secret, SecretKey};

/// MS-SMB2 2.2.3.1.7 SMB2_SIGNING_CAPABILITIES: how messages are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SigningAlgorithm(pub u16);

impl SigningAlgorithm {
    /// The signing of dialects 2.0.2 and 2.1.
    pub const HMAC_SHA256: Self = Self(0);
    /// The signing of dialects 3.0 and 3.0.2, and of 3.1.1 when nothing else was agreed.
    pub const AES_CMAC: Self = Self(1);
    /// May be agreed in dialect 3.1.1.
    pub const AES_GMAC: Self = Self(2);

    /// What `dialect` uses when no signing capabilities were agreed, MS-SMB2 3.1.4.1.
    #[must_use]
    pub fn default_of(dialect: u16) -> Self {
        if dialect < 0x0300 {
            Self::HMAC_SHA256
        } else {
            Self::AES_CMAC
        }
    }
}

/// MS-SMB2 2.2.3.1.2 SMB2_ENCRYPTION_CAPABILITIES: how messages are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cipher(pub u16);

impl Cipher {
    /// No cipher was agreed.
    pub const NONE: Self = Self(0);
    /// The cipher of dialects 3.0 and 3.0.2.
    pub const AES_128_CCM: Self = Self(1);
    /// May be agreed in dialect 3.1.1.
    pub const AES_128_GCM: Self = Self(2);
    /// May be agreed in dialect 3.1.1.
    pub const AES_256_CCM: Self = Self(3);
    /// May be agreed in dialect 3.1.1.
    pub const AES_256_GCM: Self = Self(4);

    /// The key's length in bytes; none for a cipher that is not known here.
    #[must_use]
    pub fn key_len(self) -> Option<usize> {
        match self {
            Self::AES_128_CCM | Self::AES_128_GCM => Some(16),
            Self::AES_256_CCM | Self::AES_256_GCM => Some(32),
            _ => None,
        }
    }

    /// How many of the 16 nonce bytes of the transform header are used, in bytes.
    #[must_use]
    pub fn nonce_len(self) -> Option<usize> {
        match self {
            Self::AES_128_CCM | Self::AES_256_CCM => Some(11),
            Self::AES_128_GCM | Self::AES_256_GCM => Some(12),
            _ => None,
        }
    }
}

/// Why a message could not be signed, verified, sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The signing algorithm has no meaning here.
    #[error("unknown signing algorithm {0}")]
    UnknownSigningAlgorithm(u16),
    /// The cipher has no meaning here.
    #[error("unknown cipher {0}")]
    UnknownCipher(u16),
    /// The key does not have the length that the algorithm needs.
    #[error("the key has {got} bytes, the algorithm needs {expected}")]
    KeyLength {
        /// What the algorithm needs, in bytes.
        expected: usize,
        /// What was handed in, in bytes.
        got: usize,
    },
    /// Dialect 3.1.1 derives its keys from the preauthentication integrity hash.
    #[error("dialect 3.1.1 needs the preauthentication integrity hash")]
    PreauthHashMissing,
    /// The message ends before its header does.
    #[error("the message has {0} bytes, less than its header")]
    TooShort(usize),
    /// The message is larger than any that is processed here.
    #[error("the message has {0} bytes, more than the limit")]
    TooLong(usize),
    /// It is not a transform header, or its fields contradict the bytes that came.
    #[error("the transform header is not valid: {0}")]
    BadTransformHeader(&'static str),
    /// The signature or the authentication tag is wrong.
    #[error("the signature is wrong")]
    WrongSignature,
}
