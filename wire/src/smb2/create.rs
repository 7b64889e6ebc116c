//! MS-SMB2 2.2.13, 2.2.14 CREATE: opens or makes a file, a directory or a pipe.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len16, len32, read, within};
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::create_contexts::CreateContext;
use crate::smb2::create_contexts::{CONTEXTS_MAX, emit_contexts, read_contexts};
use crate::smb2::fscc::{FileAttributes, FileTime};
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, PATH_MAX};
use crate::smb2::{FileId, Layout, Utf16};

codes! {
    /// MS-SMB2 2.2.13: how a client may cache.
    OplockLevel(u8) {
        NONE = 0x00,
        II = 0x01,
        EXCLUSIVE = 0x08,
        BATCH = 0x09,
        LEASE = 0xFF,
    }
}

codes! {
    /// MS-SMB2 2.2.13: how far the server may act as the client.
    ImpersonationLevel(u32) {
        ANONYMOUS = 0,
        IDENTIFICATION = 1,
        IMPERSONATION = 2,
        DELEGATE = 3,
    }
}

flags! {
    /// MS-SMB2 2.2.13.1: what an open may do. Bits 0, 1, 2 and 6 have another name for
    /// directories: `LIST_DIRECTORY`, `ADD_FILE`, `ADD_SUBDIRECTORY`, `DELETE_CHILD`.
    AccessMask(u32) {
        FILE_READ_DATA = 0x0000_0001,
        FILE_LIST_DIRECTORY = 0x0000_0001,
        FILE_WRITE_DATA = 0x0000_0002,
        FILE_ADD_FILE = 0x0000_0002,
        FILE_APPEND_DATA = 0x0000_0004,
        FILE_ADD_SUBDIRECTORY = 0x0000_0004,
        FILE_READ_EA = 0x0000_0008,
        FILE_WRITE_EA = 0x0000_0010,
        FILE_EXECUTE = 0x0000_0020,
        FILE_TRAVERSE = 0x0000_0020,
        FILE_DELETE_CHILD = 0x0000_0040,
        FILE_READ_ATTRIBUTES = 0x0000_0080,
        FILE_WRITE_ATTRIBUTES = 0x0000_0100,
        DELETE = 0x0001_0000,
        READ_CONTROL = 0x0002_0000,
        WRITE_DAC = 0x0004_0000,
        WRITE_OWNER = 0x0008_0000,
        SYNCHRONIZE = 0x0010_0000,
        ACCESS_SYSTEM_SECURITY = 0x0100_0000,
        MAXIMUM_ALLOWED = 0x0200_0000,
        GENERIC_ALL = 0x1000_0000,
        GENERIC_EXECUTE = 0x2000_0000,
        GENERIC_WRITE = 0x4000_0000,
        GENERIC_READ = 0x8000_0000,
    }
}

impl AccessMask {
    /// Every right that a file has: what `GENERIC_ALL` stands for.
    pub const FILE_ALL_ACCESS: AccessMask = AccessMask(0x001F_01FF);
    /// What `GENERIC_READ` stands for on files.
    pub const FILE_GENERIC_READ: AccessMask = AccessMask(0x0012_0089);
    /// What `GENERIC_WRITE` stands for on files.
    pub const FILE_GENERIC_WRITE: AccessMask = AccessMask(0x0012_0116);
    /// What `GENERIC_EXECUTE` stands for on files.
    pub const FILE_GENERIC_EXECUTE: AccessMask = AccessMask(0x0012_00A0);
}

flags! {
    /// MS-SMB2 2.2.13: what others may do at the same time.
    ShareAccess(u32) {
        READ = 0x0000_0001,
        WRITE = 0x0000_0002,
        DELETE = 0x0000_0004,
    }
}

codes! {
    /// MS-SMB2 2.2.13: what to do when the file is there, and when it is not.
    CreateDisposition(u32) {
        SUPERSEDE = 0,
        OPEN = 1,
        CREATE = 2,
        OPEN_IF = 3,
        OVERWRITE = 4,
        OVERWRITE_IF = 5,
    }
}

