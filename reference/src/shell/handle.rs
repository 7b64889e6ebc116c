//! An open file with what it holds against the others: share modes, locks, the mark to delete.

use super::files::status;
use crate::share::{Claim, Claims, FileKey, Going, Handles, LockKind, LockRange, ShareFile, Wish};
use crate::smb::work::{FileInfo, OpenWork};
use crate::tree::{Attributes, TreeError, TreePath};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create::{AccessMask, ShareAccess};
use fsrvp_wire::smb2::lock::{LockElement, LockFlags};

/// An open file, and whether it goes when it is closed.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) file: ShareFile,
    pub(super) claim: Claim,
    /// FILE_DELETE_ON_CLOSE.
    pub(super) delete_on_close: bool,
}

impl Handle {
    /// What is known about the file.
    pub(super) fn info(&self) -> Result<FileInfo, TreeError> {
        let metadata = self.file.metadata()?;
        Ok(FileInfo {
            delete_pending: self.claim.is_delete_pending(),
            ..super::files::info(&metadata)
        })
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize, TreeError> {
        self.claim
            .may_read(LockRange::new(offset, into.len() as u64))?;
        self.file.read_into(offset, into)
    }

    pub(super) fn write(&self, offset: u64, data: &[u8]) -> Result<(), TreeError> {
        self.claim
            .may_write(LockRange::new(offset, data.len() as u64))?;
        self.file.write(offset, data)
    }

    /// As a write of the same range.
    pub(super) fn zero(&self, offset: u64, beyond: u64) -> Result<(), TreeError> {
        let length = beyond.saturating_sub(offset);
        self.claim.may_write(LockRange::new(offset, length))?;
        self.file.zero(offset, beyond)
    }

    /// MS-FSA 2.1.5.14.11: a file that somebody has open is not replaced by a rename.
    pub(super) fn rename(
        &self,
        handles: &Handles,
        to: &TreePath,
        replace: bool,
    ) -> Result<(), TreeError> {
        if replace && let Ok(other) = self.file.share().metadata(to) {
            let other = FileKey::of(&other, to.stream());
            if other != key(&self.file)? && handles.is_open(&other) {
                return Err(TreeError::AccessDenied);
            }
        }
        self.file.rename(to, replace)
    }

    /// MS-FSA 2.1.5.14.3: marks the file to go with its last handle, or takes that back.
    pub(super) fn set_delete(&self, delete: bool) -> Result<(), NtStatus> {
        if delete {
            check_delete(&self.file)?;
        }
        self.claim.set_delete(delete);
        Ok(())
    }

    pub(super) fn lock(&self, locks: &[LockElement]) -> Result<(), NtStatus> {
        let wanted: Result<Vec<_>, _> = locks.iter().map(wanted).collect();
        self.claim.lock(&wanted?).map_err(status)
    }

    /// As [`Handle::lock`] for the first, but waits.
    pub(super) async fn lock_when_free(&self, locks: &[LockElement]) -> Result<(), NtStatus> {
        let (range, kind) = locks
            .first()
            .map_or(Err(NtStatus::INVALID_PARAMETER), wanted)?;
        self.claim.lock_when_free(range, kind).await.map_err(status)
    }

    pub(super) fn unlock(&self, locks: &[LockElement]) -> Result<(), NtStatus> {
        let ranges: Vec<_> = locks.iter().map(range).collect();
        self.claim.unlock(&ranges).map_err(status)
    }

    /// Whether the file may go when this is closed.
    pub(super) fn may_remove(&self) -> bool {
        self.delete_on_close || self.claim.is_delete_pending()
    }

    /// Ends it; removes the file where it goes with this handle.
    pub(super) fn close(&self) {
        if let Some(removal) = self.claim.release(self.delete_on_close) {
            let removed = match removal.what() {
                Going::Own => self.file.remove(),
                Going::File => self.file.remove_file(),
            };
            if let Err(error) = removed {
                tracing::debug!(%error, "delete on close failed");
            }
            drop(removal);
        }
    }
}

fn range(lock: &LockElement) -> LockRange {
    LockRange::new(lock.offset, lock.length)
}

fn wanted(lock: &LockElement) -> Result<(LockRange, LockKind), NtStatus> {
    let range = range(lock);
    if !range.is_valid() {
        return Err(NtStatus::INVALID_LOCK_RANGE);
    }
    let kind = if lock.flags.contains(LockFlags::EXCLUSIVE_LOCK) {
        LockKind::Exclusive
    } else {
        LockKind::Shared
    };
    Ok((range, kind))
}

/// MS-FSA 2.1.5.1.2.2: what an open holds of the file, and lets others hold.
pub(super) fn wish(open: &OpenWork, granted: AccessMask, empties: bool) -> Wish {
    let can = |rights: AccessMask| granted.intersects(rights);
    let lets = |others: ShareAccess| open.share_access.contains(others);
    Wish {
        access: Claims {
            read: can(AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE),
            write: can(AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA),
            delete: can(AccessMask::DELETE),
        },
        sharing: Claims {
            read: lets(ShareAccess::READ),
            write: lets(ShareAccess::WRITE),
            delete: lets(ShareAccess::DELETE),
        },
        empties,
    }
}

/// Which file it is.
fn key(file: &ShareFile) -> Result<FileKey, TreeError> {
    Ok(FileKey::of(&file.metadata()?, file.stream()?.as_ref()))
}

/// MS-FSA 2.1.5.14.3: whether a file may be marked to go.
pub(super) fn check_delete(file: &ShareFile) -> Result<(), NtStatus> {
    file.may_change().map_err(status)?;
    let metadata = file.metadata().map_err(status)?;
    if metadata.attributes.has(Attributes::READONLY) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    if file.is_directory() && !file.is_empty().map_err(status)? {
        return Err(NtStatus::DIRECTORY_NOT_EMPTY);
    }
    Ok(())
}
