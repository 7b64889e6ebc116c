//! MS-SMB2 3.3.5.2.7: the requests of one frame, served one after the other, answered together.

use super::dispatch::Request;
use super::limits;
use super::message::Message;
use super::reply::{Hashed, Reply};
use super::sealer::Sealer;
use super::session::Signer;
use crate::agent::Now;
use fsrvp_wire::smb2::{Command, FileId, Header, HeaderFlags, NtStatus, compound};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Names a chain of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChainId(pub(super) u64);

/// One frame on its way.
pub(super) struct Chain {
    /// What is left to serve.
    pub(super) left: VecDeque<Message>,
    /// What was answered so far.
    answers: Vec<Answer>,
    /// What a related request takes over from the one before it.
    before: Before,
    /// The request in hand, while it waits.
    pub(super) waiting: Option<Waiting>,
    /// Encrypts the answers, as the frame came encrypted.
    pub(super) sealer: Option<Arc<Sealer>>,
    /// The AsyncId, once the client was told that it waits.
    pub(super) async_id: Option<u64>,
    /// How many bytes it keeps in memory, or will at its end.
    pub(super) weight: usize,
}

/// What a related request takes over from the one before it.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    session_id: u64,
    tree_id: u32,
    file_id: Option<FileId>,
    /// The status of a CREATE that failed: those who mean its file fail with it.
    failed: Option<NtStatus>,
    is_there: bool,
}

/// A request that waits for work or for a pipe.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Its header.
    pub(super) header: Header,
    /// Signs its answer.
    pub(super) signer: Option<Signer>,
    /// Whether it passed for one of its session.
    pub(super) is_of_session: bool,
    /// The file that it means, for those related to it.
    pub(super) file_id: Option<FileId>,
    /// When the client is told that it waits.
    pub(super) interim_at: Duration,
}

impl Waiting {
    /// A request that has begun to wait.
    pub(super) fn new(
        request: &Request<'_>,
        signer: Option<Signer>,
        is_of_session: bool,
        now: Now,
    ) -> Waiting {
        Waiting {
            header: request.header.clone(),
            signer,
            is_of_session,
            file_id: request.meant_file.get(),
            interim_at: now.monotonic.saturating_add(limits::INTERIM_AFTER),
        }
    }
}

/// An answer with all that makes its header.
struct Answer {
    request: Header,
    reply: Reply,
    signer: Option<Signer>,
    credits: u16,
}

impl Chain {
    /// The requests of one frame.
    pub(super) fn new(messages: Vec<Message>, sealer: Option<Arc<Sealer>>, weight: usize) -> Chain {
        Chain {
            left: messages.into_iter().collect(),
            answers: Vec::new(),
            before: Before::default(),
            waiting: None,
            sealer,
            async_id: None,
            weight,
        }
    }

    /// MS-SMB2 3.3.5.2.7.2: gives a related request the ids of the one before it.
    ///
    /// # Errors
    /// The status with which a request fails that has nothing to be related to, or whose file was
    /// not opened.
    pub(super) fn relate(&self, header: &mut Header) -> Result<Option<FileId>, NtStatus> {
        if !header.flags.contains(HeaderFlags::RELATED_OPERATIONS) {
            return Ok(None);
        }
        if !self.before.is_there {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        header.session_id = self.before.session_id;
        header.tree_id = self.before.tree_id;
        match self.before.failed {
            Some(status) if self.before.file_id.is_none() => Err(status),
            _ => Ok(self.before.file_id),
        }
    }

    /// Takes the answer of a request in.
    pub(super) fn answer(&mut self, waiting: Waiting, reply: Reply, credits: u16) {
        let Waiting {
            header: request,
            signer,
            is_of_session,
            ..
        } = waiting;
        let is_related = request.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        let inherited = self.before.file_id.filter(|_| is_related);
        let follows_nothing = is_related && !self.before.is_there;
        let failed = reply.status.is_error();
        self.before = Before {
            session_id: reply.session_id.unwrap_or(request.session_id),
            tree_id: reply.tree_id.unwrap_or(request.tree_id),
            file_id: match request.command {
                Command::CREATE => reply.file_id,
                _ => reply.file_id.or(inherited),
            },
            failed: match request.command {
                Command::CREATE if failed => Some(reply.status),
                Command::CREATE => None,
                _ => self.before.failed.filter(|_| is_related),
            },
            // Nothing is related to what failed for its session, or was related to nothing itself.
            is_there: is_of_session && !follows_nothing,
        };
        self.answers.push(Answer {
            request,
            reply,
            signer,
            credits,
        });
    }

    /// Whether the frame asked for one thing only.
    pub(super) fn is_single(&self) -> bool {
        self.left.is_empty() && self.answers.is_empty()
    }

    /// The frame of all answers; `hash` sees each as it goes out. Empty when nothing is answered.
    pub(super) fn finish(self, mut hash: impl FnMut(Hashed, &[u8])) -> Vec<u8> {
        let count = self.answers.len();
        let mut frame = Vec::new();
        for (index, answer) in self.answers.into_iter().enumerate() {
            let mut header = Header::response_to(&answer.request, answer.reply.status);
            header.credits = answer.credits;
            header.session_id = answer.reply.session_id.unwrap_or(header.session_id);
            header.tree_id = answer.reply.tree_id.unwrap_or(header.tree_id);
            header.flags |= answer.request.flags & HeaderFlags::RELATED_OPERATIONS;
            if let Some(async_id) = self.async_id {
                header.set_async_id(async_id);
            }
            let signer = answer.reply.signer.as_ref().or(answer.signer.as_ref());
            let signer = signer.filter(|_| self.sealer.is_none());
            let mut message = answer.reply.message;
            if count > 1 {
                // The last one as well, as the other servers do.
                message.resize(message.len().next_multiple_of(compound::ALIGNMENT), 0);
            }
            let message = seal_message(&header, message, signer, index + 1 == count);
            hash(answer.reply.hashed, &message);
            if count == 1 {
                return message;
            }
            frame.extend_from_slice(&message);
        }
        frame
    }
}

/// Puts the header into a message, pads it and signs it.
pub(super) fn seal_message(
    header: &Header,
    mut message: Vec<u8>,
    signer: Option<&Signer>,
    is_last: bool,
) -> Vec<u8> {
    let bytes = header.emit();
    if let Some(slot) = message.get_mut(..bytes.len()) {
        slot.copy_from_slice(&bytes);
    }
    compound::pad(&mut message, is_last);
    if let Some(signer) = signer {
        signer.sign(&mut message);
    }
    message
}
