//! MS-NLMP 3.1.5: the client's side of a logon.

use super::crypto::{
    NtHash, client_challenge, lm_v2_response, mic, nt_proof, ntowf_v2, rc4k, session_base_key,
};
use super::messages::authenticate::MIC_RANGE;
use super::{
    AuthenticateMessage, AvId, AvPairs, ChallengeMessage, LogonError, NegotiateFlags,
    NegotiateMessage, Role, SecurityContext,
};
use crate::security::Secret;
use std::fmt;

/// MS-NLMP 2.2.2.10 VERSION: Windows 6.1, NTLM revision 15, as other implementations send it.
pub(super) const VERSION: [u8; 8] = [6, 1, 0, 0, 0, 0, 0, 15];
const NEEDED: NegotiateFlags = NegotiateFlags(
    NegotiateFlags::UNICODE.0
        | NegotiateFlags::NTLM.0
        | NegotiateFlags::EXTENDED_SESSION_SECURITY.0,
);

/// Who logs on.
#[derive(Clone)]
pub enum Credentials {
    /// Nobody: the server gives what it gives to anonymous callers.
    Anonymous,
    /// A user.
    User {
        /// The user's name.
        user: String,
        /// The domain or machine that knows the user; may be empty.
        domain: String,
        /// The hash of the user's password, see [`NtHash::of_password`].
        nt_hash: NtHash,
    },
}

impl Credentials {
    /// A user with a password.
    #[must_use]
    pub fn user(user: &str, domain: &str, password: &str) -> Self {
        Self::User {
            user: user.to_owned(),
            domain: domain.to_owned(),
            nt_hash: NtHash::of_password(password),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::User { user, domain, .. } => write!(f, "User({domain}\\{user})"),
        }
    }
}

/// What an initiator asks for.
#[derive(Debug, Clone, Default)]
pub struct InitiatorOptions {
    /// The client machine's name, sent for information.
    pub workstation: String,
    /// The service principal name that is meant, such as `cifs/server`.
    pub target_name: Option<String>,
    /// MD5 of the channel bindings of a TLS channel; zero bytes are sent for none.
    pub channel_bindings: Option<[u8; 16]>,
    /// Asks for sealing beside signing.
    pub seal: bool,
}

/// What must be fresh in every logon.
#[derive(Debug, Clone)]
pub struct InitiatorRandom {
    /// The client's challenge.
    pub client_challenge: [u8; 8],
    /// The session key, if keys are exchanged.
    pub exported_session_key: Secret<16>,
    /// Now, as a FILETIME; used where the server does not state its own.
    pub time: u64,
}

/// The client's side of one logon: [`negotiate`](Self::negotiate), then
/// [`handle_challenge`](Self::handle_challenge), then [`session_key`](Self::session_key) and
/// [`into_context`](Self::into_context).
#[derive(Debug)]
pub struct Initiator {
    credentials: Credentials,
    options: InitiatorOptions,
    random: InitiatorRandom,
    negotiate_message: Vec<u8>,
    agreed: Option<Agreed>,
}

#[derive(Debug)]
struct Agreed {
    flags: NegotiateFlags,
    exported_session_key: Secret<16>,
}

/// The responses to a challenge and the key that follows from them.
struct Responses {
    lm: Vec<u8>,
    nt: Vec<u8>,
    key_exchange_key: Secret<16>,
    with_mic: bool,
}

impl Initiator {
    /// A logon that has not begun.
    #[must_use]
    pub fn new(
        credentials: Credentials,
        options: InitiatorOptions,
        random: InitiatorRandom,
    ) -> Self {
        Self {
            credentials,
            options,
            random,
            negotiate_message: Vec::new(),
            agreed: None,
        }
    }

    /// MS-NLMP 3.1.5.1.1: the first token.
    pub fn negotiate(&mut self) -> Vec<u8> {
        let message = NegotiateMessage {
            negotiate_flags: self.offered(),
            domain_name: Vec::new(),
            workstation: Vec::new(),
            version: Some(VERSION),
        };
        self.negotiate_message = message.emit();
        self.negotiate_message.clone()
    }

    fn offered(&self) -> NegotiateFlags {
        let flags = NEEDED
            | NegotiateFlags::REQUEST_TARGET
            | NegotiateFlags::SIGN
            | NegotiateFlags::ALWAYS_SIGN
            | NegotiateFlags::TARGET_INFO
            | NegotiateFlags::VERSION
            | NegotiateFlags::KEY_128
            | NegotiateFlags::KEY_EXCHANGE;
        if self.options.seal {
            flags | NegotiateFlags::SEAL
        } else {
            flags
        }
    }

