//! MS-SMB2 3.1.4.2 Generating Cryptographic Keys.

use super::{Cipher, SecretKey, SecurityError};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// MS-SMB2 2.2.3 the dialect from which on keys are derived at all.
const DIALECT_3_0: u16 = 0x0300;
/// MS-SMB2 2.2.3 the dialect from which on keys are bound to the preauthentication hash.
const DIALECT_3_1_1: u16 = 0x0311;

/// The keys of one SMB session (or, for `signing`, of one channel of it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKeys {
    /// `Session.SigningKey`, 16 bytes.
    pub signing: SecretKey,
    /// `Session.ApplicationKey`, 16 bytes; in dialects before 3.0 the session key itself.
    pub application: SecretKey,
    /// Seals what the client sends (the client's `EncryptionKey`, the server's `DecryptionKey`);
    /// empty in dialects before 3.0.
    pub client_to_server: SecretKey,
    /// Seals what the server sends (the server's `EncryptionKey`, the client's `DecryptionKey`);
    /// empty in dialects before 3.0.
    pub server_to_client: SecretKey,
}

impl SessionKeys {
    /// MS-SMB2 3.2.5.3 and 3.3.5.5: derives all keys of a session.
    ///
    /// `session_key` is the key that the authentication protocol gave, in its full length;
    /// `preauth_hash` is the session's hash after the last SESSION_SETUP request (without the
    /// final response), needed in dialect 3.1.1 only; `cipher` is what was agreed, or
    /// [`Cipher::NONE`], and only its key length matters.
    ///
    /// # Errors
    /// [`SecurityError::PreauthHashMissing`] in dialect 3.1.1 without hash.
    pub fn derive(
        dialect: u16,
        session_key: &[u8],
        preauth_hash: Option<&[u8; 64]>,
        cipher: Cipher,
    ) -> Result<Self, SecurityError> {
        let short_key = first_16(session_key);
        if dialect < DIALECT_3_0 {
            return Ok(Self {
                signing: short_key.clone(),
                application: short_key,
                client_to_server: SecretKey::default(),
                server_to_client: SecretKey::default(),
            });
        }
        let sealing_len = cipher.key_len().unwrap_or(16);
        let sealing_base = if sealing_len == 32 {
            SecretKey::from(session_key)
        } else {
            short_key.clone()
        };
        let labels = Labels::of(dialect, preauth_hash)?;
        let derive = |base: &SecretKey, (label, context): (&[u8], &[u8]), len| {
            counter_mode_kdf(base.as_bytes(), label, context, len)
        };
        Ok(Self {
            signing: derive(&short_key, labels.signing, 16),
            application: derive(&short_key, labels.application, 16),
            client_to_server: derive(&sealing_base, labels.client_to_server, sealing_len),
            server_to_client: derive(&sealing_base, labels.server_to_client, sealing_len),
        })
    }
}

/// Label and context of each key; both count their terminating zero byte.
struct Labels<'a> {
    signing: (&'a [u8], &'a [u8]),
    application: (&'a [u8], &'a [u8]),
    client_to_server: (&'a [u8], &'a [u8]),
    server_to_client: (&'a [u8], &'a [u8]),
}

impl<'a> Labels<'a> {
    fn of(dialect: u16, preauth_hash: Option<&'a [u8; 64]>) -> Result<Self, SecurityError> {
        if dialect < DIALECT_3_1_1 {
            return Ok(Self {
                signing: (b"SMB2AESCMAC\0", b"SmbSign\0"),
                application: (b"SMB2APP\0", b"SmbRpc\0"),
                client_to_server: (b"SMB2AESCCM\0", b"ServerIn \0"),
                server_to_client: (b"SMB2AESCCM\0", b"ServerOut\0"),
            });
        }
        let hash: &[u8] = preauth_hash.ok_or(SecurityError::PreauthHashMissing)?;
        Ok(Self {
            signing: (b"SMBSigningKey\0", hash),
            application: (b"SMBAppKey\0", hash),
            client_to_server: (b"SMBC2SCipherKey\0", hash),
            server_to_client: (b"SMBS2CCipherKey\0", hash),
        })
    }
}

/// `Session.SessionKey`: the first 16 bytes of the full key, zero bytes where it is shorter.
fn first_16(session_key: &[u8]) -> SecretKey {
    let mut key: Vec<u8> = session_key.iter().copied().take(16).collect();
    key.resize(16, 0);
    SecretKey::new(key)
}

/// SP800-108 5.1 KDF in Counter Mode with HMAC-SHA256, a 32-bit counter before the fixed data and
/// a 32-bit length in bits after it, both most significant byte first.
///
/// `key_len` is in bytes and at most 32: one block of output is all that SMB ever needs.
#[must_use]
pub fn counter_mode_kdf(base: &[u8], label: &[u8], context: &[u8], key_len: usize) -> SecretKey {
    let key_len = key_len.min(32);
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(base) else {
        // HMAC takes keys of any length, so that this arm is never reached.
        return SecretKey::default();
    };
    mac.update(&1_u32.to_be_bytes());
    mac.update(label);
    mac.update(&[0]);
    mac.update(context);
    mac.update(&u32::try_from(key_len * 8).unwrap_or(0).to_be_bytes());
    SecretKey::new(
        mac.finalize()
            .into_bytes()
            .iter()
            .copied()
            .take(key_len)
            .collect(),
    )
}
