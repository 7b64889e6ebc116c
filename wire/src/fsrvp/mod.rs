//! MS-FSRVP: the 13 methods of the interface `FileServerVssAgent`, their parameters and codes.
//!
//! One file for each opnum holds the request and the response of its method. [`Call`] and
//! [`Reply`] gather them. Values are open: a context, a code or a level that the specification
//! does not know is kept as it came.

pub mod codes;
pub mod context;
pub mod ids;
pub mod timers;

pub mod abort_shadow_copy_set;
pub mod add_to_shadow_copy_set;
pub mod commit_shadow_copy_set;
pub mod delete_share_mapping;
pub mod expose_shadow_copy_set;
pub mod get_share_mapping;
pub mod get_supported_version;
pub mod is_path_shadow_copied;
pub mod is_path_supported;
pub mod prepare_shadow_copy_set;
pub mod recovery_complete_shadow_copy_set;
pub mod set_context;
pub mod start_shadow_copy_set;

pub use codes::Hresult;
pub use context::Context;
pub use ids::{ShadowCopyId, ShadowCopySetId};

use crate::error::{ErrorKind, Layer, ParseError};
use crate::ndr::{Reader, Representation, Writer};
use uuid::Uuid;

/// MS-FSRVP 1.9: the interface UUID of `FileServerVssAgent`.
pub const INTERFACE: Uuid = Uuid::from_u128(0xa8e0653c_2744_4389_a61d_7373df8b2292);

/// MS-FSRVP 6: `version(1.0)` of the IDL; section 2.1 speaks of 3.0, which no known peer binds.
pub const INTERFACE_VERSION: (u16, u16) = (1, 0);

/// MS-FSRVP 1.9: the pipe's name, opened in `IPC$`; compared without case.
pub const PIPE: &str = "FssagentRpc";

/// MS-FSRVP 2.2.2.4: `FSRVP_RPC_VERSION_1`, the only version there is.
pub const FSRVP_RPC_VERSION_1: u32 = 1;

macro_rules! methods {
    ($($variant:ident $module:ident $opnum:literal,)*) => {
        /// MS-FSRVP 3.1.4: the number of a method; values above 12 name no method and are kept.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct Opnum(pub u16);

        #[allow(non_upper_case_globals, reason = "the specification's own names of the methods")]
        impl Opnum {
            $(#[doc = concat!("Opnum ", $opnum, " of MS-FSRVP 3.1.4.")]
            pub const $variant: Opnum = Opnum($opnum);)*

            /// All methods in the order of their numbers.
            pub const ALL: [Opnum; 13] = [$(Opnum::$variant,)*];

            /// The specification's name; `None` above 12.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Opnum::$variant => Some(stringify!($variant)),)*
                    _ => None,
                }
            }

            /// The opnum of the method with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Opnum> {
                match name {
                    $(stringify!($variant) => Some(Opnum::$variant),)*
                    _ => None,
                }
            }
        }

        /// A request of one of the 13 methods.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Call {
            $(#[doc = concat!("MS-FSRVP 3.1.4, opnum ", $opnum, ".")]
            $variant($module::Request),)*
        }

        impl Call {
            /// The method's number.
            #[must_use]
            pub fn opnum(&self) -> Opnum {
                match self {
                    $(Call::$variant(_) => Opnum::$variant,)*
                }
            }

            /// Reads a request stub, and returns what follows the last parameter too.
            ///
            /// # Errors
            /// No method has this number, or a parameter cannot be read.
            pub fn parse_prefix(
                opnum: Opnum,
                stub: &[u8],
                representation: Representation,
            ) -> Result<(Call, &[u8]), ParseError> {
                let mut reader = Reader::new(Layer::Fsrvp, stub, representation);
                let call = match opnum {
                    $(Opnum::$variant => Call::$variant($module::Request::parse(&mut reader)?),)*
                    _ => return Err(reader.error("opnum", ErrorKind::UnknownValue)),
                };
                Ok((call, reader.rest()))
            }

            /// The request stub.
            #[must_use]
            pub fn emit(&self, representation: Representation) -> Vec<u8> {
                let mut writer = Writer::new(representation);
                match self {
                    $(Call::$variant(request) => request.emit(&mut writer),)*
                }
                writer.into_bytes()
            }
        }

        /// A response of one of the 13 methods.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Reply {
            $(#[doc = concat!("MS-FSRVP 3.1.4, opnum ", $opnum, ".")]
            $variant($module::Response),)*
        }

        impl Reply {
            /// The method's number.
            #[must_use]
            pub fn opnum(&self) -> Opnum {
                match self {
                    $(Reply::$variant(_) => Opnum::$variant,)*
                }
            }

            /// Reads a response stub, and returns what follows the return value too.
            ///
            /// # Errors
            /// No method has this number, or a parameter cannot be read.
            pub fn parse_prefix(
                opnum: Opnum,
                stub: &[u8],
                representation: Representation,
            ) -> Result<(Reply, &[u8]), ParseError> {
                let mut reader = Reader::new(Layer::Fsrvp, stub, representation);
                let reply = match opnum {
                    $(Opnum::$variant => Reply::$variant($module::Response::parse(&mut reader)?),)*
                    _ => return Err(reader.error("opnum", ErrorKind::UnknownValue)),
                };
                Ok((reply, reader.rest()))
            }

            /// The response stub.
            #[must_use]
            pub fn emit(&self, representation: Representation) -> Vec<u8> {
                let mut writer = Writer::new(representation);
                match self {
                    $(Reply::$variant(response) => response.emit(&mut writer),)*
                }
                writer.into_bytes()
            }

            /// The return value.
            #[must_use]
            pub fn status(&self) -> Hresult {
                match self {
                    $(Reply::$variant(response) => response.status,)*
                }
            }

            /// The answer of the method `opnum` that failed with `status`: every out parameter is
            /// zero, nil or NULL. `None` for an opnum that names no method.
            ///
            /// The specification is silent about out parameters on failure; Windows' own test
            /// suite demands zero ids and Samba sends zeros throughout.
            #[must_use]
            pub fn failure(opnum: Opnum, status: Hresult) -> Option<Reply> {
                match opnum {
                    $(Opnum::$variant => Some(Reply::$variant($module::Response::failure(status))),)*
                    _ => None,
                }
            }
        }
    };
}

