//! The files of a share, reached without ever leaving its root.
//!
//! **Architectural invariants**
//! - Every path is resolved by the kernel in one step from the root's descriptor, with
//!   `RESOLVE_BENEATH`, `RESOLVE_NO_MAGICLINKS` and `RESOLVE_NO_SYMLINKS`: neither `..`, nor an
//!   absolute path, nor a symbolic link (one that is swapped in during the open included) leads
//!   anywhere. What must work on a name (rename, remove) works below a parent that was opened so.
//! - Symbolic links are never followed, not even inside the share. They are listed, and can be
//!   opened as themselves to be removed or renamed. FIFOs, sockets and devices are neither listed
//!   nor opened, so an open never blocks and never has an effect on hardware.
//! - Shadow copies of a share lie in a directory [`COPIES_DIRECTORY`], by default in the share's
//!   root, so that they are on the same file system. A component of that name, in any case and at
//!   any depth, is neither listed nor opened nor created.
//! - Everything here blocks: callers run it on threads that may.

mod descriptor;
mod error;
mod file;
mod list;
mod metadata;
mod name;
mod open;
mod reparse;
mod sparse;
mod stream;
mod streamed;
mod volume;

pub use error::TreeError;
pub use file::OpenFile;
pub use list::Entry;
pub use metadata::{Attributes, FileKind, FileTime, Metadata, NewTimes};
pub use name::{COMPONENT_BYTES_MAX, TreePath, name_from_disk, name_to_disk};
pub use open::{Access, CreateAction, Disposition, OpenOptions, Opened, Wanted};
pub use reparse::REPARSE_BYTES_MAX;
pub use sparse::AllocatedRange;
pub use stream::{Stream, StreamName};
pub use volume::{VolumeInfo, file_store_of};

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// The directory that holds shadow copies and that no share shows.
pub const COPIES_DIRECTORY: &str = ".fsrvp-copies";

/// How every path of a peer is resolved.
pub(crate) const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS);

/// A share's tree: the opened root and what can be reached below it.
#[derive(Debug)]
pub struct Tree {
    root: OwnedFd,
    path: PathBuf,
}

impl Tree {
    /// Opens the directory `root`, a path of the configuration (its own links are followed).
    ///
    /// # Errors
    /// When it does not exist, is not a directory, or may not be opened.
    pub fn open(root: &Path) -> Result<Self, TreeError> {
        let path = std::fs::canonicalize(root)?;
        let root = rustix::fs::open(
            &path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Self { root, path })
    }

    /// Opens the directory `inside` below `container`, without following a link from there on.
    ///
    /// # Errors
    /// As for [`Tree::open`].
    pub fn open_inside(container: &Path, inside: &Path) -> Result<Self, TreeError> {
        let container = Self::open(container)?;
        if inside.as_os_str().is_empty() {
            return Ok(container);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::openat2(container.root(), inside, flags, Mode::empty(), RESOLVE)?;
        let path = container.path.join(inside);
        Ok(Self { root, path })
    }

    /// Where the root was when it was opened, free of links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// MS-FSCC 2.5: what is known about the volume that holds the root.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn volume_info(&self) -> Result<VolumeInfo, TreeError> {
        VolumeInfo::of(self.root.as_fd())
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

/// Whether a component, as it lies on disk, is the directory of shadow copies.
pub(crate) fn is_hidden(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(COPIES_DIRECTORY.as_bytes())
}
