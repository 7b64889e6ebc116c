//! MS-SMB2 3.3.5.2: what every request must pass before its command is looked at.

use super::message::Message;
use super::negotiate::{self, Phase};
use super::reply::Step;
use super::session::Signer;
use super::state::State;
use super::trees::{self, TreeConnect};
use super::{create, directory, io, ioctl, limits, lock, query_info, session, set_info};
use fsrvp_wire::ParseError;
use fsrvp_wire::smb2::{Body, Command, FileId, Header, HeaderFlags, NtStatus, echo, write};
use std::cell::Cell;

/// One request, as its command sees it.
pub(crate) struct Request<'a> {
    /// Its header, with session and tree taken over from the request before where it is related.
    pub(crate) header: Header,
    /// The message itself, header included.
    pub(crate) message: &'a Message,
    /// Whether it came encrypted, with the key of the session that it names.
    pub(crate) is_sealed: bool,
    /// The file of the request before it, where it is related.
    pub(crate) related_file: Option<FileId>,
    /// The file that it turned out to mean, for those related to it.
    pub(crate) meant_file: Cell<Option<FileId>>,
}

impl Request<'_> {
    /// Its body.
    pub(crate) fn body<B: Body>(&self) -> Result<B, NtStatus> {
        B::parse(self.message.bytes())
            .map(|(_, body)| body)
            .map_err(unreadable)
    }

    /// The body of a WRITE, and its data as part of the frame that brought it.
    pub(crate) fn write(&self) -> Result<(write::Request, Message), NtStatus> {
        let read = write::Request::parse_in_place(self.message.bytes());
        let (body, place) = read.map_err(unreadable)?;
        Ok((body, self.message.part(place)))
    }

    /// Which file it means when it states `file_id`.
    pub(crate) fn file_id(&self, file_id: FileId) -> Result<FileId, NtStatus> {
        let meant = if file_id == FileId::RELATED {
            self.related_file.ok_or(NtStatus::FILE_CLOSED)?
        } else {
            file_id
        };
        self.meant_file.set(Some(meant));
        Ok(meant)
    }
}

fn unreadable(error: ParseError) -> NtStatus {
    tracing::debug!(%error, "request does not parse");
    NtStatus::INVALID_PARAMETER
}

/// A request that passed, and how its answer is signed.
pub(crate) struct Admitted {
    /// Signs the answer.
    pub(crate) signer: Option<Signer>,
}

/// Checks session and signature.
///
/// # Errors
/// The status that the client gets, with the signer for it.
pub(crate) fn admit(state: &mut State, request: &Request<'_>) -> Result<Admitted, NtStatus> {
    let header = &request.header;
    let is_signed = header.flags.contains(HeaderFlags::SIGNED);
    let Ok(session) = state.session(header.session_id) else {
        return match header.command {
            Command::NEGOTIATE => Ok(Admitted { signer: None }),
            Command::SESSION_SETUP | Command::ECHO if header.session_id == 0 => {
                Ok(Admitted { signer: None })
            }
            _ => Err(NtStatus::USER_SESSION_DELETED),
        };
    };
    if !session.is_authenticated() {
        return match header.command {
            Command::SESSION_SETUP | Command::LOGOFF => Ok(Admitted { signer: None }),
            _ => Err(NtStatus::ACCESS_DENIED),
        };
    }
    if request.is_sealed {
        // MS-SMB2 3.3.5.2.4, 3.3.4.1.1: the cipher's tag stands for the signature, both ways.
        return Ok(Admitted { signer: None });
    }
    let signer = session.signer().ok_or(NtStatus::ACCESS_DENIED)?;
    if is_signed {
        if !signer.verify(request.message.bytes()) {
            tracing::warn!(session = header.session_id, command = %header.command, "wrong signature");
            return Err(NtStatus::ACCESS_DENIED);
        }
    } else if session.signing_required {
        return Err(NtStatus::ACCESS_DENIED);
    }
    let signs = is_signed || session.signing_required;
    Ok(Admitted {
        signer: signs.then_some(signer),
    })
}

/// MS-SMB2 3.3.5.2.5: whether a request pays for `length` bytes of payload.
pub(crate) fn check_charge(state: &State, header: &Header, length: u32) -> Result<(), NtStatus> {
    let negotiated = state.negotiated()?;
    if length > negotiated.transfer_max() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let credits = length.div_ceil(limits::CREDIT_BYTES).max(1);
    if negotiated.has_multi_credit() && u32::from(header.credit_charge.max(1)) < credits {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(())
}

/// MS-SMB2 3.3.5.2.9, 3.3.5.2.11: whether a request came as it is where it had to be encrypted.
fn is_bare(state: &mut State, request: &Request<'_>) -> bool {
    let session = state.session(request.header.session_id);
    let Ok(session) = session else {
        return false;
    };
    let tree = session.trees.get(request.header.tree_id);
    let tree_encrypts = matches!(tree, Ok(TreeConnect::Files { encrypts: true, .. }));
    // MS-SMB2 3.3.5.2.11: what belongs to the session and not to one of its shares.
    let is_of_session = matches!(
        request.header.command,
        Command::LOGOFF | Command::ECHO | Command::TREE_CONNECT
    );
    !request.is_sealed && (session.encryption_required || tree_encrypts && !is_of_session)
}

/// Serves a request that was admitted.
pub(crate) fn serve(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    match request.header.command {
        Command::NEGOTIATE => return negotiate::negotiate(state, request.message.bytes()),
        _ if !matches!(state.phase, Phase::Done(_)) => {
            return Ok(Step::Disconnect("a request before NEGOTIATE"));
        }
        Command::SESSION_SETUP => return session::setup(state, request),
        _ if is_bare(state, request) => return Err(NtStatus::ACCESS_DENIED),
        Command::LOGOFF => return session::logoff(state, request),
        Command::ECHO => {
            let _: echo::Request = request.body()?;
            return Step::body(&echo::Response::default());
        }
        Command::TREE_CONNECT => return trees::connect(state, request),
        Command::TREE_DISCONNECT => return trees::disconnect(state, request),
        _ => {}
    }
    let session = state.session(request.header.session_id)?;
    let tree = session.trees.get(request.header.tree_id)?;
    match request.header.command {
        Command::CREATE => match tree {
            TreeConnect::Pipes => create::pipe(state, request),
            TreeConnect::Files { token, .. } => create::file(state, request, token),
        },
        Command::CLOSE => io::close(state, request),
        Command::FLUSH => io::flush(state, request),
        Command::READ => io::read(state, request),
        Command::WRITE => io::write(state, request),
        Command::IOCTL => ioctl::ioctl(state, request),
        Command::QUERY_DIRECTORY => directory::query(state, request),
        Command::QUERY_INFO => query_info::query(state, request),
        Command::SET_INFO => set_info::set(state, request),
        Command::LOCK => lock::lock(state, request),
        // Change notification is not served; clients then list again.
        Command::CHANGE_NOTIFY => Err(NtStatus::NOT_SUPPORTED),
        _ => Err(NtStatus::INVALID_PARAMETER),
    }
}
