//! How long the client waits and how much it takes: every bound of a conversation in one place.

use std::time::Duration;

/// For a TCP connection to come up.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(10);
/// For the answer to one SMB request that is no RPC call.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(20);
/// For the answer to one RPC call; MS-FSRVP 3.2.2 gives a client 180 s.
pub(crate) const CALL_MAX: Duration = Duration::from_secs(180);
/// The longest frame that a server may send, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 9 * 1024 * 1024;
/// The longest reassembled stub of an RPC answer, in bytes.
pub(crate) const STUB_BYTES_MAX: usize = 1024 * 1024;
/// The largest RPC fragment that is offered, in bytes.
pub(crate) const FRAGMENT_BYTES_MAX: u16 = 4280;
/// The most bytes of a file that are read.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes of one READ, WRITE or QUERY_DIRECTORY.
pub(crate) const IO_BYTES_MAX: u32 = 64 * 1024;
/// The most answers with QUERY_DIRECTORY for one listing.
pub(crate) const LISTINGS_MAX: usize = 1000;
/// The most legs of one logon.
pub(crate) const LOGON_LEGS_MAX: usize = 6;
