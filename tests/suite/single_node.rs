//! The nine single-node cases of Microsoft's public suite stand among ours, each under its name.

use fsrvp::case::{Action, Case, Library, User, Wanted};
use fsrvp_wire::fsrvp::{Context, Hresult, Opnum};

/// A case as Microsoft calls it, ours, the context that it sets, and the status of the set that its
/// abort meets.
const CASES: [(&str, &str, Context, Option<&str>); 9] = {
    use Context as C;
    [
        (
            "WritableSnapshot_SingleNode",
            "auto-recovery/backup-is-writable-until-recovery",
            C(C::CTX_BACKUP.0 | C::ATTR_AUTO_RECOVERY),
            None,
        ),
        (
            "ReadonlySnapshot for BACKUP",
            "lifecycle/backup-is-read-only",
            C::CTX_BACKUP,
            None,
        ),
        (
            "ReadonlySnapshot for APP_ROLLBACK",
            "lifecycle/app-rollback-is-read-only",
            C::CTX_APP_ROLLBACK,
            None,
        ),
        (
            "ReadonlySnapshot for NAS_ROLLBACK",
            "lifecycle/nas-rollback-is-read-only",
            C::CTX_NAS_ROLLBACK,
            None,
        ),
        (
            "ReadonlySnapshot for FILE_SHARE_BACKUP",
            "lifecycle/file-share-backup-is-read-only",
            C::CTX_FILE_SHARE_BACKUP,
            None,
        ),
        (
            "SetContext_Invalid",
            "set-context/both-recovery-bits-are-refused",
            C(C::ATTR_AUTO_RECOVERY | C::ATTR_NO_AUTO_RECOVERY),
            None,
        ),
        (
            "Abort in Started",
            "abort-shadow-copy-set/removes-a-started-set",
            C::CTX_BACKUP,
            Some("StartShadowCopySet"),
        ),
        (
            "Abort in Added",
            "abort-shadow-copy-set/removes-an-added-set",
            C::CTX_BACKUP,
            Some("AddToShadowCopySet"),
        ),
        (
            "Abort in Recovered",
            "abort-shadow-copy-set/of-a-recovered-set",
            C::CTX_BACKUP,
            Some("RecoveryCompleteShadowCopySet"),
        ),
    ]
};

/// The methods that a case calls, in order.
fn calls(case: &Case) -> Vec<&'static str> {
    case.methods().filter_map(Opnum::name).collect()
}

/// The first context that a case sets.
fn context(case: &Case) -> Option<Context> {
    case.steps.iter().find_map(|step| match &step.action {
        Action::Call(call) if call.method == Opnum::SetContext => Some(call.context),
        _ => None,
    })
}

fn case_named<'l>(library: &'l Library, name: &str, id: &str) -> &'l Case {
    let named = |case: &&Case| {
        let text = case.why.as_deref().unwrap_or_default();
        text.contains("Microsoft's public single-node cases") && text.contains(name)
    };
    let found = library
        .cases
        .iter()
        .filter(named)
        .find(|case| case.id == id);
    assert!(found.is_some(), "{id} does not say that it is {name}");
    found.expect("it says so")
}

#[test]
fn each_single_node_case_is_among_ours_by_its_name() {
    let library = Library::built_in().expect("it reads");
    for (name, id, sets, aborts_after) in CASES {
        let case = case_named(&library, name, id);
        assert_eq!(context(case), Some(sets), "{name}");
        let calls = calls(case);
        if let Some(before) = aborts_after {
            let abort = calls.iter().position(|call| *call == "AbortShadowCopySet");
            let before_it = abort.and_then(|at| calls.get(at.checked_sub(1)?));
            assert_eq!(before_it, Some(&before), "{name}");
        } else if name != "SetContext_Invalid" {
            for method in [
                "CommitShadowCopySet",
                "ExposeShadowCopySet",
                "GetShareMapping",
                "RecoveryCompleteShadowCopySet",
                "DeleteShareMapping",
            ] {
                assert!(calls.contains(&method), "{name} does not call {method}");
            }
        }
        assert!(
            case.clients
                .values()
                .all(|client| client.user == User::Admin)
        );
    }
}

#[test]
fn the_codes_that_they_want_are_permitted() {
    let library = Library::built_in().expect("it reads");
    let permits = |name: &str, id: &str, method: Opnum, code: Hresult| {
        let case = case_named(&library, name, id);
        let steps = case
            .steps
            .iter()
            .filter(|step| step.method() == Some(method));
        let mut answers = steps
            .filter_map(|step| step.expect.as_ref())
            .flat_map(|e| &e.answers);
        assert!(
            answers.any(|answer| answer.wanted == Wanted::Status(code)),
            "{name}"
        );
    };
    let abort = Opnum::AbortShadowCopySet;
    let refused = Hresult::FSRVP_E_UNSUPPORTED_CONTEXT;
    let of = |n: usize| (CASES[n].0, CASES[n].1);
    for (n, method, code) in [
        (5, Opnum::SetContext, refused),
        (6, abort, Hresult::ZERO),
        (7, abort, Hresult::ZERO),
        (8, abort, Hresult::FSRVP_E_BAD_STATE),
    ] {
        let (name, id) = of(n);
        permits(name, id, method, code);
    }
}
