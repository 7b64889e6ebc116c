//! MS-SRVS 3.1.4.10 NetrShareGetInfo (Opnum 16).

use super::{NetApiStatus, ShareInfoUnion};
use crate::ParseError;
use crate::ndr::{Reader, WideString, Writer};

/// MS-SRVS 3.1.4.10: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `ServerName`.
    pub server_name: Option<WideString>,
    /// `NetName`: the share.
    pub net_name: WideString,
    /// `Level`.
    pub level: u32,
}

impl Request {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            server_name: WideString::parse_unique(reader, "ServerName")?,
            net_name: WideString::parse(reader, "NetName")?,
            level: reader.u32("Level")?,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        WideString::emit_unique(self.server_name.as_ref(), writer);
        self.net_name.emit(writer);
        writer.u32(self.level);
    }
}

/// MS-SRVS 3.1.4.10: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `InfoStruct`.
    pub info_struct: ShareInfoUnion,
    /// The return value.
    pub status: NetApiStatus,
}

impl Response {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            info_struct: ShareInfoUnion::parse(reader)?,
            status: NetApiStatus(reader.u32("return value")?),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        self.info_struct.emit(writer);
        writer.u32(self.status.0);
    }
}
