//! MS-FSCC 2.3.41, 2.3.82, 2.3.9; MS-FSA 2.1.5.10: FSCTL_GET_REPARSE_POINT, FSCTL_SET_REPARSE_POINT
//! and FSCTL_DELETE_REPARSE_POINT.
//!
//! Reparse points are kept and shown; this server follows none. An open that does not ask for the
//! reparse point itself is told to: with the way of a symbolic link (MS-SMB2 2.2.2.2.1), or that its
//! tag is not handled. What lies below a directory that is one was there before or cannot be made.

use super::dispatch::Request;
use super::reply::{Reply, Step};
use super::state::State;
use super::work::{FileDone, FileToken, FileWork};
use fsrvp_wire::emit::Writer;
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::error::{self, ErrorContext};
use fsrvp_wire::smb2::ioctl;
use fsrvp_wire::smb2::{FileId, NtStatus};

/// MS-FSCC 2.1.2.1 IO_REPARSE_TAG_SYMLINK.
const TAG_SYMLINK: u32 = 0xA000_000C;
/// MS-FSCC 2.1.2.1: IO_REPARSE_TAG_RESERVED_ZERO and IO_REPARSE_TAG_RESERVED_ONE.
const TAGS_RESERVED: [u32; 2] = [0, 1];
/// MS-FSCC 2.1.2.1: a tag of Microsoft's; the others have a GUID behind the header.
const TAG_IS_MICROSOFTS: u32 = 0x8000_0000;
/// MS-FSCC 2.1.2.2 REPARSE_DATA_BUFFER: its header, in bytes.
const HEADER_LEN: usize = 8;
/// MS-FSCC 2.1.2.3 REPARSE_GUID_DATA_BUFFER: its header, in bytes.
const GUID_HEADER_LEN: usize = 24;
/// MS-SMB2 2.2.2.2.1: `SymLinkErrorTag`.
const SYMLINK_ERROR_TAG: u32 = 0x4C4D_5953;
/// MS-FSCC 2.1.2.1: the longest buffer, in bytes.
const BYTES_MAX: usize = crate::tree::REPARSE_BYTES_MAX;

/// The tag of a buffer, and its header's length.
fn header(buffer: &[u8]) -> Result<(u32, usize), NtStatus> {
    let invalid = NtStatus::IO_REPARSE_DATA_INVALID;
    let (tag, rest) = buffer.split_first_chunk().ok_or(invalid)?;
    let tag = u32::from_le_bytes(*tag);
    if TAGS_RESERVED.contains(&tag) {
        return Err(NtStatus::IO_REPARSE_TAG_INVALID);
    }
    let header = match tag & TAG_IS_MICROSOFTS {
        0 => GUID_HEADER_LEN,
        _ => HEADER_LEN,
    };
    let length = rest.first_chunk().ok_or(invalid)?;
    let length = usize::from(u16::from_le_bytes(*length));
    if buffer.len() > BYTES_MAX || buffer.len() != header + length {
        return Err(invalid);
    }
    Ok((tag, header))
}

/// Which file a control means, which a change needs a right for.
fn file(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
    changes: bool,
) -> Result<(FileId, FileToken), NtStatus> {
    let file_id = request.file_id(body.file_id)?;
    let (session_id, tree_id) = (request.header.session_id, request.header.tree_id);
    let file = state.opens.get(file_id, session_id, tree_id)?.file()?;
    if changes {
        file.require(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_WRITE_ATTRIBUTES)?;
    }
    Ok((file_id, file.token))
}

fn answer(body: &ioctl::Request, file_id: FileId, output: Vec<u8>) -> ioctl::Response {
    ioctl::Response {
        ctl_code: body.ctl_code,
        file_id,
        output,
        ..ioctl::Response::default()
    }
}

