//! Why an operation below a share's root failed.

use rustix::io::Errno;

/// Why an operation below a share's root failed; the server maps it to an NTSTATUS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The last component does not exist.
    #[error("the name does not exist")]
    NotFound,
    /// A component before the last one does not exist or is no directory.
    #[error("a directory of the path does not exist")]
    PathNotFound,
    /// The name exists and must not.
    #[error("the name exists already")]
    AlreadyExists,
    /// The name cannot be a file's name here: characters, streams, wildcards, length.
    #[error("the name is not valid")]
    NameInvalid,
    /// A file was wanted and it is a directory.
    #[error("it is a directory")]
    IsDirectory,
    /// A directory was wanted and it is not one.
    #[error("it is not a directory")]
    NotDirectory,
    /// A directory that holds entries cannot be removed.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A symbolic link stands in the path, or was opened without saying so.
    #[error("the path runs through a symbolic link")]
    Symlink,
    /// A FIFO, socket or device, which is not served.
    #[error("it is neither a file nor a directory")]
    SpecialFile,
    /// The operating system or the share's rights refuse it.
    #[error("access is denied")]
    AccessDenied,
    /// The share, its store or the handle cannot be written.
    #[error("it is read-only")]
    ReadOnly,
    /// The share was removed while the handle was open.
    #[error("the share is gone")]
    ShareGone,
    /// A shadow copy is being taken and the wait for its end was too long.
    #[error("the file store is frozen for a shadow copy")]
    Frozen,
    /// The volume is full.
    #[error("the volume is full")]
    DiskFull,
    /// A rename would leave the file system.
    #[error("source and destination are on different file systems")]
    NotSameDevice,
    /// A number is beyond what the file system can do.
    #[error("a length or an offset is out of range")]
    OutOfRange,
    /// The file system cannot do it.
    #[error("the file system does not support it")]
    NotSupported,
    /// Another handle does not allow this open, or this open what another handle does.
    #[error("another open of the file stands against it")]
    SharingViolation,
    /// The file goes with its last handle, so nobody opens it any more.
    #[error("the file is about to be deleted")]
    DeletePending,
    /// Another one's lock forbids to read or write there.
    #[error("a part of the range is locked")]
    LockConflict,
    /// Another lock stands against the one that was asked for.
    #[error("the lock is not free")]
    LockNotGranted,
    /// There is no such lock to give back.
    #[error("the range is not locked")]
    RangeNotLocked,
    /// Too many open files.
    #[error("too many files are open")]
    TooManyOpenFiles,
    /// Anything else.
    #[error("input or output failed: {0}")]
    Io(std::io::Error),
}

impl From<Errno> for TreeError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::EXIST => Self::AlreadyExists,
            Errno::NAMETOOLONG | Errno::ILSEQ => Self::NameInvalid,
            Errno::ISDIR => Self::IsDirectory,
            Errno::NOTDIR => Self::NotDirectory,
            Errno::NOTEMPTY => Self::NotEmpty,
            Errno::LOOP => Self::Symlink,
            Errno::ACCESS | Errno::PERM | Errno::BUSY | Errno::TXTBSY => Self::AccessDenied,
            Errno::ROFS => Self::ReadOnly,
            Errno::NOSPC | Errno::DQUOT => Self::DiskFull,
            Errno::XDEV => Self::NotSameDevice,
            Errno::FBIG | Errno::OVERFLOW => Self::OutOfRange,
            Errno::OPNOTSUPP => Self::NotSupported,
            Errno::MFILE | Errno::NFILE => Self::TooManyOpenFiles,
            other => Self::Io(other.into()),
        }
    }
}

impl From<std::io::Error> for TreeError {
    fn from(error: std::io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Io(error),
        }
    }
}
