//! The endpoint from its client's side.

mod binding;
mod calls;
mod captured;
mod client;
mod logon;
