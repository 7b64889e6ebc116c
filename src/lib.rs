//! A conformance harness for MS-FSRVP.
//!
//! **Architectural invariants**
//! - `flow` uses only `wire`; `requirement` only `wire`; `outcome` only `requirement` and `flow`;
//!   `case` and `report` only `outcome`; `capture` only `flow`; `drive` and `generate` only `case`.
//!   Only `run` knows all rooms and the reference server.
//! - The reference server and the judge share letters (`wire`), not thoughts.
#![forbid(unsafe_code)]

pub mod capture;
pub mod case;
pub mod drive;
pub mod flow;
pub mod generate;
pub mod oracle;
pub mod outcome;
pub mod report;
pub mod requirement;
pub mod run;
