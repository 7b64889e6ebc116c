//! The RPC side of the client, sans-IO: binds, protects requests and opens answers.
//!
//! How to use it: [`Rpc::bind`] and [`Rpc::handle_bind_answer`] until the bind is done; then, for
//! each call, [`Rpc::request`] gives the fragments to send and [`Rpc::handle_fragment`] takes those
//! that come back until one of them completes the answer.

use crate::case::RpcLevel;
use crate::drive::error::DriveError;
use crate::drive::limits::{FRAGMENT_BYTES_MAX, STUB_BYTES_MAX};
use crate::drive::logon::Logon;
use crate::drive::tape::LogonKey;
use fsrvp_wire::fsrvp::{INTERFACE, INTERFACE_VERSION};
use fsrvp_wire::rpce::{
    Assembler, Auth3, AuthLevel, AuthType, Bind, BindAck, Body, ContextElement, Header, NDR32, Pdu,
    PfcFlags, Request, ResultCode, RpcSecurity, SecurityTrailer, SyntaxId, fragment,
};

/// The one presentation context that is offered.
const CONTEXT: u16 = 0;
/// The one security context.
const AUTH_CONTEXT: u32 = 1;
/// How a binding is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The level.
    pub(crate) level: RpcLevel,
    /// NTLM without SPNEGO around it.
    pub(crate) raw_ntlm: bool,
    /// The security provider that is named in place of the one that is used.
    pub(crate) auth_type: Option<AuthType>,
    /// The interface version; 1.0 unless a case wants another.
    pub(crate) version: Option<(u16, u16)>,
}

impl Binding {
    fn auth_type(self) -> AuthType {
        let own = match self.raw_ntlm {
            true => AuthType::WINNT,
            false => AuthType::GSS_NEGOTIATE,
        };
        self.auth_type.unwrap_or(own)
    }

    fn auth_level(self) -> AuthLevel {
        match self.level {
            RpcLevel::None => AuthLevel::NONE,
            RpcLevel::Connect => AuthLevel::CONNECT,
            RpcLevel::Packet => AuthLevel::PKT,
            RpcLevel::Integrity => AuthLevel::PKT_INTEGRITY,
            RpcLevel::Privacy => AuthLevel::PKT_PRIVACY,
        }
    }
}

/// What to do next while binding.
pub(crate) enum BindStep {
    /// Send this and wait for the answer.
    Exchange(Vec<u8>),
    /// Send this; there is no answer, and the bind is done.
    SendLast(Vec<u8>),
    /// The bind is done.
    Done,
    /// The server refused, with its reason.
    Refused(String),
}

/// What came of a call.
pub(crate) enum CallEnd {
    /// The stub of the response.
    Stub(Vec<u8>),
    /// A fault.
    Fault(u32),
}

/// One binding.
pub(crate) struct Rpc {
    binding: Binding,
    logon: Option<Logon>,
    logon_key: Option<LogonKey>,
    security: Option<RpcSecurity>,
    next_call_id: u32,
    max_xmit_frag: u16,
    assembler: Assembler,
}

impl Rpc {
    /// A binding that has not begun. `logon` is for every level but none.
    pub(crate) fn new(binding: Binding, logon: Option<Logon>) -> Rpc {
        Rpc {
            binding,
            logon,
            logon_key: None,
            security: None,
            next_call_id: 1,
            max_xmit_frag: FRAGMENT_BYTES_MAX,
            assembler: Assembler::new(STUB_BYTES_MAX),
        }
    }

    /// The bind PDU.
    pub(crate) fn bind(&mut self) -> Result<Vec<u8>, DriveError> {
        let token = match &mut self.logon {
            Some(logon) => logon.first_token(),
            None => Vec::new(),
        };
        let body = Body::Bind(self.contexts());
        Ok(self.logon_pdu(body, token))
    }

    fn contexts(&self) -> Bind {
        let version = self.binding.version.unwrap_or(INTERFACE_VERSION);
        let interface = SyntaxId::new(INTERFACE, version);
        Bind {
            max_xmit_frag: FRAGMENT_BYTES_MAX,
            max_recv_frag: FRAGMENT_BYTES_MAX,
            assoc_group_id: 0,
            reserved: 0,
            reserved2: 0,
            contexts: vec![ContextElement::new(CONTEXT, interface, vec![NDR32])],
        }
    }

    fn logon_pdu(&mut self, body: Body, token: Vec<u8>) -> Vec<u8> {
        let mut header = Header::new(self.next_call_id);
        if self.logon.is_some() {
            let flag = PfcFlags::SUPPORT_HEADER_SIGN;
            header.pfc_flags = header.pfc_flags.with(flag, !matches!(body, Body::Auth3(_)));
        }
        let mut pdu = Pdu::new(header, body);
        if self.logon.is_some() {
            pdu.auth = Some(self.trailer(token));
        }
        pdu.emit()
    }

    fn trailer(&self, auth_value: Vec<u8>) -> SecurityTrailer {
        let (auth_type, auth_level) = (self.binding.auth_type(), self.binding.auth_level());
        SecurityTrailer::new(auth_type, auth_level, AUTH_CONTEXT, auth_value)
    }

