//! MS-FSRVP 3.1.4.2 SetContext (Opnum 1), and 2.2.2.2 for the contexts.

use crate::oracle::codes::is_own_failure;
use crate::oracle::rule::{Rule, Ruling, Scene, judge};
use fsrvp_wire::fsrvp::{Call, Context, Hresult};

pub(super) const RULES: &[Rule] = &[
    judge("FSRVP-2.2.2.2-01", |s| valid(s, 0x0000_0000)),
    judge("FSRVP-2.2.2.2-02", |s| valid(s, 0x0000_0010)),
    judge("FSRVP-2.2.2.2-03", |s| valid(s, 0x0000_0019)),
    judge("FSRVP-2.2.2.2-04", |s| valid(s, 0x0000_0009)),
    judge("FSRVP-2.2.2.2-05", |s| valid(s, 0x0040_0000)),
    judge("FSRVP-2.2.2.2-06", |s| valid(s, 0x0040_0010)),
    judge("FSRVP-2.2.2.2-07", |s| valid(s, 0x0040_0019)),
    judge("FSRVP-2.2.2.2-08", |s| valid(s, 0x0040_0009)),
    judge("FSRVP-2.2.2.2-09", |s| valid(s, 0x0000_0002)),
    judge("FSRVP-2.2.2.2-10", |s| valid(s, 0x0000_0012)),
    judge("FSRVP-2.2.2.2-11", |s| valid(s, 0x0000_001B)),
    judge("FSRVP-2.2.2.2-12", |s| valid(s, 0x0000_000B)),
    judge("FSRVP-3.1.4.2-01", |s| {
        invalid(s, |value| value == 0x0040_0002)
    }),
    judge("FSRVP-3.1.4.2-02", |s| {
        invalid(s, |value| value == 0x0000_0001)
    }),
    judge("FSRVP-3.1.4.2-03", |s| {
        invalid(s, |value| value == 0x0000_0008)
    }),
    judge("FSRVP-3.1.4.2-04", |s| {
        invalid(s, |value| value == 0x0000_0011)
    }),
    judge("FSRVP-3.1.4.2-05", |s| {
        invalid(s, |value| value == 0x0000_0018)
    }),
    judge("FSRVP-3.1.4.2-06", |s| {
        invalid(s, |value| value == 0x0000_001D)
    }),
    judge("FSRVP-3.1.4.2-07", |s| {
        invalid(s, |value| value == 0x0000_0020)
    }),
    judge("FSRVP-3.1.4.2-08", |s| {
        invalid(s, |value| value == 0x0400_0000)
    }),
    // Every other value too.
    judge("FSRVP-3.1.4.2-09", other_values),
    judge("FSRVP-3.1.4.2-10", |s| {
        invalid(s, |value| value == 0x0040_0001)
    }),
    judge("FSRVP-3.1.4.2-11", context_before_address),
    judge("FSRVP-3.1.4.2-13", other_address),
];

/// The values that a rule of its own names.
const NAMED: [u32; 9] = [
    0x0040_0002,
    0x0000_0001,
    0x0000_0008,
    0x0000_0011,
    0x0000_0018,
    0x0000_001D,
    0x0000_0020,
    0x0400_0000,
    0x0040_0001,
];

/// MS-FSRVP <5>: how often in a row a client may repeat SetContext on every known server.
const RETRIES_MIN: u32 = 5;

/// The value, and the code of a call that the server had to look at.
fn seen(scene: &Scene<'_>) -> Option<(u32, Hresult)> {
    match (scene.call(), scene.judged_code()) {
        (Some(Call::SetContext(request)), Some(code)) if !is_own_failure(code) => {
            Some((request.context.0, code))
        }
        _ => None,
    }
}

fn held_by_another(scene: &Scene<'_>) -> bool {
    let holder = scene.history.context.held_by();
    holder.is_some_and(|holder| holder != scene.client())
}

/// A valid value is accepted, or refused because a set is in progress: perhaps of a client that
/// the capture does not show, or because the same client has tried too often.
fn valid(scene: &Scene<'_>, value: u32) -> Ruling {
    match seen(scene) {
        Some((context, code)) if context == value => accepted(scene, code),
        _ => Ruling::Silent,
    }
}

fn accepted(scene: &Scene<'_>, code: Hresult) -> Ruling {
    let retries = scene.history.retries_of(scene.client());
    if let Some(retries) = retries.filter(|retries| *retries <= RETRIES_MIN) {
        return Ruling::of(
            code.is_success(),
            format!("ZERO: the context is valid, and the client has repeated it {retries} times"),
            scene.told(),
        );
    }
    Ruling::of(
        code.is_success() || code == Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS,
        "ZERO, or FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS: the context is valid",
        scene.told(),
    )
}

fn refused(scene: &Scene<'_>, code: Hresult) -> Ruling {
    Ruling::of(
        code == Hresult::FSRVP_E_UNSUPPORTED_CONTEXT,
        "FSRVP_E_UNSUPPORTED_CONTEXT: the context is not one of the twelve",
        scene.told(),
    )
}

fn invalid(scene: &Scene<'_>, value: fn(u32) -> bool) -> Ruling {
    match seen(scene) {
        Some((context, code)) if value(context) && !held_by_another(scene) => refused(scene, code),
        _ => Ruling::Silent,
    }
}

fn other_values(scene: &Scene<'_>) -> Ruling {
    invalid(scene, |value| {
        !NAMED.contains(&value) && !Context(value).is_valid()
    })
}

/// The value is checked before the address, also where the address is wrong.
fn context_before_address(scene: &Scene<'_>) -> Ruling {
    match seen(scene) {
        Some((context, code))
            if scene.alone && held_by_another(scene) && !Context(context).is_valid() =>
        {
            refused(scene, code)
        }
        _ => Ruling::Silent,
    }
}

fn other_address(scene: &Scene<'_>) -> Ruling {
    match seen(scene) {
        Some((context, code))
            if scene.alone && held_by_another(scene) && Context(context).is_valid() =>
        {
            let holder = scene.history.context.held_by();
            let holder = holder.map_or(String::new(), |holder| holder.to_string());
            Ruling::of(
                code == Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS,
                format!("FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS: {holder} holds the context"),
                format!("{} from {}", scene.told(), scene.client()),
            )
        }
        _ => Ruling::Silent,
    }
}
