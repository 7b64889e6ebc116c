//! MS-SMB2 2.2.1: the header before every message.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::NtStatus;
use crate::smb2::codec::{codes, failure, flags, read, record};

/// The header's length, in bytes; offsets inside a message count from its first byte.
pub const HEADER_LEN: usize = 64;

/// MS-SMB2 2.2.1.1: `ProtocolId` of a plain message, 0xFE 'S' 'M' 'B'.
pub const PROTOCOL_ID: [u8; 4] = [0xFE, b'S', b'M', b'B'];

/// The value of the header's `StructureSize`.
const STRUCTURE_SIZE: u16 = 64;

codes! {
    /// MS-SMB2 2.2.1.2: which command a message carries.
    Command(u16) {
        NEGOTIATE = 0x0000,
        SESSION_SETUP = 0x0001,
        LOGOFF = 0x0002,
        TREE_CONNECT = 0x0003,
        TREE_DISCONNECT = 0x0004,
        CREATE = 0x0005,
        CLOSE = 0x0006,
        FLUSH = 0x0007,
        READ = 0x0008,
        WRITE = 0x0009,
        LOCK = 0x000A,
        IOCTL = 0x000B,
        CANCEL = 0x000C,
        ECHO = 0x000D,
        QUERY_DIRECTORY = 0x000E,
        CHANGE_NOTIFY = 0x000F,
        QUERY_INFO = 0x0010,
        SET_INFO = 0x0011,
        OPLOCK_BREAK = 0x0012,
        SERVER_TO_CLIENT_NOTIFICATION = 0x0013,
    }
}

flags! {
    /// MS-SMB2 2.2.1.2: the header's `Flags`.
    HeaderFlags(u32) {
        SERVER_TO_REDIR = 0x0000_0001,
        ASYNC_COMMAND = 0x0000_0002,
        RELATED_OPERATIONS = 0x0000_0004,
        SIGNED = 0x0000_0008,
        PRIORITY_MASK = 0x0000_0070,
        DFS_OPERATIONS = 0x1000_0000,
        REPLAY_OPERATION = 0x2000_0000,
    }
}

record! {
    /// MS-SMB2 2.2.14.1 SMB2_FILEID: names an open.
    #[derive(Copy, Hash, PartialOrd, Ord)]
    pub struct FileId {
        /// The part that outlives a lost connection.
        pub persistent: u64 = "Persistent",
        /// The part that is unique among the opens of now.
        pub volatile: u64 = "Volatile",
    }
}

impl FileId {
    /// MS-SMB2 3.3.5.2.7.2: in a related request, the file of the request before it.
    pub const RELATED: FileId = FileId {
        persistent: u64::MAX,
        volatile: u64::MAX,
    };
}

/// MS-SMB2 2.2.1 SMB2 Packet Header, in its ASYNC and its SYNC form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// How many credits the request costs; reserved in dialect 2.0.2.
    pub credit_charge: u16,
    /// Response: the outcome. Request: zero, or in dialects 3.x [`Header::channel_sequence`].
    pub status: NtStatus,
    /// The command.
    pub command: Command,
    /// Credits that are asked for (request) or granted (response).
    pub credits: u16,
    /// Direction, form, signature, compound.
    pub flags: HeaderFlags,
    /// Offset of the next message of the compound from this header, in bytes; 0 in the last one.
    pub next_command: u32,
    /// Names the request on its connection; the response repeats it.
    pub message_id: u64,
    /// SYNC form: `Reserved`, which old texts call the process id. ASYNC form: see
    /// [`Header::async_id`].
    pub process_id: u32,
    /// SYNC form: the tree connect. ASYNC form: see [`Header::async_id`].
    pub tree_id: u32,
    /// The session.
    pub session_id: u64,
    /// The signature when [`HeaderFlags::SIGNED`] is set, else zeros.
    pub signature: [u8; 16],
}

impl Header {
    /// A request of `command` with one credit asked and charged; ids are for the caller to set.
    #[must_use]
    pub fn request(command: Command) -> Self {
        Header {
            credit_charge: 1,
            command,
            credits: 1,
            ..Header::default()
        }
    }

    /// The header of a response to `request`: its command, message, tree and session ids, its
    /// charge, and one credit.
    #[must_use]
    pub fn response_to(request: &Header, status: NtStatus) -> Self {
        Header {
            credit_charge: request.credit_charge,
            status,
            command: request.command,
            credits: 1,
            flags: HeaderFlags::SERVER_TO_REDIR | (request.flags & HeaderFlags::PRIORITY_MASK),
            message_id: request.message_id,
            process_id: request.process_id,
            tree_id: request.tree_id,
            session_id: request.session_id,
            ..Header::default()
        }
    }

