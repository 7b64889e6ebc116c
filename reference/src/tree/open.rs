//! MS-SMB2 2.2.13 and MS-FSA 2.1.5.1: opening and creating below the root.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::list::names;
use super::metadata::{Attributes, FileKind, Metadata, through};
use super::name::fold;
use super::stream::{StreamName, Suffix};
use super::{OpenFile, RESOLVE, Tree, TreeError, TreePath, name_from_disk};

/// How often an open may lose against others that create and remove the same name.
const ROUNDS_MAX: usize = 8;

/// What the handle may do with the contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Read the file's contents.
    pub read: bool,
    /// Write the file's contents, or its length.
    pub write: bool,
}

/// MS-SMB2 2.2.13 CreateDisposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// FILE_SUPERSEDE: replace or create. Replacing keeps the file and empties it.
    Supersede,
    /// FILE_OPEN: it must exist.
    Open,
    /// FILE_CREATE: it must not exist.
    Create,
    /// FILE_OPEN_IF: open or create.
    OpenIf,
    /// FILE_OVERWRITE: it must exist, and is emptied.
    Overwrite,
    /// FILE_OVERWRITE_IF: empty or create.
    OverwriteIf,
}

impl Disposition {
    /// Whether a name that does not exist is created.
    pub fn may_create(self) -> bool {
        !matches!(self, Self::Open | Self::Overwrite)
    }

    /// Whether a file that exists is emptied.
    pub fn empties(self) -> bool {
        matches!(self, Self::Supersede | Self::Overwrite | Self::OverwriteIf)
    }
}

/// MS-SMB2 2.2.13 CreateOptions: FILE_DIRECTORY_FILE and FILE_NON_DIRECTORY_FILE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Neither option: what exists is opened; what does not is created as a file.
    #[default]
    Any,
    /// A directory.
    Directory,
    /// Not a directory.
    File,
}

/// How to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// What the handle may do with the contents.
    pub access: Access,
    /// What to do when it exists or does not.
    pub disposition: Disposition,
    /// What it has to be.
    pub wanted: Wanted,
    /// FILE_OPEN_REPARSE_POINT: a symbolic link is opened as itself, else refused.
    pub open_link: bool,
    /// The attributes of a file that is created or emptied.
    pub attributes: Attributes,
    /// Do not empty the file yet even if the disposition says so: the caller checks share modes
    /// first and then calls [`OpenFile::overwrite`]. The action tells what would have been done.
    pub keep_contents: bool,
}

impl OpenOptions {
    /// To read something that exists.
    pub fn read() -> Self {
        Self {
            access: Access {
                read: true,
                write: false,
            },
            disposition: Disposition::Open,
            wanted: Wanted::Any,
            open_link: false,
            attributes: Attributes(0),
            keep_contents: false,
        }
    }

    /// To read and write, with a disposition.
    pub fn write(disposition: Disposition) -> Self {
        let access = Access {
            read: true,
            write: true,
        };
        Self {
            access,
            disposition,
            ..Self::read()
        }
    }

    /// A directory, with a disposition.
    pub fn directory(disposition: Disposition) -> Self {
        Self {
            disposition,
            wanted: Wanted::Directory,
            ..Self::read()
        }
    }

    /// Whether the open itself changes something on a share, or asks for a handle that can.
    pub fn changes(&self) -> bool {
        self.access.write || self.disposition != Disposition::Open
    }
}

/// MS-SMB2 2.2.14 CreateAction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateAction {
    /// FILE_SUPERSEDED
    Superseded,
    /// FILE_OPENED
    Opened,
    /// FILE_CREATED
    Created,
    /// FILE_OVERWRITTEN
    Overwritten,
}

/// A handle and how it came to be.
#[derive(Debug)]
pub struct Opened {
    /// The handle.
    pub file: OpenFile,
    /// What was done.
    pub action: CreateAction,
}

impl Tree {
    /// Opens or creates `path`. An exact name goes before one that differs in case only.
    ///
    /// # Errors
    /// See [`TreeError`]; a refused open leaves nothing behind.
    pub fn open_file(
        self: &Arc<Self>,
        path: &TreePath,
        options: &OpenOptions,
    ) -> Result<Opened, TreeError> {
        let wanted = match &path.suffix {
            None => options.wanted,
            Some(Suffix::Named(stream)) => return self.open_stream(path, stream, options),
            Some(Suffix::Contents) if options.wanted == Wanted::Directory => {
                return Err(TreeError::NotDirectory);
            }
            Some(Suffix::Contents) => Wanted::File,
            Some(Suffix::Index) => Wanted::Directory,
        };
        let options = &OpenOptions { wanted, ..*options };
        for _ in 0..ROUNDS_MAX {
            match self.locate(path) {
                Ok((fd, actual)) if options.disposition != Disposition::Create => {
                    return self.open_existing(fd, actual, options);
                }
                Ok(_) => return Err(TreeError::AlreadyExists),
                Err(TreeError::NotFound) if options.disposition.may_create() => {}
                Err(error) => return Err(error),
            }
            match self.create(path, options) {
                // Somebody else was faster; so it exists now.
                Err(TreeError::AlreadyExists) if options.disposition != Disposition::Create => {}
                other => return other,
            }
        }
        Err(TreeError::AccessDenied)
    }

