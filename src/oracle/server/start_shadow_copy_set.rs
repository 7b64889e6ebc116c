//! MS-FSRVP 3.1.4.3 StartShadowCopySet (Opnum 2).

use super::Judged;
use crate::oracle::codes::is_own_failure;
use crate::oracle::history::Cleared;
use crate::oracle::rule::{Rule, Ruling, Scene, judge, short};
use crate::oracle::statuses::Status;
use crate::oracle::timer::Arm;
use fsrvp_wire::fsrvp::start_shadow_copy_set::{Request, Response};
use fsrvp_wire::fsrvp::{Call, Hresult, Reply};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.3-02", clear_with_a_set),
    judge("FSRVP-3.1.4.3-03", id_is_not_nil),
    judge("FSRVP-3.1.4.3-04", id_is_new),
    judge("FSRVP-3.1.4.3-05", |s| in_progress(s, Status::Started)),
    judge("FSRVP-3.1.4.3-06", |s| in_progress(s, Status::Added)),
    judge("FSRVP-3.1.4.3-07", |s| {
        in_progress(s, Status::CreationInProgress)
    }),
    judge("FSRVP-3.1.4.3-08", |s| in_progress(s, Status::Committed)),
    judge("FSRVP-3.1.4.3-09", |s| in_progress(s, Status::Exposed)),
    judge("FSRVP-3.1.4.3-10", only_recovered),
    judge("FSRVP-3.1.4.3-11", nil_client_id),
    judge("FSRVP-3.1.4.2-12", context_is_set),
    judge("FSRVP-3.1.4.2-14", free_again),
];

/// The requirements of [`judge_cleared`], by what cleared the context.
pub(super) const CAUSES: &[&str] = &[
    "FSRVP-3.1.4.3-01",
    "FSRVP-3.1.4.7-08",
    "FSRVP-3.1.4.8-09",
    "FSRVP-3.1.2-01",
    "FSRVP-3.1.5-02",
];

fn request<'a>(scene: &Scene<'a>) -> Option<&'a Request> {
    match scene.call() {
        Some(Call::StartShadowCopySet(request)) => Some(request),
        _ => None,
    }
}

fn reply<'a>(scene: &Scene<'a>) -> Option<&'a Response> {
    match scene.reply() {
        Some(Reply::StartShadowCopySet(reply)) => Some(reply),
        _ => None,
    }
}

/// The code of a call that the server had to look at, with a legal id.
fn seen(scene: &Scene<'_>) -> Option<Hresult> {
    let request = request(scene)?;
    let code = scene.judged_code().filter(|code| !is_own_failure(*code))?;
    (scene.alone && !request.client_shadow_copy_set_id.is_nil()).then_some(code)
}

/// The context is not set. (A client that the capture does not show may have set it and started a
/// set, which explains FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS.)
pub(super) fn judge_cleared(scene: &Scene<'_>) -> Option<Judged> {
    let code = seen(scene)?;
    if !scene.history.context.is_clear() || scene.history.unfinished().next().is_some() {
        return None;
    }
    let (requirement, why) = match scene.history.cleared {
        None => ("FSRVP-3.1.4.3-01", "no SetContext came before"),
        Some(Cleared::Recovered) => (
            "FSRVP-3.1.4.7-08",
            "RecoveryCompleteShadowCopySet cleared it",
        ),
        Some(Cleared::Aborted) => ("FSRVP-3.1.4.8-09", "AbortShadowCopySet cleared it"),
        Some(Cleared::Expired(Arm::SetContext)) => ("FSRVP-3.1.2-01", "the timer has run out"),
        Some(Cleared::Expired(_)) => ("FSRVP-3.1.5-02", "the timer has run out"),
    };
    Some(Judged {
        requirement,
        ruling: Ruling::of(
            refuses_without_context(scene, code),
            format!("FSRVP_E_BAD_STATE: the context is not set, {why}"),
            scene.told(),
        ),
    })
}

