//! A client of one endpoint, made of the wire room's other half.

use crate::rpc::{Accounts, Endpoint, EndpointConfig, Fresh, Identity};
use fsrvp_wire::auth::ntlm::{
    Credentials, Initiator, InitiatorOptions, InitiatorRandom, NtHash, SecurityContext,
};
use fsrvp_wire::auth::spnego;
use fsrvp_wire::fsrvp::{Call, INTERFACE, INTERFACE_VERSION, Reply};
use fsrvp_wire::ndr::Representation;
use fsrvp_wire::rpce::{
    Assembler, Auth3, AuthLevel, AuthType, Bind, BindAck, Body, ContextElement, FaultStatus,
    Header, NDR32, Pdu, Request, RpcSecurity, SecurityTrailer, SyntaxId, fragment,
};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const AUTH_CONTEXT_ID: u32 = 79231;

/// `backup` has backup rights, `mortal` has none; both have the password `secret`.
struct TwoUsers;

impl Accounts for TwoUsers {
    fn nt_hash(&self, user: &str, _domain: &str) -> Option<NtHash> {
        ["backup", "mortal"]
            .contains(&user)
            .then(|| NtHash::of_password("secret"))
    }

    fn has_backup_rights(&self, user: &str) -> bool {
        user == "backup"
    }
}

pub(super) fn endpoint_with_group(assoc_group_id: u32) -> Endpoint {
    let config = EndpointConfig {
        accounts: Arc::new(TwoUsers),
        netbios_name: "SERVER".to_owned(),
        dns_name: "server.example".to_owned(),
    };
    let fresh = Fresh {
        server_challenge: [7; 8],
        assoc_group_id,
        filetime: 0x01DA_0000_0000_0000,
    };
    let smb_user = Identity {
        user: "admin".to_owned(),
        backup_rights: true,
    };
    Endpoint::new(Arc::new(config), fresh, ADDRESS, smb_user)
}

pub(super) fn interface() -> SyntaxId {
    SyntaxId::new(INTERFACE, INTERFACE_VERSION)
}

pub(super) fn fsrvp_context() -> ContextElement {
    ContextElement::new(0, interface(), vec![NDR32])
}

pub(super) fn bind_of(contexts: Vec<ContextElement>) -> Bind {
    Bind {
        max_xmit_frag: 4280,
        max_recv_frag: 4280,
        assoc_group_id: 0,
        reserved: 0,
        reserved2: 0,
        contexts,
    }
}

/// How a client proves who it is.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) credentials: Credentials,
    pub(super) auth_type: AuthType,
    pub(super) auth_level: AuthLevel,
}

pub(super) fn proof(user: &str, auth_type: AuthType, auth_level: AuthLevel) -> Proof {
    Proof {
        credentials: Credentials::user(user, "SERVER", "secret"),
        auth_type,
        auth_level,
    }
}

pub(super) struct TestClient {
    pub(super) endpoint: Endpoint,
    pub(super) security: Option<RpcSecurity>,
    pub(super) representation: Representation,
    pub(super) context_id: u16,
    assembler: Assembler,
    call_id: u32,
    /// The fault that ended a logon.
    refused: Option<Pdu>,
}

impl TestClient {
    pub(super) fn new() -> Self {
        TestClient {
            endpoint: endpoint_with_group(1),
            security: None,
            representation: Representation::NDR32,
            context_id: 0,
            assembler: Assembler::default(),
            call_id: 0,
            refused: None,
        }
    }

    /// Bound to FSRVP without a logon.
    pub(super) fn bound() -> Self {
        let mut client = TestClient::new();
        let ack = client.bind(bind_of(vec![fsrvp_context()]));
        assert_eq!(ack.secondary_address, b"\\pipe\\FssagentRpc\0");
        client
    }

    /// Bound to FSRVP and logged on.
    pub(super) fn logged_on(proof: &Proof) -> Self {
        let mut client = TestClient::new();
        client.log_on(proof);
        client
    }

    pub(super) fn header(&mut self) -> Header {
        self.call_id += 1;
        Header::new(self.call_id)
    }

    pub(super) fn send(&mut self, pdu: &Pdu) {
        self.endpoint.handle_bytes(&pdu.emit());
    }

    /// Sends a PDU without trailer and takes the one PDU that answers it.
    pub(super) fn exchange(&mut self, body: Body) -> Pdu {
        let pdu = Pdu::new(self.header(), body);
        self.send(&pdu);
        self.receive()
    }

    /// The next PDU of the endpoint, in the clear or not protected at all.
    pub(super) fn receive(&mut self) -> Pdu {
        let bytes = self.endpoint.poll_output().expect("an answer");
        Pdu::parse(&bytes).expect("a PDU")
    }

    pub(super) fn bind(&mut self, bind: Bind) -> BindAck {
        match self.exchange(Body::Bind(bind)).body {
            Body::BindAck(ack) => ack,
            other => panic!("{other:?} is no bind_ack"),
        }
    }

