//! MS-SMB2 2.2.3, 2.2.4 NEGOTIATE: dialect, capabilities and algorithms of a connection.

use crate::smb2::Layout;
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::fscc::FileTime;
use crate::smb2::negotiate_contexts::NegotiateContext;
use uuid::Uuid;

codes! {
    /// MS-SMB2 2.2.3: a dialect's revision.
    Dialect(u16) {
        SMB_2_0_2 = 0x0202,
        SMB_2_1 = 0x0210,
        SMB_2_WILDCARD = 0x02FF,
        SMB_3_0 = 0x0300,
        SMB_3_0_2 = 0x0302,
        SMB_3_1_1 = 0x0311,
    }
}

flags! {
    /// MS-SMB2 2.2.3: how a side stands to signing; one byte wide in SESSION_SETUP.
    SecurityMode(u16) {
        SIGNING_ENABLED = 0x0001,
        SIGNING_REQUIRED = 0x0002,
    }
}

flags! {
    /// MS-SMB2 2.2.3, 2.2.4: what a side can do.
    Capabilities(u32) {
        DFS = 0x0000_0001,
        LEASING = 0x0000_0002,
        LARGE_MTU = 0x0000_0004,
        MULTI_CHANNEL = 0x0000_0008,
        PERSISTENT_HANDLES = 0x0000_0010,
        DIRECTORY_LEASING = 0x0000_0020,
        ENCRYPTION = 0x0000_0040,
        NOTIFICATIONS = 0x0000_0080,
    }
}

structure! {
    /// MS-SMB2 2.2.3 NEGOTIATE Request.
    ///
    /// `NegotiateContextOffset` and `NegotiateContextCount` travel when `dialects` holds 3.1.1;
    /// otherwise the same eight bytes are `client_start_time`.
    pub struct Request {
        /// How the client stands to signing.
        pub security_mode: SecurityMode,
        /// Zero in every legal message.
        pub reserved: u16,
        /// What the client can do; reserved below 3.0.
        pub capabilities: Capabilities,
        /// Names the client; zero when it offers 2.0.2 alone.
        pub client_guid: Uuid,
        /// The same bytes as the context fields; zero in every legal message without 3.1.1, and
        /// not on the wire with it.
        pub client_start_time: FileTime,
        /// `Reserved2` behind the context count; on the wire only with 3.1.1.
        pub reserved2: u16,
        /// The dialects offered, in the client's order.
        pub dialects: Vec<Dialect>,
        /// The contexts; on the wire only with 3.1.1.
        pub negotiate_contexts: Vec<NegotiateContext>,
        /// Where the contexts lie.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.4 NEGOTIATE Response.
    ///
    /// `NegotiateContextCount` and `NegotiateContextOffset` travel when `dialect_revision` is
    /// 3.1.1; otherwise the same bytes are `reserved` and `reserved2`.
    pub struct Response {
        /// How the server stands to signing.
        pub security_mode: SecurityMode,
        /// The dialect that the server chose.
        pub dialect_revision: Dialect,
        /// Bytes of the context count; on the wire only without 3.1.1.
        pub reserved: u16,
        /// Names the server.
        pub server_guid: Uuid,
        /// What the server can do.
        pub capabilities: Capabilities,
        /// The longest buffer of QUERY_INFO, SET_INFO, IOCTL and others, in bytes.
        pub max_transact_size: u32,
        /// The longest READ, in bytes.
        pub max_read_size: u32,
        /// The longest WRITE, in bytes.
        pub max_write_size: u32,
        /// The server's clock.
        pub system_time: FileTime,
        /// Zero in every legal message.
        pub server_start_time: FileTime,
        /// Bytes of the context offset; on the wire only without 3.1.1.
        pub reserved2: u32,
        /// The server's first SPNEGO token; may be empty.
        pub security_buffer: Vec<u8>,
        /// The contexts; on the wire only with 3.1.1.
        pub negotiate_contexts: Vec<NegotiateContext>,
        /// Where the token and the contexts lie.
        pub layout: Layout,
    }
}