    /// Takes the answer to a bind or alter_context.
    ///
    /// # Errors
    /// An answer that does not parse or is out of turn, or a logon that fails.
    pub(crate) fn handle_bind_answer(&mut self, bytes: &[u8]) -> Result<BindStep, DriveError> {
        let during = "bind";
        let pdu = Pdu::parse(bytes).map_err(|source| DriveError::Unreadable { during, source })?;
        match pdu.body {
            Body::BindAck(ack) => {
                self.max_xmit_frag = ack.max_recv_frag.clamp(1432, FRAGMENT_BYTES_MAX);
                if let Some(reason) = refusal(&ack) {
                    return Ok(BindStep::Refused(reason));
                }
            }
            Body::AlterContextResp(_) => {}
            Body::BindNak(nak) => return Ok(BindStep::Refused(format!("{:?}", nak.reject_reason))),
            Body::Fault(fault) => return Ok(BindStep::Refused(format!("{:?}", fault.status))),
            other => {
                let what = format!("answered with a PDU of type {:?}", other.ptype());
                return Err(DriveError::Misbehaved { during, what });
            }
        }
        self.next_call_id += 1;
        let Some(logon) = &mut self.logon else {
            return Ok(BindStep::Done);
        };
        let token = pdu.auth.map(|auth| auth.auth_value).unwrap_or_default();
        let answer = logon.next_token(&token)?;
        let step = match answer {
            None => BindStep::Done,
            Some(token) if self.binding.raw_ntlm => {
                BindStep::SendLast(self.logon_pdu(Body::Auth3(Auth3::default()), token))
            }
            Some(token) => {
                let body = Body::AlterContext(self.contexts());
                return Ok(BindStep::Exchange(self.logon_pdu(body, token)));
            }
        };
        if let Some(logon) = self.logon.take() {
            self.logon_key = logon.rpc_key();
            let (auth_type, auth_level) = (self.binding.auth_type(), self.binding.auth_level());
            let context = logon.into_context()?;
            let security = RpcSecurity::new(context, auth_type, auth_level, AUTH_CONTEXT);
            self.security = Some(security);
        }
        Ok(step)
    }

    /// The key of the bind's logon, once.
    pub(crate) fn take_logon_key(&mut self) -> Option<LogonKey> {
        self.logon_key.take()
    }

    /// The fragments of a request.
    ///
    /// # Errors
    /// When a fragment cannot be protected.
    pub(crate) fn request(&mut self, opnum: u16, stub: &[u8]) -> Result<Vec<Vec<u8>>, DriveError> {
        self.next_call_id = self.next_call_id.wrapping_add(1);
        self.assembler.reset();
        let body = Body::Request(Request {
            alloc_hint: 0,
            context_id: CONTEXT,
            opnum,
            object: None,
            stub: stub.to_vec(),
        });
        let pdu = Pdu::new(Header::new(self.next_call_id), body);
        let signature_len = self.security.as_ref().map_or(0, RpcSecurity::signature_len);
        fragment(&pdu, usize::from(self.max_xmit_frag), signature_len)
            .into_iter()
            .map(|piece| match &mut self.security {
                Some(security) => security
                    .protect(&piece)
                    .map_err(|error| DriveError::Own(error.to_string())),
                None => Ok(piece.emit()),
            })
            .collect()
    }

    /// Takes one fragment of the answer; gives the answer when it was the last one.
    ///
    /// # Errors
    /// A fragment that does not parse, does not belong here or is not signed as it must be.
    pub(crate) fn handle_fragment(&mut self, bytes: &[u8]) -> Result<Option<CallEnd>, DriveError> {
        let during = "rpc answer";
        let unreadable = |source| DriveError::Unreadable { during, source };
        let misbehaved = |what: String| DriveError::Misbehaved { during, what };
        let pdu = Pdu::parse(bytes).map_err(unreadable)?;
        let pdu = match (&pdu.body, &pdu.auth, &mut self.security) {
            // A fault may come without a signature: the server may have no context to sign with.
            (Body::Fault(_), None, _) | (_, _, None) => pdu,
            (_, _, Some(security)) => security
                .unprotect(bytes)
                .map_err(|error| misbehaved(error.to_string()))?,
        };
        if pdu.header.call_id != self.next_call_id {
            return Err(misbehaved(format!(
                "call {} came for call {}",
                pdu.header.call_id, self.next_call_id
            )));
        }
        let whole = self
            .assembler
            .push(pdu)
            .map_err(|error| misbehaved(error.to_string()))?;
        match whole.map(|pdu| pdu.body) {
            None => Ok(None),
            Some(Body::Response(response)) => Ok(Some(CallEnd::Stub(response.stub))),
            Some(Body::Fault(fault)) => Ok(Some(CallEnd::Fault(fault.status.0))),
            Some(other) => Err(misbehaved(format!(
                "answered with a PDU of type {:?}",
                other.ptype()
            ))),
        }
    }
}

/// Why the one context was refused.
fn refusal(ack: &BindAck) -> Option<String> {
    match ack.results.first() {
        None => Some("no result for the presentation context".to_owned()),
        Some(outcome) if outcome.result == ResultCode::ACCEPTANCE => None,
        Some(outcome) => Some(format!("{:?}: {:?}", outcome.result, outcome.reason)),
    }
}
