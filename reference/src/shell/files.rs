//! The file work of one connection: tokens on one side, shares and open files on the other.

mod open;

use super::handle::Handle;
use super::security;
use crate::share::{Rights, Share, ShareFile, ShareKind, ShareTable, Subject};
use crate::smb::limits;
use crate::smb::work::{
    Entry, FileDone, FileInfo, FileResult, FileToken, FileWork, StreamInfo, TreeToken, Volume,
};
use crate::tree::{self, Attributes, Metadata, NewTimes, TreeError, TreePath};
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create::CreateDisposition;
use fsrvp_wire::smb2::fscc::control::FileAllocatedRangeBuffer;
use fsrvp_wire::smb2::fscc::{FileAttributes, FileTime};
use fsrvp_wire::smb2::lock::LockElement;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The longest name that a volume claims, in UTF-16 units.
const NAME_LEN_MAX: u32 = 255;

/// Everything that one connection has open.
#[derive(Debug)]
pub(super) struct Files {
    shares: Arc<ShareTable>,
    trees: Slots<TreeToken, Connected>,
    files: Slots<FileToken, Handle>,
    /// How many byte-range locks all of them have.
    locks: AtomicUsize,
}

/// A share as one user sees it.
#[derive(Debug)]
struct Connected {
    share: Arc<Share>,
    rights: Rights,
    who: Subject,
}

/// Room for locks that are not taken yet.
struct LockRoom<'a> {
    files: &'a Files,
    count: usize,
}

impl LockRoom<'_> {
    fn keep(mut self) {
        self.count = 0;
    }
}

impl Drop for LockRoom<'_> {
    fn drop(&mut self) {
        self.files.give_back(self.count);
    }
}

#[derive(Debug)]
struct Slots<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K: Hash + Eq, V> Slots<K, V> {
    fn new() -> Self {
        Slots(Mutex::new(HashMap::new()))
    }

    fn insert(&self, key: K, value: V) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.insert(key, Arc::new(value));
    }

    fn get(&self, key: &K, missing: NtStatus) -> Result<Arc<V>, NtStatus> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(key).cloned().ok_or(missing)
    }

    fn remove(&self, key: &K) -> Option<Arc<V>> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(key)
    }
}

impl Files {
    /// Nothing is open yet.
    pub(super) fn new(shares: Arc<ShareTable>) -> Self {
        Files {
            shares,
            trees: Slots::new(),
            files: Slots::new(),
            locks: AtomicUsize::new(0),
        }
    }

    /// Whether a piece of work may have to wait while its file store is frozen.
    pub(super) fn changes(&self, work: &FileWork) -> bool {
        match work {
            FileWork::ConnectTree { .. }
            | FileWork::DisconnectTree(_)
            | FileWork::Read { .. }
            | FileWork::Info(_)
            | FileWork::Volume(_)
            | FileWork::PreviousVersions(_)
            | FileWork::AllocatedRanges { .. }
            | FileWork::List(_)
            | FileWork::Look { .. }
            | FileWork::Streams(_)
            | FileWork::Security { .. }
            | FileWork::ReparsePoint(_)
            | FileWork::Lock { .. }
            | FileWork::Unlock { .. } => false,
            FileWork::Open(open) => open.disposition != CreateDisposition::OPEN,
            FileWork::Close(file) => self.file(*file).is_ok_and(|handle| handle.may_remove()),
            _ => true,
        }
    }

