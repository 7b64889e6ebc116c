//! Requests that no method can execute: opnums that do not exist, stubs that do not parse; and the
//! waits that several methods share.

use crate::flow::{Answer, Request};
use crate::oracle::rule::{Rule, Ruling, Scene, judge, share_name};
use fsrvp_wire::fsrvp::Hresult;
use fsrvp_wire::ndr::WideString;
use std::time::Duration;

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4-01", opnum_out_of_range),
    judge("FSRVP-2.2-01", cut_stub),
    judge("FSRVP-2.2-02", broken_string),
];

/// C706: nca_s_op_rng_error.
const FAULT_OP_RANGE: u32 = 0x1C01_0002;

/// MS-ERREF: access is denied, which may come before anything else is looked at.
const FAULT_ACCESS_DENIED: u32 = 0x0000_0005;

fn opnum_out_of_range(scene: &Scene<'_>) -> Ruling {
    if scene.opnum().name().is_some() {
        return Ruling::Silent;
    }
    let kept = match &scene.exchange.answer {
        Answer::Fault(status) => [FAULT_OP_RANGE, FAULT_ACCESS_DENIED].contains(status),
        Answer::Unreadable { .. } | Answer::Reply(_) => false,
        Answer::Missing => return Ruling::Silent,
    };
    Ruling::of(
        kept,
        "RPC fault nca_s_op_rng_error (0x1c010002): no method has this number",
        scene.told(),
    )
}

/// Whether the answer to a request that cannot be executed is a fault; a refusal of the caller may
/// come first.
fn fault_ruling(scene: &Scene<'_>, expected: &str, seen: &str) -> Ruling {
    match &scene.exchange.answer {
        Answer::Fault(_) => Ruling::Kept,
        Answer::Reply(reply) if reply.status() == Hresult::E_ACCESSDENIED => Ruling::Silent,
        Answer::Reply(_) => Ruling::of(false, expected, format!("{seen}; {}", scene.told())),
        Answer::Unreadable { .. } | Answer::Missing => Ruling::Silent,
    }
}

/// A stub that ends before its last parameter. (An empty one may be one that was lost.)
fn cut_stub(scene: &Scene<'_>) -> Ruling {
    match &scene.exchange.request {
        Request::Unreadable {
            stub,
            error: Some(error),
        } if scene.whole_stream && !stub.is_empty() && scene.opnum().name().is_some() => {
            fault_ruling(
                scene,
                "RPC fault rpc_x_bad_stub_data (0x000006f7): the stub cannot be read",
                &error.to_string(),
            )
        }
        _ => Ruling::Silent,
    }
}

fn broken_string(scene: &Scene<'_>) -> Ruling {
    let name = scene.call().and_then(share_name);
    match name.filter(|name| !name.is_legal() && !is_legal_with_tail(name)) {
        Some(_) => fault_ruling(
            scene,
            "an RPC fault: the counts, the offset or the NUL of ShareName are wrong",
            "a broken ShareName",
        ),
        None => Ruling::Silent,
    }
}

/// A string with a NUL in its middle is unusual, and no rule of NDR forbids it.
fn is_legal_with_tail(name: &WideString) -> bool {
    name.offset == 0 && name.actual_count <= name.max_count && name.units.last() == Some(&0)
}

/// A method that says its time is over has used the time that it was given. The network can make
/// a wait look longer than it was, never shorter.
pub(super) fn not_before(scene: &Scene<'_>, timeout_ms: u32, timeouts: &[Hresult]) -> Ruling {
    let Some(code) = scene.judged_code().filter(|code| timeouts.contains(code)) else {
        return Ruling::Silent;
    };
    let given = Duration::from_millis(u64::from(timeout_ms));
    let asked = scene.exchange.request_evidence.time;
    let Some(used) = scene.exchange.answer_evidence.time.checked_sub(asked) else {
        return Ruling::Silent;
    };
    let least = given - given / 50;
    Ruling::of(
        used >= least,
        format!(
            "no timeout before the {} ms of the request have passed",
            timeout_ms
        ),
        format!("{code:?} after {} ms", used.as_millis()),
    )
}
