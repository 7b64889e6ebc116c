//! What the dissector needs of RPC fragments and FSRVP stubs, in its own words.

use fsrvp_wire::fsrvp::INTERFACE;
use fsrvp_wire::ndr::{ByteOrder, Representation, TransferSyntax};
use fsrvp_wire::{ErrorKind, Layer, ParseError};
use uuid::{Uuid, uuid};

const NDR32: Uuid = uuid!("8a885d04-1ceb-11c9-9fe8-08002b104860");
const NDR64: Uuid = uuid!("71710533-beba-4937-8319-b5dbef9ccc36");
const HEADER_LEN: usize = 16;

/// What a bind or alter_context offers for one presentation context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) context: u16,
    pub(super) is_fsrvp: bool,
    /// The transfer syntaxes that are known here.
    pub(super) syntaxes: Vec<TransferSyntax>,
}

/// What a server answers to one offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Accepted(Option<TransferSyntax>),
    Refused,
    Features,
}

/// What a fragment carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content<'a> {
    Bind(Vec<Offer>),
    BindAck(Vec<Outcome>),
    BindNak,
    Auth3,
    Request {
        context: u16,
        opnum: u16,
        stub: &'a [u8],
    },
    Response {
        context: u16,
        stub: &'a [u8],
    },
    Fault {
        context: u16,
        status: u32,
    },
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) packet_type: u8,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) call_id: u32,
    pub(super) byte_order: ByteOrder,
    pub(super) auth_level: Option<u8>,
    pub(super) content: Content<'a>,
}

impl Fragment<'_> {
    /// How the stub is marshalled: the byte order is stated in every fragment.
    pub(super) fn representation(&self, syntax: TransferSyntax) -> Representation {
        Representation {
            byte_order: self.byte_order,
            syntax,
        }
    }
}

struct Cur<'a> {
    b: &'a [u8],
    at: usize,
    le: bool,
}
impl<'a> Cur<'a> {
    fn n(&mut self, n: usize) -> Result<&'a [u8], ParseError> {
        let s = self
            .b
            .get(self.at..self.at + n)
            .ok_or(err("fragment", self.at))?;
        self.at += n;
        Ok(s)
    }
    fn u8(&mut self) -> Result<u8, ParseError> {
        Ok(self.n(1)?[0])
    }
    fn u16(&mut self) -> Result<u16, ParseError> {
        let s: [u8; 2] = self.n(2)?.try_into().unwrap();
        Ok(if self.le {
            u16::from_le_bytes(s)
        } else {
            u16::from_be_bytes(s)
        })
    }
    fn u32(&mut self) -> Result<u32, ParseError> {
        let s: [u8; 4] = self.n(4)?.try_into().unwrap();
        Ok(if self.le {
            u32::from_le_bytes(s)
        } else {
            u32::from_be_bytes(s)
        })
    }
    fn uuid(&mut self) -> Result<Uuid, ParseError> {
        let s: [u8; 16] = self.n(16)?.try_into().unwrap();
        Ok(if self.le {
            Uuid::from_bytes_le(s)
        } else {
            Uuid::from_bytes(s)
        })
    }
}
fn err(field: &'static str, offset_bytes: usize) -> ParseError {
    ParseError {
        layer: Layer::Rpce,
        offset_bytes,
        field,
        kind: ErrorKind::Truncated { needed: 0 },
    }
}

pub(super) fn fragment_length(bytes: &[u8]) -> Result<Option<usize>, ParseError> {
    if bytes.first().is_some_and(|v| *v != 5) || bytes.get(1).is_some_and(|v| *v > 1) {
        return Err(ParseError {
            layer: Layer::Rpce,
            offset_bytes: 0,
            field: "rpc_vers",
            kind: ErrorKind::BadMagic,
        });
    }
    if bytes.len() < HEADER_LEN {
        return Ok(None);
    }
    let le = bytes[4] & 0xf0 == 0x10;
    let l = if le {
        u16::from_le_bytes([bytes[8], bytes[9]])
    } else {
        u16::from_be_bytes([bytes[8], bytes[9]])
    };
    if usize::from(l) < HEADER_LEN {
        return Err(ParseError {
            layer: Layer::Rpce,
            offset_bytes: 8,
            field: "frag_length",
            kind: ErrorKind::LengthOutOfRange,
        });
    }
    Ok(Some(usize::from(l)))
}

