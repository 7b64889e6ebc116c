//! What is done outside, in which order, and what happens when it fails or takes long.

use super::bench::{self, Bench, Fate, MINUTE_MS, kind};
use crate::agent::{Deviations, Effect, Status};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, Reply, ShadowCopyId, ShadowCopySetId};
use std::time::Duration;

const MINUTE: Duration = Duration::from_millis(MINUTE_MS as u64);

fn on(wanted: &'static str, fate: Fate) -> Box<dyn Fn(&Effect) -> Fate> {
    Box::new(move |effect| {
        if kind(effect) == wanted {
            fate
        } else {
            Fate::Succeeds
        }
    })
}

#[test]
fn a_lifecycle_does_these_things_in_this_order() {
    let mut bench = Bench::new();
    bench.reach(Context(0x40_0000), Status::Recovered);
    let wanted = [
        "persist", "persist", // Start, Add
        "commit", "persist", "expose", "persist", "persist", "seal",
    ];
    assert_eq!(bench.kinds(), wanted);
}

#[test]
fn each_effect_is_about_every_share_and_copy_of_the_set() {
    let mut bench = Bench::new();
    bench.call(bench::set_context(Context(0x40_0000)));
    let set = bench.start();
    let copies = [bench.add(set, "data"), bench.add(set, "more")];
    for call in [bench::prepare, bench::commit, bench::expose, bench::recover] {
        assert_eq!(bench.status(call(set)), Hresult::ZERO);
    }
    let exposed_names: Vec<_> = ["data", "more"]
        .iter()
        .zip(copies)
        .map(|(share, copy)| format!("{share}@{{{copy}}}"))
        .collect();
    let share_names = vec!["data".to_owned(), "more".to_owned()];
    assert!(bench.seen.contains(&Effect::Prepare { share_names }));
    let seal = Effect::Seal {
        exposed_names: exposed_names.clone(),
        copies: copies.map(bench::made).to_vec(),
    };
    assert!(bench.seen.contains(&seal), "{:?}", bench.seen);
    assert_eq!(bench.shares, exposed_names.into_iter().collect());
    assert_eq!(bench.copies.len(), 2);
}

#[test]
fn nothing_is_answered_with_zero_before_it_is_stored() {
    let mut bench = Bench::new();
    bench.call(bench::set_context(Context::CTX_BACKUP));
    bench.fate = on("persist", Fate::Held);
    let token = bench.send(bench::start());
    assert!(bench.reply_to(token).is_none());
    assert!(
        bench.agent.state().sets.is_empty(),
        "not before it is stored"
    );
    bench.release();
    assert_eq!(
        bench.reply_to(token).map(Reply::status),
        Some(Hresult::ZERO)
    );
    assert_eq!(bench.stored, *bench.agent.state());
}

#[test]
fn what_cannot_be_stored_did_not_happen() {
    for status in [
        Status::Started,
        Status::Added,
        Status::Committed,
        Status::Exposed,
        Status::Recovered,
    ] {
        let mut bench = Bench::new();
        let (set, copy) = bench.reach(Context::CTX_BACKUP, status);
        let before = bench.agent.state().clone();
        bench.fate = on("persist", Fate::Fails);
        let call = match status {
            Status::Started => bench::add(set, "data"),
            Status::Added => bench::add(set, "more"),
            Status::Committed => bench::expose(set),
            Status::Exposed => bench::recover(set),
            _ => bench::delete(set, copy, "data"),
        };
        assert_eq!(bench.status(call), Hresult::E_FAIL, "{status:?}");
        assert_eq!(*bench.agent.state(), before, "{status:?}");
        assert_eq!(bench.stored, before, "{status:?}");
    }
}

#[test]
fn copies_that_cannot_be_stored_are_removed() {
    let mut bench = Bench::new();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("persist", Fate::Fails);
    assert_eq!(bench.status(bench::commit(set)), Hresult::E_FAIL);
    let last = bench.seen.last().expect("an effect");
    assert_eq!(
        *last,
        Effect::Remove {
            exposed_names: vec![],
            copies: vec![bench::made(copy)]
        }
    );
    bench.fate = on("", Fate::Held);
    assert_eq!(
        bench.status(bench::commit(set)),
        Hresult::ZERO,
        "it may be tried again"
    );
}

