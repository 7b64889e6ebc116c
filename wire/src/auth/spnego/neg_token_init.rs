//! RFC 4178 4.2.1 negTokenInit and MS-SPNG 2.2.1 NegTokenInit2.

use super::der::{self, APPLICATION_0, BIT_STRING, GENERAL_STRING, OBJECT_IDENTIFIER};
use super::der::{OCTET_STRING, SEQUENCE, context, emit, emit_optional};
use super::{MECH_TYPES_MAX, Oid};
use crate::error::{ErrorKind, Layer, ParseError};
use crate::parse::{PResult, fail, field, run};
use nom::Parser as _;

/// What stands in `hintName` since RFC 4178 has no such field, MS-SPNG 2.2.1.
const HINT_NAME: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// RFC 4178 4.2.1 negTokenInit: the first token of an initiator; as NegTokenInit2 of MS-SPNG 2.2.1
/// also what an SMB server says before anybody asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NegTokenInit {
    /// The mechanisms that are offered, the most wanted first.
    pub mech_types: Vec<Oid>,
    /// `reqFlags`: the contents of the bit string; nobody uses it.
    pub req_flags: Option<Vec<u8>>,
    /// The first token of the first mechanism.
    pub mech_token: Option<Vec<u8>>,
    /// MS-SPNG 2.2.1 negHints, which only a server sends.
    pub neg_hints: Option<NegHints>,
    /// The signature over the list of mechanisms.
    pub mech_list_mic: Option<Vec<u8>>,
}

/// MS-SPNG 2.2.1 NegHints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NegHints {
    /// `hintName`: a fixed text that says to ignore it.
    pub hint_name: Option<Vec<u8>>,
    /// `hintAddress`: never sent.
    pub hint_address: Option<Vec<u8>>,
}

impl NegTokenInit {
    /// MS-SMB2 3.3.5.4: what a server that knows NTLM puts into its NEGOTIATE response.
    #[must_use]
    pub fn server_hello() -> Self {
        Self {
            mech_types: vec![Oid::ntlm()],
            neg_hints: Some(NegHints {
                hint_name: Some(HINT_NAME.to_vec()),
                hint_address: None,
            }),
            ..Self::default()
        }
    }

    /// Reads one token, from the GSS-API framing on.
    ///
    /// # Errors
    /// The first element that could not be read.
    pub fn parse(token: &[u8]) -> Result<Self, ParseError> {
        run(Layer::Spnego, token, Self::parse_framed).map(|(value, _)| value)
    }

    fn parse_framed(input: &[u8]) -> PResult<'_, Self> {
        let (rest, framed) = der::tagged("initial_context_token", APPLICATION_0)(input)?;
        der::end("initial_context_token", rest)?;
        let (framed, mech) = der::tagged("this_mech", OBJECT_IDENTIFIER)(framed)?;
        if mech != Oid::SPNEGO {
            return field("this_mech", |i| fail(i, ErrorKind::UnknownValue)).parse(mech);
        }
        let choice = der::only("neg_token_init", context(0), framed)?;
        let mut fields = der::only("neg_token_init", SEQUENCE, choice)?;
        let mut value = Self::default();
        while !fields.is_empty() {
            let (rest, (tag, contents)) = der::element(fields)?;
            value.take_field(fields, tag, contents)?;
            fields = rest;
        }
        Ok((rest, value))
    }

    fn take_field<'a>(
        &mut self,
        at: &'a [u8],
        tag: u8,
        contents: &'a [u8],
    ) -> Result<(), nom::Err<crate::parse::RawError<'a>>> {
        let octets = |name| der::only(name, OCTET_STRING, contents).map(|b| Some(b.to_vec()));
        match tag {
            t if t == context(0) => self.mech_types = parse_mech_types(contents)?,
            t if t == context(1) => {
                self.req_flags = Some(der::only("req_flags", BIT_STRING, contents)?.to_vec());
            }
            t if t == context(2) => self.mech_token = octets("mech_token")?,
            // The two structures differ here: hints are a sequence, a signature is a string.
            t if t == context(3) && contents.first() == Some(&SEQUENCE) => {
                self.neg_hints = Some(NegHints::parse(contents)?);
            }
            t if t == context(3) || t == context(4) => {
                self.mech_list_mic = octets("mech_list_mic")?;
            }
            _ => field("neg_token_init", |i| fail(i, ErrorKind::BadDer))
                .parse(at)
                .map(|_: (_, ())| ())?,
        }
        Ok(())
    }

    /// Writes the token with its GSS-API framing.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let hints = self.neg_hints.as_ref().map(NegHints::emit);
        let mic_number = if hints.is_some() { 4 } else { 3 };
        let fields = [
            emit(context(0), &self.mech_types_der()),
            emit_optional(1, BIT_STRING, self.req_flags.as_deref()),
            emit_optional(2, OCTET_STRING, self.mech_token.as_deref()),
            emit_optional(3, SEQUENCE, hints.as_deref()),
            emit_optional(mic_number, OCTET_STRING, self.mech_list_mic.as_deref()),
        ]
        .concat();
        let framed = [
            emit(OBJECT_IDENTIFIER, &Oid::SPNEGO),
            emit(context(0), &emit(SEQUENCE, &fields)),
        ]
        .concat();
        emit(APPLICATION_0, &framed)
    }

    /// The DER of `mechTypes`, which is what `mechListMIC` signs (RFC 4178 5).
    #[must_use]
    pub fn mech_types_der(&self) -> Vec<u8> {
        let oids: Vec<u8> = self
            .mech_types
            .iter()
            .flat_map(|oid| emit(OBJECT_IDENTIFIER, &oid.0))
            .collect();
        emit(SEQUENCE, &oids)
    }
}

