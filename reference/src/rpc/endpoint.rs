//! C706 chapter 9 and MS-RPCE 3.3.3: the server's end of one association.

use super::association::Association;
use super::calls::{CallToken, Calls, Origin, Work};
use super::config::{EndpointConfig, Fresh, Identity, Service};
use super::limits::{STUB_MAX, UNREAD_PDUS_MAX};
use super::logon::{Logon, NotRecognised};
use crate::agent::Caller;
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use fsrvp_wire::ndr::{Representation, TransferSyntax, WideString};
use fsrvp_wire::rpce::{
    Assembler, AuthLevel, AuthType, Bind, BindNak, Body, Fault, FaultStatus, Header, Pdu, PfcFlags,
    RejectReason, Request, Response, SecurityError, SecurityTrailer, fragment, next_fragment,
};
use fsrvp_wire::srvsvc;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// C706 12.6.3.1: the highest minor version of the protocol; both known ones look alike.
const RPC_VERS_MINOR_MAX: u8 = 1;

/// What lives behind one open of a pipe; see the module for how to drive it.
pub struct Endpoint {
    service: Service,
    config: Arc<EndpointConfig>,
    fresh: Fresh,
    address: IpAddr,
    smb_user: Identity,
    /// The start of a fragment that has not come whole; shorter than a fragment can be.
    incoming: Vec<u8>,
    output: VecDeque<Vec<u8>>,
    association: Option<Association>,
    logon: Logon,
    assembler: Assembler,
    calls: Calls,
    dead: bool,
}

/// What ends the association, with the fault that says so where one is due.
struct Broken(Option<FaultStatus>);

impl Endpoint {
    /// An endpoint of FSRVP for a client at `address` whom SMB knows as `smb_user`.
    #[must_use]
    pub fn new(
        config: Arc<EndpointConfig>,
        fresh: Fresh,
        address: IpAddr,
        smb_user: Identity,
    ) -> Self {
        Endpoint::of(
            Service::FileServerVssAgent,
            config,
            fresh,
            address,
            smb_user,
        )
    }

    /// An endpoint of any service.
    #[must_use]
    pub fn of(
        service: Service,
        config: Arc<EndpointConfig>,
        fresh: Fresh,
        address: IpAddr,
        smb_user: Identity,
    ) -> Self {
        Endpoint {
            service,
            config,
            fresh,
            address,
            smb_user,
            incoming: Vec::new(),
            output: VecDeque::new(),
            association: None,
            logon: Logon::None,
            assembler: Assembler::new(STUB_MAX),
            calls: Calls::default(),
            dead: false,
        }
    }

