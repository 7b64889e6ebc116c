//! MS-SMB2 3.3.5.1, 3.3.5.2: from bytes to requests that may be served.

use super::Connection;
use crate::agent::Now;
use crate::smb::buffers::Frame;
use crate::smb::chain::{Chain, ChainId, seal_message};
use crate::smb::dispatch::{self, Request};
use crate::smb::limits;
use crate::smb::message::Message;
use crate::smb::negotiate;
use crate::smb::reply::Step;
use crate::smb::sealer::Sealer;
use crate::smb::work::Effect;
use fsrvp_wire::nbss::{self, FrameType};
use fsrvp_wire::security::sealing;
use fsrvp_wire::smb2::fscc::FileTime;
use fsrvp_wire::smb2::{Command, Header, HeaderFlags, NtStatus, compound, smb1_negotiate};
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

impl Connection {
    pub(super) fn take_frames(&mut self, now: Now) {
        let filetime = u64::try_from(now.filetime).unwrap_or(0);
        self.state.wall_time = FileTime(filetime);
        if self.state.is_authenticated() {
            self.stranger_since = now.monotonic;
        }
        let mut input = std::mem::take(&mut self.input);
        let (mut taken, mut took_any) = (0, false);
        while self.wants_input() {
            let frame_max = if self.state.is_authenticated() {
                limits::FRAME_MAX
            } else {
                limits::FRAME_BEFORE_LOGON_MAX
            };
            let rest = input.get(taken..).unwrap_or_default();
            match nbss::next_frame(rest, frame_max) {
                Ok(Some(found)) => {
                    took_any = true;
                    let frame = cut(&mut input, &mut taken, found.consumed());
                    match found.frame_type {
                        FrameType::SESSION_MESSAGE => self.take_payload(frame, found.payload, now),
                        FrameType::KEEPALIVE => {}
                        _ => self.close("a frame of NetBIOS that this transport has not"),
                    }
                }
                Ok(None) => break,
                Err(_) => self.close("a frame that is too long"),
            }
        }
        input.drain(..taken);
        self.input = input;
        // What is not taken because too much waits is not the client's to finish.
        self.frame_began = match self.frame_began {
            _ if self.input.is_empty() || !self.wants_input() => None,
            Some(began) if !took_any => Some(began),
            _ => Some(now.monotonic),
        };
        // Who is logged on may have the room for the frame that has begun.
        if let Some(length) = nbss::frame_len(&self.input)
            && self.state.is_authenticated()
            && length <= limits::FRAME_MAX
        {
            if length >= limits::BUFFER_FROM && self.input.capacity() < length {
                let mut buffer = self.state.server.buffers.room_for(length);
                buffer.append(&mut self.input);
                self.input = buffer;
            }
            let missing = length.saturating_sub(self.input.len());
            self.input.reserve_exact(missing);
        }
    }

    fn take_payload(&mut self, frame: Vec<u8>, range: Range<usize>, now: Now) {
        let payload = frame.get(range.clone()).unwrap_or_default();
        if smb1_negotiate::is_smb1_negotiate(payload) {
            return self.take_smb1(payload);
        }
        if sealing::is_sealed(payload) {
            return self.take_sealed(frame, range, now);
        }
        self.take_messages(frame, range, None, now);
    }

    /// MS-SMB2 3.3.5.2.1.1: a frame that is encrypted.
    fn take_sealed(&mut self, mut frame: Vec<u8>, range: Range<usize>, now: Now) {
        let payload = frame.get_mut(range.clone()).unwrap_or_default();
        let session = sealing::session_id(payload).ok();
        let session = session.and_then(|id| self.state.session(id).ok());
        let Some(sealer) = session.and_then(|session| session.sealer()) else {
            return self.close("a frame encrypted for no session");
        };
        match sealer.open(payload) {
            Ok(inside) => {
                let opened = range.start + inside.start..range.start + inside.end;
                self.take_messages(frame, opened, Some(sealer), now);
            }
            Err(error) => {
                tracing::warn!(%error, session = sealer.session_id(), "decryption");
                self.close("a frame that does not decrypt");
            }
        }
    }

