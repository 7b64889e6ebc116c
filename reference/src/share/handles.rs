//! MS-FSA 2.1.1.4, 2.1.5.1.2: what all open handles of the server hold of each file.
//!
//! Share modes, the mark to delete and byte-range locks belong to the file, not to a name or a
//! share: two shares that show the same file see the same holders, and a shadow copy, whose files
//! are others, sees none of them.

mod lock;

pub use lock::{LOCKS_MAX, LockKind, LockRange, LockWait};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tree::{Metadata, StreamName, TreeError};
use lock::Locks;

/// Which file, or which of its streams, is held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileKey {
    device: u64,
    file_id: u64,
    /// Empty for the contents.
    stream: String,
}

impl FileKey {
    /// The file that `metadata` describes, or this stream of it.
    pub fn of(metadata: &Metadata, stream: Option<&StreamName>) -> Self {
        Self {
            device: metadata.device,
            file_id: metadata.file_id,
            stream: stream.map(StreamName::folded).unwrap_or_default(),
        }
    }
}

impl FileKey {
    /// The file itself, where this is a stream of it.
    fn file(&self) -> Option<Self> {
        (!self.stream.is_empty()).then(|| Self {
            stream: String::new(),
            ..self.clone()
        })
    }
}

/// What a handle can do to the contents, or lets others do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Read or execute.
    pub read: bool,
    /// Write or append.
    pub write: bool,
    /// Delete or rename.
    pub delete: bool,
}

impl Claims {
    /// Everything; the sharing of somebody who minds nobody.
    pub const ALL: Self = Self {
        read: true,
        write: true,
        delete: true,
    };

    fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether all of it is in `allowed`.
    fn is_within(self, allowed: Self) -> bool {
        (!self.read || allowed.read)
            && (!self.write || allowed.write)
            && (!self.delete || allowed.delete)
    }
}

/// What a new handle wants of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What the handle can do.
    pub access: Claims,
    /// What others may do beside it.
    pub sharing: Claims,
    /// The open itself empties the file, which is a write.
    pub empties: bool,
}

#[derive(Clone, Debug)]
struct Holder {
    id: u64,
    access: Claims,
    sharing: Claims,
}

/// One file or stream, as long as anybody holds it; a file also for as long as its streams are.
#[derive(Debug, Default)]
struct Held {
    holders: Vec<Holder>,
    /// The handles on streams of the file.
    on_streams: Vec<Holder>,
    delete_pending: bool,
    locks: Locks,
}

impl Held {
    fn is_held_by(&self, id: u64) -> bool {
        self.holders.iter().any(|holder| holder.id == id)
    }

    /// MS-FSA 2.1.5.1.2.2: handles that only look at attributes stand in nobody's way.
    fn admits(&self, wish: &Wish) -> Result<(), TreeError> {
        if self.delete_pending {
            return Err(TreeError::DeletePending);
        }
        // With a file its streams go: none of their handles may stand against it.
        if wish.access.delete && self.on_streams.iter().any(|other| !other.sharing.delete) {
            return Err(TreeError::SharingViolation);
        }
        let wanted = Claims {
            write: wish.access.write || wish.empties,
            ..wish.access
        };
        if wanted.is_none() {
            return Ok(());
        }
        let fits = |holder: &Holder| {
            wanted.is_within(holder.sharing) && holder.access.is_within(wish.sharing)
        };
        let active = |holder: &&Holder| !holder.access.is_none();
        if self.holders.iter().filter(active).all(fits) {
            Ok(())
        } else {
            Err(TreeError::SharingViolation)
        }
    }

    /// The same for a handle on a stream of this file.
    fn admits_on_stream(&self, wish: &Wish) -> Result<(), TreeError> {
        if self.delete_pending {
            return Err(TreeError::DeletePending);
        }
        match self.holders.iter().any(|holder| holder.access.delete) && !wish.sharing.delete {
            true => Err(TreeError::SharingViolation),
            false => Ok(()),
        }
    }

    fn is_free(&self) -> bool {
        self.holders.is_empty() && self.on_streams.is_empty()
    }
}

#[derive(Debug, Default)]
struct Table {
    files: HashMap<FileKey, Arc<Mutex<Held>>>,
    last_id: u64,
}

