//! MS-SMB2 2.2.15, 2.2.16 CLOSE: gives an open back.

use crate::smb2::FileId;
use crate::smb2::codec::{fixed_body, flags, record};
use crate::smb2::fscc::{FileAttributes, FileTime};

flags! {
    /// MS-SMB2 2.2.15: the `Flags` of a CLOSE.
    CloseFlags(u16) {
        POSTQUERY_ATTRIB = 0x0001,
    }
}

record! {
    /// MS-SMB2 2.2.15 CLOSE Request.
    pub struct Request {
        /// Whether the response shall carry the attributes.
        pub flags: CloseFlags = "Flags",
        /// Zero in every legal message.
        pub reserved: u32 = "Reserved",
        /// The open to close.
        pub file_id: FileId = "FileId",
    }
}

record! {
    /// MS-SMB2 2.2.16 CLOSE Response. Times, sizes and attributes are zero unless they were
    /// asked for.
    pub struct Response {
        /// Whether the fields below are filled.
        pub flags: CloseFlags = "Flags",
        /// Zero in every legal message.
        pub reserved: u32 = "Reserved",
        /// When the file was made.
        pub creation_time: FileTime = "CreationTime",
        /// When it was last read.
        pub last_access_time: FileTime = "LastAccessTime",
        /// When it was last written.
        pub last_write_time: FileTime = "LastWriteTime",
        /// When it or its attributes last changed.
        pub change_time: FileTime = "ChangeTime",
        /// Room on the volume, in bytes.
        pub allocation_size: u64 = "AllocationSize",
        /// Length, in bytes.
        pub end_of_file: u64 = "EndofFile",
        /// The attributes.
        pub file_attributes: FileAttributes = "FileAttributes",
    }
}

fixed_body!(Request CLOSE 24, Response CLOSE 60);
