//! MS-FSA 2.1.1.7, 2.1.4.10, 2.1.5.8, 2.1.5.9: byte-range locks.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Claim, locked};
use crate::tree::TreeError;

/// How many locks one handle may have on a file.
pub const LOCKS_MAX: usize = 8192;

/// A range of bytes; one of no length lies between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRange {
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl LockRange {
    /// A range.
    pub fn new(offset: u64, length: u64) -> Self {
        Self { offset, length }
    }

    fn end(self) -> u128 {
        u128::from(self.offset) + u128::from(self.length)
    }

    /// Whether its last byte has a number.
    pub fn is_valid(self) -> bool {
        self.end() <= 1 << 64
    }

    /// MS-FSA 2.1.4.10: a range of no length meets only one that goes on before and behind it.
    fn meets(self, other: Self) -> bool {
        u128::from(self.offset) < other.end() && u128::from(other.offset) < self.end()
    }
}

/// Who else may have a lock on the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others with a shared lock; nobody writes.
    Shared,
    /// Nobody; and nobody else reads or writes.
    Exclusive,
}

#[derive(Clone, Copy, Debug)]
struct Lock {
    owner: u64,
    range: LockRange,
    kind: LockKind,
}

/// The locks on one file, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Locks {
    locks: Vec<Lock>,
    waiters: Vec<Waker>,
}

impl Locks {
    /// Whether `owner` may have a lock: a shared one may lie on its own exclusive one.
    fn admits(&self, owner: u64, range: LockRange, kind: LockKind) -> bool {
        let conflicts = |lock: &Lock| match (kind, lock.kind) {
            (LockKind::Shared, LockKind::Shared) => false,
            (LockKind::Shared, LockKind::Exclusive) => lock.owner != owner,
            (LockKind::Exclusive, _) => true,
        };
        let meets = |lock: &&Lock| lock.range.meets(range);
        !self.locks.iter().filter(meets).any(conflicts)
    }

    pub(super) fn count(&self, owner: u64) -> usize {
        self.locks.iter().filter(|lock| lock.owner == owner).count()
    }

    pub(super) fn take(
        &mut self,
        owner: u64,
        wanted: &[(LockRange, LockKind)],
    ) -> Result<(), TreeError> {
        if self.count(owner).saturating_add(wanted.len()) > LOCKS_MAX {
            return Err(TreeError::TooManyOpenFiles);
        }
        let before = self.locks.len();
        for (range, kind) in wanted {
            if !self.admits(owner, *range, *kind) {
                self.locks.truncate(before);
                return Err(TreeError::LockNotGranted);
            }
            self.locks.push(Lock {
                owner,
                range: *range,
                kind: *kind,
            });
        }
        Ok(())
    }

    pub(super) fn give_back(&mut self, owner: u64, ranges: &[LockRange]) -> Result<(), TreeError> {
        for range in ranges {
            let same = |lock: &Lock| lock.owner == owner && lock.range == *range;
            let found = self.locks.iter().position(same);
            let found = found.ok_or(TreeError::RangeNotLocked)?;
            self.locks.remove(found);
            self.wake();
        }
        Ok(())
    }

    /// Takes all locks of a handle away.
    pub(super) fn release(&mut self, owner: u64) {
        self.locks.retain(|lock| lock.owner != owner);
        self.wake();
    }

    fn wake(&mut self) {
        for waiter in self.waiters.drain(..) {
            waiter.wake();
        }
    }

    fn await_change(&mut self, waker: &Waker) {
        if !self.waiters.iter().any(|waiter| waiter.will_wake(waker)) {
            self.waiters.push(waker.clone());
        }
    }

    pub(super) fn may_read(&self, owner: u64, range: LockRange) -> Result<(), TreeError> {
        self.may(range, |lock| {
            lock.owner == owner || lock.kind == LockKind::Shared
        })
    }

    /// A shared lock keeps even its owner from writing.
    pub(super) fn may_write(&self, owner: u64, range: LockRange) -> Result<(), TreeError> {
        self.may(range, |lock| {
            lock.owner == owner && lock.kind == LockKind::Exclusive
        })
    }

    fn may(&self, range: LockRange, allows: impl Fn(&Lock) -> bool) -> Result<(), TreeError> {
        if range.length == 0 || self.locks.is_empty() {
            return Ok(());
        }
        let meets = |lock: &&Lock| lock.range.meets(range);
        if self.locks.iter().filter(meets).all(allows) {
            Ok(())
        } else {
            Err(TreeError::LockConflict)
        }
    }
}

/// A lock that is waited for; see [`Claim::lock_when_free`]. Dropping it takes the wish back.
#[derive(Debug)]
#[must_use = "nothing is locked before it is awaited"]
pub struct LockWait<'a> {
    claim: &'a Claim,
    range: LockRange,
    kind: LockKind,
}

impl<'a> LockWait<'a> {
    pub(super) fn new(claim: &'a Claim, range: LockRange, kind: LockKind) -> Self {
        Self { claim, range, kind }
    }
}

