//! The keys file: passwords of users, and keys of logons and of SMB sessions.

use super::DecodeError;
use crate::capture::Timers;
use crate::flow::{KeyRing, NtlmLogonKey, SmbSessionKey, UserKey};
use crate::requirement::{FileError, line_of, read_toml};
use fsrvp_wire::auth::ntlm::NtHash;
use fsrvp_wire::security::{Cipher, Secret, SecretKey, SigningAlgorithm};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::Spanned;
use zeroize::Zeroizing;

/// The longest keys file, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The longest key, in bytes: a session key of Kerberos with AES-256.
const KEY_BYTES_MAX: usize = 32;

/// What a keys file says.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub(super) ring: KeyRing,
    pub(super) timers: Option<Timers>,
}

/// A keys file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    #[serde(default)]
    user: Vec<Spanned<User>>,
    #[serde(default)]
    ntlm_logon: Vec<NtlmLogon>,
    #[serde(default)]
    smb_session: Vec<SmbSession>,
    /// How long the server's Message Sequence Timer runs, for the judge.
    timers: Option<Timers>,
    /// The server's port: said for people, found in the capture.
    #[serde(rename = "port")]
    _port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    /// For people: a logon is found by its proof.
    #[serde(rename = "domain")]
    _domain: Option<String>,
    name: String,
    password: Option<SecretWord>,
    nt_hash: Option<Spanned<SecretWord>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NtlmLogon {
    proof: Spanned<String>,
    session_key: Spanned<SecretWord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmbSession {
    session_id: Spanned<String>,
    session_key: Option<Spanned<SecretWord>>,
    signing_key: Option<Spanned<SecretWord>>,
    application_key: Option<Spanned<SecretWord>>,
    client_to_server_key: Option<Spanned<SecretWord>>,
    server_to_client_key: Option<Spanned<SecretWord>>,
    signing: Option<Spanned<u16>>,
    cipher: Option<Spanned<u16>>,
}

/// A word that must never be shown, not even in an error about its type.
struct SecretWord(Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor).map(SecretWord)
    }
}

struct SecretVisitor;

