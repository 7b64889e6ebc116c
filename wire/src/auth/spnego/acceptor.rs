//! RFC 4178 3.2 and MS-SPNG 3.3: the server's side of SPNEGO, which knows NTLM only.

use super::{NegState, NegTokenInit, NegTokenResp, Oid, Step};
use crate::auth::ntlm::{self, Accepted, LogonError, Lookup, is_raw_ntlm};

/// The server's side of one logon: [`step`](Self::step) with each of the client's tokens until it is
/// done, then [`into_accepted`](Self::into_accepted).
///
/// Raw NTLM messages without SPNEGO around them are taken as well; the replies are raw then too.
#[derive(Debug)]
pub struct Acceptor {
    ntlm: ntlm::Acceptor,
    mech_types_der: Vec<u8>,
    /// RFC 4178 5: NTLM was not the client's first choice, so the list must be signed.
    mic_required: bool,
    accepted: Option<Accepted>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    AwaitNegotiate,
    AwaitAuthenticate { raw: bool },
    Over,
}

impl Acceptor {
    /// A logon that has not begun.
    #[must_use]
    pub fn new(ntlm: ntlm::Acceptor) -> Self {
        Self {
            ntlm,
            mech_types_der: Vec::new(),
            mic_required: false,
            accepted: None,
            state: State::Start,
        }
    }

    /// MS-SMB2 3.3.5.4: the token for the NEGOTIATE response, before any client spoke.
    #[must_use]
    pub fn hello() -> Vec<u8> {
        NegTokenInit::server_hello().emit()
    }

    /// The token that tells a client that its logon failed.
    #[must_use]
    pub fn reject() -> Vec<u8> {
        NegTokenResp {
            neg_state: Some(NegState::REJECT),
            ..NegTokenResp::default()
        }
        .emit()
    }

    /// Takes the client's next token.
    ///
    /// # Errors
    /// Every reason not to let the client in. The logon is over then.
    pub fn step(&mut self, token: &[u8], lookup: &Lookup<'_>) -> Result<Step, LogonError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Start if is_raw_ntlm(token) => self.start_raw(token),
            State::Start => self.start(&NegTokenInit::parse(token)?),
            State::AwaitNegotiate => {
                let resp = checked(token)?;
                let negotiate = resp.response_token.ok_or(LogonError::OutOfTurn)?;
                self.challenge(&negotiate, NegState::ACCEPT_INCOMPLETE, None)
            }
            State::AwaitAuthenticate { raw: true } => self.finish_raw(token, lookup),
            State::AwaitAuthenticate { raw: false } => self.finish(&checked(token)?, lookup),
            State::Over => Err(LogonError::OutOfTurn),
        }
    }

    fn start_raw(&mut self, token: &[u8]) -> Result<Step, LogonError> {
        let reply = self.ntlm.handle_negotiate(token)?;
        self.state = State::AwaitAuthenticate { raw: true };
        Ok(Step { reply, done: false })
    }

    fn finish_raw(&mut self, token: &[u8], lookup: &Lookup<'_>) -> Result<Step, LogonError> {
        self.accepted = Some(self.ntlm.handle_authenticate(token, lookup)?);
        Ok(Step {
            reply: Vec::new(),
            done: true,
        })
    }

    fn start(&mut self, init: &NegTokenInit) -> Result<Step, LogonError> {
        let place = init.mech_types.iter().position(Oid::is_ntlm);
        let first = match place {
            Some(place) => place == 0,
            None => return Err(LogonError::NoCommonMechanism),
        };
        self.mech_types_der = init.mech_types_der();
        self.mic_required = !first;
        match &init.mech_token {
            Some(negotiate) if first => {
                self.challenge(negotiate, NegState::ACCEPT_INCOMPLETE, Some(Oid::ntlm()))
            }
            // An optimistic token of another mechanism is of no use here.
            _ => {
                let neg_state = if first {
                    NegState::ACCEPT_INCOMPLETE
                } else {
                    NegState::REQUEST_MIC
                };
                self.state = State::AwaitNegotiate;
                Ok(more(NegTokenResp {
                    neg_state: Some(neg_state),
                    supported_mech: Some(Oid::ntlm()),
                    ..NegTokenResp::default()
                }))
            }
        }
    }

    fn challenge(
        &mut self,
        negotiate: &[u8],
        neg_state: NegState,
        supported_mech: Option<Oid>,
    ) -> Result<Step, LogonError> {
        let challenge = self.ntlm.handle_negotiate(negotiate)?;
        self.state = State::AwaitAuthenticate { raw: false };
        Ok(more(NegTokenResp {
            neg_state: Some(neg_state),
            supported_mech,
            response_token: Some(challenge),
            mech_list_mic: None,
        }))
    }

    /// A signature over the mechanism list is checked wherever it comes, and answered by one.
    ///
    /// MS-SPNG 3.3.5.1 and RFC 4178 5 want it at least where NTLM was not the first choice: there a
    /// missing one is refused. Elsewhere clients exist that never send it.
    fn finish(&mut self, resp: &NegTokenResp, lookup: &Lookup<'_>) -> Result<Step, LogonError> {
        let authenticate = resp
            .response_token
            .as_deref()
            .ok_or(LogonError::OutOfTurn)?;
        let mut accepted = self.ntlm.handle_authenticate(authenticate, lookup)?;
        let mech_list_mic = match (&resp.mech_list_mic, accepted.context.as_mut()) {
            (Some(signature), Some(context)) => {
                context
                    .verify(&self.mech_types_der, signature)
                    .map_err(|_| LogonError::MechListMicWrong)?;
                let own = context.sign(&self.mech_types_der).to_vec();
                context.reset_cipher_states();
                Some(own)
            }
            _ if self.mic_required && !accepted.anonymous => {
                return Err(LogonError::MechListMicMissing);
            }
            _ => None,
        };
        self.accepted = Some(accepted);
        let reply = NegTokenResp {
            neg_state: Some(NegState::ACCEPT_COMPLETED),
            mech_list_mic,
            ..NegTokenResp::default()
        };
        Ok(Step {
            reply: reply.emit(),
            done: true,
        })
    }

    /// Who was let in, once the logon is done.
    #[must_use]
    pub fn into_accepted(self) -> Option<Accepted> {
        self.accepted
    }
}

/// Parses a client's token and refuses one that gives up.
fn checked(token: &[u8]) -> Result<NegTokenResp, LogonError> {
    let resp = NegTokenResp::parse(token)?;
    if resp.neg_state == Some(NegState::REJECT) {
        return Err(LogonError::Rejected);
    }
    Ok(resp)
}

fn more(resp: NegTokenResp) -> Step {
    Step {
        reply: resp.emit(),
        done: false,
    }
}
