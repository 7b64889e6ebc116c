//! MS-SMB2 3.2.4.1.4, 3.3.5.2.7: several messages in one frame.

use crate::error::ParseError;

/// The most messages of one compound that are read; no known client sends more than ten.
pub const COMPOUND_MAX: usize = 64;

/// What every message of a compound but the first begins at a multiple of, in bytes.
pub const ALIGNMENT: usize = 8;
