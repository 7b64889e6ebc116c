//! Values: contexts, versions, out parameters, and the rarer states.

use super::builder::{
    SHARE, Story, abort, add, commit, copy, delete, get_mapping, get_mapping_at, mapping_of,
    prepare, set, set_context, start, supported, version,
};
use crate::flow::{Answer, Request};
use fsrvp_wire::fsrvp::{
    Call, Hresult, Opnum, Reply, ShadowCopySetId, add_to_shadow_copy_set, get_share_mapping,
    get_supported_version, is_path_supported,
};
use fsrvp_wire::ndr::WideString;
use fsrvp_wire::{ErrorKind, Layer, ParseError};

const ZERO: Hresult = Hresult::ZERO;
const BAD: Hresult = Hresult::FSRVP_E_BAD_STATE;
const MISMATCH: Hresult = Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH;
const INVALID: Hresult = Hresult::E_INVALIDARG;
const NOT_FOUND: Hresult = Hresult::FSRVP_E_OBJECT_NOT_FOUND;

#[test]
fn the_twelve_contexts_are_accepted() {
    let contexts = [
        0x00, 0x10, 0x19, 0x09, 0x40_0000, 0x40_0010, 0x40_0019, 0x40_0009, 0x02, 0x12, 0x1B, 0x0B,
    ];
    for (index, context) in contexts.into_iter().enumerate() {
        let rule = format!("FSRVP-2.2.2.2-{:02}", index + 1);
        let call = || set_context(context);
        Story::new().code(call(), INVALID).server_broke(&rule);
        Story::new()
            .code(call(), Hresult::FSRVP_E_UNSUPPORTED_CONTEXT)
            .server_broke(&rule);
        Story::new().code(call(), ZERO).server_is_right();
    }
}

#[test]
fn other_contexts_are_refused() {
    let contexts = [
        0x40_0002,
        0x01,
        0x08,
        0x11,
        0x18,
        0x1D,
        0x20,
        0x400_0000,
        0xFFFF_FFFF,
        0x40_0001,
    ];
    for (index, context) in contexts.into_iter().enumerate() {
        let rule = format!("FSRVP-3.1.4.2-{:02}", index + 1);
        let call = || set_context(context);
        Story::new().code(call(), INVALID).server_broke(&rule);
        Story::new().code(call(), ZERO).server_broke(&rule);
        Story::new()
            .code(call(), Hresult::FSRVP_E_UNSUPPORTED_CONTEXT)
            .server_is_right();
    }
}

#[test]
fn versions_are_known_and_in_order() {
    let told = |min_version, max_version| {
        let reply = get_supported_version::Response {
            min_version,
            max_version,
            status: ZERO,
        };
        Story::new().call(version(), Reply::GetSupportedVersion(reply))
    };
    told(1, 1).server_is_right();
    told(1, 3).server_broke("FSRVP-2.2.2.4-01");
    told(2, 1).server_broke("FSRVP-3.1.3-05");
    told(2, 2).server_broke("FSRVP-2.2.2.4-01");
}

#[test]
fn a_supported_share_has_an_owner() {
    let told = |supported_by_this_provider, owner: Option<&str>| {
        let reply = is_path_supported::Response {
            supported_by_this_provider,
            owner_machine_name: owner.map(WideString::from_text),
            status: ZERO,
        };
        Story::new().call(supported(SHARE), Reply::IsPathSupported(reply))
    };
    told(1, Some("SRV")).server_is_right();
    told(0, Some("SRV")).server_broke("FSRVP-3.1.4.9-01");
    told(1, None).server_broke("FSRVP-2.2-04");
    told(1, Some("")).server_broke("FSRVP-2.2-04");
}

#[test]
fn replies_read() {
    let unreadable = || Answer::Unreadable {
        stub: vec![1],
        error: Some(ParseError {
            layer: Layer::Fsrvp,
            offset_bytes: 1,
            field: "status",
            kind: ErrorKind::Truncated { needed: 3 },
        }),
    };
    for (call, rule) in [
        (supported(SHARE), "FSRVP-2.2-05"),
        (get_mapping(1, 1, SHARE), "FSRVP-2.2.1.1-04"),
    ] {
        let sent = |story: Story| {
            let request = Request::Call(call.clone());
            story.taking(1, call.opnum(), request, unreadable())
        };
        sent(Story::new()).server_broke(rule);
        // Where something was lost on the connection, a part of the reply may be missing.
        sent(Story::new().gap()).server_is_right();
    }
}

#[test]
fn the_union_has_the_level_of_the_request() {
    let told = |asked, level, code| {
        let reply = get_share_mapping::Response {
            share_mapping: get_share_mapping::ShareMapping {
                level,
                mapping: None,
            },
            status: code,
        };
        let call = get_mapping_at(1, 1, SHARE, asked);
        Story::new()
            .exposed(1)
            .call(call, Reply::GetShareMapping(reply))
    };
    told(2, 2, INVALID).server_is_right();
    told(2, 1, INVALID).server_broke("FSRVP-2.2.3.1-02");
    told(2, 2, BAD).server_broke("FSRVP-3.1.4.11-02");
    told(1, 3, Hresult::E_ACCESSDENIED).server_broke("FSRVP-2.2.3.1-01");
    told(1, 1, ZERO).server_broke("FSRVP-2.2.3.1-01");
}

#[test]
fn codes_are_hresults() {
    let other = |code| Story::new().code(commit(1), code).judged();
    let rules = |code| -> Vec<String> {
        let own = other(code).into_iter().map(|finding| finding.requirement.0);
        own.filter(|id| !id.starts_with("FSRVP-C")).collect()
    };
    assert_eq!(rules(Hresult(0x8007_0070)), Vec::<String>::new());
    let odd = Story::new().code(supported("x"), Hresult(5));
    odd.server_broke("FSRVP-3-02");
    let wait = Story::new().code(supported("x"), Hresult::FSRVP_E_WAIT_TIMEOUT);
    wait.server_broke("FSRVP-3-01");
}

