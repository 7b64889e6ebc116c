//! MS-SMB2 2.2.5, 2.2.6 SESSION_SETUP: one leg of a logon.

use crate::smb2::Layout;
use crate::smb2::codec::{flags, structure};

flags! {
    /// MS-SMB2 2.2.5: the `Flags` of the request.
    SessionSetupFlags(u8) {
        BINDING = 0x01,
    }
}

flags! {
    /// MS-SMB2 2.2.5: the one-byte form of the security mode.
    SecurityMode(u8) {
        SIGNING_ENABLED = 0x01,
        SIGNING_REQUIRED = 0x02,
    }
}

flags! {
    /// MS-SMB2 2.2.6: what kind of session it became.
    SessionFlags(u16) {
        IS_GUEST = 0x0001,
        IS_NULL = 0x0002,
        ENCRYPT_DATA = 0x0004,
    }
}

structure! {
    /// MS-SMB2 2.2.5 SESSION_SETUP Request.
    pub struct Request {
        /// Whether the session is bound to a further connection.
        pub flags: SessionSetupFlags,
        /// How the client stands to signing.
        pub security_mode: SecurityMode,
        /// Bit 0: DFS; see [`crate::smb2::negotiate::Capabilities`].
        pub capabilities: u32,
        /// Zero in every legal message.
        pub channel: u32,
        /// A session that this one replaces after a reconnect; else zero.
        pub previous_session_id: u64,
        /// The client's SPNEGO or NTLM token.
        pub security_buffer: Vec<u8>,
        /// Where the token lies.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.6 SESSION_SETUP Response; also with `MORE_PROCESSING_REQUIRED`.
    pub struct Response {
        /// What kind of session it became.
        pub session_flags: SessionFlags,
        /// The server's token.
        pub security_buffer: Vec<u8>,
        /// Where the token lies.
        pub layout: Layout,
    }
}
