//! What a connection must remember so that its messages can be checked and opened: what was
//! negotiated, the preauthentication hashes, and the logons that are going on. There is one only
//! where keys were given.

use super::super::framing::{Kind, Want};
use super::super::keys::KeyRing;
use super::super::logon::Logon;
use super::super::session_keys::{Algorithms, SessionCrypto};
use super::super::shared::{SessionKey, Shared};
use fsrvp_wire::auth::ntlm::Witnessed;
use fsrvp_wire::security::{Cipher, PreauthHash, SigningAlgorithm, sealing};
use fsrvp_wire::smb2::negotiate_contexts::{
    ContextType, EncryptionCapabilities, SigningCapabilities,
};
use fsrvp_wire::smb2::{Body, Command, Header, HeaderFlags, NtStatus, negotiate, session_setup};
use std::collections::BTreeMap;

/// How many logons may be going on at one time on one connection; the oldest is let go.
const LOGONS_MAX: usize = 64;

/// How many sessions of other connections may be bound to one.
const CHANNELS_MAX: usize = 1024;

const DIALECT_3_1_1: u16 = 0x0311;

/// The security of one connection.
#[derive(Default)]
pub(super) struct Guard {
    algorithms: Algorithms,
    /// The connection's preauthentication hash; `None` where a message that it needs was not seen.
    preauth: Option<PreauthHash>,
    /// Legs of logons by MessageId, until their response comes.
    asked: BTreeMap<u64, Setup>,
    /// Logons by session, until their next leg comes.
    going: BTreeMap<u64, Setup>,
    /// The keys of this connection for sessions that began on another one.
    channels: BTreeMap<u64, SessionCrypto>,
}

/// A logon over SESSION_SETUP.
#[derive(Default)]
struct Setup {
    preauth: Option<PreauthHash>,
    logon: Logon,
    opened: Option<Witnessed>,
    /// The session began on another connection.
    binding: bool,
    /// The session is there already: its user logs on once more.
    again: bool,
}

impl Guard {
    /// What of a message is needed here.
    pub(super) fn wants(
        &mut self,
        kind: Kind,
        head: &[u8],
        header: Option<&Header>,
        session_of: impl Fn(u64) -> SessionKey,
        shared: &mut Shared,
    ) -> Want {
        let secured = match (kind, header) {
            (Kind::Encrypted, _) => sealing::session_id(head)
                .is_ok_and(|id| shared.crypto(session_of(id), self.algorithms).is_some()),
            (_, Some(header)) => match header.command {
                Command::NEGOTIATE | Command::SESSION_SETUP => return Want::Whole,
                _ => {
                    is_to_be_checked(header)
                        && self.crypto(session_of(header.session_id), shared).is_some()
                }
            },
            (_, None) => false,
        };
        match secured {
            true => Want::Secured,
            false => Want::Head,
        }
    }