#[test]
fn a_commit_that_fails_may_be_repeated() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Fails);
    assert_eq!(bench.status(bench::commit(set)), Hresult::E_FAIL);
    assert_eq!(
        bench.agent.state().set(set).map(|set| set.status),
        Some(Status::CreationInProgress)
    );
    bench.fate = on("", Fate::Held);
    assert_eq!(bench.status(bench::commit(set)), Hresult::ZERO);
}

#[test]
fn a_commit_that_is_late_goes_on_and_can_be_joined() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    let first = bench.send(bench::commit(set));
    assert_eq!(bench.agent.timer_deadline(), None, "stopped while it waits");
    bench.pass(MINUTE - Duration::from_millis(1));
    assert!(bench.reply_to(first).is_none());
    bench.pass(Duration::from_millis(1));
    assert_eq!(
        bench.reply_to(first).map(Reply::status),
        Some(Hresult::FSSAGENT_E_TIMEOUT)
    );
    assert_eq!(
        bench.agent.timer_deadline(),
        Some(bench.now + Duration::from_secs(180))
    );

    let (second, third) = (
        bench.send(bench::commit(set)),
        bench.send(bench::commit(set)),
    );
    assert_eq!(bench.held.len(), 1, "one commit, however many wait");
    bench.release();
    for token in [second, third] {
        assert_eq!(
            bench.reply_to(token).map(Reply::status),
            Some(Hresult::ZERO)
        );
    }
    assert_eq!(
        bench.agent.state().set(set).map(|set| set.status),
        Some(Status::Committed)
    );
}

#[test]
fn a_commit_that_nobody_waits_for_is_there_for_whoever_calls_again() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    bench.send(bench::commit(set));
    bench.pass(MINUTE);
    bench.release();
    let stored = |bench: &Bench| bench.stored.set(set).map(|set| (set.status, set.is_made()));
    assert_eq!(stored(&bench), Some((Status::CreationInProgress, true)));
    assert_eq!(bench.status(bench::expose(set)), Hresult::FSRVP_E_BAD_STATE);
    assert!(bench.held.is_empty(), "nothing is made twice");
    assert_eq!(bench.status(bench::commit(set)), Hresult::ZERO);
    assert_eq!(stored(&bench), Some((Status::Committed, true)));
    assert_eq!(bench.status(bench::expose(set)), Hresult::ZERO);
}

#[test]
fn an_abort_ends_the_commit_and_its_copies() {
    let mut bench = Bench::new();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    let waiting = bench.send(bench::commit(set));
    assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO);
    assert_eq!(
        bench.reply_to(waiting).map(Reply::status),
        Some(Hresult::FSRVP_E_WAIT_FAILED)
    );
    bench.seen.clear();
    bench.release();
    let removed = Effect::Remove {
        exposed_names: vec![],
        copies: vec![bench::made(copy)],
    };
    assert_eq!(bench.seen, [removed]);
    assert!(bench.agent.state().sets.is_empty());
}

#[test]
fn expiry_ends_a_commit_that_nobody_came_back_for() {
    let mut bench = Bench::new();
    let (_, copy) = bench.reach(Context::CTX_BACKUP, Status::Added);
    let set = bench.agent.state().sets[0].id;
    bench.fate = on("commit", Fate::Held);
    bench.send(bench::commit(set));
    bench.pass(MINUTE + Duration::from_secs(180));
    assert!(bench.agent.state().sets.is_empty());
    bench.seen.clear();
    bench.release();
    assert_eq!(
        bench.seen,
        [Effect::Remove {
            exposed_names: vec![],
            copies: vec![bench::made(copy)]
        }]
    );
}

