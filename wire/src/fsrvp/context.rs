//! MS-FSRVP 2.2.2.1 and 2.2.2.2: the context of a shadow copy set.

use std::fmt;

/// A `Context` value as it travels; see [`Context::is_valid`] for the twelve legal ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Context(pub u32);

impl Context {
    /// MS-FSRVP 2.2.2.1: the shadow copy survives a reboot of the server.
    pub const ATTR_PERSISTENT: u32 = 0x0000_0001;
    /// MS-FSRVP 2.2.2.1: created read-only; the client never changes it.
    pub const ATTR_NO_AUTO_RECOVERY: u32 = 0x0000_0002;
    /// MS-FSRVP 2.2.2.1: not deleted when the last reference goes away.
    pub const ATTR_NO_AUTO_RELEASE: u32 = 0x0000_0008;
    /// MS-FSRVP 2.2.2.1: made without application writers.
    pub const ATTR_NO_WRITERS: u32 = 0x0000_0010;
    /// MS-FSRVP 2.2.2.1: writable between ExposeShadowCopySet and RecoveryCompleteShadowCopySet.
    pub const ATTR_AUTO_RECOVERY: u32 = 0x0040_0000;
    /// Not in the current specification; it stands in other IDL texts of the interface.
    pub const ATTR_FILE_SHARE: u32 = 0x0400_0000;

    /// MS-FSRVP 2.2.2.2: auto-release, not persistent, with writers.
    pub const CTX_BACKUP: Context = Context(0x00);
    /// MS-FSRVP 2.2.2.2: auto-release, not persistent, without writers.
    pub const CTX_FILE_SHARE_BACKUP: Context = Context(0x10);
    /// MS-FSRVP 2.2.2.2: persistent, without writers.
    pub const CTX_NAS_ROLLBACK: Context = Context(0x19);
    /// MS-FSRVP 2.2.2.2: persistent, with writers.
    pub const CTX_APP_ROLLBACK: Context = Context(0x09);

    /// The four base contexts with their names.
    pub const BASES: [(&'static str, Context); 4] = [
        ("CTX_BACKUP", Context::CTX_BACKUP),
        ("CTX_FILE_SHARE_BACKUP", Context::CTX_FILE_SHARE_BACKUP),
        ("CTX_NAS_ROLLBACK", Context::CTX_NAS_ROLLBACK),
        ("CTX_APP_ROLLBACK", Context::CTX_APP_ROLLBACK),
    ];

    /// The value without the two recovery attributes.
    #[must_use]
    pub fn base(self) -> Context {
        Context(self.0 & !(Self::ATTR_AUTO_RECOVERY | Self::ATTR_NO_AUTO_RECOVERY))
    }

    /// Whether the value is one of the twelve of MS-FSRVP 2.2.2.2: a base context with at most
    /// one of ATTR_AUTO_RECOVERY and ATTR_NO_AUTO_RECOVERY.
    #[must_use]
    pub fn is_valid(self) -> bool {
        let both = Self::ATTR_AUTO_RECOVERY | Self::ATTR_NO_AUTO_RECOVERY;
        self.0 & both != both && Self::BASES.iter().any(|(_, base)| *base == self.base())
    }

    /// Whether the exposed shares are writable until RecoveryCompleteShadowCopySet.
    #[must_use]
    pub fn auto_recovery(self) -> bool {
        self.0 & Self::ATTR_AUTO_RECOVERY != 0
    }

    /// Whether ATTR_NO_AUTO_RECOVERY is set.
    #[must_use]
    pub fn no_auto_recovery(self) -> bool {
        self.0 & Self::ATTR_NO_AUTO_RECOVERY != 0
    }

    /// A name such as `CTX_BACKUP|ATTR_AUTO_RECOVERY`; `None` for a value that is not valid.
    #[must_use]
    pub fn name(self) -> Option<String> {
        if !self.is_valid() {
            return None;
        }
        let (base, _) = Self::BASES.iter().find(|(_, base)| *base == self.base())?;
        let suffix = match (self.auto_recovery(), self.no_auto_recovery()) {
            (true, _) => "|ATTR_AUTO_RECOVERY",
            (_, true) => "|ATTR_NO_AUTO_RECOVERY",
            _ => "",
        };
        Some(format!("{base}{suffix}"))
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:#010x})", self.0),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-FSRVP 2.2.2.2: the values, their names, and who may write when.
    const VALID: [(u32, &str); 12] = [
        (0x0000_0000, "CTX_BACKUP"),
        (0x0040_0000, "CTX_BACKUP|ATTR_AUTO_RECOVERY"),
        (0x0000_0002, "CTX_BACKUP|ATTR_NO_AUTO_RECOVERY"),
        (0x0000_0010, "CTX_FILE_SHARE_BACKUP"),
        (0x0040_0010, "CTX_FILE_SHARE_BACKUP|ATTR_AUTO_RECOVERY"),
        (0x0000_0012, "CTX_FILE_SHARE_BACKUP|ATTR_NO_AUTO_RECOVERY"),
        (0x0000_0019, "CTX_NAS_ROLLBACK"),
        (0x0040_0019, "CTX_NAS_ROLLBACK|ATTR_AUTO_RECOVERY"),
        (0x0000_001B, "CTX_NAS_ROLLBACK|ATTR_NO_AUTO_RECOVERY"),
        (0x0000_0009, "CTX_APP_ROLLBACK"),
        (0x0040_0009, "CTX_APP_ROLLBACK|ATTR_AUTO_RECOVERY"),
        (0x0000_000B, "CTX_APP_ROLLBACK|ATTR_NO_AUTO_RECOVERY"),
    ];

    #[test]
    fn twelve_values_are_valid_and_have_their_names() {
        for (value, name) in VALID {
            let context = Context(value);
            assert!(context.is_valid(), "{name}");
            assert_eq!(context.name().as_deref(), Some(name));
            assert_eq!(format!("{context:?}"), format!("{name} ({value:#010x})"));
            assert_eq!(
                context.auto_recovery(),
                name.ends_with("|ATTR_AUTO_RECOVERY")
            );
            let none = name.ends_with("|ATTR_NO_AUTO_RECOVERY");
            assert_eq!(context.no_auto_recovery(), none);
            let base = name.split('|').next().expect("a name");
            assert_eq!(context.base().name().as_deref(), Some(base));
        }
    }

    #[test]
    fn no_other_value_is_valid() {
        let bits = [0x1, 0x2, 0x8, 0x10, 0x40_0000, 0x400_0000, 0x8000_0000];
        let values = (0..1u32 << bits.len()).map(|which| {
            let chosen = bits
                .iter()
                .enumerate()
                .filter(|(n, _)| which & (1 << n) != 0);
            chosen.fold(0, |value, (_, bit)| value | bit)
        });
        for value in values {
            let is_listed = VALID.iter().any(|(valid, _)| *valid == value);
            let context = Context(value);
            assert_eq!(context.is_valid(), is_listed, "{value:#010x}");
            assert_eq!(context.name().is_some(), is_listed, "{value:#010x}");
            if !is_listed {
                assert_eq!(format!("{context:?}"), format!("{value:#010x}"));
            }
        }
    }
}
