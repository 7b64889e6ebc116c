//! MS-SMB2 2.2.37, 2.2.38 QUERY_INFO: asks about a file, its file system or its security.

use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::{FileId, Layout};

codes! {
    /// MS-SMB2 2.2.37: which family of classes.
    InfoType(u8) {
        FILE = 0x01,
        FILESYSTEM = 0x02,
        SECURITY = 0x03,
        QUOTA = 0x04,
    }
}

flags! {
    /// MS-SMB2 2.2.37: `AdditionalInformation` when security is asked for or set.
    SecurityInformation(u32) {
        OWNER = 0x0000_0001,
        GROUP = 0x0000_0002,
        DACL = 0x0000_0004,
        SACL = 0x0000_0008,
        LABEL = 0x0000_0010,
        ATTRIBUTE = 0x0000_0020,
        SCOPE = 0x0000_0040,
        BACKUP = 0x0001_0000,
    }
}

structure! {
    /// MS-SMB2 2.2.37 QUERY_INFO Request.
    pub struct Request {
        /// The family.
        pub info_type: InfoType,
        /// The class: a [`crate::smb2::fscc::FileInfoClass`] or
        /// [`crate::smb2::fscc::FsInfoClass`] by `info_type`.
        pub file_info_class: u8,
        /// The longest buffer that the response may carry, in bytes.
        pub output_buffer_length: u32,
        /// Reserved.
        pub reserved: u16,
        /// Which parts of the security descriptor.
        pub additional_information: SecurityInformation,
        /// Where to go on among extended attributes.
        pub flags: u32,
        /// The open.
        pub file_id: FileId,
        /// Which extended attributes or quotas; else empty.
        pub input_buffer: Vec<u8>,
        /// Where it lies.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.38 QUERY_INFO Response; also with `BUFFER_OVERFLOW`.
    pub struct Response {
        /// The structure of the class; see [`crate::smb2::fscc`].
        pub buffer: Vec<u8>,
        /// Where it lies.
        pub layout: Layout,
    }
}