    /// Does a piece of work; blocks.
    pub(super) fn perform(&self, work: FileWork) -> FileResult {
        match work {
            FileWork::ConnectTree {
                tree,
                share,
                user,
                is_administrator,
            } => self.connect(tree, &share, &user, is_administrator),
            FileWork::DisconnectTree(tree) => {
                self.trees.remove(&tree);
                Ok(FileDone::Nothing)
            }
            FileWork::Open(open) => self.open(&open),
            FileWork::Close(file) => self.close(file),
            FileWork::Read {
                file,
                offset_bytes,
                mut into,
                behind,
            } => {
                let handle = self.file(file)?;
                let room = into.get_mut(behind..).unwrap_or_default();
                let count = handle.read(offset_bytes, room).map_err(status)?;
                into.truncate(behind.saturating_add(count));
                Ok(FileDone::Data(into))
            }
            FileWork::Write {
                file,
                offset_bytes,
                data,
                write_through,
            } => {
                let handle = self.file(file)?;
                done(handle.write(offset_bytes, data.bytes()))?;
                if write_through {
                    done(handle.file.flush())?;
                }
                Ok(FileDone::Nothing)
            }
            FileWork::Flush(file) => done(self.file(file)?.file.flush()),
            FileWork::Info(file) => {
                let info = self.file(file)?.info().map_err(status)?;
                Ok(FileDone::Info(info))
            }
            FileWork::Volume(tree) => self.volume(tree),
            FileWork::PreviousVersions(file) => {
                let share = Arc::clone(self.file(file)?.file.share());
                let versions = self.shares.previous_versions(share.name());
                Ok(FileDone::Times(
                    versions.iter().filter_map(made_at).collect(),
                ))
            }
            FileWork::List(file) => {
                let entries = self.file(file)?.file.list().map_err(status)?;
                Ok(FileDone::Entries(entries.iter().map(entry).collect()))
            }
            FileWork::ReparsePoint(file) => {
                let found = self.file(file)?.file.reparse_point().map_err(status)?;
                Ok(FileDone::ReparsePoint(found))
            }
            FileWork::SetReparsePoint { file, tag, data } => {
                done(self.file(file)?.file.set_reparse_point(tag, &data))
            }
            FileWork::RemoveReparsePoint(file) => {
                done(self.file(file)?.file.remove_reparse_point())
            }
            FileWork::Security {
                file,
                wanted,
                maximal_access,
            } => {
                let file = self.file(file)?;
                let descriptor = security::query(&file.file, wanted, maximal_access)?;
                Ok(FileDone::Data(descriptor))
            }
            FileWork::SetSecurity {
                file,
                which,
                descriptor,
                maximal_access,
            } => {
                let file = self.file(file)?;
                security::set(&file.file, which, &descriptor, maximal_access)?;
                Ok(FileDone::Nothing)
            }
            FileWork::Streams(file) => {
                let file = self.file(file)?;
                Ok(FileDone::Streams(streams(&file.file).map_err(status)?))
            }
            FileWork::Look { file, names } => {
                let entries = self.file(file)?.file.look(&names).map_err(status)?;
                Ok(FileDone::Entries(entries.iter().map(entry).collect()))
            }
            FileWork::SetBasic {
                file,
                creation_time,
                last_access_time,
                last_write_time,
                attributes,
            } => {
                let times = NewTimes {
                    created: creation_time.map(|time| tree::FileTime(time.0)),
                    accessed: last_access_time.map(|time| tree::FileTime(time.0)),
                    written: last_write_time.map(|time| tree::FileTime(time.0)),
                };
                set_basic(&self.file(file)?.file, times, attributes)
            }
            FileWork::SetEndOfFile { file, length_bytes } => {
                done(self.file(file)?.file.set_size(length_bytes))
            }
            FileWork::SetSparse { file, sparse } => done(self.file(file)?.file.set_sparse(sparse)),
            FileWork::Zero {
                file,
                offset_bytes,
                beyond_bytes,
            } => done(self.file(file)?.zero(offset_bytes, beyond_bytes)),
            FileWork::AllocatedRanges {
                file,
                offset_bytes,
                length_bytes,
                ranges_max,
            } => {
                let file = &self.file(file)?.file;
                let ranges = file.allocated_ranges(offset_bytes, length_bytes, ranges_max);
                let ranges = ranges.map_err(status)?;
                Ok(FileDone::Ranges(ranges.iter().map(range).collect()))
            }
            FileWork::Rename {
                file,
                path,
                replace,
            } => {
                let path = TreePath::parse(&path).map_err(status)?;
                let handle = self.file(file)?;
                done(handle.rename(self.shares.handles(), &path, replace))
            }
            FileWork::SetDelete { file, delete } => {
                self.file(file)?.set_delete(delete)?;
                Ok(FileDone::Nothing)
            }
            FileWork::Lock { file, locks, .. } => {
                let handle = self.file(file)?;
                let room = self.room_for(locks.len())?;
                handle.lock(&locks)?;
                room.keep();
                Ok(FileDone::Nothing)
            }
            FileWork::Unlock { file, locks } => {
                let handle = self.file(file)?;
                let before = handle.claim.lock_count();
                let unlocked = handle.unlock(&locks);
                self.give_back(before.saturating_sub(handle.claim.lock_count()));
                unlocked?;
                Ok(FileDone::Nothing)
            }
        }
    }

