//! RPC that authenticates on its own inside of a pipe: logons of binds, fragments checked and
//! unsealed.
//!
//! NTLM seals with RC4, whose state depends on every byte before. So behind a loss nothing of its
//! direction can be unsealed any more, and a signature cannot be checked.

use super::exchange::{Direction, Evidence, GapReason, Signed};
use super::keys::KeyRing;
use super::logon::Logon;
use super::rpc;
use fsrvp_wire::auth::ntlm::{ContextError, Role, Witnessed};
use fsrvp_wire::rpce::{
    AuthLevel, AuthType, Body, Pdu, RpcSecurity, SecurityError, SecurityTrailer,
};
use std::collections::BTreeMap;

/// How many security contexts one pipe may have.
const ASSOCIATIONS_MAX: usize = 16;

/// How many fragments that failed are remembered until their key is proven.
const DOUBTS_MAX: usize = 32;

/// A fragment, or the list of mechanisms of a bind, whose signature is wrong.
#[derive(Debug, Clone)]
pub(super) struct Wrong {
    pub(super) direction: Direction,
    pub(super) signed: Signed,
    pub(super) evidence: Evidence,
}

/// What became of a fragment.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// The fragment with its stub in the clear, where it was sealed.
    pub(super) clear: Option<Pdu>,
    /// Why the stub cannot be read.
    pub(super) unread: Option<GapReason>,
    /// Why the signature could not be checked, where there should have been a way to.
    pub(super) unchecked: Option<GapReason>,
    /// Signatures that are known to be right and wrong.
    pub(super) right: u64,
    pub(super) wrong: Vec<Wrong>,
}

/// The security contexts of a pipe, by their id in the trailers.
#[derive(Default)]
pub(super) struct PipeSecurity {
    associations: BTreeMap<u32, Association>,
}

/// One security context.
struct Association {
    auth_type: AuthType,
    auth_level: AuthLevel,
    auth_context_id: u32,
    logon: Logon,
    /// What the server does with the client's fragments, and the other way round.
    from_client: Option<RpcSecurity>,
    from_server: Option<RpcSecurity>,
    client_lost: bool,
    server_lost: bool,
    /// Whether a signature of this context was ever right.
    proven: bool,
    doubts: Vec<Wrong>,
}

impl PipeSecurity {
    /// Takes a fragment; fragments of one direction come in their order.
    pub(super) fn fragment(
        &mut self,
        direction: Direction,
        pdu: &Pdu,
        bytes: &[u8],
        evidence: &Evidence,
        keys: &KeyRing,
    ) -> Opened {
        let Some(trailer) = &pdu.auth else {
            return Opened::default();
        };
        match &pdu.body {
            Body::Bind(_)
            | Body::BindAck(_)
            | Body::AlterContext(_)
            | Body::AlterContextResp(_)
            | Body::Auth3(_) => self.logon(direction, trailer, evidence, keys),
            body if body.stub().is_some() => {
                match self.associations.get_mut(&trailer.auth_context_id) {
                    Some(association) => association.open(direction, bytes, pdu, evidence),
                    None => Opened {
                        unread: sealed(pdu).then_some(GapReason::Sealed),
                        ..Opened::default()
                    },
                }
            }
            _ => Opened::default(),
        }
    }

    /// Takes the news that bytes of a direction may be missing.
    pub(super) fn lost(&mut self, direction: Direction) {
        for association in self.associations.values_mut() {
            match direction {
                Direction::ClientToServer => association.client_lost = true,
                Direction::ServerToClient => association.server_lost = true,
            }
            association.logon = Logon::default();
        }
    }

    fn logon(
        &mut self,
        direction: Direction,
        trailer: &SecurityTrailer,
        evidence: &Evidence,
        keys: &KeyRing,
    ) -> Opened {
        let id = trailer.auth_context_id;
        if !self.associations.contains_key(&id) && self.associations.len() >= ASSOCIATIONS_MAX {
            return Opened::default();
        }
        let association = self
            .associations
            .entry(id)
            .or_insert_with(|| Association::new(trailer));
        association.token(direction, &trailer.auth_value, evidence, keys)
    }
}

