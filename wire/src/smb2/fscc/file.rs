//! MS-FSCC 2.4: the classes of files that have a fixed length.

use crate::smb2::codec::{record, standalone};
use crate::smb2::create::{AccessMask, CreateOptions};
use crate::smb2::fscc::{FileAttributes, FileTime};

record! {
    /// MS-FSCC 2.4 FileBasicInformation (4): times and attributes.
    pub struct FileBasicInformation {
        /// When the file was made.
        pub creation_time: FileTime = "CreationTime",
        /// When it was last read.
        pub last_access_time: FileTime = "LastAccessTime",
        /// When it was last written.
        pub last_write_time: FileTime = "LastWriteTime",
        /// When it or its attributes last changed.
        pub change_time: FileTime = "ChangeTime",
        /// The attributes; zero leaves them when set.
        pub file_attributes: FileAttributes = "FileAttributes",
        /// Reserved.
        pub reserved: u32 = "Reserved",
    }
}

record! {
    /// MS-FSCC 2.4 FileStandardInformation (5): sizes and what the file is.
    pub struct FileStandardInformation {
        /// Room on the volume, in bytes.
        pub allocation_size: u64 = "AllocationSize",
        /// Length, in bytes.
        pub end_of_file: u64 = "EndOfFile",
        /// How many names the file has.
        pub number_of_links: u32 = "NumberOfLinks",
        /// 1 when the file goes with its last handle.
        pub delete_pending: u8 = "DeletePending",
        /// 1 for directories.
        pub directory: u8 = "Directory",
        /// Reserved.
        pub reserved: u16 = "Reserved",
    }
}

record! {
    /// MS-FSCC 2.4 FileInternalInformation (6).
    pub struct FileInternalInformation {
        /// The file's number on its volume.
        pub index_number: u64 = "IndexNumber",
    }
}

record! {
    /// MS-FSCC 2.4 FileEaInformation (7).
    pub struct FileEaInformation {
        /// The length of all extended attributes, in bytes.
        pub ea_size: u32 = "EaSize",
    }
}

record! {
    /// MS-FSCC 2.4 FileAccessInformation (8).
    pub struct FileAccessInformation {
        /// What the open may do.
        pub access_flags: AccessMask = "AccessFlags",
    }
}

record! {
    /// MS-FSCC 2.4 FileDispositionInformation (13).
    pub struct FileDispositionInformation {
        /// Not zero: the file goes with its last handle.
        pub delete_pending: u8 = "DeletePending",
    }
}

record! {
    /// MS-FSCC 2.4 FilePositionInformation (14).
    pub struct FilePositionInformation {
        /// Where the next byte is read, in bytes.
        pub current_byte_offset: u64 = "CurrentByteOffset",
    }
}

record! {
    /// MS-FSCC 2.4 FileModeInformation (16).
    pub struct FileModeInformation {
        /// How the file was opened.
        pub mode: CreateOptions = "Mode",
    }
}

record! {
    /// MS-FSCC 2.4 FileAlignmentInformation (17).
    pub struct FileAlignmentInformation {
        /// How buffers must be aligned; 0 leaves them free.
        pub alignment_requirement: u32 = "AlignmentRequirement",
    }
}

record! {
    /// MS-FSCC 2.4 FileAllocationInformation (19).
    pub struct FileAllocationInformation {
        /// Room on the volume, in bytes.
        pub allocation_size: u64 = "AllocationSize",
    }
}

record! {
    /// MS-FSCC 2.4 FileEndOfFileInformation (20).
    pub struct FileEndOfFileInformation {
        /// Length, in bytes.
        pub end_of_file: u64 = "EndOfFile",
    }
}

record! {
    /// MS-FSCC 2.4 FileNetworkOpenInformation (34).
    pub struct FileNetworkOpenInformation {
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
        pub end_of_file: u64 = "EndOfFile",
        /// The attributes.
        pub file_attributes: FileAttributes = "FileAttributes",
        /// Reserved.
        pub reserved: u32 = "Reserved",
    }
}

record! {
    /// MS-FSCC 2.4 FileAttributeTagInformation (35).
    pub struct FileAttributeTagInformation {
        /// The attributes.
        pub file_attributes: FileAttributes = "FileAttributes",
        /// What kind of reparse point it is; zero when it is none.
        pub reparse_tag: u32 = "ReparseTag",
    }
}

record! {
    /// MS-FSCC 2.4 FileIdInformation (59).
    pub struct FileIdInformation {
        /// The volume.
        pub volume_serial_number: u64 = "VolumeSerialNumber",
        /// The file's number on it.
        pub file_id: [u8; 16] = "FileId",
    }
}

standalone!(
    FileBasicInformation,
    FileStandardInformation,
    FileInternalInformation,
    FileEaInformation,
    FileAccessInformation,
    FileDispositionInformation,
    FilePositionInformation,
    FileModeInformation,
    FileAlignmentInformation,
    FileAllocationInformation,
    FileEndOfFileInformation,
    FileNetworkOpenInformation,
    FileAttributeTagInformation,
    FileIdInformation
);

#[cfg(test)]
mod tests {
    use super::{
        FileAttributeTagInformation, FileBasicInformation, FileIdInformation,
        FileNetworkOpenInformation, FileStandardInformation,
    };
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_those_of_ms_fscc() {
        assert_eq!(FileBasicInformation::WIRE_LEN, 40);
        assert_eq!(FileStandardInformation::WIRE_LEN, 24);
        assert_eq!(FileNetworkOpenInformation::WIRE_LEN, 56);
        assert_eq!(FileAttributeTagInformation::WIRE_LEN, 8);
        assert_eq!(FileIdInformation::WIRE_LEN, 24);
    }

    proptest! {
        #[test]
        fn records_survive_the_wire(
            basic in FileBasicInformation::sample(),
            standard in FileStandardInformation::sample(),
        ) {
            prop_assert_eq!(FileBasicInformation::parse(&basic.emit()).unwrap(), basic);
            prop_assert_eq!(FileStandardInformation::parse(&standard.emit()).unwrap(), standard);
        }

        #[test]
        fn the_end_of_the_bytes_is_an_error(length in 0..40_usize) {
            prop_assert!(FileBasicInformation::parse(&[0; 40][..length]).is_err());
        }
    }
}
