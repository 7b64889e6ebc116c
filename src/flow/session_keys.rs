//! The keys of an SMB session: signatures checked, encrypted messages opened.
//!
//! A key may be right or not: the file that it stands in may belong to another capture. So a key
//! is *proven* by the first signature that it makes or message that it opens, and only a proven
//! key may show that a message is wrong. What failed before the proof is kept and counted then.

use super::exchange::{Direction, Evidence};
use super::keys::SmbSessionKey;
use fsrvp_wire::security::{Cipher, SecretKey, SessionKeys, SigningAlgorithm, sealing, signing};

/// How many messages that failed are remembered until their key is proven.
const DOUBTS_MAX: usize = 32;

/// MS-SMB2 2.2.3: the dialects whose keys follow from the session key alone, one of each kind.
const DIALECTS_BY_KEY_ALONE: [u16; 2] = [0x0300, 0x0202];

const SIGNING_ALGORITHMS: [SigningAlgorithm; 3] = [
    SigningAlgorithm::AES_CMAC,
    SigningAlgorithm::AES_GMAC,
    SigningAlgorithm::HMAC_SHA256,
];

const CIPHERS: [Cipher; 4] = [
    Cipher::AES_128_GCM,
    Cipher::AES_128_CCM,
    Cipher::AES_256_GCM,
    Cipher::AES_256_CCM,
];

/// What a connection negotiated, as far as it was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Algorithms {
    pub(super) dialect: Option<u16>,
    pub(super) signing: Option<SigningAlgorithm>,
    pub(super) cipher: Option<Cipher>,
}

/// What checking a message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The signature is right.
    Right,
    /// The signature is wrong: the key made others that are right.
    Wrong,
    /// No key fits, and none of them was ever seen to.
    NoKeyFits,
}

/// A message that no key fitted, at a time when none was proven.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    pub(super) direction: Direction,
    pub(super) encrypted: bool,
    pub(super) evidence: Evidence,
}

/// Keys that may be those of a session.
#[derive(Debug, Clone)]
struct Candidate {
    keys: SessionKeys,
    signing: Option<SigningAlgorithm>,
    cipher: Option<Cipher>,
}

/// The keys of one session.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionCrypto {
    candidates: Vec<Candidate>,
    proven: bool,
    doubts: Vec<Doubt>,
}

impl SessionCrypto {
    /// Keys that follow from the key of a logon; `preauth` is needed in dialect 3.1.1.
    pub(super) fn add_logon(
        &mut self,
        session_key: &[u8],
        algorithms: Algorithms,
        preauth: Option<&[u8; 64]>,
    ) {
        let cipher = algorithms.cipher.unwrap_or(Cipher::NONE);
        let derived = algorithms
            .dialect
            .and_then(|dialect| SessionKeys::derive(dialect, session_key, preauth, cipher).ok());
        if let Some(keys) = derived {
            self.candidates.push(Candidate {
                keys,
                signing: algorithms.signing,
                cipher: algorithms.cipher,
            });
        }
    }

    /// Keys that the user gave for the session.
    pub(super) fn add_given(
        &mut self,
        given: &SmbSessionKey,
        algorithms: Algorithms,
        preauth: Option<&[u8; 64]>,
    ) {
        let signing = given.signing.or(algorithms.signing);
        let own_cipher = given.cipher.filter(|cipher| *cipher != Cipher::NONE);
        let cipher = own_cipher.or(algorithms.cipher);
        let known = algorithms.dialect.map(|dialect| [dialect].to_vec());
        let dialects = known.unwrap_or_else(|| DIALECTS_BY_KEY_ALONE.to_vec());
        let session_key = given.session_key.as_bytes();
        let mut derived: Vec<SessionKeys> = dialects
            .iter()
            .filter(|_| !session_key.is_empty())
            .filter_map(|dialect| {
                let cipher = cipher.unwrap_or(Cipher::NONE);
                SessionKeys::derive(*dialect, session_key, preauth, cipher).ok()
            })
            .collect();
        if derived.is_empty() {
            derived.push(SessionKeys {
                signing: SecretKey::default(),
                application: SecretKey::default(),
                client_to_server: SecretKey::default(),
                server_to_client: SecretKey::default(),
            });
        }
        for mut keys in derived {
            for (place, own) in [
                (&mut keys.signing, &given.signing_key),
                (&mut keys.client_to_server, &given.client_to_server),
                (&mut keys.server_to_client, &given.server_to_client),
            ] {
                if let Some(own) = own {
                    place.clone_from(own);
                }
            }
            self.candidates.push(Candidate {
                keys,
                signing,
                cipher,
            });
        }
    }

    /// Whether there is any key that could open or check something.
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Checks the signature of a whole message.
    pub(super) fn verify(&mut self, message: &[u8]) -> Check {
        let mut right = None;
        for (at, candidate) in self.candidates.iter().enumerate() {
            let fits = candidate
                .signing_algorithms()
                .find(|algorithm| signing::verify(*algorithm, candidate.key(), message).is_ok());
            if let Some(algorithm) = fits {
                right = Some((at, algorithm));
                break;
            }
        }
        match right {
            Some((at, algorithm)) => {
                self.prove(at);
                if let Some(candidate) = self.candidates.first_mut() {
                    candidate.signing = Some(algorithm);
                }
                Check::Right
            }
            None if self.proven => Check::Wrong,
            None => Check::NoKeyFits,
        }
    }

