//! Backend snapshots as btrfs subvolume snapshots: one instant, no space, sealed by the kernel.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use linux_raw_sys::btrfs::BTRFS_FIRST_FREE_OBJECTID;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::btrfs_ioctl::{
    create_snapshot, destroy_subvolume, is_read_only, set_read_only, subvolumes_below,
};
use super::{
    BackendError, BackendKind, BackendSnapshot, CreateRequest, ShadowBackend, ids_in, make_place,
};
use crate::tree::COPIES_DIRECTORY;

/// What statfs says of a btrfs file system.
const SUPER_MAGIC: u64 = 0x9123_683E;

/// Snapshots of the subvolume that holds the share. A share below a subvolume's root is the same
/// way down in the backend snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub struct BtrfsBackend;

/// The subvolume that holds a path.
struct Subvolume {
    root: PathBuf,
    inside: PathBuf,
}

impl ShadowBackend for BtrfsBackend {
    fn name(&self) -> &'static str {
        BackendKind::Btrfs.name()
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        subvolume_of(source_root).map(|_| BackendKind::Btrfs)
    }

    /// A snapshot of a subvolume shows an empty directory where another subvolume lies in it.
    fn left_out(&self, source_root: &Path) -> Result<Vec<PathBuf>, BackendError> {
        let directory = open_directory(source_root)?;
        let mut found = subvolumes_below(directory.as_fd())
            .map_err(|error| BackendError::io(source_root, error))?;
        let is_hidden = |part: &std::ffi::OsStr| part.eq_ignore_ascii_case(COPIES_DIRECTORY);
        found.retain(|path| !path.iter().any(is_hidden));
        found.sort();
        Ok(found)
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        let subvolume = subvolume_of(&request.source_root)?;
        make_place(&request.place)?;
        let place = open_directory(&request.place)?;
        let source = open_directory(&subvolume.root)?;
        let snapshot = BackendSnapshot {
            kind: BackendKind::Btrfs,
            shadow_copy_id: request.shadow_copy_id,
            place: request.place.clone(),
            inside: subvolume.inside,
        };
        let name = OsString::from(request.shadow_copy_id.to_string());
        request.watch.step("create.begun");
        // The kernel writes out what is in memory of the subvolume, makes the snapshot, and commits
        // the transaction before it returns: nothing is left to bring to the disk.
        create_snapshot(place.as_fd(), &name, source.as_fd(), request.writable).map_err(
            |error| match error {
                Errno::EXIST => BackendError::Exists(snapshot.container()),
                Errno::XDEV | Errno::NOTTY => BackendError::unsupported(
                    &request.place,
                    "the place for shadow copies is on another file system than the share",
                ),
                other => BackendError::io(snapshot.container(), other),
            },
        )?;
        request.watch.step("create.renamed");
        Ok(snapshot)
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        let subvolume = open_subvolume(snapshot)?;
        let io = |error| BackendError::io(snapshot.container(), error);
        if is_read_only(subvolume.as_fd()).map_err(io)? {
            return Ok(());
        }
        // What was written before is part of what is sealed.
        rustix::fs::syncfs(subvolume.as_fd()).map_err(io)?;
        set_read_only(subvolume.as_fd()).map_err(io)
    }

    fn seals_on_disk(&self, _snapshot: &BackendSnapshot) -> bool {
        true
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        let subvolume = match open_subvolume(snapshot) {
            Ok(subvolume) => subvolume,
            Err(BackendError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        drop(subvolume);
        let place = open_directory(&snapshot.place)?;
        let name = OsString::from(snapshot.shadow_copy_id.to_string());
        match destroy_subvolume(place.as_fd(), &name) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(BackendError::io(snapshot.container(), error)),
        }
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        let of_id = |shadow_copy_id: Uuid| BackendSnapshot {
            kind: BackendKind::Btrfs,
            shadow_copy_id,
            place: place.to_owned(),
            inside: PathBuf::new(),
        };
        let mut found: Vec<_> = ids_in(place)?.into_iter().map(of_id).collect();
        found.retain(|snapshot| open_subvolume(snapshot).is_ok());
        Ok(found)
    }

    fn delete_unfinished(&self, _place: &Path) -> Result<usize, BackendError> {
        // The file system makes a subvolume snapshot in one transaction.
        Ok(0)
    }
}

/// Whether the open directory is the root of a btrfs subvolume.
pub(super) fn is_subvolume(directory: &OwnedFd) -> Result<bool, Errno> {
    let on_btrfs = magic_of(rustix::fs::fstatfs(directory)?.f_type) == SUPER_MAGIC;
    Ok(on_btrfs && rustix::fs::fstat(directory)?.st_ino == u64::from(BTRFS_FIRST_FREE_OBJECTID))
}

fn magic_of(f_type: impl TryInto<u64>) -> u64 {
    f_type.try_into().unwrap_or(0)
}

fn open_directory(path: &Path) -> Result<OwnedFd, BackendError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| BackendError::io(path, error))
}

fn open_subvolume(snapshot: &BackendSnapshot) -> Result<OwnedFd, BackendError> {
    let path = snapshot.container();
    if snapshot.kind != BackendKind::Btrfs {
        return Err(BackendError::NotMine(path));
    }
    let directory = open_directory(&path)?;
    match is_subvolume(&directory) {
        Ok(true) => Ok(directory),
        Ok(false) => Err(BackendError::NotMine(path)),
        Err(error) => Err(BackendError::io(path, error)),
    }
}

/// Walks up from `path` to the root of its subvolume, without leaving the mount that is seen.
fn subvolume_of(path: &Path) -> Result<Subvolume, BackendError> {
    let io = |error| BackendError::io(path, error);
    let path = std::fs::canonicalize(path).map_err(io)?;
    let statfs = rustix::fs::statfs(&path).map_err(|error| BackendError::io(&path, error))?;
    if magic_of(statfs.f_type) != SUPER_MAGIC {
        return Err(BackendError::unsupported(
            path,
            "not on a btrfs file system",
        ));
    }
    let device = std::fs::metadata(&path).map_err(io)?.dev();
    for root in path.ancestors() {
        let metadata = std::fs::metadata(root).map_err(|error| BackendError::io(root, error))?;
        if metadata.dev() != device {
            break;
        }
        if metadata.ino() == u64::from(BTRFS_FIRST_FREE_OBJECTID) {
            let inside = path.strip_prefix(root).unwrap_or(Path::new("")).to_owned();
            return Ok(Subvolume {
                root: root.to_owned(),
                inside,
            });
        }
    }
    Err(BackendError::unsupported(
        path,
        "the root of its subvolume is not mounted above it",
    ))
}
