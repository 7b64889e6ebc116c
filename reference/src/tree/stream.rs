//! MS-FSCC 2.1.5.3, MS-FSA 2.1.1.5: named streams of files and directories.
//!
//! A stream is one extended attribute of its file, so that it goes wherever the file goes, into
//! shadow copies too, and never outlives it. What an attribute can hold bounds it: 64 KiB on XFS
//! and on tmpfs, some 16 KiB on btrfs, the rest of one 4 KiB block on ext4. Longer ones are refused
//! as on a full disk, and keep what they had.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::metadata::through;
use super::name::fold;
use super::{TreeError, TreePath};

/// What stands before a stream's name in that of its extended attribute.
const PREFIX: &str = "user.fsrvp.stream.";

/// The most that an extended attribute can hold on Linux, in bytes.
const BYTES_MAX: usize = 64 * 1024;

/// The longest name of an extended attribute on Linux, in bytes.
const XATTR_NAME_MAX: usize = 255;

/// MS-FSCC 2.1.5.4: the type of a stream that holds data.
const DATA: &str = "$DATA";
/// MS-FSCC 2.1.5.4: the type of what a directory holds.
const INDEX_ALLOCATION: &str = "$INDEX_ALLOCATION";
/// MS-FSCC 2.1.5.3: the name of what a directory holds.
const INDEX: &str = "$I30";

/// A change of a stream reads it and writes it anew: one at a time, over all shares.
static CHANGING: Mutex<()> = Mutex::new(());

fn changing() -> MutexGuard<'static, ()> {
    CHANGING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a stream that is not the nameless one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StreamName(String);

impl StreamName {
    /// As a peer writes it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Equal for names that mean the same stream: case does not count.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }

    fn new(name: &str) -> Result<Self, TreeError> {
        let invalid = |c: char| c == '\0' || matches!(c, '\\' | '/' | ':');
        if name.is_empty() || name.contains(invalid) || PREFIX.len() + name.len() > XATTR_NAME_MAX {
            return Err(TreeError::NameInvalid);
        }
        Ok(Self(name.to_owned()))
    }

    fn xattr(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

/// What stands behind the first colon of the last name of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Suffix {
    /// The contents themselves: `::$DATA`.
    Contents,
    /// What a directory holds: `:$I30:$INDEX_ALLOCATION`.
    Index,
    /// A named stream.
    Named(StreamName),
}

impl Suffix {
    /// As a peer writes it, without the colon in front.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Contents => ":$DATA",
            Self::Index => ":$INDEX_ALLOCATION",
            Self::Named(name) => name.text(),
        }
    }

    /// Reads `name`, `name:type` or `:type`, without the colon in front.
    pub(super) fn parse(text: &str) -> Result<Self, TreeError> {
        let (name, kind) = text.split_once(':').unwrap_or((text, DATA));
        let is = |known: &str| kind.eq_ignore_ascii_case(known);
        if is(INDEX_ALLOCATION) && (name.is_empty() || name.eq_ignore_ascii_case(INDEX)) {
            return Ok(Self::Index);
        }
        if !is(DATA) {
            return Err(TreeError::NameInvalid);
        }
        if name.is_empty() {
            // `file:` names nothing.
            return match text.is_empty() {
                true => Err(TreeError::NameInvalid),
                false => Ok(Self::Contents),
            };
        }
        StreamName::new(name).map(Self::Named)
    }
}

impl TreePath {
    /// The stream that is meant, if it is a named one.
    pub fn stream(&self) -> Option<&StreamName> {
        match &self.suffix {
            Some(Suffix::Named(name)) => Some(name),
            Some(Suffix::Contents | Suffix::Index) | None => None,
        }
    }
}

/// One named stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: StreamName,
    /// Its length, in bytes.
    pub size: u64,
}

