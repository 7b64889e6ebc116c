//! MS-SMB2 3.3.5.15: controls.

use super::dispatch::{Request, check_charge};
use super::negotiate;
use super::object_id;
use super::pipes;
use super::previous;
use super::reparse;
use super::reply::{PipeForm, PipeWait, Step};
use super::sparse;
use super::state::State;
use fsrvp_wire::smb2::ioctl::{self, CtlCode, IoctlFlags};
use fsrvp_wire::smb2::{FileId, NtStatus};

/// MS-SMB2 3.3.5.15.
pub(crate) fn ioctl(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: ioctl::Request = request.body()?;
    if !body.flags.contains(IoctlFlags::IS_FSCTL) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let input = u32::try_from(body.input.len()).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let output = body.max_output_response.max(body.max_input_response);
    check_charge(state, &request.header, input.max(output))?;
    match body.ctl_code {
        CtlCode::FSCTL_PIPE_TRANSCEIVE => transceive(state, request, &body),
        CtlCode::FSCTL_SRV_ENUMERATE_SNAPSHOTS => previous::enumerate(state, request, &body),
        CtlCode::FSCTL_SET_SPARSE => sparse::set_sparse(state, request, &body),
        CtlCode::FSCTL_SET_ZERO_DATA => sparse::set_zero_data(state, request, &body),
        CtlCode::FSCTL_QUERY_ALLOCATED_RANGES => {
            sparse::query_allocated_ranges(state, request, &body)
        }
        CtlCode::FSCTL_CREATE_OR_GET_OBJECT_ID => object_id::create_or_get(state, request, &body),
        CtlCode::FSCTL_GET_REPARSE_POINT => reparse::get(state, request, &body),
        CtlCode::FSCTL_SET_REPARSE_POINT => reparse::set(state, request, &body),
        CtlCode::FSCTL_DELETE_REPARSE_POINT => reparse::delete(state, request, &body),
        CtlCode::FSCTL_VALIDATE_NEGOTIATE_INFO => {
            match negotiate::validate(state, &body.input, body.max_output_response)? {
                Ok(output) => Step::body(&ioctl::Response {
                    ctl_code: body.ctl_code,
                    file_id: FileId::RELATED,
                    output,
                    ..ioctl::Response::default()
                }),
                Err(broken) => Ok(Step::Disconnect(broken)),
            }
        }
        // MS-SMB2 3.3.5.15.2: this server is no DFS server.
        CtlCode::FSCTL_DFS_GET_REFERRALS | CtlCode::FSCTL_DFS_GET_REFERRALS_EX => {
            Err(NtStatus::FS_DRIVER_REQUIRED)
        }
        CtlCode::FSCTL_QUERY_NETWORK_INTERFACE_INFO | CtlCode::FSCTL_PIPE_WAIT => {
            Err(NtStatus::NOT_SUPPORTED)
        }
        _ => {
            // MS-SMB2 3.3.5.15: the open is looked up before the code.
            let file_id = request.file_id(body.file_id)?;
            let header = &request.header;
            state
                .opens
                .get(file_id, header.session_id, header.tree_id)?;
            Err(NtStatus::INVALID_DEVICE_REQUEST)
        }
    }
}

/// MS-SMB2 3.3.5.15.10: writes one message and reads the next.
fn transceive(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let file_id = request.file_id(body.file_id)?;
    let header = &request.header;
    state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let pipe = state
        .opens
        .pipe(file_id)
        .ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
    if pipe.has_unread() {
        return Err(NtStatus::PIPE_BUSY);
    }
    pipes::write(state, file_id, &body.input)?;
    Ok(Step::Pipe(PipeWait {
        file_id,
        length_max: usize::try_from(body.max_output_response)
            .map_err(|_| NtStatus::INVALID_PARAMETER)?,
        form: PipeForm::Transceive,
    }))
}
