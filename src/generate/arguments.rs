//! Arguments: valid, nearly valid and invalid.

use super::Stage;
use super::belief::{Belief, Progress, Set};
use super::random::Random;
use crate::case::IdRef;
use fsrvp_wire::fsrvp::Context;

/// The values of `Context` that are nearly valid.
const BAD_CONTEXTS: [u32; 10] = [
    0x0000_0001,
    0x0000_0008,
    0x0000_0011,
    0x0000_0018,
    0x0000_001D,
    0x0000_0020,
    0x0400_0000,
    0x0040_0001,
    0x0040_0002,
    0xFFFF_FFFF,
];

/// A context: mostly one of the twelve.
pub(super) fn context(random: &mut Random, valid: bool) -> Context {
    if valid {
        let bases = Context::BASES.map(|(_, base)| base.0);
        let attributes = [
            0,
            Context::ATTR_AUTO_RECOVERY,
            Context::ATTR_NO_AUTO_RECOVERY,
        ];
        let base = random.one_of(&bases).copied().unwrap_or_default();
        return Context(base | random.one_of(&attributes).copied().unwrap_or_default());
    }
    if random.percent(80) {
        return Context(random.one_of(&BAD_CONTEXTS).copied().unwrap_or(1));
    }
    Context(random.bits())
}

/// `TimeOutInMilliseconds`. A short one is harmless only where the clock stands still.
pub(super) fn timeout_ms(random: &mut Random, stage: &Stage) -> u32 {
    let long = [60_000, 180_000, 1_800_000, u32::MAX];
    let any = [0, 1, 500, 60_000, 180_000, 1_800_000, u32::MAX];
    let all: &[u32] = if stage.moves_clock { &any } else { &long };
    random.one_of(all).copied().unwrap_or(60_000)
}

/// `Level` of GetShareMapping: mostly the one that exists.
pub(super) fn level(random: &mut Random) -> u32 {
    let others = [0, 2, 3, 0x0001_0000, u32::MAX];
    if random.percent(85) {
        return 1;
    }
    random.one_of(&others).copied().unwrap_or(1)
}

/// The client's own id.
pub(super) fn client_id(random: &mut Random) -> IdRef {
    if random.percent(94) {
        IdRef::New
    } else {
        IdRef::Nil
    }
}

/// The name of a share that can be shadow copied, in any form that names it.
pub(super) fn good_share(random: &mut Random, share: &str) -> String {
    let share = match share {
        "{share}" if random.percent(10) => "{SHARE}",
        other => other,
    };
    let end = if random.percent(25) { r"\" } else { "" };
    format!(r"\\{{host}}\{share}{end}")
}

/// Any share name: mostly of a share that can be shadow copied, sometimes no share's name.
pub(super) fn any_share(random: &mut Random, stage: &Stage) -> String {
    let bad = [
        r"\\{host}\{missing}",
        r"\\{host}\{share}\folder",
        r"\\fsrvp-other-host\{missing}",
        r"\\{host}",
        r"\\{host}\",
        r"{share}",
        r"\{host}\{share}",
        "",
    ];
    if random.percent(18) {
        return random.one_of(&bad).copied().unwrap_or_default().to_owned();
    }
    let shares = stage.shares();
    let share = random.one_of(&shares).cloned().unwrap_or_default();
    good_share(random, &share)
}

/// The id of a set: mostly that of one that there is, or was.
pub(super) fn set_id(random: &mut Random, belief: &Belief) -> IdRef {
    match random.below(100) {
        0..4 => IdRef::Nil,
        4..8 => IdRef::Unknown,
        8..10 => IdRef::New,
        10..12 => any_copy(random, belief),
        _ => {
            let chosen = choose(random, belief);
            chosen.map_or(IdRef::Unknown, |set| IdRef::Saved(set.name.clone()))
        }
    }
}

/// A set: the unfinished one, a recovered one, or one that is gone.
pub(super) fn choose<'b>(random: &mut Random, belief: &'b Belief) -> Option<&'b Set> {
    let of = |wanted: fn(Progress) -> bool| -> Vec<&Set> {
        let sets = belief.sets.iter();
        sets.filter(|set| wanted(set.progress)).collect()
    };
    let unfinished = of(|progress| !matches!(progress, Progress::Gone | Progress::Recovered));
    let recovered = of(|progress| progress == Progress::Recovered);
    let gone = of(|progress| progress == Progress::Gone);
    let pools = [(60, &unfinished), (30, &recovered), (10, &gone)];
    let filled: Vec<(usize, &Vec<&Set>)> = pools
        .into_iter()
        .filter(|(_, pool)| !pool.is_empty())
        .collect();
    let pool = random.weighted(&filled)?;
    random.one_of(pool).copied()
}

/// The id of any copy.
pub(super) fn any_copy(random: &mut Random, belief: &Belief) -> IdRef {
    let names: Vec<&String> = belief
        .sets
        .iter()
        .flat_map(|set| &set.copies)
        .map(|copy| &copy.name)
        .collect();
    match random.one_of(&names) {
        Some(name) if !name.is_empty() => IdRef::Saved((*name).clone()),
        _ => IdRef::Unknown,
    }
}

/// A copy of the set `set` with the share that belongs to it, or something near it.
pub(super) fn copy_and_share(
    random: &mut Random,
    belief: &Belief,
    set: &IdRef,
    stage: &Stage,
) -> (IdRef, String) {
    let copies = match set {
        IdRef::Saved(name) => belief
            .sets
            .iter()
            .find(|set| set.name == *name)
            .map_or(Vec::new(), |set| set.copies.iter().collect()),
        _ => Vec::new(),
    };
    let Some(copy) = random.one_of(&copies) else {
        return (any_copy(random, belief), any_share(random, stage));
    };
    let right = IdRef::Saved(copy.name.clone());
    match random.below(100) {
        0..4 => (IdRef::Nil, good_share(random, &copy.share)),
        4..8 => (IdRef::Unknown, good_share(random, &copy.share)),
        8..12 => (any_copy(random, belief), good_share(random, &copy.share)),
        12..20 => (right, any_share(random, stage)),
        _ => (right, good_share(random, &copy.share)),
    }
}
