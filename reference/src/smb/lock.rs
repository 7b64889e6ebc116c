//! MS-SMB2 3.3.5.14: byte-range locks.
//!
//! `LockSequence` says which requests are replays on handles that outlive their connection; there
//! are none of those here, so it is not looked at.

use super::dispatch::Request;
use super::reply::Step;
use super::state::State;
use super::work::FileWork;
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::lock::{self, LockElement, LockFlags, Response};

/// MS-SMB2 3.3.5.14.
pub(crate) fn lock(state: &mut State, request: &Request<'_>) -> Result<Step, NtStatus> {
    let body: lock::Request = request.body()?;
    let header = &request.header;
    let file_id = request.file_id(body.file_id)?;
    let open = state
        .opens
        .get(file_id, header.session_id, header.tree_id)?;
    let file = open.file()?;
    if file.is_directory {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let first = body.locks.first().ok_or(NtStatus::INVALID_PARAMETER)?;
    let token = file.token;
    if first.flags.contains(LockFlags::UNLOCK) {
        let count = body.locks.len();
        let mut locks = body.locks;
        locks.truncate(unlocks(&locks));
        let is_whole = locks.len() == count;
        let work = FileWork::Unlock { file: token, locks };
        // MS-SMB2 3.3.5.14.1: those in front of one that is illegal are given back all the same.
        return Step::work(work, move |_, result| {
            result?;
            if is_whole {
                Step::body(&Response::default())
            } else {
                Err(NtStatus::INVALID_PARAMETER)
            }
        });
    }
    file.require(
        AccessMask::FILE_READ_DATA | AccessMask::FILE_WRITE_DATA | AccessMask::FILE_EXECUTE,
    )?;
    let wait = check_locks(&body.locks)?;
    let work = FileWork::Lock {
        file: token,
        locks: body.locks,
        wait,
    };
    Step::work_then_body(work, Response::default())
}

/// How many of the ranges, up to the first that is none, are legal to unlock.
fn unlocks(locks: &[LockElement]) -> usize {
    // MS-SMB2 2.2.26.1: no other flag goes with it.
    let is_unlock = |lock: &&LockElement| lock.flags == LockFlags::UNLOCK;
    locks.iter().take_while(is_unlock).count()
}

/// MS-SMB2 3.3.5.14.2; whether the client is ready to wait, which it may be for one lock only.
fn check_locks(locks: &[LockElement]) -> Result<bool, NtStatus> {
    let mut wait = false;
    for lock in locks {
        let kind = lock.flags.without(LockFlags::FAIL_IMMEDIATELY);
        if kind != LockFlags::SHARED_LOCK && kind != LockFlags::EXCLUSIVE_LOCK {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        wait |= kind == lock.flags;
    }
    if wait && locks.len() > 1 {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(wait)
}

#[cfg(test)]
mod tests {
    use super::{check_locks, unlocks};
    use fsrvp_wire::smb2::NtStatus;
    use fsrvp_wire::smb2::lock::{LockElement, LockFlags};

    fn locks(flags: &[LockFlags]) -> Vec<LockElement> {
        let lock = |flags: &LockFlags| LockElement {
            flags: *flags,
            ..LockElement::default()
        };
        flags.iter().map(lock).collect()
    }

    #[test]
    fn only_one_lock_may_wait() {
        let shared = LockFlags::SHARED_LOCK;
        let at_once = LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY;
        assert_eq!(check_locks(&locks(&[shared])), Ok(true));
        assert_eq!(check_locks(&locks(&[at_once])), Ok(false));
        assert_eq!(check_locks(&locks(&[at_once, at_once])), Ok(false));
        let refused = Err(NtStatus::INVALID_PARAMETER);
        assert_eq!(check_locks(&locks(&[at_once, shared])), refused);
        let both = LockFlags::SHARED_LOCK | LockFlags::EXCLUSIVE_LOCK;
        for flags in [both, LockFlags::NONE, LockFlags::UNLOCK, LockFlags(0x41)] {
            assert_eq!(check_locks(&locks(&[flags])), refused, "{flags:?}");
        }
    }

    #[test]
    fn an_unlock_locks_nothing() {
        let unlock = LockFlags::UNLOCK;
        let at_once = unlock | LockFlags::FAIL_IMMEDIATELY;
        assert_eq!(unlocks(&locks(&[unlock, unlock, at_once])), 2);
        assert_eq!(
            unlocks(&locks(&[unlock, LockFlags::SHARED_LOCK, unlock])),
            1
        );
        assert_eq!(unlocks(&locks(&[unlock | LockFlags::EXCLUSIVE_LOCK])), 0);
    }
}