#[test]
fn a_call_that_cannot_begin_waits_no_longer_than_it_said() {
    let mut bench = Bench::new();
    let (old, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    bench.send(bench::commit(old));
    bench.call(bench::abort(old));
    bench.call(bench::set_context(Context::CTX_BACKUP));
    let new = bench.start();
    let copy = bench.add(new, "data");
    let (commit, expose) = (
        bench.send(bench::commit(new)),
        bench.send(bench::expose(new)),
    );
    bench.pass(MINUTE - Duration::from_millis(1));
    assert!(bench.reply_to(commit).is_none());
    bench.pass(Duration::from_millis(1));
    let statuses = [commit, expose].map(|token| bench.reply_to(token).map(Reply::status));
    assert_eq!(
        statuses,
        [
            Some(Hresult::FSSAGENT_E_TIMEOUT),
            Some(Hresult::FSRVP_E_BAD_STATE)
        ]
    );
    assert_eq!(
        bench.agent.timer_deadline(),
        Some(bench.now + Duration::from_secs(180))
    );
    bench.release();
    assert_eq!(bench.status(bench::commit(new)), Hresult::ZERO);
    assert_eq!(
        bench
            .agent
            .state()
            .set(new)
            .and_then(|set| set.copy(copy)?.backend_ref.clone()),
        Some(bench::made(copy))
    );
}

#[test]
fn the_timer_stands_still_as_long_as_anybody_waits_for_a_commit() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    let first = bench.send(bench::commit(set));
    bench.pass(MINUTE / 2);
    let second = bench.send(bench::commit(set));
    bench.pass(MINUTE / 2);
    assert!(bench.reply_to(first).is_some() && bench.reply_to(second).is_none());
    assert_eq!(bench.agent.timer_deadline(), None);
    bench.pass(MINUTE / 2);
    assert!(bench.reply_to(second).is_some());
    assert!(bench.agent.timer_deadline().is_some());
}

#[test]
fn what_cannot_be_taken_away_can_be_aborted_or_deleted_again() {
    for make in [
        |set, _| bench::abort(set),
        |set, copy| bench::delete(set, copy, "data"),
    ] as [fn(ShadowCopySetId, ShadowCopyId) -> Call; 2]
    {
        let mut bench = Bench::new();
        let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Exposed);
        let (before, context) = (bench.agent.state().clone(), bench.agent.context());
        bench.fate = on("remove", Fate::Fails);
        assert_eq!(bench.status(make(set, copy)), Hresult::E_FAIL);
        assert_eq!(*bench.agent.state(), before);
        assert_eq!(bench.agent.context(), context);
        assert_eq!(bench.stored, before);
        bench.fate = on("", Fate::Held);
        assert_eq!(bench.status(make(set, copy)), Hresult::ZERO);
        assert!(bench.stored.sets.is_empty());
        assert!(bench.shares.is_empty() && bench.copies.is_empty());
    }
}

#[test]
fn what_shows_again_is_as_writable_as_it_was() {
    for (deviations, writable) in [(Deviations::samba(), true), (Deviations::none(), false)] {
        let mut bench = Bench::deviating(deviations);
        let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Exposed);
        bench.fate = on("remove", Fate::Fails);
        assert_eq!(
            bench.status(bench::delete(set, copy, "data")),
            Hresult::E_FAIL
        );
        let restored = bench.seen.iter().find_map(|effect| match effect {
            Effect::Restore { shares } => shares.first().map(|share| share.writable),
            _ => None,
        });
        assert_eq!(restored, Some(writable));
    }
}

#[test]
fn a_removal_is_stored_before_it_begins_and_answered_when_it_is_done() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Exposed);
    bench.seen.clear();
    bench.fate = on("remove", Fate::Held);
    let abort = bench.send(bench::abort(set));
    assert_eq!(bench.kinds(), ["persist", "remove"]);
    assert!(bench.stored.sets.is_empty() && bench.reply_to(abort).is_none());
    bench.release();
    assert_eq!(
        bench.reply_to(abort).map(Reply::status),
        Some(Hresult::ZERO)
    );
}

