//! A TCP segment, as the dissector takes it.

use super::tcp::Payload;
use std::net::SocketAddr;

/// A TCP segment as it was captured.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// The sender has no more to send.
    pub fin: bool,
    /// The sender opens the connection.
    pub syn: bool,
    /// The sender tears the connection down.
    pub rst: bool,
    /// The next byte that the sender expects, where it says so.
    pub ack: Option<u32>,
    /// What it carries.
    pub payload: Payload<'a>,
}
