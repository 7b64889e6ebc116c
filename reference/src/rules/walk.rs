//! Walks a real tree, for rules to look at its entries.
//!
//! Depth first; a directory is told before what lies in it. At most [`OPEN_MAX`] directories are open at a
//! time: of a deeper tree the upper ones are opened anew by `..`, and are the same or the walk says that they
//! moved.

use super::entry::{Entry, Junction, Kind, Link, Reparse, ReparseTag};
use super::names::holds_snapshots;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// How many directories are open at a time.
const OPEN_MAX: usize = 64;
/// The inode number of every root of a btrfs subvolume.
const SUBVOLUME_INODE: u64 = 256;
/// The inode number of what a snapshot of btrfs has in the place of a subvolume.
const EMPTY_SUBVOLUME_INODE: u64 = 2;
const BTRFS: u64 = 0x9123_683E;
const ZFS: u64 = 0x2FC1_2FC1;
const TMPFS: u64 = 0x0102_1994;
const OVERLAYFS: u64 = 0x794C_7630;
/// The longest target of a link that is read.
const TARGET_MAX: usize = 4096;
/// FILE_ATTRIBUTE_REPARSE_POINT (MS-FSCC 2.6).
const REPARSE_POINT: u32 = 0x400;
/// Where Samba keeps the data of a reparse point, and the attributes.
const REPARSE_XATTR: &str = "user.SmbReparse";
const ATTRIBUTES_XATTR: &str = "user.DOSATTRIB";

/// A walk that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The root cannot be opened.
    #[error("{path}: {source}; name a directory that can be read")]
    Root {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Something of the tree that was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Where.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// What identifies a file or directory.
type FileId = (u64, u64);

/// A directory that is being walked.
struct Frame {
    /// How much of the path is above it.
    path_len: usize,
    id: FileId,
    dir: Option<OwnedFd>,
    /// The directories in it that are not walked yet.
    pending: Vec<OsString>,
}

struct Walk<'a> {
    root: BorrowedFd<'a>,
    /// Device and mount of the root.
    home: (u64, u64),
    path: PathBuf,
    frames: Vec<Frame>,
    look: &'a mut dyn FnMut(&Entry),
    unseen: &'a mut dyn FnMut(Unseen),
}

