//! MS-SMB2 3.1.4.4.1 and 3.2.5.2: the preauthentication integrity hash of dialect 3.1.1.

use sha2::{Digest as _, Sha512};

/// The SHA-512 chain over the messages of a negotiation and a session setup.
///
/// Each message goes in as it was on the wire, from the SMB2 header on, without NetBIOS framing.
/// The connection's chain takes NEGOTIATE request and response. Each session goes on from a copy of
/// it and takes all SESSION_SETUP requests and responses except the last, successful response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreauthHash([u8; 64]);

impl PreauthHash {
    /// The chain before the first message: 64 zero bytes.
    #[must_use]
    pub fn new() -> Self {
        Self([0; 64])
    }

    /// Takes the next message in.
    pub fn update(&mut self, message: &[u8]) {
        let mut hasher = Sha512::new();
        hasher.update(self.0);
        hasher.update(message);
        self.0 = hasher.finalize().into();
    }

    /// The value of the chain now.
    #[must_use]
    pub fn value(&self) -> &[u8; 64] {
        &self.0
    }
}

impl Default for PreauthHash {
    fn default() -> Self {
        Self::new()
    }
}