#[test]
fn an_add_that_fails_gives_no_id() {
    let reply = add_to_shadow_copy_set::Response {
        shadow_copy_id: copy(3),
        status: NOT_FOUND,
    };
    let story = Story::new().begun(1);
    story
        .call(add(1, SHARE), Reply::AddToShadowCopySet(reply))
        .server_broke("FSRVP-3.1.4.4-21");
}

#[test]
fn prepare_changes_nothing_for_add_and_commit() {
    let prepared = || Story::new().added(1).code(prepare(1), ZERO);
    prepared()
        .code(add(1, r"\\srv\other"), BAD)
        .server_broke("FSRVP-3.1.4.4-16");
    prepared()
        .code(commit(1), BAD)
        .server_broke("FSRVP-3.1.4.5-06");
    prepared()
        .code(prepare(1), BAD)
        .server_broke("FSRVP-3.1.4.13-08");
}

#[test]
fn an_unknown_set_without_any_other_is_unknown_to_add() {
    let story = || Story::new().recovered(9).code(abort(set(1)), MISMATCH);
    story()
        .code(add(1, SHARE), INVALID)
        .server_broke("FSRVP-3.1.4.4-08");
    story().code(add(1, SHARE), MISMATCH).server_is_right();
}

#[test]
fn the_context_decides_whether_a_set_can_be_started() {
    let fresh = || Story::new().code(start(), BAD);
    fresh().start(1).server_broke("FSRVP-3.1.4.3-01");
    fresh().code(start(), BAD).server_is_right();
    Story::new()
        .version()
        .context(0)
        .code(start(), BAD)
        .server_broke("FSRVP-3.1.4.2-12");
    let again = || Story::new().recovered(1).version().context(0);
    again().code(start(), BAD).server_broke("FSRVP-3.1.4.3-10");
    again().start(2).server_is_right();
    // A call that should have failed cleared the context, and the set is still there.
    let cleared = Story::new().begun(1).code(start(), BAD).start(2).judged();
    let own = cleared
        .iter()
        .any(|finding| finding.requirement.0 == "FSRVP-3.1.4.3-02");
    assert!(own, "{cleared:?}");
}

#[test]
fn a_set_that_lives_on_under_a_new_context_dies_with_its_timer() {
    let findings = Story::new()
        .begun(1)
        .version()
        .context(0)
        .code(commit(1), BAD)
        .wait(200)
        .code(commit(1), BAD)
        .judged();
    let own = findings
        .iter()
        .any(|finding| finding.requirement.0 == "FSRVP-3.1.5-01");
    assert!(own, "{findings:?}");
}

#[test]
fn what_was_deleted_is_gone() {
    let two = || {
        Story::new()
            .begun(1)
            .add(1, 1, SHARE)
            .add(1, 2, r"\\srv\other")
            .code(prepare(1), ZERO)
            .code(commit(1), ZERO)
            .code(super::builder::expose(1), ZERO)
            .code(delete(set(1), copy(1), SHARE), ZERO)
    };
    two()
        .code(delete(set(1), copy(1), SHARE), NOT_FOUND)
        .server_is_right();
    two()
        .code(delete(set(1), copy(1), SHARE), BAD)
        .server_broke("FSRVP-3.1.4.12-13");
    two()
        .code(delete(set(1), copy(2), r"\\srv\other"), ZERO)
        .server_is_right();
    let emptied = || {
        Story::new()
            .recovered(1)
            .code(delete(set(1), copy(1), SHARE), ZERO)
    };
    emptied()
        .code(prepare(1), BAD)
        .server_broke("FSRVP-3.1.4.12-14");
    emptied().code(prepare(1), MISMATCH).server_is_right();
    // Nothing is known of the set, but that this mapping was deleted.
    let forgotten = two()
        .gap()
        .code(delete(set(1), copy(1), SHARE), ZERO)
        .judged();
    let own = |rule: &str| {
        forgotten
            .iter()
            .any(|finding| finding.requirement.0 == rule)
    };
    assert!(own("FSRVP-3.1.4.12-15"), "{forgotten:?}");
}

#[test]
fn copies_have_shares_of_their_own() {
    let mut second = mapping_of(1);
    second.shadow_copy_id = copy(2);
    let mut first = mapping_of(1);
    // A server that names both alike names at least one of them wrongly.
    first.shadow_copy_share_name = second.shadow_copy_share_name.clone();
    let findings = Story::new()
        .begun(1)
        .add(1, 1, SHARE)
        .add(1, 2, r"\\srv\other")
        .code(prepare(1), ZERO)
        .code(commit(1), ZERO)
        .code(super::builder::expose(1), ZERO)
        .mapping(1, 1, &first)
        .mapping(1, 2, &second)
        .judged();
    let own = findings
        .iter()
        .any(|finding| finding.requirement.0 == "FSRVP-3.1.4.6-17");
    assert!(own, "{findings:?}");
}

#[test]
fn a_nil_set_is_no_set_of_the_client() {
    let nil = Call::CommitShadowCopySet(fsrvp_wire::fsrvp::commit_shadow_copy_set::Request {
        shadow_copy_set_id: ShadowCopySetId::NIL,
        timeout_ms: 1,
    });
    assert_eq!(nil.opnum(), Opnum::CommitShadowCopySet);
    for code in [MISMATCH, INVALID] {
        let story = Story::new().code(nil.clone(), code);
        story.server_is_right();
        let story = Story::new().code(nil.clone(), code);
        story.client_broke("FSRVP-C-3.2.4.3-01");
    }
}
