//! One PDU: header, body, and the trailer where there is one.

use crate::error::{ErrorKind, Layer, ParseError};
use crate::ndr::{Reader, Representation, TransferSyntax, Writer};
use crate::rpce::header::WireHeader;
use crate::rpce::{
    Auth3, Bind, BindAck, BindNak, DataRepresentation, Fault, HEADER_LEN, Header, PType, PfcFlags,
    Request, Response, SecurityTrailer,
};

/// C706 12.6.4: one fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// The common header.
    pub header: Header,
    /// What its type says it is.
    pub body: Body,
    /// Bytes behind a body that ends by itself, such as the extended error of a bind_nak.
    pub trailing: Vec<u8>,
    /// The security trailer, where `auth_length` is not zero.
    pub auth: Option<SecurityTrailer>,
}

/// C706 12.6.4: the bodies by type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// C706 12.6.4.9.
    Request(Request),
    /// C706 12.6.4.10.
    Response(Response),
    /// C706 12.6.4.7.
    Fault(Fault),
    /// C706 12.6.4.3.
    Bind(Bind),
    /// C706 12.6.4.4.
    BindAck(BindAck),
    /// C706 12.6.4.5.
    BindNak(BindNak),
    /// C706 12.6.4.1.
    AlterContext(Bind),
    /// C706 12.6.4.2.
    AlterContextResp(BindAck),
    /// MS-RPCE 2.2.2.10.
    Auth3(Auth3),
    /// C706 12.6.4.11: the server would like the connection to be closed; no body.
    Shutdown,
    /// C706 12.6.4.6: the client wants the call to end; no body.
    CoCancel,
    /// C706 12.6.4.8: the client has lost interest in the call; no body.
    Orphaned,
    /// A type that is not known; its bytes are in [`Pdu::trailing`].
    Unknown(PType),
}

impl Body {
    /// The type that the header states.
    #[must_use]
    pub fn ptype(&self) -> PType {
        match self {
            Body::Request(_) => PType::REQUEST,
            Body::Response(_) => PType::RESPONSE,
            Body::Fault(_) => PType::FAULT,
            Body::Bind(_) => PType::BIND,
            Body::BindAck(_) => PType::BIND_ACK,
            Body::BindNak(_) => PType::BIND_NAK,
            Body::AlterContext(_) => PType::ALTER_CONTEXT,
            Body::AlterContextResp(_) => PType::ALTER_CONTEXT_RESP,
            Body::Auth3(_) => PType::AUTH_3,
            Body::Shutdown => PType::SHUTDOWN,
            Body::CoCancel => PType::CO_CANCEL,
            Body::Orphaned => PType::ORPHANED,
            Body::Unknown(ptype) => *ptype,
        }
    }

    /// The stub of a request, response or fault.
    #[must_use]
    pub fn stub(&self) -> Option<&[u8]> {
        match self {
            Body::Request(request) => Some(&request.stub),
            Body::Response(response) => Some(&response.stub),
            Body::Fault(fault) => Some(&fault.stub),
            _ => None,
        }
    }

    /// The stub of a request, response or fault, to be changed.
    pub fn stub_mut(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Body::Request(request) => Some(&mut request.stub),
            Body::Response(response) => Some(&mut response.stub),
            Body::Fault(fault) => Some(&mut fault.stub),
            _ => None,
        }
    }

    /// Where the stub begins, in bytes from the start of the PDU.
    pub(super) fn stub_at(&self) -> usize {
        let before = match self {
            Body::Request(request) if request.object.is_some() => 24,
            Body::Fault(_) => 16,
            _ => 8,
        };
        HEADER_LEN.saturating_add(before)
    }

    fn parse(reader: &mut Reader<'_>, ptype: PType, flags: PfcFlags) -> Result<Self, ParseError> {
        Ok(match ptype {
            PType::REQUEST => {
                Body::Request(Request::parse(reader, flags.has(PfcFlags::OBJECT_UUID))?)
            }
            PType::RESPONSE => Body::Response(Response::parse(reader)?),
            PType::FAULT => Body::Fault(Fault::parse(reader)?),
            PType::BIND => Body::Bind(Bind::parse(reader)?),
            PType::BIND_ACK => Body::BindAck(BindAck::parse(reader)?),
            PType::BIND_NAK => Body::BindNak(BindNak::parse(reader)?),
            PType::ALTER_CONTEXT => Body::AlterContext(Bind::parse(reader)?),
            PType::ALTER_CONTEXT_RESP => Body::AlterContextResp(BindAck::parse(reader)?),
            PType::AUTH_3 => Body::Auth3(Auth3::parse(reader)?),
            PType::SHUTDOWN => Body::Shutdown,
            PType::CO_CANCEL => Body::CoCancel,
            PType::ORPHANED => Body::Orphaned,
            other => Body::Unknown(other),
        })
    }

    fn emit(&self, writer: &mut Writer) {
        match self {
            Body::Request(request) => request.emit(writer),
            Body::Response(response) => response.emit(writer),
            Body::Fault(fault) => fault.emit(writer),
            Body::Bind(bind) | Body::AlterContext(bind) => bind.emit(writer),
            Body::BindAck(ack) | Body::AlterContextResp(ack) => ack.emit(writer),
            Body::BindNak(nak) => nak.emit(writer),
            Body::Auth3(auth_3) => auth_3.emit(writer),
            Body::Shutdown | Body::CoCancel | Body::Orphaned | Body::Unknown(_) => {}
        }
    }
}