/// Walks the tree below `root` and has `look` see each entry; `unseen` is told what nobody can see.
/// Directories of snapshots in the root are left out, which `unseen` is told as well.
///
/// Gives whether the root is the root of its file system.
///
/// # Errors
/// The root is no directory, or cannot be read.
pub fn walk(
    root: &Path,
    look: &mut dyn FnMut(&Entry),
    unseen: &mut dyn FnMut(Unseen),
) -> Result<bool, WalkError> {
    let fail = |errno: Errno| WalkError::Root {
        path: root.display().to_string(),
        source: errno.into(),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(root, flags, Mode::empty()).map_err(fail)?;
    let again = rustix::io::fcntl_dupfd_cloexec(&dir, 0).map_err(fail)?;
    let stat = look_at(dir.as_fd(), OsStr::new(""), AtFlags::EMPTY_PATH).map_err(fail)?;
    let is_file_system_root = is_mount_root(&stat) || is_subvolume(dir.as_fd(), &stat);
    let mut walk = Walk {
        root: dir.as_fd(),
        home: (device(&stat), stat.stx_mnt_id),
        path: PathBuf::new(),
        frames: Vec::new(),
        look,
        unseen,
    };
    walk.enter(again, (device(&stat), stat.stx_ino));
    walk.go();
    Ok(is_file_system_root)
}

impl Walk<'_> {
    /// Reads a directory: what is no directory is told at once, the rest waits.
    fn enter(&mut self, dir: OwnedFd, id: FileId) {
        let mut pending = Vec::new();
        match Dir::read_from(&dir) {
            Ok(names) => {
                for name in names {
                    let Ok(name) = name else {
                        self.cannot_see("its listing broke off");
                        break;
                    };
                    let name = OsStr::from_bytes(name.file_name().to_bytes());
                    if name == "." || name == ".." {
                        continue;
                    }
                    if self.frames.is_empty() && holds_snapshots(name) {
                        self.path.push(name);
                        self.cannot_see("left out: it holds snapshots of the tree");
                        self.path.pop();
                        continue;
                    }
                    self.meet(dir.as_fd(), name, &mut pending);
                }
            }
            Err(errno) => self.cannot_see(&format!("{}", io::Error::from(errno))),
        }
        // The last one is taken first.
        pending.sort_unstable_by(|a, b| b.cmp(a));
        let path_len = self.path.as_os_str().len();
        let frame = Frame {
            path_len,
            id,
            dir: Some(dir),
            pending,
        };
        self.frames.push(frame);
        let over = self.frames.len().checked_sub(OPEN_MAX + 1);
        if let Some(frame) = over.and_then(|nth| self.frames.get_mut(nth)) {
            frame.dir = None;
        }
    }

    fn go(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            match frame.pending.pop() {
                Some(name) => self.descend(&name),
                None => self.ascend(),
            }
        }
    }

    fn descend(&mut self, name: &OsStr) {
        let Some(dir) = self.frames.last().and_then(|frame| frame.dir.as_ref()) else {
            return;
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(dir, name, flags, Mode::empty());
        self.path.push(name);
        match opened {
            Ok(dir) => match look_at(dir.as_fd(), OsStr::new(""), AtFlags::EMPTY_PATH) {
                Ok(stat) if (device(&stat), stat.stx_mnt_id) == self.home => {
                    let mut entry = Entry::new(self.path.clone(), Kind::Directory);
                    entry.reparse = reparse(dir.as_fd(), OsStr::new("."));
                    (self.look)(&entry);
                    self.enter(dir, (device(&stat), stat.stx_ino));
                    return;
                }
                // Something was mounted there since it was listed.
                Ok(stat) => {
                    let junction = self.junction(dir.as_fd(), &stat, true);
                    self.tell(Kind::Directory, junction);
                }
                Err(_) => self.tell(Kind::Vanished, None),
            },
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.tell(Kind::Vanished, None),
            Err(_) => self.tell(Kind::Unreadable, None),
        }
        self.path.pop();
    }

    fn ascend(&mut self) {
        let Some(left) = self.frames.pop() else {
            return;
        };
        let Some(above) = self.frames.last_mut() else {
            return;
        };
        if above.dir.is_none() && !above.pending.is_empty() {
            above.dir = left.dir.and_then(|dir| parent(&dir, above.id));
        }
        let is_lost = above.dir.is_none() && !above.pending.is_empty();
        let rest = match is_lost {
            true => std::mem::take(&mut above.pending),
            false => Vec::new(),
        };
        let path_len = above.path_len;
        let mut bytes = std::mem::take(&mut self.path).into_os_string().into_vec();
        bytes.truncate(path_len);
        self.path = OsString::from_vec(bytes).into();
        if !rest.is_empty() {
            let what = format!(
                "it moved during the walk; {} directories were not seen",
                rest.len()
            );
            self.cannot_see(&what);
        }
    }

    /// Tells what a directory holds under `name`, or has it wait where it is one to be walked.
    fn meet(&mut self, dir: BorrowedFd<'_>, name: &OsStr, pending: &mut Vec<OsString>) {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        // Whoever renames a file makes it go for an instant.
        let stat = look_at(dir, name, flags).or_else(|_| look_at(dir, name, flags));
        self.path.push(name);
        match stat {
            Ok(stat) => {
                let junction = self.junction(dir, &stat, false);
                let is_directory =
                    FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory;
                match (is_directory, junction) {
                    (true, None) => pending.push(name.to_owned()),
                    _ => self.tell_of(dir, name, &stat, junction),
                }
            }
            Err(Errno::NOENT) => self.tell(Kind::Vanished, None),
            Err(_) => self.tell(Kind::Unreadable, None),
        }
        self.path.pop();
    }

    fn tell_of(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &OsStr,
        stat: &Statx,
        junction: Option<Junction>,
    ) {
        let kind = match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink(self.link(dir, name)),
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharacterDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            _ => Kind::File {
                links: stat.stx_nlink.into(),
            },
        };
        let is_file = matches!(kind, Kind::File { .. });
        let entry = Entry {
            path: self.path.clone(),
            kind,
            junction,
            reparse: match is_file && junction.is_none() {
                true => reparse(dir, name),
                false => Reparse::None,
            },
            id: Some((device(stat), stat.stx_ino)),
        };
        (self.look)(&entry);
    }

    fn tell(&mut self, kind: Kind, junction: Option<Junction>) {
        let mut entry = Entry::new(self.path.clone(), kind);
        entry.junction = junction;
        (self.look)(&entry);
    }

    fn cannot_see(&mut self, why: &str) {
        (self.unseen)(Unseen {
            path: self.path.clone(),
            why: why.to_owned(),
        });
    }

    /// Where an entry leaves the file store; `is_open` says that `dir` is the entry itself.
    fn junction(&self, dir: BorrowedFd<'_>, stat: &Statx, is_open: bool) -> Option<Junction> {
        let has = |flag: StatxAttributes| stat.stx_attributes.contains(flag);
        let (device, mount) = (device(stat), stat.stx_mnt_id);
        if has(StatxAttributes::AUTOMOUNT) {
            return Some(Junction::Automount);
        }
        let is_mounted = is_mount_root(stat) || mount != self.home.1;
        if !is_mounted && device == self.home.0 {
            return None;
        }
        if !is_mounted {
            let of = if is_open { magic(dir) } else { None };
            return Some(match stat.stx_ino {
                SUBVOLUME_INODE | EMPTY_SUBVOLUME_INODE => Junction::Subvolume,
                _ if of == Some(ZFS) => Junction::Dataset,
                _ => Junction::Mount,
            });
        }
        let id = (device, stat.stx_ino);
        if self.frames.iter().any(|frame| frame.id == id) {
            return Some(Junction::Loop);
        }
        let is_directory = FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory;
        if !is_directory {
            return Some(Junction::Over);
        }
        Some(match device == self.home.0 {
            true => Junction::Bind,
            false => self.mounted(),
        })
    }

    /// What kind of file system is mounted at the path that is being looked at.
    fn mounted(&self) -> Junction {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(self.root, &self.path, flags, Mode::empty());
        let magic = opened.ok().and_then(|dir| magic(dir.as_fd()));
        match magic {
            Some(TMPFS | OVERLAYFS) => Junction::Over,
            Some(ZFS) => Junction::Dataset,
            _ => Junction::Mount,
        }
    }

    /// Where a symbolic link leads. The share's root is the limit of every look.
    fn link(&self, dir: BorrowedFd<'_>, name: &OsStr) -> Link {
        let Ok(target) = rustix::fs::readlinkat(dir, name, Vec::with_capacity(256)) else {
            return Link::Nothing;
        };
        let target = target.as_bytes();
        if target.starts_with(b"msdfs:") {
            return Link::Dfs;
        }
        if target.starts_with(b"/") {
            return Link::Absolute;
        }
        if target.len() > TARGET_MAX {
            return Link::Nothing;
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = rustix::fs::openat2(self.root, &self.path, flags, Mode::empty(), resolve);
        match opened {
            Ok(found) => match rustix::fs::fstat(&found) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                    Link::Directory
                }
                _ => Link::File,
            },
            Err(Errno::XDEV) => Link::Outside,
            Err(Errno::LOOP) => Link::Loop,
            Err(_) => Link::Nothing,
        }
    }
}

