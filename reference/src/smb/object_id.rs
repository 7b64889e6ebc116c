//! MS-FSA 2.1.5.9: FSCTL_CREATE_OR_GET_OBJECT_ID.
//!
//! Ids are not kept: each follows from the volume and from the file's number on it, so that a file
//! has the same one as long as it is there, under all of its names. Nobody can set or delete one,
//! and the volume does not claim FILE_SUPPORTS_OBJECT_IDS.

use super::dispatch::Request;
use super::reply::Step;
use super::state::State;
use super::work::{FileDone, FileWork};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::fscc::control::FileObjectIdBuffer;
use fsrvp_wire::smb2::ioctl;
use uuid::Uuid;

/// MS-FSA 2.1.5.9 FSCTL_CREATE_OR_GET_OBJECT_ID.
pub(crate) fn create_or_get(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let file_id = request.file_id(body.file_id)?;
    let header = &request.header;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let file = open.file()?;
    let room = usize::try_from(body.max_output_response).unwrap_or(usize::MAX);
    if room < FileObjectIdBuffer::WIRE_LEN {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let (tree, ctl_code) = (file.tree, body.ctl_code);
    Step::work(FileWork::Info(file.token), move |_, result| {
        let FileDone::Info(info) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        Step::work(FileWork::Volume(tree), move |_, result| {
            let FileDone::Volume(volume) = result? else {
                return Err(NtStatus::INTERNAL_ERROR);
            };
            Step::body(&ioctl::Response {
                ctl_code,
                file_id,
                output: id(volume.serial, info.file_id).emit(),
                ..ioctl::Response::default()
            })
        })
    })
}

fn id(volume: u64, file: u64) -> FileObjectIdBuffer {
    let object_id = Uuid::from_u64_pair(volume, file);
    FileObjectIdBuffer {
        object_id,
        birth_volume_id: Uuid::from_u64_pair(volume, 0),
        birth_object_id: object_id,
        domain_id: Uuid::nil(),
    }
}
