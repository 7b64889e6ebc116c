//! How a client adds shares, prepares and commits: MS-FSRVP 3.2.4.2.2, 3.2.4.3.

use crate::oracle::clients::{Local, LocalSet};
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::{Opnum, ShadowCopySetId};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3.2.4.2.2-01", adds_when_not_started),
    judge("FSRVP-C-3.2.4.2.2-02", adds_a_share_twice),
    judge("FSRVP-C-3.2.4.2.2-05", commits_without_prepare),
    judge("FSRVP-C-3.2.4.2.2-06", prepares_before_the_last_share),
    judge("FSRVP-C-3.2.4.3-01", commits_a_set_it_cannot_know),
];

/// The set as the client knows it.
pub(super) fn local<'a>(scene: &Scene<'a>) -> Option<&'a LocalSet> {
    let id = scene.set_id().filter(|_| scene.alone)?;
    scene.history.clients.set(scene.client(), id)
}

fn adds_when_not_started(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set) if scene.is(Opnum::AddToShadowCopySet) && set.status != Local::Forgotten => {
            Ruling::of(
                [Local::Started, Local::Added].contains(&set.status),
                "AddToShadowCopySet only for a set that is Started or Added",
                format!("{} for a set that is {}", scene.asked(), set.status.name()),
            )
        }
        _ => Ruling::Silent,
    }
}

fn adds_a_share_twice(scene: &Scene<'_>) -> Ruling {
    let (Some(set), Some(name), true) = (
        local(scene),
        scene.share(),
        scene.is(Opnum::AddToShadowCopySet),
    ) else {
        return Ruling::Silent;
    };
    if set.copies.is_empty() {
        return Ruling::Silent;
    }
    let same = set.copies.iter().any(|copy| {
        let known = copy.name.as_ref();
        !copy.deleted && known.is_some_and(|known| !known.deeper && !name.deeper && known.is(&name))
    });
    Ruling::of(
        !same,
        "no call for a share that is in the set: the client returns FSRVP_E_OBJECT_ALREADY_EXISTS itself",
        scene.asked(),
    )
}

fn commits_without_prepare(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set) if scene.is(Opnum::CommitShadowCopySet) && set.status == Local::Added => {
            Ruling::of(
                set.prepare_called,
                "PrepareShadowCopySet after the last share was added",
                format!("{} without it", scene.asked()),
            )
        }
        _ => Ruling::Silent,
    }
}

fn prepares_before_the_last_share(scene: &Scene<'_>) -> Ruling {
    match local(scene) {
        Some(set) if scene.is(Opnum::AddToShadowCopySet) && set.status == Local::Added => {
            Ruling::of(
                !set.prepared,
                "PrepareShadowCopySet only when the last share was added",
                format!("{} after PrepareShadowCopySet", scene.asked()),
            )
        }
        // Whatever was added was added before it.
        Some(set) if scene.is(Opnum::CommitShadowCopySet) && set.prepared => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

/// A nil id names no set.
fn commits_a_set_it_cannot_know(scene: &Scene<'_>) -> Ruling {
    match scene.set_id() {
        Some(id) if scene.is(Opnum::CommitShadowCopySet) => match local(scene) {
            Some(_) => Ruling::Kept,
            None if id == ShadowCopySetId::NIL => Ruling::of(
                false,
                "CommitShadowCopySet only for a set that StartShadowCopySet gave",
                "CommitShadowCopySet for a nil ShadowCopySetId",
            ),
            None => Ruling::Silent,
        },
        _ => Ruling::Silent,
    }
}
