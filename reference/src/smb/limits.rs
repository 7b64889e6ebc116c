//! What one connection may use up.

use std::time::Duration;

/// The longest READ, WRITE and transaction with multi-credit requests, in bytes.
pub const TRANSFER_MAX: u32 = 8 * 1024 * 1024;

/// The longest READ, WRITE and transaction where a request is worth one credit, in bytes.
pub const TRANSFER_SINGLE_CREDIT_MAX: u32 = 64 * 1024;

/// What one credit pays for, in bytes (MS-SMB2 3.1.5.2).
pub const CREDIT_BYTES: u32 = 64 * 1024;

/// The same, for lengths in memory.
pub const CREDIT_LEN: usize = 64 * 1024;

/// From which length on a frame comes in a buffer that is used again.
pub const BUFFER_FROM: usize = 1024 * 1024;

/// How many such buffers a server keeps while nobody needs them.
pub const BUFFERS_FREE_MAX: usize = 4;

/// For how many bytes there is room where the length of what comes is not known yet.
pub const INPUT_LEN: usize = 64 * 1024;

/// The longest frame: the longest WRITE with room for the rest of a compound.
pub const FRAME_MAX: usize = 8 * 1024 * 1024 + 64 * 1024;

/// The longest frame before anybody has logged on.
pub const FRAME_BEFORE_LOGON_MAX: usize = 128 * 1024;

/// How many sessions a connection may have, half-made ones included.
pub const SESSIONS_MAX: usize = 64;

/// How many shares the sessions of a connection may be connected to.
pub const TREES_MAX: usize = 512;

/// How many files and pipes a connection may hold open.
pub const OPENS_MAX: usize = 1024;

/// How many of them may be pipes.
pub const PIPES_MAX: usize = 64;

/// How many frames of a connection may wait for work at a time.
pub const CHAINS_MAX: usize = 256;

/// How many bytes the frames that wait may take, each with what it paid for: while there are more,
/// the connection is not read. One frame of any length always fits.
pub const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many messages of a pipe are taken from its endpoint before the client reads them.
pub const PIPE_UNREAD_MAX: usize = 16;

/// How many legs a logon may have.
pub const LOGON_LEGS_MAX: u32 = 8;

/// How many entries of directories may wait to be listed, over all handles of a connection. One
/// directory of any length always fits.
pub const LISTED_MAX: usize = 131_072;

/// How many byte-range locks a connection may have, over all its handles.
pub const LOCKS_MAX: usize = 16_384;

/// How long a request waits before its client is told that it does (STATUS_PENDING).
pub const INTERIM_AFTER: Duration = Duration::from_millis(100);
