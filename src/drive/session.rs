//! The SMB side of the client, sans-IO: it numbers, signs and checks messages.
//!
//! How to use it: [`Session::request`] gives the bytes of a request; whoever moves bytes sends
//! them and hands each message that comes back to [`Session::handle_message`], until one of them
//! is the answer.

use crate::case::SmbOptions;
use crate::drive::error::DriveError;
use fsrvp_wire::security::{self, PreauthHash, SessionKeys, SigningAlgorithm};
use fsrvp_wire::smb2::negotiate::{self, Capabilities, SecurityMode};
use fsrvp_wire::smb2::negotiate_contexts::{
    ContextType, HashAlgorithm, PreauthIntegrityCapabilities, SigningAlgorithm as OfferedSigning,
    SigningCapabilities,
};
use fsrvp_wire::smb2::{Body, Command, Dialect, Header, HeaderFlags, NtStatus};
use uuid::Uuid;

/// What is being done when a dialect is agreed on.
pub(crate) const NEGOTIATE: &str = "negotiate";

/// How many credits each request asks for: more than one request is never under way.
const CREDITS: u16 = 16;
/// The message id of what a server sends without being asked.
const UNASKED: u64 = u64::MAX;

/// What came for a request.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Not the answer yet: interim, or not asked for.
    NotYet,
    /// The answer.
    Answer(Message),
}

/// One answer, checked.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Its header.
    pub(crate) header: Header,
    /// The whole message, header included.
    pub(crate) bytes: Vec<u8>,
}

impl Message {
    /// The body, when the command was done.
    pub(crate) fn body<B: Body>(&self, during: &'static str) -> Result<B, DriveError> {
        let (_, body) =
            B::parse(&self.bytes).map_err(|source| DriveError::Unreadable { during, source })?;
        Ok(body)
    }
}

/// The state of one connection with one logon.
pub(crate) struct Session {
    client_guid: Uuid,
    pub(crate) options: SmbOptions,
    next_message_id: u64,
    pub(crate) dialect: Dialect,
    signing: SigningAlgorithm,
    pub(crate) session_id: u64,
    keys: Option<SessionKeys>,
    preauth: PreauthHash,
}

impl Session {
    /// A session that has not spoken yet.
    pub(crate) fn new(options: SmbOptions, client_guid: Uuid) -> Session {
        Session {
            client_guid,
            options,
            next_message_id: 0,
            dialect: Dialect(0),
            signing: SigningAlgorithm::HMAC_SHA256,
            session_id: 0,
            keys: None,
            preauth: PreauthHash::new(),
        }
    }

    /// MS-SMB2 3.2.4.2.2.2: what is offered. `salt` is random.
    pub(crate) fn negotiate_request(&mut self, salt: [u8; 32]) -> negotiate::Request {
        let dialects: Vec<Dialect> = self
            .options
            .dialects
            .iter()
            .map(|dialect| Dialect(dialect.revision()))
            .collect();
        let contexts = if dialects.contains(&Dialect::SMB_3_1_1) {
            vec![
                PreauthIntegrityCapabilities {
                    hash_algorithms: vec![HashAlgorithm::SHA_512],
                    salt: salt.to_vec(),
                }
                .to_context(),
                SigningCapabilities {
                    signing_algorithms: vec![
                        OfferedSigning::AES_GMAC,
                        OfferedSigning::AES_CMAC,
                        OfferedSigning::HMAC_SHA256,
                    ],
                }
                .to_context(),
            ]
        } else {
            Vec::new()
        };
        // MS-SMB2 3.2.4.2.2.2: a client that offers 2.0.2 alone names no GUID.
        let only_oldest = dialects == [Dialect::SMB_2_0_2];
        negotiate::Request {
            security_mode: if self.options.signing {
                SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED
            } else {
                SecurityMode::SIGNING_ENABLED
            },
            capabilities: Capabilities::NONE,
            client_guid: if only_oldest {
                Uuid::nil()
            } else {
                self.client_guid
            },
            dialects,
            negotiate_contexts: contexts,
            ..Default::default()
        }
    }

