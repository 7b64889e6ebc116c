//! Who logs on: NTLMv2 tokens, alone or inside SPNEGO.

use crate::case::Account;
use crate::drive::clock;
use crate::drive::error::DriveError;
use crate::drive::tape::LogonKey;
use fsrvp_wire::auth::ntlm::{
    AuthenticateMessage, Credentials, Initiator as Ntlm, InitiatorOptions, InitiatorRandom,
    LogonError, SecurityContext,
};
use fsrvp_wire::auth::spnego::{Initiator as Spnego, NegTokenResp};
use fsrvp_wire::security::Secret;

/// What the client calls its own machine.
pub const WORKSTATION: &str = "FSRVPCHECK";

/// Random bytes.
///
/// # Errors
/// When the operating system has none.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], DriveError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| DriveError::Own(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

/// One logon.
pub(crate) struct Logon {
    mechanism: Mechanism,
    /// MS-NLMP 3.3.2: what proves the password, once it was sent.
    proof: Option<[u8; 16]>,
}

enum Mechanism {
    /// NTLM alone.
    Raw(Box<Ntlm>),
    /// NTLM inside SPNEGO.
    Negotiate(Box<Spnego>),
}

impl Logon {
    /// A logon that has not begun; `raw_ntlm` leaves SPNEGO out.
    pub(crate) fn new(account: &Account, host: &str, raw_ntlm: bool) -> Result<Logon, DriveError> {
        let credentials =
            Credentials::user(&account.name, &account.domain, account.password.reveal());
        let options = InitiatorOptions {
            workstation: WORKSTATION.to_owned(),
            target_name: Some(format!("cifs/{host}")),
            channel_bindings: None,
            seal: true,
        };
        let randomness = InitiatorRandom {
            client_challenge: random()?,
            exported_session_key: Secret::new(random()?),
            time: clock::now_ticks().unsigned_abs(),
        };
        let ntlm = Ntlm::new(credentials, options, randomness);
        let mechanism = if raw_ntlm {
            Mechanism::Raw(Box::new(ntlm))
        } else {
            Mechanism::Negotiate(Box::new(Spnego::new(ntlm)))
        };
        Ok(Logon {
            mechanism,
            proof: None,
        })
    }

    /// The token that begins the logon.
    pub(crate) fn first_token(&mut self) -> Vec<u8> {
        match &mut self.mechanism {
            Mechanism::Raw(ntlm) => ntlm.negotiate(),
            Mechanism::Negotiate(spnego) => spnego.start(),
        }
    }

    /// Takes the server's token; gives the next one, or `None` at the end.
    pub(crate) fn next_token(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, DriveError> {
        let next = match &mut self.mechanism {
            Mechanism::Raw(_) if token.is_empty() => None,
            Mechanism::Raw(ntlm) => Some(ntlm.handle_challenge(token).map_err(failed)?),
            Mechanism::Negotiate(spnego) => {
                let step = spnego.step(token).map_err(failed)?;
                Some(step.reply).filter(|reply| !reply.is_empty())
            }
        };
        self.proof = self.proof.or_else(|| proof(next.as_deref()?));
        Ok(next)
    }

    /// What opens messages that this logon protects in a pipe, once the challenge was answered.
    pub(crate) fn rpc_key(&self) -> Option<LogonKey> {
        Some(LogonKey::Rpc {
            proof: self.proof?,
            session_key: self.session_key().ok()?,
        })
    }

    /// The session key, once the challenge was answered.
    pub(crate) fn session_key(&self) -> Result<Secret<16>, DriveError> {
        match &self.mechanism {
            Mechanism::Raw(ntlm) => ntlm.session_key(),
            Mechanism::Negotiate(spnego) => spnego.session_key(),
        }
        .ok_or_else(not_done)
    }

    /// What protects messages, once the logon is done.
    pub(crate) fn into_context(self) -> Result<SecurityContext, DriveError> {
        match self.mechanism {
            Mechanism::Raw(ntlm) => ntlm.into_context(),
            Mechanism::Negotiate(spnego) => spnego.into_context(),
        }
        .ok_or_else(not_done)
    }
}

/// The proof in a token of the client, where it brings one.
fn proof(token: &[u8]) -> Option<[u8; 16]> {
    let wrapped = NegTokenResp::parse(token).ok();
    let inner = wrapped.and_then(|response| response.response_token);
    let message = AuthenticateMessage::parse(inner.as_deref().unwrap_or(token)).ok()?;
    message.nt_challenge_response.first_chunk::<16>().copied()
}

fn failed(error: LogonError) -> DriveError {
    DriveError::Misbehaved {
        during: "logon",
        what: error.to_string(),
    }
}

fn not_done() -> DriveError {
    DriveError::Own("the logon is not done".to_owned())
}
