//! What a method may answer in a situation.
//!
//! **Failures of the server's own.** A server out of memory or disk, or a shadow copy utility that
//! fails, answers with a code of its own choice at any time (MS-FSRVP 3: an HRESULT of MS-ERREF).
//! Such a code is never a finding. A code to which MS-FSRVP gives a meaning is taken by that
//! meaning, also where the utility might have chosen it.

use super::names::ShareName;
use super::rule::Scene;
use fsrvp_wire::fsrvp::{Call, Hresult};

/// The answers that are permitted, and the words for them.
#[derive(Clone, Copy)]
pub(super) struct Permit {
    pub(super) codes: fn(&Scene<'_>, Hresult) -> bool,
    pub(super) expected: &'static str,
}

/// Whether a server may give this code at any time: who may use it is its own policy, and it may
/// fail in a way of its own.
pub(super) fn is_own_failure(code: Hresult) -> bool {
    let failure = code.0 & 0x8000_0000 != 0 && code != Hresult::FSRVP_E_WAIT_FAILED;
    let general = [
        Hresult::E_ACCESSDENIED,
        Hresult::E_OUTOFMEMORY,
        Hresult::E_FAIL,
    ];
    general.contains(&code) || (failure && code.name().is_none())
}

/// Whether the code says that the server does not know the set, in the words of any known server.
pub(super) fn says_unknown(code: Hresult) -> bool {
    [
        Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
        Hresult::E_INVALIDARG,
        Hresult::FSRVP_E_OBJECT_NOT_FOUND,
        Hresult::FSRVP_E_BAD_ID,
    ]
    .contains(&code)
}

fn names_nil(scene: &Scene<'_>) -> bool {
    scene
        .set_id()
        .is_some_and(fsrvp_wire::fsrvp::ShadowCopySetId::is_nil)
}

/// The set is not known.
pub(super) const UNKNOWN_SET: Permit = Permit {
    codes: |scene, code| {
        code == Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH
            || (code == Hresult::E_INVALIDARG && names_nil(scene))
    },
    expected: "FSRVP_E_SHADOWCOPYSET_ID_MISMATCH: no set has this id",
};

/// The status forbids it.
pub(super) const BAD_STATE: Permit = Permit {
    codes: |_, code| code == Hresult::FSRVP_E_BAD_STATE,
    expected: "FSRVP_E_BAD_STATE: the status forbids it",
};

/// The commit is made, or goes on.
pub(super) const COMMITS: Permit = Permit {
    codes: |_, code| {
        // 3.1.4.5 names FSSAGENT_E_TIMEOUT, 2.2.4 lists FSRVP_E_WAIT_TIMEOUT in its place.
        is_utility(code)
            || [
                Hresult::FSSAGENT_E_TIMEOUT,
                Hresult::FSRVP_E_WAIT_TIMEOUT,
                Hresult::FSRVP_E_WAIT_FAILED,
            ]
            .contains(&code)
    },
    expected: "ZERO, FSSAGENT_E_TIMEOUT, FSRVP_E_WAIT_FAILED or an error of the shadow copy utility",
};

/// A prepare or an expose is done, or fails.
pub(super) const WAITS: Permit = Permit {
    codes: |_, code| {
        is_utility(code)
            || [Hresult::FSRVP_E_WAIT_TIMEOUT, Hresult::FSRVP_E_WAIT_FAILED].contains(&code)
    },
    expected: "ZERO, FSRVP_E_WAIT_TIMEOUT, FSRVP_E_WAIT_FAILED or an error of the shadow copy utility",
};

/// It succeeds, unless the utility fails.
pub(super) const SUCCEEDS: Permit = Permit {
    codes: |_, code| is_utility(code),
    expected: "ZERO, or an error of the shadow copy utility",
};

/// Abort in a status for which the return table of 3.1.4.8 lists FSRVP_E_BAD_STATE, although the
/// steps check none.
pub(super) const ABORTS_OR_BAD_STATE: Permit = Permit {
    codes: |_, code| is_utility(code) || code == Hresult::FSRVP_E_BAD_STATE,
    expected: "ZERO, or an error of the shadow copy utility, or FSRVP_E_BAD_STATE",
};

fn is_utility(code: Hresult) -> bool {
    let of_the_caller = [
        Hresult::FSRVP_E_BAD_STATE,
        Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
        Hresult::E_INVALIDARG,
        Hresult::FSSAGENT_E_TIMEOUT,
    ];
    let failure = code.0 & 0x8000_0000 != 0 && code != Hresult::FSRVP_E_WAIT_FAILED;
    code.is_success() || (failure && !of_the_caller.contains(&code))
}

/// What AddToShadowCopySet checks before the set: the share and its store, and the general rule on
/// nil ids.
pub(super) fn add_before_set(scene: &Scene<'_>, code: Hresult) -> bool {
    let nil = match scene.call() {
        Some(Call::AddToShadowCopySet(r)) => {
            r.client_shadow_copy_id.is_nil() || r.shadow_copy_set_id.is_nil()
        }
        _ => false,
    };
    let malformed = scene
        .share_text()
        .is_some_and(|text| ShareName::parse(&text).is_none_or(|name| name.deeper));
    [
        Hresult::FSRVP_E_OBJECT_NOT_FOUND,
        Hresult::FSRVP_E_NOT_SUPPORTED,
    ]
    .contains(&code)
        || (code == Hresult::E_INVALIDARG && (nil || malformed))
}
