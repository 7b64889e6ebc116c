//! MS-SMB2 2.2.11, 2.2.12 TREE_DISCONNECT: leaves a share.

use crate::smb2::codec::{fixed_body, record};

record! {
    /// MS-SMB2 2.2.11 TREE_DISCONNECT Request.
    pub struct Request {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

record! {
    /// MS-SMB2 2.2.12 TREE_DISCONNECT Response.
    pub struct Response {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

fixed_body!(Request TREE_DISCONNECT 4, Response TREE_DISCONNECT 4);
