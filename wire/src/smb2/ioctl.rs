//! MS-SMB2 2.2.31, 2.2.32 IOCTL: controls of a file system, a pipe or the server itself.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len32, read, within};
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command, DATA_MAX};
use crate::smb2::{FileId, Layout};

codes! {
    /// MS-SMB2 2.2.31 and MS-FSCC 2.3: which control.
    CtlCode(u32) {
        FSCTL_DFS_GET_REFERRALS = 0x0006_0194,
        FSCTL_DFS_GET_REFERRALS_EX = 0x0006_01B0,
        FSCTL_IS_PATHNAME_VALID = 0x0009_002C,
        FSCTL_GET_COMPRESSION = 0x0009_003C,
        FSCTL_SET_COMPRESSION = 0x0009_C040,
        FSCTL_FILESYSTEM_GET_STATISTICS = 0x0009_0060,
        FSCTL_GET_NTFS_VOLUME_DATA = 0x0009_0064,
        FSCTL_SET_OBJECT_ID = 0x0009_0098,
        FSCTL_GET_OBJECT_ID = 0x0009_009C,
        FSCTL_DELETE_OBJECT_ID = 0x0009_00A0,
        FSCTL_SET_REPARSE_POINT = 0x0009_00A4,
        FSCTL_GET_REPARSE_POINT = 0x0009_00A8,
        FSCTL_DELETE_REPARSE_POINT = 0x0009_00AC,
        FSCTL_CREATE_OR_GET_OBJECT_ID = 0x0009_00C0,
        FSCTL_SET_SPARSE = 0x0009_00C4,
        FSCTL_SET_ZERO_DATA = 0x0009_80C8,
        FSCTL_QUERY_ALLOCATED_RANGES = 0x0009_40CF,
        FSCTL_FILE_LEVEL_TRIM = 0x0009_8208,
        FSCTL_OFFLOAD_READ = 0x0009_4264,
        FSCTL_OFFLOAD_WRITE = 0x0009_8268,
        FSCTL_GET_INTEGRITY_INFORMATION = 0x0009_027C,
        FSCTL_SET_INTEGRITY_INFORMATION = 0x0009_C280,
        FSCTL_QUERY_FILE_REGIONS = 0x0009_0284,
        FSCTL_DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344,
        FSCTL_PIPE_WAIT = 0x0011_0018,
        FSCTL_PIPE_PEEK = 0x0011_400C,
        FSCTL_PIPE_TRANSCEIVE = 0x0011_C017,
        FSCTL_SRV_REQUEST_RESUME_KEY = 0x0014_0078,
        FSCTL_SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064,
        FSCTL_SRV_COPYCHUNK = 0x0014_40F2,
        FSCTL_SRV_COPYCHUNK_WRITE = 0x0014_80F2,
        FSCTL_SRV_READ_HASH = 0x0014_41BB,
        FSCTL_LMR_REQUEST_RESILIENCY = 0x0014_01D4,
        FSCTL_QUERY_NETWORK_INTERFACE_INFO = 0x0014_01FC,
        FSCTL_VALIDATE_NEGOTIATE_INFO = 0x0014_0204,
    }
}

flags! {
    /// MS-SMB2 2.2.31: the `Flags` of the request; zero would be an IOCTL that is no FSCTL.
    IoctlFlags(u32) {
        IS_FSCTL = 0x0000_0001,
    }
}

