//! What a rule sees of an entry of a tree.

use std::path::{Path, PathBuf};

/// One entry below the root of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path below the root.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Where it leaves the file store.
    pub junction: Option<Junction>,
    /// What it says of a reparse point.
    pub reparse: Reparse,
    /// Device and inode number, which all names of a file share.
    pub id: Option<(u64, u64)>,
}

impl Entry {
    /// An entry without anything special.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, kind: Kind) -> Entry {
        Entry {
            path: path.into(),
            kind,
            junction: None,
            reparse: Reparse::None,
            id: None,
        }
    }

    /// The number of directories between the root and the entry: 0 for what lies in the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.path.components().count().saturating_sub(1)
    }

    /// The name of the entry of the root that it lies in, or is.
    #[must_use]
    pub fn top(&self) -> &Path {
        let first = self.path.components().next();
        first.map_or(Path::new(""), |first| Path::new(first.as_os_str()))
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A directory that cannot be read.
    Unreadable,
    /// A regular file with so many names.
    File {
        /// Its link count.
        links: u64,
    },
    /// A symbolic link.
    Symlink(Link),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Nothing that lasted until it was looked at.
    Vanished,
}

/// Where a symbolic link leads, told without following it out of the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// To a file of the share.
    File,
    /// To a directory of the share.
    Directory,
    /// To nothing.
    Nothing,
    /// By an absolute path.
    Absolute,
    /// Out of the share by `..`.
    Outside,
    /// To itself, by whatever way.
    Loop,
    /// To another server: the form that Samba has for links of DFS.
    Dfs,
}

/// Where a tree leaves its file store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Junction {
    /// Another file system is mounted there.
    Mount,
    /// Another directory of the same file system is mounted there.
    Bind,
    /// A directory that the entry lies in is mounted there.
    Loop,
    /// A subvolume of btrfs.
    Subvolume,
    /// A dataset of ZFS.
    Dataset,
    /// Something is mounted there as soon as somebody looks.
    Automount,
    /// Something lies over it: a file of another file system, tmpfs, overlay.
    Over,
}

/// The tag of a reparse point (MS-FSCC 2.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReparseTag(pub u32);

impl ReparseTag {
    /// IO_REPARSE_TAG_MOUNT_POINT: a junction.
    pub const MOUNT_POINT: ReparseTag = ReparseTag(0xA000_0003);
    /// IO_REPARSE_TAG_SYMLINK.
    pub const SYMLINK: ReparseTag = ReparseTag(0xA000_000C);
}

/// What is kept of a reparse point beside an entry, where a file server keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reparse {
    /// Nothing.
    #[default]
    None,
    /// Its tag, and the attribute that goes with it.
    Tag(ReparseTag),
    /// Its data without the attribute, or the attribute without the data.
    Inconsistent,
}
