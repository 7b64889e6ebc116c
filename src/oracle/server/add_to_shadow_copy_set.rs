//! MS-FSRVP 3.1.4.4 AddToShadowCopySet (Opnum 3).

use crate::oracle::codes::{Permit, add_before_set, is_own_failure};
use crate::oracle::names::ShareName;
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state_when};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply};

const ADD: Opnum = Opnum::AddToShadowCopySet;

/// The share is looked at before the set.
const UNKNOWN_SET: Permit = Permit {
    codes: |scene, code| {
        add_before_set(scene, code) || code == Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    },
    expected: "FSRVP_E_SHADOWCOPYSET_ID_MISMATCH: no set has this id (FSRVP_E_OBJECT_NOT_FOUND or FSRVP_E_NOT_SUPPORTED where the share is at fault)",
};

const BAD_STATE: Permit = Permit {
    codes: |scene, code| add_before_set(scene, code) || code == Hresult::FSRVP_E_BAD_STATE,
    expected: "FSRVP_E_BAD_STATE: the status forbids it (FSRVP_E_OBJECT_NOT_FOUND or FSRVP_E_NOT_SUPPORTED where the share is at fault)",
};

const FIRST: Permit = Permit {
    codes: |scene, code| add_before_set(scene, code) || code.is_success(),
    expected: "ZERO, FSRVP_E_OBJECT_NOT_FOUND or FSRVP_E_NOT_SUPPORTED",
};

const FURTHER: Permit = Permit {
    codes: |scene, code| {
        add_before_set(scene, code)
            || code == Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS
            || (code.is_success() && !is_same_share(scene))
    },
    expected: "ZERO for a file store that is new in the set, FSRVP_E_OBJECT_ALREADY_EXISTS for one that is in it, FSRVP_E_OBJECT_NOT_FOUND or FSRVP_E_NOT_SUPPORTED",
};

pub(super) const RULES: &[Rule] = &[
    state_when(
        "FSRVP-3.1.4.4-02",
        ADD,
        Status::Started,
        blames_share,
        FIRST,
    ),
    state_when(
        "FSRVP-3.1.4.4-02",
        ADD,
        Status::Added,
        blames_share,
        FURTHER,
    ),
    state_when(
        "FSRVP-3.1.4.4-01",
        ADD,
        Status::Started,
        |s| !blames_share(s),
        FIRST,
    ),
    state_when(
        "FSRVP-3.1.4.4-07",
        ADD,
        Status::Absent,
        known_others,
        UNKNOWN_SET,
    ),
    state_when(
        "FSRVP-3.1.4.4-08",
        ADD,
        Status::Absent,
        |s| !known_others(s),
        UNKNOWN_SET,
    ),
    state_when(
        "FSRVP-3.1.4.4-09",
        ADD,
        Status::CreationInProgress,
        |_| true,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.4-10",
        ADD,
        Status::Committed,
        |_| true,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.4-11",
        ADD,
        Status::Exposed,
        |_| true,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.4-12",
        ADD,
        Status::Recovered,
        |_| true,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.4-13",
        ADD,
        Status::Added,
        is_same_share,
        FURTHER,
    ),
    state_when(
        "FSRVP-3.1.4.4-15",
        ADD,
        Status::Added,
        |s| !is_same_share(s) && !prepared(s),
        FURTHER,
    ),
    state_when(
        "FSRVP-3.1.4.4-16",
        ADD,
        Status::Added,
        |s| !is_same_share(s) && prepared(s),
        FURTHER,
    ),
    judge("FSRVP-3.1.4.4-01", id_is_not_nil),
    judge("FSRVP-3.1.4.4-15", id_is_new),
    judge("FSRVP-3.1.4.4-19", malformed_name),
    judge("FSRVP-3.1.4.4-21", failure_has_no_id),
];

/// A well-formed name and ids that are not nil, answered with E_INVALIDARG: the text has no such
/// answer; where the share does not exist it has another.
fn blames_share(scene: &Scene<'_>) -> bool {
    scene.code() == Some(Hresult::E_INVALIDARG) && !add_before_set(scene, Hresult::E_INVALIDARG)
}

fn prepared(scene: &Scene<'_>) -> bool {
    scene.set().is_some_and(|set| set.prepared)
}

/// Whether any set is known: the rule for a wrong id among sets, or without any.
fn known_others(scene: &Scene<'_>) -> bool {
    scene.history.unfinished().next().is_some()
}

/// Whether the set has a copy of the very share already.
fn is_same_share(scene: &Scene<'_>) -> bool {
    let (Some(set), Some(name)) = (scene.set(), scene.share()) else {
        return false;
    };
    let same = |other: &ShareName| !name.deeper && !other.deeper && name.is(other);
    set.copies
        .iter()
        .any(|copy| !copy.deleted && copy.name.as_ref().is_some_and(same))
}

fn reply<'a>(scene: &Scene<'a>) -> Option<&'a fsrvp_wire::fsrvp::add_to_shadow_copy_set::Response> {
    match (scene.call(), scene.reply()) {
        (Some(Call::AddToShadowCopySet(_)), Some(Reply::AddToShadowCopySet(reply))) => Some(reply),
        _ => None,
    }
}

fn id_is_not_nil(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if reply.status.is_success() => Ruling::of(
            !reply.shadow_copy_id.is_nil(),
            "a ShadowCopyId that is not nil",
            scene.told(),
        ),
        _ => Ruling::Silent,
    }
}

fn id_is_new(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if reply.status.is_success() && !reply.shadow_copy_id.is_nil() => Ruling::of(
            !scene.history.is_copy_id(reply.shadow_copy_id.0),
            "a ShadowCopyId that was never given before",
            format!("ShadowCopyId {} once more", reply.shadow_copy_id),
        ),
        _ => Ruling::Silent,
    }
}

fn malformed_name(scene: &Scene<'_>) -> Ruling {
    let (Some(code), Some(text), true) = (scene.judged_code(), scene.share_text(), scene.is(ADD))
    else {
        return Ruling::Silent;
    };
    if ShareName::parse(&text).is_some() || is_own_failure(code) {
        return Ruling::Silent;
    }
    Ruling::of(
        !code.is_success(),
        "a failure: ShareName is no UNC name of a share",
        scene.told(),
    )
}

fn failure_has_no_id(scene: &Scene<'_>) -> Ruling {
    match reply(scene) {
        Some(reply) if !reply.status.is_success() => Ruling::of(
            reply.shadow_copy_id.is_nil(),
            "a nil ShadowCopyId from a call that fails",
            format!("ShadowCopyId {}, {}", reply.shadow_copy_id, scene.told()),
        ),
        _ => Ruling::Silent,
    }
}
