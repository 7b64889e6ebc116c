//! Reading marshalled values.

use crate::error::{ErrorKind, Layer, ParseError};
use crate::ndr::{Representation, TransferSyntax};
use nom::IResult;
use nom::bytes::complete::take;
use nom::number::Endianness;
use nom::number::complete as number;
use uuid::Uuid;

/// Walks through a stub, or through a PDU, whose headers C706 12.6 defines by NDR too.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    layer: Layer,
    whole: &'a [u8],
    rest: &'a [u8],
    representation: Representation,
}

macro_rules! integers {
    ($($(#[$doc:meta])* $int:ident)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// The bytes end before the value does.
        pub fn $int(&mut self, field: &'static str) -> Result<$int, ParseError> {
            self.align(field, size_of::<$int>())?;
            let endianness = self.representation.byte_order.endianness();
            self.take(field, size_of::<$int>(), |bytes| number::$int(endianness)(bytes))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `whole`; errors name `layer`.
    #[must_use]
    pub fn new(layer: Layer, whole: &'a [u8], representation: Representation) -> Self {
        Reader {
            layer,
            whole,
            rest: whole,
            representation,
        }
    }

    /// The representation that values are read in.
    #[must_use]
    pub fn representation(&self) -> Representation {
        self.representation
    }

    /// What is still unread.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes were read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.whole.len().saturating_sub(self.rest.len())
    }

    /// An error at the current position.
    #[must_use]
    pub fn error(&self, field: &'static str, kind: ErrorKind) -> ParseError {
        ParseError {
            layer: self.layer,
            offset_bytes: self.position(),
            field,
            kind,
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// The bytes are at their end.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, ParseError> {
        self.take(field, 1, number::u8)
    }

    integers! {
        /// A 16-bit integer, aligned to 2.
        u16
        /// A 32-bit integer, aligned to 4.
        u32
        /// A 32-bit integer with sign, aligned to 4.
        i32
        /// A 64-bit integer, aligned to 8.
        u64
        /// A 64-bit integer with sign, aligned to 8.
        i64
    }

    /// A GUID, aligned to 4; its first three fields obey the byte order.
    ///
    /// # Errors
    /// The bytes end before the value does.
    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, ParseError> {
        let start = self.clone();
        let read = |reader: &mut Self| {
            let data1 = reader.u32(field)?;
            let data2 = reader.u16(field)?;
            let data3 = reader.u16(field)?;
            let data4 = reader.array::<8>(field)?;
            Ok(Uuid::from_fields(data1, data2, data3, &data4))
        };
        read(self).map_err(|error: ParseError| {
            *self = start;
            self.error(field, error.kind)
        })
    }

    /// A count of a conformant or varying array: 4 bytes in NDR32, 8 in NDR64.
    ///
    /// # Errors
    /// The bytes end before the value does.
    pub fn count(&mut self, field: &'static str) -> Result<u64, ParseError> {
        match self.representation.syntax {
            TransferSyntax::Ndr32 => self.u32(field).map(u64::from),
            TransferSyntax::Ndr64 => self.u64(field),
        }
    }

    /// The referent id of a unique pointer: whether it is not NULL. Any value but zero will do.
    ///
    /// # Errors
    /// The bytes end before the value does.
    pub fn referent(&mut self, field: &'static str) -> Result<bool, ParseError> {
        Ok(self.count(field)? != 0)
    }

    /// `count` UTF-16 code units. The bytes are checked to be there before room is made for them.
    ///
    /// # Errors
    /// The bytes end before the units do.
    pub fn units(&mut self, field: &'static str, count: usize) -> Result<Vec<u16>, ParseError> {
        let bytes = self.bytes(field, count.saturating_mul(2))?;
        let little = self.representation.byte_order.endianness() == Endianness::Little;
        let (pairs, _) = bytes.as_chunks::<2>();
        Ok(pairs
            .iter()
            .map(|pair| match little {
                true => u16::from_le_bytes(*pair),
                false => u16::from_be_bytes(*pair),
            })
            .collect())
    }

    /// The next `count` bytes as they are, without alignment.
    ///
    /// # Errors
    /// The bytes end before.
    pub fn bytes(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], ParseError> {
        self.take(field, count, take(count))
    }

    /// The next `N` bytes as they are, without alignment.
    ///
    /// # Errors
    /// The bytes end before.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ParseError> {
        let bytes = self.bytes(field, N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| self.error(field, ErrorKind::LengthOutOfRange))
    }

    /// Skips to the next multiple of `alignment` from the start; what is skipped may be anything.
    ///
    /// # Errors
    /// The bytes end before.
    pub fn align(&mut self, field: &'static str, alignment: usize) -> Result<(), ParseError> {
        let position = self.position();
        let skip = position
            .next_multiple_of(alignment)
            .saturating_sub(position);
        self.bytes(field, skip).map(|_| ())
    }

    /// Everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    fn take<T>(
        &mut self,
        field: &'static str,
        needed: usize,
        parser: impl FnOnce(&'a [u8]) -> IResult<&'a [u8], T>,
    ) -> Result<T, ParseError> {
        match parser(self.rest) {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(_) => Err(self.error(
                field,
                ErrorKind::Truncated {
                    needed: needed.saturating_sub(self.rest.len()),
                },
            )),
        }
    }
}