impl SecretVisitor {
    const QUOTES: &str = "a password or key must stand in quotes";
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Zeroizing<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word in quotes")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(word.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, word: String) -> Result<Self::Value, E> {
        Ok(Zeroizing::new(word))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Err(E::custom(Self::QUOTES))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Err(E::custom(Self::QUOTES))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Err(E::custom(Self::QUOTES))
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Self::Value, E> {
        Err(E::custom(Self::QUOTES))
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Self::Value, E> {
        Err(E::custom(Self::QUOTES))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Err(E::custom(Self::QUOTES))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(A::Error::custom(Self::QUOTES))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        Err(A::Error::custom(Self::QUOTES))
    }
}

/// Reads the keys file that the user named.
///
/// # Errors
/// It cannot be read, or something in it is wrong.
pub(super) fn read(path: &Path) -> Result<Keys, DecodeError> {
    let name = path.display().to_string();
    let text = bounded(path).map_err(|source| DecodeError::OpenKeys {
        path: name.clone(),
        source,
    })?;
    parse(&name, &text).map_err(DecodeError::Keys)
}

/// Reads the keys file beside a capture; no keys where there is none.
///
/// # Errors
/// There is one and it cannot be read, or something in it is wrong.
pub(super) fn beside(capture: &Path) -> Result<Keys, DecodeError> {
    match names_beside(capture)
        .into_iter()
        .find(|path| path.is_file())
    {
        Some(path) => read(&path),
        None => Ok(Keys::default()),
    }
}

/// `a.keys.toml` for `a.pcap`, and for `a.pcap.gz` also that.
fn names_beside(capture: &Path) -> Vec<PathBuf> {
    if capture.as_os_str() == "-" || capture.file_name().is_none() {
        return Vec::new();
    }
    let mut names = vec![capture.with_extension("keys.toml")];
    let compressed = capture.extension().is_some_and(|end| end == "gz");
    if compressed {
        names.insert(0, capture.with_extension("").with_extension("keys.toml"));
    }
    names
}

fn bounded(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let too_long = || std::io::Error::other("the file is longer than any keys file");
    let length = std::fs::metadata(path)?.len();
    match length <= FILE_BYTES_MAX {
        true => std::fs::read_to_string(path).map(Zeroizing::new),
        false => Err(too_long()),
    }
}

/// Reads the text of a keys file.
fn parse(file: &str, text: &str) -> Result<Keys, FileError> {
    let keys: KeysFile = read_toml(file, text)?;
    let at = |offset: usize, what: &str| FileError::new(file, line_of(text, offset), what);
    let users = keys.user.into_iter().map(|user| user_key(user, &at));
    let logons = keys
        .ntlm_logon
        .into_iter()
        .map(|logon| logon_key(logon, &at));
    let logons: Vec<NtlmLogonKey> = logons.collect::<Result<_, _>>()?;
    let sessions = keys.smb_session.into_iter().map(|s| session_key(s, &at));
    Ok(Keys {
        ring: KeyRing::new(
            users.collect::<Result<_, _>>()?,
            sessions.collect::<Result<_, _>>()?,
        )
        .with_logons(logons),
        timers: keys.timers,
    })
}

type At<'a> = dyn Fn(usize, &str) -> FileError + 'a;

fn user_key(user: Spanned<User>, at: &At<'_>) -> Result<UserKey, FileError> {
    let start = user.span().start;
    let user = user.into_inner();
    let nt_hash = match (user.password, user.nt_hash) {
        (Some(password), None) => NtHash::of_password(&password.0),
        (None, Some(hash)) => {
            let place = hash.span().start;
            let bytes = hex(hash.get_ref()).and_then(|bytes| <[u8; 16]>::try_from(&bytes[..]).ok());
            NtHash::new(bytes.ok_or_else(|| at(place, "nt_hash is not 32 hexadecimal digits"))?)
        }
        _ => {
            return Err(at(
                start,
                "a user needs either password or nt_hash; give one of them",
            ));
        }
    };
    Ok(UserKey {
        name: user.name,
        nt_hash,
    })
}

fn logon_key(logon: NtlmLogon, at: &At<'_>) -> Result<NtlmLogonKey, FileError> {
    let of_16 = |bytes: Zeroizing<Vec<u8>>| <[u8; 16]>::try_from(&bytes[..]).ok();
    let wrong = |name: &str, place: std::ops::Range<usize>| {
        at(place.start, &format!("{name} is not 32 hexadecimal digits"))
    };
    let proof = digits(logon.proof.get_ref()).and_then(of_16);
    let key = hex(logon.session_key.get_ref()).and_then(of_16);
    Ok(NtlmLogonKey {
        proof: proof.ok_or_else(|| wrong("proof", logon.proof.span()))?,
        session_key: Secret::new(
            key.ok_or_else(|| wrong("session_key", logon.session_key.span()))?,
        ),
    })
}

fn session_key(session: SmbSession, at: &At<'_>) -> Result<SmbSessionKey, FileError> {
    let key = |name: &str, word: Option<Spanned<SecretWord>>| -> Result<_, FileError> {
        let Some(word) = word else {
            return Ok(None);
        };
        let bytes = hex(word.get_ref()).filter(|bytes| matches!(bytes.len(), 1..=KEY_BYTES_MAX));
        match bytes {
            Some(bytes) => Ok(Some(SecretKey::from(&bytes[..]))),
            None => Err(at(
                word.span().start,
                &format!("{name} is not 2 to 64 hexadecimal digits"),
            )),
        }
    };
    let id = digits(session.session_id.get_ref())
        .and_then(|bytes| <[u8; 8]>::try_from(&bytes[..]).ok())
        .ok_or_else(|| {
            let what = "session_id is not the 16 hexadecimal digits of its bytes as they travel";
            at(session.session_id.span().start, what)
        })?;
    let signing = session.signing.map(|number| match number.get_ref() {
        0..=2 => Ok(SigningAlgorithm(*number.get_ref())),
        _ => Err(at(number.span().start, "signing is none of 0, 1, 2")),
    });
    let cipher = session.cipher.map(|number| match number.get_ref() {
        0..=4 => Ok(Cipher(*number.get_ref())),
        _ => Err(at(number.span().start, "cipher is none of 0, 1, 2, 3, 4")),
    });
    // No FSRVP message is protected by it; it is read so that a mistake in it shows.
    key("application_key", session.application_key)?;
    let given = SmbSessionKey {
        session_id: u64::from_le_bytes(id),
        session_key: key("session_key", session.session_key)?.unwrap_or_default(),
        signing_key: key("signing_key", session.signing_key)?,
        client_to_server: key("client_to_server_key", session.client_to_server_key)?,
        server_to_client: key("server_to_client_key", session.server_to_client_key)?,
        signing: signing.transpose()?,
        cipher: cipher.transpose()?,
    };
    let any = !given.session_key.is_empty()
        || given.signing_key.is_some()
        || given.client_to_server.is_some()
        || given.server_to_client.is_some();
    match any {
        true => Ok(given),
        false => Err(at(
            session.session_id.span().start,
            "the session has no key; give session_key or keys that were made from it",
        )),
    }
}

fn hex(word: &SecretWord) -> Option<Zeroizing<Vec<u8>>> {
    digits(&word.0)
}

fn digits(word: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, rest) = word.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect::<Option<Vec<u8>>>()
        .map(Zeroizing::new)
}
