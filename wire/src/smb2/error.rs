//! MS-SMB2 2.2.2 ERROR Response: what comes instead of a command's own response.

use crate::smb2::codec::{codes, structure};
use crate::smb2::{Command, Layout, NtStatus};

codes! {
    /// MS-SMB2 2.2.2.1: what an error context is about.
    ErrorId(u32) {
        DEFAULT = 0x0000_0000,
        SHARE_REDIRECT = 0x7264_5253,
    }
}

structure! {
    /// MS-SMB2 2.2.2.1 SMB2 ERROR Context Response, of dialect 3.1.1.
    pub struct ErrorContext {
        /// What the data is.
        pub error_id: ErrorId,
        /// The data.
        pub error_context_data: Vec<u8>,
    }
}

structure! {
    /// MS-SMB2 2.2.2 SMB2 ERROR Response.
    pub struct Response {
        /// How many contexts `error_data` holds in dialect 3.1.1; reserved before.
        pub error_context_count: u8,
        /// Reserved.
        pub reserved: u8,
        /// The data; see [`Response::contexts`]. A canonical empty one sends one zero byte.
        pub error_data: Vec<u8>,
        /// What follows it.
        pub layout: Layout,
    }
}

/// MS-SMB2 3.3.4.4: whether a response of `command` with `status` has the ERROR body.
///
/// An IOCTL with `INVALID_PARAMETER` may have either body (copy chunk reports its limits with it);
/// the answer here is the ERROR body, and [`crate::smb2::Message`] looks at `StructureSize`.
#[must_use]
pub fn is_error_response(command: Command, status: NtStatus) -> bool {
    match status {
        NtStatus::MORE_PROCESSING_REQUIRED => command != Command::SESSION_SETUP,
        NtStatus::BUFFER_OVERFLOW => !matches!(
            command,
            Command::QUERY_INFO | Command::IOCTL | Command::READ | Command::QUERY_DIRECTORY
        ),
        NtStatus::NOTIFY_ENUM_DIR => command != Command::CHANGE_NOTIFY,
        NtStatus::PENDING => true,
        _ => !status.is_success(),
    }
}
