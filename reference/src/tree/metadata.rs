//! MS-FSCC 2.4 and 2.6: what is known about one file.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, Timespec, XattrFlags};
use rustix::io::Errno;

use super::TreeError;

/// Where lies what a file of this system does not have by itself: the attributes, and the time of
/// making where a client set it, and the tag of a reparse point, all as hexadecimal numbers.
pub(super) const ATTRIBUTES_XATTR: &str = "user.fsrvp.attributes";

/// Between 1601-01-01 and 1970-01-01.
const EPOCH_OFFSET_SECONDS: i128 = 11_644_473_600;
const TICKS_PER_SECOND: i128 = 10_000_000;

/// MS-DTYP 2.3.3 FILETIME: units of 100 ns since 1601-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

impl FileTime {
    /// From the seconds and nanoseconds of this system; a time that cannot be said is 0.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let ticks = (i128::from(seconds) + EPOCH_OFFSET_SECONDS) * TICKS_PER_SECOND
            + i128::from(nanoseconds) / 100;
        Self(u64::try_from(ticks).unwrap_or(0))
    }

    /// Seconds since 1970 and nanoseconds below a second.
    pub fn to_unix(self) -> (i64, u32) {
        let ticks = i128::from(self.0) - EPOCH_OFFSET_SECONDS * TICKS_PER_SECOND;
        let seconds = ticks.div_euclid(TICKS_PER_SECOND);
        let nanoseconds = ticks.rem_euclid(TICKS_PER_SECOND) * 100;
        (
            i64::try_from(seconds).unwrap_or(i64::MAX),
            u32::try_from(nanoseconds).unwrap_or(0),
        )
    }

    fn from_statx(time: StatxTimestamp) -> Self {
        Self::from_unix(time.tv_sec, time.tv_nsec)
    }
}

/// MS-FSCC 2.6 File Attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub u32);

impl Attributes {
    /// FILE_ATTRIBUTE_READONLY
    pub const READONLY: u32 = 0x0001;
    /// FILE_ATTRIBUTE_HIDDEN
    pub const HIDDEN: u32 = 0x0002;
    /// FILE_ATTRIBUTE_SYSTEM
    pub const SYSTEM: u32 = 0x0004;
    /// FILE_ATTRIBUTE_DIRECTORY
    pub const DIRECTORY: u32 = 0x0010;
    /// FILE_ATTRIBUTE_ARCHIVE
    pub const ARCHIVE: u32 = 0x0020;
    /// FILE_ATTRIBUTE_NORMAL
    pub const NORMAL: u32 = 0x0080;
    /// FILE_ATTRIBUTE_TEMPORARY, of files only
    pub const TEMPORARY: u32 = 0x0100;
    /// FILE_ATTRIBUTE_SPARSE_FILE, of files only; FSCTL_SET_SPARSE alone changes it
    pub const SPARSE: u32 = 0x0200;
    /// FILE_ATTRIBUTE_REPARSE_POINT; here: a symbolic link
    pub const REPARSE_POINT: u32 = 0x0400;
    /// FILE_ATTRIBUTE_NOT_CONTENT_INDEXED
    pub const NOT_CONTENT_INDEXED: u32 = 0x2000;

    /// The attributes that a peer may set and that are kept.
    pub const SETTABLE: u32 = Self::READONLY
        | Self::HIDDEN
        | Self::SYSTEM
        | Self::ARCHIVE
        | Self::TEMPORARY
        | Self::NOT_CONTENT_INDEXED;

    /// All attributes that are kept.
    pub(super) const KEPT: u32 = Self::SETTABLE | Self::SPARSE;

    /// Whether any of `bits` is set.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// An ordinary file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, which is never followed.
    Symlink,
    /// A FIFO, socket or device; never listed, never opened.
    Special,
}

impl FileKind {
    pub(super) fn of_type(file_type: FileType) -> Self {
        match file_type {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Symlink,
            _ => Self::Special,
        }
    }
}

/// What is known about one file at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// MS-FSCC EndOfFile, in bytes; 0 for a directory.
    pub size: u64,
    /// MS-FSCC AllocationSize, in bytes: what it takes on disk, at least 0; may be below `size`.
    pub allocation: u64,
    /// MS-FSCC CreationTime; the time of the last change where the file system keeps no birth.
    pub created: FileTime,
    /// MS-FSCC LastAccessTime.
    pub accessed: FileTime,
    /// MS-FSCC LastWriteTime.
    pub written: FileTime,
    /// MS-FSCC ChangeTime.
    pub changed: FileTime,
    /// MS-FSCC 2.6, never 0.
    pub attributes: Attributes,
    /// The inode: identifies the file as long as it exists, together with `device`.
    pub file_id: u64,
    /// The file system (or btrfs subvolume) that holds it.
    pub device: u64,
    /// How many names it has.
    pub links: u32,
    /// MS-FSCC 2.1.2.1: the tag of the reparse point that it is; 0 where it is none.
    pub reparse_tag: u32,
}

