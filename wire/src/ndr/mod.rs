//! C706 chapter 14, MS-RPCE 2.2.5: how parameters are marshalled.
//!
//! **Architectural invariants**
//! - One [`Reader`] and one [`Writer`] serve both byte orders and both transfer syntaxes; what
//!   differs stands in [`Representation`].
//! - Alignment counts from the start of the stub, never from the cursor.
//! - Bytes skipped for alignment may have any value when read and are zero when written.

mod reader;
mod representation;
mod wide_string;
mod writer;

pub use reader::Reader;
pub use representation::{ByteOrder, Representation, TransferSyntax};
pub use wide_string::{STRING_UNITS_MAX, WideString};
pub use writer::Writer;
