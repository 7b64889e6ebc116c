//! The agent seen from its door: calls, effects and time in, replies out.

mod bench;
mod effects;
mod laws;
mod profiles;
mod rules;
mod table;
mod timers;
mod waits;