    /// MS-FSA 2.1.5.1.1, 2.1.5.1.2: opens or makes a named stream; its file is made as well.
    fn open_stream(
        self: &Arc<Self>,
        path: &TreePath,
        name: &StreamName,
        options: &OpenOptions,
    ) -> Result<Opened, TreeError> {
        if options.wanted == Wanted::Directory {
            return Err(TreeError::NotDirectory);
        }
        let base = OpenOptions {
            access: Access::default(),
            disposition: match options.disposition.may_create() {
                true => Disposition::OpenIf,
                false => Disposition::Open,
            },
            wanted: Wanted::Any,
            ..*options
        };
        let opened = self.open_file(&path.without_suffix(), &base)?;
        let is_new = opened.action == CreateAction::Created;
        let stream = opened.file.into_stream(name, options);
        if let (Err(_), true) = (&stream, is_new) {
            // A refused open leaves nothing behind, as far as that goes.
            let file = self.open_file(&path.without_suffix(), &OpenOptions::read())?;
            file.file.remove()?;
        }
        stream
    }

    /// What is known about `path`, without a handle.
    ///
    /// # Errors
    /// As for an open.
    pub fn metadata(&self, path: &TreePath) -> Result<Metadata, TreeError> {
        let (fd, _) = self.locate(path)?;
        Metadata::of_fd(fd.as_fd())
    }

    /// Finds what `path` means and pins it, without side effects: the descriptor only names the
    /// file. Also tells the names as they are on disk.
    pub(super) fn locate(&self, path: &TreePath) -> Result<(OwnedFd, TreePath), TreeError> {
        if path.is_hidden() {
            return Err(TreeError::NotFound);
        }
        match self.pin(path) {
            Ok(fd) => Ok((fd, path.clone())),
            Err(Errno::NOENT) => {
                let (actual, missing) = self.names_on_disk(path)?;
                match missing.len() {
                    0 => Ok((self.pin(&actual)?, actual)),
                    1 => Err(TreeError::NotFound),
                    _ => Err(TreeError::PathNotFound),
                }
            }
            Err(Errno::NOTDIR) => Err(TreeError::PathNotFound),
            Err(error) => Err(error.into()),
        }
    }

