//! What can be done with a handle.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, FallocateFlags, RenameFlags};
use rustix::io::Errno;

use super::list::{Entry, dots, entries, metadata_in};
use super::metadata::{
    Attributes, FileKind, Kept, Metadata, NewTimes, read_kept, set_times, through, write_kept,
};
use super::name::name_to_disk;
use super::stream::{self, StreamName};
use super::{Access, RESOLVE, Tree, TreeError, TreePath};

/// An open file, directory, symbolic link or named stream of a [`Tree`].
///
/// It means the same file for as long as it lives, also after others renamed or removed it.
#[derive(Debug)]
pub struct OpenFile {
    tree: Arc<Tree>,
    pub(super) fd: OwnedFd,
    opened_as: TreePath,
    kind: FileKind,
    pub(super) access: Access,
    /// The stream that is meant; `None` for the contents themselves. A rename changes it.
    pub(super) stream: Option<Mutex<StreamName>>,
}

impl OpenFile {
    pub(super) fn new(
        tree: Arc<Tree>,
        fd: OwnedFd,
        opened_as: TreePath,
        kind: FileKind,
        access: Access,
    ) -> Self {
        Self {
            tree,
            fd,
            opened_as,
            kind,
            access,
            stream: None,
        }
    }

    /// What it is.
    pub fn kind(&self) -> FileKind {
        match self.stream {
            Some(_) => FileKind::File,
            None => self.kind,
        }
    }

    /// What the file is that a handle on a stream belongs to.
    pub(super) fn kind_of_file(&self) -> FileKind {
        self.kind
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    /// What is known about it now.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn metadata(&self) -> Result<Metadata, TreeError> {
        let metadata = Metadata::of_fd(self.fd.as_fd())?;
        match self.stream() {
            Some(name) => self.metadata_of_stream(&name, metadata),
            None => Ok(metadata),
        }
    }

