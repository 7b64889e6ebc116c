//! MS-SMB2 2.2.21, 2.2.22 WRITE: puts bytes into a file or a pipe.

use crate::smb2::codec::{flags, structure};
use crate::smb2::read::Channel;
use crate::smb2::{FileId, Layout};

flags! {
    /// MS-SMB2 2.2.21: how to write.
    WriteFlags(u32) {
        WRITE_THROUGH = 0x0000_0001,
        WRITE_UNBUFFERED = 0x0000_0002,
    }
}

structure! {
    /// MS-SMB2 2.2.21 WRITE Request.
    pub struct Request {
        /// Where the first byte goes, counted from the start of the file.
        pub offset: u64,
        /// The open.
        pub file_id: FileId,
        /// Where the data travels.
        pub channel: Channel,
        /// How many bytes the client will still write.
        pub remaining_bytes: u32,
        /// How to write.
        pub flags: WriteFlags,
        /// The bytes.
        pub data: Vec<u8>,
        /// `WriteChannelInfo`; empty without RDMA.
        pub write_channel_info: Vec<u8>,
        /// Where data and channel info lie.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.22 WRITE Response.
    pub struct Response {
        /// Reserved.
        pub reserved: u16,
        /// How many bytes were written.
        pub count: u32,
        /// Reserved.
        pub remaining: u32,
        /// Reserved, always empty in a legal message.
        pub write_channel_info: Vec<u8>,
        /// What follows the fixed fields.
        pub layout: Layout,
    }
}
