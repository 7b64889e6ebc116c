//! What a rule is, and what it looks at.

use super::codes::Permit;
use super::history::{History, Set};
use super::names::ShareName;
use super::statuses::Status;
use super::timer::Durations;
use crate::flow::{Answer, Exchange, Request};
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply, ShadowCopySetId};
use std::net::IpAddr;
use uuid::Uuid;

/// What a rule says of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It does not apply, or what it needs is not certain.
    Silent,
    /// It applies and was followed.
    Kept,
    /// It was broken.
    Broken {
        /// What the text permits.
        expected: String,
        /// What was seen instead.
        seen: String,
    },
}

impl Ruling {
    /// Kept or broken.
    pub(super) fn of(kept: bool, expected: impl Into<String>, seen: impl Into<String>) -> Ruling {
        match kept {
            true => Ruling::Kept,
            false => Ruling::Broken {
                expected: expected.into(),
                seen: seen.into(),
            },
        }
    }
}

/// A requirement, and how an exchange is judged by it.
pub(super) struct Rule {
    pub(super) requirement: &'static str,
    pub(super) test: Test,
}

/// The two kinds of rules.
pub(super) enum Test {
    /// What a method answers for a set of one status.
    State(StateTest),
    /// Anything else.
    Judge(fn(&Scene<'_>) -> Ruling),
}

/// What a method answers for a set of one status.
pub(super) struct StateTest {
    pub(super) opnum: Opnum,
    pub(super) given: Status,
    /// Further conditions under which this is the rule for the status.
    pub(super) when: fn(&Scene<'_>) -> bool,
    pub(super) permit: Permit,
}

/// A rule on the answer of a method for a set of one status.
pub(super) const fn state(
    requirement: &'static str,
    opnum: Opnum,
    given: Status,
    permit: Permit,
) -> Rule {
    state_when(requirement, opnum, given, |_| true, permit)
}

/// As [`state`], where the rule depends on more than the status.
pub(super) const fn state_when(
    requirement: &'static str,
    opnum: Opnum,
    given: Status,
    when: fn(&Scene<'_>) -> bool,
    permit: Permit,
) -> Rule {
    Rule {
        requirement,
        test: Test::State(StateTest {
            opnum,
            given,
            when,
            permit,
        }),
    }
}

/// A rule of any other kind.
pub(super) const fn judge(requirement: &'static str, test: fn(&Scene<'_>) -> Ruling) -> Rule {
    Rule {
        requirement,
        test: Test::Judge(test),
    }
}

/// An exchange, and what it says by itself.
#[derive(Clone, Copy)]
pub(super) struct Act<'a> {
    pub(super) exchange: &'a Exchange,
    /// Whether it was answered, and nothing that may have changed the server's state can have
    /// happened meanwhile.
    pub(super) alone: bool,
}

/// An exchange, and all that is known before it.
pub(super) struct Scene<'a> {
    pub(super) act: Act<'a>,
    /// What is known of the server before the exchange.
    pub(super) history: &'a History,
    pub(super) durations: Durations,
    /// Whether nothing was lost on the connection.
    pub(super) whole_stream: bool,
}

impl<'a> std::ops::Deref for Scene<'a> {
    type Target = Act<'a>;

    fn deref(&self) -> &Act<'a> {
        &self.act
    }
}

/// The lowest RPC authentication level that MS-FSRVP 3.1.4 permits.
const LEVEL_INTEGRITY: u8 = 5;

impl<'a> Act<'a> {
    pub(super) fn opnum(&self) -> Opnum {
        self.exchange.opnum
    }

