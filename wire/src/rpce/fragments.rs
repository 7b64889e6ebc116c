//! Fragments: where one ends in a stream of bytes, how they are joined, how a message is split.

use crate::error::{ErrorKind, Layer, ParseError};
use crate::ndr::ByteOrder;
use crate::rpce::{
    Body, DataRepresentation, Fault, HEADER_LEN, Pdu, PfcFlags, Request, Response, TRAILER_LEN,
};

/// How long a joined stub may become, in bytes.
pub const JOINED_STUB_MAX: usize = 0x2_0000;

/// How many bytes of a fragment tell its length.
const LENGTH_KNOWN_AFTER: usize = 10;

/// What a signed or sealed part is padded to, in bytes (MS-RPCE 2.2.2.11).
pub(super) const AUTH_ALIGNMENT: usize = 16;

/// How long the first fragment in `buffer` is, in bytes; `None` while too little has come to tell.
/// The fragment itself may still be incomplete. This is the one place where RPC bytes are waited for.
///
/// # Errors
/// What begins there is no PDU: wrong version, or a length below that of a header.
pub fn next_fragment(buffer: &[u8]) -> Result<Option<usize>, ParseError> {
    let error = |offset_bytes, field, kind| ParseError {
        layer: Layer::Rpce,
        offset_bytes,
        field,
        kind,
    };
    if buffer.first().is_some_and(|version| *version != 5) {
        return Err(error(0, "rpc_vers", ErrorKind::BadMagic));
    }
    let Some([_, _, _, _, d0, d1, d2, d3, a, b]) = buffer.get(..LENGTH_KNOWN_AFTER) else {
        return Ok(None);
    };
    let frag_length = match DataRepresentation([*d0, *d1, *d2, *d3]).byte_order() {
        ByteOrder::Little => u16::from_le_bytes([*a, *b]),
        ByteOrder::Big => u16::from_be_bytes([*a, *b]),
    };
    match usize::from(frag_length) {
        length if length < HEADER_LEN => Err(error(8, "frag_length", ErrorKind::LengthOutOfRange)),
        length => Ok(Some(length)),
    }
}

/// Why fragments do not make one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssemblyError {
    /// A later fragment came without a first one.
    #[error("rpc call {call_id}: a fragment without a first one")]
    NoFirst {
        /// The call of the fragment.
        call_id: u32,
    },
    /// A first fragment came before the last one of another message.
    #[error("rpc call {call_id}: a first fragment before the last one of the message before")]
    NotFinished {
        /// The call of the new fragment.
        call_id: u32,
    },
    /// A later fragment differs from the first in what must be equal.
    #[error("rpc call {call_id}: fragments differ in {field}")]
    Mismatch {
        /// The call of the first fragment.
        call_id: u32,
        /// What differs.
        field: &'static str,
    },
    /// The joined stub is longer than the limit.
    #[error("rpc call {call_id}: stub above the limit of {limit_bytes} bytes")]
    TooLong {
        /// The call.
        call_id: u32,
        /// The limit.
        limit_bytes: usize,
    },
}

/// Joins the fragments of requests, responses and faults of one direction of one connection.
///
/// Fragments of different calls may not be mixed (MS-RPCE 3.3.1.5.9 has none do so without
/// concurrent multiplexing, and there only whole messages alternate).
#[derive(Debug, Clone)]
pub struct Assembler {
    partial: Option<Pdu>,
    limit_bytes: usize,
}

impl Default for Assembler {
    fn default() -> Self {
        Assembler::new(JOINED_STUB_MAX)
    }
}

