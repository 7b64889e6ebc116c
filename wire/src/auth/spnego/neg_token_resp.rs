//! RFC 4178 4.2.2 negTokenResp.

use super::Oid;
use super::der::{self, ENUMERATED, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, context};
use super::der::{emit, emit_optional};
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, fail, field, run};
use nom::Parser as _;

/// RFC 4178 4.2.2 negState; unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NegState(pub u8);

impl NegState {
    /// The logon has succeeded.
    pub const ACCEPT_COMPLETED: Self = Self(0);
    /// Another token must come.
    pub const ACCEPT_INCOMPLETE: Self = Self(1);
    /// The logon has failed.
    pub const REJECT: Self = Self(2);
    /// Another mechanism than the first was selected, and a signature over the list is wanted.
    pub const REQUEST_MIC: Self = Self(3);
}

/// RFC 4178 4.2.2 negTokenResp: every token after the first, of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NegTokenResp {
    /// How it stands.
    pub neg_state: Option<NegState>,
    /// Which mechanism the acceptor selected.
    pub supported_mech: Option<Oid>,
    /// The mechanism's token.
    pub response_token: Option<Vec<u8>>,
    /// The signature over the list of mechanisms.
    pub mech_list_mic: Option<Vec<u8>>,
}

impl NegTokenResp {
    /// Reads one token.
    ///
    /// # Errors
    /// The first element that could not be read.
    pub fn parse(token: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Spnego, token, Self::parse_choice).map(|(value, _)| value)
    }

    fn parse_choice(input: &[u8]) -> PResult<'_, Self> {
        let choice = der::only("neg_token_resp", context(1), input)?;
        let mut fields = der::only("neg_token_resp", SEQUENCE, choice)?;
        let mut value = Self::default();
        while !fields.is_empty() {
            let (rest, (tag, contents)) = der::element(fields)?;
            value.take_field(fields, tag, contents)?;
            fields = rest;
        }
        Ok((fields, value))
    }

    fn take_field<'a>(
        &mut self,
        at: &'a [u8],
        tag: u8,
        contents: &'a [u8],
    ) -> Result<(), nom::Err<crate::parse::RawError<'a>>> {
        let octets = |name| der::only(name, OCTET_STRING, contents).map(|b| Some(b.to_vec()));
        match tag {
            t if t == context(0) => match der::only("neg_state", ENUMERATED, contents)? {
                [state] => self.neg_state = Some(NegState(*state)),
                _ => {
                    field("neg_state", |i| fail(i, ErrorKind::BadDer))
                        .parse(at)
                        .map(|_: (_, ())| ())?;
                }
            },
            t if t == context(1) => {
                let oid = der::only("supported_mech", OBJECT_IDENTIFIER, contents)?;
                self.supported_mech = Some(Oid(oid.to_vec()));
            }
            t if t == context(2) => self.response_token = octets("response_token")?,
            t if t == context(3) => self.mech_list_mic = octets("mech_list_mic")?,
            _ => field("neg_token_resp", |i| fail(i, ErrorKind::BadDer))
                .parse(at)
                .map(|_: (_, ())| ())?,
        }
        Ok(())
    }

    /// Writes the token.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let state = self.neg_state.map(|state| [state.0]);
        let mech = self.supported_mech.as_ref().map(|oid| oid.0.as_slice());
        let fields = [
            emit_optional(0, ENUMERATED, state.as_ref().map(|state| &state[..])),
            emit_optional(1, OBJECT_IDENTIFIER, mech),
            emit_optional(2, OCTET_STRING, self.response_token.as_deref()),
            emit_optional(3, OCTET_STRING, self.mech_list_mic.as_deref()),
        ]
        .concat();
        emit(context(1), &emit(SEQUENCE, &fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..max)
    }

    prop_compose! {
        fn token()(
            state: Option<u8>,
            mech in prop::option::of(some_bytes(12)),
            response_token in prop::option::of(some_bytes(300)),
            mech_list_mic in prop::option::of(some_bytes(17)),
        ) -> NegTokenResp {
            NegTokenResp {
                neg_state: state.map(NegState),
                supported_mech: mech.map(Oid),
                response_token,
                mech_list_mic,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_to_the_same_value(value in token()) {
            prop_assert_eq!(NegTokenResp::parse(&value.emit()), Ok(value));
        }

        #[test]
        fn a_changed_token_never_panics_and_re_emits_to_what_it_parsed_to(
            value in token(), at in 0_usize..80, byte: u8,
        ) {
            let mut bytes = value.emit();
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
            if let Ok(parsed) = NegTokenResp::parse(&bytes) {
                prop_assert_eq!(NegTokenResp::parse(&parsed.emit()), Ok(parsed));
            }
        }
    }
}
