//! A client that can say anything: it logs on as others do, and then sends what it is told.

use fsrvp_wire::auth::ntlm::{self, Credentials, InitiatorOptions, InitiatorRandom};
use fsrvp_wire::auth::spnego;
use fsrvp_wire::nbss;
use fsrvp_wire::security::{Cipher, Secret, SecretKey, SessionKeys, SigningAlgorithm, signing};
use fsrvp_wire::smb2::create::{
    self, AccessMask, CreateDisposition, CreateOptions, ImpersonationLevel, ShareAccess,
};
use fsrvp_wire::smb2::negotiate::{self, Dialect};
use fsrvp_wire::smb2::{
    Body, Command, FileId, Header, NtStatus, Utf16, read, session_setup, tree_connect,
};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No preauthentication hash, and so no more state than a key.
const DIALECT: Dialect = Dialect(0x0302);

/// How long the server may take to answer, or to end a connection.
const WAIT: Duration = Duration::from_secs(20);

/// A connection that is told what to say.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) next_message_id: u64,
    pub(crate) session_id: u64,
    pub(crate) tree_id: u32,
    key: Option<SecretKey>,
}

impl Raw {
    /// Connects, and says nothing.
    pub(crate) fn silent(address: SocketAddr) -> Raw {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(WAIT)).expect("a limit");
        stream.set_write_timeout(Some(WAIT)).expect("a limit");
        stream.set_nodelay(true).expect("no delay");
        Raw {
            stream,
            next_message_id: 0,
            session_id: 0,
            tree_id: 0,
            key: None,
        }
    }

    /// Connects and negotiates.
    pub(crate) fn negotiated(address: SocketAddr) -> Raw {
        let mut raw = Raw::silent(address);
        let request = negotiate::Request {
            dialects: vec![DIALECT],
            ..negotiate::Request::default()
        };
        assert_eq!(raw.status(&request), NtStatus::SUCCESS);
        raw
    }

    /// Connects, logs on as the server's administrator and enters a share.
    pub(crate) fn inside(address: SocketAddr, share: &str) -> Raw {
        let mut raw = Raw::negotiated(address);
        assert_eq!(raw.log_on(), NtStatus::SUCCESS);
        assert_eq!(raw.enter(share), NtStatus::SUCCESS);
        raw
    }

    pub(crate) fn log_on(&mut self) -> NtStatus {
        let random = InitiatorRandom {
            client_challenge: [1; 8],
            exported_session_key: Secret::new([2; 16]),
            time: 133_000_000_000_000_000,
        };
        let credentials = Credentials::user("admin", "", "secret-of-admin");
        let ntlm = ntlm::Initiator::new(credentials, InitiatorOptions::default(), random);
        let mut initiator = spnego::Initiator::new(ntlm);
        let mut token = initiator.start();
        (self.session_id, self.key) = (0, None);
        loop {
            let request = session_setup::Request {
                security_mode: session_setup::SecurityMode::SIGNING_ENABLED,
                security_buffer: token,
                ..session_setup::Request::default()
            };
            let (header, answer) = self.ask(&request);
            self.session_id = header.session_id;
            if header.status == NtStatus::SUCCESS {
                let key = initiator.session_key().expect("a session key");
                let keys = SessionKeys::derive(DIALECT.0, key.as_bytes(), None, Cipher::NONE);
                self.key = Some(keys.expect("keys").signing);
            }
            if header.status != NtStatus::MORE_PROCESSING_REQUIRED {
                return header.status;
            }
            let (_, body) = session_setup::Response::parse(&answer).expect("a body");
            token = initiator
                .step(&body.security_buffer)
                .expect("a good token")
                .reply;
        }
    }

    pub(crate) fn enter(&mut self, share: &str) -> NtStatus {
        let request = tree_connect::Request {
            path: format!(r"\\server\{share}").into(),
            ..tree_connect::Request::default()
        };
        let (header, _) = self.ask(&request);
        if header.status == NtStatus::SUCCESS {
            self.tree_id = header.tree_id;
        }
        header.status
    }

    /// A header for the next request.
    pub(crate) fn header(&mut self, command: Command) -> Header {
        let header = Header {
            message_id: self.next_message_id,
            session_id: self.session_id,
            tree_id: self.tree_id,
            credits: 64,
            credit_charge: 1,
            ..Header::request(command)
        };
        self.next_message_id += 1;
        header
    }

    /// The next request, signed where there is a key.
    pub(crate) fn message<B: Body>(&mut self, body: &B) -> Vec<u8> {
        let header = self.header(B::COMMAND);
        self.signed(body.emit(&header))
    }

    pub(crate) fn signed(&self, mut message: Vec<u8>) -> Vec<u8> {
        if let Some(key) = &self.key {
            let algorithm = SigningAlgorithm::default_of(DIALECT.0);
            signing::sign(algorithm, key, &mut message).expect("a message to sign");
        }
        message
    }

    /// Sends a message in a frame.
    pub(crate) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let frame = nbss::emit(message).expect("a short message");
        self.stream.write_all(&frame)
    }

    /// The next message; `None` when the server has ended the connection.
    pub(crate) fn receive(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut head = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut head) {
            assert!(is_end(&error), "neither an answer nor an end: {error}");
            return None;
        }
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]);
        let mut message = vec![0; usize::try_from(length).expect("a length")];
        self.stream.read_exact(&mut message).expect("a whole frame");
        let header = Header::parse(&message).expect("a header");
        Some((header, message))
    }

    /// Sends a request and waits for its answer, past the word that it waits.
    pub(crate) fn ask<B: Body>(&mut self, body: &B) -> (Header, Vec<u8>) {
        let message = self.message(body);
        self.send(&message).expect("sent");
        self.answer()
    }

    pub(crate) fn answer(&mut self) -> (Header, Vec<u8>) {
        loop {
            let (header, message) = self.receive().expect("an answer");
            if header.status != NtStatus::PENDING {
                return (header, message);
            }
        }
    }

    pub(crate) fn status<B: Body>(&mut self, body: &B) -> NtStatus {
        self.ask(body).0.status
    }

    /// Whether the server ends the connection, and says nothing more than `answers` before.
    pub(crate) fn is_ended(&mut self) -> bool {
        self.receive().is_none()
    }

    /// Opens or makes a file of the share, by a name of any units.
    pub(crate) fn create(
        &mut self,
        name: impl Into<Utf16>,
        disposition: CreateDisposition,
        options: CreateOptions,
    ) -> Result<FileId, NtStatus> {
        let access = match disposition {
            CreateDisposition::OPEN => AccessMask::FILE_GENERIC_READ | AccessMask::DELETE,
            _ => AccessMask::FILE_ALL_ACCESS,
        };
        self.create_with(name.into(), access, disposition, options)
    }

    fn create_with(
        &mut self,
        name: Utf16,
        desired_access: AccessMask,
        disposition: CreateDisposition,
        options: CreateOptions,
    ) -> Result<FileId, NtStatus> {
        let request = create::Request {
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access,
            share_access: ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE,
            create_disposition: disposition,
            create_options: options,
            name,
            ..create::Request::default()
        };
        let (header, answer) = self.ask(&request);
        match header.status {
            NtStatus::SUCCESS => {
                let (_, body) = create::Response::parse(&answer).expect("a body");
                Ok(body.file_id)
            }
            status => Err(status),
        }
    }

    /// Opens a file that is there.
    pub(crate) fn open(&mut self, name: &str) -> Result<FileId, NtStatus> {
        self.create(name, CreateDisposition::OPEN, CreateOptions::default())
    }

    /// Opens a file that is there, to write.
    pub(crate) fn open_to_write(&mut self, name: &str) -> Result<FileId, NtStatus> {
        let wanted = AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE;
        self.create_with(
            name.into(),
            wanted,
            CreateDisposition::OPEN,
            CreateOptions::default(),
        )
    }

    /// The first bytes of an open file.
    pub(crate) fn read(&mut self, file_id: FileId) -> Result<Vec<u8>, NtStatus> {
        let request = read::Request {
            length: 4096,
            file_id,
            ..read::Request::default()
        };
        let (header, answer) = self.ask(&request);
        match header.status {
            NtStatus::SUCCESS => Ok(read::Response::parse(&answer).expect("a body").1.data),
            status => Err(status),
        }
    }
}

/// Whether the server has ended the connection.
pub(crate) fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
