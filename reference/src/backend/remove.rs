//! Removing a whole tree without following a symbolic link, whatever its modes are.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How directories below an opened one are reached: not through links, not above it.
pub(super) const BELOW: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS);

/// Removes the directory `name` in `parent` with all it holds; no error when there is none.
pub(super) fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    let top = match open_below(parent, Path::new(name)) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut waiting = vec![PathBuf::new()];
    let mut visited = Vec::new();
    while let Some(directory) = waiting.pop() {
        or_gone(remove_files(top.as_fd(), &directory, &mut waiting))?;
        visited.push(directory);
    }
    // Each directory was visited before what it holds.
    for directory in visited.iter().rev() {
        let (Some(above), Some(last)) = (directory.parent(), directory.file_name()) else {
            continue;
        };
        let removed = open_below(top.as_fd(), above)
            .and_then(|above| rustix::fs::unlinkat(above, last, AtFlags::REMOVEDIR));
        or_gone(removed)?;
    }
    or_gone(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR))
}

/// Somebody else may be removing the same tree.
fn or_gone(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Removes what is no directory, and notes what is one.
fn remove_files(
    top: BorrowedFd<'_>,
    directory: &Path,
    waiting: &mut Vec<PathBuf>,
) -> Result<(), Errno> {
    let opened = open_below(top, directory)?;
    allow_changes(opened.as_fd())?;
    for (name, file_type) in entries(opened.as_fd())? {
        if file_type == FileType::Directory {
            waiting.push(directory.join(name));
        } else {
            or_gone(rustix::fs::unlinkat(
                opened.as_fd(),
                &name,
                AtFlags::empty(),
            ))?;
        }
    }
    Ok(())
}

/// A directory that its owner may not change is still to be removed.
fn allow_changes(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(directory)?.st_mode);
    if mode.contains(Mode::RWXU) {
        return Ok(());
    }
    rustix::fs::chmod(
        format!("/proc/self/fd/{}", directory.as_raw_fd()),
        Mode::RWXU,
    )
}

/// Pins a directory below `top`; works whatever its own mode is.
pub(super) fn open_below(top: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat2(top, path, flags, Mode::empty(), BELOW)
}

/// The entries of a directory and what they are, without `.` and `..`.
pub(super) fn entries(
    directory: BorrowedFd<'_>,
) -> Result<Vec<(std::ffi::OsString, FileType)>, Errno> {
    use std::os::unix::ffi::OsStringExt;
    let mut found = Vec::new();
    // A descriptor that only names the directory, or has been read before, cannot be read from.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    for entry in Dir::new(readable)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let file_type = match entry.file_type() {
            // Some file systems do not tell in the listing.
            FileType::Unknown => {
                let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        found.push((std::ffi::OsString::from_vec(name.to_vec()), file_type));
    }
    Ok(found)
}
