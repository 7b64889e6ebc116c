//! The entries of a directory.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Dir, Mode, OFlags};

use super::metadata::{FileKind, Metadata};
use super::{RESOLVE, TreeError, is_hidden, name_from_disk};

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as a peer sees it.
    pub name: String,
    /// What is known about it.
    pub metadata: Metadata,
}

/// Names of a directory as they lie on disk, without `.`, `..` and the hidden directory.
pub(super) fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, TreeError> {
    let mut names = Vec::new();
    // The handle only names the directory; and each listing starts anew.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    for entry in Dir::new(readable)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !is_hidden(name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// All entries at one go, sorted by name, so that a listing that is fetched in pieces neither
/// repeats nor loses one. Entries that vanish meanwhile and special files are left out.
pub(super) fn entries(directory: BorrowedFd<'_>) -> Result<Vec<Entry>, TreeError> {
    let mut entries = Vec::new();
    for name in names(directory)? {
        let metadata = match metadata_in(directory, OsStr::from_bytes(&name)) {
            Ok(metadata) => metadata,
            Err(TreeError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        if metadata.kind != FileKind::Special {
            entries.push(Entry {
                name: name_from_disk(&name),
                metadata,
            });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// `.` and `..` for the start of a listing. Nothing above a directory is told: its `..` looks like
/// the directory itself, so that the share's root reveals nothing of what holds it.
pub(super) fn dots(own: &Metadata) -> Vec<Entry> {
    let dot = |name: &str| Entry {
        name: name.to_owned(),
        metadata: *own,
    };
    vec![dot("."), dot("..")]
}

/// The metadata of `name` in `directory`, whatever it is.
pub(super) fn metadata_in(directory: BorrowedFd<'_>, name: &OsStr) -> Result<Metadata, TreeError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat2(directory, name, flags, Mode::empty(), RESOLVE)?;
    Metadata::of_fd(file.as_fd())
}
