//! Backend snapshots as trees of clones: each file shares its blocks with the original until one of
//! the two is written. On file systems that can (XFS, btrfs), and on no other.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::copy::CopyBackend;
use super::copy::tree_copy::clone_contents;
use super::{BackendError, BackendKind, BackendSnapshot, CreateRequest, ShadowBackend};

/// Trees as `copy` makes them, of clones.
#[derive(Debug)]
pub struct ReflinkBackend {
    trees: CopyBackend,
    /// The file systems, by device and identity, that were found to be able.
    able: Mutex<BTreeSet<(u64, u64)>>,
}

impl Default for ReflinkBackend {
    fn default() -> Self {
        Self {
            trees: CopyBackend::cloning(),
            able: Mutex::default(),
        }
    }
}

impl ReflinkBackend {
    /// Clones one file without a name into another one, unless this file system was seen to do so.
    fn probe(&self, directory: &Path) -> Result<(), BackendError> {
        let io = |error: Errno| BackendError::io(directory, error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory, flags, Mode::empty()).map_err(io)?;
        let device = rustix::fs::fstat(&opened).map_err(io)?.st_dev;
        let identity = rustix::fs::fstatvfs(&opened).map_err(io)?.f_fsid;
        let able = || self.able.lock().unwrap_or_else(PoisonError::into_inner);
        if able().contains(&(device, identity)) {
            return Ok(());
        }
        let unnamed = || {
            let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
            rustix::fs::openat(&opened, ".", flags, Mode::RUSR | Mode::WUSR)
        };
        let cloned = unnamed().and_then(|from| {
            let to = unnamed()?;
            // Without contents, so that a full disk can still be asked.
            clone_contents(from.as_fd(), to.as_fd(), 0)
        });
        match cloned {
            Ok(()) => {
                able().insert((device, identity));
                Ok(())
            }
            Err(Errno::OPNOTSUPP | Errno::NOTTY | Errno::INVAL | Errno::ISDIR | Errno::XDEV) => {
                Err(BackendError::unsupported(
                    directory,
                    "the file system cannot clone files",
                ))
            }
            Err(error) => Err(io(error)),
        }
    }
}

impl ShadowBackend for ReflinkBackend {
    fn name(&self) -> &'static str {
        self.trees.name()
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        self.probe(source_root)?;
        self.trees.supports(source_root)
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        self.trees.create(request)
    }

    fn sync(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.trees.sync(snapshot)
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.trees.seal(snapshot)
    }

    fn seals_on_disk(&self, snapshot: &BackendSnapshot) -> bool {
        self.trees.seals_on_disk(snapshot)
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.trees.delete(snapshot)
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        self.trees.list(place)
    }

    fn delete_unfinished(&self, place: &Path) -> Result<usize, BackendError> {
        self.trees.delete_unfinished(place)
    }
}
