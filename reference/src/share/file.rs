//! Files of a share, with the share's gate in front of everything that changes something.

use std::sync::Arc;

use super::gate::WritePermit;
use super::{Rights, Share};
use crate::tree::{
    Attributes, CreateAction, Disposition, Entry, FileKind, Metadata, NewTimes, OpenFile,
    OpenOptions, Stream, StreamName, TreeError, TreePath,
};

/// A handle on a share. Whatever changes something goes through the share's gate, so it does not
/// matter how long ago the handle was opened.
#[derive(Debug)]
pub struct ShareFile {
    share: Arc<Share>,
    file: OpenFile,
    rights: Rights,
}

impl Share {
    /// Opens or creates `path` for a user with `rights`.
    ///
    /// # Errors
    /// [`TreeError::ReadOnly`] when the share cannot be written and the open asks for it,
    /// [`TreeError::AccessDenied`] when the rights do not suffice, else as
    /// [`Tree::open_file`](crate::tree::Tree::open_file).
    pub fn open(
        self: &Arc<Self>,
        rights: Rights,
        path: &TreePath,
        options: &OpenOptions,
    ) -> Result<(ShareFile, CreateAction), TreeError> {
        self.gate.must_exist()?;
        if rights == Rights::None {
            return Err(TreeError::AccessDenied);
        }
        if options.access.write {
            rights.must_change()?;
            self.gate.must_be_writable()?;
        }
        let opened = match options.disposition {
            Disposition::Open => self.tree.open_file(path, options)?,
            Disposition::OpenIf => match self.permit(rights) {
                Ok(_permit) => self.tree.open_file(path, options)?,
                // It may exist, and then nothing has to be changed.
                Err(refused @ (TreeError::ReadOnly | TreeError::AccessDenied)) => {
                    let existing = OpenOptions {
                        disposition: Disposition::Open,
                        ..*options
                    };
                    self.tree
                        .open_file(path, &existing)
                        .map_err(|error| match error {
                            TreeError::NotFound => refused,
                            other => other,
                        })?
                }
                Err(error) => return Err(error),
            },
            _ => {
                let _permit = self.permit(rights)?;
                self.tree.open_file(path, options)?
            }
        };
        let file = ShareFile {
            share: Arc::clone(self),
            file: opened.file,
            rights,
        };
        Ok((file, opened.action))
    }

    /// What is known about `path`, without a handle: for the check of share modes before an open.
    ///
    /// # Errors
    /// As for an open.
    pub fn metadata(&self, path: &TreePath) -> Result<Metadata, TreeError> {
        self.gate.must_exist()?;
        self.tree.metadata(path)
    }

    /// See [`Tree::descriptor`](crate::tree::Tree::descriptor).
    ///
    /// # Errors
    /// As for an open.
    pub fn descriptor(&self, path: &TreePath) -> Result<Option<Vec<u8>>, TreeError> {
        self.gate.must_exist()?;
        self.tree.descriptor(path)
    }

    fn permit(&self, rights: Rights) -> Result<WritePermit<'_>, TreeError> {
        rights.must_change()?;
        self.gate.enter()
    }
}

impl ShareFile {
    /// The share that the handle is on.
    pub fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// What it is.
    pub fn kind(&self) -> FileKind {
        self.file.kind()
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.file.is_directory()
    }

    pub(super) fn reading(&self) -> Result<&OpenFile, TreeError> {
        self.share.gate.must_exist()?;
        Ok(&self.file)
    }

    pub(super) fn changing<T>(
        &self,
        change: impl FnOnce(&OpenFile) -> Result<T, TreeError>,
    ) -> Result<T, TreeError> {
        let _permit = self.share.permit(self.rights)?;
        change(&self.file)
    }

