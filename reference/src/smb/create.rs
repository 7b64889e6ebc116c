//! MS-SMB2 3.3.5.9, 3.3.5.9.14: opening files, directories and pipes.

use super::dispatch::Request;
use super::opens::{Open, OpenFile, Target};
use super::pipes::{self, Pipe};
use super::previous;
use super::reparse;
use super::reply::{Reply, Step};
use super::state::State;
use super::work::{FileDone, FileInfo, FileWork, OpenWork, TreeToken};
use fsrvp_wire::smb2::create::{
    AccessMask, CreateAction, CreateDisposition, CreateOptions, ImpersonationLevel,
    Request as Create, Response,
};
use fsrvp_wire::smb2::create_contexts::{
    CreateContext, MaximalAccessResponse, OnDiskId, names as contexts,
};
use fsrvp_wire::smb2::fscc::FileAttributes;
use fsrvp_wire::smb2::{Dialect, FileId, NtStatus};

/// Opens a pipe of `IPC$`.
pub(crate) fn pipe(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let create: Create = request.body()?;
    check(&create)?;
    let name = create.name.text();
    let Some(service) = pipes::service(&name) else {
        tracing::debug!(%name, "no such pipe");
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    };
    state.opens.check_room(true)?;
    let session_id = request.header.session_id;
    let pipe = Pipe::open(state, session_id, service)?;
    let file_id = state.opens.insert(Open {
        session_id,
        tree_id: request.header.tree_id,
        target: Target::Pipe(Box::new(pipe)),
    });
    let info = FileInfo {
        attributes: FileAttributes::NORMAL,
        allocation_size: 4096,
        ..FileInfo::default()
    };
    Ok(opened(file_id, CreateAction::OPENED, &info, Vec::new()))
}

/// Opens or makes a file or directory of a share.
pub(crate) fn file(
    state: &mut State,
    request: &Request<'_>,
    tree: TreeToken,
) -> Result<Step, NtStatus> {
    let create: Create = request.body()?;
    check(&create)?;
    check_file_options(&create)?;
    state.opens.check_room(false)?;
    let path = create
        .name
        .strict_text()
        .ok_or(NtStatus::OBJECT_NAME_INVALID)?;
    if path.starts_with('\\') {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let (timewarp, path) = previous::timewarp(&create.create_contexts, path)?;
    let in_contexts = state.negotiated()?.dialect == Dialect::SMB_3_1_1;
    let token = state.new_file_token();
    let work = FileWork::Open(OpenWork {
        tree,
        file: token,
        path: path.clone(),
        timewarp,
        desired_access: create.desired_access,
        share_access: create.share_access,
        descriptor: create
            .create_contexts
            .iter()
            .find(|context| context.name == contexts::SECURITY_DESCRIPTOR)
            .map(|context| context.data.clone()),
        attributes: create.file_attributes,
        disposition: create.create_disposition,
        options: create.create_options,
    });
    let (session_id, tree_id) = (request.header.session_id, request.header.tree_id);
    Step::work(work, move |state, result| {
        let done = result?;
        if let FileDone::Stopped(reparse_point) = &done {
            return reparse::stopped(reparse_point, in_contexts);
        }
        let FileDone::Opened {
            granted_access,
            maximal_access,
            action,
            info,
        } = done
        else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        // Session or tree may have gone while the file was being opened.
        let is_there = state
            .session(session_id)
            .and_then(|session| session.trees.get(tree_id));
        if let Err(status) = is_there.and_then(|_| state.opens.check_room(false)) {
            state.errands.push(FileWork::Close(token));
            return Err(status);
        }
        let answers = answer_contexts(&create.create_contexts, maximal_access, &info);
        let file_id = state.opens.insert(Open {
            session_id,
            tree_id,
            target: Target::File(OpenFile {
                token,
                tree,
                path,
                granted_access,
                maximal_access,
                options: create.create_options,
                is_directory: info.is_directory(),
                position: 0,
                listing: None,
            }),
        });
        Ok(opened(file_id, action, &info, answers))
    })
}

fn opened(
    file_id: FileId,
    create_action: CreateAction,
    info: &FileInfo,
    create_contexts: Vec<CreateContext>,
) -> Step {
    let body = Response {
        create_action,
        creation_time: info.creation_time,
        last_access_time: info.last_access_time,
        last_write_time: info.last_write_time,
        change_time: info.change_time,
        allocation_size: info.allocation_size,
        end_of_file: info.end_of_file,
        file_attributes: info.attributes,
        file_id,
        create_contexts,
        ..Response::default()
    };
    let mut reply = Reply::new(NtStatus::SUCCESS, &body);
    reply.file_id = Some(file_id);
    Step::Done(reply)
}

fn check(create: &Create) -> Result<(), NtStatus> {
    if create.impersonation_level > ImpersonationLevel::DELEGATE {
        return Err(NtStatus::BAD_IMPERSONATION_LEVEL);
    }
    if create.create_disposition > CreateDisposition::OVERWRITE_IF {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if create.desired_access.0 == 0 {
        return Err(NtStatus::ACCESS_DENIED);
    }
    Ok(())
}

fn check_file_options(create: &Create) -> Result<(), NtStatus> {
    let options = create.create_options;
    let is_directory = options.contains(CreateOptions::DIRECTORY_FILE);
    if is_directory && options.contains(CreateOptions::NON_DIRECTORY_FILE) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let replaces = matches!(
        create.create_disposition,
        CreateDisposition::SUPERSEDE
            | CreateDisposition::OVERWRITE
            | CreateDisposition::OVERWRITE_IF
    );
    if is_directory && replaces {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    // MS-FSA 2.1.5.1: a directory that is made is not temporary.
    if is_directory && create.file_attributes.contains(FileAttributes::TEMPORARY) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if options.contains(CreateOptions::OPEN_BY_FILE_ID) {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    let deletes = AccessMask::DELETE | AccessMask::GENERIC_ALL | AccessMask::MAXIMUM_ALLOWED;
    if options.contains(CreateOptions::DELETE_ON_CLOSE) && (create.desired_access & deletes).0 == 0
    {
        return Err(NtStatus::ACCESS_DENIED);
    }
    for context in &create.create_contexts {
        match context.name.as_slice() {
            contexts::EXTENDED_ATTRIBUTES => return Err(NtStatus::EAS_NOT_SUPPORTED),
            contexts::DURABLE_HANDLE_RECONNECT | contexts::DURABLE_HANDLE_RECONNECT_V2 => {
                return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The contexts that are answered: maximal access and on-disk id.
fn answer_contexts(
    asked: &[CreateContext],
    maximal_access: AccessMask,
    info: &FileInfo,
) -> Vec<CreateContext> {
    asked
        .iter()
        .filter_map(|context| match context.name.as_slice() {
            contexts::QUERY_MAXIMAL_ACCESS => {
                let data = MaximalAccessResponse {
                    query_status: NtStatus::SUCCESS,
                    maximal_access,
                };
                Some(CreateContext::new(&context.name, data.emit()))
            }
            contexts::QUERY_ON_DISK_ID => {
                let data = OnDiskId {
                    disk_file_id: info.file_id,
                    volume_id: info.volume_id,
                    ..OnDiskId::default()
                };
                Some(CreateContext::new(&context.name, data.emit()))
            }
            _ => None,
        })
        .collect()
}
