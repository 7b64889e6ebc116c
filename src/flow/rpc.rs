//! What the dissector asks of RPC fragments.

use super::exchange::{Answer, Exchange, Request};
use fsrvp_wire::fsrvp::{Call, INTERFACE, Opnum, Reply};
use fsrvp_wire::ndr::{ByteOrder, Representation, TransferSyntax};
use fsrvp_wire::rpce::{Bind, BindAck, ContextOutcome, Pdu, PfcFlags, ResultCode};

/// What a bind or alter_context offers for one presentation context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) context: u16,
    pub(super) is_fsrvp: bool,
    /// The transfer syntaxes that can be read here.
    pub(super) syntaxes: Vec<TransferSyntax>,
}

/// What a server answers to one offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// `None` is a transfer syntax that cannot be read here.
    Accepted(Option<TransferSyntax>),
    Refused,
    /// MS-RPCE 2.2.2.14: it was no offer, but a list of features.
    Features,
}

pub(super) fn offers(bind: &Bind) -> Vec<Offer> {
    let offer = |element: &fsrvp_wire::rpce::ContextElement| Offer {
        context: element.context_id,
        // Whatever the version: one that the server does not accept has no calls.
        is_fsrvp: element.abstract_syntax.uuid == INTERFACE,
        syntaxes: element
            .transfer_syntaxes
            .iter()
            .filter_map(|syntax| syntax.transfer_syntax())
            .collect(),
    };
    bind.contexts.iter().map(offer).collect()
}

pub(super) fn outcomes(ack: &BindAck) -> Vec<Outcome> {
    let outcome = |result: &ContextOutcome| match result.result {
        ResultCode::ACCEPTANCE => Outcome::Accepted(result.transfer_syntax.transfer_syntax()),
        ResultCode::NEGOTIATE_ACK => Outcome::Features,
        _ => Outcome::Refused,
    };
    ack.results.iter().map(outcome).collect()
}

pub(super) fn is_first(pdu: &Pdu) -> bool {
    pdu.header.pfc_flags.has(PfcFlags::FIRST_FRAG)
}

pub(super) fn is_last(pdu: &Pdu) -> bool {
    pdu.header.pfc_flags.has(PfcFlags::LAST_FRAG)
}

/// The authentication level of the fragment's own security trailer.
pub(super) fn auth_level(pdu: &Pdu) -> Option<u8> {
    pdu.auth.as_ref().map(|auth| auth.auth_level.0)
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

/// Reads a request stub; and whether it ends with its last parameter.
pub(super) fn read_request(
    opnum: Opnum,
    representation: Representation,
    stub: Vec<u8>,
) -> (Request, bool) {
    if opnum.name().is_none() {
        return (Request::Unreadable { stub, error: None }, false);
    }
    match Call::parse_prefix(opnum, &stub, representation) {
        Ok((call, rest)) => {
            let exact = rest.is_empty();
            (Request::Call(call), exact)
        }
        Err(error) => {
            let error = Some(error);
            (Request::Unreadable { stub, error }, false)
        }
    }
}

/// Reads a response stub; and whether it ends with its return value.
pub(super) fn read_answer(
    opnum: Opnum,
    representation: Representation,
    stub: Vec<u8>,
) -> (Answer, bool) {
    if opnum.name().is_none() {
        return (Answer::Unreadable { stub, error: None }, false);
    }
    match Reply::parse_prefix(opnum, &stub, representation) {
        Ok((reply, rest)) => {
            let exact = rest.is_empty();
            (Answer::Reply(reply), exact)
        }
        Err(error) => {
            let error = Some(error);
            (Answer::Unreadable { stub, error }, false)
        }
    }
}

/// Whether an answered call names a share in UNC form; see the head of this file.
pub(super) fn names_a_share(exchange: &Exchange) -> bool {
    let share_name = match &exchange.request {
        Request::Call(Call::AddToShadowCopySet(request)) => &request.share_name,
        Request::Call(Call::IsPathSupported(request)) => &request.share_name,
        Request::Call(Call::IsPathShadowCopied(request)) => &request.share_name,
        Request::Call(Call::GetShareMapping(request)) => &request.share_name,
        Request::Call(Call::DeleteShareMapping(request)) => &request.share_name,
        _ => return false,
    };
    share_name.is_legal() && share_name.text().starts_with("\\\\")
}