    /// See [`OpenFile::metadata`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn metadata(&self) -> Result<Metadata, TreeError> {
        self.reading()?.metadata()
    }

    /// See [`OpenFile::contents`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn contents(&self) -> Result<Metadata, TreeError> {
        self.reading()?.contents()
    }

    /// See [`OpenFile::stream`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`]
    pub fn stream(&self) -> Result<Option<StreamName>, TreeError> {
        Ok(self.reading()?.stream())
    }

    /// See [`OpenFile::streams`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn streams(&self) -> Result<Vec<Stream>, TreeError> {
        self.reading()?.streams()
    }

    /// See [`OpenFile::descriptor`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn descriptor(&self) -> Result<Option<Vec<u8>>, TreeError> {
        self.reading()?.descriptor()
    }

    /// See [`OpenFile::set_descriptor`].
    ///
    /// # Errors
    /// As for a write.
    pub fn set_descriptor(&self, descriptor: &[u8]) -> Result<(), TreeError> {
        self.changing(|file| file.set_descriptor(descriptor))
    }

    /// See [`OpenFile::reparse_point`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn reparse_point(&self) -> Result<Option<Vec<u8>>, TreeError> {
        self.reading()?.reparse_point()
    }

    /// See [`OpenFile::set_reparse_point`].
    ///
    /// # Errors
    /// As for a write.
    pub fn set_reparse_point(&self, tag: u32, data: &[u8]) -> Result<(), TreeError> {
        self.changing(|file| file.set_reparse_point(tag, data))
    }

    /// See [`OpenFile::remove_reparse_point`].
    ///
    /// # Errors
    /// As for a write.
    pub fn remove_reparse_point(&self) -> Result<(), TreeError> {
        self.changing(OpenFile::remove_reparse_point)
    }

    /// See [`OpenFile::path`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn path(&self) -> Result<TreePath, TreeError> {
        self.reading()?.path()
    }

    /// See [`OpenFile::read`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, TreeError> {
        self.reading()?.read(offset, length)
    }

    /// See [`OpenFile::read_into`].
    ///
    /// # Errors
    /// As for a read.
    pub fn read_into(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, TreeError> {
        self.reading()?.read_into(offset, bytes)
    }

    /// See [`OpenFile::list`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn list(&self) -> Result<Vec<Entry>, TreeError> {
        self.reading()?.list()
    }

    /// See [`OpenFile::look`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn look(&self, names: &[String]) -> Result<Vec<Entry>, TreeError> {
        self.reading()?.look(names)
    }

    /// See [`OpenFile::is_empty`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn is_empty(&self) -> Result<bool, TreeError> {
        self.reading()?.is_empty()
    }

    /// See [`OpenFile::flush`].
    ///
    /// # Errors
    /// [`TreeError::ShareGone`] and those of the tree.
    pub fn flush(&self) -> Result<(), TreeError> {
        self.reading()?.flush()
    }

    /// Whether a change would be let through at this moment, by rights and share.
    ///
    /// # Errors
    /// [`TreeError::AccessDenied`], [`TreeError::ReadOnly`], [`TreeError::ShareGone`].
    pub fn may_change(&self) -> Result<(), TreeError> {
        self.rights.must_change()?;
        self.share.gate.must_be_writable()
    }

    /// See [`OpenFile::write`].
    ///
    /// # Errors
    /// Those of the gate ([`TreeError::ReadOnly`], [`TreeError::ShareGone`],
    /// [`TreeError::Frozen`]) and of the tree.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), TreeError> {
        self.changing(|file| file.write(offset, bytes))
    }

    /// See [`OpenFile::set_size`].
    ///
    /// # Errors
    /// As for a write.
    pub fn set_size(&self, size: u64) -> Result<(), TreeError> {
        self.changing(|file| file.set_size(size))
    }

    /// See [`OpenFile::set_allocation`].
    ///
    /// # Errors
    /// As for a write.
    pub fn set_allocation(&self, allocation: u64) -> Result<(), TreeError> {
        self.changing(|file| file.set_allocation(allocation))
    }

    /// See [`OpenFile::overwrite`].
    ///
    /// # Errors
    /// As for a write.
    pub fn overwrite(&self, attributes: Attributes) -> Result<(), TreeError> {
        self.changing(|file| file.overwrite(attributes))
    }

    /// See [`OpenFile::set_times`].
    ///
    /// # Errors
    /// As for a write.
    pub fn set_times(&self, times: NewTimes) -> Result<(), TreeError> {
        self.changing(|file| file.set_times(times))
    }

    /// See [`OpenFile::set_attributes`].
    ///
    /// # Errors
    /// As for a write.
    pub fn set_attributes(&self, attributes: Attributes) -> Result<(), TreeError> {
        self.changing(|file| file.set_attributes(attributes))
    }

    /// See [`OpenFile::rename`].
    ///
    /// # Errors
    /// As for a write.
    pub fn rename(&self, to: &TreePath, replace: bool) -> Result<(), TreeError> {
        self.changing(|file| file.rename(to, replace))
    }

    /// See [`OpenFile::remove_file`].
    ///
    /// # Errors
    /// As for a write.
    pub fn remove_file(&self) -> Result<(), TreeError> {
        self.changing(OpenFile::remove_file)
    }

    /// See [`OpenFile::remove`].
    ///
    /// # Errors
    /// As for a write.
    pub fn remove(&self) -> Result<(), TreeError> {
        self.changing(OpenFile::remove)
    }
}
