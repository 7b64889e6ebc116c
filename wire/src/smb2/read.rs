//! MS-SMB2 2.2.19, 2.2.20 READ: takes bytes from a file or a pipe.

use crate::emit::Writer;
use crate::error::ErrorKind;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len16, len32, read, within};
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, DATA_MAX, HEADER_LEN};
use crate::smb2::{FileId, Layout};

flags! {
    /// MS-SMB2 2.2.19: the `Flags` of the request; reserved below 3.0.2.
    ReadFlags(u8) {
        READ_UNBUFFERED = 0x01,
        REQUEST_COMPRESSED = 0x02,
    }
}

codes! {
    /// MS-SMB2 2.2.19: where the data travels.
    Channel(u32) {
        NONE = 0x0000_0000,
        RDMA_V1 = 0x0000_0001,
        RDMA_V1_INVALIDATE = 0x0000_0002,
        RDMA_TRANSFORM = 0x0000_0003,
    }
}

structure! {
    /// MS-SMB2 2.2.19 READ Request.
    pub struct Request {
        /// Where the client wants the data in the response, from its header, in bytes.
        pub padding: u8,
        /// How to read.
        pub flags: ReadFlags,
        /// How many bytes at most.
        pub length: u32,
        /// The first byte, counted from the start of the file; zero on pipes.
        pub offset: u64,
        /// The open.
        pub file_id: FileId,
        /// Below this many bytes the read fails.
        pub minimum_count: u32,
        /// Where the data travels.
        pub channel: Channel,
        /// How many bytes the client will still read.
        pub remaining_bytes: u32,
        /// `ReadChannelInfo`; empty without RDMA.
        pub read_channel_info: Vec<u8>,
        /// Where it lies; a canonical request ends with one zero byte instead.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.20 READ Response; on pipes also with `BUFFER_OVERFLOW`.
    pub struct Response {
        /// Reserved.
        pub reserved: u8,
        /// How many bytes travel on another channel.
        pub data_remaining: u32,
        /// Reserved below 3.1.1, flags since.
        pub reserved2: u32,
        /// The bytes.
        pub data: Vec<u8>,
        /// Where they lie.
        pub layout: Layout,
    }
}

/// Where data lies in a response that is made around it, counted from the start of the header.
pub const DATA_AT: usize = HEADER_LEN + 16;

impl Response {
    /// Makes the response around its data, which may be megabytes and lies at [`DATA_AT`] already:
    /// what is before it is written, up to a header of zeros.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] where `message` has no room for that.
    pub fn put_around(message: &mut [u8]) -> Result<(), ErrorKind> {
        let length = message.len();
        let Some((before, data)) = message.split_at_mut_checked(DATA_AT) else {
            let needed = DATA_AT - length;
            return Err(ErrorKind::Truncated { needed });
        };
        let mut out = Writer::new();
        out.bytes(&[0; HEADER_LEN])
            .u16(Self::STRUCTURE_SIZE)
            .u8(u8::try_from(DATA_AT).unwrap_or(u8::MAX))
            .u8(0)
            .u32(len32(data.len()))
            .u32(0)
            .u32(0);
        before.copy_from_slice(&out.into_bytes());
        Ok(())
    }
}

impl Body for Request {
    const COMMAND: Command = Command::READ;
    const STRUCTURE_SIZE: u16 = 49;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut request = Request {
            padding: read(&mut rest, "Padding")?,
            flags: read(&mut rest, "Flags")?,
            length: read(&mut rest, "Length")?,
            offset: read(&mut rest, "Offset")?,
            file_id: read(&mut rest, "FileId")?,
            minimum_count: read(&mut rest, "MinimumCount")?,
            channel: read(&mut rest, "Channel")?,
            remaining_bytes: read(&mut rest, "RemainingBytes")?,
            ..Request::default()
        };
        let at: u16 = read(&mut rest, "ReadChannelInfoOffset")?;
        let length: u16 = read(&mut rest, "ReadChannelInfoLength")?;
        let fixed_end = message.len() - rest.len();
        let (start, length) = (usize::from(at), usize::from(length));
        let info = part(message, "ReadChannelInfo", fixed_end, start, length)?;
        request.read_channel_info = info.to_vec();
        let parts = [Part::optional(info, 1)];
        request.layout = Layout::detect(fixed_end, 1, &parts, &[u32::from(at)], rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [Part::optional(&self.read_channel_info, 1)];
        let placed = self.layout.place(out.len() + 48, 1, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.padding)
            .u8(self.flags.0)
            .u32(self.length)
            .u64(self.offset);
        self.file_id.write(out);
        out.u32(self.minimum_count)
            .u32(self.channel.0)
            .u32(self.remaining_bytes)
            .u16(placed.offset16(0))
            .u16(len16(self.read_channel_info.len()))
            .bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::READ;
    const STRUCTURE_SIZE: u16 = 17;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let at: u8 = read(&mut rest, "DataOffset")?;
        let reserved = read(&mut rest, "Reserved")?;
        let length: u32 = read(&mut rest, "DataLength")?;
        within(rest, "DataLength", length as usize, DATA_MAX)?;
        let data_remaining = read(&mut rest, "DataRemaining")?;
        let reserved2 = read(&mut rest, "Reserved2")?;
        let fixed_end = message.len() - rest.len();
        let data = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            length as usize,
        )?;
        let parts = [Part::new(data, 1)];
        let response = Response {
            reserved,
            data_remaining,
            reserved2,
            data: data.to_vec(),
            layout: Layout::detect(fixed_end, 0, &parts, &[u32::from(at)], rest),
        };
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        if self.layout == Layout::Canonical && !self.data.is_empty() {
            // The data as it will lie, without another copy of what may be megabytes.
            let at = u8::try_from(out.len() + 16).unwrap_or(u8::MAX);
            out.u16(Self::STRUCTURE_SIZE)
                .u8(at)
                .u8(self.reserved)
                .u32(len32(self.data.len()))
                .u32(self.data_remaining)
                .u32(self.reserved2)
                .bytes(&self.data);
            return;
        }
        let placed = self
            .layout
            .place(out.len() + 16, 0, &[Part::new(&self.data, 1)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(placed.offset8(0))
            .u8(self.reserved)
            .u32(len32(self.data.len()))
            .u32(self.data_remaining)
            .u32(self.reserved2)
            .bytes(&placed.area);
    }
}

#[cfg(test)]
mod tests {
    use super::{DATA_AT, Response};
    use crate::smb2::{Body as _, Header};

    #[test]
    fn a_response_made_around_its_data_is_the_same() {
        let mut message = vec![0xFF; DATA_AT];
        message.extend(*b"some data");
        Response::put_around(&mut message).expect("room");
        let response = Response {
            data: b"some data".to_vec(),
            ..Response::default()
        };
        let mut made = response.emit(&Header::default());
        // The header is put there when it is known.
        made.get_mut(..crate::smb2::HEADER_LEN)
            .expect("a header")
            .fill(0);
        assert_eq!(message, made);
        assert!(Response::put_around(&mut message[..DATA_AT - 1]).is_err());
    }
}
