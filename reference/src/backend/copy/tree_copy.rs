//! Copying a tree entry by entry, from descriptor to descriptor.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, IFlags, Mode, OFlags, ResolveFlags, SeekFrom, Stat, Timespec,
    Timestamps, Uid,
};
use rustix::io::Errno;

use super::xattrs::{Holder, copy_xattrs, drop_inherited_acls};
use crate::backend::Watch;
use crate::backend::remove::{BELOW, entries};
use crate::tree::COPIES_DIRECTORY;

/// How much is held in memory where the kernel cannot copy by itself.
const BUFFER_BYTES: usize = 256 * 1024;

/// How much the kernel is asked to copy at once: between two pieces a copy can be given up.
const PIECE_BYTES: u64 = 32 * 1024 * 1024;

/// How the contents of files come into a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum Contents {
    /// Byte by byte, as far as the kernel knows no better way.
    Copied,
    /// As clones that share their blocks until one side is written; where the file system cannot,
    /// the copy fails.
    Cloned,
}

/// An error and the path below the source's root where it happened.
type Failure = (PathBuf, Errno);

struct Copying<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    /// The directory that holds the copy: never copied into itself.
    place: Stat,
    contents: Contents,
    watch: &'a Watch,
    /// Files with several names that were copied already, and where to.
    links: HashMap<(u64, u64), PathBuf>,
    waiting: Vec<PathBuf>,
}

/// Copies what the directory `from` holds, and its own metadata, to the empty directory `to`.
pub(in crate::backend) fn copy_tree(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    place: BorrowedFd<'_>,
    contents: Contents,
    watch: &Watch,
) -> Result<(), Failure> {
    let place = rustix::fs::fstat(place).map_err(|error| (PathBuf::new(), error))?;
    drop_inherited_acls(to).map_err(|error| (PathBuf::new(), error))?;
    let links = HashMap::new();
    let mut copying = Copying {
        from,
        to,
        place,
        contents,
        watch,
        links,
        waiting: vec![PathBuf::new()],
    };
    let mut visited = Vec::new();
    while let Some(directory) = copying.waiting.pop() {
        copying.copy_entries(&directory)?;
        visited.push(directory);
    }
    // A directory's time and mode come last: after all that is made in it, which was visited later.
    for directory in visited.iter().rev() {
        copying
            .finish_directory(directory)
            .map_err(|error| (directory.clone(), error))?;
    }
    Ok(())
}

