//! MS-SMB2 2.2.7, 2.2.8 LOGOFF: ends a session.

use crate::smb2::codec::{fixed_body, record};

record! {
    /// MS-SMB2 2.2.7 LOGOFF Request.
    pub struct Request {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

record! {
    /// MS-SMB2 2.2.8 LOGOFF Response.
    pub struct Response {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

fixed_body!(Request LOGOFF 4, Response LOGOFF 4);
