//! What a connection holds open: files, directories and pipes.

use super::limits;
use super::pipes::Pipe;
use super::work::{Entry, FileToken, TreeToken};
use fsrvp_wire::smb2::create::{AccessMask, CreateOptions};
use fsrvp_wire::smb2::{FileId, NtStatus};
use std::collections::BTreeMap;

/// MS-SMB2 3.3.1.10: one open.
#[derive(Debug)]
pub(crate) struct Open {
    /// Whose it is.
    pub(crate) session_id: u64,
    /// Through which tree connect it was made.
    pub(crate) tree_id: u32,
    /// What is open.
    pub(crate) target: Target,
}

/// What is open.
#[derive(Debug)]
pub(crate) enum Target {
    /// A file or directory.
    File(OpenFile),
    /// A pipe in `IPC$`.
    Pipe(Box<Pipe>),
}

/// An open file or directory.
#[derive(Debug, Clone)]
pub(crate) struct OpenFile {
    /// What the outside knows it by.
    pub(crate) token: FileToken,
    /// The share it is in.
    pub(crate) tree: TreeToken,
    /// Its path, as it was opened or last renamed.
    pub(crate) path: String,
    /// What the open may do.
    pub(crate) granted_access: AccessMask,
    /// The most that the user could have asked for.
    pub(crate) maximal_access: AccessMask,
    /// How it was opened.
    pub(crate) options: CreateOptions,
    /// Whether it is a directory.
    pub(crate) is_directory: bool,
    /// MS-FSA 2.1.1.4 CurrentByteOffset: behind the last byte that was read or written.
    pub(crate) position: u64,
    /// How far a listing has come.
    pub(crate) listing: Option<Listing>,
}

/// MS-SMB2 3.3.1.10: what is left of an enumeration.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// What matched and was not sent yet, the next one last.
    pub(crate) left: Vec<Entry>,
    /// Whether anything was sent.
    pub(crate) began: bool,
}

/// All opens of a connection.
#[derive(Debug, Default)]
pub(crate) struct Opens {
    by_id: BTreeMap<FileId, Open>,
    last_id: u64,
}

impl Opens {
    /// Whether one more fits.
    pub(crate) fn check_room(&self, is_pipe: bool) -> Result<(), NtStatus> {
        let pipes = || {
            let is_pipe = |open: &&Open| matches!(open.target, Target::Pipe(_));
            self.by_id.values().filter(is_pipe).count()
        };
        if self.by_id.len() >= limits::OPENS_MAX || is_pipe && pipes() >= limits::PIPES_MAX {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        Ok(())
    }

    /// How many entries of directories wait to be listed.
    pub(crate) fn listed(&self) -> usize {
        let listed = self.by_id.values().filter_map(|open| match &open.target {
            Target::File(file) => file.listing.as_ref(),
            Target::Pipe(_) => None,
        });
        listed.map(|listing| listing.left.len()).sum()
    }

    /// Takes an open in and names it.
    pub(crate) fn insert(&mut self, open: Open) -> FileId {
        self.last_id += 1;
        let file_id = FileId {
            persistent: self.last_id,
            volatile: self.last_id,
        };
        self.by_id.insert(file_id, open);
        file_id
    }

    /// The open of this session and tree.
    pub(crate) fn get(
        &mut self,
        file_id: FileId,
        session_id: u64,
        tree_id: u32,
    ) -> Result<&mut Open, NtStatus> {
        self.by_id
            .get_mut(&file_id)
            .filter(|open| open.session_id == session_id && open.tree_id == tree_id)
            .ok_or(NtStatus::FILE_CLOSED)
    }

    /// What is behind an id, whoever has it.
    pub(crate) fn target(&mut self, file_id: FileId) -> Option<&mut Target> {
        Some(&mut self.by_id.get_mut(&file_id)?.target)
    }

    /// The pipe behind an id, whoever has it.
    pub(crate) fn pipe(&mut self, file_id: FileId) -> Option<&mut Pipe> {
        match self.target(file_id)? {
            Target::Pipe(pipe) => Some(pipe),
            Target::File(_) => None,
        }
    }

    /// Whether a message of a pipe lies unread.
    pub(crate) fn has_unread(&self) -> bool {
        let unread = |open: &Open| matches!(&open.target, Target::Pipe(pipe) if pipe.has_unread());
        self.by_id.values().any(unread)
    }

    /// Takes one open out.
    pub(crate) fn remove(&mut self, file_id: FileId) -> Option<Open> {
        self.by_id.remove(&file_id)
    }

    /// Takes out all opens that `which` names.
    pub(crate) fn remove_all(&mut self, which: impl Fn(&Open) -> bool) -> Vec<Open> {
        let (gone, kept) = std::mem::take(&mut self.by_id)
            .into_iter()
            .partition(|(_, open)| which(open));
        self.by_id = kept;
        gone.into_values().collect()
    }
}

impl Open {
    /// The file, where it is one.
    pub(crate) fn file(&mut self) -> Result<&mut OpenFile, NtStatus> {
        match &mut self.target {
            Target::File(file) => Ok(file),
            Target::Pipe(_) => Err(NtStatus::INVALID_DEVICE_REQUEST),
        }
    }
}

impl OpenFile {
    /// Refuses what the open was not made for; any one of `rights` is enough.
    pub(crate) fn require(&self, rights: AccessMask) -> Result<(), NtStatus> {
        if (self.granted_access & rights).0 == 0 {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }
}