fn parse_mech_types(contents: &[u8]) -> Result<Vec<Oid>, nom::Err<crate::parse::RawError<'_>>> {
    let mut list = der::only("mech_types", SEQUENCE, contents)?;
    let mut mech_types = Vec::new();
    while !list.is_empty() {
        if mech_types.len() == MECH_TYPES_MAX {
            let (_, ()) =
                field("mech_types", |i| fail(i, ErrorKind::LengthOutOfRange)).parse(list)?;
        }
        let (rest, oid) = der::tagged("mech_type", OBJECT_IDENTIFIER)(list)?;
        mech_types.push(Oid(oid.to_vec()));
        list = rest;
    }
    Ok(mech_types)
}

impl NegHints {
    fn parse(contents: &[u8]) -> Result<Self, nom::Err<crate::parse::RawError<'_>>> {
        let mut fields = der::only("neg_hints", SEQUENCE, contents)?;
        let mut value = Self::default();
        while !fields.is_empty() {
            let (rest, (tag, contents)) = der::element(fields)?;
            if tag == context(0) {
                value.hint_name = Some(der::only("hint_name", GENERAL_STRING, contents)?.to_vec());
            } else if tag == context(1) {
                value.hint_address =
                    Some(der::only("hint_address", OCTET_STRING, contents)?.to_vec());
            } else {
                let (_, ()) = field("neg_hints", |i| fail(i, ErrorKind::BadDer)).parse(fields)?;
            }
            fields = rest;
        }
        Ok(value)
    }

    /// The contents of the sequence.
    fn emit(&self) -> Vec<u8> {
        [
            emit_optional(0, GENERAL_STRING, self.hint_name.as_deref()),
            emit_optional(1, OCTET_STRING, self.hint_address.as_deref()),
        ]
        .concat()
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
            mech_types in prop::collection::vec(some_bytes(12).prop_map(Oid), 0..5),
            req_flags in prop::option::of(some_bytes(3)),
            mech_token in prop::option::of(some_bytes(400)),
            hints in prop::option::of((prop::option::of(some_bytes(40)), prop::option::of(some_bytes(9)))),
            mech_list_mic in prop::option::of(some_bytes(17)),
        ) -> NegTokenInit {
            let neg_hints = hints.map(|(hint_name, hint_address)| NegHints { hint_name, hint_address });
            NegTokenInit { mech_types, req_flags, mech_token, neg_hints, mech_list_mic }
        }
    }

    proptest! {
        #[test]
        fn what_is_emitted_parses_to_the_same_value(value in token()) {
            prop_assert_eq!(NegTokenInit::parse(&value.emit()), Ok(value));
        }

        #[test]
        fn a_changed_token_never_panics_and_re_emits_to_what_it_parsed_to(
            value in token(), at in 0_usize..80, byte: u8,
        ) {
            let mut bytes = value.emit();
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
            if let Ok(parsed) = NegTokenInit::parse(&bytes) {
                prop_assert_eq!(NegTokenInit::parse(&parsed.emit()), Ok(parsed));
            }
        }
    }

    #[test]
    fn more_mechanisms_than_the_limit_are_refused() {
        let value = NegTokenInit {
            mech_types: vec![Oid::ntlm(); MECH_TYPES_MAX + 1],
            ..NegTokenInit::default()
        };
        assert_eq!(
            NegTokenInit::parse(&value.emit()).map_err(|e| (e.field, e.kind)),
            Err(("mech_types", ErrorKind::LengthOutOfRange))
        );
    }
}
