//! How a client begins a set: MS-FSRVP 3.2.4.2.1.

use crate::oracle::rule::{Rule, Ruling, Scene, judge, short};
use fsrvp_wire::fsrvp::{Call, FSRVP_RPC_VERSION_1, Opnum};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-C-3.2.4.2.1-01", adds_a_share_that_was_refused),
    judge("FSRVP-C-3.2.4.2.1-03", version_above_its_own),
    judge("FSRVP-C-3.2.4.2.1-06", starts_after_a_failure),
    judge("FSRVP-C-3.2.4.2.1-08", uses_its_own_id),
    judge("FSRVP-C-3.2.4.2.1-09", version_before_context),
    judge("FSRVP-C-3.2.4.2.1-09", context_before_start),
    judge("FSRVP-C-3.1.4.2-01", second_context),
];

/// IsPathSupported said no, and the share is added all the same.
fn adds_a_share_that_was_refused(scene: &Scene<'_>) -> Ruling {
    match scene.share() {
        Some(name) if scene.is(Opnum::AddToShadowCopySet) => {
            match scene.history.clients.was_refused(scene.client(), &name) {
                true => Ruling::of(
                    false,
                    "no further call for a share that IsPathSupported refused",
                    scene.asked(),
                ),
                false => Ruling::Silent,
            }
        }
        _ => Ruling::Silent,
    }
}

fn version_above_its_own(scene: &Scene<'_>) -> Ruling {
    let stream = scene.history.clients.stream(scene.exchange.link.stream);
    match stream.and_then(|stream| stream.min_version) {
        Some(version) if scene.is(Opnum::SetContext) && version > FSRVP_RPC_VERSION_1 => {
            Ruling::of(
                false,
                "no SetContext where the server's MinVersion is above the client's version",
                format!("{} after MinVersion {version}", scene.asked()),
            )
        }
        _ => Ruling::Silent,
    }
}

/// StartShadowCopySet follows a SetContext that succeeded.
fn starts_after_a_failure(scene: &Scene<'_>) -> Ruling {
    let stream = scene.history.clients.stream(scene.exchange.link.stream);
    match stream.and_then(|stream| stream.set_context) {
        Some(code)
            if scene.is(Opnum::StartShadowCopySet)
                && !code.is_success()
                && scene.whole_stream
                && scene.alone =>
        {
            Ruling::of(
                false,
                "no StartShadowCopySet after SetContext failed",
                format!("StartShadowCopySet after SetContext returned {code:?}"),
            )
        }
        _ => Ruling::Silent,
    }
}

/// The server made an id of its own for the set.
fn uses_its_own_id(scene: &Scene<'_>) -> Ruling {
    let Some(id) = scene.set_id() else {
        return Ruling::Silent;
    };
    match scene.history.clients.given(scene.client(), id.0) {
        Some(server) if !scene.history.is_set_id(id.0) => Ruling::of(
            false,
            format!(
                "ShadowCopySetId {}, which StartShadowCopySet returned",
                short(server.0)
            ),
            format!("{}, the client's own ShadowCopySetId", scene.asked()),
        ),
        _ if scene.history.is_set_id(id.0) => Ruling::Kept,
        _ => Ruling::Silent,
    }
}

/// The three calls of a start are made on one RPC connection, so on one TCP connection, of which
/// the beginning must have been seen.
fn version_before_context(scene: &Scene<'_>) -> Ruling {
    let stream = scene.history.clients.stream(scene.exchange.link.stream);
    let Some(stream) = stream.filter(|stream| stream.from_start && scene.whole_stream) else {
        return Ruling::Silent;
    };
    match scene.call() {
        Some(Call::SetContext(_)) => Ruling::of(
            stream.version_asked,
            "GetSupportedVersion before SetContext, on the same connection",
            format!("{} without it", scene.asked()),
        ),
        _ => Ruling::Silent,
    }
}

fn context_before_start(scene: &Scene<'_>) -> Ruling {
    let stream = scene.history.clients.stream(scene.exchange.link.stream);
    let Some(stream) = stream.filter(|stream| stream.from_start && scene.whole_stream) else {
        return Ruling::Silent;
    };
    match scene.call() {
        Some(Call::StartShadowCopySet(_)) => Ruling::of(
            stream.set_context.is_some(),
            "SetContext before each StartShadowCopySet, on the same connection",
            "StartShadowCopySet without it",
        ),
        _ => Ruling::Silent,
    }
}

/// SetContext removes the client's unfinished set.
fn second_context(scene: &Scene<'_>) -> Ruling {
    if !scene.is(Opnum::SetContext) || scene.call().is_none() || !scene.alone {
        return Ruling::Silent;
    }
    let mine = scene
        .history
        .clients
        .unfinished()
        .find(|(client, id, _)| *client == scene.client() && still_there(scene, *id));
    match mine {
        Some((_, id, set)) => Ruling::of(
            false,
            format!(
                "set {}, which is {}, is finished or aborted before another is begun: SetContext removes it",
                short(id.0),
                set.status.name()
            ),
            scene.asked(),
        ),
        None if scene.history.clients.has_made_sets(scene.client()) => Ruling::Kept,
        None => Ruling::Silent,
    }
}

/// Whether the server may still have the set.
fn still_there(scene: &Scene<'_>, id: fsrvp_wire::fsrvp::ShadowCopySetId) -> bool {
    let statuses = scene.history.statuses(id);
    !statuses.within(crate::oracle::statuses::Statuses::only(
        crate::oracle::statuses::Status::Absent,
    ))
}
