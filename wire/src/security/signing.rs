//! MS-SMB2 3.1.4.1 Signing An Outgoing Message, 3.1.5.1 Verifying an Incoming Message.

use super::secret::constant_time_eq;
use super::{SecretKey, SecurityError, SigningAlgorithm};
use aes::Aes128;
use aes::cipher::BlockCipherEncrypt as _;
use cmac::Cmac;
use ghash::GHash;
use ghash::universal_hash::UniversalHash as _;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::Sha256;
use std::ops::Range;
use zeroize::Zeroize as _;

/// MS-SMB2 2.2.1 the length of an SMB2 header.
pub const HEADER_LEN: usize = 64;
const COMMAND: Range<usize> = 12..14;
const FLAGS: Range<usize> = 16..20;
const MESSAGE_ID: Range<usize> = 24..32;
const SIGNATURE: Range<usize> = 48..64;
const SIGNATURE_LEN: usize = SIGNATURE.end - SIGNATURE.start;
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
    let flags = u32::from_le_bytes(bytes_at(message, FLAGS)?) | FLAG_SIGNED;
    put(message, FLAGS, &flags.to_le_bytes())?;
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
    if constant_time_eq(&signature_of(algorithm, key, message)?, &got) {
        Ok(())
    } else {
        Err(SecurityError::WrongSignature)
    }
}

/// The signature of a message, whatever stands in its signature field.
fn signature_of(
    algorithm: SigningAlgorithm,
    key: &SecretKey,
    message: &[u8],
) -> Result<[u8; 16], SecurityError> {
    match algorithm {
        SigningAlgorithm::HMAC_SHA256 => mac_of::<Hmac<Sha256>>(key, message),
        SigningAlgorithm::AES_CMAC => mac_of::<Cmac<Aes128>>(key, message),
        SigningAlgorithm::AES_GMAC => gmac_of(key, message),
        SigningAlgorithm(other) => Err(SecurityError::UnknownSigningAlgorithm(other)),
    }
}

/// What stands before the signature field and what stands behind it. The field itself counts as
/// zeros; the parts are not put together, since a message may hold megabytes.
fn around_signature(message: &[u8]) -> Result<(&[u8], &[u8]), SecurityError> {
    let too_short = SecurityError::TooShort(message.len());
    let before = message.get(..SIGNATURE.start).ok_or(too_short)?;
    let behind = message.get(SIGNATURE.end..).ok_or(too_short)?;
    Ok((before, behind))
}

/// The first 16 bytes of a MAC over the message.
fn mac_of<M: Mac + hmac::KeyInit>(
    key: &SecretKey,
    message: &[u8],
) -> Result<[u8; 16], SecurityError> {
    let mut mac =
        <M as hmac::KeyInit>::new_from_slice(key.as_bytes()).map_err(|_| key_length(key))?;
    let (before, behind) = around_signature(message)?;
    mac.update(before);
    mac.update(&[0; SIGNATURE_LEN]);
    mac.update(behind);
    let mut signature = [0; 16];
    for (to, from) in signature.iter_mut().zip(mac.finalize().into_bytes()) {
        *to = from;
    }
    Ok(signature)
}

/// AES-128-GMAC: AES-128-GCM (NIST SP 800-38D 7.1) with the message as authenticated data and
/// nothing to encrypt.
fn gmac_of(key: &SecretKey, message: &[u8]) -> Result<[u8; 16], SecurityError> {
    let cipher = Aes128::new_from_slice(key.as_bytes()).map_err(|_| key_length(key))?;
    let mut hash_key = ghash::Key::default();
    cipher.encrypt_block(&mut hash_key);
    let mut hash = GHash::new(&hash_key);
    hash_key.zeroize();
    let (before, behind) = around_signature(message)?;
    // Header and signature field end where a block of 16 bytes does.
    hash.update_padded(before);
    hash.update(&[ghash::Block::default()]);
    hash.update_padded(behind);
    let length_bits = (message.len() as u64) << 3;
    let (high, low) = (length_bits.to_be_bytes(), 0u64.to_be_bytes());
    hash.update_padded(&[high, low].concat());
    let mut mask = ghash::Block::default();
    let counter = gmac_nonce(message)?.into_iter().chain([0, 0, 0, 1]);
    for (to, from) in mask.iter_mut().zip(counter) {
        *to = from;
    }
    cipher.encrypt_block(&mut mask);
    let mut signature = [0; 16];
    let tag = hash.finalize();
    for ((to, hashed), masked) in signature.iter_mut().zip(tag).zip(mask) {
        *to = hashed ^ masked;
    }
    Ok(signature)
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