methods! {
    GetSupportedVersion get_supported_version 0,
    SetContext set_context 1,
    StartShadowCopySet start_shadow_copy_set 2,
    AddToShadowCopySet add_to_shadow_copy_set 3,
    CommitShadowCopySet commit_shadow_copy_set 4,
    ExposeShadowCopySet expose_shadow_copy_set 5,
    RecoveryCompleteShadowCopySet recovery_complete_shadow_copy_set 6,
    AbortShadowCopySet abort_shadow_copy_set 7,
    IsPathSupported is_path_supported 8,
    IsPathShadowCopied is_path_shadow_copied 9,
    GetShareMapping get_share_mapping 10,
    DeleteShareMapping delete_share_mapping 11,
    PrepareShadowCopySet prepare_shadow_copy_set 12,
}

macro_rules! whole_stub {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = concat!("Reads a ", $what, " stub. Bytes behind the last parameter are passed over, as Samba does;")]
            #[doc = concat!("[`", stringify!($name), "::parse_strict`] refuses them.")]
            ///
            /// # Errors
            /// No method has this number, or a parameter cannot be read.
            pub fn parse(
                opnum: Opnum,
                stub: &[u8],
                representation: Representation,
            ) -> Result<$name, ParseError> {
                Self::parse_prefix(opnum, stub, representation).map(|(value, _)| value)
            }

            #[doc = concat!("Reads a ", $what, " stub that must end with its last parameter.")]
            ///
            /// # Errors
            /// As for `parse`, and when bytes are left over.
            pub fn parse_strict(
                opnum: Opnum,
                stub: &[u8],
                representation: Representation,
            ) -> Result<$name, ParseError> {
                match Self::parse_prefix(opnum, stub, representation)? {
                    (value, []) => Ok(value),
                    (_, rest) => Err(ParseError {
                        layer: Layer::Fsrvp,
                        offset_bytes: stub.len().saturating_sub(rest.len()),
                        field: "end of stub",
                        kind: ErrorKind::TrailingBytes,
                    }),
                }
            }
        }
    };
}

whole_stub!(Call, "request");
whole_stub!(Reply, "response");
