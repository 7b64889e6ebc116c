//! MS-FSRVP 3.1.4.9 IsPathSupported (Opnum 8).

use crate::flow::Answer;
use crate::oracle::codes::is_own_failure;
use crate::oracle::names::ShareName;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::is_path_supported::Response;
use fsrvp_wire::fsrvp::{Hresult, Opnum, Reply};

const SUPPORTED: Opnum = Opnum::IsPathSupported;

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.9-01", true_on_success),
    judge("FSRVP-2.2-04", owner_on_success),
    judge("FSRVP-3.1.4.9-02", code),
    judge("FSRVP-2.2-05", readable),
];

fn reply<'a>(scene: &Scene<'a>) -> Option<&'a Response> {
    match scene.reply() {
        Some(Reply::IsPathSupported(reply)) => Some(reply),
        _ => None,
    }
}

fn true_on_success(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if reply.status.is_success() => Ruling::of(
            reply.supported_by_this_provider != 0,
            "SupportedByThisProvider TRUE; a share that is not supported is an error",
            "FALSE with ZERO",
        ),
        _ => Ruling::Silent,
    }
}

fn owner_on_success(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if reply.status.is_success() => {
            let owner = reply.owner_machine_name.as_ref().map(|name| name.text());
            Ruling::of(
                owner.as_ref().is_some_and(|owner| !owner.is_empty()),
                "an OwnerMachineName",
                owner.map_or("a NULL OwnerMachineName", |_| "an empty OwnerMachineName"),
            )
        }
        _ => Ruling::Silent,
    }
}

/// The steps know three answers: the share is missing, its store is not supported, ZERO. A name
/// that is none of a share may be an invalid argument.
fn code(scene: &Scene<'_>) -> Ruling {
    let (Some(code), true) = (scene.judged_code(), scene.is(SUPPORTED)) else {
        return Ruling::Silent;
    };
    let Some(name) = scene.share_text().and_then(|text| ShareName::parse(&text)) else {
        return Ruling::Silent;
    };
    if is_own_failure(code) || name.deeper {
        return Ruling::Silent;
    }
    Ruling::of(
        code.is_success()
            || [
                Hresult::FSRVP_E_OBJECT_NOT_FOUND,
                Hresult::FSRVP_E_NOT_SUPPORTED,
            ]
            .contains(&code),
        "ZERO, FSRVP_E_OBJECT_NOT_FOUND where the share does not exist, or FSRVP_E_NOT_SUPPORTED",
        scene.told(),
    )
}

fn readable(scene: &Scene<'_>) -> Ruling {
    if !scene.is(SUPPORTED) || !scene.whole_stream || scene.call().is_none() {
        return Ruling::Silent;
    }
    match &scene.exchange.answer {
        Answer::Unreadable {
            error: Some(error), ..
        } => Ruling::of(
            false,
            "a BOOL, a pointer to a name, a code, and nothing else",
            error.to_string(),
        ),
        Answer::Reply(reply) if !reply.status().is_success() => Ruling::Kept,
        _ => Ruling::Silent,
    }
}