    /// What a write to the pipe brought: a part of a fragment, one, or several.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        if self.dead {
            return;
        }
        self.incoming.extend_from_slice(bytes);
        while !self.dead {
            match next_fragment(&self.incoming) {
                Ok(Some(length)) if length <= self.incoming.len() => {
                    let rest = self.incoming.split_off(length);
                    let whole = std::mem::replace(&mut self.incoming, rest);
                    self.handle_fragment(&whole);
                }
                Ok(_) => break,
                Err(_) => self.die(),
            }
        }
    }

    /// The next PDU for the client, which is one message of the pipe.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    /// The next call; there is none while another one waits for its [`Endpoint::handle_reply`].
    pub fn poll_call(&mut self) -> Option<(CallToken, Caller, Call)> {
        let (token, call) = self.calls.next_call()?;
        Some((token, self.caller(), call))
    }

    /// The next call about shares; see [`Endpoint::poll_call`].
    pub fn poll_share_call(&mut self) -> Option<(CallToken, Caller, srvsvc::Call)> {
        let (token, call) = self.calls.next_share_call()?;
        Some((token, self.caller(), call))
    }

    /// The agent's reply to a call. One to a call that is not in hand is passed over.
    pub fn handle_reply(&mut self, token: CallToken, reply: &Reply) {
        self.answer(token, |representation| reply.emit(representation));
    }

    /// The call was not carried out; there is a fault with this status in place of a reply.
    pub fn handle_fault(&mut self, token: CallToken, status: FaultStatus) {
        if let Some(origin) = self.calls.finish(token) {
            self.send_fault(&origin.header, origin.context_id, status);
            self.send_due_faults();
        }
    }

    /// The reply to a call about shares.
    pub fn handle_share_reply(&mut self, token: CallToken, reply: &srvsvc::Reply) {
        self.answer(token, |representation| reply.emit(representation));
    }

    fn answer(&mut self, token: CallToken, stub: impl FnOnce(Representation) -> Vec<u8>) {
        let Some(origin) = self.calls.finish(token) else {
            return;
        };
        let header = origin.header.answer();
        let stub = stub(header.drep.representation(origin.syntax));
        let response = Body::Response(Response {
            alloc_hint: 0,
            context_id: origin.context_id,
            cancel_count: 0,
            reserved: 0,
            stub,
        });
        if self.send_protected(&Pdu::new(header, response)).is_err() {
            self.die();
        }
        self.send_due_faults();
    }

    /// Whether the association is over: send what is left of the output, then close the pipe.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    fn caller(&mut self) -> Caller {
        let (identity, auth_type, auth_level) = match self.logon.done() {
            Some(logged_on) => (
                logged_on.identity.clone(),
                logged_on.security.auth_type(),
                logged_on.security.auth_level(),
            ),
            None => (self.smb_user.clone(), AuthType::NONE, AuthLevel::NONE),
        };
        Caller {
            address: self.address,
            user: identity.user,
            backup_rights: identity.backup_rights,
            auth_type: auth_type.0,
            auth_level: auth_level.0,
        }
    }

    fn handle_fragment(&mut self, bytes: &[u8]) {
        let Ok(pdu) = Pdu::parse(bytes) else {
            return self.die();
        };
        let header = pdu.header;
        let context_id = match &pdu.body {
            Body::Request(request) => request.context_id,
            _ => 0,
        };
        let outcome = match &pdu.body {
            Body::Bind(bind) => self.handle_bind(&pdu, bind),
            Body::AlterContext(alter) => self.handle_alter(&pdu, alter),
            Body::Auth3(_) => self.handle_auth_3(&pdu),
            Body::Request(_) => self.handle_request(bytes, pdu),
            // A cancel asks for nothing that could still be stopped here.
            Body::CoCancel => Ok(()),
            Body::Orphaned => {
                self.assembler.reset();
                self.calls.orphan(header.call_id);
                Ok(())
            }
            _ => Err(Broken(Some(FaultStatus::PROTO_ERROR))),
        };
        if let Err(Broken(status)) = outcome {
            if let Some(status) = status {
                self.send_fault(&header, context_id, status);
            }
            self.die();
        }
        self.send_due_faults();
        if self.output.len() > UNREAD_PDUS_MAX {
            self.die();
        }
    }

    fn handle_bind(&mut self, pdu: &Pdu, bind: &Bind) -> Result<(), Broken> {
        if self.association.is_some() {
            return Err(Broken(Some(FaultStatus::PROTO_ERROR)));
        }
        if pdu.header.rpc_vers_minor > RPC_VERS_MINOR_MAX {
            return self.refuse_bind(pdu, RejectReason::PROTOCOL_VERSION_NOT_SUPPORTED);
        }
        let answer = match &pdu.auth {
            Some(trailer) => match self.begin_logon(trailer) {
                Ok(answer) => Some(answer),
                Err(reason) => return self.refuse_bind(pdu, reason),
            },
            None => None,
        };
        let mut association = Association::new(bind, self.fresh.assoc_group_id, self.service);
        let ack = association.answer(bind, &format!("\\pipe\\{}", self.service.pipe()));
        self.association = Some(association);
        self.send_answer(pdu, Body::BindAck(ack), answer);
        Ok(())
    }

    fn begin_logon(&mut self, trailer: &SecurityTrailer) -> Result<SecurityTrailer, RejectReason> {
        self.logon = Logon::begin(&self.config, &self.fresh, trailer)
            .map_err(|NotRecognised| RejectReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED)?;
        self.logon
            .step(&self.config, trailer)
            .map(|token| answer_to(trailer, token))
            .map_err(|_| RejectReason::INVALID_CHECKSUM)
    }

    fn refuse_bind(&mut self, pdu: &Pdu, reject_reason: RejectReason) -> Result<(), Broken> {
        let nak = BindNak {
            reject_reason,
            versions: vec![(5, 0), (5, RPC_VERS_MINOR_MAX)],
        };
        self.output
            .push_back(Pdu::new(pdu.header.answer(), Body::BindNak(nak)).emit());
        Err(Broken(None))
    }

    fn handle_alter(&mut self, pdu: &Pdu, alter: &Bind) -> Result<(), Broken> {
        if self.association.is_none() {
            return Err(Broken(Some(FaultStatus::PROTO_ERROR)));
        }
        let answer = match (&pdu.auth, &self.logon) {
            (None, _) => None,
            (Some(trailer), Logon::None) => Some(self.begin_logon(trailer).map_err(|reason| {
                Broken(Some(match reason {
                    RejectReason::AUTHENTICATION_TYPE_NOT_RECOGNIZED => FaultStatus::SEC_PKG_ERROR,
                    _ => FaultStatus::ACCESS_DENIED,
                }))
            })?),
            (Some(trailer), _) => match self.logon.step(&self.config, trailer) {
                Ok(token) => Some(answer_to(trailer, token)),
                Err(_) => return Err(Broken(Some(FaultStatus::ACCESS_DENIED))),
            },
        };
        if let Some(association) = &mut self.association {
            let ack = association.answer(alter, "");
            self.send_answer(pdu, Body::AlterContextResp(ack), answer);
        }
        Ok(())
    }

    /// There is no answer, not even to a wrong password; the next request shows it.
    fn handle_auth_3(&mut self, pdu: &Pdu) -> Result<(), Broken> {
        let proto_error = Broken(Some(FaultStatus::PROTO_ERROR));
        let Some(trailer) = &pdu.auth else {
            return Err(proto_error);
        };
        if !matches!(self.logon, Logon::Going(_)) {
            return Err(proto_error);
        }
        if self.logon.step(&self.config, trailer).is_err() || self.logon.done().is_none() {
            self.logon = Logon::Failed;
        }
        Ok(())
    }

    fn handle_request(&mut self, bytes: &[u8], pdu: Pdu) -> Result<(), Broken> {
        let proto_error = Broken(Some(FaultStatus::PROTO_ERROR));
        let Some(association) = &self.association else {
            return Err(proto_error);
        };
        if bytes.len() > association.max_recv_frag() {
            return Err(proto_error);
        }
        let pdu = match &mut self.logon {
            Logon::None if pdu.auth.is_some() => return Err(proto_error),
            Logon::None => pdu,
            Logon::Going(_) => return Err(proto_error),
            Logon::Failed => return Err(Broken(Some(FaultStatus::ACCESS_DENIED))),
            Logon::Done(logged_on) => match logged_on.security.unprotect(bytes) {
                Ok(pdu) => pdu,
                Err(SecurityError::TrailerMissing) => return self.refuse_bare(&pdu),
                Err(_) => return Err(Broken(Some(FaultStatus::ACCESS_DENIED))),
            },
        };
        match self.assembler.push(pdu) {
            Ok(Some(whole)) => self.take_request(whole),
            Ok(None) => Ok(()),
            Err(_) => Err(proto_error),
        }
    }

    /// A request without verifier changes no keys, so only it is refused.
    fn refuse_bare(&mut self, pdu: &Pdu) -> Result<(), Broken> {
        self.assembler.reset();
        match (&pdu.body, pdu.header.pfc_flags.has(PfcFlags::LAST_FRAG)) {
            (Body::Request(request), true) => {
                let origin = Origin {
                    header: pdu.header,
                    context_id: request.context_id,
                    syntax: TransferSyntax::Ndr32,
                };
                self.enqueue(origin, Work::Fault(FaultStatus::ACCESS_DENIED))
            }
            _ => Err(Broken(Some(FaultStatus::ACCESS_DENIED))),
        }
    }

    fn take_request(&mut self, pdu: Pdu) -> Result<(), Broken> {
        let Body::Request(request) = pdu.body else {
            return Err(Broken(Some(FaultStatus::PROTO_ERROR)));
        };
        let syntax = self
            .association
            .as_ref()
            .and_then(|association| association.syntax(request.context_id));
        let origin = Origin {
            header: pdu.header,
            context_id: request.context_id,
            syntax: syntax.unwrap_or_default(),
        };
        let work = match syntax {
            None => Work::Fault(FaultStatus::UNK_IF),
            Some(_) => match self.service {
                Service::FileServerVssAgent => read_call(&origin, &request),
                Service::Srvsvc => read_share_call(&origin, &request),
            },
        };
        self.enqueue(origin, work)
    }

    fn enqueue(&mut self, origin: Origin, work: Work) -> Result<(), Broken> {
        self.calls
            .push(origin, work)
            .map_err(|_| Broken(Some(FaultStatus::SERVER_TOO_BUSY)))
    }

    fn send_due_faults(&mut self) {
        while let Some((origin, status)) = self.calls.next_fault() {
            self.send_fault(&origin.header, origin.context_id, status);
        }
    }

    fn send_fault(&mut self, request: &Header, context_id: u16, status: FaultStatus) {
        // A stub is read before anything is executed, so no fault leaves after an execution.
        let mut header = request.answer();
        header.pfc_flags = header.pfc_flags.with(PfcFlags::DID_NOT_EXECUTE, true);
        let fault = Body::Fault(Fault::new(context_id, status));
        self.output.push_back(Pdu::new(header, fault).emit());
    }

    /// Answers a bind or alter_context, with a token where the client sent one.
    fn send_answer(&mut self, request: &Pdu, body: Body, trailer: Option<SecurityTrailer>) {
        let mut answer = Pdu::new(request.header.answer(), body);
        let header_sign = request.header.pfc_flags.has(PfcFlags::SUPPORT_HEADER_SIGN);
        // NTLM signs headers in any case.
        answer.header.pfc_flags = answer.header.pfc_flags.with(
            PfcFlags::SUPPORT_HEADER_SIGN,
            header_sign && trailer.is_some(),
        );
        // A logon that ends here has nothing more to say, and an empty token cannot travel.
        answer.auth = trailer.filter(|trailer| !trailer.auth_value.is_empty());
        self.output.push_back(answer.emit());
    }

    fn send_protected(&mut self, response: &Pdu) -> Result<(), SecurityError> {
        let max_frag = self
            .association
            .as_ref()
            .map_or(0, Association::max_xmit_frag);
        match self.logon.done() {
            None => {
                let pieces = fragment(response, max_frag, 0);
                self.output.extend(pieces.iter().map(Pdu::emit));
            }
            Some(logged_on) => {
                let signature_len = logged_on.security.signature_len();
                for piece in fragment(response, max_frag, signature_len) {
                    self.output.push_back(logged_on.security.protect(&piece)?);
                }
            }
        }
        Ok(())
    }

    fn die(&mut self) {
        self.dead = true;
        self.incoming.clear();
        self.calls.clear();
    }
}