#[test]
fn a_new_set_waits_for_the_work_of_an_aborted_one() {
    let mut bench = Bench::new();
    let (old, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    bench.send(bench::commit(old));
    bench.call(bench::abort(old));
    bench.call(bench::set_context(Context::CTX_BACKUP));
    let new = bench.start();
    bench.add(new, "data");
    let commit = bench.send(bench::commit(new));
    assert!(bench.reply_to(commit).is_none());
    assert_eq!(bench.held.len(), 1);
    bench.release();
    assert_eq!(
        bench.reply_to(commit).map(Reply::status),
        Some(Hresult::ZERO)
    );
}

#[test]
fn a_commit_that_is_late_before_it_could_begin_goes_on_like_any_other() {
    let mut bench = Bench::new();
    let (old, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("commit", Fate::Held);
    bench.send(bench::commit(old));
    bench.call(bench::abort(old));
    bench.call(bench::set_context(Context::CTX_BACKUP));
    let new = bench.start();
    bench.add(new, "data");
    let late = bench.send(bench::commit(new));
    bench.pass(MINUTE);
    assert_eq!(
        bench.reply_to(late).map(Reply::status),
        Some(Hresult::FSSAGENT_E_TIMEOUT)
    );
    let status = |bench: &Bench| bench.agent.state().set(new).map(|set| set.status);
    assert_eq!(status(&bench), Some(Status::CreationInProgress));
    let timer = bench.agent.timer_deadline();
    assert_eq!(timer, Some(bench.now + Duration::from_secs(180)));
    bench.seen.clear();
    bench.release();
    assert!(bench.kinds().contains(&"commit"), "it has begun");
    assert_eq!(bench.agent.timer_deadline(), timer);
    bench.seen.clear();
    assert_eq!(bench.status(bench::commit(new)), Hresult::ZERO);
    assert!(!bench.kinds().contains(&"commit"), "it was done");
    assert_eq!(status(&bench), Some(Status::Committed));
}

#[test]
fn an_expose_that_is_late_is_taken_back_and_may_be_repeated() {
    let mut bench = Bench::new();
    let (set, copy) = bench.reach(Context::CTX_BACKUP, Status::Committed);
    bench.fate = on("expose", Fate::Held);
    let late = bench.send(bench::expose(set));
    bench.pass(MINUTE);
    assert_eq!(
        bench.reply_to(late).map(Reply::status),
        Some(Hresult::FSRVP_E_WAIT_TIMEOUT)
    );
    let again = bench.send(bench::expose(set));
    assert!(
        bench.reply_to(again).is_none(),
        "not while the first one is at it"
    );
    bench.seen.clear();
    bench.release();
    let exposed_names = vec![format!("data@{{{copy}}}")];
    assert_eq!(
        bench.seen[0],
        Effect::Remove {
            exposed_names,
            copies: vec![]
        }
    );
    assert_eq!(
        bench.reply_to(again).map(Reply::status),
        Some(Hresult::ZERO)
    );
}

#[test]
fn prepare_reports_failure_and_lateness() {
    let mut bench = Bench::new();
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.fate = on("prepare", Fate::Fails);
    assert_eq!(bench.status(bench::prepare(set)), Hresult::E_FAIL);
    assert_eq!(
        bench.agent.timer_deadline(),
        Some(bench.now + Duration::from_secs(180))
    );
    bench.fate = on("prepare", Fate::Held);
    let late = bench.send(bench::prepare(set));
    bench.pass(MINUTE);
    assert_eq!(
        bench.reply_to(late).map(Reply::status),
        Some(Hresult::FSRVP_E_WAIT_TIMEOUT)
    );
    bench.release();
    assert_eq!(
        bench.status(bench::prepare(set)),
        Hresult::ZERO,
        "it may be repeated"
    );
    assert_eq!(bench.status(bench::prepare(set)), Hresult::ZERO);
}

#[test]
fn queries_are_answered_while_a_commit_runs() {
    let mut bench = Bench::new();
    bench.reach(Context::CTX_BACKUP, Status::CreationInProgress);
    assert_eq!(bench.status(bench::version()), Hresult::ZERO);
    assert_eq!(bench.status(bench::supported("data")), Hresult::ZERO);
}

#[test]
fn only_auto_recovery_asks_for_something_writable() {
    for (context, wanted) in [(0x00, false), (0x02, false), (0x40_0000, true)] {
        let mut bench = Bench::new();
        bench.reach(Context(context), Status::Exposed);
        for effect in &bench.seen {
            match effect {
                Effect::Commit { copies, .. } => {
                    assert!(copies.iter().all(|copy| copy.writable == wanted))
                }
                Effect::Expose { shares } => {
                    assert!(shares.iter().all(|share| share.writable == wanted))
                }
                _ => {}
            }
        }
    }
}