structure! {
    /// MS-SMB2 2.2.31 IOCTL Request.
    pub struct Request {
        /// Reserved.
        pub reserved: u16,
        /// Which control.
        pub ctl_code: CtlCode,
        /// The open; all ones for controls of the server.
        pub file_id: FileId,
        /// What the control reads.
        pub input: Vec<u8>,
        /// The longest `input` that the response may carry, in bytes.
        pub max_input_response: u32,
        /// Empty in every legal request.
        pub output: Vec<u8>,
        /// The longest `output` that the response may carry, in bytes.
        pub max_output_response: u32,
        /// Whether it is an FSCTL.
        pub flags: IoctlFlags,
        /// Reserved.
        pub reserved2: u32,
        /// Where the parts lie.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.32 IOCTL Response; on pipes also with `BUFFER_OVERFLOW`.
    pub struct Response {
        /// Reserved.
        pub reserved: u16,
        /// Which control.
        pub ctl_code: CtlCode,
        /// The open.
        pub file_id: FileId,
        /// Empty, but for controls that give their input back.
        pub input: Vec<u8>,
        /// What the control gives.
        pub output: Vec<u8>,
        /// Reserved.
        pub flags: u32,
        /// Reserved.
        pub reserved2: u32,
        /// Where the parts lie.
        pub layout: Layout,
    }
}

impl Body for Request {
    const COMMAND: Command = Command::IOCTL;
    const STRUCTURE_SIZE: u16 = 57;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut request = Request {
            reserved: read(&mut rest, "Reserved")?,
            ctl_code: read(&mut rest, "CtlCode")?,
            file_id: read(&mut rest, "FileId")?,
            ..Request::default()
        };
        let input_at: u32 = read(&mut rest, "InputOffset")?;
        let input_len: u32 = read(&mut rest, "InputCount")?;
        within(rest, "InputCount", input_len as usize, DATA_MAX)?;
        request.max_input_response = read(&mut rest, "MaxInputResponse")?;
        let output_at: u32 = read(&mut rest, "OutputOffset")?;
        let output_len: u32 = read(&mut rest, "OutputCount")?;
        within(rest, "OutputCount", output_len as usize, DATA_MAX)?;
        request.max_output_response = read(&mut rest, "MaxOutputResponse")?;
        request.flags = read(&mut rest, "Flags")?;
        request.reserved2 = read(&mut rest, "Reserved2")?;
        let end = message.len() - rest.len();
        let input = part(message, "Input", end, input_at as usize, input_len as usize)?;
        let output = part(
            message,
            "Output",
            end,
            output_at as usize,
            output_len as usize,
        )?;
        request.input = input.to_vec();
        request.output = output.to_vec();
        let parts = [Part::optional(input, 8), Part::optional(output, 8)];
        request.layout = Layout::detect(end, 1, &parts, &[input_at, output_at], rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [
            Part::optional(&self.input, 8),
            Part::optional(&self.output, 8),
        ];
        let placed = self.layout.place(out.len() + 56, 1, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(self.reserved)
            .u32(self.ctl_code.0);
        self.file_id.write(out);
        out.u32(placed.offset32(0))
            .u32(len32(self.input.len()))
            .u32(self.max_input_response)
            .u32(placed.offset32(1))
            .u32(len32(self.output.len()))
            .u32(self.max_output_response)
            .u32(self.flags.0)
            .u32(self.reserved2)
            .bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::IOCTL;
    const STRUCTURE_SIZE: u16 = 49;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut response = Response {
            reserved: read(&mut rest, "Reserved")?,
            ctl_code: read(&mut rest, "CtlCode")?,
            file_id: read(&mut rest, "FileId")?,
            ..Response::default()
        };
        let input_at: u32 = read(&mut rest, "InputOffset")?;
        let input_len: u32 = read(&mut rest, "InputCount")?;
        within(rest, "InputCount", input_len as usize, DATA_MAX)?;
        let output_at: u32 = read(&mut rest, "OutputOffset")?;
        let output_len: u32 = read(&mut rest, "OutputCount")?;
        within(rest, "OutputCount", output_len as usize, DATA_MAX)?;
        response.flags = read(&mut rest, "Flags")?;
        response.reserved2 = read(&mut rest, "Reserved2")?;
        let end = message.len() - rest.len();
        let input = part(message, "Input", end, input_at as usize, input_len as usize)?;
        let output = part(
            message,
            "Output",
            end,
            output_at as usize,
            output_len as usize,
        )?;
        response.input = input.to_vec();
        response.output = output.to_vec();
        let parts = [Part::new(input, 8), Part::new(output, 8)];
        response.layout = Layout::detect(end, 0, &parts, &[input_at, output_at], rest);
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [Part::new(&self.input, 8), Part::new(&self.output, 8)];
        let placed = self.layout.place(out.len() + 48, 0, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(self.reserved)
            .u32(self.ctl_code.0);
        self.file_id.write(out);
        out.u32(placed.offset32(0))
            .u32(len32(self.input.len()))
            .u32(placed.offset32(1))
            .u32(len32(self.output.len()))
            .u32(self.flags)
            .u32(self.reserved2)
            .bytes(&placed.area);
    }
}