    pub(super) fn call(&self) -> Option<&'a Call> {
        match &self.exchange.request {
            Request::Call(call) => Some(call),
            Request::Unreadable { .. } => None,
        }
    }

    pub(super) fn reply(&self) -> Option<&'a Reply> {
        match &self.exchange.answer {
            Answer::Reply(reply) => Some(reply),
            _ => None,
        }
    }

    /// The return value.
    pub(super) fn code(&self) -> Option<Hresult> {
        self.reply().map(Reply::status)
    }

    pub(super) fn succeeded(&self) -> bool {
        self.code().is_some_and(Hresult::is_success)
    }

    pub(super) fn is(&self, opnum: Opnum) -> bool {
        self.exchange.opnum == opnum
    }

    /// Whether the request is too weakly protected; `None` where its level was not seen.
    pub(super) fn is_weak(&self) -> Option<bool> {
        self.exchange.rpc_auth.map(|level| level < LEVEL_INTEGRITY)
    }

    /// The return value of a legal request. One that was too weakly protected and executed all the
    /// same is judged like any other: the method's own rules bind a server that executes it.
    pub(super) fn judged_code(&self) -> Option<Hresult> {
        let call = self.call()?;
        let legal = share_name(call).is_none_or(fsrvp_wire::ndr::WideString::is_legal);
        self.code().filter(|_| legal)
    }

    pub(super) fn client(&self) -> IpAddr {
        self.exchange.link.client.ip()
    }

    /// The set that the request names.
    pub(super) fn set_id(&self) -> Option<ShadowCopySetId> {
        self.call().and_then(set_id)
    }

    /// The set that a StartShadowCopySet made.
    pub(super) fn made(&self) -> Option<ShadowCopySetId> {
        match self.reply() {
            Some(Reply::StartShadowCopySet(reply)) if reply.status.is_success() => {
                Some(reply.shadow_copy_set_id)
            }
            _ => None,
        }
    }

    /// The share that the request names, as it came.
    pub(super) fn share_text(&self) -> Option<String> {
        self.call().and_then(share_name).map(|name| name.text())
    }

    pub(super) fn share(&self) -> Option<ShareName> {
        self.share_text().and_then(|text| ShareName::parse(&text))
    }

    /// The exchange in words, for `seen`.
    pub(super) fn told(&self) -> String {
        let method = self
            .opnum()
            .name()
            .map_or_else(|| format!("opnum {}", self.opnum().0), str::to_owned);
        let arguments = match self.call() {
            Some(call) => arguments(call),
            None => "unreadable parameters".to_owned(),
        };
        let answer = match &self.exchange.answer {
            Answer::Reply(reply) => code_name(reply.status()),
            Answer::Fault(status) => format!("RPC fault {status:#010x}"),
            Answer::Unreadable { .. } => "a reply that cannot be read".to_owned(),
            Answer::Missing => "no reply seen".to_owned(),
        };
        format!("{method}({arguments}) = {answer}")
    }

    /// The call without its answer, in words.
    pub(super) fn asked(&self) -> String {
        let told = self.told();
        told.rsplit_once(" = ")
            .map_or(told.clone(), |(call, _)| call.to_owned())
    }
}

impl<'a> Scene<'a> {
    /// What is known of the set that the request names.
    pub(super) fn set(&self) -> Option<&'a Set> {
        self.set_id().and_then(|id| self.history.set(id))
    }
}

/// A code by name and number.
pub(super) fn code_name(code: Hresult) -> String {
    match code.name() {
        Some(name) => format!("{name} ({code})"),
        None => code.to_string(),
    }
}

/// The first group of an id.
pub(super) fn short(id: Uuid) -> String {
    let text = id.to_string();
    text.split('-').next().unwrap_or_default().to_owned()
}

fn arguments(call: &Call) -> String {
    let mut words = Vec::new();
    match call {
        Call::SetContext(r) => words.push(format!("{:#010x}", r.context.0)),
        Call::GetShareMapping(r) if r.level != 1 => words.push(format!("level {}", r.level)),
        _ => {}
    }
    if let Some(id) = set_id(call) {
        words.push(format!("set {}", short(id.0)));
    }
    if let Some(name) = share_name(call) {
        words.push(format!("\"{}\"", name.text()));
    }
    words.join(", ")
}

/// The set that a request names.
pub(super) fn set_id(call: &Call) -> Option<ShadowCopySetId> {
    match call {
        Call::AddToShadowCopySet(r) => Some(r.shadow_copy_set_id),
        Call::CommitShadowCopySet(r) => Some(r.shadow_copy_set_id),
        Call::ExposeShadowCopySet(r) => Some(r.shadow_copy_set_id),
        Call::RecoveryCompleteShadowCopySet(r) => Some(r.shadow_copy_set_id),
        Call::AbortShadowCopySet(r) => Some(r.shadow_copy_set_id),
        Call::GetShareMapping(r) => Some(r.shadow_copy_set_id),
        Call::DeleteShareMapping(r) => Some(r.shadow_copy_set_id),
        Call::PrepareShadowCopySet(r) => Some(r.shadow_copy_set_id),
        Call::GetSupportedVersion(_)
        | Call::SetContext(_)
        | Call::StartShadowCopySet(_)
        | Call::IsPathSupported(_)
        | Call::IsPathShadowCopied(_) => None,
    }
}

/// The share that a request names.
pub(super) fn share_name(call: &Call) -> Option<&fsrvp_wire::ndr::WideString> {
    match call {
        Call::AddToShadowCopySet(r) => Some(&r.share_name),
        Call::IsPathSupported(r) => Some(&r.share_name),
        Call::IsPathShadowCopied(r) => Some(&r.share_name),
        Call::GetShareMapping(r) => Some(&r.share_name),
        Call::DeleteShareMapping(r) => Some(&r.share_name),
        _ => None,
    }
}
