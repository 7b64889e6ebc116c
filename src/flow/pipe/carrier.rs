//! What brought bytes of a pipe.

use super::super::exchange::{Direction, Evidence, GapLayer, GapReason, Link, SmbProtection};
use super::super::smb::Mishap;
use std::sync::Arc;

/// The SMB message that carried bytes of the pipe.
pub(in crate::flow) struct Carrier<'a> {
    pub(in crate::flow) link: &'a Arc<Link>,
    pub(in crate::flow) dialect: Option<u16>,
    pub(in crate::flow) smb: SmbProtection,
    pub(in crate::flow) direction: Direction,
    /// Where the message begins in its stream.
    pub(in crate::flow) offset: u64,
    pub(in crate::flow) evidence: &'a Evidence,
}

impl Carrier<'_> {
    /// A gap of `length` bytes in what it brought.
    pub(super) fn gap(&self, reason: GapReason, length: usize) -> (Direction, Mishap) {
        let mishap = Mishap {
            layer: GapLayer::Rpc,
            reason,
            offset: self.offset,
            length: u64::try_from(length).unwrap_or(u64::MAX),
            frame: self.evidence.frames.first().copied().unwrap_or(0),
            time: self.evidence.time,
        };
        (self.direction, mishap)
    }
}
