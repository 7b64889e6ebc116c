//! MS-SMB2 2.2.26, 2.2.27 LOCK: locks and unlocks ranges of a file.

use crate::smb2::FileId;
use crate::smb2::codec::{fixed_body, flags, record, structure};

flags! {
    /// MS-SMB2 2.2.26.1: what to do with a range.
    LockFlags(u32) {
        SHARED_LOCK = 0x0000_0001,
        EXCLUSIVE_LOCK = 0x0000_0002,
        UNLOCK = 0x0000_0004,
        FAIL_IMMEDIATELY = 0x0000_0010,
    }
}

record! {
    /// MS-SMB2 2.2.26.1 SMB2_LOCK_ELEMENT: one range.
    pub struct LockElement {
        /// Its first byte.
        pub offset: u64 = "Offset",
        /// Its length, in bytes.
        pub length: u64 = "Length",
        /// What to do with it.
        pub flags: LockFlags = "Flags",
        /// Reserved.
        pub reserved: u32 = "Reserved",
    }
}

structure! {
    /// MS-SMB2 2.2.26 LOCK Request.
    pub struct Request {
        /// Number and index of the lock sequence, for replays; reserved in 2.0.2.
        pub lock_sequence: u32,
        /// The open.
        pub file_id: FileId,
        /// The ranges; a legal request has at least one.
        pub locks: Vec<LockElement>,
    }
}

record! {
    /// MS-SMB2 2.2.27 LOCK Response.
    pub struct Response {
        /// Reserved.
        pub reserved: u16 = "Reserved",
    }
}

fixed_body!(Response LOCK 4);
