//! MS-SMB2 3.3.5.21: changing a file.

use super::dispatch::{Request, check_charge};
use super::opens::OpenFile;
use super::reply::Step;
use super::state::State;
use super::work::{FileDone, FileToken, FileWork};
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::fscc::file::{
    FileAllocationInformation, FileBasicInformation, FileDispositionInformation,
    FileEndOfFileInformation,
};
use fsrvp_wire::smb2::fscc::file_names::FileRenameInformation;
use fsrvp_wire::smb2::fscc::{FileAttributes, FileInfoClass, FileTime};
use fsrvp_wire::smb2::query_info::{InfoType, SecurityInformation};
use fsrvp_wire::smb2::set_info::{self, Response};
use fsrvp_wire::smb2::{FileId, NtStatus};

/// MS-FSCC 2.4.12: the file goes with its last handle.
const DISPOSITION_DELETE: u32 = 0x0000_0001;

/// MS-FSCC 2.4.43: a file of the new name goes.
const RENAME_REPLACE_IF_EXISTS: u32 = 0x0000_0001;

/// Which open is changed.
#[derive(Clone, Copy)]
struct Whose {
    file_id: FileId,
    session_id: u64,
    tree_id: u32,
    token: FileToken,
}

/// MS-SMB2 3.3.5.21.
pub(crate) fn set(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: set_info::Request = request.body()?;
    let length = u32::try_from(body.buffer.len()).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    check_charge(state, &request.header, length)?;
    let file_id = request.file_id(body.file_id)?;
    let (session_id, tree_id) = (request.header.session_id, request.header.tree_id);
    let file = state.opens.get(file_id, session_id, tree_id)?.file()?;
    match body.info_type {
        InfoType::FILE => {}
        InfoType::SECURITY => return set_security(file, body),
        _ => return Err(NtStatus::NOT_SUPPORTED),
    }
    let whose = Whose {
        file_id,
        session_id,
        tree_id,
        token: file.token,
    };
    let class = FileInfoClass(body.file_info_class);
    match class {
        FileInfoClass::FILE_BASIC_INFORMATION => {
            file.require(AccessMask::FILE_WRITE_ATTRIBUTES)?;
            let is_directory = file.is_directory;
            set_basic(whose, is_directory, &body.buffer)
        }
        FileInfoClass::FILE_RENAME_INFORMATION | FileInfoClass::FILE_RENAME_INFORMATION_EX => {
            file.require(AccessMask::DELETE)?;
            rename(whose, class, &body.buffer)
        }
        FileInfoClass::FILE_DISPOSITION_INFORMATION
        | FileInfoClass::FILE_DISPOSITION_INFORMATION_EX => {
            file.require(AccessMask::DELETE)?;
            set_disposition(whose, class, &body.buffer)
        }
        FileInfoClass::FILE_END_OF_FILE_INFORMATION => {
            file.require(AccessMask::FILE_WRITE_DATA)?;
            let body = FileEndOfFileInformation::parse(&body.buffer).map_err(mismatch)?;
            let work = FileWork::SetEndOfFile {
                file: whose.token,
                length_bytes: body.end_of_file,
            };
            Step::work_then_body(work, Response {})
        }
        FileInfoClass::FILE_ALLOCATION_INFORMATION => {
            file.require(AccessMask::FILE_WRITE_DATA)?;
            set_allocation(whose, &body.buffer)
        }
        // Every request names its own offset, so that there is no position to keep.
        FileInfoClass::FILE_POSITION_INFORMATION | FileInfoClass::FILE_MODE_INFORMATION => {
            Step::body(&Response {})
        }
        FileInfoClass::FILE_FULL_EA_INFORMATION => Err(NtStatus::EAS_NOT_SUPPORTED),
        FileInfoClass::FILE_LINK_INFORMATION => Err(NtStatus::NOT_SUPPORTED),
        _ => Err(NtStatus::INVALID_INFO_CLASS),
    }
}

/// MS-SMB2 3.3.5.21.3.
fn set_security(file: &OpenFile, body: set_info::Request) -> Result<Step, NtStatus> {
    let which = body.additional_information;
    let of_owner = SecurityInformation::OWNER | SecurityInformation::GROUP;
    for (parts, right) in [
        (of_owner, AccessMask::WRITE_OWNER),
        (SecurityInformation::DACL, AccessMask::WRITE_DAC),
        (
            SecurityInformation::SACL,
            AccessMask::ACCESS_SYSTEM_SECURITY,
        ),
    ] {
        if which.intersects(parts) {
            file.require(right)?;
        }
    }
    let work = FileWork::SetSecurity {
        file: file.token,
        which,
        descriptor: body.buffer,
        maximal_access: file.maximal_access,
    };
    Step::work_then_body(work, Response {})
}

