//! What holds after any sequence of calls, fates and waits.

use super::bench::{self, Bench, Fate, UNKNOWN};
use crate::agent::Status;
use fsrvp_wire::fsrvp::{Call, Context, ShadowCopyId, ShadowCopySetId};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use std::time::Duration;

#[derive(Debug, Clone)]
enum Move {
    Call(u8, bool),
    Wait(u32),
    Fate(u8),
    Release,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (0u8..14, any::<bool>()).prop_map(|(method, known)| Move::Call(method, known)),
        2 => (0u32..2_000).prop_map(Move::Wait),
        1 => (0u8..4).prop_map(Move::Fate),
        1 => proptest::prelude::Just(Move::Release),
    ];
    proptest::collection::vec(one, 0..60)
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

proptest! {
    #[test]
    fn one_unfinished_set_one_reply_a_call_and_what_holds_is_stored(moves in moves()) {
        let mut bench = Bench::new();
        let mut tokens = Vec::new();
        for step in moves {
            match step {
                Move::Call(method, known) => {
                    let call = call(&bench, method, known);
                    tokens.push(bench.send(call));
                }
                Move::Wait(seconds) => bench.pass(Duration::from_secs(u64::from(seconds))),
                Move::Fate(which) => {
                    bench.fate = Box::new(move |effect| match (which, bench::kind(effect)) {
                        (1, "commit" | "expose" | "prepare") => Fate::Held,
                        (2, "persist") => Fate::Fails,
                        (3, _) => Fate::Held,
                        _ => Fate::Succeeds,
                    });
                }
                Move::Release => bench.release(),
            }
            let unfinished = bench.agent.state().sets.iter();
            let unfinished = unfinished.filter(|set| set.status != Status::Recovered).count();
            assert!(unfinished <= 1, "{unfinished} unfinished sets");
        }
        // Once everything outside is done, every call has its one reply, and a set that is
        // committed or further is in the store as it stands.
        while !bench.held.is_empty() {
            bench.release();
        }
        for token in tokens {
            assert!(bench.reply_to(token).is_some(), "no reply to {token:?}");
        }
        for set in bench.agent.state().sets.iter().filter(|set| set.status >= Status::Committed) {
            assert_eq!(bench.stored.set(set.id), Some(set));
        }
    }
}
