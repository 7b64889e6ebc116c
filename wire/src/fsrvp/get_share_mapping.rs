//! MS-FSRVP 3.1.4.11 GetShareMapping (Opnum 10).

use crate::ParseError;
use crate::fsrvp::{Hresult, ShadowCopyId, ShadowCopySetId};
use crate::ndr::{Reader, WideString, Writer};

/// MS-FSRVP 3.1.4.11: what the client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The shadow copy, by the id that AddToShadowCopySet returned.
    pub shadow_copy_id: ShadowCopyId,
    /// The set, by the id that StartShadowCopySet returned.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The share in UNC form; a top-level reference, so no referent id travels.
    pub share_name: WideString,
    /// The form of the answer; only 1 is defined.
    pub level: u32,
}

impl Request {
    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Request {
            shadow_copy_id: ShadowCopyId(reader.uuid("shadow_copy_id")?),
            shadow_copy_set_id: ShadowCopySetId(reader.uuid("shadow_copy_set_id")?),
            share_name: WideString::parse(reader, "share_name")?,
            level: reader.u32("level")?,
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.shadow_copy_id.0);
        writer.uuid(self.shadow_copy_set_id.0);
        self.share_name.emit(writer);
        writer.u32(self.level);
    }
}

/// MS-FSRVP 3.1.4.11: what the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What the share is mapped to.
    pub share_mapping: ShareMapping,
    /// The return value.
    pub status: Hresult,
}

impl Response {
    /// The answer of a call that failed: every out parameter is zero.
    #[must_use]
    pub fn failure(status: Hresult) -> Self {
        Response {
            share_mapping: ShareMapping {
                level: 1,
                mapping: None,
            },
            status,
        }
    }

    pub(crate) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Response {
            share_mapping: ShareMapping::parse(reader)?,
            status: Hresult(reader.u32("return value")?),
        })
    }

    pub(crate) fn emit(&self, writer: &mut Writer) {
        self.share_mapping.emit(writer);
        writer.u32(self.status.0);
    }
}

/// MS-FSRVP 2.2.3.1 FSSAGENT_SHARE_MAPPING: a union whose discriminant travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareMapping {
    /// The discriminant; equal to the request's `Level`.
    pub level: u32,
    /// The arm of level 1; `None` is a NULL pointer there, and the empty arm of other levels.
    pub mapping: Option<ShareMapping1>,
}

/// The only level with an arm.
const LEVEL_1: u32 = 1;

impl ShareMapping {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let level = reader.u32("share_mapping discriminant")?;
        // Arms are aligned to the largest arm, a pointer, also where the arm is empty.
        reader.align("share_mapping arm", reader.representation().pointer_len())?;
        let mapping = match level == LEVEL_1 && reader.referent("share_mapping1")? {
            true => Some(ShareMapping1::parse(reader)?),
            false => None,
        };
        Ok(ShareMapping { level, mapping })
    }

    fn emit(&self, writer: &mut Writer) {
        writer.u32(self.level);
        writer.align(writer.representation().pointer_len());
        if self.level == LEVEL_1 {
            writer.referent(self.mapping.is_some());
            if let Some(mapping) = &self.mapping {
                mapping.emit(writer);
            }
        }
    }
}

/// MS-FSRVP 2.2.1.1 FSSAGENT_SHARE_MAPPING_1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareMapping1 {
    /// The set that the shadow copy belongs to.
    pub shadow_copy_set_id: ShadowCopySetId,
    /// The shadow copy.
    pub shadow_copy_id: ShadowCopyId,
    /// `ShareNameUNC`: the base share.
    pub share_name_unc: Option<WideString>,
    /// `ShadowCopyShareName`: the exposed share; NULL while it is not exposed.
    pub shadow_copy_share_name: Option<WideString>,
    /// `CreationTimestamp`, in 100 ns intervals since 1601-01-01 00:00 UTC.
    pub creation_timestamp: i64,
}

/// C706 14.3.2: a structure is aligned as its largest member, the timestamp.
const STRUCT_ALIGNMENT: usize = 8;

impl ShareMapping1 {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.align("share_mapping1", STRUCT_ALIGNMENT)?;
        let shadow_copy_set_id = ShadowCopySetId(reader.uuid("shadow_copy_set_id")?);
        let shadow_copy_id = ShadowCopyId(reader.uuid("shadow_copy_id")?);
        let has_share_name_unc = reader.referent("share_name_unc")?;
        let has_shadow_copy_share_name = reader.referent("shadow_copy_share_name")?;
        let creation_timestamp = reader.i64("creation_timestamp")?;
        // The pointees are deferred to behind the structure, in the order of its members.
        let mut pointee = |present: bool, field| match present {
            true => WideString::parse(reader, field).map(Some),
            false => Ok(None),
        };
        Ok(ShareMapping1 {
            shadow_copy_set_id,
            shadow_copy_id,
            share_name_unc: pointee(has_share_name_unc, "share_name_unc")?,
            shadow_copy_share_name: pointee(has_shadow_copy_share_name, "shadow_copy_share_name")?,
            creation_timestamp,
        })
    }

    fn emit(&self, writer: &mut Writer) {
        writer.align(STRUCT_ALIGNMENT);
        writer.uuid(self.shadow_copy_set_id.0);
        writer.uuid(self.shadow_copy_id.0);
        writer.referent(self.share_name_unc.is_some());
        writer.referent(self.shadow_copy_share_name.is_some());
        writer.i64(self.creation_timestamp);
        let strings = [&self.share_name_unc, &self.shadow_copy_share_name];
        for string in strings.into_iter().flatten() {
            string.emit(writer);
        }
    }
}
