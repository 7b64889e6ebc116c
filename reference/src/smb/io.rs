//! MS-SMB2 3.3.5.10 to 3.3.5.13: CLOSE, FLUSH, READ and WRITE.

use super::dispatch::{Request, check_charge};
use super::opens::Target;
use super::pipes;
use super::reply::{PipeForm, PipeWait, Reply, Step};
use super::state::State;
use super::work::{FileDone, FileWork};
use fsrvp_wire::smb2::close::CloseFlags;
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::write::WriteFlags;
use fsrvp_wire::smb2::{FileId, NtStatus, close, flush, read, write};

/// MS-SMB2 3.3.5.10.
pub(crate) fn close(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: close::Request = request.body()?;
    let file_id = request.file_id(body.file_id)?;
    let header = &request.header;
    state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let open = state.opens.remove(file_id).ok_or(NtStatus::FILE_CLOSED)?;
    let Target::File(file) = open.target else {
        return Step::body(&close::Response::default());
    };
    let wants_info = body.flags.contains(CloseFlags::POSTQUERY_ATTRIB);
    Step::work(FileWork::Close(file.token), move |_, result| {
        let response = match result? {
            FileDone::Info(info) if wants_info => close::Response {
                flags: CloseFlags::POSTQUERY_ATTRIB,
                creation_time: info.creation_time,
                last_access_time: info.last_access_time,
                last_write_time: info.last_write_time,
                change_time: info.change_time,
                allocation_size: info.allocation_size,
                end_of_file: info.end_of_file,
                file_attributes: info.attributes,
                ..close::Response::default()
            },
            _ => close::Response::default(),
        };
        Step::body(&response)
    })
}

/// MS-SMB2 3.3.5.11.
pub(crate) fn flush(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: flush::Request = request.body()?;
    let header = &request.header;
    let file_id = request.file_id(body.file_id)?;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let Target::File(file) = &open.target else {
        return Step::body(&flush::Response::default());
    };
    file.require(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA)?;
    Step::work_then_body(FileWork::Flush(file.token), flush::Response::default())
}

/// MS-FSA 2.1.5.3, 2.1.5.4: no byte lies behind the last offset that a file can have.
fn check_range(offset_bytes: u64, length: u32) -> Result<(), NtStatus> {
    let end = offset_bytes.checked_add(u64::from(length));
    match end.map(i64::try_from) {
        Some(Ok(_)) => Ok(()),
        _ => Err(NtStatus::INVALID_PARAMETER),
    }
}

/// MS-SMB2 3.3.5.12.
pub(crate) fn read(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: read::Request = request.body()?;
    check_charge(state, &request.header, body.length)?;
    let header = &request.header;
    let file_id = request.file_id(body.file_id)?;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let length = usize::try_from(body.length).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let Target::File(file) = &open.target else {
        return Ok(Step::Pipe(PipeWait {
            file_id,
            length_max: length,
            form: PipeForm::Read,
        }));
    };
    if file.is_directory {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    file.require(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE)?;
    let token = file.token;
    check_range(body.offset, body.length)?;
    let work = FileWork::Read {
        file: token,
        offset_bytes: body.offset,
        into: state.server.buffers.filled(read::DATA_AT + length),
        behind: read::DATA_AT,
    };
    let offset = body.offset;
    let minimum = usize::try_from(body.minimum_count).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    Step::work(work, move |state, result| {
        let FileDone::Data(mut message) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let count = message.len().saturating_sub(read::DATA_AT);
        if count < minimum || count == 0 && length > 0 {
            return Err(NtStatus::END_OF_FILE);
        }
        go_to(state, file_id, offset, count);
        if count == 0 {
            return Step::body(&read::Response::default());
        }
        let around = read::Response::put_around(&mut message);
        around.map_err(|_| NtStatus::INTERNAL_ERROR)?;
        Ok(Step::Done(Reply::made(NtStatus::SUCCESS, message)))
    })
}

/// MS-SMB2 3.3.5.13.
pub(crate) fn write(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let (body, data) = request.write()?;
    let written = data.bytes().len();
    let count = u32::try_from(written).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    check_charge(state, &request.header, count)?;
    let header = &request.header;
    let file_id = request.file_id(body.file_id)?;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let response = write::Response {
        count,
        ..write::Response::default()
    };
    let Target::File(file) = &open.target else {
        pipes::write(state, file_id, data.bytes())?;
        return Step::body(&response);
    };
    if file.is_directory {
        return Err(NtStatus::INVALID_DEVICE_REQUEST);
    }
    file.require(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA)?;
    check_range(body.offset, count)?;
    let work = FileWork::Write {
        file: file.token,
        offset_bytes: body.offset,
        data,
        write_through: body.flags.contains(WriteFlags::WRITE_THROUGH),
    };
    Step::work(work, move |state, result| {
        result?;
        go_to(state, file_id, body.offset, written);
        Step::body(&response)
    })
}

/// MS-FSA 2.1.5.3, 2.1.5.4: what was read or written ends at the open's new position.
fn go_to(state: &mut State, file_id: FileId, offset_bytes: u64, length: usize) {
    if let Some(Target::File(file)) = state.opens.target(file_id) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        file.position = offset_bytes.saturating_add(length);
    }
}
