//! How a client deletes mappings: MS-FSRVP 3.2.4.8.

use super::creation::local;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::Call;
use fsrvp_wire::fsrvp::delete_share_mapping::Request;

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3.2.4.8-02", set_then_copy),
    judge("FSRVP-C-3.2.4.8-04", once),
    judge("FSRVP-C-3.2.4.8-05", known_identifiers),
];

fn request<'a>(scene: &Scene<'a>) -> Option<&'a Request> {
    match scene.call() {
        Some(Call::DeleteShareMapping(request)) => Some(request),
        _ => None,
    }
}

/// The set's id comes first here, and second in GetShareMapping.
fn set_then_copy(scene: &Scene<'_>) -> Ruling {
    let Some(request) = request(scene) else {
        return Ruling::Silent;
    };
    let history = scene.history;
    let (set, copy) = (request.shadow_copy_set_id.0, request.shadow_copy_id.0);
    match (history.is_copy_id(set), history.is_set_id(copy)) {
        (true, true) => Ruling::of(
            false,
            "ShadowCopySetId, then ShadowCopyId",
            "DeleteShareMapping with the copy's id first",
        ),
        _ if history.is_set_id(set) && history.is_copy_id(copy) => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

/// A copy is forgotten when its mapping was deleted.
fn once(scene: &Scene<'_>) -> Ruling {
    let (Some(request), Some(set)) = (request(scene), local(scene)) else {
        return Ruling::Silent;
    };
    match set
        .copies
        .iter()
        .find(|copy| copy.id == request.shadow_copy_id)
    {
        Some(copy) => Ruling::of(
            !copy.deleted,
            "no further DeleteShareMapping for a copy whose mapping was deleted",
            scene.asked(),
        ),
        None => Ruling::Silent,
    }
}

/// An id is not known that is nil, or that names no copy of a set the client made itself.
fn known_identifiers(scene: &Scene<'_>) -> Ruling {
    let Some(request) = request(scene) else {
        return Ruling::Silent;
    };
    let nil = request.shadow_copy_set_id.is_nil() || request.shadow_copy_id.is_nil();
    let foreign = local(scene).is_some_and(|set| {
        !set.copies
            .iter()
            .any(|copy| copy.id == request.shadow_copy_id)
    });
    match (nil, foreign) {
        (true, _) => Ruling::of(
            false,
            "identifiers that the server gave",
            "a nil identifier",
        ),
        (false, true) => Ruling::of(
            false,
            "a ShadowCopyId that AddToShadowCopySet gave for the set",
            format!("ShadowCopyId {}", request.shadow_copy_id),
        ),
        (false, false) if local(scene).is_some() => Ruling::Kept,
        (false, false) => Ruling::Silent,
    }
}
