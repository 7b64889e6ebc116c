//! C706 12.6.3.1 `p_syntax_id_t`: names of interfaces and of transfer syntaxes.

use crate::ParseError;
use crate::ndr::{Reader, TransferSyntax, Writer};
use uuid::Uuid;

/// A UUID with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SyntaxId {
    /// Names the interface or the transfer syntax.
    pub uuid: Uuid,
    /// The version: major in the lower 16 bits, minor in the upper ones.
    pub version: u32,
}

/// C706 appendix I: NDR, version 2.0.
pub const NDR32: SyntaxId = SyntaxId::new(
    Uuid::from_u128(0x8a885d04_1ceb_11c9_9fe8_08002b104860),
    (2, 0),
);

/// MS-RPCE 2.2.5: NDR64, version 1.0.
pub const NDR64: SyntaxId = SyntaxId::new(
    Uuid::from_u128(0x71710533_beba_4937_8319_b5dbef9ccc36),
    (1, 0),
);

/// MS-RPCE 2.2.2.14: how the UUID of bind-time feature negotiation begins, least significant byte
/// first in its fields; the 8 bytes behind it are the bitmask of features.
pub const BIND_TIME_FEATURES_PREFIX: [u8; 8] = [0x2c, 0x1c, 0xb7, 0x6c, 0x12, 0x98, 0x40, 0x45];

/// MS-RPCE 2.2.2.14: the features that a client offers and a server confirms when binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BindTimeFeatures(pub u64);

impl BindTimeFeatures {
    /// Several security contexts on one connection.
    pub const SECURITY_CONTEXT_MULTIPLEXING: BindTimeFeatures = BindTimeFeatures(0x01);
    /// The connection stays when a call is orphaned.
    pub const KEEP_CONNECTION_ON_ORPHAN: BindTimeFeatures = BindTimeFeatures(0x02);
}

impl SyntaxId {
    /// A syntax with its major and minor version.
    #[must_use]
    pub const fn new(uuid: Uuid, (major, minor): (u16, u16)) -> Self {
        let [a, b] = major.to_le_bytes();
        let [c, d] = minor.to_le_bytes();
        SyntaxId {
            uuid,
            version: u32::from_le_bytes([a, b, c, d]),
        }
    }

    /// The syntax of bind-time feature negotiation, version 1.0.
    #[must_use]
    pub fn bind_time_features(features: BindTimeFeatures) -> Self {
        let mut bytes = [0; 16];
        let halves = BIND_TIME_FEATURES_PREFIX
            .into_iter()
            .chain(features.0.to_le_bytes());
        for (slot, byte) in bytes.iter_mut().zip(halves) {
            *slot = byte;
        }
        SyntaxId::new(Uuid::from_bytes_le(bytes), (1, 0))
    }

    /// The nil syntax, which stands in the result of a refused context.
    pub const NIL: SyntaxId = SyntaxId {
        uuid: Uuid::nil(),
        version: 0,
    };

    /// Major and minor version.
    #[must_use]
    pub fn major_minor(self) -> (u16, u16) {
        let [a, b, c, d] = self.version.to_le_bytes();
        (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
    }

    /// The transfer syntax that it names, where we know it.
    #[must_use]
    pub fn transfer_syntax(self) -> Option<TransferSyntax> {
        match self {
            NDR32 => Some(TransferSyntax::Ndr32),
            NDR64 => Some(TransferSyntax::Ndr64),
            _ => None,
        }
    }

    /// The features, when this is bind-time feature negotiation.
    #[must_use]
    pub fn features(self) -> Option<BindTimeFeatures> {
        let bytes = self.uuid.to_bytes_le();
        let (prefix, mask) = bytes.split_first_chunk::<8>()?;
        let mask = <[u8; 8]>::try_from(mask).ok()?;
        (*prefix == BIND_TIME_FEATURES_PREFIX && self.major_minor() == (1, 0))
            .then(|| BindTimeFeatures(u64::from_le_bytes(mask)))
    }

    pub(super) fn parse(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, ParseError> {
        Ok(SyntaxId {
            uuid: reader.uuid(field)?,
            version: reader.u32(field)?,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        writer.uuid(self.uuid).u32(self.version);
    }
}