/// PDU headers are NDR32 whatever the stub is (C706 12.6).
fn header_representation(drep: DataRepresentation) -> Representation {
    drep.representation(TransferSyntax::Ndr32)
}

impl Pdu {
    /// A PDU without trailer.
    #[must_use]
    pub fn new(header: Header, body: Body) -> Self {
        Pdu {
            header,
            body,
            trailing: Vec::new(),
            auth: None,
        }
    }

    /// Reads one fragment, which must be all of `bytes`.
    ///
    /// # Errors
    /// A field that cannot be read, lengths that contradict each other or `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let drep = match bytes.get(4..8) {
            Some([a, b, c, d]) => DataRepresentation([*a, *b, *c, *d]),
            _ => DataRepresentation::LITTLE_ENDIAN,
        };
        let representation = header_representation(drep);
        let mut reader = Reader::new(Layer::Rpce, bytes, representation);
        let wire = WireHeader::parse(&mut reader)?;
        let frag_length = usize::from(wire.frag_length);
        if frag_length > bytes.len() {
            let needed = frag_length.saturating_sub(bytes.len());
            return Err(reader.error("frag_length", ErrorKind::Truncated { needed }));
        }
        if frag_length < bytes.len() {
            return Err(reader.error("frag_length", ErrorKind::TrailingBytes));
        }
        let auth_length = usize::from(wire.auth_length);
        let (auth, body_end) = match auth_length {
            0 => (None, bytes.len()),
            _ => {
                let (body, auth_value) = bytes
                    .len()
                    .checked_sub(auth_length)
                    .and_then(|at| bytes.split_at_checked(at))
                    .ok_or(reader.error("auth_length", ErrorKind::LengthOutOfRange))?;
                let (trailer, end) =
                    SecurityTrailer::parse(&mut reader.clone(), body, HEADER_LEN, auth_value)?;
                (Some(trailer), end)
            }
        };
        let mut reader = Reader::new(
            Layer::Rpce,
            bytes.get(..body_end).unwrap_or(bytes),
            representation,
        );
        reader.bytes("header", HEADER_LEN)?;
        let body = Body::parse(&mut reader, wire.ptype, wire.header.pfc_flags)?;
        Ok(Pdu {
            header: wire.header,
            body,
            trailing: reader.take_rest().to_vec(),
            auth,
        })
    }

    /// The fragment. A PDU above 65,535 bytes cannot travel; its stated length saturates.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let representation = header_representation(self.header.drep);
        let mut after = Writer::new(representation);
        // All bodies begin at a multiple of 8, so their alignment holds without the header.
        self.body.emit(&mut after);
        after.bytes(&self.trailing);
        if let Some(auth) = &self.auth {
            auth.emit(&mut after);
        }
        let after = after.into_bytes();
        let mut header = self.header;
        if let Body::Request(request) = &self.body {
            let has_object = request.object.is_some();
            header.pfc_flags = header.pfc_flags.with(PfcFlags::OBJECT_UUID, has_object);
        }
        let auth_length = self.auth.as_ref().map_or(0, |auth| auth.auth_value.len());
        let mut writer = Writer::new(representation);
        WireHeader {
            header,
            ptype: self.body.ptype(),
            frag_length: length16(after.len().saturating_add(HEADER_LEN)),
            auth_length: length16(auth_length),
        }
        .emit(&mut writer);
        writer.bytes(&after);
        writer.into_bytes()
    }
}

fn length16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