    /// The keys by which signatures of a session are made on this connection.
    pub(super) fn crypto<'a>(
        &'a mut self,
        session: SessionKey,
        shared: &'a mut Shared,
    ) -> Option<&'a mut SessionCrypto> {
        match self.channels.get_mut(&session.1) {
            Some(channel) => Some(channel),
            None => shared.crypto(session, self.algorithms),
        }
    }

    /// The keys by which messages of a session are encrypted, which are the same on all its
    /// connections.
    pub(super) fn sealing<'a>(
        &self,
        session: SessionKey,
        shared: &'a mut Shared,
    ) -> Option<&'a mut SessionCrypto> {
        shared.crypto(session, self.algorithms)
    }

    /// Takes a NEGOTIATE or SESSION_SETUP message; others mean nothing here.
    pub(super) fn observe(
        &mut self,
        header: &Header,
        message: &[u8],
        session: SessionKey,
        shared: &mut Shared,
    ) {
        match (header.command, header.is_response()) {
            (Command::NEGOTIATE, false) => {
                let mut preauth = PreauthHash::new();
                preauth.update(message);
                *self = Guard {
                    preauth: Some(preauth),
                    channels: std::mem::take(&mut self.channels),
                    ..Guard::default()
                };
            }
            (Command::NEGOTIATE, true) => self.negotiated(message),
            (Command::SESSION_SETUP, false) => {
                if let Some(keys) = shared.keys() {
                    self.setup_request(header, message, &keys.clone());
                }
            }
            (Command::SESSION_SETUP, true) => {
                self.setup_response(header, message, session, shared);
            }
            _ => {}
        }
    }

    /// Takes the news that messages may be missing: a hash over them cannot be known.
    pub(super) fn lost(&mut self) {
        self.preauth = None;
        for setup in self.asked.values_mut().chain(self.going.values_mut()) {
            setup.preauth = None;
        }
    }

    fn negotiated(&mut self, message: &[u8]) {
        let Ok((_, response)) = negotiate::Response::parse(message) else {
            return;
        };
        let dialect = response.dialect_revision.0;
        if response.dialect_revision == negotiate::Dialect::SMB_2_WILDCARD {
            // MS-SMB2 3.3.5.3.1: the answer to an SMB1 NEGOTIATE; the real one follows.
            return;
        }
        if let Some(preauth) = &mut self.preauth {
            preauth.update(message);
        }
        let of = |wanted: ContextType| {
            let mut contexts = response.negotiate_contexts.iter();
            contexts.find(move |context| context.context_type == wanted)
        };
        let signing = of(ContextType::SIGNING_CAPABILITIES)
            .and_then(|context| SigningCapabilities::parse(&context.data).ok())
            .and_then(|list| list.signing_algorithms.first().copied())
            .map(|algorithm| SigningAlgorithm(algorithm.0));
        let cipher = of(ContextType::ENCRYPTION_CAPABILITIES)
            .and_then(|context| EncryptionCapabilities::parse(&context.data).ok())
            .and_then(|list| list.ciphers.first().copied())
            .map(|cipher| Cipher(cipher.0));
        self.algorithms = Algorithms {
            dialect: Some(dialect),
            signing: Some(signing.unwrap_or(SigningAlgorithm::default_of(dialect))),
            cipher: match dialect {
                DIALECT_3_1_1 => cipher,
                // MS-SMB2 2.2.41: there is one cipher only.
                0x0300..DIALECT_3_1_1 => Some(Cipher::AES_128_CCM),
                _ => None,
            },
        };
    }

    fn setup_request(&mut self, header: &Header, message: &[u8], keys: &KeyRing) {
        let Ok((_, request)) = session_setup::Request::parse(message) else {
            return;
        };
        let binding = request
            .flags
            .contains(session_setup::SessionSetupFlags::BINDING);
        let known = self.going.remove(&header.session_id);
        let mut setup = known.unwrap_or_else(|| Setup {
            // A first leg has no session, unless it binds one or logs on to it once more. In the
            // last case no keys are made.
            preauth: match header.session_id == 0 || binding {
                true => self.preauth.clone(),
                false => None,
            },
            again: header.session_id != 0 && !binding,
            binding,
            ..Setup::default()
        });
        setup.take(message, &request.security_buffer, keys);
        insert_bounded(&mut self.asked, header.message_id, setup);
    }

    fn setup_response(
        &mut self,
        header: &Header,
        message: &[u8],
        session: SessionKey,
        shared: &mut Shared,
    ) {
        let (Some(mut setup), Some(keys)) = (
            self.asked.remove(&header.message_id),
            shared.keys().cloned(),
        ) else {
            return;
        };
        match header.status {
            NtStatus::MORE_PROCESSING_REQUIRED => {
                if let Ok((_, response)) = session_setup::Response::parse(message) {
                    setup.take(message, &response.security_buffer, &keys);
                    insert_bounded(&mut self.going, header.session_id, setup);
                }
            }
            NtStatus::SUCCESS => self.established(session, &setup, &keys, shared),
            _ => {}
        }
    }

    /// The logon succeeded: makes the session's keys, or this connection's for it.
    fn established(
        &mut self,
        session: SessionKey,
        setup: &Setup,
        keys: &KeyRing,
        shared: &mut Shared,
    ) {
        let preauth = setup.preauth.as_ref().map(PreauthHash::value);
        let mut crypto = SessionCrypto::default();
        if let Some(opened) = &setup.opened {
            crypto.add_logon(opened.session_key.as_bytes(), self.algorithms, preauth);
        }
        for given in keys.sessions_of(session.1) {
            crypto.add_given(given, self.algorithms, preauth);
        }
        if setup.binding {
            if self.channels.len() < CHANNELS_MAX && !crypto.is_empty() {
                self.channels.insert(session.1, crypto);
            }
            return;
        }
        let keeps = setup.again && shared.crypto(session, self.algorithms).is_some();
        if !keeps {
            shared.set_crypto(session, crypto);
        }
    }
}

impl Setup {
    /// MS-SMB2 3.1.4.4.1, 3.3.5.5: every leg goes into the hash, but the response that ends it.
    fn take(&mut self, message: &[u8], token: &[u8], keys: &KeyRing) {
        if let Some(preauth) = &mut self.preauth {
            preauth.update(message);
        }
        let token = self.logon.token(token, keys);
        if token.opened.is_some() {
            self.opened = token.opened;
        }
    }
}

/// MS-SMB2 3.2.5.1.3: interim responses and messages that nobody asked for are not checked.
pub(super) fn is_to_be_checked(header: &Header) -> bool {
    header.flags.contains(HeaderFlags::SIGNED)
        && header.message_id != u64::MAX
        && !(header.is_response() && header.status == NtStatus::PENDING)
}

fn insert_bounded(setups: &mut BTreeMap<u64, Setup>, key: u64, setup: Setup) {
    setups.insert(key, setup);
    if setups.len() > LOGONS_MAX {
        setups.pop_first();
    }
}