impl Copying<'_> {
    fn copy_entries(&mut self, directory: &Path) -> Result<(), Failure> {
        let here = |error| (directory.to_owned(), error);
        let from = open(self.from, directory).map_err(here)?;
        let to = open(self.to, directory).map_err(here)?;
        for (name, file_type) in entries(from.as_fd()).map_err(here)? {
            let path = directory.join(&name);
            if self.watch.is_given_up() {
                return Err((path, Errno::CANCELED));
            }
            self.copy_entry(from.as_fd(), to.as_fd(), &name, &path, file_type)
                .map_err(|error| (path, error))?;
            self.watch.step("create.entry-copied");
        }
        Ok(())
    }

    fn copy_entry(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
        file_type: FileType,
    ) -> Result<(), Errno> {
        match file_type {
            FileType::Directory => self.make_directory(from, to, name, path),
            FileType::RegularFile => self.copy_file(from, to, name, path),
            FileType::Symlink => self.copy_symlink(from, to, name),
            _ => Ok(()),
        }
    }

    fn make_directory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
    ) -> Result<(), Errno> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_place = (stat.st_dev, stat.st_ino) == (self.place.st_dev, self.place.st_ino);
        if is_place || name.eq_ignore_ascii_case(COPIES_DIRECTORY) {
            return Ok(());
        }
        rustix::fs::mkdirat(to, name, Mode::RWXU)?;
        self.waiting.push(path.to_owned());
        Ok(())
    }

    fn copy_file(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
        path: &Path,
    ) -> Result<(), Errno> {
        // Should a FIFO have taken the place of the file, this does not wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = rustix::fs::openat2(from, name, flags, Mode::empty(), RESOLVE)?;
        let stat = rustix::fs::fstat(source.as_fd())?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        if stat.st_nlink > 1 {
            let key = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.links.get(&key) {
                return rustix::fs::linkat(self.to, first, to, name, AtFlags::empty());
            }
            self.links.insert(key, path.to_owned());
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = rustix::fs::openat2(to, name, flags, Mode::RUSR | Mode::WUSR, BELOW)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        match self.contents {
            Contents::Copied => copy_contents(source.as_fd(), target.as_fd(), size, self.watch)?,
            Contents::Cloned => clone_contents(source.as_fd(), target.as_fd(), size)?,
        }
        copy_metadata(source.as_fd(), target.as_fd(), &stat)
    }

    fn copy_symlink(
        &self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &OsStr,
    ) -> Result<(), Errno> {
        let target = rustix::fs::readlinkat(from, name, Vec::new())?;
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        rustix::fs::symlinkat(target, to, name)?;
        if_permitted(rustix::fs::chownat(
            to,
            name,
            owner(&stat),
            group(&stat),
            AtFlags::SYMLINK_NOFOLLOW,
        ))?;
        copy_xattrs(&Holder::named(from, name), &Holder::named(to, name))?;
        rustix::fs::utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn finish_directory(&self, directory: &Path) -> Result<(), Errno> {
        let from = open(self.from, directory)?;
        let to = open(self.to, directory)?;
        let stat = rustix::fs::fstat(from.as_fd())?;
        copy_metadata(from.as_fd(), to.as_fd(), &stat)
    }
}

/// Another file system that is mounted inside would be missing from a backend snapshot elsewhere;
/// here it is an error, so that what is copied is one file store.
const RESOLVE: ResolveFlags = BELOW.union(ResolveFlags::NO_XDEV);

fn open(top: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat2(top, path, flags, Mode::empty(), RESOLVE)
}

/// Lets the new, empty file `to` share all blocks of `from`, and so its holes.
pub(in crate::backend) fn clone_contents(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
) -> Result<(), Errno> {
    match rustix::fs::ioctl_ficlone(to, from) {
        // btrfs clones between files of one kind only: with checksums, or without (chattr +C).
        Err(Errno::INVAL) if size > 0 => {
            let flags = rustix::fs::ioctl_getflags(from)? & IFlags::NOCOW;
            rustix::fs::ioctl_setflags(to, rustix::fs::ioctl_getflags(to)? ^ flags)?;
            rustix::fs::ioctl_ficlone(to, from)
        }
        other => other,
    }
}

/// Copies the ranges that hold data, and leaves the holes.
fn copy_contents(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    size: u64,
    watch: &Watch,
) -> Result<(), Errno> {
    let mut at = 0;
    while at < size {
        if watch.is_given_up() {
            return Err(Errno::CANCELED);
        }
        let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            // This file system does not tell holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
            Err(error) => return Err(error),
        };
        let end = match rustix::fs::seek(from, SeekFrom::Hole(start)) {
            Ok(end) => end.min(size).min(start.saturating_add(PIECE_BYTES)),
            Err(Errno::INVAL | Errno::OPNOTSUPP) => size.min(start.saturating_add(PIECE_BYTES)),
            // The file was cut meanwhile.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error),
        };
        if end <= start {
            break;
        }
        copy_range(from, to, start, end)?;
        at = end;
    }
    rustix::fs::ftruncate(to, size)
}

fn copy_range(from: BorrowedFd<'_>, to: BorrowedFd<'_>, start: u64, end: u64) -> Result<(), Errno> {
    let (mut read_at, mut write_at) = (start, start);
    while read_at < end {
        let length = usize::try_from(end - read_at).unwrap_or(usize::MAX);
        let copied =
            rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), length);
        match copied {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return copy_by_hand(from, to, read_at, end);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn copy_by_hand(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    start: u64,
    end: u64,
) -> Result<(), Errno> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut at = start;
    while at < end {
        let left = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(BUFFER_BYTES);
        let read = match rustix::io::pread(from, buffer.get_mut(..left).unwrap_or_default(), at) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error),
        };
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            match rustix::io::pwrite(to, rest, at) {
                Ok(0) => return Err(Errno::NOSPC),
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    at += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Owner before mode (a change of owner clears set-user-ID), mode before ACL (it would change the
/// ACL's mask), times last.
fn copy_metadata(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> Result<(), Errno> {
    if_permitted(rustix::fs::fchown(to, owner(stat), group(stat)))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode))?;
    copy_xattrs(&Holder::Opened(from), &Holder::Opened(to))?;
    rustix::fs::futimens(to, &times(stat))
}

fn owner(stat: &Stat) -> Option<Uid> {
    Some(Uid::from_raw(stat.st_uid))
}

fn group(stat: &Stat) -> Option<Gid> {
    Some(Gid::from_raw(stat.st_gid))
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn if_permitted(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL) => Ok(()),
        other => other,
    }
}
