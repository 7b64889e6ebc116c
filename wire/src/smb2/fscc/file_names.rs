//! MS-FSCC 2.4: the classes of files that hold names.

use crate::smb2::Utf16;
use crate::smb2::codec::structure;
use crate::smb2::fscc::file::{
    FileAccessInformation, FileAlignmentInformation, FileBasicInformation, FileEaInformation,
    FileInternalInformation, FileModeInformation, FilePositionInformation, FileStandardInformation,
};

structure! {
    /// MS-FSCC 2.1.7 FILE_NAME_INFORMATION: classes 9 (name), 21 (alternate name) and 48
    /// (normalized name).
    pub struct FileNameInformation {
        /// The name, in the form that the class wants.
        pub file_name: Utf16,
    }
}

structure! {
    /// MS-FSCC 2.4.42.2 FileRenameInformation for SMB2 (10), also FileLinkInformation (11).
    pub struct FileRenameInformation {
        /// Not zero: a file of the new name goes.
        pub replace_if_exists: u8,
        /// Reserved; kept as it came.
        pub reserved: [u8; 7],
        /// Zero over SMB2.
        pub root_directory: u64,
        /// The new name from the share's root.
        pub file_name: Utf16,
    }
}

structure! {
    /// MS-FSCC 2.4.2 FileAllInformation (18).
    pub struct FileAllInformation {
        /// Times and attributes.
        pub basic: FileBasicInformation,
        /// Sizes.
        pub standard: FileStandardInformation,
        /// The file's number.
        pub internal: FileInternalInformation,
        /// Extended attributes.
        pub ea: FileEaInformation,
        /// What the open may do.
        pub access: FileAccessInformation,
        /// Where it stands.
        pub position: FilePositionInformation,
        /// How it was opened.
        pub mode: FileModeInformation,
        /// How buffers must be aligned.
        pub alignment: FileAlignmentInformation,
        /// The name.
        pub name: FileNameInformation,
    }
}

structure! {
    /// MS-FSCC 2.4.49 FileStreamInformation (22): one stream; the class is a list of them.
    pub struct FileStreamInformation {
        /// Length, in bytes.
        pub stream_size: u64,
        /// Room on the volume, in bytes.
        pub stream_allocation_size: u64,
        /// `:name:$DATA`, and `::$DATA` for the file itself.
        pub stream_name: Utf16,
    }
}
