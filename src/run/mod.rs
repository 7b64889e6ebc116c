//! Where the rooms meet.

pub mod check;
pub mod decode;
pub mod diff;
pub mod explain;
pub mod judge_client;
pub mod serve;
pub mod status;
pub mod tree;