impl Metadata {
    pub(super) fn of_fd(fd: BorrowedFd<'_>) -> Result<Self, TreeError> {
        let statx = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, Self::wanted())?;
        let kind = kind_of(&statx);
        // Extended attributes cannot be read through a descriptor that only names the file.
        let kept = match kind {
            FileKind::File | FileKind::Directory => read_kept(&through(fd)),
            FileKind::Symlink | FileKind::Special => Kept::default(),
        };
        Ok(Self::from_statx(&statx, kind, kept))
    }

    fn wanted() -> StatxFlags {
        StatxFlags::BASIC_STATS | StatxFlags::BTIME
    }

    fn from_statx(statx: &Statx, kind: FileKind, kept: Kept) -> Self {
        let own = match kind {
            FileKind::Directory => Attributes::DIRECTORY,
            FileKind::Symlink => Attributes::REPARSE_POINT,
            FileKind::File | FileKind::Special => 0,
        };
        let reparse_point = match kept.tag {
            Some(_) => Attributes::REPARSE_POINT,
            None => 0,
        };
        let attributes = match own | kept.attributes | reparse_point {
            0 => Attributes::NORMAL,
            some => some,
        };
        let has_birth = statx.stx_mask & StatxFlags::BTIME.bits() != 0;
        let written = FileTime::from_statx(statx.stx_mtime);
        let changed = FileTime::from_statx(statx.stx_ctime);
        let created = if has_birth {
            FileTime::from_statx(statx.stx_btime)
        } else {
            written.min(changed)
        };
        let is_directory = kind == FileKind::Directory;
        Self {
            kind,
            size: if is_directory { 0 } else { statx.stx_size },
            allocation: if is_directory {
                0
            } else {
                statx.stx_blocks.saturating_mul(512)
            },
            created: kept.created.unwrap_or(created),
            accessed: FileTime::from_statx(statx.stx_atime),
            written,
            changed,
            attributes: Attributes(attributes),
            file_id: statx.stx_ino,
            device: (u64::from(statx.stx_dev_major) << 32) | u64::from(statx.stx_dev_minor),
            links: statx.stx_nlink,
            reparse_tag: kept.tag.unwrap_or(0),
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Whether both describe the same file.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.file_id == other.file_id && self.device == other.device
    }
}

/// The times to set; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewTimes {
    /// CreationTime: this system cannot set it, so it is kept beside the attributes.
    pub created: Option<FileTime>,
    /// LastAccessTime
    pub accessed: Option<FileTime>,
    /// LastWriteTime
    pub written: Option<FileTime>,
}

impl NewTimes {
    pub(super) fn to_timestamps(self) -> rustix::fs::Timestamps {
        rustix::fs::Timestamps {
            last_access: timespec(self.accessed),
            last_modification: timespec(self.written),
        }
    }
}

fn timespec(time: Option<FileTime>) -> Timespec {
    match time {
        Some(time) => {
            let (tv_sec, nanoseconds) = time.to_unix();
            Timespec {
                tv_sec,
                tv_nsec: i64::from(nanoseconds),
            }
        }
        None => Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
    }
}

fn kind_of(statx: &Statx) -> FileKind {
    FileKind::of_type(FileType::from_raw_mode(u32::from(statx.stx_mode)))
}

/// A path that means exactly the file behind `fd`, whatever happens to its names.
pub(super) fn through(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// What is kept in [`ATTRIBUTES_XATTR`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Of [`Attributes::KEPT`].
    pub(super) attributes: u32,
    /// When it was made, where a client said so.
    pub(super) created: Option<FileTime>,
    /// The tag of the reparse point that it is.
    pub(super) tag: Option<u32>,
}

pub(super) fn read_kept(path: &str) -> Kept {
    let mut buffer = [0_u8; 48];
    let length = match rustix::fs::getxattr(path, ATTRIBUTES_XATTR, &mut buffer) {
        Ok(length) => length,
        // Nothing was ever set, or this file system keeps none.
        Err(_) => return Kept::default(),
    };
    let text = buffer
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let mut words = text.unwrap_or_default().split(' ');
    let bits = words
        .next()
        .and_then(|text| u32::from_str_radix(text, 16).ok());
    let created = words.next();
    let created = created.and_then(|text| u64::from_str_radix(text, 16).ok());
    let tag = words.next();
    let tag = tag.and_then(|text| u32::from_str_radix(text, 16).ok());
    Kept {
        attributes: bits.unwrap_or(0) & Attributes::KEPT,
        created: created.map(FileTime),
        tag,
    }
}

pub(super) fn write_kept(fd: BorrowedFd<'_>, kept: Kept) -> Result<(), TreeError> {
    let path = through(fd);
    let attributes = kept.attributes & Attributes::KEPT;
    let created = kept.created.map(|created| format!("{:x}", created.0));
    // A time that nobody set is no number.
    let created = created.unwrap_or_else(|| "-".to_owned());
    let text = match kept {
        Kept { tag: Some(tag), .. } => format!("{attributes:x} {created} {tag:x}"),
        Kept {
            created: Some(_), ..
        } => format!("{attributes:x} {created}"),
        _ if attributes == 0 => {
            return match rustix::fs::removexattr(&path, ATTRIBUTES_XATTR) {
                Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        _ => format!("{attributes:x}"),
    };
    Ok(rustix::fs::setxattr(
        &path,
        ATTRIBUTES_XATTR,
        text.as_bytes(),
        XattrFlags::empty(),
    )?)
}

pub(super) fn set_times(fd: BorrowedFd<'_>, times: NewTimes) -> Result<(), TreeError> {
    let path = through(fd);
    let flags = AtFlags::empty();
    Ok(rustix::fs::utimensat(
        fd.as_fd(),
        path,
        &times.to_timestamps(),
        flags,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_time_survives_both_ways(ticks in any::<u64>()) {
            let (seconds, nanoseconds) = FileTime(ticks).to_unix();
            prop_assert_eq!(FileTime::from_unix(seconds, nanoseconds), FileTime(ticks));
        }
    }

    #[test]
    fn the_epoch_is_where_the_specification_has_it() {
        assert_eq!(FileTime::from_unix(0, 0), FileTime(116_444_736_000_000_000));
        assert_eq!(FileTime(0).to_unix(), (-11_644_473_600, 0));
    }
}
