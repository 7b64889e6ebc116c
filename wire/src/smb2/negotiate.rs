//! MS-SMB2 2.2.3, 2.2.4 NEGOTIATE: dialect, capabilities and algorithms of a connection.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::Layout;
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len16, read, read_list, within, write_list};
use crate::smb2::codec::{codes, flags, structure};
use crate::smb2::fscc::FileTime;
use crate::smb2::layout::{Part, part};
use crate::smb2::negotiate_contexts::NegotiateContext;
use crate::smb2::negotiate_contexts::{emit_contexts, read_contexts};
use crate::smb2::{Body, Command, SECURITY_BUFFER_MAX};
use uuid::Uuid;

codes! {
    /// MS-SMB2 2.2.3: a dialect's revision.
    Dialect(u16) {
        SMB_2_0_2 = 0x0202,
        SMB_2_1 = 0x0210,
        SMB_2_WILDCARD = 0x02FF,
        SMB_3_0 = 0x0300,
        SMB_3_0_2 = 0x0302,
        SMB_3_1_1 = 0x0311,
    }
}

flags! {
    /// MS-SMB2 2.2.3: how a side stands to signing; one byte wide in SESSION_SETUP.
    SecurityMode(u16) {
        SIGNING_ENABLED = 0x0001,
        SIGNING_REQUIRED = 0x0002,
    }
}

flags! {
    /// MS-SMB2 2.2.3, 2.2.4: what a side can do.
    Capabilities(u32) {
        DFS = 0x0000_0001,
        LEASING = 0x0000_0002,
        LARGE_MTU = 0x0000_0004,
        MULTI_CHANNEL = 0x0000_0008,
        PERSISTENT_HANDLES = 0x0000_0010,
        DIRECTORY_LEASING = 0x0000_0020,
        ENCRYPTION = 0x0000_0040,
        NOTIFICATIONS = 0x0000_0080,
    }
}

structure! {
    /// MS-SMB2 2.2.3 NEGOTIATE Request.
    ///
    /// `NegotiateContextOffset` and `NegotiateContextCount` travel when `dialects` holds 3.1.1;
    /// otherwise the same eight bytes are `client_start_time`.
    pub struct Request {
        /// How the client stands to signing.
        pub security_mode: SecurityMode,
        /// Zero in every legal message.
        pub reserved: u16,
        /// What the client can do; reserved below 3.0.
        pub capabilities: Capabilities,
        /// Names the client; zero when it offers 2.0.2 alone.
        pub client_guid: Uuid,
        /// The same bytes as the context fields; zero in every legal message without 3.1.1, and
        /// not on the wire with it.
        pub client_start_time: FileTime,
        /// `Reserved2` behind the context count; on the wire only with 3.1.1.
        pub reserved2: u16,
        /// The dialects offered, in the client's order.
        pub dialects: Vec<Dialect>,
        /// The contexts; on the wire only with 3.1.1.
        pub negotiate_contexts: Vec<NegotiateContext>,
        /// Where the contexts lie.
        pub layout: Layout,
    }
    on_wire = Request::on_wire
}

structure! {
    /// MS-SMB2 2.2.4 NEGOTIATE Response.
    ///
    /// `NegotiateContextCount` and `NegotiateContextOffset` travel when `dialect_revision` is
    /// 3.1.1; otherwise the same bytes are `reserved` and `reserved2`.
    pub struct Response {
        /// How the server stands to signing.
        pub security_mode: SecurityMode,
        /// The dialect that the server chose.
        pub dialect_revision: Dialect,
        /// Bytes of the context count; on the wire only without 3.1.1.
        pub reserved: u16,
        /// Names the server.
        pub server_guid: Uuid,
        /// What the server can do.
        pub capabilities: Capabilities,
        /// The longest buffer of QUERY_INFO, SET_INFO, IOCTL and others, in bytes.
        pub max_transact_size: u32,
        /// The longest READ, in bytes.
        pub max_read_size: u32,
        /// The longest WRITE, in bytes.
        pub max_write_size: u32,
        /// The server's clock.
        pub system_time: FileTime,
        /// Zero in every legal message.
        pub server_start_time: FileTime,
        /// Bytes of the context offset; on the wire only without 3.1.1.
        pub reserved2: u32,
        /// The server's first SPNEGO token; may be empty.
        pub security_buffer: Vec<u8>,
        /// The contexts; on the wire only with 3.1.1.
        pub negotiate_contexts: Vec<NegotiateContext>,
        /// Where the token and the contexts lie.
        pub layout: Layout,
    }
    on_wire = Response::on_wire
}

impl Request {
    /// Whether the context fields travel.
    fn has_contexts(&self) -> bool {
        self.dialects.contains(&Dialect::SMB_3_1_1)
    }
}