/// The trailer that answers one of the client's.
fn answer_to(trailer: &SecurityTrailer, token: Vec<u8>) -> SecurityTrailer {
    SecurityTrailer::new(
        trailer.auth_type,
        trailer.auth_level,
        trailer.auth_context_id,
        token,
    )
}

/// Reads the parameters, as strictly as NDR is on the other end of Windows' and Samba's pipes.
fn read_call(origin: &Origin, request: &Request) -> Work {
    let opnum = Opnum(request.opnum);
    if opnum.name().is_none() {
        return Work::Fault(FaultStatus::OP_RNG_ERROR);
    }
    let representation = origin.header.drep.representation(origin.syntax);
    match Call::parse(opnum, &request.stub, representation) {
        Ok(call) if share_name(&call).is_none_or(WideString::is_legal) => Work::Call(call),
        _ => Work::Fault(FaultStatus::BAD_STUB_DATA),
    }
}

fn read_share_call(origin: &Origin, request: &Request) -> Work {
    let opnum = srvsvc::Opnum(request.opnum);
    if !srvsvc::is_known(opnum) {
        return Work::Fault(FaultStatus::OP_RNG_ERROR);
    }
    let representation = origin.header.drep.representation(origin.syntax);
    match srvsvc::Call::parse(opnum, &request.stub, representation) {
        Ok(call) => Work::ShareCall(call),
        Err(_) => Work::Fault(FaultStatus::BAD_STUB_DATA),
    }
}

/// The one string that a request can hold.
fn share_name(call: &Call) -> Option<&WideString> {
    match call {
        Call::AddToShadowCopySet(request) => Some(&request.share_name),
        Call::IsPathSupported(request) => Some(&request.share_name),
        Call::IsPathShadowCopied(request) => Some(&request.share_name),
        Call::GetShareMapping(request) => Some(&request.share_name),
        Call::DeleteShareMapping(request) => Some(&request.share_name),
        _ => None,
    }
}
