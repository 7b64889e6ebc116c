//! Calls that wait: for work, behind the work of another set, and for as long as they said.

use super::bench::{self, Bench, Fate, MINUTE_MS, kind};
use crate::agent::{AgentStatus, Deviations, Status};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, Reply, ShadowCopySetId};
use std::time::Duration;

const MINUTE: Duration = Duration::from_millis(MINUTE_MS as u64);

/// A method that does long work: the effect, the status that it wants, its call.
type LongMethod = (&'static str, Status, fn(ShadowCopySetId) -> Call);

const LONG: [LongMethod; 3] = [
    ("prepare", Status::Added, bench::prepare),
    ("commit", Status::Added, bench::commit),
    ("expose", Status::Committed, bench::expose),
];

fn hold(bench: &mut Bench, wanted: &'static str) {
    bench.fate = Box::new(move |effect| match kind(effect) == wanted {
        true => Fate::Held,
        false => Fate::Succeeds,
    });
}

/// A bench where no long work can begin: that of an aborted set is still under way. Gives a new set in
/// this status.
fn behind_the_work_of_another_set(status: Status) -> (Bench, ShadowCopySetId) {
    let mut bench = Bench::new();
    let (old, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    hold(&mut bench, "commit");
    bench.send(bench::commit(old));
    bench.call(bench::abort(old));
    bench.call(bench::set_context(Context::CTX_BACKUP));
    let new = bench.start();
    if status == Status::Added {
        bench.add(new, "data");
    }
    (bench, new)
}

#[test]
fn samba_waits_without_regard_to_the_time_that_a_caller_has() {
    for (work, status, call) in LONG {
        for (deviations, waits) in [(Deviations::samba(), true), (Deviations::none(), false)] {
            let mut bench = Bench::deviating(deviations);
            let (set, _) = bench.reach(Context::CTX_BACKUP, status);
            hold(&mut bench, work);
            let token = bench.send(call(set));
            bench.pass(MINUTE * 10);
            assert_eq!(bench.reply_to(token).is_none(), waits, "{work}");
            bench.release();
            let answer = bench.reply_to(token).map(Reply::status);
            assert_eq!(answer == Some(Hresult::ZERO), waits, "{work}: {answer:?}");
        }
    }
}

#[test]
fn a_call_that_could_not_begin_is_answered_by_what_it_deserves() {
    use Hresult as H;
    for (status, call, answer) in [
        (
            Status::Added,
            bench::prepare as fn(_) -> _,
            H::FSRVP_E_WAIT_TIMEOUT,
        ),
        (Status::Added, bench::commit, H::FSSAGENT_E_TIMEOUT),
        (Status::Added, bench::expose, H::FSRVP_E_BAD_STATE),
        (Status::Started, bench::prepare, H::FSRVP_E_BAD_STATE),
        (Status::Started, bench::commit, H::FSRVP_E_BAD_STATE),
    ] {
        let (mut bench, set) = behind_the_work_of_another_set(status);
        let token = bench.send(call(set));
        bench.pass(MINUTE - Duration::from_millis(1));
        assert!(bench.reply_to(token).is_none(), "{status:?}: {answer:?}");
        bench.pass(Duration::from_millis(1));
        let got = bench.reply_to(token).map(Reply::status);
        assert_eq!(got, Some(answer), "{status:?}");
    }
}

#[test]
fn who_may_not_call_learns_so_also_when_the_wait_ends() {
    for call in [bench::prepare, bench::commit, bench::expose] {
        let (mut bench, set) = behind_the_work_of_another_set(Status::Added);
        bench.caller.backup_rights = false;
        let token = bench.send(call(set));
        bench.pass(MINUTE);
        let got = bench.reply_to(token).map(Reply::status);
        assert_eq!(got, Some(Hresult::E_ACCESSDENIED));
        let status = bench.agent.state().set(set).map(|set| set.status);
        assert_eq!(status, Some(Status::Added), "nobody began anything");
    }
}

#[test]
fn an_abort_waits_for_no_work_and_ends_it() {
    for (work, status, call) in LONG {
        let mut bench = Bench::new();
        let (set, _) = bench.reach(Context::CTX_BACKUP, status);
        hold(&mut bench, work);
        let token = bench.send(call(set));
        assert_eq!(bench.agent.poll_given_up(), None);
        assert_eq!(bench.status(bench::abort(set)), Hresult::ZERO, "{work}");
        let got = bench.reply_to(token).map(Reply::status);
        assert_eq!(got, Some(Hresult::FSRVP_E_WAIT_FAILED), "{work}");
        // Whoever does the work is told once that nobody wants it any more.
        let (effect, _) = bench.held.first().expect("it is still under way");
        assert_eq!(bench.agent.poll_given_up(), Some(*effect), "{work}");
        bench.call(bench::set_context(Context::CTX_BACKUP));
        assert_eq!(bench.agent.poll_given_up(), None, "{work}");
        bench.release();
        assert!(bench.copies.is_empty() && bench.shares.is_empty(), "{work}");
    }
}

#[test]
fn what_an_administrator_is_told_is_how_it_stands() {
    let mut bench = Bench::new();
    let told = |bench: &Bench| bench.agent.status(bench.time());
    let nothing: AgentStatus = told(&bench);
    assert!(nothing.holder.is_none() && nothing.timer.is_none() && nothing.sets.is_empty());
    let (set, _) = bench.reach(Context::CTX_BACKUP, Status::Added);
    bench.pass(MINUTE);
    let added = told(&bench);
    assert_eq!(
        added.holder.map(|holder| holder.context),
        Some(Context::CTX_BACKUP)
    );
    let timer = added.timer.expect("it runs");
    assert_eq!((timer.limit_s, timer.left_s), (1800.0, 1740.0));
    let sets: Vec<_> = added.sets.iter().map(|set| (set.id, set.status)).collect();
    assert_eq!(sets, [(set, Status::Added)]);
}

#[test]
fn a_commit_that_a_restart_broke_off_is_done_when_it_is_called_again() {
    let mut before = Bench::new();
    let (set, copy) = before.reach(Context::CTX_BACKUP, Status::CreationInProgress);
    let mut bench = Bench::restarted(before.agent.state().clone());
    assert_eq!(bench.status(bench::commit(set)), Hresult::ZERO);
    assert_eq!(bench.kinds(), ["commit", "persist"]);
    let state = bench.agent.state();
    let made = state
        .set(set)
        .and_then(|set| set.copy(copy)?.backend_ref.clone());
    assert_eq!(made, Some(bench::made(copy)));
}
