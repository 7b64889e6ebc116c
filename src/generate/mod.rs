//! Generated lifecycles: sequences of calls by one to three clients, the same for the same seed.
//!
//! **Architectural invariants**
//! - A lifecycle is a [`Case`] without expectations: whoever plays it, judges it elsewhere. What a
//!   server must answer is not known here.
//! - No I/O, no clock: chance comes from a seed and a number alone, so that any lifecycle can be
//!   made again.

mod arguments;
mod belief;
mod life;
mod random;
mod shrink;
mod text;

pub use life::lifecycle;
pub use shrink::shortest;
pub use text::case_file;

use crate::case::{Case, ClientSpec, Feature, MAIN_CLIENT, Target, Timers};
use std::collections::BTreeSet;

/// What a target has for lifecycles to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Placeholders of the shares that can be shadow copied, each on a store of its own.
    stores: Vec<&'static str>,
    /// A second share on the store of the first.
    same_store: bool,
    unsupported: bool,
    plain_user: bool,
    second_address: bool,
    /// Whether the target's clock is moved by whoever plays; otherwise time is left alone.
    moves_clock: bool,
}

impl Stage {
    /// What `target` has.
    #[must_use]
    pub fn of(target: &Target) -> Stage {
        let has = |feature: Feature| feature.missing(target).is_none();
        let mut stores = vec!["{share}"];
        for (share, feature) in [
            ("{share2}", Feature::Share2),
            ("{share3}", Feature::Share3),
            ("{hidden}", Feature::Hidden),
        ] {
            if has(feature) {
                stores.push(share);
            }
        }
        Stage {
            stores,
            same_store: has(Feature::SameStore),
            unsupported: has(Feature::Unsupported),
            plain_user: has(Feature::PlainUser),
            second_address: has(Feature::SecondAddress),
            moves_clock: target.timers == Timers::Ours,
        }
    }

    /// Everything that a target can have.
    #[cfg(test)]
    fn full() -> Stage {
        Stage {
            stores: vec!["{share}", "{share2}", "{share3}", "{hidden}"],
            same_store: true,
            unsupported: true,
            plain_user: true,
            second_address: true,
            moves_clock: true,
        }
    }

    /// The placeholders of all shares that there are.
    fn shares(&self) -> Vec<String> {
        let mut shares: Vec<String> = self.stores.iter().map(|&share| share.to_owned()).collect();
        if self.same_store {
            shares.push("{same_store}".to_owned());
        }
        if self.unsupported {
            shares.push("{unsupported}".to_owned());
        }
        shares
    }

    fn can_be_copied(&self, share: &str) -> bool {
        share != "{unsupported}" && self.shares().iter().any(|known| known == share)
    }

    /// The store of a share, by the share that stands for it.
    fn store<'s>(&self, share: &'s str) -> &'s str {
        match share {
            "{same_store}" => "{share}",
            other => other,
        }
    }
}

/// The folder of generated lifecycles where they are kept as case files.
pub const TOPIC: &str = "lifecycles";

/// A lifecycle without the steps that refer to something that no earlier step saves.
fn sound(mut life: Case) -> Case {
    let mut saved = BTreeSet::new();
    life.steps.retain(|step| {
        let kept = shrink::names_used(&step.action)
            .into_iter()
            .all(|name| saved.contains(name));
        if kept {
            saved.extend(step.save.clone());
        }
        kept
    });
    let used: BTreeSet<String> = life.steps.iter().map(|step| step.client.clone()).collect();
    // Every other client has to be named, even one that is like the ordinary one.
    life.clients.retain(|name, spec| {
        let is_ordinary = name == MAIN_CLIENT && *spec == ClientSpec::default();
        used.contains(name) && !is_ordinary
    });
    life
}
