//! MS-FSRVP 3.1.4: who may call, and what comes back from any method.

use crate::flow::Answer;
use crate::oracle::rule::{Rule, Ruling, Scene, code_name, judge};
use fsrvp_wire::fsrvp::{Hresult, Opnum};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4-02", |s| weak(s, |level| level <= 1)),
    // Level 3 is taken for packet by every transport but datagrams.
    judge("FSRVP-3.1.4-03", |s| weak(s, |level| level == 2)),
    judge("FSRVP-3.1.4-04", |s| {
        weak(s, |level| level == 3 || level == 4)
    }),
    judge("FSRVP-3.1.4-25", no_exceptions),
    judge("FSRVP-3-01", success_is_zero),
    judge("FSRVP-3-02", failure_is_a_code),
];

/// MS-ERREF: access is denied, as an RPC fault.
const FAULT_ACCESS_DENIED: u32 = 0x0000_0005;

/// A call that is too weakly protected is refused: by the method, or by the RPC runtime before.
fn weak(scene: &Scene<'_>, level: fn(u8) -> bool) -> Ruling {
    let applies = scene.exchange.rpc_auth.is_some_and(level) && scene.opnum().name().is_some();
    if !applies || scene.call().is_none() {
        return Ruling::Silent;
    }
    let kept = match &scene.exchange.answer {
        Answer::Reply(reply) => reply.status() == Hresult::E_ACCESSDENIED,
        Answer::Fault(status) => *status == FAULT_ACCESS_DENIED,
        Answer::Unreadable { .. } | Answer::Missing => return Ruling::Silent,
    };
    Ruling::of(
        kept,
        "E_ACCESSDENIED: below packet integrity no method is executed",
        format!(
            "methods executed at level {}",
            scene.exchange.rpc_auth.unwrap_or_default()
        ),
    )
}

/// A fault whose status is a return value of a method.
fn no_exceptions(scene: &Scene<'_>) -> Ruling {
    match (&scene.exchange.answer, scene.call()) {
        (Answer::Fault(status), Some(_)) => {
            let code = Hresult(*status);
            let of_a_method = code.0 & 0x8000_0000 != 0 && code.name().is_some();
            Ruling::of(
                !of_a_method,
                "an error as return value, never as an RPC fault",
                format!("RPC fault {}", code_name(code)),
            )
        }
        (Answer::Reply(_), Some(_)) => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

/// Codes that are no errors and not zero. No method has a success of its own; the two waits use
/// FSRVP_E_WAIT_TIMEOUT, whose severity bit is clear, as a failure.
fn success_is_zero(scene: &Scene<'_>) -> Ruling {
    let Some(code) = scene.code() else {
        return Ruling::Silent;
    };
    let waits = [
        Opnum::PrepareShadowCopySet,
        Opnum::CommitShadowCopySet,
        Opnum::ExposeShadowCopySet,
    ];
    if code == Hresult::FSRVP_E_WAIT_TIMEOUT {
        return Ruling::of(
            waits.contains(&scene.opnum()),
            "FSRVP_E_WAIT_TIMEOUT only from a method that waits",
            scene.told(),
        );
    }
    match code.0 & 0x8000_0000 {
        0 if code.is_success() => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

/// MS-ERREF 2.1: an HRESULT that is a failure has its severity bit set.
fn failure_is_a_code(scene: &Scene<'_>) -> Ruling {
    match scene.code() {
        Some(code) if code.0 & 0x8000_0000 == 0 && !code.is_success() => Ruling::of(
            code == Hresult::FSRVP_E_WAIT_TIMEOUT,
            "ZERO, or a code of MS-FSRVP 2.2.4 or MS-ERREF",
            scene.told(),
        ),
        Some(code) if !code.is_success() => Ruling::Kept,
        _ => Ruling::Silent,
    }
}
