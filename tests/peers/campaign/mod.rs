//! What no crash may break: whole servers, killed and cut off from power at chosen and at random
//! instants, and sets committed while clients write.
//!
//! The server is this test program itself, started again as a child with `fsrvp_reference` in it, so
//! that it can be told at which named step to end itself. Everything random comes from
//! `FSRVP_SEED`, which failures print; `FSRVP_CAMPAIGN=soak` runs the long form.

pub(crate) mod child;
mod cut;
mod disk;
mod full;
mod journal;
mod kill;
mod lifecycle;
mod power;
mod verify;
mod writers;

use child::Backend;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        cut::trials(),
        kill::trials(),
        power::trials(),
        full::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether the long form was asked for.
fn is_soak() -> bool {
    std::env::var("FSRVP_CAMPAIGN").is_ok_and(|value| value == "soak")
}

/// The programs that the file system of a backend needs.
fn programs(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Copy => &["mount"],
        Backend::Reflink => &["mkfs.xfs", "mount"],
        Backend::Btrfs => &["mkfs.btrfs", "btrfs", "mount"],
    }
}

/// Numbers that look random and come again with the same seed.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn new() -> Random {
        let seed = std::env::var("FSRVP_SEED").ok();
        Random(seed.and_then(|seed| seed.parse().ok()).unwrap_or(1))
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
}
