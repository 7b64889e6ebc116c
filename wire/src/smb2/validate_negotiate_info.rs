//! MS-SMB2 2.2.31.4, 2.2.32.6 VALIDATE_NEGOTIATE_INFO: guards the negotiation of dialects 3.0
//! and 3.0.2 against a man in the middle.

use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::codec::{Fixed, len16, read, read_list, write_list};
use crate::smb2::codec::{record, standalone, structure};
use crate::smb2::negotiate::{Capabilities, Dialect, SecurityMode};
use uuid::Uuid;

structure! {
    /// MS-SMB2 2.2.31.4 VALIDATE_NEGOTIATE_INFO Request: what the client sent in NEGOTIATE.
    pub struct Request {
        /// The capabilities.
        pub capabilities: Capabilities,
        /// The client's id.
        pub guid: Uuid,
        /// The security mode.
        pub security_mode: SecurityMode,
        /// The dialects, in the order of the NEGOTIATE.
        pub dialects: Vec<Dialect>,
    }
}

record! {
    /// MS-SMB2 2.2.32.6 VALIDATE_NEGOTIATE_INFO Response: what the server answered.
    pub struct Response {
        /// The capabilities.
        pub capabilities: Capabilities = "Capabilities",
        /// The server's id.
        pub guid: Uuid = "Guid",
        /// The security mode.
        pub security_mode: SecurityMode = "SecurityMode",
        /// The dialect.
        pub dialect: Dialect = "Dialect",
    }
}

standalone!(Response);

impl Request {
    /// Reads the input of the IOCTL.
    ///
    /// # Errors
    /// When the bytes end before the structure does.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Smb2, input, read_request).map(|(request, _)| request)
    }

    /// The input of the IOCTL.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.capabilities.write(&mut out);
        self.guid.write(&mut out);
        self.security_mode.write(&mut out);
        out.u16(len16(self.dialects.len()));
        write_list(&self.dialects, &mut out);
        out.into_bytes()
    }
}

fn read_request(input: &[u8]) -> PResult<'_, Request> {
    let mut rest = input;
    let capabilities = read(&mut rest, "Capabilities")?;
    let guid = read(&mut rest, "Guid")?;
    let security_mode = read(&mut rest, "SecurityMode")?;
    let count: u16 = read(&mut rest, "DialectCount")?;
    let request = Request {
        capabilities,
        guid,
        security_mode,
        dialects: read_list(&mut rest, "Dialects", usize::from(count))?,
    };
    Ok((rest, request))
}

#[cfg(test)]
mod tests {
    use super::{Request, Response};
    use crate::smb2::sample::Sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_sides_survive_the_wire(request in Request::sample(), response in Response::sample()) {
            prop_assert_eq!(Request::parse(&request.emit()).unwrap(), request);
            prop_assert_eq!(Response::parse(&response.emit()).unwrap(), response);
        }
    }
}
