//! Histories by hand: each rule fires where it should, and is silent beside it.

mod builder;
mod certainty;
mod clients;
mod followed;
mod servers;
mod states;
mod values;
