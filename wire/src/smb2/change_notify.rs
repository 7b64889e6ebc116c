//! MS-SMB2 2.2.35, 2.2.36 CHANGE_NOTIFY: waits for changes in a directory.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::{fixed_body, flags, record, structure};
use crate::smb2::codec::{len32, read, within};
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, DATA_MAX};
use crate::smb2::{FileId, Layout};

flags! {
    /// MS-SMB2 2.2.35: the `Flags` of the request.
    ChangeNotifyFlags(u16) {
        WATCH_TREE = 0x0001,
    }
}

flags! {
    /// MS-SMB2 2.2.35: which changes count.
    CompletionFilter(u32) {
        FILE_NAME = 0x0000_0001,
        DIR_NAME = 0x0000_0002,
        ATTRIBUTES = 0x0000_0004,
        SIZE = 0x0000_0008,
        LAST_WRITE = 0x0000_0010,
        LAST_ACCESS = 0x0000_0020,
        CREATION = 0x0000_0040,
        EA = 0x0000_0080,
        SECURITY = 0x0000_0100,
        STREAM_NAME = 0x0000_0200,
        STREAM_SIZE = 0x0000_0400,
        STREAM_WRITE = 0x0000_0800,
    }
}

record! {
    /// MS-SMB2 2.2.35 CHANGE_NOTIFY Request.
    pub struct Request {
        /// Whether directories below count.
        pub flags: ChangeNotifyFlags = "Flags",
        /// The longest buffer that the response may carry, in bytes.
        pub output_buffer_length: u32 = "OutputBufferLength",
        /// The open.
        pub file_id: FileId = "FileId",
        /// Which changes count.
        pub completion_filter: CompletionFilter = "CompletionFilter",
        /// Reserved.
        pub reserved: u32 = "Reserved",
    }
}

structure! {
    /// MS-SMB2 2.2.36 CHANGE_NOTIFY Response.
    pub struct Response {
        /// FILE_NOTIFY_INFORMATION entries, MS-FSCC 2.7.1.
        pub buffer: Vec<u8>,
        /// Where they lie.
        pub layout: Layout,
    }
}

fixed_body!(Request CHANGE_NOTIFY 32);

impl Body for Response {
    const COMMAND: Command = Command::CHANGE_NOTIFY;
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