impl Assembler {
    /// Joins stubs of up to `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Assembler {
            partial: None,
            limit_bytes,
        }
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.partial.is_some()
    }

    /// Forgets a message that has begun.
    pub fn reset(&mut self) {
        self.partial = None;
    }

    /// Takes the next fragment, already unprotected. With the last one returns the message: the
    /// first fragment with the whole stub and both flags; it may be too long to travel.
    /// PDUs without a stub pass through.
    ///
    /// # Errors
    /// The fragments do not belong together; the message is forgotten then.
    pub fn push(&mut self, pdu: Pdu) -> Result<Option<Pdu>, AssemblyError> {
        if pdu.body.stub().is_none() {
            return Ok(Some(pdu));
        }
        let first = pdu.header.pfc_flags.has(PfcFlags::FIRST_FRAG);
        let last = pdu.header.pfc_flags.has(PfcFlags::LAST_FRAG);
        let call_id = pdu.header.call_id;
        let mut whole = match (self.partial.take(), first) {
            (None, true) => {
                self.check_length(&pdu, 0)?;
                pdu
            }
            (None, false) => return Err(AssemblyError::NoFirst { call_id }),
            (Some(_), true) => return Err(AssemblyError::NotFinished { call_id }),
            (Some(whole), false) => self.join(whole, &pdu)?,
        };
        if !last {
            self.partial = Some(whole);
            return Ok(None);
        }
        whole.header.pfc_flags = whole.header.pfc_flags.with(PfcFlags::LAST_FRAG, true);
        Ok(Some(whole))
    }

    fn join(&self, mut whole: Pdu, next: &Pdu) -> Result<Pdu, AssemblyError> {
        if let Some(field) = difference(&whole, next) {
            return Err(AssemblyError::Mismatch {
                call_id: whole.header.call_id,
                field,
            });
        }
        let so_far = whole.body.stub().unwrap_or_default().len();
        self.check_length(next, so_far)?;
        if let (Some(stub), Some(more)) = (whole.body.stub_mut(), next.body.stub()) {
            stub.extend_from_slice(more);
        }
        Ok(whole)
    }

    fn check_length(&self, pdu: &Pdu, so_far: usize) -> Result<(), AssemblyError> {
        let more = pdu.body.stub().unwrap_or_default().len();
        match so_far.saturating_add(more) <= self.limit_bytes {
            true => Ok(()),
            false => Err(AssemblyError::TooLong {
                call_id: pdu.header.call_id,
                limit_bytes: self.limit_bytes,
            }),
        }
    }
}

/// What must be equal in all fragments of a message and is not.
fn difference(first: &Pdu, next: &Pdu) -> Option<&'static str> {
    let same_order = first.header.drep.byte_order() == next.header.drep.byte_order();
    match (&first.body, &next.body) {
        _ if first.header.call_id != next.header.call_id => Some("call_id"),
        _ if first.body.ptype() != next.body.ptype() => Some("ptype"),
        _ if !same_order => Some("packed_drep"),
        (Body::Request(a), Body::Request(b)) if a.context_id != b.context_id => Some("p_cont_id"),
        (Body::Request(a), Body::Request(b)) if a.opnum != b.opnum => Some("opnum"),
        (Body::Response(a), Body::Response(b)) if a.context_id != b.context_id => Some("p_cont_id"),
        _ => None,
    }
}

/// How much stub fits into one fragment of `max_frag` bytes, where `auth_value_len` is the length
/// of the signature, 0 without one. A multiple of what signing or NDR aligns to, and never zero.
#[must_use]
pub fn stub_room(body: &Body, max_frag: usize, auth_value_len: usize) -> usize {
    let trailer = match auth_value_len {
        0 => 0,
        length => TRAILER_LEN.saturating_add(length),
    };
    let room = max_frag
        .saturating_sub(body.stub_at())
        .saturating_sub(trailer);
    (room / AUTH_ALIGNMENT).max(1) * AUTH_ALIGNMENT
}

/// Splits a request or response into fragments that fit into `max_frag` bytes together with the
/// padding, the trailer and a signature of `auth_value_len` bytes (0: none). Sets the flags and
/// `alloc_hint`. A PDU without a stub is returned as it is.
#[must_use]
pub fn fragment(pdu: &Pdu, max_frag: usize, auth_value_len: usize) -> Vec<Pdu> {
    let Some(stub) = pdu.body.stub() else {
        return vec![pdu.clone()];
    };
    let room = stub_room(&pdu.body, max_frag, auth_value_len);
    let parts: Vec<&[u8]> = match stub {
        [] => vec![stub],
        _ => stub.chunks(room).collect(),
    };
    let last = parts.len().saturating_sub(1);
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let to_come = stub.len().saturating_sub(index.saturating_mul(room));
            let flags = pdu
                .header
                .pfc_flags
                .with(PfcFlags::FIRST_FRAG, index == 0)
                .with(PfcFlags::LAST_FRAG, index == last);
            piece(pdu, part, flags, u32::try_from(to_come).unwrap_or(u32::MAX))
        })
        .collect()
}

fn piece(pdu: &Pdu, part: &[u8], flags: PfcFlags, hint: u32) -> Pdu {
    let stub = part.to_vec();
    let body = match &pdu.body {
        Body::Request(request) => Body::Request(Request {
            alloc_hint: hint,
            stub,
            ..*request
        }),
        Body::Response(response) => Body::Response(Response {
            alloc_hint: hint,
            stub,
            ..*response
        }),
        Body::Fault(fault) => Body::Fault(Fault {
            alloc_hint: hint,
            stub,
            ..*fault
        }),
        other => other.clone(),
    };
    let mut header = pdu.header;
    header.pfc_flags = flags;
    Pdu {
        header,
        body,
        trailing: pdu.trailing.clone(),
        auth: pdu.auth.clone(),
    }
}
