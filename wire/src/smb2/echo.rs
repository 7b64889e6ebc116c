//! MS-SMB2 2.2.28, 2.2.29 ECHO: asks whether the server lives.

use crate::smb2::codec::{fixed_body, record};

record! {
    /// MS-SMB2 2.2.28 ECHO Request.
    pub struct Request {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

record! {
    /// MS-SMB2 2.2.29 ECHO Response.
    pub struct Response {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

fixed_body!(Request ECHO 4, Response ECHO 4);
