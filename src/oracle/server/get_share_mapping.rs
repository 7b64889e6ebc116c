//! MS-FSRVP 3.1.4.11 GetShareMapping (Opnum 10) and 2.2.1.1, 2.2.3.1 for what it returns.

use crate::flow::Answer;
use crate::oracle::codes::{BAD_STATE, Permit, UNKNOWN_SET, is_own_failure};
use crate::oracle::history::Copy;
use crate::oracle::names::{ShareName, is_unc};
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state_when};
use crate::oracle::statuses::Status;
use crate::oracle::timer::Durations;
use fsrvp_wire::fsrvp::get_share_mapping::{Request, ShareMapping, ShareMapping1};
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply};

const MAPPING: Opnum = Opnum::GetShareMapping;

const INVALID: Permit = Permit {
    codes: |_, code| code == Hresult::E_INVALIDARG,
    expected: "E_INVALIDARG: the set has no such shadow copy or share",
};

const SUCCEEDS: Permit = Permit {
    codes: |_, code| code.is_success(),
    expected: "ZERO",
};

const EITHER: Permit = Permit {
    codes: |_, code| code.is_success() || code == Hresult::E_INVALIDARG,
    expected: "ZERO, or E_INVALIDARG where the set has no such shadow copy or share",
};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.11-01", |s| wrong_level(s, |level| level == 0)),
    judge("FSRVP-3.1.4.11-02", |s| wrong_level(s, |level| level == 2)),
    judge("FSRVP-3.1.4.11-03", |s| wrong_level(s, |level| level > 2)),
    judge("FSRVP-3.1.4.11-04", level_before_set),
    judge("FSRVP-3.1.4.11-05", level_before_state),
    state_when(
        "FSRVP-3.1.4.11-06",
        MAPPING,
        Status::Absent,
        named,
        UNKNOWN_SET,
    ),
    state_when(
        "FSRVP-3.1.4.11-07",
        MAPPING,
        Status::Started,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.11-08",
        MAPPING,
        Status::Added,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.11-09",
        MAPPING,
        Status::CreationInProgress,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.11-10",
        MAPPING,
        Status::Committed,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.11-11",
        MAPPING,
        Status::Recovered,
        named,
        BAD_STATE,
    ),
    state_when(
        "FSRVP-3.1.4.11-12",
        MAPPING,
        Status::Exposed,
        |s| asks(s) == Asks::UnknownCopy,
        INVALID,
    ),
    state_when(
        "FSRVP-3.1.4.11-13",
        MAPPING,
        Status::Exposed,
        |s| asks(s) == Asks::OtherShare,
        INVALID,
    ),
    state_when(
        "FSRVP-3.1.4.11-14",
        MAPPING,
        Status::Exposed,
        |s| asks(s) == Asks::Mapped,
        SUCCEEDS,
    ),
    state_when(
        "FSRVP-3.1.4.11-16",
        MAPPING,
        Status::Exposed,
        |s| asks(s) == Asks::MappedOtherwise,
        SUCCEEDS,
    ),
    state_when(
        "FSRVP-3.1.4.11-14",
        MAPPING,
        Status::Exposed,
        |s| asks(s) == Asks::NotKnown,
        EITHER,
    ),
    judge("FSRVP-3.1.4.11-14", echoes_ids),
    judge("FSRVP-3.1.4.11-14", names_the_added_share),
    judge("FSRVP-3.1.4.11-14", names_the_exposed_share),
    judge("FSRVP-3.1.4.11-17", same_data_again),
    judge("FSRVP-2.2.1.1-01", plausible_time),
    judge("FSRVP-2.2.1.1-02", share_name_is_unc),
    judge("FSRVP-2.2.1.1-04", readable),
    judge("FSRVP-2.2.3.1-01", level_1_has_its_arm),
    judge("FSRVP-2.2.3.1-02", other_levels_are_empty),
    judge("FSRVP-3.1.4.4-22", time_is_that_of_the_add),
];

fn request<'a>(scene: &Scene<'a>) -> Option<&'a Request> {
    match scene.call() {
        Some(Call::GetShareMapping(request)) => Some(request),
        _ => None,
    }
}

fn union<'a>(scene: &Scene<'a>) -> Option<&'a ShareMapping> {
    match scene.reply() {
        Some(Reply::GetShareMapping(reply)) => Some(&reply.share_mapping),
        _ => None,
    }
}

/// What a call that succeeded returned.
fn mapping<'a>(scene: &Scene<'a>) -> Option<&'a ShareMapping1> {
    union(scene)
        .filter(|_| scene.succeeded())
        .and_then(|union| union.mapping.as_ref())
}

fn level_1(scene: &Scene<'_>) -> bool {
    request(scene).is_some_and(|request| request.level == 1)
}