impl Table {
    fn held(&mut self, key: &FileKey) -> Arc<Mutex<Held>> {
        Arc::clone(self.files.entry(key.clone()).or_default())
    }

    fn admits(
        &mut self,
        key: &FileKey,
        file: Option<&FileKey>,
        wish: &Wish,
    ) -> Result<(), TreeError> {
        if let Some(file) = file {
            locked(&self.held(file)).admits_on_stream(wish)?;
        }
        locked(&self.held(key)).admits(wish)
    }
}

/// All files that the server has open.
#[derive(Debug, Default)]
pub struct Handles(Mutex<Table>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handles {
    /// Takes a file for one more handle.
    ///
    /// # Errors
    /// [`TreeError::SharingViolation`] when another handle does not allow it, or the wish does
    /// not allow what another one does; [`TreeError::DeletePending`] for a file that goes.
    pub fn claim(self: &Arc<Self>, key: FileKey, wish: &Wish) -> Result<Claim, TreeError> {
        let file = key.file();
        let mut table = locked(&self.0);
        let admitted = table.admits(&key, file.as_ref(), wish);
        if let Err(refused) = admitted {
            drop(table);
            self.forget(&key);
            if let Some(file) = &file {
                self.forget(file);
            }
            return Err(refused);
        }
        table.last_id += 1;
        let id = table.last_id;
        let holder = Holder {
            id,
            access: wish.access,
            sharing: wish.sharing,
        };
        let file = file.map(|key| (table.held(&key), key));
        if let Some((held, _)) = &file {
            locked(held).on_streams.push(holder.clone());
        }
        let held = table.held(&key);
        locked(&held).holders.push(holder);
        Ok(Claim {
            handles: Arc::clone(self),
            key,
            held,
            file,
            id,
        })
    }

    /// Whether any handle is on this file.
    pub fn is_open(&self, key: &FileKey) -> bool {
        let table = locked(&self.0);
        let held = table.files.get(key);
        held.is_some_and(|held| !locked(held).is_free())
    }

    fn forget(&self, key: &FileKey) {
        let mut table = locked(&self.0);
        let is_free = table
            .files
            .get(key)
            .is_some_and(|held| locked(held).is_free());
        if is_free {
            table.files.remove(key);
        }
    }
}

/// One handle's hold of a file; it ends with [`Claim::release`], or when it is dropped.
#[derive(Debug)]
pub struct Claim {
    handles: Arc<Handles>,
    key: FileKey,
    held: Arc<Mutex<Held>>,
    /// The file, where this is a hold of a stream.
    file: Option<(Arc<Mutex<Held>>, FileKey)>,
    id: u64,
}

impl Claim {
    /// Marks the file to go with its last handle, or takes that back.
    pub fn set_delete(&self, delete: bool) {
        locked(&self.held).delete_pending = delete;
    }

    /// Whether the file goes with its last handle.
    pub fn is_delete_pending(&self) -> bool {
        locked(&self.held).delete_pending
    }

    /// Ends the hold with all its locks. `delete` marks the file to go, as an open with
    /// FILE_DELETE_ON_CLOSE does. Where this was the last hold and the file goes, the answer is to
    /// be kept while it is removed: until then every open fails.
    pub fn release(&self, delete: bool) -> Option<Removal<'_>> {
        let mut held = locked(&self.held);
        if !held.is_held_by(self.id) {
            return None;
        }
        held.holders.retain(|holder| holder.id != self.id);
        held.delete_pending |= delete;
        held.locks.release(self.id);
        let goes = held.is_free() && held.delete_pending;
        drop(held);
        if self.leave_file() {
            return Some(Removal(self, Going::File));
        }
        if goes {
            return Some(Removal(self, Going::Own));
        }
        self.forget();
        None
    }

    /// A hold of a stream ends: whether the file goes now, which waited for it.
    fn leave_file(&self) -> bool {
        let Some((file, _)) = &self.file else {
            return false;
        };
        let mut file = locked(file);
        file.on_streams.retain(|holder| holder.id != self.id);
        file.is_free() && file.delete_pending
    }

    fn forget(&self) {
        self.handles.forget(&self.key);
        if let Some((_, file)) = &self.file {
            self.handles.forget(file);
        }
    }

    /// MS-FSA 2.1.4.10: whether a lock forbids this handle to read there.
    ///
    /// # Errors
    /// [`TreeError::LockConflict`]
    pub fn may_read(&self, range: LockRange) -> Result<(), TreeError> {
        locked(&self.held).locks.may_read(self.id, range)
    }

    /// MS-FSA 2.1.4.10: whether a lock forbids this handle to write there.
    ///
    /// # Errors
    /// [`TreeError::LockConflict`]
    pub fn may_write(&self, range: LockRange) -> Result<(), TreeError> {
        locked(&self.held).locks.may_write(self.id, range)
    }

    /// MS-FSA 2.1.5.8: takes all of these locks, or none.
    ///
    /// # Errors
    /// [`TreeError::LockNotGranted`]; [`TreeError::RangeNotLocked`] when the hold has ended.
    pub fn lock(&self, wanted: &[(LockRange, LockKind)]) -> Result<(), TreeError> {
        let mut held = locked(&self.held);
        if !held.is_held_by(self.id) {
            return Err(TreeError::RangeNotLocked);
        }
        held.locks.take(self.id, wanted)
    }

    /// How many locks this handle has.
    pub fn lock_count(&self) -> usize {
        locked(&self.held).locks.count(self.id)
    }

    /// MS-FSA 2.1.5.9: gives these locks back, one after the other up to the first that is none.
    ///
    /// # Errors
    /// [`TreeError::RangeNotLocked`]
    pub fn unlock(&self, ranges: &[LockRange]) -> Result<(), TreeError> {
        locked(&self.held).locks.give_back(self.id, ranges)
    }

    /// As [`Claim::lock`] for one lock, but waits until it is free or the hold ends.
    pub fn lock_when_free(&self, range: LockRange, kind: LockKind) -> LockWait<'_> {
        LockWait::new(self, range, kind)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // The file of a handle that nobody closed stays.
        drop(self.release(false));
    }
}

