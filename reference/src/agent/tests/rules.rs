//! The rules of single methods, and who may call them.

use super::bench::{self, Bench, UNKNOWN, permitted};
use crate::agent::{Caller, SETS_MAX, ShadowCopySet, State, Status};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, Opnum, Reply, ShadowCopyId, ShadowCopySetId};
use fsrvp_wire::ndr::WideString;
use std::collections::BTreeSet;

fn every_method(set: ShadowCopySetId, copy: ShadowCopyId) -> Vec<Call> {
    vec![
        bench::version(),
        bench::set_context(Context::CTX_BACKUP),
        bench::start(),
        bench::add(set, "data"),
        bench::commit(set),
        bench::expose(set),
        bench::recover(set),
        bench::abort(set),
        bench::supported("data"),
        bench::copied("data"),
        bench::mapping(set, copy, "data", 1),
        bench::delete(set, copy, "data"),
        bench::prepare(set),
    ]
}

#[test]
fn there_are_only_so_many_sets() {
    let set = |number: usize| ShadowCopySet {
        id: ShadowCopySetId(uuid::Uuid::from_u128(1_000_000 + number as u128)),
        status: Status::Recovered,
        context: Context::CTX_BACKUP.0,
        copies: Vec::new(),
    };
    for (count, code) in [(SETS_MAX - 1, Hresult::ZERO), (SETS_MAX, Hresult::E_FAIL)] {
        let sets = (0..count).map(set).collect();
        let mut bench = Bench::restarted(State { sets });
        bench.call(bench::set_context(Context::CTX_BACKUP));
        let token = bench.send(bench::start());
        assert_eq!(bench.reply_to(token).map(Reply::status), Some(code));
    }
}

#[test]
fn every_method_refuses_a_caller_without_rights_or_at_a_weak_level() {
    let good = permitted("127.0.0.1");
    let bad = [
        Caller {
            backup_rights: false,
            ..good.clone()
        },
        Caller {
            auth_type: 0,
            auth_level: 1,
            ..good.clone()
        },
        Caller {
            auth_level: 2,
            ..good.clone()
        },
        Caller {
            auth_level: 4,
            ..good.clone()
        },
        Caller {
            auth_level: 7,
            ..good.clone()
        },
        Caller {
            auth_type: 0x44,
            ..good
        },
    ];
    for caller in bad {
        let mut bench = Bench::new();
        bench.caller = caller;
        let calls = every_method(ShadowCopySetId(UNKNOWN), ShadowCopyId(UNKNOWN));
        assert_eq!(calls.len(), Opnum::ALL.len());
        for call in calls {
            let reply = bench.call(call);
            assert_eq!(reply.status(), Hresult::E_ACCESSDENIED, "{reply:?}");
        }
        assert!(bench.seen.is_empty());
    }
}

#[test]
fn the_three_providers_are_accepted_at_both_levels() {
    for auth_type in [0x09, 0x0A, 0x10] {
        for auth_level in [5, 6] {
            let mut bench = Bench::new();
            bench.caller = Caller {
                auth_type,
                auth_level,
                ..permitted("127.0.0.1")
            };
            assert_eq!(bench.status(bench::version()), Hresult::ZERO);
        }
    }
}

#[test]
fn twelve_contexts_are_valid_and_no_other() {
    let valid = [
        0x00, 0x10, 0x19, 0x09, 0x40_0000, 0x40_0010, 0x40_0019, 0x40_0009, 0x02, 0x12, 0x1B, 0x0B,
    ];
    let candidates = (0..0x80u32).flat_map(|low| [low, low | 0x40_0000, low | 0x400_0000]);
    for context in candidates.chain([u32::MAX, 0x8000_0000]) {
        let expected = if valid.contains(&context) {
            Hresult::ZERO
        } else {
            Hresult::FSRVP_E_UNSUPPORTED_CONTEXT
        };
        assert_eq!(
            Bench::new().status(bench::set_context(Context(context))),
            expected,
            "{context:#x}"
        );
    }
}

#[test]
fn one_client_may_set_the_context_six_times_in_a_row() {
    let mut bench = Bench::new();
    let again = || bench::set_context(Context::CTX_BACKUP);
    for _ in 0..6 {
        assert_eq!(bench.status(again()), Hresult::ZERO);
    }
    assert_eq!(
        bench.status(again()),
        Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    );
    assert!(bench.agent.context().is_none());
    assert!(
        bench.agent.timer_deadline().is_some(),
        "the old timer runs on"
    );
    assert_eq!(bench.status(again()), Hresult::ZERO);
}

#[test]
fn another_client_has_to_wait_for_the_context() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.caller = permitted("127.0.0.2");
    let call = bench::set_context(Context::CTX_BACKUP);
    assert_eq!(
        bench.status(call.clone()),
        Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
    );
    assert!(bench.agent.state().set(set).is_some());
    bench.caller = permitted("127.0.0.1");
    assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
    bench.caller = permitted("127.0.0.2");
    assert_eq!(bench.status(call), Hresult::ZERO);
}

#[test]
fn nil_ids_are_invalid_arguments() {
    let (nil, copy) = (ShadowCopySetId::NIL, ShadowCopyId(UNKNOWN));
    for call in every_method(nil, copy) {
        let takes_set = !matches!(
            call.opnum(),
            Opnum::GetSupportedVersion
                | Opnum::SetContext
                | Opnum::StartShadowCopySet
                | Opnum::IsPathSupported
                | Opnum::IsPathShadowCopied
        );
        let opnum = call.opnum();
        let status = Bench::new().status(call);
        assert_eq!(
            status == Hresult::E_INVALIDARG,
            takes_set,
            "{opnum:?} {status:?}"
        );
    }
    for status in [Status::Started, Status::Exposed] {
        let mut bench = Bench::new();
        let (set, _) = bench.reach(Context::CTX_BACKUP, status);
        for call in [
            bench::delete(set, ShadowCopyId::NIL, "data"),
            bench::mapping(set, ShadowCopyId::NIL, "data", 1),
        ] {
            assert_eq!(bench.status(call), Hresult::E_INVALIDARG, "{status:?}");
        }
    }
}

