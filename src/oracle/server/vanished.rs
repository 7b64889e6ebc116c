//! Sets that live on although they are gone, and sets that are gone although they live.

use super::Judged;
use crate::oracle::codes::says_unknown;
use crate::oracle::history::Gone;
use crate::oracle::rule::{Ruling, Scene};
use crate::oracle::statuses::{Status, Statuses};
use crate::oracle::timer::{Arm, Timer};
use fsrvp_wire::fsrvp::{Hresult, Opnum};

/// The requirements that are judged here.
pub(super) const REQUIREMENTS: &[&str] = &[
    "FSRVP-3.1.4.2-14",
    "FSRVP-3.1.4.8-03",
    "FSRVP-3.1.4.8-04",
    "FSRVP-3.1.4.8-05",
    "FSRVP-3.1.4.8-06",
    "FSRVP-3.1.4.8-07",
    "FSRVP-3.1.4.8-08",
    "FSRVP-3.1.4.8-12",
    "FSRVP-3.1.4.12-14",
    "FSRVP-3.1.2-03",
    "FSRVP-3.1.2-04",
    "FSRVP-3.1.2-05",
    "FSRVP-3.1.2-06",
    "FSRVP-3.1.2-07",
    "FSRVP-3.1.2-08",
    "FSRVP-3.1.2-09",
    "FSRVP-3.1.2-10",
    "FSRVP-3.1.2-11",
    "FSRVP-3.1.2-12",
    "FSRVP-3.1.2-13",
    "FSRVP-3.1.2-14",
    "FSRVP-3.1.2-15",
    "FSRVP-3.1.4.7-11",
    "FSRVP-3.1.5-01",
];

/// The rule that a wrong answer breaks where the cause is known; `None` where only the code is
/// wrong, or the cause is not known.
pub(super) fn judge(scene: &Scene<'_>, statuses: Statuses, code: Hresult) -> Option<Judged> {
    let set = scene.set()?;
    if statuses.certain() == Some(Status::Absent) && !says_unknown(code) {
        return Some(lives_on(scene, set.gone?));
    }
    let gone = match scene.opnum() {
        Opnum::DeleteShareMapping => false,
        _ => code == Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
    };
    if gone && !statuses.has(Status::Absent) {
        let requirement = match statuses.certain() {
            Some(Status::Recovered) => "FSRVP-3.1.4.7-11",
            _ => not_early(set.armed?)?,
        };
        let timer = match set.armed {
            Some(arm) if statuses.certain() != Some(Status::Recovered) => format!(
                "the timer of {} that {} started has not run out",
                Timer::length(scene.durations, arm),
                arm.name()
            ),
            _ => "no timer runs for it".to_owned(),
        };
        return Some(Judged {
            requirement,
            ruling: Ruling::Broken {
                expected: format!("the set is {statuses}: {timer}"),
                seen: scene.told(),
            },
        });
    }
    None
}

fn lives_on(scene: &Scene<'_>, gone: Gone) -> Judged {
    let (requirement, why) = match gone {
        Gone::Dropped => (
            "FSRVP-3.1.4.2-14",
            "SetContext, called again by the same client, removed it".to_owned(),
        ),
        Gone::Aborted(status) => {
            let requirement = match (scene.opnum(), status) {
                (Opnum::AbortShadowCopySet, _) | (_, None | Some(Status::Absent)) => {
                    "FSRVP-3.1.4.8-12"
                }
                (_, Some(Status::Started)) => "FSRVP-3.1.4.8-03",
                (_, Some(Status::Added)) => "FSRVP-3.1.4.8-04",
                (_, Some(Status::CreationInProgress)) => "FSRVP-3.1.4.8-05",
                (_, Some(Status::Committed)) => "FSRVP-3.1.4.8-06",
                (_, Some(Status::Exposed)) => "FSRVP-3.1.4.8-07",
                (_, Some(Status::Recovered)) => "FSRVP-3.1.4.8-08",
            };
            (requirement, "AbortShadowCopySet removed it".to_owned())
        }
        Gone::Expired(arm) => (
            expired(arm),
            format!(
                "the timer of {} that {} started has run out and removed it",
                Timer::length(scene.durations, arm),
                arm.name()
            ),
        ),
        Gone::Emptied => (
            "FSRVP-3.1.4.12-14",
            "its last mapping was deleted".to_owned(),
        ),
    };
    Judged {
        requirement,
        ruling: Ruling::Broken {
            expected: format!("the set is not known any more: {why}"),
            seen: scene.told(),
        },
    }
}

/// MS-FSRVP 3.1.2: the requirement that a set is gone after its time.
pub(super) fn expired(arm: Arm) -> &'static str {
    match arm {
        // A set is there only where it was read back from the store.
        Arm::SetContext => "FSRVP-3.1.5-01",
        Arm::Start => "FSRVP-3.1.2-03",
        Arm::Add => "FSRVP-3.1.2-05",
        Arm::AddExists => "FSRVP-3.1.2-15",
        Arm::Prepare | Arm::PrepareFailed => "FSRVP-3.1.2-07",
        Arm::Commit => "FSRVP-3.1.2-09",
        Arm::Expose => "FSRVP-3.1.2-11",
        Arm::GetShareMapping => "FSRVP-3.1.2-13",
    }
}

/// MS-FSRVP 3.1.2: the requirement that a set is there before its time is over.
fn not_early(arm: Arm) -> Option<&'static str> {
    Some(match arm {
        Arm::SetContext | Arm::AddExists | Arm::PrepareFailed => return None,
        Arm::Start => "FSRVP-3.1.2-04",
        Arm::Add => "FSRVP-3.1.2-06",
        Arm::Prepare => "FSRVP-3.1.2-08",
        Arm::Commit => "FSRVP-3.1.2-10",
        Arm::Expose => "FSRVP-3.1.2-12",
        Arm::GetShareMapping => "FSRVP-3.1.2-14",
    })
}
