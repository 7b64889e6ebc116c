//! MS-SMB2 2.2.37, 2.2.38 QUERY_INFO: asks about a file, its file system or its security.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::Fixed;
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::codec::{len32, read, within};
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, DATA_MAX};
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

impl Body for Request {
    const COMMAND: Command = Command::QUERY_INFO;
    const STRUCTURE_SIZE: u16 = 41;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut request = Request {
            info_type: read(&mut rest, "InfoType")?,
            file_info_class: read(&mut rest, "FileInfoClass")?,
            output_buffer_length: read(&mut rest, "OutputBufferLength")?,
            ..Request::default()
        };
        let at: u16 = read(&mut rest, "InputBufferOffset")?;
        request.reserved = read(&mut rest, "Reserved")?;
        let length: u32 = read(&mut rest, "InputBufferLength")?;
        within(rest, "InputBufferLength", length as usize, DATA_MAX)?;
        request.additional_information = read(&mut rest, "AdditionalInformation")?;
        request.flags = read(&mut rest, "Flags")?;
        request.file_id = read(&mut rest, "FileId")?;
        let fixed_end = message.len() - rest.len();
        let input = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            length as usize,
        )?;
        request.input_buffer = input.to_vec();
        let parts = [Part::optional(input, 8)];
        request.layout = Layout::detect(fixed_end, 1, &parts, &[u32::from(at)], rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [Part::optional(&self.input_buffer, 8)];
        let placed = self.layout.place(out.len() + 40, 1, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.info_type.0)
            .u8(self.file_info_class)
            .u32(self.output_buffer_length)
            .u16(placed.offset16(0))
            .u16(self.reserved)
            .u32(len32(self.input_buffer.len()))
            .u32(self.additional_information.0)
            .u32(self.flags);
        self.file_id.write(out);
        out.bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::QUERY_INFO;
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
