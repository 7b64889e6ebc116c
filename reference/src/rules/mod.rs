//! Directory rules: what may lie below the root of a share that is shadow copied, by whom.
//!
//! Vendors ask more of a share's tree than MS-FSRVP does, and do not ask the same. Every rule is one
//! row of [`RULES`]: what breaks it, who says so, and what follows from it by [`Profile`] and
//! [`Recovery`]. Rules look at an [`Entry`], whoever describes it: [`walk`] sees a real tree, a test
//! declares one.
//!
//! **Architectural invariants**
//! - The table knows no file system, the walk knows no rule.
//! - The walk follows no link, crosses no mount, triggers no automount, and ends with bounded memory
//!   whatever the tree.
//! - Nothing here says what a vendor's server answers: no source says which method it fails, or how.

mod entry;
mod names;
mod profile;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod walk;

pub use entry::{Entry, Junction, Kind, Link, Reparse, ReparseTag};
pub use profile::{Outcome, Profile, Recovery};
pub use survey::{Example, Finding, Limits, Survey, Totals};
pub use table::{RULES, Rule, RuleId};
pub use walk::{Unseen, WalkError, walk};
