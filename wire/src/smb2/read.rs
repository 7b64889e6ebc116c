//! MS-SMB2 2.2.19, 2.2.20 READ: takes bytes from a file or a pipe.

use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::{FileId, Layout};

flags! {
    /// MS-SMB2 2.2.19: the `Flags` of the request; reserved below 3.0.2.
    ReadFlags(u8) {
        READ_UNBUFFERED = 0x01,
        REQUEST_COMPRESSED = 0x02,
    }
}

codes! {
    /// MS-SMB2 2.2.19: where the data travels.
    Channel(u32) {
        NONE = 0x0000_0000,
        RDMA_V1 = 0x0000_0001,
        RDMA_V1_INVALIDATE = 0x0000_0002,
        RDMA_TRANSFORM = 0x0000_0003,
    }
}

structure! {
    /// MS-SMB2 2.2.19 READ Request.
    pub struct Request {
        /// Where the client wants the data in the response, from its header, in bytes.
        pub padding: u8,
        /// How to read.
        pub flags: ReadFlags,
        /// How many bytes at most.
        pub length: u32,
        /// The first byte, counted from the start of the file; zero on pipes.
        pub offset: u64,
        /// The open.
        pub file_id: FileId,
        /// Below this many bytes the read fails.
        pub minimum_count: u32,
        /// Where the data travels.
        pub channel: Channel,
        /// How many bytes the client will still read.
        pub remaining_bytes: u32,
        /// `ReadChannelInfo`; empty without RDMA.
        pub read_channel_info: Vec<u8>,
        /// Where it lies; a canonical request ends with one zero byte instead.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.20 READ Response; on pipes also with `BUFFER_OVERFLOW`.
    pub struct Response {
        /// Reserved.
        pub reserved: u8,
        /// How many bytes travel on another channel.
        pub data_remaining: u32,
        /// Reserved below 3.1.1, flags since.
        pub reserved2: u32,
        /// The bytes.
        pub data: Vec<u8>,
        /// Where they lie.
        pub layout: Layout,
    }
}
