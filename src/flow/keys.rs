//! The keys that a user hands in: passwords, hashes and session keys.

use fsrvp_wire::auth::ntlm::NtHash;
use fsrvp_wire::security::{Cipher, Secret, SecretKey, SigningAlgorithm};
use std::collections::HashMap;

/// A user whose NTLM logons can be opened.
#[derive(Debug, Clone)]
pub struct UserKey {
    /// The name, for messages; logons are told by their proof, not by their names.
    pub name: String,
    /// The hash of the password.
    pub nt_hash: NtHash,
}

/// What is known of one NTLM logon: its key alone, which opens nothing else.
#[derive(Debug, Clone)]
pub struct NtlmLogonKey {
    /// MS-NLMP 3.3.2: the first 16 bytes of the response in its AUTHENTICATE_MESSAGE, by which it is
    /// told from all others.
    pub proof: [u8; 16],
    /// The exported session key.
    pub session_key: Secret<16>,
}

/// What is known of one SMB session: the key of its logon, or keys that follow from it.
#[derive(Debug, Clone, Default)]
pub struct SmbSessionKey {
    /// The id of the session.
    pub session_id: u64,
    /// What the authentication protocol gave, in its full length; empty where it is not known.
    pub session_key: SecretKey,
    /// `Session.SigningKey`, where it is known by itself.
    pub signing_key: Option<SecretKey>,
    /// The key for what the client encrypts, where it is known by itself.
    pub client_to_server: Option<SecretKey>,
    /// The key for what the server encrypts, where it is known by itself.
    pub server_to_client: Option<SecretKey>,
    /// How messages are signed; `None` where the capture shall tell.
    pub signing: Option<SigningAlgorithm>,
    /// How messages are encrypted; `None` where the capture shall tell.
    pub cipher: Option<Cipher>,
}

/// All keys for a capture.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    users: Vec<UserKey>,
    logons: HashMap<[u8; 16], Secret<16>>,
    /// By session id. There may be several of one: a server that was started again may have given
    /// an id once more.
    sessions: HashMap<u64, Vec<SmbSessionKey>>,
}

impl KeyRing {
    /// The keys of `users` and `sessions`.
    #[must_use]
    pub fn new(users: Vec<UserKey>, sessions: Vec<SmbSessionKey>) -> Self {
        let mut by_id: HashMap<u64, Vec<SmbSessionKey>> = HashMap::new();
        for session in sessions {
            by_id.entry(session.session_id).or_default().push(session);
        }
        KeyRing {
            users,
            logons: HashMap::new(),
            sessions: by_id,
        }
    }

    /// The same keys, and those of these logons.
    #[must_use]
    pub fn with_logons(mut self, logons: impl IntoIterator<Item = NtlmLogonKey>) -> Self {
        let pairs = logons.into_iter().map(|key| (key.proof, key.session_key));
        self.logons.extend(pairs);
        self
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.logons.is_empty() && self.sessions.is_empty()
    }

    pub(super) fn hashes(&self) -> impl Iterator<Item = &NtHash> {
        self.users.iter().map(|user| &user.nt_hash)
    }

    /// The key of the logon with this proof.
    pub(super) fn logon_of(&self, proof: &[u8; 16]) -> Option<Secret<16>> {
        self.logons.get(proof).cloned()
    }

    /// The entries for a session id.
    pub(super) fn sessions_of(&self, session_id: u64) -> &[SmbSessionKey] {
        self.sessions.get(&session_id).map_or(&[], Vec::as_slice)
    }
}
