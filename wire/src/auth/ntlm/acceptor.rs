//! MS-NLMP 3.2.5: the server's side of a logon.

use super::crypto::{NtHash, mic, nt_proof, ntowf_v2, rc4k, session_base_key};
use super::initiator::{VERSION, utf16};
use super::messages::authenticate::MIC_RANGE;
use super::{
    AuthenticateMessage, AvId, AvPairs, ChallengeMessage, LogonError, NegotiateFlags,
    NegotiateMessage, Role, SecurityContext,
};
use crate::security::Secret;
use crate::security::secret::constant_time_eq;

/// MS-NLMP 2.2.2.8 the shortest NTLMv2 response: the proof and the fixed part of what it covers.
const NTLM_V2_RESPONSE_MIN: usize = 16 + 28;
/// What an acceptor agrees to if the client offers it.
const SUPPORTED: NegotiateFlags = NegotiateFlags(
    NegotiateFlags::UNICODE.0
        | NegotiateFlags::REQUEST_TARGET.0
        | NegotiateFlags::SIGN.0
        | NegotiateFlags::SEAL.0
        | NegotiateFlags::NTLM.0
        | NegotiateFlags::ALWAYS_SIGN.0
        | NegotiateFlags::EXTENDED_SESSION_SECURITY.0
        | NegotiateFlags::VERSION.0
        | NegotiateFlags::KEY_128.0
        | NegotiateFlags::KEY_EXCHANGE.0
        | NegotiateFlags::KEY_56.0,
);

/// Finds the hash of a user by the names on the wire: user, then domain.
pub type Lookup<'a> = dyn Fn(&str, &str) -> Option<NtHash> + 'a;

/// Who the server is, and what must be fresh in every logon.
#[derive(Debug, Clone)]
pub struct AcceptorConfig {
    /// The machine's NetBIOS name.
    pub netbios_computer: String,
    /// The domain's NetBIOS name; a machine without domain states its own.
    pub netbios_domain: String,
    /// The machine's DNS name; may be empty.
    pub dns_computer: String,
    /// The domain's DNS name; may be empty.
    pub dns_domain: String,
    /// Now, as a FILETIME.
    pub time: u64,
    /// The challenge, fresh and unpredictable.
    pub server_challenge: [u8; 8],
    /// Accepts anonymous logons; [`Accepted::anonymous`] then tells them apart.
    pub allow_anonymous: bool,
}

/// A logon that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The user's name on the wire; empty when anonymous.
    pub user: String,
    /// The user's domain on the wire.
    pub domain: String,
    /// The client machine's name, which nothing proves.
    pub workstation: String,
    /// The exported session key.
    pub session_key: Secret<16>,
    /// Nobody proved anything.
    pub anonymous: bool,
    /// Session security; missing only for an anonymous client that did not agree to extended
    /// session security.
    pub context: Option<SecurityContext>,
}

/// The server's side of one logon: [`handle_negotiate`](Self::handle_negotiate), then
/// [`handle_authenticate`](Self::handle_authenticate), once.
#[derive(Debug)]
pub struct Acceptor {
    config: AcceptorConfig,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    Challenged {
        negotiate: Vec<u8>,
        challenge: Vec<u8>,
        flags: NegotiateFlags,
    },
    Done,
}

impl Acceptor {
    /// A logon that has not begun.
    #[must_use]
    pub fn new(config: AcceptorConfig) -> Self {
        Self {
            config,
            state: State::Start,
        }
    }

