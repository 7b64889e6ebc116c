//! Where the rooms meet.

pub mod decode;
pub mod serve;