    pub(super) fn trailer(&self, proof: &Proof, token: Vec<u8>) -> SecurityTrailer {
        SecurityTrailer::new(proof.auth_type, proof.auth_level, AUTH_CONTEXT_ID, token)
    }

    pub(super) fn exchange_token(
        &mut self,
        body: Body,
        proof: &Proof,
        token: Vec<u8>,
    ) -> Option<Pdu> {
        let mut pdu = Pdu::new(self.header(), body);
        pdu.auth = Some(self.trailer(proof, token));
        self.send(&pdu);
        let bytes = self.endpoint.poll_output()?;
        Some(Pdu::parse(&bytes).expect("a PDU"))
    }

    /// The whole logon; a wrong password shows only afterwards.
    pub(super) fn log_on(&mut self, proof: &Proof) {
        let options = InitiatorOptions {
            seal: proof.auth_level == AuthLevel::PKT_PRIVACY,
            ..InitiatorOptions::default()
        };
        let random = InitiatorRandom {
            client_challenge: [3; 8],
            exported_session_key: [5; 16].into(),
            time: 0x01DA_0000_0000_0000,
        };
        let ntlm = Initiator::new(proof.credentials.clone(), options, random);
        let context = match proof.auth_type {
            AuthType::GSS_NEGOTIATE => self.log_on_by_spnego(proof, ntlm),
            _ => self.log_on_by_ntlm(proof, ntlm),
        };
        self.security = context.map(|context| {
            RpcSecurity::new(context, proof.auth_type, proof.auth_level, AUTH_CONTEXT_ID)
        });
    }

    fn log_on_by_ntlm(&mut self, proof: &Proof, mut ntlm: Initiator) -> Option<SecurityContext> {
        let bind = Body::Bind(bind_of(vec![fsrvp_context()]));
        let ack = self
            .exchange_token(bind, proof, ntlm.negotiate())
            .expect("a bind_ack");
        let challenge = ack.auth.expect("a challenge").auth_value;
        let last = ntlm.handle_challenge(&challenge).expect("a fair challenge");
        let answer = self.exchange_token(Body::Auth3(Auth3::default()), proof, last);
        assert_eq!(answer, None, "rpc_auth_3 has no answer");
        ntlm.into_context()
    }

    fn log_on_by_spnego(&mut self, proof: &Proof, ntlm: Initiator) -> Option<SecurityContext> {
        let mut spnego = spnego::Initiator::new(ntlm);
        let bind = Body::Bind(bind_of(vec![fsrvp_context()]));
        let mut answer = self.exchange_token(bind, proof, spnego.start())?;
        loop {
            if let Body::Fault(_) = answer.body {
                self.refused = Some(answer);
                return None;
            }
            let step = spnego.step(&answer.auth?.auth_value).expect("a fair token");
            if step.done {
                return spnego.into_context();
            }
            let alter = Body::AlterContext(bind_of(vec![fsrvp_context()]));
            answer = self.exchange_token(alter, proof, step.reply)?;
        }
    }

    /// Sends a request, split for a server that takes fragments of 4280 bytes.
    pub(super) fn request(&mut self, opnum: u16, stub: Vec<u8>) {
        let request = Body::Request(Request {
            alloc_hint: 0,
            context_id: self.context_id,
            opnum,
            object: None,
            stub,
        });
        let whole = Pdu::new(self.header(), request);
        let signature_len = self.security.as_ref().map_or(0, RpcSecurity::signature_len);
        for piece in fragment(&whole, 4280, signature_len) {
            let bytes = match &mut self.security {
                Some(security) => security.protect(&piece).expect("can be protected"),
                None => piece.emit(),
            };
            self.endpoint.handle_bytes(&bytes);
        }
    }

    pub(super) fn call(&mut self, call: &Call) {
        self.request(call.opnum().0, call.emit(self.representation));
    }

    /// The fault that the endpoint sent last.
    pub(super) fn fault(&mut self) -> FaultStatus {
        let pdu = self.refused.take().unwrap_or_else(|| self.receive());
        match pdu.body {
            Body::Fault(fault) => fault.status,
            other => panic!("{other:?} is no fault"),
        }
    }

    /// Joins the next response and reads it; counts its fragments.
    pub(super) fn reply(&mut self, call: &Call) -> (Reply, usize) {
        for count in 1.. {
            let bytes = self.endpoint.poll_output().expect("a response");
            let pdu = match &mut self.security {
                Some(security) => security.unprotect(&bytes).expect("a right signature"),
                None => Pdu::parse(&bytes).expect("a PDU"),
            };
            let Some(whole) = self.assembler.push(pdu).expect("in order") else {
                continue;
            };
            let stub = whole.body.stub().expect("a response");
            let reply = Reply::parse_strict(call.opnum(), stub, self.representation);
            return (reply.expect("a reply"), count);
        }
        unreachable!("the loop has no end")
    }
}
