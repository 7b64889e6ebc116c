//! MS-SRVS 3.1.4.11 NetrShareSetInfo (Opnum 17).

use super::{NetApiStatus, ShareInfoUnion, emit_number, parse_number};
use crate::ParseError;
use crate::ndr::{Reader, WideString, Writer};

/// MS-SRVS 3.1.4.11: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `ServerName`.
    pub server_name: Option<WideString>,
    /// `NetName`: the share.
    pub net_name: WideString,
    /// `Level`.
    pub level: u32,
    /// `ShareInfo`: what shall be.
    pub share_info: ShareInfoUnion,
    /// `ParmErr`; `None` also where the level is not known here, for then its place is not.
    pub parm_err: Option<u32>,
}

impl Request {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let server_name = WideString::parse_unique(reader, "ServerName")?;
        let net_name = WideString::parse(reader, "NetName")?;
        let level = reader.u32("Level")?;
        let share_info = ShareInfoUnion::parse(reader)?;
        let is_known = super::share_info::is_known(share_info.level);
        let parm_err = match is_known {
            true => parse_number(reader, "ParmErr")?,
            false => None,
        };
        Ok(Request {
            server_name,
            net_name,
            level,
            share_info,
            parm_err,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        WideString::emit_unique(self.server_name.as_ref(), writer);
        self.net_name.emit(writer);
        writer.u32(self.level);
        self.share_info.emit(writer);
        emit_number(self.parm_err, writer);
    }
}

/// MS-SRVS 3.1.4.11: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `ParmErr`: the number of the field that was refused.
    pub parm_err: Option<u32>,
    /// The return value.
    pub status: NetApiStatus,
}

impl Response {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            parm_err: parse_number(reader, "ParmErr")?,
            status: NetApiStatus(reader.u32("return value")?),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        emit_number(self.parm_err, writer);
        writer.u32(self.status.0);
    }
}
