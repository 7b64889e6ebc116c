//! MS-NLMP 2.2.1: the three messages, and the AV pairs inside of them.

pub(super) mod authenticate;
pub(super) mod av_pairs;
pub(super) mod challenge;
pub(super) mod negotiate;
mod payload;