    /// Opens a whole encrypted message.
    pub(super) fn open(&mut self, direction: Direction, message: &[u8]) -> Result<Vec<u8>, Check> {
        let mut opened = None;
        for (at, candidate) in self.candidates.iter().enumerate() {
            let key = candidate.sealing_key(direction);
            let fits = candidate
                .ciphers(key)
                .find_map(|cipher| Some((cipher, sealing::open(cipher, key, message).ok()?)));
            if let Some((cipher, plain)) = fits {
                opened = Some((at, cipher, plain));
                break;
            }
        }
        let Some((at, cipher, plain)) = opened else {
            return Err(match self.proven {
                true => Check::Wrong,
                false => Check::NoKeyFits,
            });
        };
        self.prove(at);
        if let Some(candidate) = self.candidates.first_mut() {
            candidate.cipher = Some(cipher);
        }
        Ok(plain)
    }

    /// Remembers a message that no key fitted; one too many is let go.
    pub(super) fn doubt(&mut self, doubt: Doubt) {
        if self.doubts.len() < DOUBTS_MAX {
            self.doubts.push(doubt);
        }
    }

    /// What failed before the key was proven, once it is; then these messages are wrong.
    pub(super) fn confirmed(&mut self) -> Vec<Doubt> {
        match self.proven {
            true => std::mem::take(&mut self.doubts),
            false => Vec::new(),
        }
    }

    /// The candidate at `at` is the right one.
    fn prove(&mut self, at: usize) {
        if !self.proven {
            self.candidates.swap(0, at);
            self.candidates.truncate(1);
            self.proven = true;
        }
    }
}

impl Candidate {
    fn key(&self) -> &SecretKey {
        &self.keys.signing
    }

    /// The algorithm that was agreed on, or all where that was not seen.
    fn signing_algorithms(&self) -> impl Iterator<Item = SigningAlgorithm> + use<> {
        let known = self.signing;
        let all = SIGNING_ALGORITHMS.into_iter();
        all.filter(move |algorithm| known.is_none_or(|known| known == *algorithm))
    }

    fn sealing_key(&self, direction: Direction) -> &SecretKey {
        match direction {
            Direction::ClientToServer => &self.keys.client_to_server,
            Direction::ServerToClient => &self.keys.server_to_client,
        }
    }

    fn ciphers(&self, key: &SecretKey) -> impl Iterator<Item = Cipher> + use<> {
        let known = self.cipher;
        let length = key.len();
        let all = CIPHERS.into_iter();
        all.filter(move |cipher| cipher.key_len() == Some(length))
            .filter(move |cipher| known.is_none_or(|known| known == *cipher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> Option<SecretKey> {
        Some(SecretKey::new(vec![byte; 16]))
    }

    fn given(byte: u8) -> SmbSessionKey {
        SmbSessionKey {
            signing_key: key(byte),
            client_to_server: key(byte),
            server_to_client: key(byte.wrapping_add(1)),
            ..SmbSessionKey::default()
        }
    }

    fn signed(algorithm: SigningAlgorithm, byte: u8, tail: &[u8]) -> Vec<u8> {
        let mut message = [&b"\xFESMB"[..], &[0; 60], tail].concat();
        signing::sign(algorithm, &SecretKey::new(vec![byte; 16]), &mut message).unwrap();
        message
    }

    proptest! {
        #[test]
        fn among_several_keys_the_right_one_proves_itself_whatever_the_algorithm(
            right in 1_u8..9, others in prop::collection::vec(10_u8..99, 0..4),
            algorithm in 0_u16..3, tail in prop::collection::vec(any::<u8>(), 0..40),
            at in 0_usize..64,
        ) {
            let mut crypto = SessionCrypto::default();
            for other in others {
                crypto.add_given(&given(other), Algorithms::default(), None);
            }
            crypto.add_given(&given(right), Algorithms::default(), None);
            let message = signed(SigningAlgorithm(algorithm), right, &tail);
            let mut changed = message.clone();
            changed[at] ^= 1;
            prop_assert_eq!(crypto.verify(&changed), Check::NoKeyFits);
            prop_assert_eq!(crypto.verify(&message), Check::Right);
            prop_assert_eq!(crypto.verify(&changed), Check::Wrong);
            prop_assert_eq!(crypto.verify(&message), Check::Right);
        }

        #[test]
        fn an_encrypted_message_opens_by_the_key_of_its_direction_only(
            byte in 1_u8..200, cipher in 1_u16..3, plain in prop::collection::vec(any::<u8>(), 0..99),
        ) {
            let own = SecretKey::new(vec![byte; 16]);
            let sealed = sealing::seal(Cipher(cipher), &own, &[7; 16], 5, &plain).unwrap();
            let mut crypto = SessionCrypto::default();
            crypto.add_given(&given(byte), Algorithms::default(), None);
            let back = crypto.open(Direction::ServerToClient, &sealed);
            prop_assert_eq!(back, Err(Check::NoKeyFits));
            prop_assert_eq!(crypto.open(Direction::ClientToServer, &sealed), Ok(plain));
            let back = crypto.open(Direction::ServerToClient, &sealed);
            prop_assert_eq!(back, Err(Check::Wrong));
        }
    }

    #[test]
    fn doubts_are_bounded_and_count_only_once_the_key_is_proven() {
        let mut crypto = SessionCrypto::default();
        crypto.add_given(&given(1), Algorithms::default(), None);
        for _ in 0..DOUBTS_MAX + 5 {
            crypto.doubt(Doubt {
                direction: Direction::ClientToServer,
                encrypted: false,
                evidence: Evidence::default(),
            });
        }
        assert!(crypto.confirmed().is_empty());
        let message = signed(SigningAlgorithm::AES_CMAC, 1, b"x");
        assert_eq!(crypto.verify(&message), Check::Right);
        assert_eq!(crypto.confirmed().len(), DOUBTS_MAX);
        assert!(crypto.confirmed().is_empty());
    }
}
