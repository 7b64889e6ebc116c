//! What holds after any sequence of calls, fates and waits.

use super::bench::{self, Bench, Fate, UNKNOWN};
use crate::agent::{CallToken, Effect, ShadowCopySet, Status};
use fsrvp_wire::fsrvp::{Call, Context, Hresult, ShadowCopyId, ShadowCopySetId};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Clone)]
enum Move {
    /// A call about the newest set, or about one that there is not.
    Call(u8, bool),
    /// The call that a good client would make next.
    Onward,
    /// A client at another address sets the context.
    Stranger,
    Wait(u32),
    Fate(u8),
    /// The outcome of one effect in hand; see [`Bench::complete_one`].
    Complete(usize, bool),
    Release,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0u8..14, any::<bool>()).prop_map(|(method, known)| Move::Call(method, known)),
        8 => Just(Move::Onward),
        1 => Just(Move::Stranger),
        2 => prop_oneof![Just(0), Just(60), 0u32..200, 0u32..2_000].prop_map(Move::Wait),
        2 => (0u8..5).prop_map(Move::Fate),
        4 => (0usize..3, any::<bool>()).prop_map(|(index, fails)| Move::Complete(index, fails)),
        1 => Just(Move::Release),
    ];
    proptest::collection::vec(one, 0..80)
}

/// The number, as [`call`] counts, of what a good client would call next.
fn onward(bench: &Bench) -> u8 {
    let set = bench.agent.state().unfinished();
    match (bench.agent.context(), set.map(|set| set.status)) {
        (None, _) => 1,
        (Some(_), None) => 2,
        (_, Some(Status::Started)) => 3,
        (_, Some(Status::Added | Status::CreationInProgress)) => 6,
        (_, Some(Status::Committed)) => 7,
        (_, Some(Status::Exposed | Status::Recovered)) => 8,
    }
}

fn call(bench: &Bench, method: u8, known: bool) -> Call {
    let newest = bench.agent.state().sets.last().filter(|_| known);
    let set = newest.map_or(ShadowCopySetId(UNKNOWN), |set| set.id);
    let copy = newest
        .and_then(|set| set.copies.first())
        .map_or(ShadowCopyId(UNKNOWN), |copy| copy.id);
    match method {
        0 => bench::version(),
        1 => bench::set_context(Context(if known { 0x40_0000 } else { 0 })),
        2 => bench::start(),
        3 => bench::add(set, "data"),
        4 => bench::add(set, "more"),
        5 => bench::prepare(set),
        6 => bench::commit(set),
        7 => bench::expose(set),
        8 => bench::recover(set),
        9 => bench::abort(set),
        10 => bench::supported("data"),
        11 => bench::copied("data"),
        12 => bench::mapping(set, copy, "data", 1),
        _ => bench::delete(set, copy, "data"),
    }
}

/// Fates by number: all well, long work held, no store, everything held, nothing removed.
fn fate(which: u8) -> Box<dyn Fn(&Effect) -> Fate> {
    Box::new(move |effect| match (which, bench::kind(effect)) {
        (1, "commit" | "expose" | "prepare") => Fate::Held,
        (2, "persist") => Fate::Fails,
        (3, _) => Fate::Held,
        (4, "remove") => Fate::Fails,
        _ => Fate::Succeeds,
    })
}

/// Plays one move; says which call it sent.
fn play(bench: &mut Bench, step: Move) -> Option<CallToken> {
    match step {
        Move::Call(method, known) => {
            let call = call(bench, method, known);
            return Some(bench.send(call));
        }
        Move::Onward => {
            let call = call(bench, onward(bench), true);
            return Some(bench.send(call));
        }
        Move::Stranger => {
            let usual = std::mem::replace(&mut bench.caller, bench::permitted("127.0.0.2"));
            let token = bench.send(bench::set_context(Context::CTX_BACKUP));
            bench.caller = usual;
            return Some(token);
        }
        Move::Wait(seconds) => bench.pass(Duration::from_secs(u64::from(seconds))),
        Move::Fate(which) => bench.fate = fate(which),
        Move::Complete(index, fails) => bench.complete_one(index, fails),
        Move::Release => bench.release(),
    }
    None
}

/// What there is outside is what the sets say: nothing is left behind, nothing is missing.
fn assert_nothing_is_lost(bench: &Bench) {
    let sets = &bench.agent.state().sets;
    let shares: BTreeSet<String> = sets.iter().flat_map(ShadowCopySet::exposed_names).collect();
    assert_eq!(bench.shares, shares);
    let copies = sets.iter().flat_map(ShadowCopySet::backend_refs);
    let copies: BTreeSet<String> = copies.map(|copy| copy.0.to_string()).collect();
    assert_eq!(bench.copies, copies);
}

proptest! {
    #[test]
    fn one_unfinished_set_one_reply_a_call_and_what_holds_is_stored(moves in moves()) {
        let mut bench = Bench::new();
        let mut tokens = Vec::new();
        for step in moves {
            tokens.extend(play(&mut bench, step));
            let state = bench.agent.state();
            let unfinished = state.sets.iter().filter(|set| set.status != Status::Recovered);
            assert!(unfinished.count() <= 1, "two unfinished sets");
            // Nobody's set lies about for ever: somebody is at work on it, or the timer runs.
            let idle = bench.held.is_empty();
            let context = bench.agent.context().is_some();
            assert!(!idle || !context || bench.agent.timer_deadline().is_some(), "no timer");
        }
        // Once everything outside is done, every call has its one reply, and a set that is
        // committed or further is in the store as it stands.
        bench.release();
        for token in tokens {
            assert!(bench.reply_to(token).is_some(), "no reply to {token:?}");
        }
        let sets = &bench.agent.state().sets;
        for set in sets.iter().filter(|set| set.status >= Status::Committed) {
            let is_stored = bench.stored.set(set.id) == Some(set);
            let excused = bench.failed_to_remove || bench.failed_to_bring_back;
            assert!(excused || is_stored, "{set:?}");
        }
        // Whatever went wrong before: what is answered with ZERO is stored.
        bench.pass(Duration::from_secs(1800));
        assert_eq!(bench.status(bench::set_context(Context::CTX_BACKUP)), Hresult::ZERO);
        assert_eq!(bench.stored, *bench.agent.state());
        if !bench.failed_to_remove {
            assert_nothing_is_lost(&bench);
        }
    }
}