flags! {
    /// MS-SMB2 2.2.13: how to open.
    CreateOptions(u32) {
        DIRECTORY_FILE = 0x0000_0001,
        WRITE_THROUGH = 0x0000_0002,
        SEQUENTIAL_ONLY = 0x0000_0004,
        NO_INTERMEDIATE_BUFFERING = 0x0000_0008,
        SYNCHRONOUS_IO_ALERT = 0x0000_0010,
        SYNCHRONOUS_IO_NONALERT = 0x0000_0020,
        NON_DIRECTORY_FILE = 0x0000_0040,
        COMPLETE_IF_OPLOCKED = 0x0000_0100,
        NO_EA_KNOWLEDGE = 0x0000_0200,
        RANDOM_ACCESS = 0x0000_0800,
        DELETE_ON_CLOSE = 0x0000_1000,
        OPEN_BY_FILE_ID = 0x0000_2000,
        OPEN_FOR_BACKUP_INTENT = 0x0000_4000,
        NO_COMPRESSION = 0x0000_8000,
        OPEN_REMOTE_INSTANCE = 0x0000_0400,
        OPEN_REQUIRING_OPLOCK = 0x0001_0000,
        DISALLOW_EXCLUSIVE = 0x0002_0000,
        RESERVE_OPFILTER = 0x0010_0000,
        OPEN_REPARSE_POINT = 0x0020_0000,
        OPEN_NO_RECALL = 0x0040_0000,
        OPEN_FOR_FREE_SPACE_QUERY = 0x0080_0000,
    }
}

codes! {
    /// MS-SMB2 2.2.14: what was done.
    CreateAction(u32) {
        SUPERSEDED = 0,
        OPENED = 1,
        CREATED = 2,
        OVERWRITTEN = 3,
    }
}

flags! {
    /// MS-SMB2 2.2.14: the `Flags` of the response.
    CreateResponseFlags(u8) {
        REPARSEPOINT = 0x01,
    }
}

