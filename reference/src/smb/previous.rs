//! MS-SMB2 3.3.5.15.1 and 3.3.5.9: exposed shadow copies as previous versions of the base share.

use super::dispatch::Request;
use super::reply::Step;
use super::state::State;
use super::work::{FileDone, FileWork};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create_contexts::{CreateContext, TimewarpToken, names};
use fsrvp_wire::smb2::fscc::FileTime;
use fsrvp_wire::smb2::ioctl;
use fsrvp_wire::smb2::previous_versions::{
    OUTPUT_LEN_MIN, SnapshotArray, time_of_token, to_the_second,
};

/// MS-SMB2 3.3.5.15.1: FSCTL_SRV_ENUMERATE_SNAPSHOTS.
pub(crate) fn enumerate(
    state: &mut State,
    request: &Request<'_>,
    body: &ioctl::Request,
) -> Result<Step, NtStatus> {
    let file_id = request.file_id(body.file_id)?;
    let header = &request.header;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let file = open.file()?.token;
    if body.max_output_response < OUTPUT_LEN_MIN {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let (ctl_code, room) = (body.ctl_code, body.max_output_response);
    Step::work(FileWork::PreviousVersions(file), move |_, result| {
        let FileDone::Times(mut times) = result? else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        // Two of one second have one name, and only one of them can be opened by it.
        times
            .iter_mut()
            .for_each(|time| *time = to_the_second(*time));
        times.dedup();
        Step::body(&ioctl::Response {
            ctl_code,
            file_id,
            output: SnapshotArray::of(&times, room).emit(),
            ..ioctl::Response::default()
        })
    })
}

/// The second whose shadow copy an open asks for, by context or by a name in its path, and the
/// path inside of it.
pub(crate) fn timewarp(
    asked: &[CreateContext],
    path: String,
) -> Result<(Option<FileTime>, String), NtStatus> {
    for context in asked {
        if context.name == names::TIMEWARP_TOKEN {
            let token = TimewarpToken::parse(&context.data);
            let token = token.map_err(|_| NtStatus::INVALID_PARAMETER)?;
            return Ok((Some(to_the_second(token.timestamp)), path));
        }
    }
    let Some(time) = path.split('\\').find_map(time_of_token) else {
        return Ok((None, path));
    };
    let rest: Vec<&str> = path
        .split('\\')
        .filter(|name| time_of_token(name).is_none())
        .collect();
    Ok((Some(time), rest.join("\\")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_leads_into_a_shadow_copy() {
        let (time, path) = timewarp(&[], r"@GMT-1970.01.01-00.00.00\dir\x".to_owned()).unwrap();
        assert_eq!(path, r"dir\x");
        assert_eq!(time, FileTime::from_unix(0, 0));
        let (time, path) = timewarp(&[], r"dir\x".to_owned()).unwrap();
        assert_eq!((time, path.as_str()), (None, r"dir\x"));
    }

    #[test]
    fn a_context_names_a_second() {
        let token = TimewarpToken {
            timestamp: FileTime(1_234_567_890_123),
        };
        let context = CreateContext::new(names::TIMEWARP_TOKEN, token.emit());
        let (time, _) = timewarp(&[context], "x".to_owned()).unwrap();
        assert_eq!(time, Some(FileTime(1_234_560_000_000)));
        let short = CreateContext::new(names::TIMEWARP_TOKEN, vec![0; 7]);
        assert!(timewarp(&[short], "x".to_owned()).is_err());
    }
}
