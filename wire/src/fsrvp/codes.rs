//! MS-FSRVP 2.2.4 and the sections that name further codes: what a method returns.

use std::fmt;

/// A method's return value. Only [`Hresult::ZERO`] is success: `FSRVP_E_WAIT_TIMEOUT` has a clear
/// severity bit and is a failure all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hresult(pub u32);

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $value:literal;)*) => {
        impl Hresult {
            $($(#[doc = $doc])* pub const $name: Hresult = Hresult($value);)*

            /// The code's name; `None` for a value without one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Hresult::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// The code with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Hresult> {
                match name {
                    $(stringify!($name) => Some(Hresult::$name),)*
                    _ => None,
                }
            }

            /// What a code with a name means, and where that is written.
            #[must_use]
            pub fn meaning(self) -> Option<&'static str> {
                match self {
                    $(Hresult::$name => Some(concat!($($doc),*).trim_ascii()),)*
                    _ => None,
                }
            }

            /// Every code that has a name.
            pub const NAMED: &'static [Hresult] = &[$(Hresult::$name,)*];
        }
    };
}

codes! {
    /// Success.
    ZERO = 0x0000_0000;
    /// MS-FSRVP 2.2.4: the wait for a prepare or expose timed out.
    FSRVP_E_WAIT_TIMEOUT = 0x0000_0102;
    /// MS-FSRVP 2.2.4: the wait itself failed.
    FSRVP_E_WAIT_FAILED = 0xFFFF_FFFF;
    /// MS-FSRVP 2.2.4: the method does not fit the state of the set.
    FSRVP_E_BAD_STATE = 0x8004_2301;
    /// Not in the specification; named so in Samba's IDL.
    FSRVP_E_BAD_ID = 0x8004_2302;
    /// MS-FSRVP 2.2.4: the share or the mapping does not exist.
    FSRVP_E_OBJECT_NOT_FOUND = 0x8004_2308;
    /// MS-FSRVP 2.2.4: the share's file store cannot be shadow copied.
    FSRVP_E_NOT_SUPPORTED = 0x8004_230C;
    /// MS-FSRVP 2.2.4: the file store is in the set already.
    FSRVP_E_OBJECT_ALREADY_EXISTS = 0x8004_230D;
    /// MS-FSRVP <10>: what Windows Server 2012 answers to GetShareMapping before Exposed.
    VSS_E_INVALID_XML_DOCUMENT = 0x8004_2311;
    /// MS-FSRVP 2.2.4: another shadow copy set is being made.
    FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS = 0x8004_2316;
    /// MS-FSRVP 2.2.4: the context is not one of the twelve valid ones.
    FSRVP_E_UNSUPPORTED_CONTEXT = 0x8004_231B;
    /// MS-FSRVP 3.1.4.5: the commit was not done within its timeout; missing from 2.2.4.
    FSSAGENT_E_TIMEOUT = 0x8004_2500;
    /// MS-FSRVP 2.2.4: no set has this id.
    FSRVP_E_SHADOWCOPYSET_ID_MISMATCH = 0x8004_2501;
    /// MS-FSRVP 2.2.4: the caller, or the RPC level it uses, is not permitted.
    E_ACCESSDENIED = 0x8007_0005;
    /// MS-FSRVP 2.2.4: an argument is NULL, nil or malformed.
    E_INVALIDARG = 0x8007_0057;
    /// Not in the specification; seen from Samba.
    E_OUTOFMEMORY = 0x8007_000E;
    /// Not in the specification; the general failure, for errors of the shadow copy utility.
    E_FAIL = 0x8000_4005;
}

impl Hresult {
    /// Whether the call succeeded; only zero does (MS-FSRVP 3).
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Hresult::ZERO
    }
}

impl fmt::Display for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl fmt::Debug for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({self})"),
            None => write!(f, "{self}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_is_success() {
        assert!(Hresult::ZERO.is_success());
        for code in Hresult::NAMED.iter().filter(|code| **code != Hresult::ZERO) {
            assert!(!code.is_success(), "{code:?}");
        }
        // S_FALSE of other interfaces is none here.
        assert!(!Hresult(1).is_success());
    }

    #[test]
    fn a_code_is_told_by_its_number_and_where_it_has_one_by_its_name() {
        let code = Hresult::FSRVP_E_BAD_STATE;
        assert_eq!(code.to_string(), "0x80042301");
        assert_eq!(format!("{code:?}"), "FSRVP_E_BAD_STATE (0x80042301)");
        assert_eq!(format!("{:?}", Hresult(0x8004_FFFF)), "0x8004ffff");
        assert_eq!(Hresult::from_name("FSRVP_E_BAD_STATE"), Some(code));
    }
}
