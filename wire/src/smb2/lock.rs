//! MS-SMB2 2.2.26, 2.2.27 LOCK: locks and unlocks ranges of a file.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::FileId;
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len16, read, read_list, write_list};
use crate::smb2::codec::{fixed_body, flags, record, structure};
use crate::smb2::{Body, Command};

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

impl Body for Request {
    const COMMAND: Command = Command::LOCK;
    const STRUCTURE_SIZE: u16 = 48;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let count: u16 = read(&mut rest, "LockCount")?;
        let request = Request {
            lock_sequence: read(&mut rest, "LockSequence")?,
            file_id: read(&mut rest, "FileId")?,
            locks: read_list(&mut rest, "Locks", usize::from(count))?,
        };
        Ok((rest, request))
    }

    fn write_body(&self, out: &mut Writer) {
        out.u16(Self::STRUCTURE_SIZE)
            .u16(len16(self.locks.len()))
            .u32(self.lock_sequence);
        self.file_id.write(out);
        write_list(&self.locks, out);
    }
}