    /// Takes the server's choice. `request` and `answer` are the messages as they travelled.
    ///
    /// # Errors
    /// A dialect that was not offered.
    pub(crate) fn handle_negotiate(
        &mut self,
        request: &[u8],
        answer: &Message,
    ) -> Result<negotiate::Response, DriveError> {
        let during = NEGOTIATE;
        if answer.header.status != NtStatus::SUCCESS {
            let status = answer.header.status;
            return Err(DriveError::Refused { during, status });
        }
        let response: negotiate::Response = answer.body(during)?;
        self.dialect = response.dialect_revision;
        let was_offered = self
            .options
            .dialects
            .iter()
            .any(|dialect| dialect.revision() == self.dialect.0);
        if !was_offered {
            let what = format!("chose {}, which was not offered", self.dialect);
            return Err(DriveError::Misbehaved { during, what });
        }
        self.signing = SigningAlgorithm::default_of(self.dialect.0);
        for context in &response.negotiate_contexts {
            if context.context_type == ContextType::SIGNING_CAPABILITIES {
                let chosen = SigningCapabilities::parse(&context.data)
                    .map_err(|source| DriveError::Unreadable { during, source })?;
                if let Some(algorithm) = chosen.signing_algorithms.first() {
                    self.signing = SigningAlgorithm(algorithm.0);
                }
            }
        }
        if self.dialect == Dialect::SMB_3_1_1 {
            self.preauth.update(request);
            self.preauth.update(&answer.bytes);
        }
        Ok(response)
    }

    /// Takes one message of the logon into the preauthentication hash; of all but the last answer.
    pub(crate) fn hash_logon(&mut self, message: &[u8]) {
        if self.dialect == Dialect::SMB_3_1_1 {
            self.preauth.update(message);
        }
    }

    /// Derives the keys; from now on messages are signed.
    ///
    /// # Errors
    /// When the keys cannot be derived.
    pub(crate) fn start_signing(&mut self, session_key: &[u8]) -> Result<(), DriveError> {
        let keys = SessionKeys::derive(
            self.dialect.0,
            session_key,
            Some(self.preauth.value()),
            security::Cipher::NONE,
        )
        .map_err(|error| DriveError::Own(error.to_string()))?;
        self.keys = Some(keys);
        Ok(())
    }

    /// The bytes of a request and its message id.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub(crate) fn request<B: Body>(
        &mut self,
        tree_id: u32,
        body: &B,
    ) -> Result<(u64, Vec<u8>), DriveError> {
        let mut header = Header::request(B::COMMAND);
        header.credits = CREDITS;
        if self.dialect == Dialect::SMB_2_0_2 || self.dialect == Dialect(0) {
            header.credit_charge = 0;
        }
        header.message_id = self.next_message_id;
        header.tree_id = tree_id;
        header.session_id = self.session_id;
        self.next_message_id = self.next_message_id.wrapping_add(1);
        let mut bytes = body.emit(&header);
        if self.options.signing
            && let Some(keys) = &self.keys
        {
            security::signing::sign(self.signing, &keys.signing, &mut bytes)
                .map_err(|error| DriveError::Own(error.to_string()))?;
        }
        Ok((header.message_id, bytes))
    }

    /// Checks a message that came while the answer to `message_id` was awaited.
    ///
    /// # Errors
    /// A message that does not parse, is not asked for, or is not signed as it must be.
    pub(crate) fn handle_message(
        &mut self,
        message_id: u64,
        during: &'static str,
        bytes: Vec<u8>,
    ) -> Result<Incoming, DriveError> {
        let header =
            Header::parse(&bytes).map_err(|source| DriveError::Unreadable { during, source })?;
        if header.message_id == UNASKED && header.command == Command::OPLOCK_BREAK {
            return Ok(Incoming::NotYet);
        }
        if header.message_id != message_id || !header.is_response() {
            let what = format!(
                "message {} came for message {message_id}",
                header.message_id
            );
            return Err(DriveError::Misbehaved { during, what });
        }
        if header.status == NtStatus::PENDING && header.async_id().is_some() {
            return Ok(Incoming::NotYet);
        }
        self.check_signature(&header, during, &bytes)?;
        Ok(Incoming::Answer(Message { header, bytes }))
    }

    fn check_signature(
        &self,
        header: &Header,
        during: &'static str,
        bytes: &[u8],
    ) -> Result<(), DriveError> {
        let Some(keys) = self.keys.as_ref().filter(|_| self.options.signing) else {
            return Ok(());
        };
        // MS-SMB2 3.3.4.1.1: a session that is no longer there has no key to sign with.
        if header.status == NtStatus::USER_SESSION_DELETED {
            return Ok(());
        }
        if !header.flags.contains(HeaderFlags::SIGNED) {
            let status = header.status;
            return Err(DriveError::NotSigned { during, status });
        }
        security::signing::verify(self.signing, &keys.signing, bytes).map_err(|error| {
            let what = error.to_string();
            DriveError::Misbehaved { during, what }
        })
    }

    /// Checks the last answer of a logon, which is the first one that is signed.
    ///
    /// # Errors
    /// As [`Session::handle_message`].
    pub(crate) fn check_logon_answer(&self, answer: &Message) -> Result<(), DriveError> {
        // MS-SMB2 3.3.5.5.3: signed from 3.1.1 on for everyone, before when the session signs.
        self.check_signature(&answer.header, "logon", &answer.bytes)
    }
}
