//! MS-SRVS 3.1.4.8 NetrShareEnum (Opnum 15).

use super::{
    NetApiStatus, SHARES_MAX, ShareInfo, align_reader, align_writer, emit_number, parse_number,
};
use crate::error::{ErrorKind, ParseError};
use crate::ndr::{Reader, WideString, Writer};

/// MS-SRVS 2.2.4.38 SHARE_ENUM_STRUCT: a level and the shares at that level.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShareList {
    /// `Level`.
    pub level: u32,
    /// The container; the outer `None` is NULL for it, the inner one for its `Buffer`.
    pub shares: Option<Option<Vec<ShareInfo>>>,
}

impl ShareList {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        align_reader(reader)?;
        let level = reader.u32("Level")?;
        align_reader(reader)?;
        if reader.u32("ShareInfo")? != level {
            return Err(reader.error("ShareInfo", ErrorKind::UnknownValue));
        }
        if !reader.referent("Container")? {
            return Ok(ShareList {
                level,
                shares: None,
            });
        }
        reader.u32("EntriesRead")?;
        let mut list = None;
        if reader.referent("Buffer")? {
            let count = reader.count("Buffer")?;
            if count > SHARES_MAX {
                return Err(reader.error("Buffer", ErrorKind::LengthOutOfRange));
            }
            list = Some(ShareInfo::parse_array(reader, level, count)?);
        }
        Ok(ShareList {
            level,
            shares: Some(list),
        })
    }

    fn emit(&self, writer: &mut Writer) {
        align_writer(writer);
        writer.u32(self.level);
        align_writer(writer);
        writer.u32(self.level).referent(self.shares.is_some());
        let Some(list) = &self.shares else { return };
        let count = list.as_ref().map_or(0, Vec::len);
        writer
            .u32(u32::try_from(count).unwrap_or(u32::MAX))
            .referent(list.is_some());
        if let Some(list) = list {
            writer.count(list.len() as u64);
            ShareInfo::emit_array(list, self.level, writer);
        }
    }
}

/// MS-SRVS 3.1.4.8: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `ServerName`.
    pub server_name: Option<WideString>,
    /// `InfoStruct`: the level that is wanted.
    pub info_struct: ShareList,
    /// `PreferedMaximumLength`, in bytes.
    pub prefered_maximum_length: u32,
    /// `ResumeHandle`.
    pub resume_handle: Option<u32>,
}

impl Request {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            server_name: WideString::parse_unique(reader, "ServerName")?,
            info_struct: ShareList::parse(reader)?,
            prefered_maximum_length: reader.u32("PreferedMaximumLength")?,
            resume_handle: parse_number(reader, "ResumeHandle")?,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        WideString::emit_unique(self.server_name.as_ref(), writer);
        self.info_struct.emit(writer);
        writer.u32(self.prefered_maximum_length);
        emit_number(self.resume_handle, writer);
    }
}

/// MS-SRVS 3.1.4.8: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `InfoStruct`: the shares.
    pub info_struct: ShareList,
    /// `TotalEntries`.
    pub total_entries: u32,
    /// `ResumeHandle`.
    pub resume_handle: Option<u32>,
    /// The return value.
    pub status: NetApiStatus,
}

impl Response {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            info_struct: ShareList::parse(reader)?,
            total_entries: reader.u32("TotalEntries")?,
            resume_handle: parse_number(reader, "ResumeHandle")?,
            status: NetApiStatus(reader.u32("return value")?),
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        self.info_struct.emit(writer);
        writer.u32(self.total_entries);
        emit_number(self.resume_handle, writer);
        writer.u32(self.status.0);
    }
}
