//! The rules on servers: MS-FSRVP 2.2 and 3.1. One file a method, and three for what all share.

mod abort_shadow_copy_set;
mod access;
mod add_to_shadow_copy_set;
mod commit_shadow_copy_set;
mod delete_share_mapping;
mod expose_shadow_copy_set;
mod get_share_mapping;
mod get_supported_version;
mod is_path_shadow_copied;
mod is_path_supported;
mod prepare_shadow_copy_set;
mod recovery_complete_shadow_copy_set;
mod set_context;
mod start_shadow_copy_set;
mod stubs;
mod vanished;

use super::codes::{is_own_failure, says_unknown};
use super::rule::{Rule, Ruling, Scene, StateTest, Test};
use super::statuses::{Status, Statuses};
use fsrvp_wire::fsrvp::{Hresult, Opnum};

/// Every rule on servers but those of [`vanished`], in the order of the methods.
pub(super) const TABLES: &[&[Rule]] = &[
    access::RULES,
    stubs::RULES,
    get_supported_version::RULES,
    set_context::RULES,
    start_shadow_copy_set::RULES,
    add_to_shadow_copy_set::RULES,
    commit_shadow_copy_set::RULES,
    expose_shadow_copy_set::RULES,
    recovery_complete_shadow_copy_set::RULES,
    abort_shadow_copy_set::RULES,
    is_path_supported::RULES,
    is_path_shadow_copied::RULES,
    get_share_mapping::RULES,
    delete_share_mapping::RULES,
    prepare_shadow_copy_set::RULES,
];

/// Every requirement on servers that has a rule.
pub(super) fn requirements() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|rule| rule.requirement)
        .chain(vanished::REQUIREMENTS.iter().copied())
        .chain(start_shadow_copy_set::CAUSES.iter().copied())
}

/// A rule that was broken or kept.
pub(super) struct Judged {
    pub(super) requirement: &'static str,
    pub(super) ruling: Ruling,
}

/// Judges what the server answered.
pub(super) fn judge(scene: &Scene<'_>) -> Vec<Judged> {
    let mut judged = states(scene);
    for rule in TABLES.iter().flat_map(|table| table.iter()) {
        if let Test::Judge(test) = &rule.test {
            let ruling = test(scene);
            if ruling != Ruling::Silent {
                judged.push(Judged {
                    requirement: rule.requirement,
                    ruling,
                });
            }
        }
    }
    judged.extend(start_shadow_copy_set::judge_cleared(scene));
    judged
}

fn state_tests(opnum: Opnum) -> impl Iterator<Item = (&'static str, &'static StateTest)> {
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .filter_map(move |rule| match &rule.test {
            Test::State(test) if test.opnum == opnum => Some((rule.requirement, test)),
            _ => None,
        })
}

/// Whether a server that conforms may answer `code` for a set of this status.
pub(super) fn permits(scene: &Scene<'_>, status: Status, code: Hresult) -> bool {
    let mut tests = state_tests(scene.opnum())
        .filter(|(_, test)| test.given == status && (test.when)(scene))
        .peekable();
    is_own_failure(code)
        || tests.peek().is_none()
        || tests.any(|(_, test)| (test.permit.codes)(scene, code))
}

/// The statuses that permit the answer.
pub(super) fn fits(scene: &Scene<'_>) -> Statuses {
    let code = scene.code();
    Statuses::ANY
        .iter()
        .filter(|status| code.is_some_and(|code| permits(scene, *status, code)))
        .collect()
}

/// Judges the answer by the status of the set: it is wrong where no status that the set may have
/// permits it.
fn states(scene: &Scene<'_>) -> Vec<Judged> {
    let (Some(id), Some(code), true) = (scene.set_id(), scene.judged_code(), scene.alone) else {
        return Vec::new();
    };
    let statuses = scene.history.statuses(id);
    let tests = || {
        state_tests(scene.opnum())
            .filter(|(_, test)| statuses.has(test.given) && (test.when)(scene))
    };
    if statuses.iter().any(|status| permits(scene, status, code)) {
        let certain = statuses.certain().is_some() && !is_own_failure(code);
        return tests()
            .filter(|_| certain)
            .map(|(requirement, _)| Judged {
                requirement,
                ruling: Ruling::Kept,
            })
            .collect();
    }
    if let Some(judged) = vanished::judge(scene, statuses, code) {
        return vec![judged];
    }
    let absent_first = says_unknown(code) && statuses.has(Status::Absent);
    let chosen = tests().find(|(_, test)| (test.given == Status::Absent) == absent_first);
    let Some((requirement, _)) = chosen.or_else(|| tests().next()) else {
        return Vec::new();
    };
    let mut expected: Vec<&str> = Vec::new();
    for (_, test) in tests() {
        if !expected.contains(&test.permit.expected) {
            expected.push(test.permit.expected);
        }
    }
    vec![Judged {
        requirement,
        ruling: Ruling::Broken {
            expected: expected.join("; or "),
            seen: format!("{}; the set is {statuses}", scene.told()),
        },
    }]
}
