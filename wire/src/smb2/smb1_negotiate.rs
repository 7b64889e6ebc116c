//! MS-SMB2 3.3.5.3 and MS-CIFS 2.2.4.52.1: the multi-protocol negotiate of SMB1, by which a
//! client that also speaks SMB1 asks for SMB2.
//!
//! Nothing else of SMB1 is read here.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::LIST_MAX;
use crate::smb2::codec::{failure, len16, read, read_bytes, within};

/// The first four bytes of an SMB1 message.
pub const PROTOCOL_ID: [u8; 4] = [0xFF, b'S', b'M', b'B'];

/// MS-CIFS 2.2.4.52: the command byte of SMB_COM_NEGOTIATE.
pub const SMB_COM_NEGOTIATE: u8 = 0x72;

/// The dialect string that asks for 2.0.2.
pub const DIALECT_2_002: &str = "SMB 2.002";

/// The dialect string that asks for any later dialect; the answer has the wildcard revision.
pub const DIALECT_2_WILDCARD: &str = "SMB 2.???";

/// MS-CIFS 2.2.4.52.1 and MS-SMB2 3.3.5.3.1: an SMB1 negotiate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The 27 bytes of the SMB1 header behind its protocol id and command.
    pub header: [u8; 27],
    /// The dialect strings, in the client's order, without their terminators.
    pub dialects: Vec<Vec<u8>>,
}

/// Whether a frame holds an SMB1 negotiate; everything else of SMB1 is refused by its reader.
#[must_use]
pub fn is_smb1_negotiate(frame: &[u8]) -> bool {
    frame.starts_with(&PROTOCOL_ID) && frame.get(4) == Some(&SMB_COM_NEGOTIATE)
}

impl Request {
    /// Reads a frame that holds an SMB1 negotiate.
    ///
    /// # Errors
    /// `BadMagic` for another protocol or command, and the first field that could not be read.
    pub fn parse(frame: &[u8]) -> Result<Request, ParseError> {
        run(Layer::Smb2, frame, read_request).map(|(request, _)| request)
    }

    /// The frame's bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let length: usize = self.dialects.iter().map(|dialect| dialect.len() + 2).sum();
        let mut out = Writer::new();
        out.bytes(&PROTOCOL_ID)
            .u8(SMB_COM_NEGOTIATE)
            .bytes(&self.header)
            .u8(0)
            .u16(len16(length));
        for dialect in &self.dialects {
            out.u8(BUFFER_FORMAT_DIALECT).bytes(dialect).u8(0);
        }
        out.into_bytes()
    }

    /// Whether the client names this dialect.
    #[must_use]
    pub fn offers(&self, dialect: &str) -> bool {
        self.dialects.iter().any(|one| one == dialect.as_bytes())
    }
}

/// MS-CIFS 2.2.4.52.1: stands before each dialect string.
const BUFFER_FORMAT_DIALECT: u8 = 2;

fn read_request(frame: &[u8]) -> PResult<'_, Request> {
    let mut rest = frame;
    let protocol_id: [u8; 4] = read(&mut rest, "Protocol")?;
    let at_command = rest;
    let command: u8 = read(&mut rest, "Command")?;
    if protocol_id != PROTOCOL_ID {
        return Err(failure(frame, "Protocol", ErrorKind::BadMagic));
    }
    if command != SMB_COM_NEGOTIATE {
        return Err(failure(at_command, "Command", ErrorKind::BadMagic));
    }
    let header = read(&mut rest, "Header")?;
    let at_words = rest;
    let word_count: u8 = read(&mut rest, "WordCount")?;
    if word_count != 0 {
        return Err(failure(at_words, "WordCount", ErrorKind::LengthOutOfRange));
    }
    let byte_count: u16 = read(&mut rest, "ByteCount")?;
    let mut data = read_bytes(&mut rest, "Dialects", usize::from(byte_count))?;
    let mut dialects = Vec::new();
    while !data.is_empty() {
        within(data, "Dialects", dialects.len() + 1, LIST_MAX)?;
        let at_format = data;
        let format: u8 = read(&mut data, "BufferFormat")?;
        if format != BUFFER_FORMAT_DIALECT {
            return Err(failure(at_format, "BufferFormat", ErrorKind::UnknownValue));
        }
        let length = data
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| failure(data, "DialectString", ErrorKind::Truncated { needed: 1 }))?;
        dialects.push(read_bytes(&mut data, "DialectString", length)?.to_vec());
        let _terminator: u8 = read(&mut data, "DialectString")?;
    }
    Ok((rest, Request { header, dialects }))
}

#[cfg(test)]
mod tests {
    use super::{DIALECT_2_002, DIALECT_2_WILDCARD, Request, is_smb1_negotiate};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_smb1_negotiate_survives_the_wire(
            header in any::<[u8; 27]>(),
            dialects in proptest::collection::vec(proptest::collection::vec(1..=255u8, 0..12), 0..6),
        ) {
            let request = Request { header, dialects };
            let bytes = request.emit();
            prop_assert!(is_smb1_negotiate(&bytes));
            prop_assert_eq!(Request::parse(&bytes).unwrap(), request);
        }

        #[test]
        fn other_bytes_are_refused_in_peace(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut frame = b"\xFFSMB\x72".to_vec();
            frame.extend(bytes);
            if let Ok(request) = Request::parse(&frame) {
                prop_assert_eq!(Request::parse(&request.emit()).unwrap(), request);
            }
        }
    }

    #[test]
    fn the_strings_that_matter_are_found() {
        let request = Request {
            header: [0; 27],
            dialects: vec![b"NT LM 0.12".to_vec(), DIALECT_2_WILDCARD.into()],
        };
        assert!(request.offers(DIALECT_2_WILDCARD));
        assert!(!request.offers(DIALECT_2_002));
    }
}