/// Level 1 and a ShadowCopyId: a nil one is an invalid argument (3.1.4), and the text does not say
/// whether that or the set is looked at first.
fn named(scene: &Scene<'_>) -> bool {
    level_1(scene) && request(scene).is_some_and(|request| !request.shadow_copy_id.is_nil())
}

/// What the ids and the name ask for, in a set that is Exposed.
#[derive(PartialEq, Eq)]
enum Asks {
    /// A level that does not exist.
    WrongLevel,
    UnknownCopy,
    OtherShare,
    Mapped,
    /// As mapped, in other letters or with another end.
    MappedOtherwise,
    NotKnown,
}

fn asks(scene: &Scene<'_>) -> Asks {
    let Some(request) = request(scene).filter(|request| request.level == 1) else {
        return Asks::WrongLevel;
    };
    let Some(set) = scene.set() else {
        return Asks::NotKnown;
    };
    let Some(copy) = set.copy(request.shadow_copy_id) else {
        return match set.whole {
            true => Asks::UnknownCopy,
            false => Asks::NotKnown,
        };
    };
    let text = request.share_name.text();
    match (&copy.name, ShareName::parse(&text)) {
        (Some(base), Some(name)) if base.deeper || name.deeper => Asks::NotKnown,
        (Some(base), Some(name)) if base.share != name.share => Asks::OtherShare,
        // Whether another host's name stands for this one cannot be told.
        (Some(base), Some(name)) if base.host != name.host => Asks::NotKnown,
        (Some(_), Some(_)) if copy.share == text => Asks::Mapped,
        (Some(_), Some(_)) => Asks::MappedOtherwise,
        _ => Asks::NotKnown,
    }
}

/// The level is the first thing that is checked.
fn level_ruling(scene: &Scene<'_>) -> Ruling {
    match scene.judged_code() {
        Some(code) if !is_own_failure(code) => Ruling::of(
            code == Hresult::E_INVALIDARG,
            "E_INVALIDARG: the level is checked first, and only 1 exists",
            scene.told(),
        ),
        _ => Ruling::Silent,
    }
}

fn wrong_level(scene: &Scene<'_>, level: fn(u32) -> bool) -> Ruling {
    match request(scene) {
        Some(request) if level(request.level) && is_exposed_or_unsure(scene) => level_ruling(scene),
        _ => Ruling::Silent,
    }
}

/// The level comes first whatever the set is; this one is for every set but those of the two
/// rules on the order.
fn is_exposed_or_unsure(scene: &Scene<'_>) -> bool {
    let status = scene
        .set_id()
        .and_then(|id| scene.history.statuses(id).certain());
    !matches!(status, Some(Status::Absent | Status::Started))
}

fn level_before(scene: &Scene<'_>, status: Status) -> Ruling {
    let certain = scene
        .set_id()
        .and_then(|id| scene.history.statuses(id).certain());
    match request(scene) {
        Some(request) if request.level != 1 && certain == Some(status) => level_ruling(scene),
        _ => Ruling::Silent,
    }
}

fn level_before_set(scene: &Scene<'_>) -> Ruling {
    level_before(scene, Status::Absent)
}

fn level_before_state(scene: &Scene<'_>) -> Ruling {
    level_before(scene, Status::Started)
}

fn echoes_ids(scene: &Scene<'_>) -> Ruling {
    let (Some(request), Some(mapping)) = (request(scene), mapping(scene)) else {
        return Ruling::Silent;
    };
    Ruling::of(
        mapping.shadow_copy_id == request.shadow_copy_id
            && mapping.shadow_copy_set_id == request.shadow_copy_set_id,
        "the ids that were asked for",
        format!(
            "ShadowCopySetId {}, ShadowCopyId {}",
            mapping.shadow_copy_set_id, mapping.shadow_copy_id
        ),
    )
}

fn copy<'a>(scene: &Scene<'a>) -> Option<&'a Copy> {
    let request = request(scene)?;
    scene.set()?.copy(request.shadow_copy_id)
}

fn names_the_added_share(scene: &Scene<'_>) -> Ruling {
    let (Some(mapping), Some(copy)) = (mapping(scene), copy(scene)) else {
        return Ruling::Silent;
    };
    let name = mapping.share_name_unc.as_ref().map(|name| name.text());
    let (Some(name), Some(base)) = (name, &copy.name) else {
        return Ruling::Silent;
    };
    let Some(named) = ShareName::parse(&name) else {
        // The rule on the form judges it.
        return Ruling::Silent;
    };
    let same = named == *base;
    Ruling::of(
        same,
        format!(
            "ShareNameUNC \"{}\", as AddToShadowCopySet named it",
            copy.share
        ),
        format!("ShareNameUNC \"{name}\""),
    )
}

fn names_the_exposed_share(scene: &Scene<'_>) -> Ruling {
    let certain = scene
        .set()
        .is_some_and(|set| set.is_certainly(Status::Exposed));
    match mapping(scene) {
        Some(mapping) if certain && scene.alone => Ruling::of(
            mapping.shadow_copy_share_name.is_some(),
            "the name of the exposed share",
            "a NULL ShadowCopyShareName",
        ),
        _ => Ruling::Silent,
    }
}

