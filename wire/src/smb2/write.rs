//! MS-SMB2 2.2.21, 2.2.22 WRITE: puts bytes into a file or a pipe.

use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len16, len32, read, within};
use crate::smb2::codec::{flags, structure};
use crate::smb2::layout::{Part, part};
use crate::smb2::read::Channel;
use crate::smb2::{Body, Command, DATA_MAX};
use crate::smb2::{FileId, Layout};
use std::ops::Range;

flags! {
    /// MS-SMB2 2.2.21: how to write.
    WriteFlags(u32) {
        WRITE_THROUGH = 0x0000_0001,
        WRITE_UNBUFFERED = 0x0000_0002,
    }
}

structure! {
    /// MS-SMB2 2.2.21 WRITE Request.
    pub struct Request {
        /// Where the first byte goes, counted from the start of the file.
        pub offset: u64,
        /// The open.
        pub file_id: FileId,
        /// Where the data travels.
        pub channel: Channel,
        /// How many bytes the client will still write.
        pub remaining_bytes: u32,
        /// How to write.
        pub flags: WriteFlags,
        /// The bytes.
        pub data: Vec<u8>,
        /// `WriteChannelInfo`; empty without RDMA.
        pub write_channel_info: Vec<u8>,
        /// Where data and channel info lie.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.22 WRITE Response.
    pub struct Response {
        /// Reserved.
        pub reserved: u16,
        /// How many bytes were written.
        pub count: u32,
        /// Reserved.
        pub remaining: u32,
        /// Reserved, always empty in a legal message.
        pub write_channel_info: Vec<u8>,
        /// What follows the fixed fields.
        pub layout: Layout,
    }
}

impl Request {
    /// Reads a message, but leaves its data, which may be megabytes, where it lies: `data` is empty,
    /// and the range is where it is, counted from the start of the header.
    ///
    /// # Errors
    /// As for [`Body::parse`].
    pub fn parse_in_place(message: &[u8]) -> Result<(Request, Range<usize>), ParseError> {
        run(Layer::Smb2, message, read_in_place).map(|(read, _)| read)
    }
}

fn read_in_place(message: &[u8]) -> PResult<'_, (Request, Range<usize>)> {
    let mut rest = open(message, Request::STRUCTURE_SIZE)?;
    let data_at: u16 = read(&mut rest, "DataOffset")?;
    let length: u32 = read(&mut rest, "Length")?;
    within(rest, "Length", length as usize, DATA_MAX)?;
    let mut request = Request {
        offset: read(&mut rest, "Offset")?,
        file_id: read(&mut rest, "FileId")?,
        channel: read(&mut rest, "Channel")?,
        remaining_bytes: read(&mut rest, "RemainingBytes")?,
        ..Request::default()
    };
    let info_at: u16 = read(&mut rest, "WriteChannelInfoOffset")?;
    let info_len: u16 = read(&mut rest, "WriteChannelInfoLength")?;
    request.flags = read(&mut rest, "Flags")?;
    let fixed_end = message.len() - rest.len();
    let start = usize::from(data_at);
    let data = part(message, "Buffer", fixed_end, start, length as usize)?;
    let (info_start, info_len) = (usize::from(info_at), usize::from(info_len));
    let info = part(message, "WriteChannelInfo", fixed_end, info_start, info_len)?;
    request.write_channel_info = info.to_vec();
    let parts = [Part::new(data, 1), Part::optional(info, 1)];
    let offsets = [u32::from(data_at), u32::from(info_at)];
    request.layout = Layout::detect(fixed_end, 0, &parts, &offsets, rest);
    Ok((&[], (request, start..start + data.len())))
}

impl Body for Request {
    const COMMAND: Command = Command::WRITE;
    const STRUCTURE_SIZE: u16 = 49;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let (rest, (mut request, place)) = read_in_place(message)?;
        request.data = message.get(place).unwrap_or_default().to_vec();
        Ok((rest, request))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [
            Part::new(&self.data, 1),
            Part::optional(&self.write_channel_info, 1),
        ];
        let placed = self.layout.place(out.len() + 48, 0, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(placed.offset16(0))
            .u32(len32(self.data.len()))
            .u64(self.offset);
        self.file_id.write(out);
        out.u32(self.channel.0)
            .u32(self.remaining_bytes)
            .u16(placed.offset16(1))
            .u16(len16(self.write_channel_info.len()))
            .u32(self.flags.0)
            .bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::WRITE;
    const STRUCTURE_SIZE: u16 = 17;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let reserved = read(&mut rest, "Reserved")?;
        let count = read(&mut rest, "Count")?;
        let remaining = read(&mut rest, "Remaining")?;
        let at: u16 = read(&mut rest, "WriteChannelInfoOffset")?;
        let length: u16 = read(&mut rest, "WriteChannelInfoLength")?;
        let fixed_end = message.len() - rest.len();
        let (start, length) = (usize::from(at), usize::from(length));
        let info = part(message, "WriteChannelInfo", fixed_end, start, length)?;
        let parts = [Part::optional(info, 1)];
        let response = Response {
            reserved,
            count,
            remaining,
            write_channel_info: info.to_vec(),
            layout: Layout::detect(fixed_end, 0, &parts, &[u32::from(at)], rest),
        };
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [Part::optional(&self.write_channel_info, 1)];
        let placed = self.layout.place(out.len() + 16, 0, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(self.reserved)
            .u32(self.count)
            .u32(self.remaining)
            .u16(placed.offset16(0))
            .u16(len16(self.write_channel_info.len()))
            .bytes(&placed.area);
    }
}