    fn pin(&self, path: &TreePath) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat2(
            self.root(),
            path.to_relative(),
            flags,
            Mode::empty(),
            RESOLVE,
        )
    }

    /// The directory that holds `path`, opened, and the name in it: the one on disk when there is
    /// one that differs in case only.
    pub(super) fn parent_of(&self, path: &TreePath) -> Result<(OwnedFd, OsString), TreeError> {
        let (fd, name) = self.directory_of(path)?;
        let found = name_in(fd.as_fd(), &name)?;
        Ok((fd, found.unwrap_or(name)))
    }

    /// The same with the name as it was given, for one that [`Tree::locate`] has not found.
    fn directory_of(&self, path: &TreePath) -> Result<(OwnedFd, OsString), TreeError> {
        if path.is_hidden() {
            return Err(TreeError::AccessDenied);
        }
        let (parent, name) = path.split_last().ok_or(TreeError::AccessDenied)?;
        let (fd, _) = self.locate(&parent).map_err(|error| match error {
            TreeError::NotFound => TreeError::PathNotFound,
            other => other,
        })?;
        match Metadata::of_fd(fd.as_fd())?.kind {
            FileKind::Directory => {}
            FileKind::Symlink => return Err(TreeError::Symlink),
            FileKind::File | FileKind::Special => return Err(TreeError::PathNotFound),
        }
        Ok((fd, name.clone()))
    }

    /// As much of `path` as exists, in the names on disk, and what does not.
    fn names_on_disk(&self, path: &TreePath) -> Result<(TreePath, Vec<OsString>), TreeError> {
        let mut actual = Vec::new();
        let mut wanted = path.components().iter();
        let mut directory = self.pin(&TreePath::root())?;
        for name in wanted.by_ref() {
            let Some(found) = name_in(directory.as_fd(), name)? else {
                let missing = std::iter::once(name.clone()).chain(wanted.cloned());
                return Ok((TreePath::from_components(actual), missing.collect()));
            };
            actual.push(found);
            directory = self.pin(&TreePath::from_components(actual.clone()))?;
        }
        Ok((TreePath::from_components(actual), Vec::new()))
    }

    fn open_existing(
        self: &Arc<Self>,
        pinned: OwnedFd,
        path: TreePath,
        options: &OpenOptions,
    ) -> Result<Opened, TreeError> {
        let metadata = Metadata::of_fd(pinned.as_fd())?;
        match (metadata.kind, options.wanted) {
            (FileKind::Special, _) => return Err(TreeError::SpecialFile),
            (FileKind::Symlink, _) if !options.open_link => return Err(TreeError::Symlink),
            (FileKind::Directory, Wanted::File) => return Err(TreeError::IsDirectory),
            (FileKind::File | FileKind::Symlink, Wanted::Directory) => {
                return Err(TreeError::NotDirectory);
            }
            _ => {}
        }
        let empties = options.disposition.empties();
        let changes = options.access.write || empties;
        if changes
            && metadata.kind == FileKind::File
            && metadata.attributes.has(Attributes::READONLY)
        {
            return Err(TreeError::AccessDenied);
        }
        if empties && metadata.kind != FileKind::File {
            return Err(TreeError::AccessDenied);
        }
        let access = if metadata.kind == FileKind::File {
            options.access
        } else {
            Access::default()
        };
        let fd = reopen(pinned, access)?;
        let file = OpenFile::new(Arc::clone(self), fd, path, metadata.kind, access);
        let action = match options.disposition {
            Disposition::Supersede => CreateAction::Superseded,
            Disposition::Overwrite | Disposition::OverwriteIf => CreateAction::Overwritten,
            Disposition::Open | Disposition::OpenIf | Disposition::Create => CreateAction::Opened,
        };
        if empties && !options.keep_contents {
            file.overwrite(options.attributes)?;
        }
        Ok(Opened { file, action })
    }

    fn create(
        self: &Arc<Self>,
        path: &TreePath,
        options: &OpenOptions,
    ) -> Result<Opened, TreeError> {
        let (parent, name) = self.directory_of(path)?;
        let is_directory = options.wanted == Wanted::Directory;
        let (kind, access) = if is_directory {
            rustix::fs::mkdirat(parent.as_fd(), &name, Mode::from_raw_mode(0o777))?;
            (FileKind::Directory, Access::default())
        } else {
            (FileKind::File, options.access)
        };
        let flags = if is_directory {
            OFlags::PATH | OFlags::DIRECTORY
        } else {
            access_flags(access) | OFlags::CREATE | OFlags::EXCL
        };
        let mode = if is_directory {
            Mode::empty()
        } else {
            Mode::from_raw_mode(0o666)
        };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat2(parent.as_fd(), &name, flags, mode, RESOLVE)?;
        let (parents, _) = path.split_last().ok_or(TreeError::AccessDenied)?;
        let mut components = parents.components().to_vec();
        components.push(name);
        let path = TreePath::from_components(components);
        let file = OpenFile::new(Arc::clone(self), fd, path, kind, access);
        if options.attributes.has(Attributes::SETTABLE) {
            match file.set_attributes(options.attributes) {
                // The contents matter more than a bit that this file system cannot keep.
                Ok(()) | Err(TreeError::NotSupported) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Opened {
            file,
            action: CreateAction::Created,
        })
    }
}

fn access_flags(access: Access) -> OFlags {
    match (access.read, access.write) {
        (_, false) => OFlags::RDONLY,
        (false, true) => OFlags::WRONLY,
        (true, true) => OFlags::RDWR,
    }
}

/// Opens exactly the pinned file for its contents; its kind is known, so this cannot block.
fn reopen(pinned: OwnedFd, access: Access) -> Result<OwnedFd, TreeError> {
    if access == Access::default() {
        return Ok(pinned);
    }
    let flags = access_flags(access) | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(rustix::fs::open(
        through(pinned.as_fd()),
        flags,
        Mode::empty(),
    )?)
}

/// The name on disk in `directory` that `wanted` means: itself, or one that differs only in case.
fn name_in(directory: BorrowedFd<'_>, wanted: &OsStr) -> Result<Option<OsString>, TreeError> {
    use std::os::unix::ffi::OsStringExt;
    match super::list::metadata_in(directory, wanted) {
        Ok(_) => return Ok(Some(wanted.to_owned())),
        Err(TreeError::NotFound) => {}
        Err(TreeError::NotDirectory) => return Err(TreeError::PathNotFound),
        Err(error) => return Err(error),
    }
    let wanted = wanted.as_encoded_bytes();
    let folded = fold(&name_from_disk(wanted));
    let mut same: Vec<Vec<u8>> = names(directory)?;
    // Of two names in ASCII the bytes tell it, and most names are.
    same.retain(|name| match wanted.is_ascii() && name.is_ascii() {
        true => name.eq_ignore_ascii_case(wanted),
        false => fold(&name_from_disk(name)) == folded,
    });
    // The least of several, so that the answer does not depend on the order on disk.
    Ok(same.into_iter().min().map(OsString::from_vec))
}
