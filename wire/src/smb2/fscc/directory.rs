//! MS-FSCC 2.4: the classes of directory entries, for QUERY_DIRECTORY.
//!
//! One structure, [`DirectoryEntry`], holds what any of the classes can hold; [`emit_list`] and
//! [`parse_list`] take the class that says which fields travel.

use crate::smb2::Utf16;
use crate::smb2::codec::structure;
use crate::smb2::fscc::{FileAttributes, FileTime};

/// The most entries of one buffer that are read.
pub const ENTRIES_MAX: usize = 1 << 16;

structure! {
    /// MS-FSCC 2.4.10, 2.4.15, 2.4.8, 2.4.33, 2.4.18, 2.4.19: one entry of a directory.
    ///
    /// Class 12 (names) has `file_index` and `file_name` alone. Classes 2, 3, 37 and 38 have
    /// `ea_size`; 3 and 37 have `short_name`; 37 and 38 have `file_id`.
    pub struct DirectoryEntry {
        /// Where the entry stands; zero on file systems without an order.
        pub file_index: u32,
        /// When the file was made.
        pub creation_time: FileTime,
        /// When it was last read.
        pub last_access_time: FileTime,
        /// When it was last written.
        pub last_write_time: FileTime,
        /// When it or its attributes last changed.
        pub change_time: FileTime,
        /// Length, in bytes.
        pub end_of_file: u64,
        /// Room on the volume, in bytes.
        pub allocation_size: u64,
        /// The attributes.
        pub file_attributes: FileAttributes,
        /// The length of all extended attributes, in bytes, or the tag of a reparse point.
        pub ea_size: u32,
        /// The 8.3 name, at most 12 units; empty when there is none.
        pub short_name: Utf16,
        /// The file's number on its volume.
        pub file_id: u64,
        /// The name.
        pub file_name: Utf16,
    }
}
