//! The security descriptor of a file as it was set, kept with it.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::metadata::{FileKind, through};
use super::{OpenFile, Tree, TreeError, TreePath};

/// Where it lies: as on the wire, self-relative.
const XATTR: &str = "user.fsrvp.security";

/// The most that an extended attribute can hold on Linux, in bytes.
const BYTES_MAX: usize = 64 * 1024;

impl OpenFile {
    /// The descriptor that was set for the file, if one was.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn descriptor(&self) -> Result<Option<Vec<u8>>, TreeError> {
        match self.kind_of_file() {
            FileKind::File | FileKind::Directory => read(self.fd.as_fd()),
            FileKind::Symlink | FileKind::Special => Ok(None),
        }
    }

    /// Keeps a descriptor for the file.
    ///
    /// # Errors
    /// [`TreeError::DiskFull`] for one that is too long for this file system,
    /// [`TreeError::NotSupported`] where it keeps no extended attributes.
    pub fn set_descriptor(&self, descriptor: &[u8]) -> Result<(), TreeError> {
        match self.kind_of_file() {
            FileKind::File | FileKind::Directory => {}
            FileKind::Symlink | FileKind::Special => return Err(TreeError::NotSupported),
        }
        let path = through(self.fd.as_fd());
        let set = rustix::fs::setxattr(path, XATTR, descriptor, XattrFlags::empty());
        set.map_err(|error| match error {
            Errno::RANGE | Errno::TOOBIG | Errno::NOSPC => TreeError::DiskFull,
            other => other.into(),
        })
    }
}

impl Tree {
    /// As [`OpenFile::descriptor`], without a handle.
    ///
    /// # Errors
    /// As for an open.
    pub fn descriptor(&self, path: &TreePath) -> Result<Option<Vec<u8>>, TreeError> {
        let (fd, _) = self.locate(path)?;
        read(fd.as_fd())
    }
}

fn read(file: BorrowedFd<'_>) -> Result<Option<Vec<u8>>, TreeError> {
    let path = through(file);
    // Most files have none, and are asked with little room.
    for room in [512, BYTES_MAX] {
        let mut bytes = vec![0; room];
        match rustix::fs::getxattr(&path, XATTR, &mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                return Ok(Some(bytes));
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(Errno::RANGE) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::RANGE.into())
}