    /// MS-NLMP 3.2.5.1.1: answers the client's first token with the challenge.
    ///
    /// # Errors
    /// A token that does not parse, comes out of turn, or offers too little.
    pub fn handle_negotiate(&mut self, token: &[u8]) -> Result<Vec<u8>, LogonError> {
        if !matches!(self.state, State::Start) {
            return Err(LogonError::OutOfTurn);
        }
        let message = NegotiateMessage::parse(token)?;
        let offered = message.negotiate_flags;
        let needed = NegotiateFlags::UNICODE | NegotiateFlags::EXTENDED_SESSION_SECURITY;
        if !offered.contains(needed) {
            return Err(LogonError::NotAgreed(
                "unicode and extended session security",
            ));
        }
        let flags = (offered & SUPPORTED)
            | NegotiateFlags::NTLM
            | NegotiateFlags::TARGET_INFO
            | NegotiateFlags::TARGET_TYPE_SERVER;
        let challenge = ChallengeMessage {
            target_name: utf16(&self.config.netbios_computer),
            negotiate_flags: flags,
            server_challenge: self.config.server_challenge,
            reserved: [0; 8],
            target_info: self.target_info().emit(),
            version: Some(VERSION),
        }
        .emit();
        self.state = State::Challenged {
            negotiate: token.to_vec(),
            challenge: challenge.clone(),
            flags,
        };
        Ok(challenge)
    }

    fn target_info(&self) -> AvPairs {
        let mut pairs = AvPairs::default();
        pairs.set(AvId::NB_DOMAIN_NAME, utf16(&self.config.netbios_domain));
        pairs.set(AvId::NB_COMPUTER_NAME, utf16(&self.config.netbios_computer));
        pairs.set(AvId::DNS_DOMAIN_NAME, utf16(&self.config.dns_domain));
        pairs.set(AvId::DNS_COMPUTER_NAME, utf16(&self.config.dns_computer));
        pairs.set(AvId::TIMESTAMP, self.config.time.to_le_bytes().to_vec());
        pairs
    }

    /// MS-NLMP 3.2.5.1.2: judges the client's second token.
    ///
    /// The proof is compared before anything else of the token is believed, the MIC afterwards.
    ///
    /// # Errors
    /// Every reason not to let the client in. After an error the logon is over.
    pub fn handle_authenticate(
        &mut self,
        token: &[u8],
        lookup: &Lookup<'_>,
    ) -> Result<Accepted, LogonError> {
        let State::Challenged {
            negotiate,
            challenge,
            flags,
        } = std::mem::replace(&mut self.state, State::Done)
        else {
            return Err(LogonError::OutOfTurn);
        };
        let message = AuthenticateMessage::parse(token)?;
        let flags = flags & message.negotiate_flags;
        if is_anonymous(&message) {
            return self.accept_anonymous(&message, flags);
        }
        let user = text(&message.user_name, message.negotiate_flags);
        let domain = text(&message.domain_name, message.negotiate_flags);
        let proved = self.prove(&message, user.as_deref(), domain.as_deref(), lookup)?;
        let needed = NegotiateFlags::UNICODE | NegotiateFlags::EXTENDED_SESSION_SECURITY;
        if !flags.contains(needed) {
            return Err(LogonError::NotAgreed(
                "unicode and extended session security",
            ));
        }
        let session_key = exported_session_key(&message, flags, proved.key_exchange_key)?;
        check_mic(
            &message,
            proved.mic_promised,
            |zeroed| mic(&session_key, &negotiate, &challenge, zeroed),
            token,
        )?;
        Ok(Accepted {
            user: user.unwrap_or_default(),
            domain: domain.unwrap_or_default(),
            workstation: text(&message.workstation, message.negotiate_flags).unwrap_or_default(),
            context: Some(SecurityContext::new(Role::Server, flags, &session_key)),
            session_key,
            anonymous: false,
        })
    }

    /// Compares NTProofStr in constant time; an unknown user costs the same work.
    fn prove(
        &self,
        message: &AuthenticateMessage,
        user: Option<&str>,
        domain: Option<&str>,
        lookup: &Lookup<'_>,
    ) -> Result<Proved, LogonError> {
        let response = &message.nt_challenge_response;
        let (proof, temp) = response.split_at_checked(16).ok_or(LogonError::NotNtlmV2)?;
        if !is_ntlm_v2(response) {
            return Err(LogonError::NotNtlmV2);
        }
        // A list that cannot be read makes no sense whoever sends it, so this tells nobody anything.
        let (av_pairs, _reserved) = AvPairs::parse(temp.get(28..).unwrap_or_default())?;
        let names = user.zip(domain);
        let found = names.and_then(|(user, domain)| lookup(user, domain));
        let known = found.is_some();
        let nt_hash = found.unwrap_or_else(|| NtHash::new([0; 16]));
        let (user, domain) = names.unwrap_or_default();
        let key = ntowf_v2(&nt_hash, user, domain);
        let expected = nt_proof(&key, &self.config.server_challenge, temp);
        let equal = constant_time_eq(&expected, proof);
        if !(equal & known) {
            return Err(LogonError::WrongProof);
        }
        Ok(Proved {
            key_exchange_key: session_base_key(&key, &expected),
            mic_promised: av_pairs.flags() & AvPairs::FLAG_MIC != 0,
        })
    }