/// The context is looked at before the sets.
fn clear_with_a_set(scene: &Scene<'_>) -> Ruling {
    match seen(scene) {
        Some(code)
            if scene.history.context.is_clear() && scene.history.unfinished().next().is_some() =>
        {
            Ruling::of(
                refuses_without_context(scene, code),
                "FSRVP_E_BAD_STATE: the context is not set",
                scene.told(),
            )
        }
        _ => Ruling::Silent,
    }
}

/// A client that was not seen may have set the context and started a set.
fn refuses_without_context(scene: &Scene<'_>, code: Hresult) -> bool {
    code == Hresult::FSRVP_E_BAD_STATE
        || (code == Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS && !scene.history.is_complete())
}

fn has_recovered(scene: &Scene<'_>) -> bool {
    scene
        .history
        .sets()
        .any(|(_, set)| set.statuses.certain() == Some(Status::Recovered))
}

/// SetContext, called again, removed what was unfinished: nothing can be in the way.
fn free_again(scene: &Scene<'_>) -> Ruling {
    let history = scene.history;
    match seen(scene) {
        Some(code)
            if history.context.is_set() && history.none_unfinished() && history.was_dropped() =>
        {
            Ruling::of(
                code.is_success(),
                "ZERO: the context is set, and SetContext, called again, removed the unfinished set",
                scene.told(),
            )
        }
        _ => Ruling::Silent,
    }
}

fn in_progress(scene: &Scene<'_>, status: Status) -> Ruling {
    let Some(code) = seen(scene).filter(|_| scene.history.context.is_set()) else {
        return Ruling::Silent;
    };
    // The set nearest to its end gives the rule; one whose status is not certain the first.
    let Some((id, set)) = scene.history.unfinished().next() else {
        return Ruling::Silent;
    };
    let own = set.statuses.iter().next();
    if own != Some(status) {
        return Ruling::Silent;
    }
    Ruling::of(
        code == Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS,
        format!(
            "FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS: set {} is {}",
            short(id),
            set.statuses
        ),
        scene.told(),
    )
}

/// The context is set, so whatever the sets are, the first check is passed. A client that the
/// capture does not show may have a set in the way.
fn passes_first_check(scene: &Scene<'_>, recovered: bool) -> Ruling {
    let only_recovered = has_recovered(scene) && scene.history.unfinished().next().is_none();
    match seen(scene) {
        Some(code) if scene.history.context.is_set() && only_recovered == recovered => Ruling::of(
            code.is_success()
                || (code == Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
                    && !(scene.history.is_complete() && scene.history.none_unfinished())),
            "ZERO or FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS: the context is set",
            scene.told(),
        ),
        _ => Ruling::Silent,
    }
}

fn context_is_set(scene: &Scene<'_>) -> Ruling {
    passes_first_check(scene, false)
}

fn only_recovered(scene: &Scene<'_>) -> Ruling {
    passes_first_check(scene, true)
}

fn nil_client_id(scene: &Scene<'_>) -> Ruling {
    match (request(scene), scene.judged_code()) {
        (Some(request), Some(code))
            if request.client_shadow_copy_set_id.is_nil() && !is_own_failure(code) =>
        {
            Ruling::of(
                !code.is_success(),
                "E_INVALIDARG: ClientShadowCopySetId is nil",
                format!("{} for a nil ClientShadowCopySetId", scene.told()),
            )
        }
        _ => Ruling::Silent,
    }
}

fn id_is_not_nil(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if reply.status.is_success() => Ruling::of(
            !reply.shadow_copy_set_id.is_nil(),
            "a ShadowCopySetId that is not nil",
            "a nil ShadowCopySetId with ZERO",
        ),
        _ => Ruling::Silent,
    }
}

fn id_is_new(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if reply.status.is_success() && !reply.shadow_copy_set_id.is_nil() => {
            Ruling::of(
                !scene.history.is_set_id(reply.shadow_copy_set_id.0),
                "a ShadowCopySetId that was never given before",
                format!("ShadowCopySetId {} once more", reply.shadow_copy_set_id),
            )
        }
        _ => Ruling::Silent,
    }
}
