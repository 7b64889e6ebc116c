//! What a peer can make grow, and how far.

/// How many presentation contexts one association keeps.
pub const PRESENTATION_CONTEXTS_MAX: usize = 16;
/// How many calls of one association may wait behind the one in hand.
pub const WAITING_CALLS_MAX: usize = 16;
/// How many PDUs may wait for a client to fetch them.
pub const UNREAD_PDUS_MAX: usize = 64;
/// How long a request's joined stub may be, in bytes.
pub const STUB_MAX: usize = 0x2_0000;