fn syntax(u: Uuid) -> Option<TransferSyntax> {
    if u == NDR32 {
        Some(TransferSyntax::Ndr32)
    } else if u == NDR64 {
        Some(TransferSyntax::Ndr64)
    } else {
        None
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Fragment<'_>, ParseError> {
    let le = bytes.get(4).is_some_and(|b| b & 0xf0 == 0x10);
    let mut c = Cur {
        b: bytes,
        at: 2,
        le,
    };
    let packet_type = c.u8()?;
    let flags = c.u8()?;
    c.n(4)?;
    c.u16()?;
    let auth_length = usize::from(c.u16()?);
    let call_id = c.u32()?;
    let (auth_level, end) = if auth_length > 0 {
        let at = bytes
            .len()
            .checked_sub(auth_length + 8)
            .ok_or(err("auth_length", 10))?;
        let pad = usize::from(*bytes.get(at + 2).ok_or(err("auth_pad_length", at))?);
        (bytes.get(at + 1).copied(), at.saturating_sub(pad))
    } else {
        (None, bytes.len())
    };
    let content = match packet_type {
        0 => {
            c.u32()?;
            let context = c.u16()?;
            let opnum = c.u16()?;
            if flags & 0x80 != 0 {
                c.n(16)?;
            }
            Content::Request {
                context,
                opnum,
                stub: bytes.get(c.at..end).ok_or(err("stub", c.at))?,
            }
        }
        2 => {
            c.u32()?;
            let context = c.u16()?;
            c.u16()?;
            Content::Response {
                context,
                stub: bytes.get(c.at..end).ok_or(err("stub", c.at))?,
            }
        }
        3 => {
            c.u32()?;
            let context = c.u16()?;
            c.u16()?;
            Content::Fault {
                context,
                status: c.u32()?,
            }
        }
        11 | 14 => {
            c.u32()?;
            c.u32()?;
            let n = c.u8()?;
            c.n(3)?;
            let mut offers = Vec::new();
            for _ in 0..n {
                let context = c.u16()?;
                let t = c.u8()?;
                c.u8()?;
                let a = c.uuid()?;
                c.u32()?;
                let mut syntaxes = Vec::new();
                for _ in 0..t {
                    let u = c.uuid()?;
                    c.u32()?;
                    syntaxes.extend(syntax(u));
                }
                offers.push(Offer {
                    context,
                    is_fsrvp: a == INTERFACE,
                    syntaxes,
                });
            }
            Content::Bind(offers)
        }
        12 | 15 => {
            c.u32()?;
            c.u32()?;
            let l = usize::from(c.u16()?);
            c.n(l)?;
            while c.at % 4 != 0 {
                c.n(1)?;
            }
            let n = c.u8()?;
            c.n(3)?;
            let mut r = Vec::new();
            for _ in 0..n {
                let res = c.u16()?;
                c.u16()?;
                let u = c.uuid()?;
                c.u32()?;
                r.push(match res {
                    0 => Outcome::Accepted(syntax(u)),
                    3 => Outcome::Features,
                    _ => Outcome::Refused,
                });
            }
            Content::BindAck(r)
        }
        13 => Content::BindNak,
        16 => Content::Auth3,
        _ => Content::Other,
    };
    Ok(Fragment {
        packet_type,
        first: flags & 1 != 0,
        last: flags & 2 != 0,
        call_id,
        byte_order: if le {
            ByteOrder::Little
        } else {
            ByteOrder::Big
        },
        auth_level,
        content,
    })
}

/// The name of a representation in the reports.
pub(super) fn label(representation: Representation) -> &'static str {
    match (representation.syntax, representation.byte_order) {
        (TransferSyntax::Ndr32, ByteOrder::Little) => "ndr32-le",
        (TransferSyntax::Ndr32, ByteOrder::Big) => "ndr32-be",
        (TransferSyntax::Ndr64, ByteOrder::Little) => "ndr64-le",
        (TransferSyntax::Ndr64, ByteOrder::Big) => "ndr64-be",
    }
}
