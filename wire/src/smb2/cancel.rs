//! MS-SMB2 2.2.30 CANCEL: takes a waiting request back; there is no response.

use crate::smb2::codec::{fixed_body, record};

record! {
    /// MS-SMB2 2.2.30 CANCEL Request. The header's message id or async id names the request.
    pub struct Request {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
    }
}

fixed_body!(Request CANCEL 4);
