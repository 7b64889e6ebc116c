//! Which exchanges came one after the other, and which may have met at the server in any order.

use super::rule::share_name;
use crate::flow::{Answer, Exchange, Request};
use fsrvp_wire::fsrvp::{Opnum, Reply};
use fsrvp_wire::ndr::WideString;

/// Something that happened to a server between two frames.
#[derive(Clone)]
pub(super) struct Happening {
    from: u64,
    to: u64,
    what: What,
}

#[derive(Clone)]
enum What {
    Gap,
    Exchange(Box<Exchange>),
}

/// What is judged, in this order.
pub(super) enum Turn {
    /// Something was not seen.
    Gap,
    /// An exchange, and whether nothing that matters to it happened meanwhile.
    Exchange {
        exchange: Box<Exchange>,
        alone: bool,
    },
}

impl Happening {
    pub(super) fn gap(frames: (u64, u64)) -> Happening {
        Happening {
            from: frames.0,
            to: frames.1.max(frames.0),
            what: What::Gap,
        }
    }

    pub(super) fn exchange(exchange: &Exchange) -> Happening {
        let from = exchange
            .request_evidence
            .frames
            .first()
            .copied()
            .unwrap_or(0);
        let asked = exchange
            .request_evidence
            .frames
            .last()
            .copied()
            .unwrap_or(from);
        // The call is done when the answer leaves, so its first frame counts.
        let to = exchange
            .answer_evidence
            .frames
            .first()
            .copied()
            .unwrap_or(asked);
        Happening {
            from,
            to: to.max(from),
            what: What::Exchange(Box::new(exchange.clone())),
        }
    }

    /// How many bytes of parameters it keeps.
    pub(super) fn weight(&self) -> usize {
        match &self.what {
            What::Exchange(exchange) => weight(exchange),
            What::Gap => 0,
        }
    }

    /// Whether it can change what the server answers to others.
    fn matters(&self) -> bool {
        match &self.what {
            What::Gap => true,
            What::Exchange(exchange) => {
                let quiet = [
                    Opnum::GetSupportedVersion,
                    Opnum::IsPathSupported,
                    Opnum::IsPathShadowCopied,
                ];
                exchange.opnum.name().is_some()
                    && !quiet.contains(&exchange.opnum)
                    && !matches!(exchange.answer, Answer::Fault(_))
            }
        }
    }
}

/// How many bytes of parameters and frames an exchange holds.
#[must_use]
pub fn weight(exchange: &Exchange) -> usize {
    let frames = exchange.request_evidence.frames.len() + exchange.answer_evidence.frames.len();
    let request = match &exchange.request {
        Request::Call(call) => string(share_name(call)),
        Request::Unreadable { stub, .. } => stub.len(),
    };
    let answer = match &exchange.answer {
        Answer::Unreadable { stub, .. } => stub.len(),
        Answer::Reply(Reply::IsPathSupported(reply)) => string(reply.owner_machine_name.as_ref()),
        Answer::Reply(Reply::GetShareMapping(reply)) => {
            reply.share_mapping.mapping.as_ref().map_or(0, |mapping| {
                string(mapping.share_name_unc.as_ref())
                    + string(mapping.shadow_copy_share_name.as_ref())
            })
        }
        Answer::Reply(_) | Answer::Fault(_) | Answer::Missing => 0,
    };
    request + answer + frames * size_of::<u64>()
}

fn string(name: Option<&WideString>) -> usize {
    name.map_or(0, |name| name.units.len() * size_of::<u16>())
}

/// Takes those out that may overlap with something that comes later. Happenings come in the order
/// in which they began, so none of the later ones begins before the last of these.
pub(super) fn split_open(happenings: &mut Vec<Happening>) -> Vec<Happening> {
    let last = happenings.iter().map(|happening| happening.from).max();
    let is_open = |happening: &mut Happening| Some(happening.to) >= last;
    happenings.extract_if(.., is_open).collect()
}

/// How many bytes of parameters these keep.
pub(super) fn total(happenings: &[Happening]) -> usize {
    happenings.iter().map(Happening::weight).sum()
}

/// From the first to the last frame of these.
pub(super) fn span(happenings: &[Happening]) -> (u64, u64) {
    let first = happenings.iter().map(|happening| happening.from).min();
    let last = happenings.iter().map(|happening| happening.to).max();
    (first.unwrap_or(0), last.unwrap_or(0))
}

/// Brings happenings into the order of their first frames, and tells which overlap.
pub(super) fn turns(mut happenings: Vec<Happening>) -> Vec<Turn> {
    happenings.sort_by_key(|happening| happening.from);
    let alone = alone(&happenings);
    // A gap that reaches past others is met again at its end.
    let mut ends: Vec<(u64, u8, Turn)> = Vec::with_capacity(happenings.len());
    for (happening, alone) in happenings.into_iter().zip(alone) {
        match happening.what {
            What::Gap => {
                ends.push((happening.from, 0, Turn::Gap));
                if happening.to > happening.from {
                    ends.push((happening.to, 1, Turn::Gap));
                }
            }
            What::Exchange(exchange) => {
                ends.push((happening.from, 0, Turn::Exchange { exchange, alone }));
            }
        }
    }
    ends.sort_by_key(|(frame, after, _)| (*frame, *after));
    ends.into_iter().map(|(_, _, turn)| turn).collect()
}

/// For each of the happenings, which are sorted by their first frame: whether no other that
/// matters overlaps it.
fn alone(happenings: &[Happening]) -> Vec<bool> {
    let mut alone = vec![true; happenings.len()];
    // The furthest end of everything before that matters.
    let mut reach: Option<u64> = None;
    for (index, happening) in happenings.iter().enumerate() {
        if reach.is_some_and(|end| end >= happening.from) {
            set(&mut alone, index, false);
        }
        // Everything that ends after this begins and began before it overlaps it too.
        if happening.matters() {
            for (earlier, before) in happenings.iter().enumerate().take(index).rev() {
                if before.to >= happening.from {
                    set(&mut alone, earlier, false);
                } else if index - earlier > LOOK_BACK_MAX {
                    break;
                }
            }
            reach = reach.max(Some(happening.to));
        }
    }
    alone
}

/// How far back an exchange is looked for that is still open; no client has as many open at a time.
const LOOK_BACK_MAX: usize = 1024;

fn set(alone: &mut [bool], index: usize, value: bool) {
    if let Some(place) = alone.get_mut(index) {
        *place = value;
    }
}