    /// MS-NLMP 3.1.5.1.2: answers the server's challenge with the second token.
    ///
    /// # Errors
    /// A challenge that does not parse, comes out of turn, or agrees to too little.
    pub fn handle_challenge(&mut self, token: &[u8]) -> Result<Vec<u8>, LogonError> {
        if self.negotiate_message.is_empty() || self.agreed.is_some() {
            return Err(LogonError::OutOfTurn);
        }
        let challenge = ChallengeMessage::parse(token)?;
        let mut flags = self.offered() & challenge.negotiate_flags;
        if !flags.contains(NEEDED) {
            return Err(LogonError::NotAgreed(
                "unicode, ntlm and extended session security",
            ));
        }
        if self.options.seal && !flags.contains(NegotiateFlags::SEAL) {
            return Err(LogonError::NotAgreed("sealing"));
        }
        if matches!(self.credentials, Credentials::Anonymous) {
            flags = flags | NegotiateFlags::ANONYMOUS;
        }
        let responses = self.responses(&challenge)?;
        let (exported_session_key, encrypted) = if flags.contains(NegotiateFlags::KEY_EXCHANGE) {
            let exported = self.random.exported_session_key.clone();
            let encrypted = rc4k(&responses.key_exchange_key, *exported.as_bytes());
            (exported, encrypted.to_vec())
        } else {
            (responses.key_exchange_key.clone(), Vec::new())
        };
        let message = self.authenticate_message(flags, responses, encrypted);
        let mut bytes = message.emit();
        if message.mic.is_some() {
            let code = mic(
                &exported_session_key,
                &self.negotiate_message,
                token,
                &bytes,
            );
            if let Some(field) = bytes.get_mut(MIC_RANGE) {
                field.copy_from_slice(&code);
            }
        }
        self.agreed = Some(Agreed {
            flags,
            exported_session_key,
        });
        Ok(bytes)
    }

    fn authenticate_message(
        &self,
        negotiate_flags: NegotiateFlags,
        responses: Responses,
        encrypted_random_session_key: Vec<u8>,
    ) -> AuthenticateMessage {
        let (user, domain) = match &self.credentials {
            Credentials::Anonymous => ("", ""),
            Credentials::User { user, domain, .. } => (user.as_str(), domain.as_str()),
        };
        AuthenticateMessage {
            lm_challenge_response: responses.lm,
            nt_challenge_response: responses.nt,
            domain_name: utf16(domain),
            user_name: utf16(user),
            workstation: utf16(&self.options.workstation),
            encrypted_random_session_key,
            negotiate_flags,
            version: Some(VERSION),
            mic: responses.with_mic.then_some([0; 16]),
        }
    }

    fn responses(&self, challenge: &ChallengeMessage) -> Result<Responses, LogonError> {
        let Credentials::User {
            user,
            domain,
            nt_hash,
        } = &self.credentials
        else {
            return Ok(Responses {
                lm: vec![0],
                nt: Vec::new(),
                key_exchange_key: Secret::new([0; 16]),
                with_mic: false,
            });
        };
        let mut av_pairs = if challenge.target_info.is_empty() {
            AvPairs::default()
        } else {
            AvPairs::parse(&challenge.target_info)?.0
        };
        // A server that states its time wants a MIC, and no LM response beside it.
        let server_time = av_pairs.timestamp();
        if server_time.is_some() {
            let av_flags = av_pairs.flags() | AvPairs::FLAG_MIC;
            av_pairs.set(AvId::FLAGS, av_flags.to_le_bytes().to_vec());
        }
        let bindings = self.options.channel_bindings.unwrap_or_default();
        av_pairs.set(AvId::CHANNEL_BINDINGS, bindings.to_vec());
        if let Some(target_name) = &self.options.target_name {
            av_pairs.set(AvId::TARGET_NAME, utf16(target_name));
        }
        let time = server_time.unwrap_or(self.random.time);
        let temp = client_challenge(time, self.random.client_challenge, &av_pairs.emit());
        let key = ntowf_v2(nt_hash, user, domain);
        let proof = nt_proof(&key, &challenge.server_challenge, &temp);
        let lm = if server_time.is_some() {
            vec![0; 24]
        } else {
            lm_v2_response(
                &key,
                &challenge.server_challenge,
                &self.random.client_challenge,
            )
        };
        Ok(Responses {
            lm,
            nt: [&proof[..], &temp].concat(),
            key_exchange_key: session_base_key(&key, &proof),
            with_mic: server_time.is_some(),
        })
    }

    /// The exported session key, once the challenge was answered.
    #[must_use]
    pub fn session_key(&self) -> Option<Secret<16>> {
        self.agreed
            .as_ref()
            .map(|agreed| agreed.exported_session_key.clone())
    }

    /// The session security of the client in its first state, once the challenge was answered.
    pub(in crate::auth) fn context(&self) -> Option<SecurityContext> {
        self.agreed.as_ref().map(|agreed| {
            SecurityContext::new(Role::Client, agreed.flags, &agreed.exported_session_key)
        })
    }

    /// The session security of the client, once the challenge was answered; ends the logon.
    #[must_use]
    pub fn into_context(self) -> Option<SecurityContext> {
        self.context()
    }
}

/// Text as NTLM carries it.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