    /// Waits for a lock, without a thread.
    pub(super) async fn lock(&self, file: FileToken, locks: &[LockElement]) -> FileResult {
        let handle = self.file(file)?;
        let room = self.room_for(locks.len())?;
        handle.lock_when_free(locks).await?;
        room.keep();
        Ok(FileDone::Nothing)
    }

    /// Room for more locks; given back with the answer, unless it is kept for as long as they are.
    fn room_for(&self, count: usize) -> Result<LockRoom<'_>, NtStatus> {
        let had = self.locks.fetch_add(count, Ordering::Relaxed);
        let room = LockRoom { files: self, count };
        if had.saturating_add(count) > limits::LOCKS_MAX {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        Ok(room)
    }

    fn give_back(&self, locks: usize) {
        let less = |had: usize| Some(had.saturating_sub(locks));
        let _ = self
            .locks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn file(&self, token: FileToken) -> Result<Arc<Handle>, NtStatus> {
        self.files.get(&token, NtStatus::FILE_CLOSED)
    }

    fn connect(
        &self,
        tree: TreeToken,
        share: &str,
        user: &str,
        is_administrator: bool,
    ) -> FileResult {
        let share = self.shares.find(share).ok_or(NtStatus::BAD_NETWORK_NAME)?;
        let rights = share.access().rights_of(user, is_administrator);
        if rights == Rights::None {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let maximal_access = open::maximal(&share, rights);
        let encrypts = share.encrypts();
        let who = Subject {
            user: user.to_owned(),
            is_administrator,
        };
        self.trees.insert(tree, Connected { share, rights, who });
        Ok(FileDone::Tree {
            maximal_access,
            encrypts,
        })
    }

    fn close(&self, token: FileToken) -> FileResult {
        let handle = self.files.remove(&token).ok_or(NtStatus::FILE_CLOSED)?;
        let info = handle.info();
        self.give_back(handle.claim.lock_count());
        handle.close();
        Ok(info.map_or(FileDone::Nothing, FileDone::Info))
    }

    fn volume(&self, token: TreeToken) -> FileResult {
        let tree = self.trees.get(&token, NtStatus::NETWORK_NAME_DELETED)?;
        let volume = tree.share.tree().volume_info().map_err(status)?;
        Ok(FileDone::Volume(Volume {
            serial: volume.serial,
            unit_bytes: u32::try_from(volume.unit_bytes).unwrap_or(u32::MAX),
            units: volume.units,
            units_free: volume.units_free,
            units_available: volume.units_available,
            name_len_max: NAME_LEN_MAX,
            read_only: volume.read_only || !tree.share.is_writable(),
        }))
    }
}

fn done(result: Result<(), TreeError>) -> FileResult {
    result.map(|()| FileDone::Nothing).map_err(status)
}

/// When the shadow copy was made that a share shows.
fn made_at(share: &Arc<Share>) -> Option<FileTime> {
    match share.kind() {
        ShareKind::Exposed { created, .. } => Some(FileTime(*created)),
        ShareKind::Base { .. } => None,
    }
}

fn set_basic(file: &ShareFile, times: NewTimes, attributes: Option<FileAttributes>) -> FileResult {
    if let Some(attributes) = attributes {
        done(file.set_attributes(Attributes(attributes.0)))?;
    }
    if times != NewTimes::default() {
        done(file.set_times(times))?;
    }
    done(file.may_change())
}

pub(super) fn info(metadata: &Metadata) -> FileInfo {
    FileInfo {
        creation_time: FileTime(metadata.created.0),
        last_access_time: FileTime(metadata.accessed.0),
        last_write_time: FileTime(metadata.written.0),
        change_time: FileTime(metadata.changed.0),
        allocation_size: metadata.allocation,
        end_of_file: metadata.size,
        attributes: FileAttributes(metadata.attributes.0),
        file_id: metadata.file_id,
        volume_id: metadata.device,
        links: metadata.links,
        delete_pending: false,
        reparse_tag: metadata.reparse_tag,
    }
}

/// The contents, where it is a file, and then the named streams.
fn streams(file: &ShareFile) -> Result<Vec<StreamInfo>, TreeError> {
    let contents = file.contents()?;
    let contents = (!contents.is_directory()).then(|| StreamInfo {
        name: String::new(),
        size: contents.size,
        allocation_size: contents.allocation,
    });
    let named = file.streams()?.into_iter().map(|stream| StreamInfo {
        name: stream.name.text().to_owned(),
        size: stream.size,
        allocation_size: stream.size,
    });
    Ok(contents.into_iter().chain(named).collect())
}

fn range(range: &tree::AllocatedRange) -> FileAllocatedRangeBuffer {
    FileAllocatedRangeBuffer {
        file_offset: range.offset,
        length: range.length,
    }
}

fn entry(entry: &tree::Entry) -> Entry {
    Entry {
        name: entry.name.clone(),
        info: info(&entry.metadata),
    }
}

/// The one place where an error of the file system becomes a code of the wire.
pub(super) fn status(error: TreeError) -> NtStatus {
    match error {
        TreeError::NotFound => NtStatus::OBJECT_NAME_NOT_FOUND,
        TreeError::PathNotFound => NtStatus::OBJECT_PATH_NOT_FOUND,
        TreeError::AlreadyExists => NtStatus::OBJECT_NAME_COLLISION,
        TreeError::NameInvalid => NtStatus::OBJECT_NAME_INVALID,
        TreeError::IsDirectory => NtStatus::FILE_IS_A_DIRECTORY,
        TreeError::NotDirectory => NtStatus::NOT_A_DIRECTORY,
        TreeError::NotEmpty => NtStatus::DIRECTORY_NOT_EMPTY,
        TreeError::Symlink | TreeError::SpecialFile | TreeError::AccessDenied => {
            NtStatus::ACCESS_DENIED
        }
        TreeError::ReadOnly => NtStatus::MEDIA_WRITE_PROTECTED,
        TreeError::ShareGone => NtStatus::NETWORK_NAME_DELETED,
        TreeError::Frozen => NtStatus::DEVICE_BUSY,
        TreeError::DiskFull => NtStatus::DISK_FULL,
        TreeError::NotSameDevice => NtStatus::NOT_SAME_DEVICE,
        TreeError::OutOfRange => NtStatus::INVALID_PARAMETER,
        TreeError::NotSupported => NtStatus::NOT_SUPPORTED,
        TreeError::SharingViolation => NtStatus::SHARING_VIOLATION,
        TreeError::DeletePending => NtStatus::DELETE_PENDING,
        TreeError::LockConflict => NtStatus::FILE_LOCK_CONFLICT,
        TreeError::LockNotGranted => NtStatus::LOCK_NOT_GRANTED,
        TreeError::RangeNotLocked => NtStatus::RANGE_NOT_LOCKED,
        TreeError::TooManyOpenFiles => NtStatus::INSUFFICIENT_RESOURCES,
        TreeError::Io(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            NtStatus::INVALID_PARAMETER
        }
        TreeError::Io(error) => {
            tracing::warn!(%error, "file work failed");
            NtStatus::UNEXPECTED_IO_ERROR
        }
    }
}
