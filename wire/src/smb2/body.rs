//! What every message body can do.

use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::codec::{Failure, failure, read};
use crate::smb2::{Command, HEADER_LEN, Header};

/// The body of a request or a response.
///
/// Offsets inside a body count from the start of the header, so [`Body::parse`] takes the whole
/// message, header included, and [`Body::emit`] gives the whole message.
pub trait Body: Sized {
    /// The command that the body belongs to.
    const COMMAND: Command;

    /// The value of `StructureSize`, the first field of every body.
    const STRUCTURE_SIZE: u16;

    /// Reads the body of `message`, which starts with the header; leaves what it does not own.
    ///
    /// # Errors
    /// The first field that could not be read.
    fn read_body(message: &[u8]) -> PResult<'_, Self>;

    /// Appends the body; `out` holds the header and nothing else.
    fn write_body(&self, out: &mut Writer);

    /// Reads one message: header and body. The header's command is not compared with
    /// [`Body::COMMAND`].
    ///
    /// # Errors
    /// The first field that could not be read, with its offset from the start of the header.
    fn parse(message: &[u8]) -> Result<(Header, Self), ParseError> {
        let header = Header::parse(message)?;
        let (body, _) = run(Layer::Smb2, message, Self::read_body)?;
        Ok((header, body))
    }

    /// The whole message. `header` goes out as it is, its command and its signature included.
    #[must_use]
    fn emit(&self, header: &Header) -> Vec<u8> {
        let mut out = Writer::new();
        header.write_to(&mut out);
        self.write_body(&mut out);
        out.into_bytes()
    }
}

/// Skips the header and checks `StructureSize`; gives what follows it.
pub(crate) fn open(message: &[u8], expected: u16) -> Result<&[u8], Failure<'_>> {
    let Some(body) = message.get(HEADER_LEN..) else {
        return Err(failure(
            message,
            "Header",
            ErrorKind::Truncated {
                needed: HEADER_LEN - message.len(),
            },
        ));
    };
    let mut rest = body;
    let got: u16 = read(&mut rest, "StructureSize")?;
    if got != expected {
        return Err(failure(
            body,
            "StructureSize",
            ErrorKind::BadStructureSize { expected, got },
        ));
    }
    Ok(rest)
}
