//! The names of mechanisms.

/// An object identifier in its DER contents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Oid(pub Vec<u8>);

impl Oid {
    /// `1.3.6.1.5.5.2`: SPNEGO itself.
    pub const SPNEGO: [u8; 6] = [0x2B, 6, 1, 5, 5, 2];
    /// `1.3.6.1.4.1.311.2.2.10`: NTLM.
    pub const NTLM: [u8; 10] = [0x2B, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];
    /// `1.2.840.113554.1.2.2`: Kerberos 5.
    pub const KERBEROS: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 1, 2, 2];

    /// The name of NTLM.
    #[must_use]
    pub fn ntlm() -> Self {
        Self(Self::NTLM.to_vec())
    }

    /// Whether it is the name of NTLM.
    #[must_use]
    pub fn is_ntlm(&self) -> bool {
        self.0 == Self::NTLM
    }
}
