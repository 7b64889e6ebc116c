//! MS-SMB2 2.2: the messages of SMB2 and SMB3, and the structures of MS-FSCC that they carry.
//!
//! **Architectural invariants**
//! - One shape for every command: a module with `Request` and `Response`, both a [`Body`].
//!   `Request::parse(message)` takes the whole message, header included, because offsets count
//!   from the header, and gives `(Header, Request)`; `request.emit(&header)` gives the whole
//!   message. One message is what [`compound::split`] cuts out of a frame.
//! - `StructureSize` must have the specification's value and is not kept; lengths and offsets are
//!   computed from the parts. Everything else is kept: reserved fields, unknown bits and codes,
//!   and in [`Layout`] the gaps between parts and the bytes behind them. What parses goes out
//!   again byte for byte; bodies without variable parts leave bytes behind them to
//!   [`message::Message::trailing`].
//! - A struct is built with `..Default::default()`: reserved fields are zero and the layout is
//!   [`Layout::Canonical`].
//! - Which status goes with an ERROR Response instead of the command's own body is decided by
//!   [`error::is_error_response`].
//! - Signing, encryption and compression themselves live in [`crate::security`].

mod body;
mod codec;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod sample;

pub mod compound;
pub mod compression;
pub mod fscc;
pub mod header;
pub mod layout;
pub mod message;
pub mod status;
pub mod text;
pub mod transform;

pub mod cancel;
pub mod change_notify;
pub mod close;
pub mod create;
pub mod create_contexts;
pub mod echo;
pub mod error;
pub mod flush;
pub mod ioctl;
pub mod lock;
pub mod logoff;
pub mod negotiate;
pub mod negotiate_contexts;
pub mod oplock_break;
pub mod previous_versions;
pub mod query_directory;
pub mod query_info;
pub mod read;
pub mod session_setup;
pub mod set_info;
pub mod smb1_negotiate;
pub mod tree_connect;
pub mod tree_disconnect;
pub mod validate_negotiate_info;
pub mod write;

pub use body::Body;
pub use header::{Command, FileId, HEADER_LEN, Header, HeaderFlags};
pub use layout::Layout;
pub use message::Message;
pub use negotiate::Dialect;
pub use status::NtStatus;
pub use text::Utf16;

/// The longest name or path that is read, in bytes: the 16-bit lengths of MS-SMB2 allow 65535,
/// and no file system that is served here takes more than this.
pub const PATH_MAX: usize = 32 * 1024;

/// The longest data part of one message, in bytes; every dialect's `MaxReadSize` is below.
pub const DATA_MAX: usize = 8 * 1024 * 1024;

/// The longest security token of a NEGOTIATE or SESSION_SETUP, in bytes.
pub const SECURITY_BUFFER_MAX: usize = 64 * 1024 - 1;

/// The most elements of one list that is read: dialects, contexts, locks, algorithms.
pub const LIST_MAX: usize = 1024;
