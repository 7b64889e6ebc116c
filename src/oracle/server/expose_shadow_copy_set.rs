//! MS-FSRVP 3.1.4.6 ExposeShadowCopySet (Opnum 5).

use crate::oracle::codes::{BAD_STATE, UNKNOWN_SET, WAITS};
use crate::oracle::names::{exposed_share, is_exposed_form};
use crate::oracle::rule::{Rule, Ruling, Scene, judge, state};
use crate::oracle::statuses::Status;
use fsrvp_wire::fsrvp::{Call, Hresult, Opnum, Reply};

const EXPOSE: Opnum = Opnum::ExposeShadowCopySet;

pub(super) const RULES: &[Rule] = &[
    state("FSRVP-3.1.4.6-01", EXPOSE, Status::Absent, UNKNOWN_SET),
    state("FSRVP-3.1.4.6-02", EXPOSE, Status::Started, BAD_STATE),
    state("FSRVP-3.1.4.6-03", EXPOSE, Status::Added, BAD_STATE),
    state(
        "FSRVP-3.1.4.6-04",
        EXPOSE,
        Status::CreationInProgress,
        BAD_STATE,
    ),
    state("FSRVP-3.1.4.6-05", EXPOSE, Status::Exposed, BAD_STATE),
    state("FSRVP-3.1.4.6-06", EXPOSE, Status::Recovered, BAD_STATE),
    state("FSRVP-3.1.4.6-07", EXPOSE, Status::Committed, WAITS),
    judge("FSRVP-3.1.4.6-08", name_of_the_exposed_share),
    judge("FSRVP-3.1.4.6-12", not_before_the_timeout),
    judge("FSRVP-3.1.4.6-17", shares_of_two_copies_differ),
];

/// The name shows in GetShareMapping.
fn name_of_the_exposed_share(scene: &Scene<'_>) -> Ruling {
    let (Some(Call::GetShareMapping(_)), Some(Reply::GetShareMapping(reply))) =
        (scene.call(), scene.reply())
    else {
        return Ruling::Silent;
    };
    let Some(mapping) = reply
        .share_mapping
        .mapping
        .as_ref()
        .filter(|_| scene.succeeded())
    else {
        return Ruling::Silent;
    };
    let Some(name) = &mapping.shadow_copy_share_name else {
        return Ruling::Silent;
    };
    // The base share is the one that was added; where that was not seen, the one that was asked
    // for, which the server found to be the same.
    let Some(base) = scene.share() else {
        return Ruling::Silent;
    };
    Ruling::of(
        is_exposed_form(&name.text(), &base.share, mapping.shadow_copy_id.0),
        format!("{}@{{{}}}", base.share, mapping.shadow_copy_id),
        format!("ShadowCopyShareName \"{}\"", name.text()),
    )
}

fn not_before_the_timeout(scene: &Scene<'_>) -> Ruling {
    match scene.call() {
        Some(Call::ExposeShadowCopySet(request)) => {
            super::stubs::not_before(scene, request.timeout_ms, &[Hresult::FSRVP_E_WAIT_TIMEOUT])
        }
        _ => Ruling::Silent,
    }
}

fn shares_of_two_copies_differ(scene: &Scene<'_>) -> Ruling {
    let Some(Reply::GetShareMapping(reply)) = scene.reply() else {
        return Ruling::Silent;
    };
    let (Some(mapping), Some(set)) = (&reply.share_mapping.mapping, scene.set()) else {
        return Ruling::Silent;
    };
    let share = |mapping: &fsrvp_wire::fsrvp::get_share_mapping::ShareMapping1| {
        let name = mapping.shadow_copy_share_name.as_ref()?;
        Some(exposed_share(&name.text()).to_lowercase())
    };
    let Some(mine) = share(mapping) else {
        return Ruling::Silent;
    };
    let others: Vec<String> = set
        .copies
        .iter()
        .filter(|copy| copy.id != mapping.shadow_copy_id)
        .filter_map(|copy| copy.mapped.as_ref().and_then(share))
        .collect();
    if others.is_empty() {
        return Ruling::Silent;
    }
    Ruling::of(
        !others.contains(&mine),
        "an exposed share of its own for each copy of the set",
        format!("\"{mine}\" for two of them"),
    )
}
