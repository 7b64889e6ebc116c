//! MS-RPCE 3.3.1.5.2 and 3.3.3.5: the one logon of an association.

use super::config::{EndpointConfig, Fresh, Identity};
use fsrvp_wire::auth::ntlm::{self, Accepted, AcceptorConfig, LogonError, is_raw_ntlm};
use fsrvp_wire::auth::spnego;
use fsrvp_wire::rpce::{AuthLevel, AuthType, RpcSecurity, SecurityTrailer};

/// Why a logon cannot even begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotRecognised;

/// How the logon of an association stands.
pub(super) enum Logon {
    /// Nobody asked for one: callers are who they are to SMB.
    None,
    /// A token must come.
    Going(Box<Going>),
    /// It succeeded.
    Done(Box<LoggedOn>),
    /// It failed: nothing is executed any more.
    Failed,
}

/// A logon under way.
pub(super) struct Going {
    acceptor: spnego::Acceptor,
    auth_type: AuthType,
    auth_level: AuthLevel,
    auth_context_id: u32,
}

/// A logon that succeeded.
pub(super) struct LoggedOn {
    pub(super) security: RpcSecurity,
    pub(super) identity: Identity,
}

impl Logon {
    /// Begins with the trailer of a bind or alter_context.
    pub(super) fn begin(
        config: &EndpointConfig,
        fresh: &Fresh,
        trailer: &SecurityTrailer,
    ) -> Result<Logon, NotRecognised> {
        const LEVELS: [AuthLevel; 5] = [
            AuthLevel::CONNECT,
            AuthLevel::CALL,
            AuthLevel::PKT,
            AuthLevel::PKT_INTEGRITY,
            AuthLevel::PKT_PRIVACY,
        ];
        let raw = is_raw_ntlm(&trailer.auth_value);
        let known = match trailer.auth_type {
            AuthType::WINNT => raw,
            // Some clients leave SPNEGO out even here.
            AuthType::GSS_NEGOTIATE => true,
            _ => false,
        };
        if !known || !LEVELS.contains(&trailer.auth_level) {
            return Err(NotRecognised);
        }
        let acceptor = spnego::Acceptor::new(ntlm::Acceptor::new(AcceptorConfig {
            netbios_computer: config.netbios_name.clone(),
            netbios_domain: config.netbios_name.clone(),
            dns_computer: config.dns_name.clone(),
            dns_domain: String::new(),
            time: fresh.filetime,
            server_challenge: fresh.server_challenge,
            // MS-FSRVP 2.1: anyone may bind; the agent refuses each call.
            allow_anonymous: true,
        }));
        Ok(Logon::Going(Box::new(Going {
            acceptor,
            auth_type: trailer.auth_type,
            auth_level: trailer.auth_level,
            auth_context_id: trailer.auth_context_id,
        })))
    }

    /// Takes the client's next token; returns the token to answer with, which may be empty. After
    /// an error the logon has failed.
    pub(super) fn step(
        &mut self,
        config: &EndpointConfig,
        trailer: &SecurityTrailer,
    ) -> Result<Vec<u8>, LogonError> {
        match std::mem::replace(self, Logon::Failed) {
            Logon::Going(going) => {
                let (next, reply) = going.step(config, trailer)?;
                *self = next;
                Ok(reply)
            }
            _ => Err(LogonError::OutOfTurn),
        }
    }

    /// Who logged on, and the keys.
    pub(super) fn done(&mut self) -> Option<&mut LoggedOn> {
        match self {
            Logon::Done(logged_on) => Some(logged_on),
            _ => None,
        }
    }
}

impl Going {
    fn step(
        mut self: Box<Self>,
        config: &EndpointConfig,
        trailer: &SecurityTrailer,
    ) -> Result<(Logon, Vec<u8>), LogonError> {
        let same = trailer.auth_type == self.auth_type
            && trailer.auth_level == self.auth_level
            && trailer.auth_context_id == self.auth_context_id;
        if !same {
            return Err(LogonError::OutOfTurn);
        }
        let lookup = |user: &str, domain: &str| config.accounts.nt_hash(user, domain);
        let step = self.acceptor.step(&trailer.auth_value, &lookup)?;
        if !step.done {
            return Ok((Logon::Going(self), step.reply));
        }
        let (auth_type, auth_level, id) = (self.auth_type, self.auth_level, self.auth_context_id);
        let accepted = self.acceptor.into_accepted().ok_or(LogonError::OutOfTurn)?;
        let identity = identify(config, &accepted);
        let context = accepted
            .context
            .ok_or(LogonError::NotAgreed("extended session security"))?;
        let enough = match auth_level {
            AuthLevel::CONNECT => true,
            AuthLevel::PKT_PRIVACY => context.can_seal(),
            _ => context.can_sign(),
        };
        if !enough {
            return Err(LogonError::NotAgreed("signing or sealing"));
        }
        let logged_on = LoggedOn {
            security: RpcSecurity::new(context, auth_type, auth_level, id),
            identity,
        };
        Ok((Logon::Done(Box::new(logged_on)), step.reply))
    }
}

fn identify(config: &EndpointConfig, accepted: &Accepted) -> Identity {
    Identity {
        backup_rights: !accepted.anonymous && config.accounts.has_backup_rights(&accepted.user),
        user: accepted.user.clone(),
    }
}
