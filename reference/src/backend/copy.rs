//! Backend snapshots as full copies, on any file system.
//!
//! A copy is made in `<id>.partial` and then renamed, so a half copy never has the name of a whole
//! one; it is deleted after a rename to `<id>.deleted`. Whether it reached the disk is told by
//! `sync`, which the caller runs when writers go on again. Sealing changes nothing on disk: modes
//! belong to what was copied, and the server's gate keeps writers out.
//!
//! `reflink` makes the same trees in the same way but for the contents of files; what one of the
//! two has made the other one can seal and delete.

pub(super) mod tree_copy;
mod xattrs;

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::btrfs::is_subvolume;
use super::remove::remove_tree;
use super::{
    BackendError, BackendKind, BackendSnapshot, CreateRequest, ShadowBackend, ids_in, make_place,
};
use tree_copy::Contents;

const PARTIAL: &str = ".partial";
const DELETED: &str = ".deleted";

const ANOTHER_FILE_SYSTEM: &str =
    "another file system is mounted on it, or holds the place for shadow copies";

/// Copies the whole tree: contents with their holes, modes, owners where permitted, times,
/// extended attributes and so ACLs, symbolic links as such, hard links. FIFOs, sockets and devices
/// are left out, as no share serves them, and so is the directory of shadow copies.
#[derive(Clone, Copy, Debug)]
pub struct CopyBackend {
    durable: bool,
    contents: Contents,
}

impl Default for CopyBackend {
    fn default() -> Self {
        Self {
            durable: true,
            contents: Contents::Copied,
        }
    }
}

impl CopyBackend {
    /// Leaves it to the operating system when a copy reaches the disk: for servers that live as
    /// long as one test run, and whose copies nobody wants back after a power failure.
    pub fn without_sync() -> Self {
        Self {
            durable: false,
            ..Self::default()
        }
    }

    /// The trees of the backend `reflink`.
    pub(super) fn cloning() -> Self {
        Self {
            contents: Contents::Cloned,
            ..Self::default()
        }
    }

    fn kind(&self) -> BackendKind {
        match self.contents {
            Contents::Copied => BackendKind::Copy,
            Contents::Cloned => BackendKind::Reflink,
        }
    }

    fn fill(&self, request: &CreateRequest, partial: &Path) -> Result<(), BackendError> {
        let source = open_directory(&request.source_root)?;
        let place = open_directory(&request.place)?;
        let to = open_directory(partial)?;
        let (contents, watch) = (self.contents, &request.watch);
        watch.step("create.begun");
        tree_copy::copy_tree(source.as_fd(), to.as_fd(), place.as_fd(), contents, watch).map_err(
            |(inside, error)| {
                let path = request.source_root.join(inside);
                match error {
                    Errno::XDEV => BackendError::unsupported(path, ANOTHER_FILE_SYSTEM),
                    Errno::OPNOTSUPP if contents == Contents::Cloned => {
                        BackendError::unsupported(path, "the file system cannot clone files")
                    }
                    Errno::CANCELED => BackendError::GivenUp(path),
                    other => BackendError::io(path, other),
                }
            },
        )?;
        watch.step("create.filled");
        Ok(())
    }
}

