//! MS-SMB2 3.1.4.3 Encrypting the Message, 3.3.5.2.1.1 and 3.2.5.1.1.1 Decrypting the Message.

use super::{Cipher, SecretKey, SecurityError};
use crate::emit::Writer;
use aes::{Aes128, Aes256};
use ccm::aead::consts::{U11, U16};
use ccm::aead::{AeadInOut, KeyInit};
use ccm::{Ccm, Tag};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use std::ops::Range;

/// MS-SMB2 2.2.41 SMB2 TRANSFORM_HEADER: its length.
pub const TRANSFORM_HEADER_LEN: usize = 52;
/// The largest plaintext that is sealed or opened here: 8 MiB of data and its headers, with room.
pub const SEALED_PLAINTEXT_MAX: usize = 16 * 1024 * 1024;
const PROTOCOL_ID: [u8; 4] = [0xFD, b'S', b'M', b'B'];
const SIGNATURE: Range<usize> = 4..20;
const NONCE: Range<usize> = 20..36;
const ORIGINAL_MESSAGE_SIZE: Range<usize> = 36..40;
const FLAGS: Range<usize> = 42..44;
const SESSION_ID: Range<usize> = 44..52;
/// The part of the header that the tag covers: from the nonce to the end.
const AUTHENTICATED: Range<usize> = 20..52;
/// In 3.0 and 3.0.2 this field is the cipher and 1 means AES-128-CCM; in 3.1.1 it is a flag and 1
/// means "encrypted". Both are always 1.
const FLAG_ENCRYPTED: u16 = 1;

type Aes128Ccm = Ccm<Aes128, U16, U11>;
type Aes256Ccm = Ccm<Aes256, U16, U11>;

/// The nonce for the `counter`-th message that is sealed with a key.
#[must_use]
pub fn nonce_from_counter(counter: u64) -> [u8; 16] {
    let mut nonce = [0; 16];
    for (to, from) in nonce.iter_mut().zip(counter.to_le_bytes()) {
        *to = from;
    }
    nonce
}

/// Whether the bytes begin like a transform header.
#[must_use]
pub fn is_sealed(message: &[u8]) -> bool {
    message.starts_with(&PROTOCOL_ID)
}

/// The `SessionId` of a sealed message, by which the receiver finds the key.
///
/// # Errors
/// The bytes are no transform header.
pub fn session_id(message: &[u8]) -> Result<u64, SecurityError> {
    let header = header_of(message)?;
    Ok(u64::from_le_bytes(bytes_at(header, SESSION_ID)?))
}

/// Seals `plaintext` (one SMB2 message or a compound); returns transform header and ciphertext.
///
/// # Errors
/// As [`seal_in_place`].
pub fn seal(
    cipher: Cipher,
    key: &SecretKey,
    nonce: &[u8; 16],
    session_id: u64,
    plaintext: &[u8],
) -> Result<Vec<u8>, SecurityError> {
    let mut body = plaintext.to_vec();
    let header = seal_in_place(cipher, key, nonce, session_id, &mut body)?;
    Ok([&header, body.as_slice()].concat())
}

