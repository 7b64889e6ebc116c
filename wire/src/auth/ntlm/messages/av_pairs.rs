//! MS-NLMP 2.2.2.1 AV_PAIR.

use super::super::AV_PAIRS_MAX;
use crate::emit::Writer;
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, fail, field, run};
use nom::Parser as _;
use nom::bytes::complete::take;
use nom::number::complete::le_u16;

/// MS-NLMP 2.2.2.1 AvId; unknown ones are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AvId(pub u16);

impl AvId {
    /// `MsvAvEOL`: ends the list.
    pub const EOL: Self = Self(0);
    /// `MsvAvNbComputerName`: the server's NetBIOS name, UTF-16.
    pub const NB_COMPUTER_NAME: Self = Self(1);
    /// `MsvAvNbDomainName`: the domain's NetBIOS name, UTF-16.
    pub const NB_DOMAIN_NAME: Self = Self(2);
    /// `MsvAvDnsComputerName`: the server's DNS name, UTF-16.
    pub const DNS_COMPUTER_NAME: Self = Self(3);
    /// `MsvAvDnsDomainName`: the domain's DNS name, UTF-16.
    pub const DNS_DOMAIN_NAME: Self = Self(4);
    /// `MsvAvDnsTreeName`: the forest's DNS name, UTF-16.
    pub const DNS_TREE_NAME: Self = Self(5);
    /// `MsvAvFlags`: 32 bits, see [`AvPairs::FLAG_MIC`].
    pub const FLAGS: Self = Self(6);
    /// `MsvAvTimestamp`: a FILETIME, little-endian.
    pub const TIMESTAMP: Self = Self(7);
    /// `MsvAvSingleHost`: the client's machine.
    pub const SINGLE_HOST: Self = Self(8);
    /// `MsvAvTargetName`: the SPN that the client meant, UTF-16.
    pub const TARGET_NAME: Self = Self(9);
    /// `MsvAvChannelBindings`: 16 bytes, zero for none.
    pub const CHANNEL_BINDINGS: Self = Self(10);
}

/// One AV pair, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvPair {
    /// What it is.
    pub av_id: AvId,
    /// Its value.
    pub value: Vec<u8>,
}

/// A list of AV pairs without its end mark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AvPairs(pub Vec<AvPair>);

impl AvPairs {
    /// The bit of `MsvAvFlags` that says that the AUTHENTICATE_MESSAGE has a MIC.
    pub const FLAG_MIC: u32 = 0x0000_0002;

    /// Reads a list up to its end mark; returns it and what follows.
    ///
    /// # Errors
    /// A pair that is cut off, no end mark, or more than [`AV_PAIRS_MAX`] pairs.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), ParseError> {
        run(Layer::Ntlm, bytes, Self::parse_list)
    }

    fn parse_list(mut input: &[u8]) -> PResult<'_, Self> {
        let mut pairs = Vec::new();
        loop {
            let (rest, av_id) = field("av_id", le_u16).parse(input)?;
            let (rest, av_len) = field("av_len", le_u16).parse(rest)?;
            let (rest, value) = field("value", take(av_len)).parse(rest)?;
            if AvId(av_id) == AvId::EOL {
                return Ok((rest, Self(pairs)));
            }
            if pairs.len() == AV_PAIRS_MAX {
                return field("av_pairs", |i| fail(i, ErrorKind::LengthOutOfRange)).parse(input);
            }
            pairs.push(AvPair {
                av_id: AvId(av_id),
                value: value.to_vec(),
            });
            input = rest;
        }
    }

    /// Writes the list and its end mark.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        for pair in &self.0 {
            let value = super::payload::emitted(&pair.value);
            writer
                .u16(pair.av_id.0)
                .u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
            writer.bytes(value);
        }
        writer.u32(0);
        writer.into_bytes()
    }

    /// The value of the first pair with this id.
    #[must_use]
    pub fn get(&self, av_id: AvId) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|pair| pair.av_id == av_id)
            .map(|pair| pair.value.as_slice())
    }

    /// Puts a pair at the end, or replaces the value of the one that is there.
    pub fn set(&mut self, av_id: AvId, value: Vec<u8>) {
        match self.0.iter_mut().find(|pair| pair.av_id == av_id) {
            Some(pair) => pair.value = value,
            None => self.0.push(AvPair { av_id, value }),
        }
    }

    /// The value of `MsvAvFlags`; zero where it is missing or has another length than four.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.get(AvId::FLAGS)
            .and_then(|value| value.try_into().ok())
            .map_or(0, u32::from_le_bytes)
    }

    /// The value of `MsvAvTimestamp`.
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        self.get(AvId::TIMESTAMP)
            .and_then(|value| value.try_into().ok())
            .map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_emitted_parses_to_the_same_list(
            pairs in prop::collection::vec((1_u16.., prop::collection::vec(any::<u8>(), 0..20)), 0..10),
            after in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let list = AvPairs(
                pairs.into_iter().map(|(id, value)| AvPair { av_id: AvId(id), value }).collect(),
            );
            let bytes = [list.emit(), after.clone()].concat();
            prop_assert_eq!(AvPairs::parse(&bytes), Ok((list, after.as_slice())));
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(0_u8..12, 0..60)) {
            if let Ok((list, _)) = AvPairs::parse(&noise) {
                let bytes = list.emit();
                prop_assert_eq!(AvPairs::parse(&bytes), Ok((list, &[][..])));
            }
        }
    }

    #[test]
    fn a_list_above_the_limit_is_refused() {
        let pair = AvPair {
            av_id: AvId(99),
            value: Vec::new(),
        };
        let list = AvPairs(vec![pair; AV_PAIRS_MAX + 1]);
        assert_eq!(
            AvPairs::parse(&list.emit()).map_err(|e| e.kind),
            Err(ErrorKind::LengthOutOfRange)
        );
    }
}
