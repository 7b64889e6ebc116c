//! Capture files: pcap and pcapng, packet by packet, and the TCP segments in them; and pcapng files
//! of connections that this program had itself.
//!
//! **Architectural invariants**
//! - Hands segments to `flow` and knows nothing of what they mean.
//! - Reads a file once, from front to back, in memory that does not depend on its size. What came
//!   before an error is delivered; then there is one error, with frame and byte.

pub mod file;
mod fragments;
pub mod link;
pub mod manifest;
mod resolution;
mod write;

pub use file::{CaptureError, CaptureReader, Packet, unpacked};
pub use manifest::{ExpectedCall, Manifest, Timers};
pub use write::CaptureWriter;