    /// Up to `length` bytes from `offset`; fewer at the end of the file, none behind it.
    ///
    /// # Errors
    /// [`TreeError::AccessDenied`] for a handle that was not opened to read.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, TreeError> {
        let mut bytes = vec![0; length];
        let count = self.read_into(offset, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// As [`OpenFile::read`], into `bytes`; how many there were. Behind them `bytes` is as it was.
    ///
    /// # Errors
    /// Those of [`OpenFile::read`].
    pub fn read_into(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, TreeError> {
        self.must_be_file()?;
        if !self.access.read {
            return Err(TreeError::AccessDenied);
        }
        if let Some(name) = self.stream() {
            let read = stream::read(self.fd.as_fd(), &name, offset, bytes.len())?;
            for (to, from) in bytes.iter_mut().zip(&read) {
                *to = *from;
            }
            return Ok(read.len());
        }
        let mut count = 0;
        while let Some(rest) = bytes.get_mut(count..).filter(|rest| !rest.is_empty()) {
            let at = offset
                .checked_add(count as u64)
                .ok_or(TreeError::OutOfRange)?;
            match rustix::io::pread(self.fd.as_fd(), rest, at) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(Errno::INTR) => {}
                // An offset that no file can have is behind the end of this one.
                Err(Errno::INVAL) if i64::try_from(at).is_err() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// [`TreeError::AccessDenied`] for a handle that was not opened to write; what the file system
    /// says otherwise, and then part of it may have been written.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), TreeError> {
        self.must_be_file()?;
        self.must_write()?;
        if let Some(name) = self.stream() {
            return stream::write(self.fd.as_fd(), &name, offset, bytes);
        }
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            match rustix::io::pwrite(self.fd.as_fd(), rest, at) {
                Ok(0) => return Err(TreeError::DiskFull),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    at = at.checked_add(count as u64).ok_or(TreeError::OutOfRange)?;
                }
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) => return Err(TreeError::OutOfRange),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// When the file system cannot.
    pub fn flush(&self) -> Result<(), TreeError> {
        if self.stream.is_some() && self.access != Access::default() {
            return stream::flush(self.fd.as_fd());
        }
        if self.kind == FileKind::File && self.access != Access::default() {
            rustix::fs::fsync(self.fd.as_fd())?;
        }
        Ok(())
    }

    /// MS-FSCC 2.4.14 FileEndOfFileInformation: cuts or extends with zeros.
    ///
    /// # Errors
    /// As for a write.
    pub fn set_size(&self, size: u64) -> Result<(), TreeError> {
        self.must_be_file()?;
        self.must_write()?;
        if i64::try_from(size).is_err() {
            return Err(TreeError::OutOfRange);
        }
        if let Some(name) = self.stream() {
            return stream::set_size(self.fd.as_fd(), &name, size);
        }
        Ok(rustix::fs::ftruncate(self.fd.as_fd(), size)?)
    }

    /// MS-FSCC 2.4.4 FileAllocationInformation: reserves space; below the size it cuts the file.
    ///
    /// # Errors
    /// As for a write. A file system that cannot reserve is no error.
    pub fn set_allocation(&self, allocation: u64) -> Result<(), TreeError> {
        self.must_be_file()?;
        self.must_write()?;
        if allocation <= self.metadata()?.size {
            return self.set_size(allocation);
        }
        if self.stream.is_some() {
            return Ok(());
        }
        match rustix::fs::fallocate(self.fd.as_fd(), FallocateFlags::KEEP_SIZE, 0, allocation) {
            Ok(()) | Err(Errno::OPNOTSUPP) => Ok(()),
            Err(Errno::INVAL) => Err(TreeError::OutOfRange),
            Err(error) => Err(error.into()),
        }
    }

    /// Empties the file and gives it `attributes`: the second half of an open with
    /// [`keep_contents`](super::OpenOptions::keep_contents).
    ///
    /// # Errors
    /// As for a write, but the handle need not be opened to write.
    pub fn overwrite(&self, attributes: Attributes) -> Result<(), TreeError> {
        self.must_be_file()?;
        if let Some(name) = self.stream() {
            return stream::set_size(self.fd.as_fd(), &name, 0);
        }
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
        let path = through(self.fd.as_fd());
        let writable = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
        rustix::fs::ftruncate(writable, 0)?;
        // MS-FSA 2.1.5.1.2: what it had besides goes with its contents.
        for stream in self.streams()? {
            stream::remove(self.fd.as_fd(), &stream.name)?;
        }
        match self.set_attributes(attributes) {
            Ok(()) | Err(TreeError::NotSupported) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The entries with their metadata at one instant, sorted, after `.` and `..`.
    ///
    /// # Errors
    /// [`TreeError::NotDirectory`]
    pub fn list(&self) -> Result<Vec<Entry>, TreeError> {
        if !self.is_directory() {
            return Err(TreeError::NotDirectory);
        }
        let mut listed = dots(&self.metadata()?);
        listed.extend(entries(self.fd.as_fd())?);
        Ok(listed)
    }

    /// Those of these entries that are still there, in their order, as they are now.
    ///
    /// # Errors
    /// [`TreeError::NotDirectory`]
    pub fn look(&self, names: &[String]) -> Result<Vec<Entry>, TreeError> {
        if !self.is_directory() {
            return Err(TreeError::NotDirectory);
        }
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let metadata = match name.as_str() {
                "." | ".." => self.metadata(),
                _ => metadata_in(self.fd.as_fd(), &name_to_disk(name)?),
            };
            match metadata {
                Ok(metadata) => found.push(Entry {
                    name: name.clone(),
                    metadata,
                }),
                Err(TreeError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Sets the times that are given.
    ///
    /// # Errors
    /// What the file system says; [`TreeError::NotSupported`] for a symbolic link.
    pub fn set_times(&self, times: NewTimes) -> Result<(), TreeError> {
        self.must_not_be_link()?;
        if let Some(created) = times.created {
            let kept = Kept {
                created: Some(created),
                ..read_kept(&through(self.fd.as_fd()))
            };
            write_kept(self.fd.as_fd(), kept)?;
        }
        set_times(self.fd.as_fd(), times)
    }

    /// Sets the attributes in [`Attributes::SETTABLE`]; the others follow from what it is.
    ///
    /// # Errors
    /// [`TreeError::NotSupported`] where the file system keeps no extended attributes.
    pub fn set_attributes(&self, attributes: Attributes) -> Result<(), TreeError> {
        self.must_not_be_link()?;
        let kept = read_kept(&through(self.fd.as_fd()));
        let stays = kept.attributes & !Attributes::SETTABLE;
        let attributes = attributes.0 & Attributes::SETTABLE | stays;
        write_kept(self.fd.as_fd(), Kept { attributes, ..kept })
    }

    /// Where the file is now, as it lies on disk, also when others renamed it or a directory above.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] when it was removed or has left the share.
    pub fn path(&self) -> Result<TreePath, TreeError> {
        let link = |fd| rustix::fs::readlink(through(fd), Vec::new());
        let (Ok(root), Ok(file)) = (link(self.tree.root()), link(self.fd.as_fd())) else {
            return Ok(self.opened_as.clone());
        };
        let below = match root.as_bytes() {
            b"/" => file.as_bytes().strip_prefix(b"/"),
            root => file.as_bytes().strip_prefix(root),
        };
        let below = below.ok_or(TreeError::NotFound)?;
        if !below.is_empty() && root.as_bytes() != b"/" && !below.starts_with(b"/") {
            return Err(TreeError::NotFound);
        }
        let names = below
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty());
        let path: Vec<_> = names
            .map(|name| OsString::from_vec(name.to_vec()))
            .collect();
        Ok(TreePath::from_components(path))
    }

    /// Renames it to `to`, within the share. A name that exists is replaced only with `replace`,
    /// and only if it is no directory.
    ///
    /// # Errors
    /// [`TreeError::AlreadyExists`], [`TreeError::AccessDenied`] for the root or a directory in
    /// the way, [`TreeError::PathNotFound`].
    pub fn rename(&self, to: &TreePath, replace: bool) -> Result<(), TreeError> {
        if self.stream.is_some() || to.stream().is_some() {
            return self.rename_stream(to, replace);
        }
        let (from_parent, from_name) = self.place()?;
        let (to_parent, found_name) = self.tree.parent_of(to)?;
        let (_, wanted_name) = to.split_last().ok_or(TreeError::AccessDenied)?;
        let own = self.metadata()?;
        let in_the_way = match metadata_in(to_parent.as_fd(), &found_name) {
            Ok(other) => Some(other),
            Err(TreeError::NotFound) => None,
            Err(error) => return Err(error),
        };
        let (name, flags) = match in_the_way {
            // Only the case of its own name changes.
            Some(other) if other.is_same_file(&own) => (wanted_name, RenameFlags::NOREPLACE),
            Some(_) if !replace => return Err(TreeError::AlreadyExists),
            Some(other) if other.is_directory() || other.attributes.has(Attributes::READONLY) => {
                return Err(TreeError::AccessDenied);
            }
            Some(_) => (&found_name, RenameFlags::empty()),
            None => (wanted_name, RenameFlags::NOREPLACE),
        };
        if in_the_way.is_some_and(|other| other.is_same_file(&own)) && name == &from_name {
            return Ok(());
        }
        let renamed = rustix::fs::renameat_with(from_parent, &from_name, to_parent, name, flags);
        match renamed {
            // The destination is below the directory itself.
            Err(Errno::INVAL) => Err(TreeError::AccessDenied),
            other => Ok(other?),
        }
    }

    /// Removes the name of this file or of this empty directory. The handle stays usable.
    ///
    /// # Errors
    /// [`TreeError::NotEmpty`]; [`TreeError::AccessDenied`] for the root and for a file with
    /// FILE_ATTRIBUTE_READONLY.
    pub fn remove(&self) -> Result<(), TreeError> {
        if self.metadata()?.attributes.has(Attributes::READONLY) {
            return Err(TreeError::AccessDenied);
        }
        match self.stream() {
            Some(name) => stream::remove(self.fd.as_fd(), &name),
            None => self.remove_file(),
        }
    }

    /// As [`OpenFile::remove`] for the file itself, also by a handle on a stream of it.
    ///
    /// # Errors
    /// As for [`OpenFile::remove`].
    pub fn remove_file(&self) -> Result<(), TreeError> {
        if self.contents()?.attributes.has(Attributes::READONLY) {
            return Err(TreeError::AccessDenied);
        }
        let (parent, name) = self.place()?;
        let flags = if self.kind == FileKind::Directory {
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        Ok(rustix::fs::unlinkat(parent, name, flags)?)
    }

    /// Whether a remove would find entries in the way.
    ///
    /// # Errors
    /// When it is a directory that cannot be read.
    pub fn is_empty(&self) -> Result<bool, TreeError> {
        Ok(!self.is_directory() || super::list::names(self.fd.as_fd())?.is_empty())
    }

    /// The directory that holds it now, opened beneath the root, and its name in there.
    fn place(&self) -> Result<(OwnedFd, OsString), TreeError> {
        let path = self.path()?;
        let (parent, name) = path.split_last().ok_or(TreeError::AccessDenied)?;
        let flags = rustix::fs::OFlags::PATH
            | rustix::fs::OFlags::DIRECTORY
            | rustix::fs::OFlags::NOFOLLOW
            | rustix::fs::OFlags::CLOEXEC;
        let mode = rustix::fs::Mode::empty();
        let parent =
            rustix::fs::openat2(self.tree.root(), parent.to_relative(), flags, mode, RESOLVE)?;
        // What lies under the name must still be this file, or another one would be hit.
        if !metadata_in(parent.as_fd(), name)?.is_same_file(&self.contents()?) {
            return Err(TreeError::NotFound);
        }
        Ok((parent, name.clone()))
    }

    pub(super) fn must_be_file(&self) -> Result<(), TreeError> {
        match self.kind() {
            FileKind::File => Ok(()),
            FileKind::Directory => Err(TreeError::IsDirectory),
            FileKind::Symlink => Err(TreeError::Symlink),
            FileKind::Special => Err(TreeError::SpecialFile),
        }
    }

    pub(super) fn must_write(&self) -> Result<(), TreeError> {
        if self.access.write {
            Ok(())
        } else {
            Err(TreeError::AccessDenied)
        }
    }

    fn must_not_be_link(&self) -> Result<(), TreeError> {
        if self.kind == FileKind::Symlink {
            Err(TreeError::NotSupported)
        } else {
            Ok(())
        }
    }
}
