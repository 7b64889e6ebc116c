//! Signed messages are checked, encrypted ones opened.

use super::super::exchange::{BadSignature, Direction, Evidence, GapReason, Signed};
use super::super::framing::{Element, Kind, Want, elements};
use super::super::output::Output;
use super::super::session_keys::{Check, Doubt, SessionCrypto};
use super::Tracker;
use super::guard::{Guard, is_to_be_checked};
use super::head::broken_header;
use fsrvp_wire::security::sealing;
use fsrvp_wire::smb2::{Command, Header};
use std::sync::Arc;

impl Tracker {
    /// What of an element is needed to check or to open it.
    pub(super) fn wants_secured(
        &mut self,
        kind: Kind,
        head: &[u8],
        header: Option<&Header>,
        output: &mut Output,
    ) -> Want {
        if output.shared.keys().is_none() {
            return Want::Head;
        }
        let guard = self.guard.get_or_insert_with(Box::default);
        let session_of = |id| self.homes.key(id);
        guard.wants(kind, head, header, session_of, &mut output.shared)
    }

    /// Learns keys from a message, and checks its signature.
    pub(super) fn inspect(
        &mut self,
        direction: Direction,
        header: &Header,
        element: &Element<'_>,
        output: &mut Output,
    ) {
        let whole = u64::try_from(element.bytes.len()) == Ok(element.length);
        let session = self.homes.key(header.session_id);
        let Some(guard) = self.guard.as_mut().filter(|_| whole) else {
            return;
        };
        guard.observe(header, element.bytes, session, &mut output.shared);
        if element.encrypted || !is_to_be_checked(header) {
            // MS-SMB2 3.3.5.2.4: what was encrypted needs no signature.
            return;
        }
        let Some(crypto) = guard.crypto(session, &mut output.shared) else {
            return;
        };
        let mut check = crypto.verify(element.bytes);
        let mut confirmed = crypto.confirmed();
        if check != Check::Right && header.command == Command::SESSION_SETUP {
            // While a session is bound to another connection, both keys are in use.
            if let Some(crypto) = guard.sealing(session, &mut output.shared) {
                check = crypto.verify(element.bytes);
                confirmed.extend(crypto.confirmed());
            }
        }
        self.judge(direction, check, element, (session.1, false), output);
        self.confirm(confirmed, output);
    }

    /// Takes an encrypted message.
    pub(super) fn encrypted(
        &mut self,
        direction: Direction,
        element: &Element<'_>,
        output: &mut Output,
    ) {
        let whole = u64::try_from(element.bytes.len()) == Ok(element.length);
        let session = sealing::session_id(element.bytes)
            .ok()
            .map(|id| self.homes.key(id));
        let crypto = match (&self.guard, session) {
            (Some(guard), Some(session)) => guard.sealing(session, &mut output.shared),
            _ => None,
        };
        let (Some(crypto), Some(session)) = (crypto, session) else {
            return self.opaque(direction, element, GapReason::Encrypted, output);
        };
        if !whole {
            return self.opaque(direction, element, GapReason::TooLong, output);
        }
        match crypto.open(direction, element.bytes) {
            Ok(plain) => {
                let confirmed = crypto.confirmed();
                output.counters.opened += 1;
                output.counters.right_signatures += 1;
                self.confirm(confirmed, output);
                self.opened(direction, element, &plain, output);
            }
            Err(check) => {
                self.judge(direction, check, element, (session.1, true), output);
                if check == Check::Wrong {
                    self.opaque(direction, element, GapReason::Changed, output);
                    self.lost(direction, output);
                }
            }
        }
    }

    /// Takes what was inside of an encrypted message.
    fn opened(
        &mut self,
        direction: Direction,
        outer: &Element<'_>,
        plain: &[u8],
        output: &mut Output,
    ) {
        let mut first = true;
        for part in elements(plain) {
            let Some((kind @ (Kind::Smb2 | Kind::Compressed), bytes)) = part else {
                return self.broken(direction, outer, broken_header(plain), output);
            };
            let element = Element {
                kind,
                bytes,
                length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                first,
                offset: outer.offset,
                encrypted: true,
                evidence: outer.evidence.clone(),
            };
            first = false;
            self.element(direction, &element, output);
        }
    }

    /// Reports what checking a message of a session came to.
    fn judge(
        &mut self,
        direction: Direction,
        check: Check,
        element: &Element<'_>,
        (session_id, encrypted): (u64, bool),
        output: &mut Output,
    ) {
        match check {
            Check::Right => output.counters.right_signatures += 1,
            Check::Wrong => self.bad_signature(direction, encrypted, &element.evidence, output),
            Check::NoKeyFits => {
                let doubt = Doubt {
                    direction,
                    encrypted,
                    evidence: element.evidence.clone(),
                };
                let session = self.homes.key(session_id);
                let guard = self.guard.as_mut();
                if let Some(crypto) = guard.and_then(|guard| {
                    let crypto: Option<&mut SessionCrypto> = match encrypted {
                        true => Guard::sealing(guard, session, &mut output.shared),
                        false => guard.crypto(session, &mut output.shared),
                    };
                    crypto
                }) {
                    crypto.doubt(doubt);
                }
                self.opaque(direction, element, GapReason::KeyDoesNotFit, output);
            }
        }
    }

    /// Reports messages that failed before their key was proven.
    fn confirm(&mut self, doubts: Vec<Doubt>, output: &mut Output) {
        for doubt in doubts {
            self.bad_signature(doubt.direction, doubt.encrypted, &doubt.evidence, output);
        }
    }

    fn bad_signature(
        &mut self,
        direction: Direction,
        encrypted: bool,
        evidence: &Evidence,
        output: &mut Output,
    ) {
        output.bad_signature(BadSignature {
            link: Arc::clone(&self.link),
            direction,
            signed: match encrypted {
                true => Signed::EncryptedSmbMessage,
                false => Signed::SmbMessage,
            },
            evidence: evidence.clone(),
        });
    }
}
