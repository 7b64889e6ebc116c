//! Where the rooms meet.

pub mod decode;
