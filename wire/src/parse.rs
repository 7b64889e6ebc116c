//! The few nom helpers that every parser here is made of.
//!
//! Parsers take `&[u8]` and return [`PResult`]; [`field`] names what is being read, so that an
//! error can say it, and [`run`] turns the outcome into a [`ParseError`] with a byte offset.

use crate::error::{ErrorKind, Layer, ParseError};
use nom::Parser;

/// What a parser inside one framed unit returns.
pub type PResult<'a, T> = nom::IResult<&'a [u8], T, RawError<'a>>;

/// An error on its way up: the rest of the input where it happened tells the offset later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawError<'a> {
    /// The input that was left when the field failed.
    pub rest: &'a [u8],
    /// The innermost named field; empty until a [`field`] names it.
    pub field: &'static str,
    /// What is wrong.
    pub kind: ErrorKind,
}

impl<'a> nom::error::ParseError<&'a [u8]> for RawError<'a> {
    fn from_error_kind(rest: &'a [u8], kind: nom::error::ErrorKind) -> Self {
        use nom::error::ErrorKind as K;
        let kind = match kind {
            K::Eof | K::Complete => ErrorKind::Truncated { needed: 0 },
            K::Tag => ErrorKind::BadMagic,
            K::Verify | K::TooLarge | K::LengthValue => ErrorKind::LengthOutOfRange,
            _ => ErrorKind::UnknownValue,
        };
        RawError {
            rest,
            field: "",
            kind,
        }
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// Fails here, at `rest`, with `kind`.
pub fn fail<T>(rest: &[u8], kind: ErrorKind) -> PResult<'_, T> {
    Err(nom::Err::Error(RawError {
        rest,
        field: "",
        kind,
    }))
}

/// Names what `parser` reads; the innermost name wins and the offset is that of the field.
pub fn field<'a, T>(
    name: &'static str,
    mut parser: impl Parser<&'a [u8], Output = T, Error = RawError<'a>>,
) -> impl Parser<&'a [u8], Output = T, Error = RawError<'a>> {
    move |input: &'a [u8]| {
        parser.parse(input).map_err(|e| {
            e.map(|mut raw: RawError<'a>| {
                if raw.field.is_empty() {
                    raw.field = name;
                    raw.rest = input;
                }
                raw
            })
        })
    }
}

/// Runs `parser` over one unit of `layer`; returns the value and what it left unread.
///
/// # Errors
/// The first field that could not be read, with its offset from the start of `unit`.
pub fn run<'a, T>(
    layer: Layer,
    unit: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = RawError<'a>>,
) -> Result<(T, &'a [u8]), ParseError> {
    match parser.parse(unit) {
        Ok((rest, value)) => Ok((value, rest)),
        Err(nom::Err::Incomplete(_)) => Err(ParseError {
            layer,
            offset_bytes: unit.len(),
            field: "unit",
            kind: ErrorKind::Truncated { needed: 0 },
        }),
        Err(nom::Err::Error(raw) | nom::Err::Failure(raw)) => Err(ParseError {
            layer,
            offset_bytes: unit.len().saturating_sub(raw.rest.len()),
            field: if raw.field.is_empty() {
                "unit"
            } else {
                raw.field
            },
            kind: raw.kind,
        }),
    }
}
