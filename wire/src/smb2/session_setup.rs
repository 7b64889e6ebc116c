//! MS-SMB2 2.2.5, 2.2.6 SESSION_SETUP: one leg of a logon.

use crate::emit::Writer;
use crate::parse::PResult;
use crate::smb2::Layout;
use crate::smb2::body::open;
use crate::smb2::codec::{flags, structure};
use crate::smb2::codec::{len16, read};
use crate::smb2::layout::{Part, part};
use crate::smb2::{Body, Command};

flags! {
    /// MS-SMB2 2.2.5: the `Flags` of the request.
    SessionSetupFlags(u8) {
        BINDING = 0x01,
    }
}

flags! {
    /// MS-SMB2 2.2.5: the one-byte form of the security mode.
    SecurityMode(u8) {
        SIGNING_ENABLED = 0x01,
        SIGNING_REQUIRED = 0x02,
    }
}

flags! {
    /// MS-SMB2 2.2.6: what kind of session it became.
    SessionFlags(u16) {
        IS_GUEST = 0x0001,
        IS_NULL = 0x0002,
        ENCRYPT_DATA = 0x0004,
    }
}

structure! {
    /// MS-SMB2 2.2.5 SESSION_SETUP Request.
    pub struct Request {
        /// Whether the session is bound to a further connection.
        pub flags: SessionSetupFlags,
        /// How the client stands to signing.
        pub security_mode: SecurityMode,
        /// Bit 0: DFS; see [`crate::smb2::negotiate::Capabilities`].
        pub capabilities: u32,
        /// Zero in every legal message.
        pub channel: u32,
        /// A session that this one replaces after a reconnect; else zero.
        pub previous_session_id: u64,
        /// The client's SPNEGO or NTLM token.
        pub security_buffer: Vec<u8>,
        /// Where the token lies.
        pub layout: Layout,
    }
}

structure! {
    /// MS-SMB2 2.2.6 SESSION_SETUP Response; also with `MORE_PROCESSING_REQUIRED`.
    pub struct Response {
        /// What kind of session it became.
        pub session_flags: SessionFlags,
        /// The server's token.
        pub security_buffer: Vec<u8>,
        /// Where the token lies.
        pub layout: Layout,
    }
}

impl Body for Request {
    const COMMAND: Command = Command::SESSION_SETUP;
    const STRUCTURE_SIZE: u16 = 25;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let mut request = Request {
            flags: read(&mut rest, "Flags")?,
            security_mode: read(&mut rest, "SecurityMode")?,
            capabilities: read(&mut rest, "Capabilities")?,
            channel: read(&mut rest, "Channel")?,
            ..Request::default()
        };
        let at: u16 = read(&mut rest, "SecurityBufferOffset")?;
        let length: u16 = read(&mut rest, "SecurityBufferLength")?;
        request.previous_session_id = read(&mut rest, "PreviousSessionId")?;
        let fixed_end = message.len() - rest.len();
        let token = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            usize::from(length),
        )?;
        request.security_buffer = token.to_vec();
        let parts = [Part::new(token, 1)];
        request.layout = Layout::detect(fixed_end, 1, &parts, &[u32::from(at)], rest);
        Ok((&[], request))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [Part::new(&self.security_buffer, 1)];
        let placed = self.layout.place(out.len() + 24, 1, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .bytes(&[self.flags.0, self.security_mode.0])
            .u32(self.capabilities)
            .u32(self.channel)
            .u16(placed.offset16(0))
            .u16(len16(self.security_buffer.len()))
            .u64(self.previous_session_id)
            .bytes(&placed.area);
    }
}

impl Body for Response {
    const COMMAND: Command = Command::SESSION_SETUP;
    const STRUCTURE_SIZE: u16 = 9;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let session_flags = read(&mut rest, "SessionFlags")?;
        let at: u16 = read(&mut rest, "SecurityBufferOffset")?;
        let length: u16 = read(&mut rest, "SecurityBufferLength")?;
        let fixed_end = message.len() - rest.len();
        let token = part(
            message,
            "Buffer",
            fixed_end,
            usize::from(at),
            usize::from(length),
        )?;
        let parts = [Part::new(token, 1)];
        let response = Response {
            session_flags,
            security_buffer: token.to_vec(),
            layout: Layout::detect(fixed_end, 0, &parts, &[u32::from(at)], rest),
        };
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let parts = [Part::new(&self.security_buffer, 1)];
        let placed = self.layout.place(out.len() + 8, 0, &parts);
        out.u16(Self::STRUCTURE_SIZE)
            .u16(self.session_flags.0)
            .u16(placed.offset16(0))
            .u16(len16(self.security_buffer.len()))
            .bytes(&placed.area);
    }
}