    fn take_messages(
        &mut self,
        frame: Vec<u8>,
        range: Range<usize>,
        sealer: Option<Arc<Sealer>>,
        now: Now,
    ) {
        let frame = Arc::new(Frame::new(frame, &self.state.server.buffers));
        let mut start = range.start;
        let messages = match compound::split(frame.get(range).unwrap_or_default()) {
            Ok(messages) => messages,
            Err(error) => {
                tracing::debug!(%error, "frame does not parse");
                return self.close("a frame that is no SMB2 message");
            }
        };
        let mut served = Vec::new();
        let mut weight = 0;
        for message in messages {
            let place = start..start + message.len();
            start = place.end;
            let Ok(header) = Header::parse(message) else {
                return self.close("a header that does not parse");
            };
            if header.is_response() {
                return self.close("a response from a client");
            }
            // Only a request with one before it takes its session over from there.
            let is_related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS)
                && !served.is_empty()
                && header.command != Command::CANCEL;
            if let Some(sealer) = &sealer
                && !is_related
                && header.session_id != sealer.session_id()
            {
                return self.close("a request encrypted with the key of another session");
            }
            if header.command == Command::CANCEL {
                let message = Message::new(&frame, place);
                self.cancel(&header, &message, sealer.is_some(), now);
                continue;
            }
            if let Err(error) = self.window.take(header.message_id, header.credit_charge) {
                tracing::debug!(%error, "window");
                return self.close("a message id outside of the window");
            }
            // What a request paid for is the most that it brings or that its answer takes.
            let paid = usize::from(header.credit_charge) * limits::CREDIT_LEN;
            weight += message.len().max(paid);
            served.push(Message::new(&frame, place));
        }
        if served.is_empty() {
            return;
        }
        self.last_chain += 1;
        let id = ChainId(self.last_chain);
        self.chains.insert(id, Chain::new(served, sealer, weight));
        self.advance(id, now);
        self.settle(now);
    }

    fn take_smb1(&mut self, payload: &[u8]) {
        if self.window.take(0, 1).is_err() {
            return self.close("an SMB1 negotiate after SMB2");
        }
        match negotiate::multi_protocol(&mut self.state, payload) {
            Step::Done(reply) => {
                let mut header = Header::response_to(&Header::default(), reply.status);
                header.credits = self.window.grant(1);
                let message = seal_message(&header, reply.message, None, true);
                self.send(message);
            }
            Step::Disconnect(why) => self.close(why),
            Step::Work(..) | Step::EndSession(..) | Step::Pipe(_) => {}
        }
    }

    /// MS-SMB2 3.3.5.16: takes a request back that waits for a pipe or a lock; others end soon.
    fn cancel(&mut self, header: &Header, message: &Message, is_sealed: bool, now: Now) {
        let request = Request {
            header: header.clone(),
            is_sealed,
            message,
            related_file: None,
            meant_file: Cell::new(None),
        };
        if dispatch::admit(&mut self.state, &request).is_err() {
            return;
        }
        let found = self.chains.iter().find(|(_, chain)| {
            let Some(waiting) = &chain.waiting else {
                return false;
            };
            let is_named = match header.async_id() {
                Some(async_id) => chain.async_id == Some(async_id),
                None => waiting.header.message_id == header.message_id,
            };
            is_named && waiting.header.session_id == header.session_id
        });
        let Some(id) = found.map(|(id, _)| *id) else {
            return;
        };
        if let Some(index) = self.pipe_waits.iter().position(|(chain, _)| *chain == id) {
            self.pipe_waits.remove(index);
            self.resume(id, Err(NtStatus::CANCELLED), now);
        } else if let Some(effect) = self.effect_of(id) {
            self.push_effect(Effect::Cancel(effect));
        }
    }
}

/// Cuts the frame at `taken` out of the input, `length` bytes long. One that is most of the input
/// becomes the old buffer itself, so that nobody copies megabytes; others are copied and counted.
fn cut(input: &mut Vec<u8>, taken: &mut usize, length: usize) -> Vec<u8> {
    if *taken == 0 && length > input.len() / 2 {
        let rest = input.split_off(length);
        return std::mem::replace(input, rest);
    }
    let end = *taken + length;
    let frame = input.get(*taken..end).unwrap_or_default().to_vec();
    *taken = end;
    frame
}
