//! MS-FSCC 2.1.2, MS-FSA 2.1.1.3: reparse points, kept with their file and followed by nobody here.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::metadata::{FileKind, Kept, read_kept, through, write_kept};
use super::{OpenFile, TreeError};

/// Where the data lie; the tag lies with the attributes, so that listings have it.
const XATTR: &str = "user.fsrvp.reparse";

/// MS-FSCC 2.1.2.1: the most data that a reparse point may have, in bytes, with its header.
pub const REPARSE_BYTES_MAX: usize = 16 * 1024;

impl OpenFile {
    /// The reparse point of the file: tag, length and data, as MS-FSCC 2.1.2.2 has them.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn reparse_point(&self) -> Result<Option<Vec<u8>>, TreeError> {
        match self.kind_of_file() {
            FileKind::File | FileKind::Directory => read(self.fd.as_fd()),
            FileKind::Symlink | FileKind::Special => Ok(None),
        }
    }

    /// Makes the file a reparse point, or changes what it is.
    ///
    /// # Errors
    /// [`TreeError::NotEmpty`] for a directory that holds something, [`TreeError::NotSupported`]
    /// for a symbolic link, [`TreeError::DiskFull`] where the data are too long for the file system.
    pub fn set_reparse_point(&self, tag: u32, data: &[u8]) -> Result<(), TreeError> {
        match self.kind_of_file() {
            FileKind::File => {}
            FileKind::Directory if self.stream.is_none() && !self.is_empty()? => {
                return Err(TreeError::NotEmpty);
            }
            FileKind::Directory => {}
            FileKind::Symlink | FileKind::Special => return Err(TreeError::NotSupported),
        }
        let path = through(self.fd.as_fd());
        let set = rustix::fs::setxattr(&path, XATTR, data, XattrFlags::empty());
        set.map_err(|error| match error {
            Errno::RANGE | Errno::TOOBIG | Errno::NOSPC => TreeError::DiskFull,
            other => other.into(),
        })?;
        self.keep_tag(Some(tag))
    }

    /// Makes it an ordinary file again.
    ///
    /// # Errors
    /// When the file system does not let it.
    pub fn remove_reparse_point(&self) -> Result<(), TreeError> {
        self.keep_tag(None)?;
        match rustix::fs::removexattr(through(self.fd.as_fd()), XATTR) {
            Ok(()) | Err(Errno::NODATA) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn keep_tag(&self, tag: Option<u32>) -> Result<(), TreeError> {
        let kept = Kept {
            tag,
            ..read_kept(&through(self.fd.as_fd()))
        };
        write_kept(self.fd.as_fd(), kept)
    }
}

fn read(file: BorrowedFd<'_>) -> Result<Option<Vec<u8>>, TreeError> {
    let path = through(file);
    if read_kept(&path).tag.is_none() {
        return Ok(None);
    }
    let mut bytes = vec![0; REPARSE_BYTES_MAX];
    match rustix::fs::getxattr(path, XATTR, &mut bytes) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(Some(bytes))
        }
        Err(Errno::NODATA) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
