//! MS-SMB2 3.3.4: answers as they leave.

use super::Connection;
use crate::smb::buffers::Frame;
use crate::smb::chain::{ChainId, seal_message};
use crate::smb::message::OutputFrame;
use crate::smb::reply::Reply;
use crate::smb::sealer::Sealer;
use fsrvp_wire::smb2::{Header, NtStatus};

impl Connection {
    pub(super) fn send_sealed(&mut self, mut payload: Vec<u8>, sealer: Option<&Sealer>) {
        match sealer.map(|sealer| sealer.seal(&mut payload)) {
            None => self.send(payload),
            Some(Ok(transform)) => self.send_behind(&transform, payload),
            Some(Err(error)) => {
                tracing::error!(%error, "an answer was not encrypted");
                self.close("an answer that cannot be encrypted");
            }
        }
    }

    pub(super) fn send(&mut self, payload: Vec<u8>) {
        self.send_behind(&[], payload);
    }

    fn send_behind(&mut self, transform: &[u8], payload: Vec<u8>) {
        let payload = Frame::new(payload, &self.state.server.buffers);
        match OutputFrame::new(transform, payload) {
            Some(frame) => self.output.push_back(frame),
            None => self.close("an answer too long for a frame"),
        }
    }

    /// MS-SMB2 3.3.4.2: tells the client that its request waits.
    pub(super) fn send_interim(&mut self, id: ChainId) {
        let Some(chain) = self.chains.get_mut(&id) else {
            return;
        };
        let Some(waiting) = &chain.waiting else {
            return;
        };
        self.last_async += 1;
        chain.async_id = Some(self.last_async);
        let mut header = Header::response_to(&waiting.header, NtStatus::PENDING);
        header.credits = self.window.grant(waiting.header.credits);
        header.set_async_id(self.last_async);
        let reply = Reply::error(NtStatus::PENDING);
        let message = seal_message(&header, reply.message, waiting.signer.as_ref(), true);
        let sealer = chain.sealer.clone();
        self.send_sealed(message, sealer.as_deref());
    }
}