/// Seals one SMB2 message or a compound where it lies, and returns the transform header that goes
/// before it.
///
/// Of `nonce` only the first 11 (CCM) or 12 (GCM) bytes are used, the others are sent as zero. A
/// nonce must never come twice with one key: see [`nonce_from_counter`].
///
/// # Errors
/// An unknown cipher, a key of the wrong length, or a plaintext above [`SEALED_PLAINTEXT_MAX`].
pub fn seal_in_place(
    cipher: Cipher,
    key: &SecretKey,
    nonce: &[u8; 16],
    session_id: u64,
    body: &mut [u8],
) -> Result<[u8; TRANSFORM_HEADER_LEN], SecurityError> {
    let too_long = SecurityError::TooLong(body.len());
    if body.len() > SEALED_PLAINTEXT_MAX {
        return Err(too_long);
    }
    let nonce_len = cipher
        .nonce_len()
        .ok_or(SecurityError::UnknownCipher(cipher.0))?;
    let nonce = nonce.get(..nonce_len).unwrap_or_default();
    let mut writer = Writer::new();
    writer.bytes(&PROTOCOL_ID).zeros(SIGNATURE.len());
    writer.bytes(nonce).zeros(NONCE.len() - nonce_len);
    writer.u32(u32::try_from(body.len()).map_err(|_| too_long)?);
    writer.u16(0).u16(FLAG_ENCRYPTED).u64(session_id);
    let mut header: [u8; TRANSFORM_HEADER_LEN] =
        bytes_at(writer.as_slice(), 0..TRANSFORM_HEADER_LEN)?;
    let aad: [u8; 32] = bytes_at(&header, AUTHENTICATED)?;
    let tag = match cipher {
        Cipher::AES_128_CCM => encrypt::<Aes128Ccm>(key, nonce, &aad, body),
        Cipher::AES_256_CCM => encrypt::<Aes256Ccm>(key, nonce, &aad, body),
        Cipher::AES_128_GCM => encrypt_gcm(&AES_128_GCM, key, nonce, &aad, body),
        Cipher::AES_256_GCM => encrypt_gcm(&AES_256_GCM, key, nonce, &aad, body),
        Cipher(other) => Err(SecurityError::UnknownCipher(other)),
    }?;
    if let Some(field) = header.get_mut(SIGNATURE) {
        field.copy_from_slice(&tag);
    }
    Ok(header)
}

/// Opens a sealed message; returns the SMB2 message or compound that was in it.
///
/// # Errors
/// A header that is not valid, [`SecurityError::WrongSignature`] where key, header or ciphertext do
/// not belong together, an unknown cipher or a key of the wrong length.
pub fn open(cipher: Cipher, key: &SecretKey, message: &[u8]) -> Result<Vec<u8>, SecurityError> {
    let mut opened = message.to_vec();
    open_in_place(cipher, key, &mut opened)?;
    opened.drain(..TRANSFORM_HEADER_LEN);
    Ok(opened)
}

/// Opens a sealed message where it lies: behind its first [`TRANSFORM_HEADER_LEN`] bytes stands
/// afterwards what was in it. After an error the message is as good as lost.
///
/// # Errors
/// As [`open`].
pub fn open_in_place(
    cipher: Cipher,
    key: &SecretKey,
    message: &mut [u8],
) -> Result<(), SecurityError> {
    header_of(message)?;
    let too_short = SecurityError::TooShort(message.len());
    let (header, body) = message
        .split_at_mut_checked(TRANSFORM_HEADER_LEN)
        .ok_or(too_short)?;
    let nonce_len = cipher
        .nonce_len()
        .ok_or(SecurityError::UnknownCipher(cipher.0))?;
    if body.len() > SEALED_PLAINTEXT_MAX {
        return Err(SecurityError::TooLong(body.len()));
    }
    let size = u32::from_le_bytes(bytes_at(header, ORIGINAL_MESSAGE_SIZE)?);
    if usize::try_from(size).ok() != Some(body.len()) {
        return Err(SecurityError::BadTransformHeader("OriginalMessageSize"));
    }
    if u16::from_le_bytes(bytes_at(header, FLAGS)?) != FLAG_ENCRYPTED {
        return Err(SecurityError::BadTransformHeader("Flags"));
    }
    let tag: [u8; 16] = bytes_at(header, SIGNATURE)?;
    let nonce: [u8; 16] = bytes_at(header, NONCE)?;
    let nonce = nonce.get(..nonce_len).unwrap_or_default();
    let aad: [u8; 32] = bytes_at(header, AUTHENTICATED)?;
    match cipher {
        Cipher::AES_128_CCM => decrypt::<Aes128Ccm>(key, nonce, &aad, body, &tag),
        Cipher::AES_256_CCM => decrypt::<Aes256Ccm>(key, nonce, &aad, body, &tag),
        Cipher::AES_128_GCM => decrypt_gcm(&AES_128_GCM, key, nonce, &aad, body, &tag),
        Cipher::AES_256_GCM => decrypt_gcm(&AES_256_GCM, key, nonce, &aad, body, &tag),
        Cipher(other) => Err(SecurityError::UnknownCipher(other)),
    }
}