    /// Whether a server sent the message.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.flags.contains(HeaderFlags::SERVER_TO_REDIR)
    }

    /// MS-SMB2 2.2.1.1: the `AsyncId`; `None` in the SYNC form.
    #[must_use]
    pub fn async_id(&self) -> Option<u64> {
        self.flags
            .contains(HeaderFlags::ASYNC_COMMAND)
            .then(|| u64::from(self.tree_id) << 32 | u64::from(self.process_id))
    }

    /// Turns the header into the ASYNC form with this `AsyncId`.
    pub fn set_async_id(&mut self, async_id: u64) {
        let [a, b, c, d, e, f, g, h] = async_id.to_le_bytes();
        self.flags |= HeaderFlags::ASYNC_COMMAND;
        self.process_id = u32::from_le_bytes([a, b, c, d]);
        self.tree_id = u32::from_le_bytes([e, f, g, h]);
    }

    /// MS-SMB2 2.2.1.2: `ChannelSequence` of a request in dialects 3.x.
    #[must_use]
    pub fn channel_sequence(&self) -> u16 {
        let [low, high, _, _] = self.status.0.to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    /// Reads the header at the start of `message`.
    ///
    /// # Errors
    /// When the message is shorter than a header, begins with another protocol id, or states a
    /// `StructureSize` other than 64.
    pub fn parse(message: &[u8]) -> Result<Header, ParseError> {
        run(Layer::Smb2, message, read_header).map(|(header, _)| header)
    }

    /// The 64 bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write_to(&mut out);
        out.into_bytes()
    }

    /// Appends the 64 bytes.
    pub fn write_to(&self, out: &mut Writer) {
        out.bytes(&PROTOCOL_ID)
            .u16(STRUCTURE_SIZE)
            .u16(self.credit_charge)
            .u32(self.status.0)
            .u16(self.command.0)
            .u16(self.credits)
            .u32(self.flags.0)
            .u32(self.next_command)
            .u64(self.message_id)
            .u32(self.process_id)
            .u32(self.tree_id)
            .u64(self.session_id)
            .bytes(&self.signature);
    }
}

fn read_header(input: &[u8]) -> PResult<'_, Header> {
    let mut rest = input;
    let protocol_id: [u8; 4] = read(&mut rest, "ProtocolId")?;
    if protocol_id != PROTOCOL_ID {
        return Err(failure(input, "ProtocolId", ErrorKind::BadMagic));
    }
    let at_size = rest;
    let got: u16 = read(&mut rest, "StructureSize")?;
    if got != STRUCTURE_SIZE {
        let expected = STRUCTURE_SIZE;
        let kind = ErrorKind::BadStructureSize { expected, got };
        return Err(failure(at_size, "StructureSize", kind));
    }
    let header = Header {
        credit_charge: read(&mut rest, "CreditCharge")?,
        status: read(&mut rest, "Status")?,
        command: read(&mut rest, "Command")?,
        credits: read(&mut rest, "Credits")?,
        flags: read(&mut rest, "Flags")?,
        next_command: read(&mut rest, "NextCommand")?,
        message_id: read(&mut rest, "MessageId")?,
        process_id: read(&mut rest, "Reserved")?,
        tree_id: read(&mut rest, "TreeId")?,
        session_id: read(&mut rest, "SessionId")?,
        signature: read(&mut rest, "Signature")?,
    };
    Ok((rest, header))
}

#[cfg(test)]
impl crate::smb2::sample::Sample for Header {
    fn sample() -> proptest::strategy::BoxedStrategy<Self> {
        use proptest::prelude::*;
        any::<[u8; 32]>()
            .prop_flat_map(|head| any::<[u8; 32]>().prop_map(move |tail| (head, tail)))
            .prop_map(|(head, tail)| {
                let mut bytes = [head, tail].concat();
                bytes[..4].copy_from_slice(&PROTOCOL_ID);
                bytes[4..6].copy_from_slice(&STRUCTURE_SIZE.to_le_bytes());
                Header::parse(&bytes).unwrap()
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_LEN, Header, HeaderFlags};
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_survives_the_wire(header in Header::sample()) {
            let bytes = header.emit();
            prop_assert_eq!(bytes.len(), HEADER_LEN);
            prop_assert_eq!(Header::parse(&bytes).unwrap(), header);
        }

        #[test]
        fn an_async_id_is_given_back(id in any::<u64>(), header in Header::sample()) {
            let mut header = header;
            header.set_async_id(id);
            prop_assert_eq!(header.async_id(), Some(id));
            header.flags = header.flags.without(HeaderFlags::ASYNC_COMMAND);
            prop_assert_eq!(header.async_id(), None);
        }
    }

    #[test]
    fn errors_name_the_byte() {
        let mut bytes = Header::default().emit();
        bytes[4] = 65;
        let text = Header::parse(&bytes).unwrap_err().to_string();
        assert_eq!(
            text,
            "smb2: StructureSize at byte 4: structure size is 65, not 64"
        );
        bytes[0] = 0xFF;
        let text = Header::parse(&bytes).unwrap_err().to_string();
        assert_eq!(
            text,
            "smb2: ProtocolId at byte 0: wrong protocol identifier"
        );
    }
}
