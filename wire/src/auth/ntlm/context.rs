//! MS-NLMP 3.4: session security, with extended session security only.

use super::crypto::{hmac_md5, rc4, seal_key, sign_key};
use super::{ContextError, NegotiateFlags};
use crate::security::Secret;
use crate::security::secret::constant_time_eq;
use rc4::{Rc4, StreamCipher as _};
use std::fmt;
use std::ops::Range;

/// MS-NLMP 2.2.2.9.2 NTLMSSP_MESSAGE_SIGNATURE: its length, in bytes.
pub const SIGNATURE_LEN: usize = 16;
const SIGNATURE_VERSION: u32 = 1;

/// Which of the two sides one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one who logs on.
    Client,
    /// The one who judges the logon.
    Server,
}

impl Role {
    /// The other side.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }
}

/// MS-NLMP 3.4 Session Security: signs and seals what one side sends, and checks what it receives.
///
/// Both directions have keys, an RC4 state and a sequence number of their own. Each call of
/// [`sign`](Self::sign) or [`seal`](Self::seal) takes the next sequence number; a successful
/// [`verify`](Self::verify) or [`unseal`](Self::unseal) expects the next one. After an error the
/// context is of no more use: the two sides no longer agree on the RC4 state.
pub struct SecurityContext {
    flags: NegotiateFlags,
    outgoing: Direction,
    incoming: Direction,
}

impl SecurityContext {
    /// The context of `role` for an exported session key.
    #[must_use]
    pub fn new(role: Role, flags: NegotiateFlags, exported_session_key: &Secret<16>) -> Self {
        Self {
            flags,
            outgoing: Direction::new(role, flags, exported_session_key),
            incoming: Direction::new(role.peer(), flags, exported_session_key),
        }
    }

    /// What the two sides agreed on.
    #[must_use]
    pub fn flags(&self) -> NegotiateFlags {
        self.flags
    }

    /// Whether messages of this context can be signed.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.flags.contains(NegotiateFlags::SIGN) || self.can_seal()
    }

    /// Whether messages of this context can be sealed.
    #[must_use]
    pub fn can_seal(&self) -> bool {
        self.flags.contains(NegotiateFlags::SEAL)
    }

    /// MS-NLMP 3.4.4.2: the signature of an outgoing message.
    pub fn sign(&mut self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let checksum = self.outgoing.checksum(message);
        self.outgoing.finish(checksum)
    }

    /// Checks the signature of an incoming message, in constant time.
    ///
    /// # Errors
    /// [`ContextError::WrongSignature`], also for a message out of sequence.
    pub fn verify(&mut self, message: &[u8], signature: &[u8]) -> Result<(), ContextError> {
        let checksum = self.incoming.checksum(message);
        self.incoming.check(checksum, signature)
    }

    /// MS-NLMP 3.4.3: seals `sealed_range` of `signed` in place and returns the signature over all
    /// of `signed` as it was before.
    ///
    /// MS-RPCE 3.3.1.5.2.2 needs the two apart: the signature covers the whole PDU up to the end of
    /// the security trailer's header, only the stub data and its padding are sealed. Where both are
    /// the same, hand in `0..signed.len()`.
    ///
    /// # Errors
    /// [`ContextError::RangeOutside`]; nothing has changed then.
    pub fn seal(
        &mut self,
        signed: &mut [u8],
        sealed_range: Range<usize>,
    ) -> Result<[u8; SIGNATURE_LEN], ContextError> {
        let in_range = signed.get(sealed_range.clone()).is_some();
        if !in_range {
            return Err(ContextError::RangeOutside);
        }
        let checksum = self.outgoing.checksum(signed);
        self.outgoing.crypt(signed, sealed_range)?;
        Ok(self.outgoing.finish(checksum))
    }

    /// The opposite of [`seal`](Self::seal): opens `sealed_range` of `signed` in place, then checks
    /// the signature over all of `signed`.
    ///
    /// # Errors
    /// [`ContextError::RangeOutside`] or [`ContextError::WrongSignature`]; in the latter case the
    /// opened bytes must not be used.
    pub fn unseal(
        &mut self,
        signed: &mut [u8],
        sealed_range: Range<usize>,
        signature: &[u8],
    ) -> Result<(), ContextError> {
        self.incoming.crypt(signed, sealed_range)?;
        let checksum = self.incoming.checksum(signed);
        self.incoming.check(checksum, signature)
    }

    /// MS-SPNG 3.3.5.1: the first message of the application uses the same RC4 state as the
    /// signature over SPNEGO's mechanism list did, in both directions.
    ///
    /// The specification says nothing about the sequence numbers; they go on (so do Samba's). The
    /// SPNEGO of this crate calls this itself; who follows a recorded logon must call it after each
    /// of the two signatures.
    pub fn reset_cipher_states(&mut self) {
        self.outgoing.reset_cipher_state();
        self.incoming.reset_cipher_state();
    }
}

impl fmt::Debug for SecurityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityContext")
            .field("flags", &self.flags)
            .field("sent", &self.outgoing.sequence)
            .field("received", &self.incoming.sequence)
            .finish_non_exhaustive()
    }
}

/// Keys and state of what one side sends.
struct Direction {
    signing_key: Secret<16>,
    sealing_key: Secret<16>,
    cipher: Rc4,
    sequence: u32,
    key_exchange: bool,
}

impl Direction {
    fn new(sender: Role, flags: NegotiateFlags, exported_session_key: &Secret<16>) -> Self {
        let sealing_key = seal_key(flags, exported_session_key, sender);
        Self {
            signing_key: sign_key(exported_session_key, sender),
            cipher: rc4(sealing_key.as_bytes()),
            sealing_key,
            sequence: 0,
            key_exchange: flags.contains(NegotiateFlags::KEY_EXCHANGE),
        }
    }

    fn reset_cipher_state(&mut self) {
        self.cipher = rc4(self.sealing_key.as_bytes());
    }

    fn crypt(&mut self, bytes: &mut [u8], range: Range<usize>) -> Result<(), ContextError> {
        let bytes = bytes.get_mut(range).ok_or(ContextError::RangeOutside)?;
        self.cipher.apply_keystream(bytes);
        Ok(())
    }

    /// The first eight bytes of the keyed hash over sequence number and message.
    fn checksum(&self, message: &[u8]) -> [u8; 8] {
        let hash = hmac_md5(
            self.signing_key.as_bytes(),
            &[&self.sequence.to_le_bytes(), message],
        );
        let mut checksum = [0; 8];
        for (to, from) in checksum.iter_mut().zip(hash) {
            *to = from;
        }
        checksum
    }

    /// Makes the signature, which takes the RC4 state and the sequence number on.
    fn finish(&mut self, mut checksum: [u8; 8]) -> [u8; SIGNATURE_LEN] {
        if self.key_exchange {
            self.cipher.apply_keystream(&mut checksum);
        }
        let mut signature = [0; SIGNATURE_LEN];
        let parts = SIGNATURE_VERSION.to_le_bytes().into_iter();
        let parts = parts.chain(checksum).chain(self.sequence.to_le_bytes());
        for (to, from) in signature.iter_mut().zip(parts) {
            *to = from;
        }
        self.sequence = self.sequence.wrapping_add(1);
        signature
    }

    fn check(&mut self, checksum: [u8; 8], signature: &[u8]) -> Result<(), ContextError> {
        if constant_time_eq(&self.finish(checksum), signature) {
            Ok(())
        } else {
            Err(ContextError::WrongSignature)
        }
    }
}
