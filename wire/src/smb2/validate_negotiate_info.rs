//! MS-SMB2 2.2.31.4, 2.2.32.6 VALIDATE_NEGOTIATE_INFO: guards the negotiation of dialects 3.0
//! and 3.0.2 against a man in the middle.

use crate::smb2::codec::{record, standalone, structure};
use crate::smb2::negotiate::{Capabilities, Dialect, SecurityMode};
use uuid::Uuid;

structure! {
    /// MS-SMB2 2.2.31.4 VALIDATE_NEGOTIATE_INFO Request: what the client sent in NEGOTIATE.
    pub struct Request {
        /// The capabilities.
        pub capabilities: Capabilities,
        /// The client's id.
        pub guid: Uuid,
        /// The security mode.
        pub security_mode: SecurityMode,
        /// The dialects, in the order of the NEGOTIATE.
        pub dialects: Vec<Dialect>,
    }
}

record! {
    /// MS-SMB2 2.2.32.6 VALIDATE_NEGOTIATE_INFO Response: what the server answered.
    pub struct Response {
        /// The capabilities.
        pub capabilities: Capabilities = "Capabilities",
        /// The server's id.
        pub guid: Uuid = "Guid",
        /// The security mode.
        pub security_mode: SecurityMode = "SecurityMode",
        /// The dialect.
        pub dialect: Dialect = "Dialect",
    }
}

standalone!(Response);