fn mismatch(_: fsrvp_wire::ParseError) -> NtStatus {
    NtStatus::INFO_LENGTH_MISMATCH
}

fn set_basic(whose: Whose, is_directory: bool, buffer: &[u8]) -> Result<Step, NtStatus> {
    let basic = FileBasicInformation::parse(buffer).map_err(mismatch)?;
    // MS-FSA 2.1.5.14.2: what the other kind alone can be.
    let foreign = match is_directory {
        true => FileAttributes::TEMPORARY,
        false => FileAttributes::DIRECTORY,
    };
    if basic.file_attributes.contains(foreign) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let work = FileWork::SetBasic {
        file: whose.token,
        creation_time: to_set(basic.creation_time),
        last_access_time: to_set(basic.last_access_time),
        last_write_time: to_set(basic.last_write_time),
        attributes: (basic.file_attributes.0 != 0).then_some(basic.file_attributes),
    };
    Step::work_then_body(work, Response {})
}

/// MS-FSCC 2.4.7: zero leaves a time, and so do -1 and -2 here, where no time is kept by itself.
fn to_set(time: FileTime) -> Option<FileTime> {
    const KEEP: [u64; 3] = [0, u64::MAX, u64::MAX - 1];
    (!KEEP.contains(&time.0)).then_some(time)
}

fn rename(whose: Whose, class: FileInfoClass, buffer: &[u8]) -> Result<Step, NtStatus> {
    let body = FileRenameInformation::parse(buffer).map_err(mismatch)?;
    if body.root_directory != 0 {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let replace = if class == FileInfoClass::FILE_RENAME_INFORMATION_EX {
        let [b, c, d, ..] = body.reserved;
        let flags = u32::from_le_bytes([body.replace_if_exists, b, c, d]);
        flags & RENAME_REPLACE_IF_EXISTS != 0
    } else {
        body.replace_if_exists != 0
    };
    let path = body
        .file_name
        .strict_text()
        .ok_or(NtStatus::OBJECT_NAME_INVALID)?;
    let path = path.strip_prefix('\\').unwrap_or(&path).to_owned();
    if path.is_empty() {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    let work = FileWork::Rename {
        file: whose.token,
        path: path.clone(),
        replace,
    };
    Step::work(work, move |state, result| {
        result?;
        let open = state
            .opens
            .get(whose.file_id, whose.session_id, whose.tree_id)?;
        let file = open.file()?;
        file.path = match path.starts_with(':') {
            // Only the stream has another name.
            true => {
                let base = file.path.split(':').next().unwrap_or_default();
                format!("{base}{path}")
            }
            false => path,
        };
        Step::body(&Response {})
    })
}

fn set_disposition(whose: Whose, class: FileInfoClass, buffer: &[u8]) -> Result<Step, NtStatus> {
    let delete = if class == FileInfoClass::FILE_DISPOSITION_INFORMATION_EX {
        let flags = buffer
            .first_chunk::<4>()
            .ok_or(NtStatus::INFO_LENGTH_MISMATCH)?;
        u32::from_le_bytes(*flags) & DISPOSITION_DELETE != 0
    } else {
        let body = FileDispositionInformation::parse(buffer).map_err(mismatch)?;
        body.delete_pending != 0
    };
    let work = FileWork::SetDelete {
        file: whose.token,
        delete,
    };
    Step::work_then_body(work, Response {})
}

/// MS-FSCC 2.4.4: a file is cut where its room would end before it does; room is never reserved.
fn set_allocation(whose: Whose, buffer: &[u8]) -> Result<Step, NtStatus> {
    let body = FileAllocationInformation::parse(buffer).map_err(mismatch)?;
    Step::work(FileWork::Info(whose.token), move |_, result| {
        let FileDone::Info(info) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        if body.allocation_size >= info.end_of_file {
            return Step::body(&Response {});
        }
        let work = FileWork::SetEndOfFile {
            file: whose.token,
            length_bytes: body.allocation_size,
        };
        Step::work_then_body(work, Response {})
    })
}
