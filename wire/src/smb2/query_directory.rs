//! MS-SMB2 2.2.33, 2.2.34 QUERY_DIRECTORY: lists a directory.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::PATH_MAX;
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len16};
use crate::smb2::codec::{flags, structure};
use crate::smb2::codec::{len32, read, within};
use crate::smb2::fscc::FileInfoClass;
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, DATA_MAX};
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

impl Body for Request {
    const COMMAND: Command = Command::QUERY_DIRECTORY;
    const STRUCTURE_SIZE: u16 = 33;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut request = Request {
            file_information_class: read(&mut rest, "FileInformationClass")?,
            flags: read(&mut rest, "Flags")?,
            file_index: read(&mut rest, "FileIndex")?,
            file_id: read(&mut rest, "FileId")?,
            ..Request::default()
        };
        let at: u16 = read(&mut rest, "FileNameOffset")?;
        let length: u16 = read(&mut rest, "FileNameLength")?;
        within(rest, "FileNameLength", usize::from(length), PATH_MAX)?;
        request.output_buffer_length = read(&mut rest, "OutputBufferLength")?;
        let fixed_end = message.len() - rest.len();
        let name = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            usize::from(length),
        )?;
        request.file_name = Utf16::read(name, "Buffer")?;
        let parts = [Part::new(name, 1)];
        request.layout = Layout::detect(fixed_end, 1, &parts, &[u32::from(at)], rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let name = self.file_name.to_bytes();
        let placed = self.layout.place(out.len() + 32, 1, &[Part::new(&name, 1)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.file_information_class.0)
            .u8(self.flags.0)
            .u32(self.file_index);
        self.file_id.write(out);
        out.u16(placed.offset16(0))
            .u16(len16(name.len()))
            .u32(self.output_buffer_length)
            .bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::QUERY_DIRECTORY;
    const STRUCTURE_SIZE: u16 = 9;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let at: u16 = read(&mut rest, "OutputBufferOffset")?;
        let length: u32 = read(&mut rest, "OutputBufferLength")?;
        within(rest, "OutputBufferLength", length as usize, DATA_MAX)?;
        let fixed_end = message.len() - rest.len();
        let buffer = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            length as usize,
        )?;
        let parts = [Part::new(buffer, 1)];
        let response = Response {
            buffer: buffer.to_vec(),
            layout: Layout::detect(fixed_end, 0, &parts, &[u32::from(at)], rest),
        };
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let placed = self
            .layout
            .place(out.len() + 8, 0, &[Part::new(&self.buffer, 1)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(placed.offset16(0))
            .u32(len32(self.buffer.len()))
            .bytes(&placed.area);
    }
}
