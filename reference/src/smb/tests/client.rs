//! A client over a connection without I/O.

use crate::agent::Now;
use crate::config::{Encryption, Signing, UserConfig};
use crate::smb::work::{FileDone, FileInfo, FileResult, FileWork};
use crate::smb::{Connection, Effect, EffectId, Replaced, Server};
use crate::users::Users;
use fsrvp_wire::auth::ntlm::{self, Credentials, InitiatorOptions, InitiatorRandom};
use fsrvp_wire::auth::spnego;
use fsrvp_wire::nbss;
use fsrvp_wire::security::{
    Cipher, PreauthHash, Secret, SecretKey, SessionKeys, SigningAlgorithm, sealing, signing,
};
use fsrvp_wire::smb2::create::{self, AccessMask, CreateAction, CreateDisposition};
use fsrvp_wire::smb2::fscc::FileAttributes;
use fsrvp_wire::smb2::negotiate::{self, Dialect};
use fsrvp_wire::smb2::negotiate_contexts::{
    ContextType, EncryptionCapabilities, HashAlgorithm, NegotiateContext,
    PreauthIntegrityCapabilities, SigningCapabilities,
};
use fsrvp_wire::smb2::{
    Body, Command, FileId, Header, HeaderFlags, NtStatus, compound, session_setup, tree_connect,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The one user of the tests.
pub(super) const USER: &str = "admin";
/// Its password.
pub(super) const PASSWORD: &str = "AdminPass1!";
/// A share whose requests have to be encrypted.
pub(super) const ENCRYPTED: &str = "vault";

pub(super) struct Client {
    pub(super) server: Arc<Server>,
    pub(super) connection: Connection,
    /// What the next logon takes the place of.
    pub(super) previous_session_id: u64,
    /// What it led to.
    pub(super) replaced: Option<Replaced>,
    pub(super) now: Now,
    pub(super) next_message_id: u64,
    pub(super) session_id: u64,
    pub(super) tree_id: u32,
    tree_is_disk: bool,
    dialect: Dialect,
    preauth: PreauthHash,
    algorithm: SigningAlgorithm,
    pub(super) key: Option<SecretKey>,
    /// What NEGOTIATE ended in.
    pub(super) cipher: Option<Cipher>,
    pub(super) keys: Option<SessionKeys>,
    /// What SESSION_SETUP ended in.
    pub(super) session_flags: session_setup::SessionFlags,
    /// Whether what is sent is encrypted.
    pub(super) seals: bool,
    sealed: u64,
}

impl Client {
    pub(super) fn new() -> Self {
        Client::of(Encryption::Allowed)
    }

    /// A client of a server with this `encryption`.
    pub(super) fn of(encryption: Encryption) -> Self {
        let user = UserConfig::with_password(USER, PASSWORD, &["Administrators"]);
        let users = Users::from_config(&[user]).expect("a good user");
        let server = Server::new(
            "TEST",
            Uuid::from_u128(7),
            Signing::Required,
            encryption,
            Arc::new(users),
        );
        Client::to(Arc::new(server))
    }

    /// A client of this server.
    pub(super) fn to(server: Arc<Server>) -> Self {
        let mut counter = 0_u8;
        let entropy = move |bytes: &mut [u8]| {
            counter += 1;
            bytes.fill(counter);
        };
        let now = Now {
            monotonic: Duration::ZERO,
            filetime: 133_000_000_000_000_000,
        };
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Client {
            connection: Connection::new(Arc::clone(&server), address, Box::new(entropy), now),
            server,
            previous_session_id: 0,
            replaced: None,
            now,
            next_message_id: 0,
            session_id: 0,
            tree_id: 0,
            tree_is_disk: false,
            dialect: Dialect::default(),
            preauth: PreauthHash::default(),
            algorithm: SigningAlgorithm::HMAC_SHA256,
            key: None,
            cipher: None,
            keys: None,
            session_flags: session_setup::SessionFlags::default(),
            seals: false,
            sealed: 0,
        }
    }

    /// A client that is logged on, and connected to `share`.
    pub(super) fn connected(dialect: Dialect, share: &str) -> Self {
        let mut client = Client::new();
        client.negotiate(&[dialect]);
        assert_eq!(client.log_on(USER, PASSWORD), NtStatus::SUCCESS);
        assert_eq!(client.connect(share), NtStatus::SUCCESS);
        client
    }

    /// A header for the next request, with everything that the session needs.
    pub(super) fn header(&mut self, command: Command) -> Header {
        let header = Header {
            message_id: self.next_message_id,
            session_id: self.session_id,
            tree_id: self.tree_id,
            credits: 8,
            ..Header::request(command)
        };
        self.next_message_id += 1;
        header
    }

    /// One message, signed when there is a key.
    pub(super) fn message<B: Body>(&mut self, body: &B) -> Vec<u8> {
        let header = self.header(B::COMMAND);
        self.finish(body.emit(&header))
    }

    pub(super) fn finish(&self, mut message: Vec<u8>) -> Vec<u8> {
        if let Some(key) = &self.key {
            signing::sign(self.algorithm, key, &mut message).expect("a message to sign");
        }
        message
    }

    /// Related requests behind a first one, in one frame.
    pub(super) fn compound(&mut self, messages: Vec<(Header, Vec<u8>)>) -> Vec<u8> {
        let last = messages.len();
        let mut frame = Vec::new();
        for (index, (header, mut message)) in messages.into_iter().enumerate() {
            message[..64].copy_from_slice(&header.emit());
            compound::pad(&mut message, index + 1 == last);
            frame.extend(self.finish(message));
        }
        frame
    }

    pub(super) fn send(&mut self, payload: &[u8]) {
        let sealed;
        let payload = if let (true, Some(cipher), Some(keys)) =
            (self.seals, self.cipher, &self.keys)
        {
            self.sealed += 1;
            let nonce = sealing::nonce_from_counter(self.sealed);
            let key = &keys.client_to_server;
            sealed = sealing::seal(cipher, key, &nonce, self.session_id, payload).expect("sealed");
            &sealed
        } else {
            payload
        };
        let frame = nbss::emit(payload).expect("a short payload");
        self.connection.handle_bytes(&frame, self.now);
    }

    /// The messages of the next frame from the server.
    pub(super) fn receive(&mut self) -> Option<Vec<Vec<u8>>> {
        let frame = self.connection.poll_output()?.into_bytes();
        let mut payload = frame[nbss::HEADER_LEN..].to_vec();
        // An answer is encrypted where its request was, and nowhere else.
        assert_eq!(sealing::is_sealed(&payload), self.seals);
        if let (true, Some(cipher), Some(keys)) = (self.seals, self.cipher, &self.keys) {
            payload = sealing::open(cipher, &keys.server_to_client, &payload).expect("opened");
        }
        let messages = compound::split(&payload).expect("good messages");
        Some(messages.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// The one message of the next frame, with its signature checked where it has one.
    pub(super) fn receive_one(&mut self) -> (Header, Vec<u8>) {
        let messages = self.receive().expect("an answer");
        assert_eq!(messages.len(), 1);
        self.checked(messages.into_iter().next().expect("one"))
    }

    pub(super) fn checked(&self, message: Vec<u8>) -> (Header, Vec<u8>) {
        let header = Header::parse(&message).expect("a header");
        if let Some(key) = &self.key
            && header.flags.contains(HeaderFlags::SIGNED)
        {
            signing::verify(self.algorithm, key, &message).expect("a right signature");
        }
        (header, message)
    }

    /// Sends one request and gives the status of its answer.
    pub(super) fn status<B: Body>(&mut self, body: &B) -> NtStatus {
        let message = self.message(body);
        self.send(&message);
        self.receive_one().0.status
    }

    /// Sends one request that succeeds.
    pub(super) fn ask<B: Body, R: Body>(&mut self, body: &B) -> R {
        let message = self.message(body);
        self.send(&message);
        self.answer()
    }

    /// The answer of a request that succeeded.
    pub(super) fn answer<R: Body>(&mut self) -> R {
        let (header, message) = self.receive_one();
        assert_eq!(header.status, NtStatus::SUCCESS);
        R::parse(&message).expect("the body").1
    }

    pub(super) fn negotiate(&mut self, dialects: &[Dialect]) -> negotiate::Response {
        let contexts = if dialects.contains(&Dialect::SMB_3_1_1) {
            offered_contexts()
        } else {
            Vec::new()
        };
        self.negotiate_with(dialects, contexts)
    }

    pub(super) fn negotiate_with(
        &mut self,
        dialects: &[Dialect],
        negotiate_contexts: Vec<NegotiateContext>,
    ) -> negotiate::Response {
        let request = negotiate::Request {
            security_mode: negotiate::SecurityMode::SIGNING_ENABLED,
            capabilities: negotiate::Capabilities::ENCRYPTION,
            client_guid: Uuid::from_u128(9),
            dialects: dialects.to_vec(),
            negotiate_contexts,
            ..negotiate::Request::default()
        };
        let message = self.message(&request);
        self.preauth.update(&message);
        self.send(&message);
        let (header, answer) = self.receive_one();
        assert_eq!(header.status, NtStatus::SUCCESS);
        self.preauth.update(&answer);
        let response = negotiate::Response::parse(&answer).expect("the body").1;
        self.dialect = response.dialect_revision;
        self.algorithm = SigningAlgorithm::default_of(self.dialect.0);
        self.cipher = response
            .capabilities
            .contains(negotiate::Capabilities::ENCRYPTION)
            .then_some(Cipher::AES_128_CCM);
        for context in &response.negotiate_contexts {
            if context.context_type == ContextType::ENCRYPTION_CAPABILITIES {
                let chosen = EncryptionCapabilities::parse(&context.data).expect("the data");
                self.cipher = Some(Cipher(chosen.ciphers[0].0)).filter(|c| *c != Cipher::NONE);
            }
            if context.context_type == ContextType::SIGNING_CAPABILITIES {
                let chosen = SigningCapabilities::parse(&context.data).expect("the data");
                self.algorithm = SigningAlgorithm(chosen.signing_algorithms[0].0);
            }
        }
        response
    }

    pub(super) fn log_on(&mut self, user: &str, password: &str) -> NtStatus {
        let random = InitiatorRandom {
            client_challenge: [1; 8],
            exported_session_key: Secret::new([2; 16]),
            time: u64::try_from(self.now.filetime).expect("a time"),
        };
        let credentials = Credentials::user(user, "", password);
        let ntlm = ntlm::Initiator::new(credentials, InitiatorOptions::default(), random);
        let mut initiator = spnego::Initiator::new(ntlm);
        let mut token = initiator.start();
        let mut preauth = self.preauth.clone();
        loop {
            let request = session_setup::Request {
                security_mode: session_setup::SecurityMode::SIGNING_ENABLED,
                security_buffer: token,
                previous_session_id: self.previous_session_id,
                ..session_setup::Request::default()
            };
            let message = self.message(&request);
            preauth.update(&message);
            self.send(&message);
            if let Some((id, Effect::EndSession(replaced))) = self.connection.poll_effect() {
                assert!(
                    self.connection.poll_output().is_none(),
                    "answered too early"
                );
                self.replaced = Some(replaced);
                self.done(id, Ok(FileDone::Nothing));
            }
            let (header, answer) = self.receive_one();
            if header.status == NtStatus::SUCCESS {
                let key = initiator.session_key().expect("a session key");
                let keys = SessionKeys::derive(
                    self.dialect.0,
                    key.as_bytes(),
                    Some(preauth.value()),
                    self.cipher.unwrap_or(Cipher::NONE),
                );
                let keys = keys.expect("keys");
                self.key = Some(keys.signing.clone());
                self.keys = Some(keys);
                let body = session_setup::Response::parse(&answer).expect("the body").1;
                self.session_flags = body.session_flags;
                assert!(header.flags.contains(HeaderFlags::SIGNED));
                self.checked(answer);
                return header.status;
            }
            if header.status != NtStatus::MORE_PROCESSING_REQUIRED {
                self.session_id = 0;
                return header.status;
            }
            preauth.update(&answer);
            self.session_id = header.session_id;
            let response = session_setup::Response::parse(&answer).expect("the body").1;
            token = initiator
                .step(&response.security_buffer)
                .expect("a good token")
                .reply;
        }
    }

    pub(super) fn connect(&mut self, share: &str) -> NtStatus {
        let request = tree_connect::Request {
            path: format!(r"\\server\{share}").into(),
            ..tree_connect::Request::default()
        };
        let message = self.message(&request);
        self.send(&message);
        self.tree_is_disk = false;
        if let Some((id, work)) = self.work() {
            self.tree_is_disk = true;
            assert!(matches!(work, FileWork::ConnectTree { .. }));
            let maximal_access = AccessMask::FILE_ALL_ACCESS;
            let tree = FileDone::Tree {
                maximal_access,
                encrypts: share == ENCRYPTED,
            };
            self.done(id, Ok(tree));
        }
        let (header, _) = self.receive_one();
        self.tree_id = header.tree_id;
        header.status
    }

    /// The next piece of file work.
    pub(super) fn work(&mut self) -> Option<(EffectId, FileWork)> {
        match self.connection.poll_effect()? {
            (id, Effect::File(work)) => Some((id, work)),
            (_, other) => panic!("not file work but {other:?}"),
        }
    }

    pub(super) fn done(&mut self, id: EffectId, result: FileResult) {
        self.connection.handle_completion(id, result, self.now);
    }

    /// Plays the outside for an open that succeeds.
    pub(super) fn let_open(&mut self) {
        let (id, work) = self.work().expect("an open");
        assert!(matches!(work, FileWork::Open(_)), "{work:?}");
        let opened = FileDone::Opened {
            granted_access: AccessMask::FILE_ALL_ACCESS,
            maximal_access: AccessMask::FILE_ALL_ACCESS,
            action: CreateAction::OPENED,
            info: FileInfo {
                attributes: FileAttributes::NORMAL,
                ..FileInfo::default()
            },
        };
        self.done(id, Ok(opened));
    }

    /// Opens a file or pipe.
    pub(super) fn open(&mut self, name: &str) -> FileId {
        let message = self.message(&open_request(name));
        self.send(&message);
        if self.tree_is_disk {
            self.let_open();
        }
        let response: create::Response = self.answer();
        response.file_id
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        let due = self.connection.poll_timeout();
        if due.is_some_and(|due| due <= self.now.monotonic) {
            self.connection.handle_timeout(self.now);
        }
    }
}

/// Opens what is there.
pub(super) fn open_request(name: &str) -> create::Request {
    create::Request {
        impersonation_level: create::ImpersonationLevel::IMPERSONATION,
        desired_access: AccessMask::FILE_GENERIC_READ,
        create_disposition: CreateDisposition::OPEN,
        name: name.into(),
        ..create::Request::default()
    }
}

/// What a client of 3.1.1 offers: SHA-512 and every signing algorithm.
pub(super) fn offered_contexts() -> Vec<NegotiateContext> {
    use fsrvp_wire::smb2::negotiate_contexts::SigningAlgorithm as Offered;
    let preauth = PreauthIntegrityCapabilities {
        hash_algorithms: vec![HashAlgorithm::SHA_512],
        salt: vec![5; 32],
    };
    let signing = SigningCapabilities {
        signing_algorithms: vec![Offered::AES_CMAC, Offered::AES_GMAC, Offered::HMAC_SHA256],
    };
    vec![preauth.to_context(), signing.to_context()]
}
