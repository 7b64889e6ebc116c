//! Handles on named streams.

use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use super::metadata::{Attributes, FileKind, Metadata};
use super::open::{CreateAction, Disposition, OpenOptions, Opened};
use super::stream::{self, Stream, StreamName};
use super::{OpenFile, TreeError, TreePath};

impl OpenFile {
    /// The stream that is meant, as it is called now; `None` for the contents themselves.
    pub fn stream(&self) -> Option<StreamName> {
        let name = self.stream.as_ref()?;
        Some(name.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// What is known about the file itself, also by a handle on a stream of it.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn contents(&self) -> Result<Metadata, TreeError> {
        Metadata::of_fd(self.fd.as_fd())
    }

    /// All named streams of the file, by name.
    ///
    /// # Errors
    /// When the file system does not answer.
    pub fn streams(&self) -> Result<Vec<Stream>, TreeError> {
        match self.kind_of_file() {
            FileKind::File | FileKind::Directory => stream::list(self.fd.as_fd()),
            FileKind::Symlink | FileKind::Special => Ok(Vec::new()),
        }
    }

    /// Turns a handle on a file into one on a stream of it; opens or makes the stream.
    pub(super) fn into_stream(
        mut self,
        wanted: &StreamName,
        options: &OpenOptions,
    ) -> Result<Opened, TreeError> {
        match self.kind_of_file() {
            FileKind::File | FileKind::Directory => {}
            FileKind::Symlink | FileKind::Special => return Err(TreeError::NotSupported),
        }
        let empties = options.disposition.empties();
        let metadata = self.metadata()?;
        if (options.access.write || empties) && metadata.attributes.has(Attributes::READONLY) {
            return Err(TreeError::AccessDenied);
        }
        let (name, action) = match stream::find(self.fd.as_fd(), wanted)? {
            Some(_) if options.disposition == Disposition::Create => {
                return Err(TreeError::AlreadyExists);
            }
            Some(found) => {
                let action = match options.disposition {
                    Disposition::Supersede => CreateAction::Superseded,
                    Disposition::Overwrite | Disposition::OverwriteIf => CreateAction::Overwritten,
                    Disposition::Open | Disposition::OpenIf | Disposition::Create => {
                        CreateAction::Opened
                    }
                };
                (found, action)
            }
            None if options.disposition.may_create() => {
                stream::create(self.fd.as_fd(), wanted)?;
                (wanted.clone(), CreateAction::Created)
            }
            None => return Err(TreeError::NotFound),
        };
        self.stream = Some(Mutex::new(name));
        self.access = options.access;
        if empties && action != CreateAction::Created && !options.keep_contents {
            self.overwrite(options.attributes)?;
        }
        Ok(Opened { file: self, action })
    }

    /// What is known about a stream: its length, and everything else from its file.
    pub(super) fn metadata_of_stream(
        &self,
        name: &StreamName,
        file: Metadata,
    ) -> Result<Metadata, TreeError> {
        let size = match stream::size(self.fd.as_fd(), name) {
            // Another handle has removed it; so it is with files too.
            Err(TreeError::NotFound) => 0,
            size => size?,
        };
        // What a file is, and where its own contents have holes, is nothing to a stream.
        let of_file = Attributes::DIRECTORY | Attributes::SPARSE;
        let attributes = match file.attributes.0 & !of_file {
            0 => Attributes::NORMAL,
            some => some,
        };
        Ok(Metadata {
            kind: FileKind::File,
            size,
            allocation: size,
            attributes: Attributes(attributes),
            ..file
        })
    }

    /// MS-FSA 2.1.5.14.11: a stream stays with its file; only its name changes.
    pub(super) fn rename_stream(&self, to: &TreePath, replace: bool) -> Result<(), TreeError> {
        let Some(own) = &self.stream else {
            return Err(TreeError::NotSupported);
        };
        // Not even to its own file by that one's name.
        if !to.is_root() {
            return Err(TreeError::SharingViolation);
        }
        let wanted = to.stream().ok_or(TreeError::NotSupported)?;
        let mut name = own.lock().unwrap_or_else(PoisonError::into_inner);
        stream::rename(self.fd.as_fd(), &name, wanted, replace)?;
        *name = wanted.clone();
        Ok(())
    }
}