fn encrypt<A: AeadInOut<TagSize = U16> + KeyInit>(
    key: &SecretKey,
    nonce: &[u8],
    aad: &[u8],
    body: &mut [u8],
) -> Result<[u8; 16], SecurityError> {
    let nonce = nonce
        .try_into()
        .map_err(|_| SecurityError::BadTransformHeader("Nonce"))?;
    let too_long = SecurityError::TooLong(body.len());
    aead::<A>(key)?
        .encrypt_inout_detached(nonce, aad, body.into())
        .map(Into::into)
        .map_err(|_| too_long)
}

fn decrypt<A: AeadInOut<TagSize = U16> + KeyInit>(
    key: &SecretKey,
    nonce: &[u8],
    aad: &[u8],
    body: &mut [u8],
    tag: &[u8; 16],
) -> Result<(), SecurityError> {
    let nonce = nonce
        .try_into()
        .map_err(|_| SecurityError::BadTransformHeader("Nonce"))?;
    aead::<A>(key)?
        .decrypt_inout_detached(nonce, aad, body.into(), &Tag::from(*tag))
        .map_err(|_| SecurityError::WrongSignature)
}

// GCM is what clients ask for first, and ring runs it at three times the speed of the crate for CCM's
// kin; it has no CCM.
fn encrypt_gcm(
    algorithm: &'static Algorithm,
    key: &SecretKey,
    nonce: &[u8],
    aad: &[u8],
    body: &mut [u8],
) -> Result<[u8; 16], SecurityError> {
    let too_long = SecurityError::TooLong(body.len());
    let tag = gcm(algorithm, key)?
        .seal_in_place_separate_tag(gcm_nonce(nonce)?, Aad::from(aad), body)
        .map_err(|_| too_long)?;
    tag.as_ref().try_into().map_err(|_| too_long)
}

fn decrypt_gcm(
    algorithm: &'static Algorithm,
    key: &SecretKey,
    nonce: &[u8],
    aad: &[u8],
    body: &mut [u8],
    tag: &[u8; 16],
) -> Result<(), SecurityError> {
    gcm(algorithm, key)?
        .open_in_place_separate_tag(gcm_nonce(nonce)?, Aad::from(aad), (*tag).into(), body, 0..)
        .map(|_| ())
        .map_err(|_| SecurityError::WrongSignature)
}

fn gcm(algorithm: &'static Algorithm, key: &SecretKey) -> Result<LessSafeKey, SecurityError> {
    UnboundKey::new(algorithm, key.as_bytes())
        .map(LessSafeKey::new)
        .map_err(|_| SecurityError::KeyLength {
            expected: algorithm.key_len(),
            got: key.len(),
        })
}

fn gcm_nonce(nonce: &[u8]) -> Result<Nonce, SecurityError> {
    Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecurityError::BadTransformHeader("Nonce"))
}

fn aead<A: KeyInit>(key: &SecretKey) -> Result<A, SecurityError> {
    A::new_from_slice(key.as_bytes()).map_err(|_| SecurityError::KeyLength {
        expected: A::key_size(),
        got: key.len(),
    })
}

/// The transform header at the start of `message`.
fn header_of(message: &[u8]) -> Result<&[u8], SecurityError> {
    if !is_sealed(message) {
        return Err(SecurityError::BadTransformHeader("ProtocolId"));
    }
    message
        .get(..TRANSFORM_HEADER_LEN)
        .ok_or(SecurityError::TooShort(message.len()))
}

fn bytes_at<const N: usize>(header: &[u8], at: Range<usize>) -> Result<[u8; N], SecurityError> {
    header
        .get(at)
        .and_then(|slice| slice.try_into().ok())
        .ok_or(SecurityError::TooShort(header.len()))
}
