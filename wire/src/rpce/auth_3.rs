//! MS-RPCE 2.2.2.10 rpc_auth_3.

use crate::ParseError;
use crate::ndr::{Reader, Writer};

/// MS-RPCE 2.2.2.10: the third leg of an authentication; its token stands in the trailer. There is
/// no answer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Auth3 {
    /// Four bytes without meaning.
    pub pad: [u8; 4],
}

impl Auth3 {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Auth3 {
            pad: reader.array("pad")?,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer.bytes(&self.pad);
    }
}
