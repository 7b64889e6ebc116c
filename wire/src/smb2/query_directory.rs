//! MS-SMB2 2.2.33, 2.2.34 QUERY_DIRECTORY: lists a directory.

use crate::smb2::codec::{flags, structure};
use crate::smb2::fscc::FileInfoClass;
use crate::smb2::{FileId, Layout, Utf16};

flags! {
    /// MS-SMB2 2.2.33: where to go on.
    QueryDirectoryFlags(u8) {
        RESTART_SCANS = 0x01,
        RETURN_SINGLE_ENTRY = 0x02,
        INDEX_SPECIFIED = 0x04,
        REOPEN = 0x10,
    }
}

structure! {
    /// MS-SMB2 2.2.33 QUERY_DIRECTORY Request.
    pub struct Request {
        /// The form of the entries.
        pub file_information_class: FileInfoClass,
        /// Where to go on.
        pub flags: QueryDirectoryFlags,
        /// Where to go on, when the flag says so.
        pub file_index: u32,
        /// The open.
        pub file_id: FileId,
        /// The longest buffer that the response may carry, in bytes.
        pub output_buffer_length: u32,
        /// The search pattern.
        pub file_name: Utf16,
        /// Where the pattern lies.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.34 QUERY_DIRECTORY Response.
    pub struct Response {
        /// The entries; see [`crate::smb2::fscc::directory`].
        pub buffer: Vec<u8>,
        /// Where they lie.
        pub layout: Layout,
    }
}