/// MS-FSA 2.1.5.10.14.
pub(crate) fn get(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let (file_id, token) = file(state, request, body, false)?;
    let room = usize::try_from(body.max_output_response);
    let room = room.map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let empty = answer(body, file_id, Vec::new());
    Step::work(FileWork::ReparsePoint(token), move |_, result| {
        let FileDone::ReparsePoint(found) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let output = found.ok_or(NtStatus::NOT_A_REPARSE_POINT)?;
        if room < HEADER_LEN {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        let status = match output.len() > room {
            true => NtStatus::BUFFER_OVERFLOW,
            false => NtStatus::SUCCESS,
        };
        let output = output.get(..room).unwrap_or(&output).to_vec();
        Ok(Step::Done(Reply::new(
            status,
            &ioctl::Response { output, ..empty },
        )))
    })
}

/// MS-FSA 2.1.5.10.37: also changes a reparse point, which keeps its tag and its GUID.
pub(crate) fn set(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let (file_id, token) = file(state, request, body, true)?;
    let (tag, header) = header(&body.input)?;
    let done = answer(body, file_id, Vec::new());
    let data = body.input.clone();
    Step::work(FileWork::ReparsePoint(token), move |_, result| {
        let FileDone::ReparsePoint(found) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        if let Some(found) = found {
            must_be_same(&found, &data, header)?;
        }
        let work = FileWork::SetReparsePoint {
            file: token,
            tag,
            data,
        };
        Step::work_then_body(work, done)
    })
}

/// MS-FSA 2.1.5.10.3: the buffer is a header alone.
pub(crate) fn delete(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let (file_id, token) = file(state, request, body, true)?;
    let (_, header) = header(&body.input)?;
    if body.input.len() != header {
        return Err(NtStatus::IO_REPARSE_DATA_INVALID);
    }
    let done = answer(body, file_id, Vec::new());
    let named = body.input.clone();
    Step::work(FileWork::ReparsePoint(token), move |_, result| {
        let FileDone::ReparsePoint(found) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let found = found.ok_or(NtStatus::NOT_A_REPARSE_POINT)?;
        must_be_same(&found, &named, header)?;
        Step::work_then_body(FileWork::RemoveReparsePoint(token), done)
    })
}

/// Tag and GUID of both, without the lengths in between.
fn must_be_same(one: &[u8], other: &[u8], header: usize) -> Result<(), NtStatus> {
    if one.get(..4) != other.get(..4) {
        return Err(NtStatus::IO_REPARSE_TAG_MISMATCH);
    }
    match one.get(HEADER_LEN..header) == other.get(HEADER_LEN..header) {
        true => Ok(()),
        false => Err(NtStatus::REPARSE_ATTRIBUTE_CONFLICT),
    }
}

/// MS-SMB2 3.3.5.9: the answer to an open that came upon this reparse point; the whole path led to
/// it. `in_contexts` is the form of dialect 3.1.1.
pub(crate) fn stopped(buffer: &[u8], in_contexts: bool) -> Result<Step, NtStatus> {
    let (tag, rest) = buffer
        .split_first_chunk()
        .ok_or(NtStatus::IO_REPARSE_DATA_INVALID)?;
    if u32::from_le_bytes(*tag) != TAG_SYMLINK {
        return Err(NtStatus::IO_REPARSE_TAG_NOT_HANDLED);
    }
    let mut out = Writer::new();
    out.u32(SYMLINK_ERROR_TAG).bytes(tag);
    // The reserved field of the buffer is UnparsedPathLength here, and all of the path was parsed.
    out.bytes(rest.get(..2).unwrap_or_default()).u16(0);
    out.bytes(rest.get(4..).unwrap_or_default());
    let link = out.into_bytes();
    let length = u32::try_from(link.len()).map_err(|_| NtStatus::INTERNAL_ERROR)?;
    let data = [&length.to_le_bytes(), link.as_slice()].concat();
    let body = match in_contexts {
        true => error::Response::from_contexts(&[ErrorContext {
            error_context_data: data,
            ..ErrorContext::default()
        }]),
        false => error::Response {
            error_data: data,
            ..error::Response::default()
        },
    };
    Ok(Step::Done(Reply::new(NtStatus::STOPPED_ON_SYMLINK, &body)))
}

#[cfg(test)]
mod tests {
    use super::{header, must_be_same, stopped};
    use crate::smb::reply::Step;
    use fsrvp_wire::smb2::NtStatus;

    fn buffer(tag: u32, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        [&tag.to_le_bytes()[..], &length.to_le_bytes(), &[0, 0], data].concat()
    }

    #[test]
    fn a_buffer_says_its_length_and_has_a_tag_that_may_be() {
        assert_eq!(
            header(&buffer(0xA000_0003, b"junction")),
            Ok((0xA000_0003, 8))
        );
        let foreign = [buffer(0x1234, &[]), vec![7; 16]].concat();
        assert_eq!(header(&foreign), Ok((0x1234, 24)));
        let invalid = Err(NtStatus::IO_REPARSE_DATA_INVALID);
        assert_eq!(header(&[]), invalid);
        assert_eq!(header(&buffer(0xA000_0003, b"x")[..8]), invalid);
        assert_eq!(header(&buffer(0x1234, b"short")), invalid);
        assert_eq!(header(&buffer(0xA000_0003, &[0; 17_000])), invalid);
        for tag in [0, 1] {
            assert_eq!(
                header(&buffer(tag, b"")),
                Err(NtStatus::IO_REPARSE_TAG_INVALID)
            );
        }
    }

    #[test]
    fn another_tag_or_guid_is_another_reparse_point() {
        let one = [buffer(0x1234, &[]), vec![7; 16]].concat();
        let other = [buffer(0x1234, &[]), vec![8; 16]].concat();
        assert_eq!(must_be_same(&one, &one, 24), Ok(()));
        assert_eq!(
            must_be_same(&one, &other, 24),
            Err(NtStatus::REPARSE_ATTRIBUTE_CONFLICT)
        );
        assert_eq!(
            must_be_same(&one, &buffer(0x1235, &[]), 24),
            Err(NtStatus::IO_REPARSE_TAG_MISMATCH)
        );
    }

    #[test]
    fn only_a_symbolic_link_tells_where_to_go() {
        let refused = stopped(&buffer(0xA000_0003, b"x"), true);
        assert!(matches!(refused, Err(NtStatus::IO_REPARSE_TAG_NOT_HANDLED)));
        let link = buffer(0xA000_000C, b"way");
        for (in_contexts, at) in [(false, 72), (true, 80)] {
            let Ok(Step::Done(reply)) = stopped(&link, in_contexts) else {
                panic!("no answer");
            };
            assert_eq!(reply.status, NtStatus::STOPPED_ON_SYMLINK);
            let data = reply.message.get(at..at + 19).unwrap();
            let wanted = [&[15, 0, 0, 0][..], b"SYML", &link].concat();
            assert_eq!(data, wanted, "{in_contexts}");
        }
    }
}
