//! What makes backend snapshots.
//!
//! **Architectural invariants**
//! - A backend snapshot lies in `<place>/<shadow copy id>` and appears there whole or not at all.
//! - What others wrote to the source after `create` returned is not in it. That nothing is written
//!   *during* `create` is for the caller to see to (the freeze of [`crate::share`]); `btrfs` takes
//!   one instant all the same.
//! - It survives a power failure once `sync` returned, which needs no freeze any more.
//! - `delete` removes exactly that directory, follows no symbolic link, and is no error when
//!   nothing is left to delete. (`command` may put a link there to a directory of its own.)
//! - Everything here blocks: callers run it on threads that may.

mod auto;
mod btrfs;
mod btrfs_ioctl;
mod command;
mod copy;
mod faulty;
mod reflink;
mod remove;
mod watch;

pub use auto::AutoBackend;
pub use btrfs::BtrfsBackend;
pub use command::{CommandBackend, Programs};
pub use copy::CopyBackend;
pub use faulty::{Fault, FaultControl, FaultyBackend, Operation};
pub use reflink::ReflinkBackend;
pub use watch::Watch;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::tree::COPIES_DIRECTORY;

/// Which backend made a backend snapshot, and so which one can seal and delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackendKind {
    /// A full copy of the tree, on any file system.
    Copy,
    /// A btrfs subvolume snapshot.
    Btrfs,
    /// A tree whose files are clones, on XFS or btrfs.
    Reflink,
    /// What a program of the user's made.
    Command,
}

impl BackendKind {
    /// The backend's name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Btrfs => "btrfs",
            Self::Reflink => "reflink",
            Self::Command => "command",
        }
    }

    /// Whether it takes one instant of a share by itself. With the others, a program that writes to
    /// the share's files past the server may write into the middle of a backend snapshot.
    #[must_use]
    pub fn is_one_instant(self) -> bool {
        self == Self::Btrfs
    }
}

/// What to make a backend snapshot of, and where.
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// The root of the share.
    pub source_root: PathBuf,
    /// The directory that holds the backend snapshots of this share; made when it is missing.
    pub place: PathBuf,
    /// MS-FSRVP 3.1.1 ShadowCopyId; names the backend snapshot.
    pub shadow_copy_id: Uuid,
    /// Whether it can be written until it is sealed.
    pub writable: bool,
    /// Who looks on, and may give it up.
    pub watch: Watch,
}

/// A backend snapshot that exists, in the form that durable state keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendSnapshot {
    /// Who made it.
    pub kind: BackendKind,
    /// MS-FSRVP 3.1.1 ShadowCopyId.
    pub shadow_copy_id: Uuid,
    /// The directory that holds the backend snapshots of the share.
    pub place: PathBuf,
    /// Where the share's root is inside of it: empty, or the way down from the subvolume's root.
    pub inside: PathBuf,
}

impl BackendSnapshot {
    /// The whole backend snapshot.
    pub fn container(&self) -> PathBuf {
        self.place.join(self.shadow_copy_id.to_string())
    }

    /// What stands for the root of the share: what an exposed share serves.
    pub fn root(&self) -> PathBuf {
        if self.inside.as_os_str().is_empty() {
            return self.container();
        }
        self.container().join(&self.inside)
    }
}

/// Why a backend could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The backend cannot make backend snapshots of that path.
    #[error("{path}: {reason}")]
    Unsupported {
        /// The path that was to be copied.
        path: PathBuf,
        /// What stands against it, as one clause.
        reason: String,
    },
    /// A backend snapshot of that id exists already.
    #[error("{0}: exists already")]
    Exists(PathBuf),
    /// The backend snapshot was made by another backend, or is gone.
    #[error("{0}: no backend snapshot of this backend")]
    NotMine(PathBuf),
    /// Nobody waits for it any more.
    #[error("{0}: given up, it took too long or another copy of the set failed")]
    GivenUp(PathBuf),
    /// A program of the user's failed.
    #[error("{program}: {reason}")]
    Program {
        /// The program.
        program: PathBuf,
        /// What came of it, as one clause.
        reason: String,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// A fault that a test asked for.
    #[error("{0:?}: a fault on purpose")]
    Injected(Operation),
    /// The same, and what has become of it is not known.
    #[error("{0:?}: ended without an outcome, on purpose")]
    Lost(Operation),
}

impl BackendError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: impl Into<std::io::Error>) -> Self {
        Self::Io {
            path: path.into(),
            source: source.into(),
        }
    }

    pub(crate) fn unsupported(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Unsupported {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// What makes, seals and deletes backend snapshots.
pub trait ShadowBackend: Send + Sync + std::fmt::Debug {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// Whether backend snapshots of the share at `source_root` can be made, and of which kind.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] with what stands against it.
    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError>;

    /// What lies below `source_root` and would be missing from a backend snapshot of it, as paths
    /// from there.
    ///
    /// # Errors
    /// When it cannot be found out.
    fn left_out(&self, source_root: &Path) -> Result<Vec<PathBuf>, BackendError> {
        let _ = source_root;
        Ok(Vec::new())
    }

    /// Makes a backend snapshot.
    ///
    /// # Errors
    /// And then nothing of it is left under its name.
    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError>;

    /// Brings it to the disk. After `create` and this it survives a power failure.
    ///
    /// # Errors
    /// When it may not have reached the disk.
    fn sync(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        let _ = snapshot;
        Ok(())
    }

    /// Makes it read-only for good, as far as the file system can say so; see
    /// [`ShadowBackend::seals_on_disk`]. Sealing twice is no error.
    ///
    /// # Errors
    /// When it does not exist or cannot be sealed.
    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError>;

    /// Whether a sealed backend snapshot refuses writes of other programs too, except through
    /// descriptors that they opened before. What comes through the server is held by its own gate
    /// in any case, handles that were opened before included.
    fn seals_on_disk(&self, snapshot: &BackendSnapshot) -> bool;

    /// Deletes it with all it holds.
    ///
    /// # Errors
    /// When some of it could not be deleted.
    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError>;

    /// The backend snapshots of this backend that exist in `place`, in order of their ids, for
    /// the comparison with durable state at start. `inside` is empty: whoever knows the share adds it.
    ///
    /// # Errors
    /// When `place` exists and cannot be read.
    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError>;

    /// Deletes what a `create` that was cut short by a crash left in `place`; says how much.
    /// Only for the start, before any `create`.
    ///
    /// # Errors
    /// When some of it could not be deleted.
    fn delete_unfinished(&self, place: &Path) -> Result<usize, BackendError>;
}

/// Where the backend snapshots of a share lie when the configuration does not say: inside its
/// root, so surely on its file system, under a name that no share shows.
pub fn default_place(share_root: &Path) -> PathBuf {
    share_root.join(COPIES_DIRECTORY)
}

/// Makes the directory for backend snapshots, open to this server only.
pub(crate) fn make_place(place: &Path) -> Result<(), BackendError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place)
        .map_err(|error| BackendError::io(place, error))
}

/// The directories in `place` whose names are ids, sorted.
pub(crate) fn ids_in(place: &Path) -> Result<Vec<Uuid>, BackendError> {
    let entries = match std::fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(BackendError::io(place, error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| BackendError::io(place, error))?;
        let file_type = entry
            .file_type()
            .map_err(|error| BackendError::io(entry.path(), error))?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| Uuid::try_parse(name).ok());
        // Only the form that `container` writes; another spelling is somebody else's.
        if let Some(id) = id.filter(|id| name == *id.to_string() && file_type.is_dir()) {
            ids.push(id);
        }
    }
    ids.sort();
    Ok(ids)
}
