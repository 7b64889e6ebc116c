//! Requests on their way: served, waiting for something, answered.

use super::Connection;
use crate::agent::Now;
use crate::smb::chain::{ChainId, Waiting};
use crate::smb::dispatch::{self, Admitted, Request};
use crate::smb::negotiate::Phase;
use crate::smb::pipes;
use crate::smb::reply::{Hashed, Reply, Step};
use crate::smb::work::{Effect, EffectId};
use fsrvp_wire::smb2::{Header, NtStatus};
use std::cell::Cell;

impl Connection {
    /// Serves a chain as far as it goes without waiting.
    pub(super) fn advance(&mut self, id: ChainId, now: Now) {
        loop {
            let Some(chain) = self.chains.get_mut(&id) else {
                return;
            };
            let Some(message) = chain.left.pop_front() else {
                return self.finish(id);
            };
            let Ok(mut header) = Header::parse(message.bytes()) else {
                return self.close("a header that does not parse");
            };
            let related = chain.relate(&mut header);
            let request = Request {
                related_file: related.ok().flatten(),
                meant_file: Cell::new(None),
                header,
                is_sealed: chain.sealer.is_some(),
                message: &message,
            };
            let admitted = dispatch::admit(&mut self.state, &request);
            let is_of_session = admitted.is_ok();
            let behind = self.has_to_wait(&request);
            let (step, signer) = match (admitted, related, behind) {
                // What is related to nothing fails for that, whatever session it names.
                (Err(_), Err(status), _) | (Err(status), Ok(_), _) => (Err(status), None),
                (Ok(Admitted { signer }), Err(status), _) => (Err(status), signer),
                (Ok(Admitted { signer }), Ok(_), Some(file_id)) => {
                    let waiting = Waiting::new(&request, signer, is_of_session, now);
                    return self.wait_to_close(id, file_id, waiting, message);
                }
                (Ok(Admitted { signer }), Ok(_), None) => {
                    (dispatch::serve(&mut self.state, &request), signer)
                }
            };
            let waiting = Waiting::new(&request, signer, is_of_session, now);
            if !self.take_step(id, waiting, step) {
                return;
            }
        }
    }

    /// Goes on with a chain whose request waited.
    pub(super) fn resume(&mut self, id: ChainId, step: Result<Step, NtStatus>, now: Now) {
        let Some(waiting) = self
            .chains
            .get_mut(&id)
            .and_then(|chain| chain.waiting.take())
        else {
            return;
        };
        if self.take_step(id, waiting, step) {
            self.advance(id, now);
        }
        self.settle(now);
    }

    /// Takes in what a request has led to; whether the chain can go on.
    fn take_step(&mut self, id: ChainId, waiting: Waiting, step: Result<Step, NtStatus>) -> bool {
        let Some(chain) = self.chains.get_mut(&id) else {
            return false;
        };
        let reply = match step {
            Ok(Step::Done(reply)) => reply,
            Err(status) => Reply::error(status),
            Ok(Step::Work(work, then)) => {
                chain.waiting = Some(waiting);
                let effect = self.push_effect(Effect::File(work));
                self.works.insert(effect, (id, then));
                return false;
            }
            Ok(Step::EndSession(replaced, then)) => {
                chain.waiting = Some(waiting);
                let effect = self.push_effect(Effect::EndSession(replaced));
                self.works.insert(effect, (id, then));
                return false;
            }
            Ok(Step::Pipe(wait)) => {
                chain.waiting = Some(waiting);
                self.pipe_waits.push((id, wait));
                return false;
            }
            Ok(Step::Disconnect(why)) => {
                self.close(why);
                return false;
            }
        };
        // An interim response has granted the credits of its request already.
        let credits = match chain.async_id {
            Some(_) => 0,
            None => self.window.grant(waiting.header.credits),
        };
        let reply = Reply {
            file_id: reply.file_id.or(waiting.file_id),
            ..reply
        };
        chain.answer(waiting, reply, credits);
        true
    }

    fn finish(&mut self, id: ChainId) {
        let Some(chain) = self.chains.remove(&id) else {
            return;
        };
        let state = &mut self.state;
        let sealer = chain.sealer.clone();
        let frame = chain.finish(|hashed, message| match hashed {
            Hashed::No => {}
            Hashed::Connection => {
                if let Phase::Done(negotiated) = &mut state.phase
                    && let Some(hash) = &mut negotiated.preauth
                {
                    hash.update(message);
                }
            }
            Hashed::Session(session_id) => {
                if let Ok(session) = state.session(session_id) {
                    session.hash(message);
                }
            }
        });
        if !frame.is_empty() {
            self.send_sealed(frame, sealer.as_deref());
        }
    }

    /// Serves those who wait for pipes that have something, and hands out what became to be done.
    pub(super) fn settle(&mut self, now: Now) {
        self.close_what_is_free(now);
        while let Some((index, step)) = self.next_pipe() {
            let (id, _) = self.pipe_waits.remove(index);
            self.resume(id, step, now);
        }
        self.collect_effects();
    }

    fn next_pipe(&mut self) -> Option<(usize, Result<Step, NtStatus>)> {
        for (index, (_, wait)) in self.pipe_waits.iter().enumerate() {
            if let Some(step) = pipes::next(&mut self.state, wait) {
                return Some((index, step));
            }
        }
        None
    }

    pub(super) fn collect_effects(&mut self) {
        for work in std::mem::take(&mut self.state.errands) {
            self.push_effect(Effect::File(work));
        }
        for (file_id, token, call) in std::mem::take(&mut self.state.share_calls) {
            let id = self.push_effect(Effect::ShareCall(call));
            self.calls.insert(id, (file_id, token));
        }
        for (file_id, call) in std::mem::take(&mut self.state.calls) {
            let token = call.token;
            let id = self.push_effect(Effect::Call(call));
            self.calls.insert(id, (file_id, token));
        }
    }

    /// The work that a chain waits for.
    pub(super) fn effect_of(&self, chain: ChainId) -> Option<EffectId> {
        let mut works = self.works.iter();
        works
            .find(|(_, (waiting, _))| *waiting == chain)
            .map(|(id, _)| *id)
    }

    pub(super) fn push_effect(&mut self, effect: Effect) -> EffectId {
        self.last_effect += 1;
        let id = EffectId(self.last_effect);
        self.effects.push_back((id, effect));
        id
    }
}
