//! What single backends owe beyond the contract.

pub(crate) mod program;
pub(crate) mod trees;
