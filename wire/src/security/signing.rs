//! MS-SMB2 3.1.4.1 Signing An Outgoing Message, 3.1.5.1 Verifying an Incoming Message.

use super::secret::constant_time_eq;
use super::{SecretKey, SecurityError, SigningAlgorithm};
use aes::Aes128;
use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes128Gcm, Nonce};
use cmac::Cmac;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::Sha256;
use std::ops::Range;

/// MS-SMB2 2.2.1 the length of an SMB2 header.
pub const HEADER_LEN: usize = 64;
const COMMAND: Range<usize> = 12..14;
const FLAGS: Range<usize> = 16..20;
const MESSAGE_ID: Range<usize> = 24..32;
const SIGNATURE: Range<usize> = 48..64;
const FLAG_SERVER_TO_REDIR: u32 = 0x0000_0001;
const FLAG_SIGNED: u32 = 0x0000_0008;
const COMMAND_CANCEL: u16 = 0x000C;

/// Signs one message in place: sets `SMB2_FLAGS_SIGNED` and fills the signature field.
///
/// `message` is one SMB2 message from its header on. Of a compound each element is signed by
/// itself, with the padding that follows it.
///
/// # Errors
/// An unknown algorithm, a key of the wrong length or a message shorter than its header.
pub fn sign(
    algorithm: SigningAlgorithm,
    key: &SecretKey,
    message: &mut [u8],
) -> Result<(), SecurityError> {
    let len = message.len();
    let flags = u32::from_le_bytes(bytes_at(message, FLAGS)?) | FLAG_SIGNED;
    put(message, FLAGS, &flags.to_le_bytes())?;
    put(message, SIGNATURE, &[0; 16]).map_err(|_| SecurityError::TooShort(len))?;
    let signature = signature_of(algorithm, key, message)?;
    put(message, SIGNATURE, &signature)
}

/// Whether the signature field of `message` is right, in constant time.
///
/// Whether the message had to be signed at all (`SMB2_FLAGS_SIGNED`) is for the caller to judge.
///
/// # Errors
/// [`SecurityError::WrongSignature`], or what [`sign`] fails with.
pub fn verify(
    algorithm: SigningAlgorithm,
    key: &SecretKey,
    message: &[u8],
) -> Result<(), SecurityError> {
    let got: [u8; 16] = bytes_at(message, SIGNATURE)?;
    let mut zeroed = message.to_vec();
    put(&mut zeroed, SIGNATURE, &[0; 16])?;
    if constant_time_eq(&signature_of(algorithm, key, &zeroed)?, &got) {
        Ok(())
    } else {
        Err(SecurityError::WrongSignature)
    }
}

/// The signature of a message whose signature field is zero.
fn signature_of(
    algorithm: SigningAlgorithm,
    key: &SecretKey,
    zeroed: &[u8],
) -> Result<[u8; 16], SecurityError> {
    match algorithm {
        SigningAlgorithm::HMAC_SHA256 => mac_of::<Hmac<Sha256>>(key, zeroed),
        SigningAlgorithm::AES_CMAC => mac_of::<Cmac<Aes128>>(key, zeroed),
        SigningAlgorithm::AES_GMAC => gmac_of(key, zeroed),
        SigningAlgorithm(other) => Err(SecurityError::UnknownSigningAlgorithm(other)),
    }
}

/// The first 16 bytes of a MAC over the message.
fn mac_of<M: Mac + hmac::KeyInit>(
    key: &SecretKey,
    zeroed: &[u8],
) -> Result<[u8; 16], SecurityError> {
    let mut mac =
        <M as hmac::KeyInit>::new_from_slice(key.as_bytes()).map_err(|_| key_length(key))?;
    mac.update(zeroed);
    let mut signature = [0; 16];
    for (to, from) in signature.iter_mut().zip(mac.finalize().into_bytes()) {
        *to = from;
    }
    Ok(signature)
}

/// AES-128-GMAC: the message is authenticated data, nothing is encrypted.
fn gmac_of(key: &SecretKey, zeroed: &[u8]) -> Result<[u8; 16], SecurityError> {
    let gcm = Aes128Gcm::new_from_slice(key.as_bytes()).map_err(|_| key_length(key))?;
    let nonce = Nonce::from(gmac_nonce(zeroed)?);
    let tag = gcm
        .encrypt_inout_detached(&nonce, zeroed, (&mut [][..]).into())
        .map_err(|_| SecurityError::TooLong(zeroed.len()))?;
    Ok(tag.into())
}

/// MS-SMB2 3.1.4.1: MessageId, then a bit for the sender (1: server) and a bit for CANCEL.
fn gmac_nonce(message: &[u8]) -> Result<[u8; 12], SecurityError> {
    let message_id: [u8; 8] = bytes_at(message, MESSAGE_ID)?;
    let flags = u32::from_le_bytes(bytes_at(message, FLAGS)?);
    let command = u16::from_le_bytes(bytes_at(message, COMMAND)?);
    let server = flags & FLAG_SERVER_TO_REDIR;
    let cancel = u32::from(command == COMMAND_CANCEL) << 1;
    let mut nonce = [0; 12];
    let (low, high) = nonce.split_at_mut(8);
    low.copy_from_slice(&message_id);
    high.copy_from_slice(&(server | cancel).to_le_bytes());
    Ok(nonce)
}

fn key_length(key: &SecretKey) -> SecurityError {
    SecurityError::KeyLength {
        expected: 16,
        got: key.len(),
    }
}

/// Copies a fixed field out of the message.
fn bytes_at<const N: usize>(message: &[u8], at: Range<usize>) -> Result<[u8; N], SecurityError> {
    message
        .get(at)
        .and_then(|slice| slice.try_into().ok())
        .ok_or(SecurityError::TooShort(message.len()))
}

/// Writes a fixed field into the message.
fn put(message: &mut [u8], at: Range<usize>, value: &[u8]) -> Result<(), SecurityError> {
    let len = message.len();
    message
        .get_mut(at)
        .ok_or(SecurityError::TooShort(len))?
        .copy_from_slice(value);
    Ok(())
}
