//! MS-NLMP 2.2.2.5 NEGOTIATE.

use std::ops::{BitAnd, BitOr};

/// MS-NLMP 2.2.2.5 NegotiateFlags; unknown bits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NegotiateFlags(pub u32);

impl NegotiateFlags {
    /// `NTLMSSP_NEGOTIATE_UNICODE`: names are UTF-16.
    pub const UNICODE: Self = Self(0x0000_0001);
    /// `NTLM_NEGOTIATE_OEM`: names are in the OEM character set.
    pub const OEM: Self = Self(0x0000_0002);
    /// `NTLMSSP_REQUEST_TARGET`: the challenge shall name the server.
    pub const REQUEST_TARGET: Self = Self(0x0000_0004);
    /// `NTLMSSP_NEGOTIATE_SIGN`: messages can be signed.
    pub const SIGN: Self = Self(0x0000_0010);
    /// `NTLMSSP_NEGOTIATE_SEAL`: messages can be sealed.
    pub const SEAL: Self = Self(0x0000_0020);
    /// `NTLMSSP_NEGOTIATE_DATAGRAM`: connectionless.
    pub const DATAGRAM: Self = Self(0x0000_0040);
    /// `NTLMSSP_NEGOTIATE_LM_KEY`: the key of LM.
    pub const LM_KEY: Self = Self(0x0000_0080);
    /// `NTLMSSP_NEGOTIATE_NTLM`: NTLM at all.
    pub const NTLM: Self = Self(0x0000_0200);
    /// `NTLMSSP_ANONYMOUS`: the client logs on without a user.
    pub const ANONYMOUS: Self = Self(0x0000_0800);
    /// `NTLMSSP_NEGOTIATE_ALWAYS_SIGN`: a session key is wanted in any case.
    pub const ALWAYS_SIGN: Self = Self(0x0000_8000);
    /// `NTLMSSP_TARGET_TYPE_DOMAIN`: the target name is a domain.
    pub const TARGET_TYPE_DOMAIN: Self = Self(0x0001_0000);
    /// `NTLMSSP_TARGET_TYPE_SERVER`: the target name is a server.
    pub const TARGET_TYPE_SERVER: Self = Self(0x0002_0000);
    /// `NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY`: signing and sealing of version 2.
    pub const EXTENDED_SESSION_SECURITY: Self = Self(0x0008_0000);
    /// `NTLMSSP_NEGOTIATE_TARGET_INFO`: the challenge carries AV pairs.
    pub const TARGET_INFO: Self = Self(0x0080_0000);
    /// `NTLMSSP_NEGOTIATE_VERSION`: the Version field is filled.
    pub const VERSION: Self = Self(0x0200_0000);
    /// `NTLMSSP_NEGOTIATE_128`: keys of 128 bits.
    pub const KEY_128: Self = Self(0x2000_0000);
    /// `NTLMSSP_NEGOTIATE_KEY_EXCH`: the client chooses the session key.
    pub const KEY_EXCHANGE: Self = Self(0x4000_0000);
    /// `NTLMSSP_NEGOTIATE_56`: keys of 56 bits.
    pub const KEY_56: Self = Self(0x8000_0000);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags without those of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for NegotiateFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for NegotiateFlags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