impl Association {
    fn new(trailer: &SecurityTrailer) -> Self {
        Association {
            auth_type: trailer.auth_type,
            auth_level: trailer.auth_level,
            auth_context_id: trailer.auth_context_id,
            logon: Logon::default(),
            from_client: None,
            from_server: None,
            client_lost: false,
            server_lost: false,
            proven: false,
            doubts: Vec::new(),
        }
    }

    /// Takes a token of the logon.
    fn token(
        &mut self,
        direction: Direction,
        token: &[u8],
        evidence: &Evidence,
        keys: &KeyRing,
    ) -> Opened {
        let token = self.logon.token(token, keys);
        if let Some(witnessed) = &token.opened {
            self.from_client = self.security(witnessed, Role::Server);
            self.from_server = self.security(witnessed, Role::Client);
            self.client_lost = false;
            self.server_lost = false;
        }
        let receiver = match direction {
            Direction::ClientToServer => &mut self.from_client,
            Direction::ServerToClient => &mut self.from_server,
        };
        let checked = match (receiver, token.mech_list_mic, self.logon.mech_types()) {
            (Some(receiver), Some(mic), Some(mech_types)) => {
                receiver.verify_mech_list(mech_types, &mic)
            }
            _ => return Opened::default(),
        };
        let mut opened = Opened::default();
        self.judge(
            checked,
            direction,
            Signed::MechanismList,
            evidence,
            &mut opened,
        );
        opened
    }

    fn security(&self, witnessed: &Witnessed, role: Role) -> Option<RpcSecurity> {
        let context = witnessed.context(role)?;
        let (auth_type, level, id) = (self.auth_type, self.auth_level, self.auth_context_id);
        Some(RpcSecurity::new(context, auth_type, level, id))
    }

    /// Takes a request, response or fault.
    fn open(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        pdu: &Pdu,
        evidence: &Evidence,
    ) -> Opened {
        let mut opened = Opened::default();
        let (receiver, lost) = match direction {
            Direction::ClientToServer => (&mut self.from_client, self.client_lost),
            Direction::ServerToClient => (&mut self.from_server, self.server_lost),
        };
        let Some(receiver) = receiver else {
            opened.unread = sealed(pdu).then_some(GapReason::Sealed);
            return opened;
        };
        if lost {
            opened.unread = sealed(pdu).then_some(GapReason::SealedAfterLoss);
            return opened;
        }
        let checked = match receiver.unprotect(bytes) {
            Ok(clear) => {
                opened.clear = sealed(pdu).then_some(clear);
                if receiver.signature_len() == 0 {
                    return opened;
                }
                Ok(())
            }
            Err(SecurityError::Context(error)) => Err(error),
            Err(_) => {
                opened.unread = sealed(pdu).then_some(GapReason::KeyDoesNotFit);
                return opened;
            }
        };
        self.judge(
            checked,
            direction,
            Signed::RpcFragment,
            evidence,
            &mut opened,
        );
        if checked.is_err() && sealed(pdu) {
            opened.unread = Some(match self.proven {
                true => GapReason::Changed,
                false => GapReason::KeyDoesNotFit,
            });
            opened.unchecked = None;
        }
        opened
    }

    fn judge(
        &mut self,
        checked: Result<(), ContextError>,
        direction: Direction,
        signed: Signed,
        evidence: &Evidence,
        opened: &mut Opened,
    ) {
        if checked.is_ok() {
            self.proven = true;
            opened.right += 1;
            opened.wrong.append(&mut self.doubts);
            return;
        }
        let wrong = Wrong {
            direction,
            signed,
            evidence: evidence.clone(),
        };
        if self.proven {
            opened.wrong.push(wrong);
        } else {
            opened.unchecked = Some(GapReason::KeyDoesNotFit);
            if self.doubts.len() < DOUBTS_MAX {
                self.doubts.push(wrong);
            }
        }
    }
}

/// MS-RPCE 2.2.1.1.8: whether the stub is sealed.
pub(super) fn sealed(pdu: &Pdu) -> bool {
    pdu.body.stub().is_some() && rpc::auth_level(pdu) == Some(AuthLevel::PKT_PRIVACY.0)
}
