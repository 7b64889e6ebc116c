//! RFC 4178 3.2 and MS-SPNG 3.2: the client's side of SPNEGO, which offers NTLM only.

use super::{NegState, NegTokenInit, NegTokenResp, Oid, Step};
use crate::auth::ntlm::{self, LogonError, SecurityContext};
use crate::security::Secret;

/// How often a server may ask for more after the client has said all; then the logon fails.
const EXTRA_ROUNDS_MAX: u8 = 2;

/// The client's side of one logon: [`start`](Self::start), then [`step`](Self::step) with each of
/// the server's tokens until it is done.
///
/// Once the challenge was answered [`session_key`](Self::session_key) is there, before the server's
/// last token came: an SMB client needs it to check the signature of that very response.
#[derive(Debug)]
pub struct Initiator {
    ntlm: ntlm::Initiator,
    negotiate: Vec<u8>,
    mech_types_der: Vec<u8>,
    context: Option<SecurityContext>,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Start,
    AwaitChallenge { resent: bool },
    AwaitEnd { extra_rounds: u8 },
    Done,
    Failed,
}

impl Initiator {
    /// A logon that has not begun.
    #[must_use]
    pub fn new(ntlm: ntlm::Initiator) -> Self {
        Self {
            ntlm,
            negotiate: Vec::new(),
            mech_types_der: Vec::new(),
            context: None,
            state: State::Start,
        }
    }

    /// The first token: offers NTLM, with its first message.
    pub fn start(&mut self) -> Vec<u8> {
        self.negotiate = self.ntlm.negotiate();
        let token = NegTokenInit {
            mech_types: vec![Oid::ntlm()],
            mech_token: Some(self.negotiate.clone()),
            ..NegTokenInit::default()
        };
        self.mech_types_der = token.mech_types_der();
        self.state = State::AwaitChallenge { resent: false };
        token.emit()
    }

    /// Takes the server's next token. An empty one is as good as an acceptance after the challenge
    /// was answered: whether the logon succeeded, the layer around says too.
    ///
    /// # Errors
    /// Every reason not to trust the server. The logon is over then.
    pub fn step(&mut self, token: &[u8]) -> Result<Step, LogonError> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::AwaitChallenge { resent } => self.handle_challenge(token, resent),
            State::AwaitEnd { extra_rounds } => self.handle_end(token, extra_rounds),
            State::Start | State::Done | State::Failed => Err(LogonError::OutOfTurn),
        }
    }

    fn handle_challenge(&mut self, token: &[u8], resent: bool) -> Result<Step, LogonError> {
        let resp = checked(token)?;
        let Some(challenge) = resp.response_token else {
            // The server selected the mechanism and did not look at the first message.
            if resent {
                return Err(LogonError::OutOfTurn);
            }
            self.state = State::AwaitChallenge { resent: true };
            return Ok(more(NegTokenResp {
                response_token: Some(self.negotiate.clone()),
                ..NegTokenResp::default()
            }));
        };
        let authenticate = self.ntlm.handle_challenge(&challenge)?;
        self.context = self.ntlm.context();
        let mech_list_mic = self.sign_mech_types();
        self.state = State::AwaitEnd { extra_rounds: 0 };
        Ok(more(NegTokenResp {
            response_token: Some(authenticate),
            mech_list_mic,
            ..NegTokenResp::default()
        }))
    }

    fn sign_mech_types(&mut self) -> Option<Vec<u8>> {
        let context = self.context.as_mut().filter(|context| context.can_sign())?;
        let signature = context.sign(&self.mech_types_der).to_vec();
        context.reset_cipher_states();
        Some(signature)
    }

    fn handle_end(&mut self, token: &[u8], extra_rounds: u8) -> Result<Step, LogonError> {
        if token.is_empty() {
            self.state = State::Done;
            return Ok(Step {
                reply: Vec::new(),
                done: true,
            });
        }
        let resp = checked(token)?;
        if let Some(signature) = &resp.mech_list_mic {
            let context = self.context.as_mut().ok_or(LogonError::MechListMicWrong)?;
            context
                .verify(&self.mech_types_der, signature)
                .map_err(|_| LogonError::MechListMicWrong)?;
            context.reset_cipher_states();
        }
        let complete = matches!(resp.neg_state, None | Some(NegState::ACCEPT_COMPLETED));
        if complete || resp.mech_list_mic.is_some() {
            self.state = State::Done;
            return Ok(Step {
                reply: Vec::new(),
                done: true,
            });
        }
        if extra_rounds == EXTRA_ROUNDS_MAX {
            return Err(LogonError::OutOfTurn);
        }
        self.state = State::AwaitEnd {
            extra_rounds: extra_rounds + 1,
        };
        Ok(more(NegTokenResp {
            neg_state: Some(NegState::ACCEPT_COMPLETED),
            ..NegTokenResp::default()
        }))
    }

    /// The exported session key, once the challenge was answered.
    #[must_use]
    pub fn session_key(&self) -> Option<Secret<16>> {
        self.ntlm.session_key()
    }

    /// The session security, once the logon is done.
    #[must_use]
    pub fn into_context(self) -> Option<SecurityContext> {
        if self.state == State::Done {
            self.context
        } else {
            None
        }
    }
}

/// Parses a server's token and refuses what ends the logon.
fn checked(token: &[u8]) -> Result<NegTokenResp, LogonError> {
    let resp = NegTokenResp::parse(token)?;
    if resp.neg_state == Some(NegState::REJECT) {
        return Err(LogonError::Rejected);
    }
    if resp
        .supported_mech
        .as_ref()
        .is_some_and(|mech| !mech.is_ntlm())
    {
        return Err(LogonError::NoCommonMechanism);
    }
    Ok(resp)
}

fn more(resp: NegTokenResp) -> Step {
    Step {
        reply: resp.emit(),
        done: false,
    }
}
