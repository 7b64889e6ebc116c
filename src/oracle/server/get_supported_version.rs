//! MS-FSRVP 3.1.4.1 GetSupportedVersion (Opnum 0).

use crate::oracle::codes::is_own_failure;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::get_supported_version::Response;
use fsrvp_wire::fsrvp::{FSRVP_RPC_VERSION_1, Opnum, Reply};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-3.1.4.1-01", |s| succeeds(s, false)),
    judge("FSRVP-3.1.4.1-02", |s| succeeds(s, true)),
    judge("FSRVP-2.2.2.4-01", versions_are_known),
    judge("FSRVP-3.1.3-05", lowest_is_not_above_highest),
];

/// It has no arguments and no state: the only failures are the caller's rights and the server's
/// own. While a set is made by another client it is no different.
fn succeeds(scene: &Scene<'_>, others_make_a_set: bool) -> Ruling {
    let client = scene.client();
    let holder = scene.history.context.held_by();
    let others = holder.is_some_and(|holder| holder != client);
    match scene.judged_code() {
        Some(code)
            if scene.is(Opnum::GetSupportedVersion)
                && others == others_make_a_set
                && !is_own_failure(code) =>
        {
            Ruling::of(code.is_success(), "ZERO", scene.told())
        }
        _ => Ruling::Silent,
    }
}

fn versions<'a>(scene: &Scene<'a>) -> Option<&'a Response> {
    match scene.reply() {
        Some(Reply::GetSupportedVersion(reply)) if reply.status.is_success() => Some(reply),
        _ => None,
    }
}

fn versions_are_known(scene: &Scene<'_>) -> Ruling {
    match versions(scene) {
        // The rule on their order judges the others.
        Some(reply) if reply.min_version <= reply.max_version => Ruling::of(
            reply.min_version == FSRVP_RPC_VERSION_1 && reply.max_version == FSRVP_RPC_VERSION_1,
            "MinVersion and MaxVersion 1, the only version there is",
            format!(
                "MinVersion {}, MaxVersion {}",
                reply.min_version, reply.max_version
            ),
        ),
        _ => Ruling::Silent,
    }
}

fn lowest_is_not_above_highest(scene: &Scene<'_>) -> Ruling {
    match versions(scene) {
        Some(reply) => Ruling::of(
            reply.min_version <= reply.max_version,
            "MinVersion not above MaxVersion",
            format!(
                "MinVersion {}, MaxVersion {}",
                reply.min_version, reply.max_version
            ),
        ),
        None => Ruling::Silent,
    }
}
