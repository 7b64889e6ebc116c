//! MS-SMB2 2.2.17, 2.2.18 FLUSH: makes what was written durable.

use crate::smb2::FileId;
use crate::smb2::codec::{fixed_body, record};

record! {
    /// MS-SMB2 2.2.17 FLUSH Request.
    pub struct Request {
        /// Zero in every legal message.
        pub reserved1: u16 = "Reserved1",
        /// Zero in every legal message.
        pub reserved2: u32 = "Reserved2",
        /// The open to flush.
        pub file_id: FileId = "FileId",
    }
}

record! {
    /// MS-SMB2 2.2.18 FLUSH Response.
    pub struct Response {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

fixed_body!(Request FLUSH 24, Response FLUSH 4);