impl ShadowBackend for CopyBackend {
    fn name(&self) -> &'static str {
        self.kind().name()
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        open_directory(source_root).map(|_| self.kind())
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        make_place(&request.place)?;
        let snapshot = BackendSnapshot {
            kind: self.kind(),
            shadow_copy_id: request.shadow_copy_id,
            place: request.place.clone(),
            inside: PathBuf::new(),
        };
        let container = snapshot.container();
        if container.symlink_metadata().is_ok() {
            return Err(BackendError::Exists(container));
        }
        let place = open_directory(&request.place)?;
        let (partial, whole) = (name_of(&snapshot, PARTIAL), name_of(&snapshot, ""));
        let partial_path = request.place.join(&partial);
        rustix::fs::mkdirat(place.as_fd(), &partial, Mode::RWXU).map_err(|error| match error {
            Errno::EXIST => BackendError::Exists(partial_path.clone()),
            other => BackendError::io(&partial_path, other),
        })?;
        let done = self.fill(request, &partial_path).and_then(|()| {
            let (from, to) = (place.as_fd(), place.as_fd());
            rustix::fs::renameat_with(from, &partial, to, &whole, RenameFlags::NOREPLACE)
                .map_err(|error| BackendError::io(&container, error))
        });
        if let Err(error) = done {
            // What was wrong first is what the caller has to know.
            let _ = remove_tree(place.as_fd(), &partial);
            return Err(error);
        }
        request.watch.step("create.renamed");
        Ok(snapshot)
    }

    fn sync(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        if !self.durable {
            return Ok(());
        }
        let container = open_container(snapshot)?;
        rustix::fs::syncfs(container).map_err(|error| BackendError::io(snapshot.container(), error))
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        // What was written to it before is part of what is sealed.
        open_container(snapshot)?;
        self.sync(snapshot)
    }

    fn seals_on_disk(&self, _snapshot: &BackendSnapshot) -> bool {
        false
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        let place = match open_directory(&snapshot.place) {
            Ok(place) => place,
            Err(error) if is_not_found(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        match open_container(snapshot) {
            Ok(_) => {}
            // Nothing, or the rest of a delete that failed half way.
            Err(error) if is_not_found(&error) => {}
            Err(error) => return Err(error),
        }
        let (whole, deleted) = (name_of(snapshot, ""), name_of(snapshot, DELETED));
        let (from, to) = (place.as_fd(), place.as_fd());
        let io = |error| BackendError::io(snapshot.container(), error);
        // An earlier delete may have stopped half way and the id may have been used again.
        remove_tree(place.as_fd(), &deleted).map_err(io)?;
        match rustix::fs::renameat_with(from, &whole, to, &deleted, RenameFlags::NOREPLACE) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(io(error)),
        }
        remove_tree(place.as_fd(), &deleted).map_err(io)
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        let of_id = |shadow_copy_id: Uuid| BackendSnapshot {
            kind: self.kind(),
            shadow_copy_id,
            place: place.to_owned(),
            inside: PathBuf::new(),
        };
        let mut found: Vec<_> = ids_in(place)?.into_iter().map(of_id).collect();
        found.retain(|snapshot| open_container(snapshot).is_ok());
        Ok(found)
    }

    fn delete_unfinished(&self, place: &Path) -> Result<usize, BackendError> {
        let directory = match open_directory(place) {
            Ok(directory) => directory,
            Err(error) if is_not_found(&error) => return Ok(0),
            Err(error) => return Err(error),
        };
        let names = super::remove::entries(directory.as_fd())
            .map_err(|error| BackendError::io(place, error))?;
        let mut deleted = 0;
        for (name, _) in names {
            if is_unfinished(&name) {
                remove_tree(directory.as_fd(), &name)
                    .map_err(|error| BackendError::io(place.join(&name), error))?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

fn name_of(snapshot: &BackendSnapshot, suffix: &str) -> OsString {
    format!("{}{suffix}", snapshot.shadow_copy_id).into()
}

fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    let id = name
        .strip_suffix(PARTIAL)
        .or_else(|| name.strip_suffix(DELETED));
    id.is_some_and(|id| Uuid::try_parse(id).is_ok())
}

fn is_not_found(error: &BackendError) -> bool {
    matches!(error, BackendError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// Opens a directory that the configuration or this backend named.
fn open_directory(path: &Path) -> Result<OwnedFd, BackendError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| BackendError::io(path, error))
}

fn open_container(snapshot: &BackendSnapshot) -> Result<OwnedFd, BackendError> {
    let path = snapshot.container();
    if !matches!(snapshot.kind, BackendKind::Copy | BackendKind::Reflink) {
        return Err(BackendError::NotMine(path));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(&path, flags, Mode::empty());
    let directory = opened.map_err(|error| BackendError::io(&path, error))?;
    match is_subvolume(&directory) {
        Ok(false) => Ok(directory),
        Ok(true) => Err(BackendError::NotMine(path)),
        Err(error) => Err(BackendError::io(path, error)),
    }
}