structure! {
    /// MS-SMB2 2.2.13 CREATE Request.
    pub struct Request {
        /// Reserved.
        pub security_flags: u8,
        /// The caching right that is asked for.
        pub requested_oplock_level: OplockLevel,
        /// How far the server may act as the client.
        pub impersonation_level: ImpersonationLevel,
        /// Reserved.
        pub smb_create_flags: u64,
        /// Reserved.
        pub reserved: u64,
        /// What the open shall be able to do.
        pub desired_access: AccessMask,
        /// The attributes of a file that is made.
        pub file_attributes: FileAttributes,
        /// What others may do at the same time.
        pub share_access: ShareAccess,
        /// What to do when the file is there, and when it is not.
        pub create_disposition: CreateDisposition,
        /// How to open.
        pub create_options: CreateOptions,
        /// The path from the share's root, with `\` between names and none in front.
        pub name: Utf16,
        /// Extensions.
        pub create_contexts: Vec<CreateContext>,
        /// Where the name and the contexts lie.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.14 CREATE Response.
    pub struct Response {
        /// The caching right that was given.
        pub oplock_level: OplockLevel,
        /// Whether the last part of the path is a reparse point; reserved below 3.x.
        pub flags: CreateResponseFlags,
        /// What was done.
        pub create_action: CreateAction,
        /// When the file was made.
        pub creation_time: FileTime,
        /// When it was last read.
        pub last_access_time: FileTime,
        /// When it was last written.
        pub last_write_time: FileTime,
        /// When it or its attributes last changed.
        pub change_time: FileTime,
        /// Room on the volume, in bytes.
        pub allocation_size: u64,
        /// Length, in bytes.
        pub end_of_file: u64,
        /// The attributes.
        pub file_attributes: FileAttributes,
        /// Reserved.
        pub reserved2: u32,
        /// Names the open from now on.
        pub file_id: FileId,
        /// Extensions that the server answers.
        pub create_contexts: Vec<CreateContext>,
        /// Where the contexts lie.
        pub layout: Layout,
    }
}

impl Body for Request {
    const COMMAND: Command = Command::CREATE;
    const STRUCTURE_SIZE: u16 = 57;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut request = Request {
            security_flags: read(&mut rest, "SecurityFlags")?,
            requested_oplock_level: read(&mut rest, "RequestedOplockLevel")?,
            impersonation_level: read(&mut rest, "ImpersonationLevel")?,
            smb_create_flags: read(&mut rest, "SmbCreateFlags")?,
            reserved: read(&mut rest, "Reserved")?,
            desired_access: read(&mut rest, "DesiredAccess")?,
            file_attributes: read(&mut rest, "FileAttributes")?,
            share_access: read(&mut rest, "ShareAccess")?,
            create_disposition: read(&mut rest, "CreateDisposition")?,
            create_options: read(&mut rest, "CreateOptions")?,
            ..Request::default()
        };
        let name_at: u16 = read(&mut rest, "NameOffset")?;
        let name_len: u16 = read(&mut rest, "NameLength")?;
        within(rest, "NameLength", usize::from(name_len), PATH_MAX)?;
        let contexts_at: u32 = read(&mut rest, "CreateContextsOffset")?;
        let contexts_len: u32 = read(&mut rest, "CreateContextsLength")?;
        within(
            rest,
            "CreateContextsLength",
            contexts_len as usize,
            CONTEXTS_MAX,
        )?;
        let fixed_end = message.len() - rest.len();
        let (name_start, name_len) = (usize::from(name_at), usize::from(name_len));
        let name = part(message, "Name", fixed_end, name_start, name_len)?;
        let (start, length) = (contexts_at as usize, contexts_len as usize);
        let list = part(message, "CreateContexts", fixed_end, start, length)?;
        request.name = Utf16::read(name, "Name")?;
        request.create_contexts = read_contexts(list)?;
        let parts = [Part::new(name, 8), Part::optional(list, 8)];
        let offsets = [u32::from(name_at), contexts_at];
        request.layout = Layout::detect(fixed_end, 1, &parts, &offsets, rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let name = self.name.to_bytes();
        let list = emit_contexts(&self.create_contexts);
        let parts = [Part::new(&name, 8), Part::optional(&list, 8)];
        let placed = self.layout.place(out.len() + 56, 1, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.security_flags)
            .u8(self.requested_oplock_level.0)
            .u32(self.impersonation_level.0)
            .u64(self.smb_create_flags)
            .u64(self.reserved)
            .u32(self.desired_access.0)
            .u32(self.file_attributes.0)
            .u32(self.share_access.0)
            .u32(self.create_disposition.0)
            .u32(self.create_options.0)
            .u16(placed.offset16(0))
            .u16(len16(name.len()))
            .u32(placed.offset32(1))
            .u32(len32(list.len()))
            .bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::CREATE;
    const STRUCTURE_SIZE: u16 = 89;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut response = Response {
            oplock_level: read(&mut rest, "OplockLevel")?,
            flags: read(&mut rest, "Flags")?,
            create_action: read(&mut rest, "CreateAction")?,
            creation_time: read(&mut rest, "CreationTime")?,
            last_access_time: read(&mut rest, "LastAccessTime")?,
            last_write_time: read(&mut rest, "LastWriteTime")?,
            change_time: read(&mut rest, "ChangeTime")?,
            allocation_size: read(&mut rest, "AllocationSize")?,
            end_of_file: read(&mut rest, "EndofFile")?,
            file_attributes: read(&mut rest, "FileAttributes")?,
            reserved2: read(&mut rest, "Reserved2")?,
            file_id: read(&mut rest, "FileId")?,
            ..Response::default()
        };
        let at: u32 = read(&mut rest, "CreateContextsOffset")?;
        let length: u32 = read(&mut rest, "CreateContextsLength")?;
        within(rest, "CreateContextsLength", length as usize, CONTEXTS_MAX)?;
        let fixed_end = message.len() - rest.len();
        let list = part(
            message,
            "CreateContexts",
            fixed_end,
            at as usize,
            length as usize,
        )?;
        response.create_contexts = read_contexts(list)?;
        response.layout = Layout::detect(fixed_end, 0, &[Part::optional(list, 8)], &[at], rest);
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let list = emit_contexts(&self.create_contexts);
        let placed = self
            .layout
            .place(out.len() + 88, 0, &[Part::optional(&list, 8)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.oplock_level.0)
            .u8(self.flags.0)
            .u32(self.create_action.0)
            .u64(self.creation_time.0)
            .u64(self.last_access_time.0)
            .u64(self.last_write_time.0)
            .u64(self.change_time.0)
            .u64(self.allocation_size)
            .u64(self.end_of_file)
            .u32(self.file_attributes.0)
            .u32(self.reserved2);
        self.file_id.write(out);
        out.u32(placed.offset32(0))
            .u32(len32(list.len()))
            .bytes(&placed.area);
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::smb2::{Body, Command, Header, PATH_MAX, Utf16};

    #[test]
    fn a_name_beyond_its_limit_is_refused() {
        let request = |units| Request {
            name: Utf16(vec![0x61; units]),
            ..Request::default()
        };
        let header = Header::request(Command::CREATE);
        let longest = request(PATH_MAX / 2);
        assert_eq!(
            Request::parse(&longest.emit(&header)),
            Ok((header.clone(), longest))
        );
        let error = Request::parse(&request(PATH_MAX / 2 + 1).emit(&header)).unwrap_err();
        assert_eq!(error.field, "NameLength");
    }
}
