//! How fields become bytes and back: one trait for values of a fixed length, and the macros that
//! declare open codes, open flags and records made of such values.

use crate::emit::Writer;
use crate::error::ErrorKind;
use crate::parse::{PResult, RawError, field};
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};
use uuid::Uuid;

/// A failed read on its way to [`crate::parse::run`].
pub(crate) type Failure<'a> = nom::Err<RawError<'a>>;

/// A value whose length on the wire is always the same.
pub(crate) trait Fixed: Sized {
    /// Its length, in bytes.
    const WIRE_LEN: usize;
    /// Takes the value from the start of `input`.
    fn read(input: &[u8]) -> PResult<'_, Self>;
    /// Appends the value.
    fn write(&self, out: &mut Writer);
}

/// Takes the next value from `rest` and moves `rest` behind it.
pub(crate) fn read<'a, T: Fixed>(
    rest: &mut &'a [u8],
    name: &'static str,
) -> Result<T, Failure<'a>> {
    let (after, value) = field(name, T::read).parse(rest)?;
    *rest = after;
    Ok(value)
}

/// Takes the next `count` bytes from `rest`.
pub(crate) fn read_bytes<'a>(
    rest: &mut &'a [u8],
    name: &'static str,
    count: usize,
) -> Result<&'a [u8], Failure<'a>> {
    let (after, value) = field(name, take(count)).parse(rest)?;
    *rest = after;
    Ok(value)
}

/// Takes the next `count` values from `rest`; `count` came from a peer and meets the limit here.
pub(crate) fn read_list<'a, T: Fixed>(
    rest: &mut &'a [u8],
    name: &'static str,
    count: usize,
) -> Result<Vec<T>, Failure<'a>> {
    within(rest, name, count, crate::smb2::LIST_MAX)?;
    (0..count).map(|_| read(rest, name)).collect()
}

/// Appends the values.
pub(crate) fn write_list<T: Fixed>(values: &[T], out: &mut Writer) {
    for value in values {
        value.write(out);
    }
}

/// The failure `kind` of the field `name` that begins at `rest`.
pub(crate) fn failure<'a>(rest: &'a [u8], name: &'static str, kind: ErrorKind) -> Failure<'a> {
    nom::Err::Error(RawError {
        rest,
        field: name,
        kind,
    })
}

/// Refuses a count or length above its limit.
pub(crate) fn within<'a>(
    rest: &'a [u8],
    name: &'static str,
    value: usize,
    max: usize,
) -> Result<(), Failure<'a>> {
    if value > max {
        return Err(failure(rest, name, ErrorKind::LengthOutOfRange));
    }
    Ok(())
}

/// A length as the 16-bit field that states it; longer parts saturate, and the reader refuses.
pub(crate) fn len16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A length as the 32-bit field that states it.
pub(crate) fn len32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

macro_rules! fixed_integer {
    ($($int:ident $reader:ident),*) => {$(
        impl Fixed for $int {
            const WIRE_LEN: usize = size_of::<$int>();
            fn read(input: &[u8]) -> PResult<'_, Self> {
                $reader.parse(input)
            }
            fn write(&self, out: &mut Writer) {
                out.bytes(&self.to_le_bytes());
            }
        }
    )*};
}

fixed_integer!(u8 le_u8, u16 le_u16, u32 le_u32, u64 le_u64);

impl<const N: usize> Fixed for [u8; N] {
    const WIRE_LEN: usize = N;

    fn read(input: &[u8]) -> PResult<'_, Self> {
        match input.split_first_chunk::<N>() {
            Some((value, rest)) => Ok((rest, *value)),
            None => crate::parse::fail(
                input,
                ErrorKind::Truncated {
                    needed: N - input.len(),
                },
            ),
        }
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }
}

impl Fixed for Uuid {
    const WIRE_LEN: usize = 16;

    fn read(input: &[u8]) -> PResult<'_, Self> {
        let (rest, bytes) = <[u8; 16]>::read(input)?;
        Ok((rest, Uuid::from_bytes_le(bytes)))
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(&self.to_bytes_le());
    }
}

/// Declares an open code: any value of the integer, some of them with a name.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident($int:ident) { $($code:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $int);

        impl $name {
            $(#[doc = concat!("The specification's `", stringify!($code), "`, ", stringify!($value), ".")]
            pub const $code: $name = $name($value);)*

            /// The specification's name; `None` for a value without one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $($name::$code => Some(stringify!($code)),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}({:#x})", stringify!($name), self.0),
                }
            }
        }

        $crate::smb2::codec::newtype!($name($int));
    };
}

