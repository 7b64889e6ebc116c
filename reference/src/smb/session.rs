//! MS-SMB2 3.3.5.5, 3.3.5.6: logging on and off.

use super::dispatch::Request;
use super::limits;
use super::negotiate::Negotiated;
use super::reply::{Hashed, Reply, Step};
use super::sealer::Sealer;
use super::state::State;
use super::trees::Trees;
use super::work::Replaced;
use crate::config::{Encryption, Signing};
use crate::users::User;
use fsrvp_wire::auth::ntlm::{self, Accepted, AcceptorConfig, LogonError};
use fsrvp_wire::auth::spnego::Acceptor;
use fsrvp_wire::security::{
    Cipher, PreauthHash, SecretKey, SessionKeys, SigningAlgorithm, signing,
};
use fsrvp_wire::smb2::session_setup::{self, SecurityMode, SessionFlags, SessionSetupFlags};
use fsrvp_wire::smb2::{NtStatus, logoff};
use std::sync::Arc;

/// MS-SMB2 3.3.1.8: one session.
#[derive(Debug)]
pub(crate) struct Session {
    /// The logon that is under way.
    logon: Option<Logon>,
    /// Who logged on.
    user: Option<User>,
    /// Signs what is sent and checks what comes.
    signer: Option<Signer>,
    /// Encrypts and decrypts, where a cipher was agreed on.
    sealer: Option<Arc<Sealer>>,
    /// Whether every request must be encrypted.
    pub(crate) encryption_required: bool,
    /// Whether every request must be signed.
    pub(crate) signing_required: bool,
    /// The shares that it is connected to.
    pub(crate) trees: Trees,
}

/// A logon that is under way.
#[derive(Debug)]
struct Logon {
    acceptor: Acceptor,
    legs: u32,
    preauth: Option<PreauthHash>,
}

/// Signs the messages of one session and checks their signatures.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    algorithm: SigningAlgorithm,
    key: SecretKey,
}

impl Signer {
    /// Signs a message in place.
    pub(crate) fn sign(&self, message: &mut [u8]) {
        if let Err(error) = signing::sign(self.algorithm, &self.key, message) {
            tracing::error!(%error, "a message was not signed");
        }
    }

    /// Whether a message's signature is right.
    pub(crate) fn verify(&self, message: &[u8]) -> bool {
        signing::verify(self.algorithm, &self.key, message).is_ok()
    }
}

impl Session {
    /// Whether somebody has logged on.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.user.is_some()
    }

    /// Who logged on.
    pub(crate) fn user(&self) -> Result<&User, NtStatus> {
        self.user.as_ref().ok_or(NtStatus::USER_SESSION_DELETED)
    }

    /// Signs what is sent and checks what comes; only after a logon.
    pub(crate) fn signer(&self) -> Option<Signer> {
        self.signer.clone()
    }

    /// Encrypts and decrypts; only after a logon with a cipher.
    pub(crate) fn sealer(&self) -> Option<Arc<Sealer>> {
        self.sealer.clone()
    }

    /// Takes a SESSION_SETUP message into the preauthentication hash.
    pub(crate) fn hash(&mut self, message: &[u8]) {
        if let Some(Logon {
            preauth: Some(hash),
            ..
        }) = &mut self.logon
        {
            hash.update(message);
        }
    }
}

/// MS-SMB2 3.3.5.5: one leg of a logon.
pub(crate) fn setup(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: session_setup::Request = request.body()?;
    if body.flags.contains(SessionSetupFlags::BINDING) {
        // MS-SMB2 3.3.5.5: without multichannel there is nothing to bind to.
        return Err(NtStatus::REQUEST_NOT_ACCEPTED);
    }
    let negotiated = state.negotiated()?.clone();
    let session_id = match request.header.session_id {
        0 => begin(state)?,
        id => id,
    };
    let mut logon = match state.session(session_id)?.logon.take() {
        Some(logon) => logon,
        None => new_logon(state, &negotiated),
    };
    logon.legs += 1;
    if let Some(hash) = &mut logon.preauth {
        hash.update(request.message.bytes());
    }
    let users = &state.server.users;
    let lookup = |user: &str, _domain: &str| Some(users.find(user)?.nt_hash());
    let outcome = match logon.acceptor.step(&body.security_buffer, &lookup) {
        Ok(_) if logon.legs > limits::LOGON_LEGS_MAX => {
            Err(refuse(state, session_id, "too many legs"))
        }
        Err(LogonError::Parse(error)) => {
            // A token of no sense is told from one that proves nothing.
            refuse(state, session_id, &error.to_string());
            Err(NtStatus::INVALID_PARAMETER)
        }
        other => other.map_err(|error| refuse(state, session_id, &error.to_string())),
    };
    match outcome {
        Ok(step) if step.done => {
            let accepted = logon.acceptor.into_accepted();
            let accepted = accepted.filter(|accepted| !accepted.anonymous);
            let accepted = accepted.ok_or_else(|| refuse(state, session_id, "nobody"))?;
            let requires = body.security_mode.contains(SecurityMode::SIGNING_REQUIRED);
            let logged_on = LoggedOn {
                accepted,
                preauth: logon.preauth,
                client_requires_signing: requires,
            };
            let reply = complete(state, session_id, &negotiated, logged_on, step.reply)?;
            replace(state, session_id, body.previous_session_id, reply)
        }
        Ok(step) => {
            state.session(session_id)?.logon = Some(logon);
            let mut reply = answer(
                NtStatus::MORE_PROCESSING_REQUIRED,
                session_id,
                SessionFlags::default(),
                step.reply,
            );
            reply.hashed = Hashed::Session(session_id);
            Ok(Step::Done(reply))
        }
        Err(status) => Err(status),
    }
}

