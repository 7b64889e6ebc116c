//! MS-FSCC 2.3, MS-FSA 2.1.5.9: FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA and
//! FSCTL_QUERY_ALLOCATED_RANGES.

use super::dispatch::Request;
use super::opens::OpenFile;
use super::reply::{Reply, Step};
use super::state::State;
use super::work::{FileDone, FileWork};
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::fscc::control::{
    FileAllocatedRangeBuffer, FileSetSparseBuffer, FileZeroDataInformation,
};
use fsrvp_wire::smb2::ioctl;
use fsrvp_wire::smb2::{FileId, NtStatus};

/// How many ranges one answer tells at most; the client asks again behind the last one.
const RANGES_MAX: usize = 0x1_0000;

/// MS-FSA 2.1.5.9 FSCTL_SET_SPARSE.
pub(crate) fn set_sparse(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let (file_id, file) = file(state, request, body)?;
    file.require(
        AccessMask::FILE_WRITE_DATA
            | AccessMask::FILE_APPEND_DATA
            | AccessMask::FILE_WRITE_ATTRIBUTES,
    )?;
    let sparse = FileSetSparseBuffer::parse(&body.input);
    let work = FileWork::SetSparse {
        file: file.token,
        // A client that sends nothing means that it shall be sparse.
        sparse: sparse.map_or(true, |buffer| buffer.set_sparse != 0),
    };
    Step::work_then_body(work, response(file_id, body, Vec::new()))
}

/// MS-FSA 2.1.5.9 FSCTL_SET_ZERO_DATA.
pub(crate) fn set_zero_data(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let (file_id, file) = file(state, request, body)?;
    file.require(AccessMask::FILE_WRITE_DATA)?;
    let range = FileZeroDataInformation::parse(&body.input);
    let range = range.map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let is_sound =
        range.file_offset <= range.beyond_final_zero && is_signed(range.beyond_final_zero);
    if !is_sound {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let work = FileWork::Zero {
        file: file.token,
        offset_bytes: range.file_offset,
        beyond_bytes: range.beyond_final_zero,
    };
    Step::work_then_body(work, response(file_id, body, Vec::new()))
}

/// MS-FSA 2.1.5.9 FSCTL_QUERY_ALLOCATED_RANGES.
pub(crate) fn query_allocated_ranges(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let (file_id, file) = file(state, request, body)?;
    file.require(AccessMask::FILE_READ_DATA)?;
    let asked = FileAllocatedRangeBuffer::parse(&body.input);
    let asked = asked.map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let end = asked.file_offset.checked_add(asked.length);
    if !end.is_some_and(is_signed) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let room = usize::try_from(body.max_output_response).unwrap_or(usize::MAX);
    let room = (room / FileAllocatedRangeBuffer::WIRE_LEN).min(RANGES_MAX);
    let work = FileWork::AllocatedRanges {
        file: file.token,
        offset_bytes: asked.file_offset,
        length_bytes: asked.length,
        // One more than fits tells whether there are more.
        ranges_max: room + 1,
    };
    let empty = response(file_id, body, Vec::new());
    Step::work(work, move |_, result| {
        let FileDone::Ranges(mut ranges) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let status = match ranges.len() {
            length if length <= room => NtStatus::SUCCESS,
            _ if room == 0 => return Err(NtStatus::BUFFER_TOO_SMALL),
            _ => NtStatus::BUFFER_OVERFLOW,
        };
        ranges.truncate(room);
        let body = ioctl::Response {
            output: ranges.iter().flat_map(|range| range.emit()).collect(),
            ..empty
        };
        Ok(Step::Done(Reply::new(status, &body)))
    })
}

/// The file that is meant; MS-FSA knows none of these controls for a directory.
fn file<'a>(
    state: &'a mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<(FileId, &'a OpenFile), NtStatus> {
    let file_id = request.file_id(body.file_id)?;
    let header = &request.header;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let file = open.file()?;
    if file.is_directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok((file_id, file))
}

/// Whether it is not below zero for those who read it as a signed number.
fn is_signed(bytes: u64) -> bool {
    i64::try_from(bytes).is_ok()
}

fn response(file_id: FileId, body: &ioctl::Request, output: Vec<u8>) -> ioctl::Response {
    ioctl::Response {
        ctl_code: body.ctl_code,
        file_id,
        output,
        ..ioctl::Response::default()
    }
}