/// All named streams of a file, by name.
pub(super) fn list(file: BorrowedFd<'_>) -> Result<Vec<Stream>, TreeError> {
    let path = through(file);
    let mut streams = Vec::new();
    for name in names(&path)? {
        let size = match value(&path, &name) {
            Ok(bytes) => bytes.len() as u64,
            Err(TreeError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        streams.push(Stream { name, size });
    }
    streams.sort_by(|a, b| a.name.0.cmp(&b.name.0));
    Ok(streams)
}

/// The stream of the file that `wanted` means, in the letters that it was made with.
pub(super) fn find(
    file: BorrowedFd<'_>,
    wanted: &StreamName,
) -> Result<Option<StreamName>, TreeError> {
    let folded = wanted.folded();
    let found = names(&through(file))?;
    Ok(found.into_iter().find(|name| name.folded() == folded))
}

/// Makes an empty one.
pub(super) fn create(file: BorrowedFd<'_>, name: &StreamName) -> Result<(), TreeError> {
    let _alone = changing();
    if find(file, name)?.is_some() {
        return Err(TreeError::AlreadyExists);
    }
    set(&through(file), name, &[])
}

/// Its length, in bytes.
pub(super) fn size(file: BorrowedFd<'_>, name: &StreamName) -> Result<u64, TreeError> {
    Ok(value(&through(file), name)?.len() as u64)
}

/// Up to `length` bytes from `offset`.
pub(super) fn read(
    file: BorrowedFd<'_>,
    name: &StreamName,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, TreeError> {
    let mut bytes = value(&through(file), name)?;
    let start = usize::try_from(offset).map_or(bytes.len(), |start| start.min(bytes.len()));
    bytes.drain(..start);
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes all of `new` at `offset`; what lies in between becomes zero.
pub(super) fn write(
    file: BorrowedFd<'_>,
    name: &StreamName,
    offset: u64,
    new: &[u8],
) -> Result<(), TreeError> {
    let end = usize::try_from(offset).ok();
    let end = end.and_then(|offset| offset.checked_add(new.len()));
    let end = end.filter(|end| *end <= BYTES_MAX);
    let end = end.ok_or(TreeError::DiskFull)?;
    change(file, name, |bytes| {
        bytes.resize(bytes.len().max(end), 0);
        if let Some(place) = bytes.get_mut(end - new.len()..end) {
            place.copy_from_slice(new);
        }
    })
}

/// Cuts or extends it with zeros.
pub(super) fn set_size(
    file: BorrowedFd<'_>,
    name: &StreamName,
    size: u64,
) -> Result<(), TreeError> {
    let size = usize::try_from(size).ok().filter(|size| *size <= BYTES_MAX);
    let size = size.ok_or(TreeError::DiskFull)?;
    change(file, name, |bytes| bytes.resize(size, 0))
}

/// Makes the bytes from `offset` to in front of `beyond` zero, as far as there are any.
pub(super) fn zero(
    file: BorrowedFd<'_>,
    name: &StreamName,
    offset: u64,
    beyond: u64,
) -> Result<(), TreeError> {
    let end = usize::try_from(beyond).unwrap_or(usize::MAX);
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    change(file, name, |bytes| {
        let end = end.min(bytes.len());
        if let Some(range) = bytes.get_mut(start..end) {
            range.fill(0);
        }
    })
}

/// Removes it.
pub(super) fn remove(file: BorrowedFd<'_>, name: &StreamName) -> Result<(), TreeError> {
    Ok(rustix::fs::removexattr(through(file), name.xattr()).map_err(refused)?)
}

/// Gives it another name; one of that name goes with `replace`.
pub(super) fn rename(
    file: BorrowedFd<'_>,
    name: &StreamName,
    to: &StreamName,
    replace: bool,
) -> Result<(), TreeError> {
    let _alone = changing();
    let path = through(file);
    match find(file, to)? {
        Some(found) if found == *name => {}
        Some(_) if !replace => return Err(TreeError::AlreadyExists),
        Some(found) => remove(file, &found)?,
        None => {}
    }
    if name == to {
        return Ok(());
    }
    let bytes = value(&path, name)?;
    set(&path, to, &bytes)?;
    remove(file, name)
}

/// Brings what was written to the disk.
pub(super) fn flush(file: BorrowedFd<'_>) -> Result<(), TreeError> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open(through(file), flags, rustix::fs::Mode::empty())?;
    Ok(rustix::fs::fsync(file)?)
}

fn change(
    file: BorrowedFd<'_>,
    name: &StreamName,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<(), TreeError> {
    let _alone = changing();
    let path = through(file);
    let mut bytes = value(&path, name)?;
    change(&mut bytes);
    set(&path, name, &bytes)
}

fn names(path: &str) -> Result<Vec<StreamName>, TreeError> {
    let list = match whole(|buffer| rustix::fs::listxattr(path, buffer)) {
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        list => list?,
    };
    let names = list.split(|byte| *byte == 0);
    let names = names.filter_map(|name| std::str::from_utf8(name).ok()?.strip_prefix(PREFIX));
    // What no client can name is no stream.
    Ok(names
        .filter_map(|name| StreamName::new(name).ok())
        .collect())
}

fn value(path: &str, name: &StreamName) -> Result<Vec<u8>, TreeError> {
    Ok(whole(|buffer| rustix::fs::getxattr(path, name.xattr(), buffer)).map_err(refused)?)
}

fn set(path: &str, name: &StreamName, bytes: &[u8]) -> Result<(), TreeError> {
    rustix::fs::setxattr(path, name.xattr(), bytes, XattrFlags::empty()).map_err(|error| {
        match error {
            // What the kernel, btrfs and ext4 say of an attribute that is too long for them.
            Errno::RANGE | Errno::TOOBIG | Errno::NOSPC => TreeError::DiskFull,
            other => other.into(),
        }
    })
}

/// An attribute that is missing is a stream that is gone.
fn refused(error: Errno) -> Errno {
    match error {
        Errno::NODATA => Errno::NOENT,
        other => other,
    }
}

/// Asks with the most room that there can be, where a smaller one does not do.
fn whole(mut ask: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    for room in [1024, BYTES_MAX] {
        let mut bytes = vec![0; room];
        match ask(&mut bytes) {
            Err(Errno::RANGE) if room < BYTES_MAX => {}
            length => {
                bytes.truncate(length?);
                return Ok(bytes);
            }
        }
    }
    Err(Errno::RANGE)
}

#[cfg(test)]
mod tests {
    use super::{StreamName, Suffix};

    #[test]
    fn a_suffix_names_a_stream_or_the_contents() {
        let named = |name: &str| Some(Suffix::Named(StreamName(name.to_owned())));
        for (text, meant) in [
            ("a", named("a")),
            ("a:$DATA", named("a")),
            ("a b.c:$data", named("a b.c")),
            ("?<>*\"|", named("?<>*\"|")),
            (":$DATA", Some(Suffix::Contents)),
            (":$INDEX_ALLOCATION", Some(Suffix::Index)),
            ("$I30:$INDEX_ALLOCATION", Some(Suffix::Index)),
            ("", None),
            (":", None),
            ("a:", None),
            ("a:$FOO", None),
            ("a:$DATA:", None),
            ("a:b:$DATA", None),
            ("a/b", None),
            ("a\0", None),
            ("a:$INDEX_ALLOCATION", None),
        ] {
            assert_eq!(Suffix::parse(text).ok(), meant, "{text:?}");
        }
        assert!(Suffix::parse(&"a".repeat(237)).is_ok());
        assert!(Suffix::parse(&"a".repeat(238)).is_err());
    }
}
