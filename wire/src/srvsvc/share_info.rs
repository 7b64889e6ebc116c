//! MS-SRVS 2.2.4.22 to 2.2.4.34: what is known of a share, at each level.

use super::{SECURITY_DESCRIPTOR_MAX, align_reader, align_writer};
use crate::error::{ErrorKind, ParseError};
use crate::ndr::{Reader, WideString, Writer};

/// One field of a SHARE_INFO structure, in the order of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Type,
    Remark,
    Permissions,
    MaxUses,
    CurrentUses,
    Path,
    Password,
    Flags,
    Security,
}

/// The fields of a level; `None` for one that is not known here.
fn parts(level: u32) -> Option<&'static [Part]> {
    use Part as P;
    Some(match level {
        0 => &[P::Name],
        1 => &[P::Name, P::Type, P::Remark],
        2 => &[
            P::Name,
            P::Type,
            P::Remark,
            P::Permissions,
            P::MaxUses,
            P::CurrentUses,
            P::Path,
            P::Password,
        ],
        501 => &[P::Name, P::Type, P::Remark, P::Flags],
        502 => &[
            P::Name,
            P::Type,
            P::Remark,
            P::Permissions,
            P::MaxUses,
            P::CurrentUses,
            P::Path,
            P::Password,
            P::Security,
        ],
        1004 => &[P::Remark],
        1005 => &[P::Flags],
        1501 => &[P::Security],
        _ => return None,
    })
}

/// Whether a level is known here.
#[must_use]
pub fn is_known(level: u32) -> bool {
    parts(level).is_some()
}

/// MS-SRVS 2.2.4.23 to 2.2.4.34 SHARE_INFO_0 to SHARE_INFO_1501: each level has some of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShareInfo {
    /// `netname`.
    pub name: Option<WideString>,
    /// `type`.
    pub share_type: u32,
    /// `remark`.
    pub remark: Option<WideString>,
    /// `permissions`: not used.
    pub permissions: u32,
    /// `max_uses`: all ones for no limit.
    pub max_uses: u32,
    /// `current_uses`: connections at the moment.
    pub current_uses: u32,
    /// `path`.
    pub path: Option<WideString>,
    /// `passwd`: not used.
    pub password: Option<WideString>,
    /// `flags`.
    pub flags: u32,
    /// `security_descriptor`, whose length travels twice.
    pub security_descriptor: Option<Vec<u8>>,
}

/// What a structure has behind it.
struct Pointers {
    name: bool,
    remark: bool,
    path: bool,
    password: bool,
    security: bool,
}

impl ShareInfo {
    /// The fixed part; what its pointers mean comes behind it.
    fn parse_fixed(
        reader: &mut Reader<'_>,
        parts: &[Part],
    ) -> Result<(ShareInfo, Pointers), ParseError> {
        let mut info = ShareInfo::default();
        let mut pointers = Pointers {
            name: false,
            remark: false,
            path: false,
            password: false,
            security: false,
        };
        for part in parts {
            match part {
                Part::Name => pointers.name = reader.referent("netname")?,
                Part::Type => info.share_type = reader.u32("type")?,
                Part::Remark => pointers.remark = reader.referent("remark")?,
                Part::Permissions => info.permissions = reader.u32("permissions")?,
                Part::MaxUses => info.max_uses = reader.u32("max_uses")?,
                Part::CurrentUses => info.current_uses = reader.u32("current_uses")?,
                Part::Path => pointers.path = reader.referent("path")?,
                Part::Password => pointers.password = reader.referent("passwd")?,
                Part::Flags => info.flags = reader.u32("flags")?,
                Part::Security => {
                    reader.u32("reserved")?;
                    pointers.security = reader.referent("security_descriptor")?;
                }
            }
        }
        Ok((info, pointers))
    }

