//! MS-FSRVP 3.1.4.10 IsPathShadowCopied (Opnum 9).

use crate::oracle::codes::is_own_failure;
use crate::oracle::names::ShareName;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use crate::oracle::statuses::{Status, Statuses};
use fsrvp_wire::fsrvp::{Hresult, Opnum, Reply};

const COPIED: Opnum = Opnum::IsPathShadowCopied;

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.10-01", code_of_an_unknown_share),
    judge("FSRVP-3.1.4.10-02", |s| absent(s, None)),
    judge("FSRVP-3.1.4.10-04", |s| absent(s, Some(Status::Added))),
    judge("FSRVP-3.1.4.10-05", |s| {
        absent(s, Some(Status::CreationInProgress))
    }),
    judge("FSRVP-3.1.4.10-06", |s| present(s, Status::Committed)),
    judge("FSRVP-3.1.4.10-07", |s| present(s, Status::Exposed)),
    judge("FSRVP-3.1.4.10-08", |s| present(s, Status::Recovered)),
    judge("FSRVP-2.2.2.3-01", compatibility_has_two_bits),
];

struct Seen {
    name: ShareName,
    code: Hresult,
    /// What was answered where the call succeeded.
    present: bool,
}

fn seen(scene: &Scene<'_>) -> Option<Seen> {
    let code = scene.judged_code().filter(|code| !is_own_failure(*code))?;
    let name = scene.share().filter(|name| !name.deeper)?;
    match scene.reply() {
        Some(Reply::IsPathShadowCopied(reply)) if scene.is(COPIED) => Some(Seen {
            name,
            code,
            present: reply.shadow_copy_present != 0,
        }),
        _ => None,
    }
}

/// The status of the latest set with a copy of this very share; nothing where that is not certain.
fn holding(scene: &Scene<'_>, name: &ShareName) -> Option<Option<Status>> {
    let holding = scene.history.sets().filter(|(_, set)| {
        set.copies
            .iter()
            .any(|copy| !copy.deleted && copy.name.as_ref() == Some(name))
    });
    let mut best = None;
    for (_, set) in holding {
        let status = set.statuses.certain()?;
        let rank = |status: Status| Statuses::PRESENT.has(status);
        if status != Status::Absent && best.is_none_or(|known| rank(status) || !rank(known)) {
            best = Some(status);
        }
    }
    Some(best)
}

/// A share that is not known to be supported: the steps know one failure.
fn code_of_an_unknown_share(scene: &Scene<'_>) -> Ruling {
    match seen(scene) {
        Some(seen) if !scene.history.is_supported(&seen.name) => {
            let permitted = [
                Hresult::FSRVP_E_OBJECT_NOT_FOUND,
                Hresult::FSRVP_E_NOT_SUPPORTED,
            ];
            Ruling::of(
                seen.code.is_success() || permitted.contains(&seen.code),
                "ZERO, or FSRVP_E_OBJECT_NOT_FOUND where the share does not exist",
                scene.told(),
            )
        }
        _ => Ruling::Silent,
    }
}

/// No shadow copy of the share that was seen: the call succeeds. FALSE can be demanded only where
/// the server said so itself before and made none since.
fn absent(scene: &Scene<'_>, status: Option<Status>) -> Ruling {
    let Some(seen) = seen(scene).filter(|seen| scene.history.is_supported(&seen.name)) else {
        return Ruling::Silent;
    };
    if !scene.alone || holding(scene, &seen.name) != Some(status) {
        return Ruling::Silent;
    }
    if !seen.code.is_success() {
        return Ruling::of(false, "ZERO: the share is supported", scene.told());
    }
    if scene.history.none_made() {
        return Ruling::of(
            !seen.present,
            "FALSE: no set has a shadow copy in any store",
            "ShadowCopyPresent TRUE",
        );
    }
    match scene.history.was_present(&seen.name) {
        Some(false) => Ruling::of(
            !seen.present,
            "FALSE: nothing was committed since the server last said so",
            "ShadowCopyPresent TRUE",
        ),
        _ => Ruling::Silent,
    }
}

fn present(scene: &Scene<'_>, status: Status) -> Ruling {
    let Some(seen) = seen(scene).filter(|seen| scene.history.is_supported(&seen.name)) else {
        return Ruling::Silent;
    };
    if !scene.alone || holding(scene, &seen.name) != Some(Some(status)) {
        return Ruling::Silent;
    }
    Ruling::of(
        seen.code.is_success() && seen.present,
        format!(
            "ZERO and TRUE: a set that is {} has a copy of the share",
            status.name()
        ),
        match seen.code.is_success() {
            true => "ShadowCopyPresent FALSE".to_owned(),
            false => scene.told(),
        },
    )
}

fn compatibility_has_two_bits(scene: &Scene<'_>) -> Ruling {
    match scene.reply() {
        Some(Reply::IsPathShadowCopied(reply)) if reply.status.is_success() => Ruling::of(
            (0..=3).contains(&reply.shadow_copy_compatibility),
            "ShadowCopyCompatibility of the bits 0x1 and 0x2",
            format!(
                "ShadowCopyCompatibility {:#x}",
                reply.shadow_copy_compatibility
            ),
        ),
        _ => Ruling::Silent,
    }
}