fn same_data_again(scene: &Scene<'_>) -> Ruling {
    match (
        mapping(scene),
        copy(scene).and_then(|copy| copy.mapped.as_ref()),
    ) {
        (Some(mapping), Some(before)) => Ruling::of(
            mapping == before,
            "the same data as before",
            "other data than before",
        ),
        _ => Ruling::Silent,
    }
}

/// 1980-01-01 in units of 100 ns since 1601-01-01: no server had a clock before, and a time in
/// other units falls there.
const EARLIEST: i64 = 119_600_064_000_000_000;

/// 2200-01-01.
const LATEST: i64 = 189_027_648_000_000_000;

fn plausible_time(scene: &Scene<'_>) -> Ruling {
    match mapping(scene) {
        Some(mapping) => Ruling::of(
            (EARLIEST..LATEST).contains(&mapping.creation_timestamp),
            "CreationTimestamp as a count of 100 ns since 1601-01-01",
            format!("CreationTimestamp {}", mapping.creation_timestamp),
        ),
        None => Ruling::Silent,
    }
}

fn share_name_is_unc(scene: &Scene<'_>) -> Ruling {
    match mapping(scene).map(|mapping| mapping.share_name_unc.as_ref()) {
        Some(name) => {
            let text = name.map(|name| name.text()).unwrap_or_default();
            Ruling::of(
                is_unc(&text) || ShareName::parse(&text).is_some_and(|name| name.deeper),
                r"ShareNameUNC in the form \\host\share",
                format!("ShareNameUNC \"{text}\""),
            )
        }
        None => Ruling::Silent,
    }
}

fn readable(scene: &Scene<'_>) -> Ruling {
    if !scene.is(MAPPING) || !scene.whole_stream || scene.call().is_none() {
        return Ruling::Silent;
    }
    match &scene.exchange.answer {
        Answer::Unreadable {
            error: Some(error), ..
        } => Ruling::of(
            false,
            "a union, a code, and nothing else",
            error.to_string(),
        ),
        Answer::Reply(_) => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

fn level_1_has_its_arm(scene: &Scene<'_>) -> Ruling {
    let (Some(union), true) = (union(scene), level_1(scene)) else {
        return Ruling::Silent;
    };
    let whole = union.mapping.is_some() || !scene.succeeded();
    Ruling::of(
        union.level == 1 && whole,
        "the discriminant 1, and a mapping where the call succeeds",
        match union.level {
            1 => "a NULL mapping with ZERO".to_owned(),
            level => format!("the discriminant {level}"),
        },
    )
}

fn other_levels_are_empty(scene: &Scene<'_>) -> Ruling {
    match (request(scene), union(scene)) {
        (Some(request), Some(union)) if request.level != 1 => Ruling::of(
            union.level == request.level && union.mapping.is_none(),
            format!("the discriminant {} and an empty arm", request.level),
            format!("the discriminant {}", union.level),
        ),
        _ => Ruling::Silent,
    }
}

/// The clocks of server and capture may differ, so two copies are compared: their times lie as
/// far apart as their AddToShadowCopySet calls did.
fn time_is_that_of_the_add(scene: &Scene<'_>) -> Ruling {
    let (Some(mine), Some(copy)) = (mapping(scene), copy(scene)) else {
        return Ruling::Silent;
    };
    // What the server's clock says is then later than what the traffic's does.
    if scene.durations == Durations::Moved {
        return Ruling::Silent;
    }
    let other = scene
        .history
        .sets()
        .flat_map(|(_, set)| &set.copies)
        .find(|other| other.id != copy.id && other.mapped.is_some());
    let Some((other, theirs)) = other.and_then(|other| Some((other, other.mapped.as_ref()?)))
    else {
        return Ruling::Silent;
    };
    let seconds =
        |units: i64| std::time::Duration::from_nanos(units.unsigned_abs()).as_secs_f64() * 100.0;
    let stamped = mine
        .creation_timestamp
        .saturating_sub(theirs.creation_timestamp);
    let stamped = seconds(stamped).copysign(if stamped < 0 { -1.0 } else { 1.0 });
    let least = copy.added.0.as_secs_f64() - other.added.1.as_secs_f64() - TOLERANCE_S;
    let most = copy.added.1.as_secs_f64() - other.added.0.as_secs_f64() + TOLERANCE_S;
    Ruling::of(
        (least..=most).contains(&stamped),
        format!(
            "a CreationTimestamp {least:.0} to {most:.0} s after that of the copy before, as their AddToShadowCopySet calls were"
        ),
        format!("{stamped:.1} s after it"),
    )
}

/// Whole seconds at both ends, and clocks that are set in between.
const TOLERANCE_S: f64 = 3.0;
