//! MS-SRVS 3.1.4.17 NetrServerGetInfo (Opnum 21), at the levels 100 and 101.

use super::{NetApiStatus, align_reader, align_writer};
use crate::ParseError;
use crate::ndr::{Reader, WideString, Writer};

/// MS-SRVS 3.1.4.17: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `ServerName`.
    pub server_name: Option<WideString>,
    /// `Level`.
    pub level: u32,
}

impl Request {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            server_name: WideString::parse_unique(reader, "ServerName")?,
            level: reader.u32("Level")?,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        WideString::emit_unique(self.server_name.as_ref(), writer);
        writer.u32(self.level);
    }
}

/// MS-SRVS 2.2.4.40, 2.2.4.41 SERVER_INFO_100 and SERVER_INFO_101; level 100 has the first two.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerInfo {
    /// `platform_id`: 500 is Windows NT.
    pub platform_id: u32,
    /// `name`.
    pub name: Option<WideString>,
    /// `version_major`.
    pub version_major: u32,
    /// `version_minor`.
    pub version_minor: u32,
    /// `type`: what the server does, as bits.
    pub server_type: u32,
    /// `comment`.
    pub comment: Option<WideString>,
}

/// MS-SRVS 3.1.4.17: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The discriminant.
    pub level: u32,
    /// The structure; `None` is NULL, or a level that is not known here.
    pub info: Option<ServerInfo>,
    /// The return value.
    pub status: NetApiStatus,
}

/// Whether a level is known here.
#[must_use]
pub fn is_known(level: u32) -> bool {
    matches!(level, 100 | 101)
}

impl Response {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        align_reader(reader)?;
        let level = reader.u32("Level")?;
        let mut info = None;
        if is_known(level) && reader.referent("InfoStruct")? {
            let mut read = ServerInfo {
                platform_id: reader.u32("platform_id")?,
                ..ServerInfo::default()
            };
            let has_name = reader.referent("name")?;
            let mut has_comment = false;
            if level == 101 {
                read.version_major = reader.u32("version_major")?;
                read.version_minor = reader.u32("version_minor")?;
                read.server_type = reader.u32("type")?;
                has_comment = reader.referent("comment")?;
            }
            let mut text = |is_there: bool, field| {
                is_there
                    .then(|| WideString::parse(reader, field))
                    .transpose()
            };
            read.name = text(has_name, "name")?;
            read.comment = text(has_comment, "comment")?;
            info = Some(read);
        }
        Ok(Response {
            level,
            info,
            status: NetApiStatus(reader.u32("return value")?),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        align_writer(writer);
        writer.u32(self.level);
        if is_known(self.level) {
            writer.referent(self.info.is_some());
            if let Some(info) = &self.info {
                self.emit_info(info, writer);
            }
        }
        writer.u32(self.status.0);
    }

    fn emit_info(&self, info: &ServerInfo, writer: &mut Writer) {
        let is_long = self.level == 101;
        writer.u32(info.platform_id).referent(info.name.is_some());
        if is_long {
            writer
                .u32(info.version_major)
                .u32(info.version_minor)
                .u32(info.server_type)
                .referent(info.comment.is_some());
        }
        let comment = info.comment.as_ref().filter(|_| is_long);
        for text in info.name.iter().chain(comment) {
            text.emit(writer);
        }
    }
}
