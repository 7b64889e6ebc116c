//! MS-SMB2 2.2.9, 2.2.10 TREE_CONNECT: enters a share.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::{codes, fixed_body, flags, record, structure};
use crate::smb2::codec::{len16, read, within};
use crate::smb2::create::AccessMask;
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, PATH_MAX};
use crate::smb2::{Layout, Utf16};

flags! {
    /// MS-SMB2 2.2.9: the `Flags` of the request; reserved below 3.1.1.
    TreeConnectFlags(u16) {
        CLUSTER_RECONNECT = 0x0001,
        REDIRECT_TO_OWNER = 0x0002,
        EXTENSION_PRESENT = 0x0004,
    }
}

codes! {
    /// MS-SMB2 2.2.10: what is shared.
    ShareType(u8) {
        DISK = 0x01,
        PIPE = 0x02,
        PRINT = 0x03,
    }
}

flags! {
    /// MS-SMB2 2.2.10: properties of the share. The caching modes are values of two bits.
    ShareFlags(u32) {
        DFS = 0x0000_0001,
        DFS_ROOT = 0x0000_0002,
        CACHING_MASK = 0x0000_0030,
        NO_CACHING = 0x0000_0030,
        VDO_CACHING = 0x0000_0020,
        AUTO_CACHING = 0x0000_0010,
        RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100,
        FORCE_SHARED_DELETE = 0x0000_0200,
        ALLOW_NAMESPACE_CACHING = 0x0000_0400,
        ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800,
        FORCE_LEVELII_OPLOCK = 0x0000_1000,
        ENABLE_HASH_V1 = 0x0000_2000,
        ENABLE_HASH_V2 = 0x0000_4000,
        ENCRYPT_DATA = 0x0000_8000,
        IDENTITY_REMOTING = 0x0004_0000,
        COMPRESS_DATA = 0x0010_0000,
        ISOLATED_TRANSPORT = 0x0020_0000,
    }
}

flags! {
    /// MS-SMB2 2.2.10: what the share can do.
    ShareCapabilities(u32) {
        DFS = 0x0000_0008,
        CONTINUOUS_AVAILABILITY = 0x0000_0010,
        SCALEOUT = 0x0000_0020,
        CLUSTER = 0x0000_0040,
        ASYMMETRIC = 0x0000_0080,
        REDIRECT_TO_OWNER = 0x0000_0100,
    }
}

structure! {
    /// MS-SMB2 2.2.9 TREE_CONNECT Request.
    ///
    /// With `EXTENSION_PRESENT` the extension of 2.2.9.1 stands between the fixed fields and the
    /// path; its bytes are in `layout`.
    pub struct Request {
        /// The flags of 3.1.1; reserved before.
        pub flags: TreeConnectFlags,
        /// `\\server\share`.
        pub path: Utf16,
        /// Where the path lies, and the extension with it.
        pub layout: Layout,
    }
}

record! {
    /// MS-SMB2 2.2.10 TREE_CONNECT Response.
    pub struct Response {
        /// What is shared.
        pub share_type: ShareType = "ShareType",
        /// Zero in every legal message.
        pub reserved: u8 = "Reserved",
        /// Properties of the share.
        pub share_flags: ShareFlags = "ShareFlags",
        /// What the share can do.
        pub capabilities: ShareCapabilities = "Capabilities",
        /// The most that this user may do here.
        pub maximal_access: AccessMask = "MaximalAccess",
    }
}

fixed_body!(Response TREE_CONNECT 16);

impl Body for Request {
    const COMMAND: Command = Command::TREE_CONNECT;
    const STRUCTURE_SIZE: u16 = 9;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let flags = read(&mut rest, "Flags")?;
        let at: u16 = read(&mut rest, "PathOffset")?;
        let length: u16 = read(&mut rest, "PathLength")?;
        within(rest, "PathLength", usize::from(length), PATH_MAX)?;
        let fixed_end = message.len() - rest.len();
        let path = part(
            message,
            "PathName",
            fixed_end,
            usize::from(at),
            usize::from(length),
        )?;
        let parts = [Part::new(path, 1)];
        let request = Request {
            flags,
            path: Utf16::read(path, "PathName")?,
            layout: Layout::detect(fixed_end, 1, &parts, &[u32::from(at)], rest),
        };
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let path = self.path.to_bytes();
        let placed = self.layout.place(out.len() + 8, 1, &[Part::new(&path, 1)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(self.flags.0)
            .u16(placed.offset16(0))
            .u16(len16(path.len()))
            .bytes(&placed.area);
    }
}