/// What goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Going {
    /// What the hold was of: a file, or a stream.
    Own,
    /// The whole file, by the last hold of one of its streams.
    File,
}

/// A file or stream without handles that is being removed; nobody opens it meanwhile.
#[derive(Debug)]
#[must_use = "the file must be removed while it lives"]
pub struct Removal<'a>(&'a Claim, Going);

impl Removal<'_> {
    /// What is to be removed.
    pub fn what(&self) -> Going {
        self.1
    }
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        let claim = self.0;
        locked(&claim.held).delete_pending = false;
        if let (Some((file, _)), Going::File) = (&claim.file, self.1) {
            locked(file).delete_pending = false;
        }
        claim.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Claims = Claims {
        read: true,
        write: false,
        delete: false,
    };
    const WRITE: Claims = Claims {
        read: false,
        write: true,
        delete: false,
    };
    const NOTHING: Claims = Claims {
        read: false,
        write: false,
        delete: false,
    };

    fn key(file_id: u64) -> FileKey {
        FileKey {
            device: 1,
            file_id,
            stream: String::new(),
        }
    }

    fn wish(access: Claims, sharing: Claims) -> Wish {
        Wish {
            access,
            sharing,
            empties: false,
        }
    }

    fn all_claims() -> impl Iterator<Item = Claims> {
        (0..8_u8).map(|bits| Claims {
            read: bits & 1 != 0,
            write: bits & 2 != 0,
            delete: bits & 4 != 0,
        })
    }

    #[test]
    fn two_handles_fit_when_each_shares_what_the_other_does() {
        for access in all_claims() {
            for sharing in all_claims() {
                for other_access in all_claims() {
                    for other_sharing in all_claims() {
                        let handles = Arc::new(Handles::default());
                        let _first = handles.claim(key(1), &wish(access, sharing)).unwrap();
                        let second = handles.claim(key(1), &wish(other_access, other_sharing));
                        let expected = access == NOTHING
                            || other_access == NOTHING
                            || access.is_within(other_sharing) && other_access.is_within(sharing);
                        assert_eq!(second.is_ok(), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn an_open_that_empties_is_a_write() {
        let handles = Arc::new(Handles::default());
        let _reader = handles.claim(key(1), &wish(READ, READ)).unwrap();
        let emptying = Wish {
            empties: true,
            ..wish(NOTHING, Claims::ALL)
        };
        assert!(matches!(
            handles.claim(key(1), &emptying),
            Err(TreeError::SharingViolation)
        ));
        assert!(handles.claim(key(2), &emptying).is_ok());
    }

    #[test]
    fn a_marked_file_goes_with_its_last_handle() {
        let handles = Arc::new(Handles::default());
        let one = handles.claim(key(1), &wish(READ, Claims::ALL)).unwrap();
        let two = handles.claim(key(1), &wish(READ, Claims::ALL)).unwrap();
        one.set_delete(true);
        assert!(two.is_delete_pending());
        assert!(one.release(false).is_none());
        let again = || handles.claim(key(1), &wish(READ, Claims::ALL));
        assert!(matches!(again(), Err(TreeError::DeletePending)));
        let removal = two.release(false).expect("the last one");
        assert!(matches!(again(), Err(TreeError::DeletePending)));
        drop(removal);
        assert!(again().is_ok());
    }

    #[test]
    fn a_mark_can_be_taken_back_and_a_close_can_set_it() {
        let handles = Arc::new(Handles::default());
        let one = handles.claim(key(1), &wish(READ, Claims::ALL)).unwrap();
        one.set_delete(true);
        one.set_delete(false);
        let two = handles.claim(key(1), &wish(WRITE, Claims::ALL)).unwrap();
        assert!(two.release(true).is_none());
        assert!(two.release(true).is_none(), "twice is nothing");
        assert!(one.release(false).is_some());
    }

    #[test]
    fn nothing_is_kept_of_files_that_nobody_holds() {
        let handles = Arc::new(Handles::default());
        let one = handles.claim(key(1), &wish(READ, NOTHING)).unwrap();
        assert!(handles.claim(key(1), &wish(READ, NOTHING)).is_err());
        assert!(handles.is_open(&key(1)) && !handles.is_open(&key(2)));
        drop(one);
        assert!(locked(&handles.0).files.is_empty());
        let refused = handles.claim(key(1), &wish(READ, NOTHING)).unwrap();
        drop(refused);
        assert!(locked(&handles.0).files.is_empty());
    }

    fn stream(name: &str) -> FileKey {
        FileKey {
            stream: name.to_owned(),
            ..key(1)
        }
    }

    #[test]
    fn streams_mind_their_own_kind_and_stand_only_against_a_delete() {
        const DELETE: Claims = Claims {
            delete: true,
            ..NOTHING
        };
        let handles = Arc::new(Handles::default());
        let claim = |key, access, sharing| handles.claim(key, &wish(access, sharing));
        let one = claim(stream("A"), WRITE, NOTHING).unwrap();
        assert!(claim(stream("A"), WRITE, NOTHING).is_err());
        assert!(claim(stream("B"), WRITE, NOTHING).is_ok());
        assert!(claim(key(1), WRITE, NOTHING).is_ok());
        assert!(claim(key(1), DELETE, Claims::ALL).is_err());
        assert!(handles.is_open(&key(1)));
        drop(one);
        let deleter = claim(key(1), DELETE, Claims::ALL).unwrap();
        assert!(claim(stream("A"), READ, READ).is_err());
        assert!(claim(stream("A"), READ, Claims::ALL).is_ok());
        drop(deleter);
        assert!(locked(&handles.0).files.is_empty());
    }

    #[test]
    fn a_file_that_goes_waits_for_its_streams() {
        let handles = Arc::new(Handles::default());
        let claim = |key| handles.claim(key, &wish(READ, Claims::ALL));
        let (file, one) = (claim(key(1)).unwrap(), claim(stream("A")).unwrap());
        assert!(file.release(true).is_none());
        for key in [key(1), stream("A"), stream("B")] {
            assert!(matches!(claim(key), Err(TreeError::DeletePending)));
        }
        let removal = one.release(false).expect("the last one");
        assert_eq!(removal.what(), Going::File);
        drop(removal);
        assert!(locked(&handles.0).files.is_empty());
        let gone = claim(stream("A"))
            .unwrap()
            .release(true)
            .map(|removal| removal.what());
        assert_eq!(gone, Some(Going::Own));
    }
}