/// Declares open flags: any bits, some of them with a name.
macro_rules! flags {
    ($(#[$meta:meta])* $name:ident($int:ident) { $($flag:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $int);

        impl $name {
            /// No bit set.
            pub const NONE: $name = $name(0);
            $(#[doc = concat!("The specification's `", stringify!($flag), "`, ", stringify!($value), ".")]
            pub const $flag: $name = $name($value);)*

            /// Whether every bit of `other` is set here.
            #[must_use]
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any bit of `other` is set here.
            #[must_use]
            pub const fn intersects(self, other: $name) -> bool {
                self.0 & other.0 != 0
            }

            /// These bits with those of `other`.
            #[must_use]
            pub const fn union(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }

            /// These bits without those of `other`.
            #[must_use]
            pub const fn without(self, other: $name) -> $name {
                $name(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = $name;
            fn bitor(self, other: $name) -> $name {
                self.union(other)
            }
        }

        impl std::ops::BitAnd for $name {
            type Output = $name;
            fn bitand(self, other: $name) -> $name {
                $name(self.0 & other.0)
            }
        }

        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: $name) {
                self.0 |= other.0;
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:#x}", stringify!($name), self.0)?;
                $(if self.0 & $value != 0 {
                    f.write_str(concat!(" ", stringify!($flag)))?;
                })*
                f.write_str(")")
            }
        }

        $crate::smb2::codec::newtype!($name($int));
    };
}

/// What open codes and open flags have in common.
macro_rules! newtype {
    ($name:ident($int:ident)) => {
        impl $crate::smb2::codec::Fixed for $name {
            const WIRE_LEN: usize = size_of::<$int>();
            fn read(input: &[u8]) -> $crate::parse::PResult<'_, Self> {
                let (rest, value) = <$int as $crate::smb2::codec::Fixed>::read(input)?;
                Ok((rest, $name(value)))
            }
            fn write(&self, out: &mut $crate::emit::Writer) {
                $crate::smb2::codec::Fixed::write(&self.0, out);
            }
        }

        #[cfg(test)]
        impl $crate::smb2::sample::Sample for $name {
            fn sample() -> proptest::strategy::BoxedStrategy<Self> {
                use proptest::strategy::Strategy;
                <$int as $crate::smb2::sample::Sample>::sample()
                    .prop_map($name)
                    .boxed()
            }
        }
    };
}

/// Declares a structure with its usual derives and, for the tests, a strategy that fills it.
///
/// Where fields share bytes on the wire, `on_wire` names a function that clears those of them
/// that do not travel.
macro_rules! structure {
    (
        $(#[$meta:meta])* pub struct $name:ident {
            $($(#[$fmeta:meta])* pub $field:ident: $ty:ty,)*
        }
        $(on_wire = $on_wire:path)?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$fmeta])* pub $field: $ty,)*
        }

        #[cfg(test)]
        impl $crate::smb2::sample::Sample for $name {
            fn sample() -> proptest::strategy::BoxedStrategy<Self> {
                let sample = $crate::smb2::codec::sample_fields!($name, () $($field: $ty,)*);
                $(let sample = proptest::strategy::Strategy::boxed(
                    proptest::strategy::Strategy::prop_map(sample, $on_wire),
                );)?
                sample
            }
        }
    };
}

/// Nests one strategy per field, because tuples of strategies end at twelve.
#[cfg(test)]
macro_rules! sample_fields {
    ($name:ident, () $($field:ident: $ty:ty,)*) => {{
        use proptest::strategy::Strategy;
        proptest::strategy::Just($name::default())
            $(.prop_flat_map(|value| {
                <$ty as $crate::smb2::sample::Sample>::sample()
                    .prop_map(move |field| {
                        let mut value = value.clone();
                        value.$field = field;
                        value
                    })
            }))*
            .boxed()
    }};
}

/// Declares a structure whose fields all have a fixed length and follow each other on the wire.
///
/// The text behind each field is its name in the specification.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$fmeta:meta])* pub $field:ident: $ty:ty = $spec:literal,)*
    }) => {
        $crate::smb2::codec::structure! {
            $(#[$meta])*
            pub struct $name {
                $($(#[$fmeta])* pub $field: $ty,)*
            }
        }

        impl $crate::smb2::codec::Fixed for $name {
            const WIRE_LEN: usize = 0 $(+ <$ty as $crate::smb2::codec::Fixed>::WIRE_LEN)*;
            fn read(input: &[u8]) -> $crate::parse::PResult<'_, Self> {
                let mut rest = input;
                let value = $name {
                    $($field: $crate::smb2::codec::read(&mut rest, $spec)?,)*
                };
                Ok((rest, value))
            }
            fn write(&self, out: &mut $crate::emit::Writer) {
                $($crate::smb2::codec::Fixed::write(&self.$field, out);)*
            }
        }
    };
}

/// Gives records that stand alone (not message bodies) their public `parse` and `emit`.
macro_rules! standalone {
    ($($name:ident),*) => {$(
        impl $name {
            /// The structure's length, in bytes.
            pub const WIRE_LEN: usize = <$name as $crate::smb2::codec::Fixed>::WIRE_LEN;

            /// Reads the structure from the start of `bytes`; what follows it is not looked at.
            ///
            /// # Errors
            /// When the bytes end before the structure does.
            pub fn parse(bytes: &[u8]) -> Result<Self, $crate::ParseError> {
                $crate::parse::run(
                    $crate::Layer::Smb2,
                    bytes,
                    <$name as $crate::smb2::codec::Fixed>::read,
                )
                .map(|(value, _)| value)
            }

            /// The structure's bytes.
            #[must_use]
            pub fn emit(&self) -> Vec<u8> {
                let mut out = $crate::emit::Writer::new();
                $crate::smb2::codec::Fixed::write(self, &mut out);
                out.into_bytes()
            }
        }
    )*};
}

/// Makes records the bodies of messages: `StructureSize`, then the record.
macro_rules! fixed_body {
    ($($name:ident $command:ident $size:literal),*) => {$(
        impl $crate::smb2::Body for $name {
            const COMMAND: $crate::smb2::Command = $crate::smb2::Command::$command;
            const STRUCTURE_SIZE: u16 = $size;

            fn read_body(message: &[u8]) -> $crate::parse::PResult<'_, Self> {
                let rest = $crate::smb2::body::open(message, Self::STRUCTURE_SIZE)?;
                <$name as $crate::smb2::codec::Fixed>::read(rest)
            }

            fn write_body(&self, out: &mut $crate::emit::Writer) {
                out.u16(Self::STRUCTURE_SIZE);
                $crate::smb2::codec::Fixed::write(self, out);
            }
        }
    )*};
}

#[cfg(test)]
pub(crate) use sample_fields;
pub(crate) use {codes, fixed_body, flags, newtype, record, standalone, structure};