    fn parse_behind(
        &mut self,
        reader: &mut Reader<'_>,
        pointers: &Pointers,
    ) -> Result<(), ParseError> {
        let mut text = |is_there: bool, field| {
            is_there
                .then(|| WideString::parse(reader, field))
                .transpose()
        };
        self.name = text(pointers.name, "netname")?;
        self.remark = text(pointers.remark, "remark")?;
        self.path = text(pointers.path, "path")?;
        self.password = text(pointers.password, "passwd")?;
        if pointers.security {
            let length = reader.count("security_descriptor")?;
            if length > SECURITY_DESCRIPTOR_MAX {
                return Err(reader.error("security_descriptor", ErrorKind::LengthOutOfRange));
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let bytes = reader.bytes("security_descriptor", length)?;
            self.security_descriptor = Some(bytes.to_vec());
        }
        Ok(())
    }

    fn emit_fixed(&self, writer: &mut Writer, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Name => writer.referent(self.name.is_some()),
                Part::Type => writer.u32(self.share_type),
                Part::Remark => writer.referent(self.remark.is_some()),
                Part::Permissions => writer.u32(self.permissions),
                Part::MaxUses => writer.u32(self.max_uses),
                Part::CurrentUses => writer.u32(self.current_uses),
                Part::Path => writer.referent(self.path.is_some()),
                Part::Password => writer.referent(self.password.is_some()),
                Part::Flags => writer.u32(self.flags),
                Part::Security => {
                    let length = self.security_descriptor.as_ref().map_or(0, Vec::len);
                    writer.u32(u32::try_from(length).unwrap_or(u32::MAX));
                    writer.referent(self.security_descriptor.is_some())
                }
            };
        }
    }

    fn emit_behind(&self, writer: &mut Writer, parts: &[Part]) {
        for part in parts {
            let text = match part {
                Part::Name => &self.name,
                Part::Remark => &self.remark,
                Part::Path => &self.path,
                Part::Password => &self.password,
                _ => &None,
            };
            if let Some(text) = text {
                text.emit(writer);
            }
            if let (Part::Security, Some(bytes)) = (part, &self.security_descriptor) {
                writer.count(bytes.len() as u64).bytes(bytes);
            }
        }
    }

    /// An array of these: all fixed parts, then everything behind them.
    pub(super) fn parse_array(
        reader: &mut Reader<'_>,
        level: u32,
        count: u64,
    ) -> Result<Vec<ShareInfo>, ParseError> {
        let parts = known(reader, level)?;
        let mut found = Vec::new();
        for _ in 0..count {
            align_reader(reader)?;
            found.push(ShareInfo::parse_fixed(reader, parts)?);
        }
        let behind = |(mut info, pointers): (ShareInfo, Pointers)| {
            info.parse_behind(reader, &pointers)?;
            Ok(info)
        };
        found.into_iter().map(behind).collect()
    }

    pub(super) fn emit_array(infos: &[ShareInfo], level: u32, writer: &mut Writer) {
        let parts = parts(level).unwrap_or_default();
        for info in infos {
            align_writer(writer);
            info.emit_fixed(writer, parts);
        }
        for info in infos {
            info.emit_behind(writer, parts);
        }
    }
}

fn known(reader: &Reader<'_>, level: u32) -> Result<&'static [Part], ParseError> {
    parts(level).ok_or_else(|| reader.error("Level", ErrorKind::UnknownValue))
}

/// MS-SRVS 2.2.3.6 SHARE_INFO: a level and a pointer to its structure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShareInfoUnion {
    /// The discriminant.
    pub level: u32,
    /// The structure; `None` is NULL, or a level that has none.
    pub info: Option<ShareInfo>,
}

impl ShareInfoUnion {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        align_reader(reader)?;
        let level = reader.u32("Level")?;
        let mut info = None;
        if is_known(level) && reader.referent("ShareInfo")? {
            info = ShareInfo::parse_array(reader, level, 1)?.pop();
        }
        Ok(ShareInfoUnion { level, info })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        align_writer(writer);
        writer.u32(self.level);
        if is_known(self.level) {
            writer.referent(self.info.is_some());
            ShareInfo::emit_array(self.info.as_slice(), self.level, writer);
        }
    }
}
