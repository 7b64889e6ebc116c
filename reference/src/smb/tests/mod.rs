//! The server seen from its door: a client made of `wire`, and an outside that each test plays.

mod client;
mod compounds;
mod hostile;
mod negotiation;
mod sessions;
mod waiting;