#[test]
fn unknown_shares_and_stores_are_told_apart() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.status(bench::supported("nowhere")),
        Hresult::FSRVP_E_OBJECT_NOT_FOUND
    );
    assert_eq!(
        bench.status(bench::supported("plain")),
        Hresult::FSRVP_E_NOT_SUPPORTED
    );
    assert_eq!(
        bench.status(bench::supported(r"data\dir")),
        Hresult::FSRVP_E_OBJECT_NOT_FOUND
    );
    assert_eq!(bench.status(bench::supported(r"DATA\")), Hresult::ZERO);
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Started);
    assert_eq!(
        bench.status(bench::add(set, "nowhere")),
        Hresult::FSRVP_E_OBJECT_NOT_FOUND
    );
    assert_eq!(
        bench.status(bench::add(set, "plain")),
        Hresult::FSRVP_E_NOT_SUPPORTED
    );
}

#[test]
fn only_a_closing_dollar_and_backslash_hide_the_exposed_share() {
    for (share, hidden) in [(r"hidden$\", "$"), ("hidden$", "")] {
        let mut bench = Bench::new();
        bench.call(bench::set_context(Context::CTX_BACKUP));
        let set = bench.start();
        let copy = bench.add(set, share);
        bench.call(bench::commit(set));
        bench.call(bench::expose(set));
        let exposed = format!("hidden$@{{{copy}}}{hidden}");
        assert_eq!(bench.shares, BTreeSet::from([exposed]), "{share}");
    }
}

#[test]
fn a_mapping_names_both_shares() {
    let mut bench = Bench::new();
    bench.call(bench::set_context(Context::CTX_BACKUP));
    let set = bench.start();
    let copy = bench.add(set, "HIDDEN$");
    bench.call(bench::commit(set));
    bench.call(bench::expose(set));
    let Reply::GetShareMapping(response) = bench.call(bench::mapping(set, copy, r"hidden$\", 1))
    else {
        panic!()
    };
    assert_eq!(response.status, Hresult::ZERO);
    let mapping = response.share_mapping.mapping.expect("a mapping");
    assert_eq!(
        mapping
            .share_name_unc
            .as_ref()
            .map(WideString::text)
            .as_deref(),
        Some(r"\\node1\HIDDEN$")
    );
    let exposed = mapping
        .shadow_copy_share_name
        .as_ref()
        .map(WideString::text);
    assert_eq!(exposed, Some(format!("hidden$@{{{copy}}}")));
    assert_eq!(
        (mapping.shadow_copy_set_id, mapping.shadow_copy_id),
        (set, copy)
    );
}

#[test]
fn a_refused_mapping_repeats_the_level() {
    let mut bench = Bench::new();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Exposed);
    let Reply::GetShareMapping(response) = bench.call(bench::mapping(set, copy, "data", 2)) else {
        panic!()
    };
    assert_eq!(response.status, Hresult::E_INVALIDARG);
    assert_eq!(
        (response.share_mapping.level, response.share_mapping.mapping),
        (2, None)
    );
    // Also where it is refused before anything is looked at.
    bench.caller.backup_rights = false;
    let Reply::GetShareMapping(response) = bench.call(bench::mapping(set, copy, "data", 7)) else {
        panic!()
    };
    assert_eq!(response.status, Hresult::E_ACCESSDENIED);
    assert_eq!(response.share_mapping.level, 7);
    bench.caller.backup_rights = true;
    for (copy, share) in [(ShadowCopyId(UNKNOWN), "data"), (copy, "more")] {
        assert_eq!(
            bench.status(bench::mapping(set, copy, share, 1)),
            Hresult::E_INVALIDARG
        );
    }
}

#[test]
fn mappings_are_deleted_one_at_a_time() {
    let mut bench = Bench::new();
    bench.call(bench::set_context(Context::CTX_BACKUP));
    let set = bench.start();
    let (one, two) = (bench.add(set, "data"), bench.add(set, "more"));
    bench.call(bench::commit(set));
    bench.call(bench::expose(set));
    let not_found = Hresult::FSRVP_E_OBJECT_NOT_FOUND;
    assert_eq!(
        bench.status(bench::delete(ShadowCopySetId(UNKNOWN), one, "data")),
        not_found
    );
    assert_eq!(
        bench.status(bench::delete(set, ShadowCopyId(UNKNOWN), "data")),
        not_found
    );
    assert_eq!(bench.status(bench::delete(set, one, "more")), not_found);
    assert_eq!(bench.status(bench::delete(set, one, "data")), Hresult::ZERO);
    assert_eq!(bench.status(bench::delete(set, one, "data")), not_found);
    assert!(bench.agent.state().set(set).is_some());
    assert_eq!(bench.status(bench::delete(set, two, "more")), Hresult::ZERO);
    assert!(bench.agent.state().set(set).is_none());
    assert!(
        bench.agent.context().is_some(),
        "3.1.4.12 does not clear it"
    );
}

#[test]
fn the_context_is_judged_before_the_client() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.caller = permitted("127.0.0.2");
    let refused = bench.status(bench::set_context(Context(0x0040_0002)));
    assert_eq!(refused, Hresult::FSRVP_E_UNSUPPORTED_CONTEXT);
    assert!(bench.agent.state().set(set).is_some());
}
