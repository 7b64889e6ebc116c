//! Answers that oblige a client to do, or to leave, something. Until it does otherwise, which the
//! rules of the other files tell, it follows what they ask.

use super::creation::local;
use super::protection::CALL_TIMEOUT;
use crate::oracle::clients::Local;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::{FSRVP_RPC_VERSION_1, Hresult, Opnum, Reply};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3.2.4.2.1-01", share_was_refused),
    judge("FSRVP-C-3.2.4.2.1-03", version_is_too_high),
    judge("FSRVP-C-3.2.4.2.1-06", context_failed),
    judge("FSRVP-C-3-02", waited_in_vain),
    judge("FSRVP-C-3.2.2-01", answered_too_late),
    judge("FSRVP-C-3.2.4.5-02", recovers),
    judge("FSRVP-C-3.1.2-01", in_time),
];

/// Kept where `it_is`, for nothing was done yet that could break it.
fn from_now_on(it_is: bool) -> Ruling {
    match it_is {
        true => Ruling::Kept,
        false => Ruling::Silent,
    }
}

fn share_was_refused(scene: &Scene<'_>) -> Ruling {
    match scene.reply() {
        Some(Reply::IsPathSupported(reply)) => {
            let granted = reply.status.is_success() && reply.supported_by_this_provider != 0;
            from_now_on(!granted && scene.share().is_some())
        }
        _ => Ruling::Silent,
    }
}

fn version_is_too_high(scene: &Scene<'_>) -> Ruling {
    match scene.reply() {
        Some(Reply::GetSupportedVersion(reply)) => {
            from_now_on(reply.status.is_success() && reply.min_version > FSRVP_RPC_VERSION_1)
        }
        _ => Ruling::Silent,
    }
}

fn context_failed(scene: &Scene<'_>) -> Ruling {
    match scene.reply() {
        Some(Reply::SetContext(reply)) => from_now_on(!reply.status.is_success()),
        _ => Ruling::Silent,
    }
}

fn waited_in_vain(scene: &Scene<'_>) -> Ruling {
    let waits = scene.is(Opnum::PrepareShadowCopySet) || scene.is(Opnum::ExposeShadowCopySet);
    let in_vain = scene.code() == Some(Hresult::FSRVP_E_WAIT_TIMEOUT);
    from_now_on(waits && in_vain && local(scene).is_some())
}

fn answered_too_late(scene: &Scene<'_>) -> Ruling {
    let asked = scene.exchange.request_evidence.time;
    let waited = scene.exchange.answer_evidence.time.checked_sub(asked);
    from_now_on(scene.reply().is_some() && waited.is_some_and(|waited| waited > CALL_TIMEOUT))
}

fn recovers(scene: &Scene<'_>) -> Ruling {
    let exposed = local(scene).is_some_and(|set| set.status == Local::Exposed);
    from_now_on(scene.is(Opnum::RecoveryCompleteShadowCopySet) && exposed)
}

fn in_time(scene: &Scene<'_>) -> Ruling {
    let unfinished = local(scene).is_some_and(|set| set.status.is_unfinished());
    from_now_on(scene.durations.is_known() && unfinished && scene.succeeded())
}