impl Body for Request {
    const COMMAND: Command = Command::NEGOTIATE;
    const STRUCTURE_SIZE: u16 = 36;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let dialect_count: u16 = read(&mut rest, "DialectCount")?;
        let mut request = Request {
            security_mode: read(&mut rest, "SecurityMode")?,
            reserved: read(&mut rest, "Reserved")?,
            capabilities: read(&mut rest, "Capabilities")?,
            client_guid: read(&mut rest, "ClientGuid")?,
            ..Request::default()
        };
        let mut at_contexts = rest;
        request.client_start_time = read(&mut rest, "ClientStartTime")?;
        request.dialects = read_list(&mut rest, "Dialects", usize::from(dialect_count))?;
        let fixed_end = message.len() - rest.len();
        if !request.has_contexts() {
            request.layout = Layout::detect(fixed_end, 0, &[], &[], rest);
            return Ok((&[], request));
        }
        request.client_start_time = FileTime::ZERO;
        let offset: u32 = read(&mut at_contexts, "NegotiateContextOffset")?;
        let count: u16 = read(&mut at_contexts, "NegotiateContextCount")?;
        request.reserved2 = read(&mut at_contexts, "Reserved2")?;
        request.negotiate_contexts = read_contexts(message, fixed_end, offset, count)?;
        let list = emit_contexts(&request.negotiate_contexts);
        let parts = [Part::new(&list, 8)];
        request.layout = Layout::detect(fixed_end, 0, &parts, &[offset], rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        out.u16(Self::STRUCTURE_SIZE)
            .u16(len16(self.dialects.len()))
            .u16(self.security_mode.0)
            .u16(self.reserved)
            .u32(self.capabilities.0);
        self.client_guid.write(out);
        let fixed_end = out.len() + 8 + 2 * self.dialects.len();
        let list = emit_contexts(&self.negotiate_contexts);
        let parts = [Part::new(&list, 8)];
        let parts = if self.has_contexts() { &parts[..] } else { &[] };
        let placed = self.layout.place(fixed_end, 0, parts);
        if self.has_contexts() {
            out.u32(placed.offset32(0))
                .u16(len16(self.negotiate_contexts.len()))
                .u16(self.reserved2);
        } else {
            out.u64(self.client_start_time.0);
        }
        write_list(&self.dialects, out);
        out.bytes(&placed.area);
    }
}

impl Response {
    /// Whether the context fields travel.
    fn has_contexts(&self) -> bool {
        self.dialect_revision == Dialect::SMB_3_1_1
    }
}

impl Body for Response {
    const COMMAND: Command = Command::NEGOTIATE;
    const STRUCTURE_SIZE: u16 = 65;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut response = Response {
            security_mode: read(&mut rest, "SecurityMode")?,
            dialect_revision: read(&mut rest, "DialectRevision")?,
            reserved: read(&mut rest, "NegotiateContextCount")?,
            server_guid: read(&mut rest, "ServerGuid")?,
            capabilities: read(&mut rest, "Capabilities")?,
            max_transact_size: read(&mut rest, "MaxTransactSize")?,
            max_read_size: read(&mut rest, "MaxReadSize")?,
            max_write_size: read(&mut rest, "MaxWriteSize")?,
            system_time: read(&mut rest, "SystemTime")?,
            server_start_time: read(&mut rest, "ServerStartTime")?,
            ..Response::default()
        };
        let at: u16 = read(&mut rest, "SecurityBufferOffset")?;
        let length: u16 = read(&mut rest, "SecurityBufferLength")?;
        within(
            rest,
            "SecurityBuffer",
            usize::from(length),
            SECURITY_BUFFER_MAX,
        )?;
        response.reserved2 = read(&mut rest, "NegotiateContextOffset")?;
        let fixed_end = message.len() - rest.len();
        let (at_usize, length) = (usize::from(at), usize::from(length));
        response.security_buffer =
            part(message, "SecurityBuffer", fixed_end, at_usize, length)?.to_vec();
        if !response.has_contexts() {
            let parts = [Part::new(&response.security_buffer, 1)];
            let offsets = [u32::from(at)];
            response.layout = Layout::detect(fixed_end, 0, &parts, &offsets, rest);
            return Ok((&[], response));
        }
        let (count, offset) = (response.reserved, response.reserved2);
        (response.reserved, response.reserved2) = (0, 0);
        response.negotiate_contexts = read_contexts(message, fixed_end, offset, count)?;
        let list = emit_contexts(&response.negotiate_contexts);
        let parts = [Part::new(&response.security_buffer, 1), Part::new(&list, 8)];
        let offsets = [u32::from(at), offset];
        response.layout = Layout::detect(fixed_end, 0, &parts, &offsets, rest);
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let fixed_end = out.len() + 64;
        let list = emit_contexts(&self.negotiate_contexts);
        let parts = [Part::new(&self.security_buffer, 1), Part::new(&list, 8)];
        let known = if self.has_contexts() {
            &parts[..]
        } else {
            &parts[..1]
        };
        let placed = self.layout.place(fixed_end, 0, known);
        let (count, offset) = if self.has_contexts() {
            (len16(self.negotiate_contexts.len()), placed.offset32(1))
        } else {
            (self.reserved, self.reserved2)
        };
        out.u16(Self::STRUCTURE_SIZE)
            .u16(self.security_mode.0)
            .u16(self.dialect_revision.0)
            .u16(count);
        self.server_guid.write(out);
        out.u32(self.capabilities.0)
            .u32(self.max_transact_size)
            .u32(self.max_read_size)
            .u32(self.max_write_size)
            .u64(self.system_time.0)
            .u64(self.server_start_time.0)
            .u16(placed.offset16(0))
            .u16(len16(self.security_buffer.len()))
            .u32(offset)
            .bytes(&placed.area);
    }
}

#[cfg(test)]
impl Request {
    fn on_wire(mut self) -> Self {
        if self.client_start_time.0.is_multiple_of(2) {
            self.dialects.push(Dialect::SMB_3_1_1);
        }
        if self.has_contexts() {
            self.client_start_time = FileTime::ZERO;
        } else {
            self.reserved2 = 0;
            self.negotiate_contexts.clear();
        }
        self
    }
}

#[cfg(test)]
impl Response {
    fn on_wire(mut self) -> Self {
        if self.system_time.0.is_multiple_of(2) {
            self.dialect_revision = Dialect::SMB_3_1_1;
        }
        if self.has_contexts() {
            (self.reserved, self.reserved2) = (0, 0);
        } else {
            self.negotiate_contexts.clear();
        }
        self
    }
}
