//! The server seen from its door: a client made of `wire`, and an outside that each test plays.

mod client;
mod compounds;
mod encryption;
mod hostile;
mod negotiation;
mod sessions;
mod waiting;
