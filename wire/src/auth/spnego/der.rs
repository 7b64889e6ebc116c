//! The little of DER (X.690) that SPNEGO needs: tag, definite length, contents.

use super::SPNEGO_TOKEN_MAX;
use crate::error::ErrorKind;
use crate::parse::{PResult, fail, field};
use nom::Parser as _;
use nom::bytes::complete::take;
use nom::number::complete::u8;

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0A;
pub(super) const GENERAL_STRING: u8 = 0x1B;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const APPLICATION_0: u8 = 0x60;

/// The tag of the constructed, context-specific element `number`.
pub(super) const fn context(number: u8) -> u8 {
    0xA0 | number
}

/// Reads any element: its tag and its contents.
pub(super) fn element(input: &[u8]) -> PResult<'_, (u8, &[u8])> {
    let (rest, tag) = field("tag", u8).parse(input)?;
    let (rest, len) = field("length", length).parse(rest)?;
    let (rest, contents) = field("contents", take(len)).parse(rest)?;
    Ok((rest, (tag, contents)))
}

/// Reads an element that must have this tag; returns its contents.
pub(super) fn tagged<'a>(
    name: &'static str,
    tag: u8,
) -> impl Fn(&'a [u8]) -> PResult<'a, &'a [u8]> {
    move |input| {
        let (rest, (got, contents)) = element(input)?;
        if got == tag {
            Ok((rest, contents))
        } else {
            field(name, |i| fail(i, ErrorKind::BadDer)).parse(input)
        }
    }
}

/// Reads contents that are one element and nothing else.
pub(super) fn only<'a>(
    name: &'static str,
    tag: u8,
    contents: &'a [u8],
) -> Result<&'a [u8], nom::Err<crate::parse::RawError<'a>>> {
    let (rest, inner) = tagged(name, tag)(contents)?;
    end(name, rest)?;
    Ok(inner)
}

/// Fails if anything is left.
pub(super) fn end<'a>(
    name: &'static str,
    rest: &'a [u8],
) -> Result<(), nom::Err<crate::parse::RawError<'a>>> {
    if rest.is_empty() {
        return Ok(());
    }
    let (_, ()) = field(name, |i| fail(i, ErrorKind::TrailingBytes)).parse(rest)?;
    Ok(())
}

/// A definite length of at most four bytes; one that is not minimal is read too.
fn length(input: &[u8]) -> PResult<'_, usize> {
    let (rest, first) = u8(input)?;
    if first < 0x80 {
        return Ok((rest, usize::from(first)));
    }
    let count = usize::from(first & 0x7F);
    if count == 0 || count > 4 {
        return fail(input, ErrorKind::BadDer);
    }
    let (rest, bytes) = take(count).parse(rest)?;
    let len = bytes
        .iter()
        .fold(0, |len, byte| (len << 8) | usize::from(*byte));
    if len > SPNEGO_TOKEN_MAX {
        return fail(input, ErrorKind::LengthOutOfRange);
    }
    Ok((rest, len))
}

/// Writes an element around its contents.
pub(super) fn emit(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let len = contents.len().to_be_bytes();
            let significant = len.iter().skip_while(|byte| **byte == 0);
            let count = significant.clone().count();
            bytes.push(0x80 | u8::try_from(count).unwrap_or(0x7F));
            bytes.extend(significant);
        }
    }
    bytes.extend_from_slice(contents);
    bytes
}

/// Writes an optional field: nothing, or the context element `number` around one element.
pub(super) fn emit_optional(number: u8, tag: u8, contents: Option<&[u8]>) -> Vec<u8> {
    contents.map_or_else(Vec::new, |contents| {
        emit(context(number), &emit(tag, contents))
    })
}
