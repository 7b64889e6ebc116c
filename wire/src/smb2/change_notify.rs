//! MS-SMB2 2.2.35, 2.2.36 CHANGE_NOTIFY: waits for changes in a directory.

use crate::smb2::codec::{fixed_body, flags, record, structure};
use crate::smb2::{FileId, Layout};

flags! {
    /// MS-SMB2 2.2.35: the `Flags` of the request.
    ChangeNotifyFlags(u16) {
        WATCH_TREE = 0x0001,
    }
}

flags! {
    /// MS-SMB2 2.2.35: which changes count.
    CompletionFilter(u32) {
        FILE_NAME = 0x0000_0001,
        DIR_NAME = 0x0000_0002,
        ATTRIBUTES = 0x0000_0004,
        SIZE = 0x0000_0008,
        LAST_WRITE = 0x0000_0010,
        LAST_ACCESS = 0x0000_0020,
        CREATION = 0x0000_0040,
        EA = 0x0000_0080,
        SECURITY = 0x0000_0100,
        STREAM_NAME = 0x0000_0200,
        STREAM_SIZE = 0x0000_0400,
        STREAM_WRITE = 0x0000_0800,
    }
}

record! {
    /// MS-SMB2 2.2.35 CHANGE_NOTIFY Request.
    pub struct Request {
        /// Whether directories below count.
        pub flags: ChangeNotifyFlags = "Flags",
        /// The longest buffer that the response may carry, in bytes.
        pub output_buffer_length: u32 = "OutputBufferLength",
        /// The open.
        pub file_id: FileId = "FileId",
        /// Which changes count.
        pub completion_filter: CompletionFilter = "CompletionFilter",
        /// Reserved.
        pub reserved: u32 = "Reserved",
    }
}

structure! {
    /// MS-SMB2 2.2.36 CHANGE_NOTIFY Response.
    pub struct Response {
        /// FILE_NOTIFY_INFORMATION entries, MS-FSCC 2.7.1.
        pub buffer: Vec<u8>,
        /// Where they lie.
        pub layout: Layout,
    }
}

fixed_body!(Request CHANGE_NOTIFY 32);
