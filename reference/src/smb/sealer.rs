//! MS-SMB2 3.1.4.3, 3.3.5.2.1.1: the encryption of one session.

use fsrvp_wire::security::{Cipher, SecretKey, SecurityError, SessionKeys, sealing};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Opens what a client has sealed for a session, and seals what it is answered.
///
/// Requests under way share it, so that the answer of a LOGOFF is sealed after its session ended.
#[derive(Debug)]
pub(crate) struct Sealer {
    session_id: u64,
    cipher: Cipher,
    incoming: SecretKey,
    outgoing: SecretKey,
    /// How many messages were sealed: each has a nonce of its own.
    sealed: AtomicU64,
}

impl Sealer {
    /// The sealer of a session with these keys.
    pub(crate) fn new(session_id: u64, cipher: Cipher, keys: &SessionKeys) -> Sealer {
        Sealer {
            session_id,
            cipher,
            incoming: keys.client_to_server.clone(),
            outgoing: keys.server_to_client.clone(),
            sealed: AtomicU64::new(0),
        }
    }

    /// Whose it is.
    pub(crate) fn session_id(&self) -> u64 {
        self.session_id
    }

    /// Opens what a client has sealed, where it lies: gives the part that was sealed.
    ///
    /// # Errors
    /// When it was not sealed with the key of this session, or was changed.
    pub(crate) fn open(&self, frame: &mut [u8]) -> Result<Range<usize>, SecurityError> {
        sealing::open_in_place(self.cipher, &self.incoming, frame)?;
        Ok(sealing::TRANSFORM_HEADER_LEN..frame.len())
    }

    /// Seals an answer where it lies: gives the header that goes before it.
    ///
    /// # Errors
    /// When it is too long.
    pub(crate) fn seal(
        &self,
        answer: &mut [u8],
    ) -> Result<[u8; sealing::TRANSFORM_HEADER_LEN], SecurityError> {
        let nonce = sealing::nonce_from_counter(self.sealed.fetch_add(1, Ordering::Relaxed));
        sealing::seal_in_place(self.cipher, &self.outgoing, &nonce, self.session_id, answer)
    }
}
