//! MS-SMB2 2.2.39, 2.2.40 SET_INFO: changes a file, its file system or its security.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::Fixed;
use crate::smb2::codec::structure;
use crate::smb2::codec::{len32, read, within};
use crate::smb2::layout::{Part, part};
use crate::smb2::query_info::{InfoType, SecurityInformation};
use crate::smb2::{Body, Command, DATA_MAX};
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

/// MS-SMB2 2.2.40 SET_INFO Response: nothing but its `StructureSize`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response;

impl Body for Request {
    const COMMAND: Command = Command::SET_INFO;
    const STRUCTURE_SIZE: u16 = 33;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let info_type = read(&mut rest, "InfoType")?;
        let file_info_class = read(&mut rest, "FileInfoClass")?;
        let length: u32 = read(&mut rest, "BufferLength")?;
        within(rest, "BufferLength", length as usize, DATA_MAX)?;
        let at: u16 = read(&mut rest, "BufferOffset")?;
        let reserved = read(&mut rest, "Reserved")?;
        let additional_information = read(&mut rest, "AdditionalInformation")?;
        let file_id = read(&mut rest, "FileId")?;
        let fixed_end = message.len() - rest.len();
        let buffer = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            length as usize,
        )?;
        let parts = [Part::new(buffer, 1)];
        let request = Request {
            info_type,
            file_info_class,
            reserved,
            additional_information,
            file_id,
            buffer: buffer.to_vec(),
            layout: Layout::detect(fixed_end, 1, &parts, &[u32::from(at)], rest),
        };
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let placed = self
            .layout
            .place(out.len() + 32, 1, &[Part::new(&self.buffer, 1)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.info_type.0)
            .u8(self.file_info_class)
            .u32(len32(self.buffer.len()))
            .u16(placed.offset16(0))
            .u16(self.reserved)
            .u32(self.additional_information.0);
        self.file_id.write(out);
        out.bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::SET_INFO;
    const STRUCTURE_SIZE: u16 = 2;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let rest = open(message, Self::STRUCTURE_SIZE)?;
        Ok((rest, Response))
    }

    fn write_body(&self, out: &mut Writer) {
        out.u16(Self::STRUCTURE_SIZE);
    }
}

#[cfg(test)]
impl crate::smb2::sample::Sample for Response {
    fn sample() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::strategy::Strategy;
        proptest::strategy::Just(Response).boxed()
    }
}
