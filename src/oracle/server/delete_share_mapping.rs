//! MS-FSRVP 3.1.4.12 DeleteShareMapping (Opnum 11).

use crate::oracle::codes::{BAD_STATE, Permit, is_own_failure};
use crate::oracle::names::ShareName;
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state_when};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::delete_share_mapping::Request;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum};

const DELETE: Opnum = Opnum::DeleteShareMapping;

/// The steps say FSRVP_E_OBJECT_NOT_FOUND, the return table also lists the mismatch.
const UNKNOWN_SET: Permit = Permit {
    codes: |_, code| {
        code == Hresult::FSRVP_E_OBJECT_NOT_FOUND
            || code == Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
    },
    expected: "FSRVP_E_OBJECT_NOT_FOUND: no set has this id",
};

const NOT_FOUND: Permit = Permit {
    codes: |_, code| code == Hresult::FSRVP_E_OBJECT_NOT_FOUND,
    expected: "FSRVP_E_OBJECT_NOT_FOUND: the set has no such shadow copy or share",
};

const SUCCEEDS: Permit = Permit {
    codes: |_, code| code.is_success(),
    expected: "ZERO",
};

const EITHER: Permit = Permit {
    codes: |_, code| code.is_success() || code == Hresult::FSRVP_E_OBJECT_NOT_FOUND,
    expected: "ZERO, or FSRVP_E_OBJECT_NOT_FOUND where the set has no such shadow copy or share",
};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.12-01", nil_set),
    judge("FSRVP-3.1.4.12-02", nil_copy),
    state_when(
        "FSRVP-3.1.4.12-03",
        DELETE,
        Status::Absent,
        named,
        UNKNOWN_SET,
    ),
    state_when(
        "FSRVP-3.1.4.12-04",
        DELETE,
        Status::Started,
        named,
        BAD_STATE,
    ),
    state_when("FSRVP-3.1.4.12-05", DELETE, Status::Added, named, BAD_STATE),
    state_when(
        "FSRVP-3.1.4.12-06",
        DELETE,
        Status::CreationInProgress,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.12-07",
        DELETE,
        Status::Committed,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.12-08",
        DELETE,
        Status::Exposed,
        |s| asks(s) == Asks::UnknownCopy,
        NOT_FOUND,
    ),
    state_when(
        "FSRVP-3.1.4.12-08",
        DELETE,
        Status::Recovered,
        |s| asks(s) == Asks::UnknownCopy,
        NOT_FOUND,
    ),
    state_when(
        "FSRVP-3.1.4.12-09",
        DELETE,
        Status::Exposed,
        |s| asks(s) == Asks::OtherShare,
        NOT_FOUND,
    ),
    state_when(
        "FSRVP-3.1.4.12-09",
        DELETE,
        Status::Recovered,
        |s| asks(s) == Asks::OtherShare,
        NOT_FOUND,
    ),
    state_when(
        "FSRVP-3.1.4.12-10",
        DELETE,
        Status::Exposed,
        |s| asks(s) == Asks::Mapped,
        SUCCEEDS,
    ),
    state_when(
        "FSRVP-3.1.4.12-11",
        DELETE,
        Status::Recovered,
        |s| asks(s) == Asks::Mapped,
        SUCCEEDS,
    ),
    state_when(
        "FSRVP-3.1.4.12-13",
        DELETE,
        Status::Exposed,
        |s| asks(s) == Asks::Deleted,
        NOT_FOUND,
    ),
    state_when(
        "FSRVP-3.1.4.12-13",
        DELETE,
        Status::Recovered,
        |s| asks(s) == Asks::Deleted,
        NOT_FOUND,
    ),
    state_when(
        "FSRVP-3.1.4.12-10",
        DELETE,
        Status::Exposed,
        |s| asks(s) == Asks::NotKnown,
        EITHER,
    ),
    state_when(
        "FSRVP-3.1.4.12-11",
        DELETE,
        Status::Recovered,
        |s| asks(s) == Asks::NotKnown,
        EITHER,
    ),
    judge("FSRVP-3.1.4.12-15", not_twice),
];

fn request<'a>(scene: &Scene<'a>) -> Option<&'a Request> {
    match scene.call() {
        Some(Call::DeleteShareMapping(request)) => Some(request),
        _ => None,
    }
}

fn named(scene: &Scene<'_>) -> bool {
    request(scene).is_some_and(|request| {
        !request.shadow_copy_set_id.is_nil() && !request.shadow_copy_id.is_nil()
    })
}

#[derive(PartialEq, Eq)]
enum Asks {
    Nil,
    UnknownCopy,
    OtherShare,
    Mapped,
    Deleted,
    NotKnown,
}

fn asks(scene: &Scene<'_>) -> Asks {
    let Some(request) = request(scene).filter(|_| named(scene)) else {
        return Asks::Nil;
    };
    let Some(set) = scene.set() else {
        return Asks::NotKnown;
    };
    let of_id = || {
        set.copies
            .iter()
            .filter(|copy| copy.id == request.shadow_copy_id)
    };
    if of_id().next().is_none() {
        return match set.whole {
            true => Asks::UnknownCopy,
            false => Asks::NotKnown,
        };
    }
    if of_id().all(|copy| copy.deleted) {
        return Asks::Deleted;
    }
    let name = ShareName::parse(&request.share_name.text());
    match (
        set.copy(request.shadow_copy_id)
            .and_then(|copy| copy.name.as_ref()),
        name,
    ) {
        (Some(base), Some(name)) if base.deeper || name.deeper => Asks::NotKnown,
        (Some(base), Some(name)) if base.share != name.share => Asks::OtherShare,
        (Some(base), Some(name)) if base.host != name.host => Asks::NotKnown,
        (Some(_), Some(_)) => Asks::Mapped,
        _ => Asks::NotKnown,
    }
}

fn nil_ruling(scene: &Scene<'_>, what: &str) -> Ruling {
    match scene.judged_code() {
        Some(code) if !is_own_failure(code) => Ruling::of(
            code == Hresult::E_INVALIDARG,
            format!("E_INVALIDARG: {what} is nil"),
            scene.told(),
        ),
        _ => Ruling::Silent,
    }
}

fn nil_set(scene: &Scene<'_>) -> Ruling {
    match request(scene) {
        Some(request) if request.shadow_copy_set_id.is_nil() => {
            nil_ruling(scene, "ShadowCopySetId")
        }
        _ => Ruling::Silent,
    }
}

fn nil_copy(scene: &Scene<'_>) -> Ruling {
    match request(scene) {
        Some(request)
            if request.shadow_copy_id.is_nil() && !request.shadow_copy_set_id.is_nil() =>
        {
            nil_ruling(scene, "ShadowCopyId")
        }
        _ => Ruling::Silent,
    }
}

/// A mapping that was deleted cannot be deleted again, whatever its set is by now.
fn not_twice(scene: &Scene<'_>) -> Ruling {
    let (Some(request), Some(set), Some(code)) = (request(scene), scene.set(), scene.judged_code())
    else {
        return Ruling::Silent;
    };
    let name = ShareName::parse(&request.share_name.text());
    let was_deleted = set
        .copies
        .iter()
        .any(|copy| copy.id == request.shadow_copy_id && copy.deleted && copy.name == name);
    match was_deleted && scene.alone && code.is_success() {
        true => Ruling::of(
            false,
            "FSRVP_E_OBJECT_NOT_FOUND: the mapping was deleted",
            scene.told(),
        ),
        false if was_deleted && code == Hresult::FSRVP_E_OBJECT_NOT_FOUND => Ruling::Kept,
        false => Ruling::Silent,
    }
}
