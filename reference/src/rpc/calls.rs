//! The calls of one association, in the order in which they came.

use super::limits::WAITING_CALLS_MAX;
use fsrvp_wire::fsrvp::Call;
use fsrvp_wire::ndr::TransferSyntax;
use fsrvp_wire::rpce::{FaultStatus, Header};
use fsrvp_wire::srvsvc;
use std::collections::VecDeque;

/// Names a call inside its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallToken(pub u64);

/// Where a request came from, which is where its answer goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// The header of the request.
    pub(super) header: Header,
    /// Its presentation context.
    pub(super) context_id: u16,
    /// What that context agreed on.
    pub(super) syntax: TransferSyntax,
}

/// What a request led to.
#[derive(Debug)]
pub(super) enum Work {
    /// It is for the agent.
    Call(Call),
    /// It is about shares.
    ShareCall(srvsvc::Call),
    /// It is refused; answers keep the order of their requests, so it waits too.
    Fault(FaultStatus),
}

/// Nothing more may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// One call in hand at most, the others behind it.
#[derive(Debug, Default)]
pub(super) struct Calls {
    in_hand: Option<(CallToken, Origin)>,
    waiting: VecDeque<(Origin, Work)>,
    last_token: u64,
}

impl Calls {
    pub(super) fn push(&mut self, origin: Origin, work: Work) -> Result<(), TooMany> {
        if self.waiting.len() >= WAITING_CALLS_MAX {
            return Err(TooMany);
        }
        self.waiting.push_back((origin, work));
        Ok(())
    }

    /// The next refusal, unless a call is in hand or comes first.
    pub(super) fn next_fault(&mut self) -> Option<(Origin, FaultStatus)> {
        if self.in_hand.is_some() {
            return None;
        }
        match self.waiting.front() {
            Some((origin, Work::Fault(status))) => {
                let fault = (*origin, *status);
                self.waiting.pop_front();
                Some(fault)
            }
            _ => None,
        }
    }

    /// The next call, unless one is in hand.
    pub(super) fn next_call(&mut self) -> Option<(CallToken, Call)> {
        self.next(|work| match work {
            Work::Call(call) => Ok(call),
            other => Err(other),
        })
    }

    /// The next call about shares, unless one is in hand.
    pub(super) fn next_share_call(&mut self) -> Option<(CallToken, srvsvc::Call)> {
        self.next(|work| match work {
            Work::ShareCall(call) => Ok(call),
            other => Err(other),
        })
    }

    fn next<T>(&mut self, wanted: impl Fn(Work) -> Result<T, Work>) -> Option<(CallToken, T)> {
        if self.in_hand.is_some() {
            return None;
        }
        let (origin, work) = self.waiting.pop_front()?;
        match wanted(work) {
            Ok(call) => {
                self.last_token = self.last_token.wrapping_add(1);
                let token = CallToken(self.last_token);
                self.in_hand = Some((token, origin));
                Some((token, call))
            }
            Err(other) => {
                self.waiting.push_front((origin, other));
                None
            }
        }
    }

    /// Ends the call in hand; `None` for a token that does not name it.
    pub(super) fn finish(&mut self, token: CallToken) -> Option<Origin> {
        match self.in_hand {
            Some((known, origin)) if known == token => {
                self.in_hand = None;
                Some(origin)
            }
            _ => None,
        }
    }

    /// Forgets what waits under a call id.
    pub(super) fn orphan(&mut self, call_id: u32) {
        self.waiting
            .retain(|(origin, _)| origin.header.call_id != call_id);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.in_hand = None;
        self.waiting.clear();
    }
}
