//! A CLOSE behind other requests for the same file: those came first, and still find it open.

use super::Connection;
use crate::agent::Now;
use crate::smb::chain::{ChainId, Waiting};
use crate::smb::dispatch::{self, Request};
use crate::smb::message::Message;
use fsrvp_wire::smb2::{Command, FileId, close};
use std::cell::Cell;

/// A CLOSE that waits until nothing works on its file any more.
pub(super) struct Closing {
    chain: ChainId,
    file_id: FileId,
    message: Message,
}

impl Connection {
    /// The file that a CLOSE is about, where work on it is under way.
    pub(super) fn has_to_wait(&self, request: &Request<'_>) -> Option<FileId> {
        if request.header.command != Command::CLOSE {
            return None;
        }
        let body: close::Request = request.body().ok()?;
        let file_id = request.file_id(body.file_id).ok()?;
        self.is_at_work_on(file_id).then_some(file_id)
    }

    /// Serves a CLOSE later.
    pub(super) fn wait_to_close(
        &mut self,
        chain: ChainId,
        file_id: FileId,
        waiting: Waiting,
        message: Message,
    ) {
        if let Some(waits) = self.chains.get_mut(&chain) {
            waits.waiting = Some(waiting);
        }
        self.closings.push(Closing {
            chain,
            file_id,
            message,
        });
    }

    /// Whether work on a file is under way that ends by itself. A lock that is not free may never
    /// be; it ends with the file (MS-SMB2 3.3.5.10).
    fn is_at_work_on(&self, file_id: FileId) -> bool {
        self.works.values().any(|(chain, _)| {
            let chain = self.chains.get(chain);
            let waiting = chain.and_then(|chain| chain.waiting.as_ref());
            waiting.is_some_and(|waiting| {
                waiting.file_id == Some(file_id) && waiting.header.command != Command::LOCK
            })
        })
    }

    /// Serves every CLOSE that has waited long enough.
    pub(super) fn close_what_is_free(&mut self, now: Now) {
        while let Some(index) = self
            .closings
            .iter()
            .position(|closing| !self.is_at_work_on(closing.file_id))
        {
            let Closing {
                chain: id,
                file_id,
                message,
            } = self.closings.remove(index);
            let Some(chain) = self.chains.get(&id) else {
                continue;
            };
            let Some(waiting) = &chain.waiting else {
                continue;
            };
            let request = Request {
                header: waiting.header.clone(),
                message: &message,
                is_sealed: chain.sealer.is_some(),
                related_file: Some(file_id),
                meant_file: Cell::new(None),
            };
            let step = dispatch::serve(&mut self.state, &request);
            self.resume(id, step, now);
        }
    }
}
