//! What a request leads to: an answer, work for the outside, or the end of the connection.

use super::state::State;
use super::work::{FileResult, FileWork, Replaced};
use fsrvp_wire::smb2::{Body, FileId, Header, NtStatus, error};

/// What comes next for a request.
pub(crate) enum Step {
    /// Here is the answer.
    Done(Reply),
    /// The outside has to do something first; `Then` goes on with what it gave.
    Work(FileWork, Then),
    /// A session of another connection has to end first.
    EndSession(Replaced, Then),
    /// The answer is whatever the pipe gives next.
    Pipe(PipeWait),
    /// The client broke a rule that MS-SMB2 answers by closing the connection; the text says
    /// which, for the log.
    Disconnect(&'static str),
}

/// Goes on with a request after its work is done.
pub(crate) type Then = Box<dyn FnOnce(&mut State, FileResult) -> Result<Step, NtStatus> + Send>;

impl Step {
    /// Work, and how to go on.
    pub(crate) fn work(
        work: FileWork,
        then: impl FnOnce(&mut State, FileResult) -> Result<Step, NtStatus> + Send + 'static,
    ) -> Result<Step, NtStatus> {
        Ok(Step::Work(work, Box::new(then)))
    }

    /// Work whose success is answered by `body`.
    pub(crate) fn work_then_body<B: Body + Send + 'static>(
        work: FileWork,
        body: B,
    ) -> Result<Step, NtStatus> {
        Step::work(work, move |_, result| {
            result?;
            Step::body(&body)
        })
    }

    /// A successful answer.
    pub(crate) fn body<B: Body>(body: &B) -> Result<Step, NtStatus> {
        Ok(Step::Done(Reply::new(NtStatus::SUCCESS, body)))
    }
}

/// A request that waits for a pipe's next message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PipeWait {
    /// The pipe.
    pub(crate) file_id: FileId,
    /// How many bytes the client takes.
    pub(crate) length_max: usize,
    /// Which response carries them.
    pub(crate) form: PipeForm,
}

/// Which response carries what a pipe gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PipeForm {
    /// A READ Response.
    Read,
    /// An IOCTL Response.
    Transceive,
}

/// The answer to one request, before its header is made.
pub(crate) struct Reply {
    /// The outcome.
    pub(crate) status: NtStatus,
    /// The message with an empty header.
    pub(crate) message: Vec<u8>,
    /// The session that the answer names, where it is not the request's.
    pub(crate) session_id: Option<u64>,
    /// The tree that the answer names, where it is not the request's.
    pub(crate) tree_id: Option<u32>,
    /// The file that related requests behind this one mean.
    pub(crate) file_id: Option<FileId>,
    /// Signs the answer, where the request's own session does not.
    pub(crate) signer: Option<super::session::Signer>,
    /// Which preauthentication hash the answer goes into.
    pub(crate) hashed: Hashed,
}

/// Which preauthentication hash a message goes into (MS-SMB2 3.3.5.4, 3.3.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashed {
    /// None.
    No,
    /// The connection's.
    Connection,
    /// That of this session.
    Session(u64),
}

impl Reply {
    /// An answer with this body.
    pub(crate) fn new<B: Body>(status: NtStatus, body: &B) -> Reply {
        Reply::made(status, body.emit(&Header::default()))
    }

    /// An answer that is made already, but for its header.
    pub(crate) fn made(status: NtStatus, message: Vec<u8>) -> Reply {
        Reply {
            status,
            message,
            session_id: None,
            tree_id: None,
            file_id: None,
            signer: None,
            hashed: Hashed::No,
        }
    }

    /// The ERROR Response with this status.
    pub(crate) fn error(status: NtStatus) -> Reply {
        Reply::new(status, &error::Response::default())
    }
}

impl From<NtStatus> for Reply {
    fn from(status: NtStatus) -> Self {
        Reply::error(status)
    }
}