/// What a logon has brought.
struct LoggedOn {
    accepted: Accepted,
    preauth: Option<PreauthHash>,
    client_requires_signing: bool,
}

/// Makes a session that nobody has logged on to.
fn begin(state: &mut State) -> Result<u64, NtStatus> {
    if state.sessions.len() >= limits::SESSIONS_MAX {
        return Err(NtStatus::TOO_MANY_SESSIONS);
    }
    Ok(state.add_session(Session {
        logon: None,
        user: None,
        signer: None,
        sealer: None,
        encryption_required: false,
        signing_required: false,
        trees: Trees::default(),
    }))
}

/// MS-SMB2 3.3.5.5.3: the session that the new one stands for ends before the client is answered,
/// so that nothing of it is still open when the client goes on.
fn replace(
    state: &mut State,
    session_id: u64,
    previous: u64,
    reply: Reply,
) -> Result<Step, NtStatus> {
    let holder = match state.holder_of(previous) {
        Some(holder) if previous != session_id => holder,
        _ => return Ok(Step::Done(reply)),
    };
    let user = state.session(session_id)?.user()?.name.clone();
    if holder != state.connection {
        let replaced = Replaced {
            connection: holder,
            session_id: previous,
            user,
        };
        let answer = move |_: &mut State, _| Ok(Step::Done(reply));
        return Ok(Step::EndSession(replaced, Box::new(answer)));
    }
    let before = state.session(previous).and_then(|session| session.user());
    if before.is_ok_and(|before| before.name == user) {
        state.end_session(previous);
    }
    Ok(Step::Done(reply))
}

fn new_logon(state: &mut State, negotiated: &Negotiated) -> Logon {
    let acceptor = Acceptor::new(ntlm::Acceptor::new(acceptor_config(state)));
    Logon {
        acceptor,
        legs: 0,
        preauth: negotiated.preauth.clone(),
    }
}

/// What an NTLM logon needs, with a fresh challenge.
fn acceptor_config(state: &mut State) -> AcceptorConfig {
    let mut server_challenge = [0; 8];
    state.entropy.fill(&mut server_challenge);
    let name = state.server.name.clone();
    AcceptorConfig {
        netbios_domain: name.clone(),
        dns_computer: name.to_lowercase(),
        dns_domain: String::new(),
        netbios_computer: name,
        time: state.wall_time.0,
        server_challenge,
        allow_anonymous: false,
    }
}

/// Ends a logon that failed. On an authenticated session the session ends with it.
fn refuse(state: &mut State, session_id: u64, reason: &str) -> NtStatus {
    tracing::info!(client = %state.client, reason, "logon refused");
    state.end_session(session_id);
    NtStatus::LOGON_FAILURE
}

fn answer(
    status: NtStatus,
    session_id: u64,
    session_flags: SessionFlags,
    security_buffer: Vec<u8>,
) -> Reply {
    let body = session_setup::Response {
        session_flags,
        security_buffer,
        ..session_setup::Response::default()
    };
    let mut reply = Reply::new(status, &body);
    reply.session_id = Some(session_id);
    reply
}

/// MS-SMB2 3.3.5.5.3: the logon is done; a session that was authenticated before keeps its keys.
fn complete(
    state: &mut State,
    session_id: u64,
    negotiated: &Negotiated,
    logged_on: LoggedOn,
    token: Vec<u8>,
) -> Result<Reply, NtStatus> {
    let user = state.server.users.find(&logged_on.accepted.user).cloned();
    let user = user.ok_or(NtStatus::LOGON_FAILURE)?;
    let server_requires = state.server.signing == Signing::Required;
    let encryption_required = state.server.encryption == Encryption::Required;
    if encryption_required && negotiated.cipher.is_none() {
        // MS-SMB2 3.3.5.5.3: who cannot encrypt has no business here.
        state.end_session(session_id);
        return Err(NtStatus::ACCESS_DENIED);
    }
    let client = state.client;
    let session = state.session(session_id)?;
    if let Some(before) = &session.user
        && before.name != user.name
    {
        return Err(refuse(
            state,
            session_id,
            "another user on the same session",
        ));
    }
    if session.signer.is_none() {
        let keys = SessionKeys::derive(
            negotiated.dialect.0,
            logged_on.accepted.session_key.as_bytes(),
            logged_on.preauth.as_ref().map(PreauthHash::value),
            negotiated.cipher.unwrap_or(Cipher::NONE),
        );
        let keys = keys.map_err(|_| NtStatus::INTERNAL_ERROR)?;
        let sealer = |cipher| Arc::new(Sealer::new(session_id, cipher, &keys));
        session.sealer = negotiated.cipher.map(sealer);
        session.encryption_required = encryption_required;
        session.signer = Some(Signer {
            algorithm: SigningAlgorithm(negotiated.signing_algorithm.0),
            key: keys.signing,
        });
        session.signing_required = server_requires || logged_on.client_requires_signing;
    }
    tracing::info!(%client, user = user.name, dialect = %negotiated.dialect, "logged on");
    session.user = Some(user);
    let session_flags = if encryption_required {
        SessionFlags::ENCRYPT_DATA
    } else {
        SessionFlags::default()
    };
    let mut reply = answer(NtStatus::SUCCESS, session_id, session_flags, token);
    reply.signer = session.signer.clone();
    Ok(reply)
}

/// MS-SMB2 3.3.5.6.
pub(crate) fn logoff(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let _: logoff::Request = request.body()?;
    state.session(request.header.session_id)?;
    state.end_session(request.header.session_id);
    Step::body(&logoff::Response::default())
}
