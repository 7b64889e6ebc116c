//! C706 12.6.4.5 bind_nak.

use crate::ParseError;
use crate::ndr::{Reader, Writer};
use crate::rpce::RejectReason;
use crate::rpce::bind::counted;

/// C706 12.6.4.5: a server refuses a bind as a whole. Extended error information of MS-RPCE
/// 2.2.2.5 stays behind the body, in [`crate::rpce::Pdu::trailing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindNak {
    /// `provider_reject_reason`.
    pub reject_reason: RejectReason,
    /// `versions`: the protocol versions that the server speaks, major and minor.
    pub versions: Vec<(u8, u8)>,
}

impl BindNak {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let reject_reason = RejectReason(reader.u16("provider_reject_reason")?);
        let count = reader.u8("n_protocols")?;
        let versions = (0..count)
            .map(|_| Ok((reader.u8("major")?, reader.u8("minor")?)))
            .collect::<Result<_, _>>()?;
        Ok(BindNak {
            reject_reason,
            versions,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        let (count, versions) = counted(&self.versions);
        writer.u16(self.reject_reason.0).u8(count);
        for (major, minor) in versions {
            writer.u8(*major).u8(*minor);
        }
    }
}
