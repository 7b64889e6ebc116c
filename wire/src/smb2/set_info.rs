//! MS-SMB2 2.2.39, 2.2.40 SET_INFO: changes a file, its file system or its security.

use crate::smb2::codec::{fixed_body, record, structure};
use crate::smb2::query_info::{InfoType, SecurityInformation};
use crate::smb2::{FileId, Layout};

structure! {
    /// MS-SMB2 2.2.39 SET_INFO Request.
    pub struct Request {
        /// The family.
        pub info_type: InfoType,
        /// The class: a [`crate::smb2::fscc::FileInfoClass`] or
        /// [`crate::smb2::fscc::FsInfoClass`] by `info_type`.
        pub file_info_class: u8,
        /// Reserved.
        pub reserved: u16,
        /// Which parts of the security descriptor.
        pub additional_information: SecurityInformation,
        /// The open.
        pub file_id: FileId,
        /// The structure of the class; see [`crate::smb2::fscc`].
        pub buffer: Vec<u8>,
        /// Where it lies.
        pub layout: Layout,
    }
}

record! {
    /// MS-SMB2 2.2.40 SET_INFO Response: nothing but its `StructureSize`.
    pub struct Response {
    }
}

fixed_body!(Response SET_INFO 2);
