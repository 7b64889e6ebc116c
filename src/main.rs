//! The command line of `fsrvp`.
fn main() {}
