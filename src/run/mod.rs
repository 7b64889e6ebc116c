//! Where the rooms meet.

pub mod check;
pub mod decode;
pub mod serve;
pub mod status;