    fn accept_anonymous(
        &self,
        message: &AuthenticateMessage,
        flags: NegotiateFlags,
    ) -> Result<Accepted, LogonError> {
        if !self.config.allow_anonymous {
            return Err(LogonError::AnonymousRefused);
        }
        // Everybody knows the key of nobody: a MIC would prove nothing, so none is asked for.
        let session_key = exported_session_key(message, flags, Secret::new([0; 16]))?;
        let context = flags
            .contains(NegotiateFlags::EXTENDED_SESSION_SECURITY)
            .then(|| SecurityContext::new(Role::Server, flags, &session_key));
        Ok(Accepted {
            user: String::new(),
            domain: String::new(),
            workstation: text(&message.workstation, message.negotiate_flags).unwrap_or_default(),
            session_key,
            anonymous: true,
            context,
        })
    }
}

/// What a right proof brings.
struct Proved {
    key_exchange_key: Secret<16>,
    mic_promised: bool,
}

/// MS-NLMP 2.2.2.8: whether a response is long enough for version 2 and says that it is.
pub(super) fn is_ntlm_v2(response: &[u8]) -> bool {
    response.len() >= NTLM_V2_RESPONSE_MIN && response.get(16..18) == Some(&[1, 1])
}

/// MS-NLMP 3.2.5.1.2: no user, no NT response, and an LM response that is empty or one zero byte.
pub(super) fn is_anonymous(message: &AuthenticateMessage) -> bool {
    message.user_name.is_empty()
        && message.nt_challenge_response.is_empty()
        && matches!(message.lm_challenge_response.as_slice(), [] | [0])
}

/// The key that the client chose, or the key exchange key where none is exchanged.
pub(super) fn exported_session_key(
    message: &AuthenticateMessage,
    flags: NegotiateFlags,
    key_exchange_key: Secret<16>,
) -> Result<Secret<16>, LogonError> {
    if !flags.contains(NegotiateFlags::KEY_EXCHANGE) {
        return Ok(key_exchange_key);
    }
    let encrypted = message.encrypted_random_session_key.as_slice();
    let encrypted = encrypted
        .try_into()
        .map_err(|_| LogonError::BadSessionKey)?;
    Ok(Secret::new(rc4k(&key_exchange_key, encrypted)))
}

/// No MIC is legal unless the proved AV pairs promise one; one that is there must be right.
///
/// The field of zero bytes that some clients leave room for counts as none.
fn check_mic(
    message: &AuthenticateMessage,
    promised: bool,
    mic_over: impl Fn(&[u8]) -> [u8; 16],
    token: &[u8],
) -> Result<(), LogonError> {
    let got = match message.mic {
        None if promised => return Err(LogonError::MicMissing),
        None => return Ok(()),
        Some(mic) if mic == [0; 16] && !promised => return Ok(()),
        Some(mic) => mic,
    };
    let mut zeroed = token.to_vec();
    if let Some(field) = zeroed.get_mut(MIC_RANGE) {
        field.fill(0);
    }
    if constant_time_eq(&mic_over(&zeroed), &got) {
        Ok(())
    } else {
        Err(LogonError::MicWrong)
    }
}

/// A name on the wire as text: UTF-16, or ASCII where the message is not in Unicode.
pub(super) fn text(bytes: &[u8], flags: NegotiateFlags) -> Option<String> {
    if !flags.contains(NegotiateFlags::UNICODE) {
        return bytes
            .is_ascii()
            .then(|| bytes.iter().copied().map(char::from).collect());
    }
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    if rest.is_empty() {
        String::from_utf16(&units).ok()
    } else {
        None
    }
}
