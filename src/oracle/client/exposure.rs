//! How a client exposes, reads the mappings and completes recovery: MS-FSRVP 3.2.4.4, 3.2.4.5.

use super::creation::local;
use crate::oracle::clients::Local;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3-02", takes_a_timeout_for_success),
    judge("FSRVP-C-3.2.4.4-01", exposes_when_not_committed),
    judge("FSRVP-C-3.2.4.4-03", level_is_1),
    judge("FSRVP-C-3.2.4.4-03", copy_then_set),
    judge("FSRVP-C-3.2.4.4-03", every_mapping_before_recovery),
    judge("FSRVP-C-3.2.4.5-01", recovers_when_not_exposed),
];

/// FSRVP_E_WAIT_TIMEOUT has a clear severity bit and is a failure: the set is not Exposed.
fn takes_a_timeout_for_success(scene: &Scene<'_>) -> Ruling {
    let needs_expose =
        scene.is(Opnum::GetShareMapping) || scene.is(Opnum::RecoveryCompleteShadowCopySet);
    match local(scene) {
        Some(set)
            if needs_expose
                && set.status == Local::Committed
                && set.last_code == Some(Hresult::FSRVP_E_WAIT_TIMEOUT) =>
        {
            Ruling::of(
                false,
                "FSRVP_E_WAIT_TIMEOUT taken for a failure",
                format!("{} after ExposeShadowCopySet returned it", scene.asked()),
            )
        }
        _ => Ruling::Silent,
    }
}

fn exposes_when_not_committed(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set) if scene.is(Opnum::ExposeShadowCopySet) && set.status != Local::Forgotten => {
            Ruling::of(
                set.status == Local::Committed,
                "ExposeShadowCopySet only for a set that is Committed",
                format!("{} for a set that is {}", scene.asked(), set.status.name()),
            )
        }
        _ => Ruling::Silent,
    }
}

fn level_is_1(scene: &Scene<'_>) -> Ruling {
    match scene.call() {
        Some(Call::GetShareMapping(request)) => Ruling::of(
            request.level == 1,
            "GetShareMapping of level 1, the only one there is",
            format!("level {}", request.level),
        ),
        _ => Ruling::Silent,
    }
}

/// The copy's id comes first here, and second in DeleteShareMapping.
fn copy_then_set(scene: &Scene<'_>) -> Ruling {
    let Some(Call::GetShareMapping(request)) = scene.call() else {
        return Ruling::Silent;
    };
    let swapped = scene.history.is_set_id(request.shadow_copy_id.0)
        && scene.history.is_copy_id(request.shadow_copy_set_id.0);
    match swapped {
        true => Ruling::of(
            false,
            "ShadowCopyId, then ShadowCopySetId",
            "GetShareMapping with the set's id first",
        ),
        false => Ruling::Silent,
    }
}

fn every_mapping_before_recovery(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set)
            if scene.is(Opnum::RecoveryCompleteShadowCopySet) && set.status == Local::Exposed =>
        {
            let missing = set.copies.iter().filter(|copy| !copy.mapped).count();
            Ruling::of(
                missing == 0,
                "GetShareMapping for each copy of the set after ExposeShadowCopySet",
                format!("{} before that of {missing} of them", scene.asked()),
            )
        }
        _ => Ruling::Silent,
    }
}

fn recovers_when_not_exposed(scene: &Scene<'_>) -> Ruling {
    let recovery = scene.is(Opnum::RecoveryCompleteShadowCopySet);
    match local(scene) {
        Some(set) if recovery && set.status != Local::Forgotten => Ruling::of(
            set.status == Local::Exposed,
            "RecoveryCompleteShadowCopySet only for a set that is Exposed",
            format!("{} for a set that is {}", scene.asked(), set.status.name()),
        ),
        _ => Ruling::Silent,
    }
}