fn look_at(dir: BorrowedFd<'_>, name: &OsStr, flags: AtFlags) -> rustix::io::Result<Statx> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    rustix::fs::statx(dir, name, flags, wanted)
}

fn device(stat: &Statx) -> u64 {
    (u64::from(stat.stx_dev_major) << 32) | u64::from(stat.stx_dev_minor)
}

fn is_mount_root(stat: &Statx) -> bool {
    stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

fn is_subvolume(dir: BorrowedFd<'_>, stat: &Statx) -> bool {
    stat.stx_ino == SUBVOLUME_INODE && magic(dir) == Some(BTRFS)
}

fn magic(dir: BorrowedFd<'_>) -> Option<u64> {
    let stat = rustix::fs::fstatfs(dir).ok()?;
    // The kernel's type of the field differs; no magic has more than 32 bits.
    u64::try_from(i128::from(stat.f_type) & 0xFFFF_FFFF).ok()
}

/// The directory above `dir`, where it still is the one that it was.
fn parent(dir: &OwnedFd, id: FileId) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = rustix::fs::openat(dir, "..", flags, Mode::empty()).ok()?;
    let stat = look_at(above.as_fd(), OsStr::new(""), AtFlags::EMPTY_PATH).ok()?;
    ((device(&stat), stat.stx_ino) == id).then_some(above)
}

/// What a file server keeps of a reparse point.
fn reparse(dir: BorrowedFd<'_>, name: &OsStr) -> Reparse {
    use std::os::fd::AsRawFd as _;
    let mut path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    path.push(name);
    if !may_have_attributes(&path) {
        return Reparse::None;
    }
    let mut data = [0; 8];
    let data = match rustix::fs::lgetxattr(&path, REPARSE_XATTR, &mut data[..]) {
        Ok(4..) => Some(u32::from_le_bytes([data[0], data[1], data[2], data[3]])),
        // It is longer than what is looked at.
        Err(Errno::RANGE) => tag_of_long(&path),
        _ => None,
    };
    match (data, has_reparse_attribute(&path)) {
        (None, false) => Reparse::None,
        (Some(tag), true) => Reparse::Tag(ReparseTag(tag)),
        _ => Reparse::Inconsistent,
    }
}

/// Whether it has one of the two attributes, as far as one look tells: most files have none at all.
fn may_have_attributes(path: &Path) -> bool {
    let mut names = [0; 1024];
    match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => {
            let names = names.get(..length).unwrap_or_default();
            let wanted = [REPARSE_XATTR.as_bytes(), ATTRIBUTES_XATTR.as_bytes()];
            names
                .split(|byte| *byte == 0)
                .any(|name| wanted.contains(&name))
        }
        Err(errno) => errno == Errno::RANGE,
    }
}

/// MS-FSCC 2.1.2.2: the tag is the first field, and the data has 16 KiB at most.
fn tag_of_long(path: &Path) -> Option<u32> {
    let mut data = vec![0; 16384 + 24];
    let length = rustix::fs::lgetxattr(path, REPARSE_XATTR, &mut data[..]).ok()?;
    let tag = data.get(..length)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*tag))
}

/// Samba keeps the attributes as text in front of a structure that says the same: `0x410`.
fn has_reparse_attribute(path: &Path) -> bool {
    let mut data = [0; 256];
    let length = rustix::fs::lgetxattr(path, ATTRIBUTES_XATTR, &mut data[..]).unwrap_or(0);
    let text = data.get(..length).unwrap_or_default();
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    let text = text
        .get(..end)
        .and_then(|text| std::str::from_utf8(text).ok());
    let digits = text.and_then(|text| text.strip_prefix("0x"));
    let attributes = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    attributes.is_some_and(|attributes| attributes & REPARSE_POINT != 0)
}
