//! Who logs on: NTLMv2 tokens, alone or inside SPNEGO, and what protects messages afterwards.

use crate::case::Account;
use crate::drive::clock;
use crate::drive::error::DriveError;
use fsrvp_wire::auth::ntlm::{
    Credentials, Initiator, InitiatorOptions, InitiatorRandom, SIGNATURE_LEN, SecurityContext,
};
use fsrvp_wire::security::Secret;
use std::ops::Range;

/// What the client calls its own machine.
const WORKSTATION: &str = "FSRVPCHECK";

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
    initiator: Initiator,
}

impl Logon {
    /// A logon that has not begun; `raw_ntlm` leaves SPNEGO out.
    pub(crate) fn new(account: &Account, host: &str, raw_ntlm: bool) -> Result<Logon, DriveError> {
        let _ = raw_ntlm;
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
        Ok(Logon {
            initiator: Initiator::new(credentials, options, randomness),
        })
    }

    /// The token that begins the logon.
    pub(crate) fn first_token(&mut self) -> Result<Vec<u8>, DriveError> {
        Ok(self.initiator.negotiate())
    }

    /// Takes the server's token; gives the next one, or `None` at the end.
    pub(crate) fn next_token(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, DriveError> {
        if token.is_empty() {
            return Ok(None);
        }
        self.initiator
            .handle_challenge(token)
            .map(Some)
            .map_err(failed)
    }

    /// The session key, once the logon is done.
    pub(crate) fn session_key(&self) -> Result<Secret<16>, DriveError> {
        self.initiator.session_key().ok_or_else(not_done)
    }

    /// What protects messages, once the logon is done.
    pub(crate) fn into_protection(self) -> Result<Protection, DriveError> {
        let context = self.initiator.into_context().ok_or_else(not_done)?;
        Ok(Protection { context })
    }
}

fn failed(error: impl std::fmt::Display) -> DriveError {
    DriveError::Misbehaved {
        during: "logon",
        what: error.to_string(),
    }
}

fn not_done() -> DriveError {
    DriveError::Own("the logon is not done".to_owned())
}

/// Signs, seals and checks RPC fragments.
pub(crate) struct Protection {
    context: SecurityContext,
}

impl Protection {
    /// How long a signature is, in bytes.
    pub(crate) const SIGNATURE_LEN: usize = SIGNATURE_LEN;

    /// Fills the signature at the end of `fragment`; seals the range, where there is one.
    pub(crate) fn protect(
        &mut self,
        fragment: &mut [u8],
        sealed: Option<Range<usize>>,
    ) -> Result<(), DriveError> {
        let at = fragment.len().saturating_sub(SIGNATURE_LEN);
        let Some((signed, slot)) = fragment.split_at_mut_checked(at) else {
            return Err(DriveError::Own("a fragment without room".to_owned()));
        };
        let signature = match sealed {
            Some(range) => self.context.seal(signed, range).map_err(failed)?,
            None => self.context.sign(signed),
        };
        slot.copy_from_slice(&signature);
        Ok(())
    }

    /// Checks the signature of `signature_len` bytes at the end of `fragment`; opens the range,
    /// where there is one.
    pub(crate) fn open(
        &mut self,
        fragment: &mut [u8],
        signature_len: usize,
        sealed: Option<Range<usize>>,
    ) -> Result<(), DriveError> {
        let at = fragment.len().saturating_sub(signature_len);
        let Some((signed, signature)) = fragment.split_at_mut_checked(at) else {
            return Err(DriveError::Own("a fragment without signature".to_owned()));
        };
        let opened = match sealed {
            Some(range) => self.context.unseal(signed, range, signature),
            None => self.context.verify(signed, signature),
        };
        opened.map_err(|error| DriveError::Misbehaved {
            during: "rpc answer",
            what: error.to_string(),
        })
    }
}
