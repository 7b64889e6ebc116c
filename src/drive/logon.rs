//! Who logs on: NTLMv2 tokens, alone or inside SPNEGO.

use crate::case::Account;
use crate::drive::clock;
use crate::drive::error::DriveError;
use fsrvp_wire::auth::ntlm::{
    Credentials, Initiator as Ntlm, InitiatorOptions, InitiatorRandom, LogonError, SecurityContext,
};
use fsrvp_wire::auth::spnego::Initiator as Spnego;
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
pub(crate) enum Logon {
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
        Ok(if raw_ntlm {
            Logon::Raw(Box::new(ntlm))
        } else {
            Logon::Negotiate(Box::new(Spnego::new(ntlm)))
        })
    }

    /// The token that begins the logon.
    pub(crate) fn first_token(&mut self) -> Vec<u8> {
        match self {
            Logon::Raw(ntlm) => ntlm.negotiate(),
            Logon::Negotiate(spnego) => spnego.start(),
        }
    }

    /// Takes the server's token; gives the next one, or `None` at the end.
    pub(crate) fn next_token(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, DriveError> {
        match self {
            Logon::Raw(_) if token.is_empty() => Ok(None),
            Logon::Raw(ntlm) => ntlm.handle_challenge(token).map(Some).map_err(failed),
            Logon::Negotiate(spnego) => {
                let step = spnego.step(token).map_err(failed)?;
                Ok((!step.reply.is_empty()).then_some(step.reply))
            }
        }
    }

    /// The session key, once the challenge was answered.
    pub(crate) fn session_key(&self) -> Result<Secret<16>, DriveError> {
        match self {
            Logon::Raw(ntlm) => ntlm.session_key(),
            Logon::Negotiate(spnego) => spnego.session_key(),
        }
        .ok_or_else(not_done)
    }

    /// What protects messages, once the logon is done.
    pub(crate) fn into_context(self) -> Result<SecurityContext, DriveError> {
        match self {
            Logon::Raw(ntlm) => ntlm.into_context(),
            Logon::Negotiate(spnego) => spnego.into_context(),
        }
        .ok_or_else(not_done)
    }
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
