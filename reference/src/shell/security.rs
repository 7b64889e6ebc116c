//! MS-FSA 2.1.5.1, MS-DTYP 2.5.3: what the security descriptors of files let a user do.
//!
//! They come on top of what the share allows. FILE_OPEN_FOR_BACKUP_INTENT lets administrators and
//! backup operators past them (SeBackupPrivilege, SeRestorePrivilege).

use super::files::status;
use crate::share::{FileDescriptor, Share, ShareFile, Subject};
use crate::smb::work::OpenWork;
use crate::tree::{Disposition, OpenOptions, TreeError, TreePath};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create::{AccessMask, CreateOptions};
use fsrvp_wire::smb2::query_info::SecurityInformation;

/// The parts that are kept.
const KEPT: SecurityInformation = SecurityInformation::OWNER
    .union(SecurityInformation::GROUP)
    .union(SecurityInformation::DACL);

/// What the kept descriptor of `bytes` says; one that cannot be read lets nobody in.
fn parse(bytes: &[u8]) -> Result<FileDescriptor, NtStatus> {
    FileDescriptor::parse(bytes).map_err(|error| {
        tracing::warn!(%error, "the descriptor that a file has is damaged");
        NtStatus::ACCESS_DENIED
    })
}

fn of_directory(share: &Share, path: &TreePath) -> Result<Option<FileDescriptor>, NtStatus> {
    let Some(directory) = path.directory() else {
        return Ok(None);
    };
    match share.descriptor(&directory) {
        Ok(bytes) => bytes.as_deref().map(parse).transpose(),
        // The open itself says what is wrong with the path.
        Err(_) => Ok(None),
    }
}

/// The descriptor of the directory in which an open may make something, and the open as far as
/// that one lets it: what may not be made can still be opened.
pub(super) fn before_making(
    share: &Share,
    path: &TreePath,
    options: &OpenOptions,
    who: &Subject,
    passes: bool,
) -> Result<(Option<FileDescriptor>, OpenOptions), NtStatus> {
    if !options.disposition.may_create() || path.stream().is_some() {
        return Ok((None, *options));
    }
    let directory = of_directory(share, path)?;
    let needed = match options.wanted {
        crate::tree::Wanted::Directory => AccessMask::FILE_APPEND_DATA,
        _ => AccessMask::FILE_WRITE_DATA,
    };
    let may_make = |directory: &FileDescriptor| directory.allowed(who).contains(needed);
    if passes || directory.as_ref().is_none_or(may_make) {
        return Ok((directory, *options));
    }
    let disposition = match options.disposition {
        Disposition::Supersede | Disposition::OverwriteIf => Disposition::Overwrite,
        Disposition::Create if share.metadata(path).is_err() => {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Disposition::Create => Disposition::Create,
        _ => Disposition::Open,
    };
    let options = OpenOptions {
        disposition,
        ..*options
    };
    Ok((directory, options))
}

/// Whether an open goes past the descriptors of files.
pub(super) fn passes(open: &OpenWork, who: &Subject) -> bool {
    who.is_administrator && open.options.contains(CreateOptions::OPEN_FOR_BACKUP_INTENT)
}

/// MS-DTYP 2.5.3.2: what whoever asks for it by name gets by privilege (SeTakeOwnershipPrivilege).
pub(super) fn by_privilege(who: &Subject) -> AccessMask {
    match who.is_administrator {
        true => AccessMask::WRITE_OWNER,
        false => AccessMask(0),
    }
}

/// What the descriptor of a file that was there lets a user do.
pub(super) fn allowed(
    file: &ShareFile,
    path: &TreePath,
    who: &Subject,
) -> Result<AccessMask, NtStatus> {
    let Some(bytes) = file.descriptor().map_err(status)? else {
        return Ok(AccessMask::FILE_ALL_ACCESS);
    };
    let mut allowed = parse(&bytes)?.allowed(who);
    // MS-FSA 2.1.5.1.2.1: what the directory gives for what is in it.
    let directory = of_directory(file.share(), path)?.map(|directory| directory.allowed(who));
    let directory = directory.unwrap_or(AccessMask::FILE_ALL_ACCESS);
    for (there, here) in [
        (AccessMask::FILE_DELETE_CHILD, AccessMask::DELETE),
        (AccessMask::FILE_READ_DATA, AccessMask::FILE_READ_ATTRIBUTES),
    ] {
        if directory.contains(there) {
            allowed |= here;
        }
    }
    Ok(allowed)
}

/// Gives a file that was just made its own descriptor, where it has one. A file that cannot have
/// it is not left behind.
pub(super) fn describe(
    file: &ShareFile,
    open: &OpenWork,
    directory: Option<&FileDescriptor>,
    who: &Subject,
) -> Result<(), NtStatus> {
    let given = open.descriptor.as_deref();
    let given = given.map(|bytes| FileDescriptor::parse(bytes).map_err(|_| refused()));
    let described = given.transpose().and_then(|given| {
        match FileDescriptor::of_new(given, directory, file.is_directory(), who) {
            Some(own) => file.set_descriptor(&own.emit(KEPT)).map_err(status),
            None => Ok(()),
        }
    });
    if described.is_err()
        && let Err(error) = file.remove()
    {
        tracing::warn!(%error, "a file that was refused is left");
    }
    described
}

fn refused() -> NtStatus {
    NtStatus::INVALID_SECURITY_DESCR
}

/// MS-SMB2 3.3.5.20.3: the parts of a file's descriptor that are `wanted`.
pub(super) fn query(
    file: &ShareFile,
    wanted: SecurityInformation,
    allowed: AccessMask,
) -> Result<Vec<u8>, NtStatus> {
    Ok(current(file, allowed)?.emit(wanted))
}

/// MS-SMB2 3.3.5.21.3: changes parts of a file's descriptor.
pub(super) fn set(
    file: &ShareFile,
    which: SecurityInformation,
    bytes: &[u8],
    allowed: AccessMask,
) -> Result<(), NtStatus> {
    let new = FileDescriptor::parse(bytes).map_err(|_| refused())?;
    let changed = current(file, allowed)?.with(new, which);
    file.set_descriptor(&changed.emit(KEPT)).map_err(status)
}

fn current(file: &ShareFile, allowed: AccessMask) -> Result<FileDescriptor, NtStatus> {
    match file.descriptor() {
        Ok(Some(bytes)) => parse(&bytes),
        // A symbolic link, for example, has none.
        Ok(None) | Err(TreeError::NotSupported) => Ok(FileDescriptor::plain(allowed)),
        Err(error) => Err(status(error)),
    }
}