impl Future for LockWait<'_> {
    type Output = Result<(), TreeError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.claim.lock(&[(self.range, self.kind)]) {
            Err(TreeError::LockNotGranted) => {}
            other => return Poll::Ready(other),
        }
        // What was given back since then has woken nobody; so one more look behind the entry.
        locked(&self.claim.held).locks.await_change(context.waker());
        match self.claim.lock(&[(self.range, self.kind)]) {
            Err(TreeError::LockNotGranted) => Poll::Pending,
            other => Poll::Ready(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Claims, FileKey, Handles, Wish};
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    fn two() -> [Claim; 2] {
        let handles = Arc::new(Handles::default());
        let wish = Wish {
            access: Claims::ALL,
            sharing: Claims::ALL,
            empties: false,
        };
        let key = FileKey {
            device: 1,
            file_id: 1,
            stream: String::new(),
        };
        [(); 2].map(|()| handles.claim(key.clone(), &wish).unwrap())
    }

    fn range(offset: u64, length: u64) -> LockRange {
        LockRange::new(offset, length)
    }

    fn taken(claim: &Claim, offset: u64, length: u64, kind: LockKind) -> bool {
        claim.lock(&[(range(offset, length), kind)]).is_ok()
    }

    #[test]
    fn exclusive_locks_stand_alone_and_shared_ones_together() {
        use LockKind::{Exclusive, Shared};
        let [one, two] = two();
        assert!(taken(&one, 0, 10, Exclusive));
        assert!(!taken(&two, 9, 1, Shared) && !taken(&two, 9, 1, Exclusive));
        assert!(!taken(&one, 9, 1, Exclusive), "not on its own either");
        assert!(taken(&one, 9, 1, Shared), "but a shared one");
        assert!(taken(&two, 10, 10, Shared) && taken(&one, 10, 10, Shared));
        assert!(!taken(&one, 19, 5, Exclusive));
    }

    #[test]
    fn ranges_without_length_lie_between_bytes() {
        use LockKind::Exclusive;
        let [one, two] = two();
        assert!(taken(&one, 10, 10, Exclusive));
        assert!(taken(&two, 10, 0, Exclusive) && taken(&two, 20, 0, Exclusive));
        assert!(!taken(&two, 11, 0, Exclusive));
        assert!(taken(&two, 10, 0, Exclusive), "and never meet each other");
    }

    #[test]
    fn ranges_may_end_with_the_last_number() {
        assert!(range(u64::MAX, 1).is_valid());
        assert!(!range(u64::MAX, 2).is_valid());
        assert!(range(0, u64::MAX).is_valid());
        assert!(range(u64::MAX, 1).meets(range(u64::MAX - 1, 2)));
    }

    #[test]
    fn locks_come_all_or_none() {
        use LockKind::{Exclusive, Shared};
        let [one, two] = two();
        assert!(taken(&one, 20, 5, Shared));
        let wanted = [(range(0, 5), Exclusive), (range(20, 5), Exclusive)];
        assert!(two.lock(&wanted).is_err());
        assert!(taken(&one, 0, 5, Exclusive));
    }

    #[test]
    fn reads_and_writes_mind_the_locks() {
        use LockKind::{Exclusive, Shared};
        let [one, two] = two();
        assert!(taken(&one, 0, 10, Exclusive) && taken(&one, 10, 10, Shared));
        assert!(one.may_read(range(0, 20)).is_ok() && one.may_write(range(0, 10)).is_ok());
        assert!(one.may_write(range(10, 1)).is_err(), "its own shared lock");
        assert!(two.may_read(range(10, 10)).is_ok() && two.may_read(range(9, 1)).is_err());
        assert!(two.may_write(range(19, 1)).is_err() && two.may_write(range(20, 1)).is_ok());
        assert!(two.may_read(range(5, 0)).is_ok(), "nothing is read");
    }

    #[test]
    fn what_is_not_locked_cannot_be_unlocked() {
        let [one, two] = two();
        assert!(taken(&one, 0, 10, LockKind::Shared));
        assert!(two.unlock(&[range(0, 10)]).is_err());
        assert!(one.unlock(&[range(0, 9)]).is_err());
        assert!(one.unlock(&[range(0, 10)]).is_ok());
        assert!(one.unlock(&[range(0, 10)]).is_err());
    }

    #[test]
    fn a_handle_has_a_limit() {
        let [one, two] = two();
        let many = vec![(range(0, 1), LockKind::Shared); LOCKS_MAX];
        one.lock(&many).unwrap();
        assert!(!taken(&one, 0, 1, LockKind::Shared));
        assert!(taken(&two, 0, 1, LockKind::Shared));
    }

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waiter_is_woken_by_an_unlock_a_close_and_its_own_close() {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        let rings = || bell.0.load(Ordering::SeqCst);
        let [one, two] = two();
        assert!(taken(&one, 0, 10, LockKind::Exclusive));
        let mut wait = two.lock_when_free(range(0, 1), LockKind::Exclusive);
        let mut poll = |context: &mut Context<'_>| Pin::new(&mut wait).poll(context);
        assert!(poll(&mut context).is_pending() && rings() == 0);
        one.unlock(&[range(0, 10)]).unwrap();
        assert_eq!(rings(), 1);
        assert!(taken(&one, 0, 1, LockKind::Shared));
        assert!(poll(&mut context).is_pending(), "another was faster");
        drop(one.release(false));
        assert_eq!(rings(), 2);
        assert!(matches!(poll(&mut context), Poll::Ready(Ok(()))));
        let mut again = two.lock_when_free(range(0, 1), LockKind::Exclusive);
        assert!(Pin::new(&mut again).poll(&mut context).is_pending());
        drop(two.release(false));
        assert_eq!(rings(), 3);
        let ended = Pin::new(&mut again).poll(&mut context);
        assert!(matches!(ended, Poll::Ready(Err(TreeError::RangeNotLocked))));
    }
}
