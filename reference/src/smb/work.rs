//! What a connection asks of the outside: file work and FSRVP calls, and what comes back.

use super::message::Message;
use crate::rpc::{CallToken, Caller};
use fsrvp_wire::fsrvp::Call;
use fsrvp_wire::smb2::NtStatus;
use fsrvp_wire::smb2::create::{
    AccessMask, CreateAction, CreateDisposition, CreateOptions, ShareAccess,
};
use fsrvp_wire::smb2::fscc::control::FileAllocatedRangeBuffer;
use fsrvp_wire::smb2::fscc::{FileAttributes, FileTime};
use fsrvp_wire::smb2::lock::LockElement;
use fsrvp_wire::smb2::query_info::SecurityInformation;
use fsrvp_wire::srvsvc;

/// Names one piece of work of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// Names a connection of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Names a connected share of one connection, for the one who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeToken(pub u64);

/// Names an open file of one connection, for the one who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileToken(pub u64);

/// Something that only the outside can do.
#[derive(Debug)]
pub enum Effect {
    /// Answered by [`crate::smb::Connection::handle_completion`].
    File(FileWork),
    /// The client takes back what it asked by that effect. A [`FileWork::Lock`] that waits ends
    /// with `CANCELLED`; anything else ends soon by itself.
    Cancel(EffectId),
    /// Answered by [`crate::smb::Connection::handle_reply`].
    Call(RpcCall),
    /// Answered by [`crate::smb::Connection::handle_share_reply`].
    ShareCall(ShareCall),
    /// Answered by [`crate::smb::Connection::handle_completion`] with [`FileDone::Nothing`], when
    /// [`crate::smb::Connection::handle_replaced`] was called there and what it led to is done.
    EndSession(Replaced),
}

/// MS-SMB2 3.3.5.5.3: a session of another connection, whose client came back by a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Where the session is.
    pub connection: ConnectionId,
    /// The session.
    pub session_id: u64,
    /// Who came back; a session of somebody else stays.
    pub user: String,
}

/// A call about shares that came through a pipe.
#[derive(Debug)]
pub struct ShareCall {
    /// Who calls.
    pub caller: Caller,
    /// The call.
    pub call: srvsvc::Call,
}

/// An FSRVP call that came through a pipe.
#[derive(Debug)]
pub struct RpcCall {
    /// Names the call inside its pipe.
    pub token: CallToken,
    /// Who calls, and how well the call is protected.
    pub caller: Caller,
    /// The call.
    pub call: Call,
}

/// Work on a share or a file; each may block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileWork {
    /// Finds a share and what `user` may do there. Gives [`FileDone::Tree`].
    ConnectTree {
        /// The token that stands for it from now on.
        tree: TreeToken,
        /// The share's name, as the client wrote it.
        share: String,
        /// Who asks.
        user: String,
        /// Whether the user is in Administrators or Backup Operators.
        is_administrator: bool,
    },
    /// Forgets a share. Gives [`FileDone::Nothing`].
    DisconnectTree(TreeToken),
    /// Opens or makes a file. Gives [`FileDone::Opened`].
    Open(OpenWork),
    /// Gives a file back; with what it was at the end: [`FileDone::Info`] if it can be told.
    Close(FileToken),
    /// Fills `into` and gives it as [`FileDone::Data`], shorter at the end of the file.
    Read {
        /// The file.
        file: FileToken,
        /// The first byte.
        offset_bytes: u64,
        /// Where they go.
        into: Vec<u8>,
        /// How much of that is to stay in front of them.
        behind: usize,
    },
    /// Writes all of it. Gives [`FileDone::Nothing`].
    Write {
        /// The file.
        file: FileToken,
        /// Where the first byte goes.
        offset_bytes: u64,
        /// The bytes.
        data: Message,
        /// Whether they must be on disk before the answer.
        write_through: bool,
    },
    /// Brings everything to disk. Gives [`FileDone::Nothing`].
    Flush(FileToken),
    /// Gives [`FileDone::Info`].
    Info(FileToken),
    /// Gives [`FileDone::Volume`].
    Volume(TreeToken),
    /// When shadow copies of the share that holds a file were made, the newest first. Gives
    /// [`FileDone::Times`].
    PreviousVersions(FileToken),
    /// All entries of a directory. Gives [`FileDone::Entries`].
    List(FileToken),
    /// What reparse point a file is. Gives [`FileDone::ReparsePoint`].
    ReparsePoint(FileToken),
    /// Makes a file a reparse point. Gives [`FileDone::Nothing`].
    SetReparsePoint {
        /// The file.
        file: FileToken,
        /// Its tag.
        tag: u32,
        /// All of it, tag and length included.
        data: Vec<u8>,
    },
    /// Makes a reparse point an ordinary file. Gives [`FileDone::Nothing`].
    RemoveReparsePoint(FileToken),
    /// Parts of a file's security descriptor, self-relative. Gives [`FileDone::Data`].
    Security {
        /// The file.
        file: FileToken,
        /// Which parts.
        wanted: SecurityInformation,
        /// The most that the share allows the user, for a file that has none of its own.
        maximal_access: AccessMask,
    },
    /// Changes parts of a file's security descriptor. Gives [`FileDone::Nothing`].
    SetSecurity {
        /// The file.
        file: FileToken,
        /// Which parts.
        which: SecurityInformation,
        /// A self-relative descriptor that has them.
        descriptor: Vec<u8>,
        /// As for [`FileWork::Security`].
        maximal_access: AccessMask,
    },
    /// The streams of a file. Gives [`FileDone::Streams`].
    Streams(FileToken),
    /// These entries of a directory as they are now, without those that are gone. Gives
    /// [`FileDone::Entries`].
    Look {
        /// The directory.
        file: FileToken,
        /// Their names, as listed.
        names: Vec<String>,
    },
    /// Changes times and attributes. Gives [`FileDone::Nothing`].
    SetBasic {
        /// The file.
        file: FileToken,
        /// When it was made; `None` leaves it.
        creation_time: Option<FileTime>,
        /// When it was last read; `None` leaves it.
        last_access_time: Option<FileTime>,
        /// When it was last written; `None` leaves it.
        last_write_time: Option<FileTime>,
        /// Its attributes; `None` leaves them.
        attributes: Option<FileAttributes>,
    },
    /// Cuts or extends a file. Gives [`FileDone::Nothing`].
    SetEndOfFile {
        /// The file.
        file: FileToken,
        /// Its new length.
        length_bytes: u64,
    },
    /// Makes a file sparse, or not sparse. Gives [`FileDone::Nothing`].
    SetSparse {
        /// The file.
        file: FileToken,
        /// Whether it shall be.
        sparse: bool,
    },
    /// Makes a part of a file zero, as far as the file goes. Gives [`FileDone::Nothing`].
    Zero {
        /// The file.
        file: FileToken,
        /// The first byte.
        offset_bytes: u64,
        /// The byte behind the last one.
        beyond_bytes: u64,
    },
    /// The parts of a range that are no holes. Gives [`FileDone::Ranges`].
    AllocatedRanges {
        /// The file.
        file: FileToken,
        /// The first byte.
        offset_bytes: u64,
        /// How many bytes.
        length_bytes: u64,
        /// How many parts to tell at most.
        ranges_max: usize,
    },
    /// Gives a file another name. Gives [`FileDone::Nothing`].
    Rename {
        /// The file.
        file: FileToken,
        /// The new path from the share's root.
        path: String,
        /// Whether a file of that name goes.
        replace: bool,
    },
    /// Takes locks, all or none. Gives [`FileDone::Nothing`].
    Lock {
        /// The file.
        file: FileToken,
        /// The ranges.
        locks: Vec<LockElement>,
        /// Whether to wait until they are free; only where it is one.
        wait: bool,
    },
    /// Gives locks back. Gives [`FileDone::Nothing`].
    Unlock {
        /// The file.
        file: FileToken,
        /// The ranges.
        locks: Vec<LockElement>,
    },
    /// Marks a file to go when it is closed, or takes that back. Gives [`FileDone::Nothing`].
    SetDelete {
        /// The file.
        file: FileToken,
        /// Whether it shall go.
        delete: bool,
    },
}

/// What a CREATE asks of the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWork {
    /// The share.
    pub tree: TreeToken,
    /// The token that stands for the file from now on.
    pub file: FileToken,
    /// The path from the share's root, with `\` between names.
    pub path: String,
    /// MS-SMB2 2.2.13.2.7: the shadow copy of this second in place of the share itself.
    pub timewarp: Option<FileTime>,
    /// What the open shall be able to do, generic rights and `MAXIMUM_ALLOWED` as they came.
    pub desired_access: AccessMask,
    /// What others may do at the same time.
    pub share_access: ShareAccess,
    /// MS-SMB2 2.2.13.2.2: the security descriptor of a file that is made.
    pub descriptor: Option<Vec<u8>>,
    /// The attributes of a file that is made.
    pub attributes: FileAttributes,
    /// What to do when the file is there, and when it is not.
    pub disposition: CreateDisposition,
    /// How to open.
    pub options: CreateOptions,
}

/// What became of a piece of work.
pub type FileResult = Result<FileDone, NtStatus>;

/// What a piece of work gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileDone {
    /// It is done.
    Nothing,
    /// A share was found.
    Tree {
        /// The most that the user may do there.
        maximal_access: AccessMask,
        /// Whether requests to it have to be encrypted.
        encrypts: bool,
    },
    /// A file is open.
    Opened {
        /// What the open can do.
        granted_access: AccessMask,
        /// The most that the user could have asked for.
        maximal_access: AccessMask,
        /// What was done.
        action: CreateAction,
        /// What the file is.
        info: FileInfo,
    },
    /// Bytes that were read.
    Data(Vec<u8>),
    /// Times.
    Times(Vec<FileTime>),
    /// Parts of a file that are no holes.
    Ranges(Vec<FileAllocatedRangeBuffer>),
    /// What the file is.
    Info(FileInfo),
    /// What the volume is.
    Volume(Volume),
    /// The reparse point that a file is, if it is one.
    ReparsePoint(Option<Vec<u8>>),
    /// An open came upon a reparse point that is not followed.
    Stopped(Vec<u8>),
    /// What streams a file has.
    Streams(Vec<StreamInfo>),
    /// What the directory holds, `.` and `..` first.
    Entries(Vec<Entry>),
}

/// What is known about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileInfo {
    /// When it was made.
    pub creation_time: FileTime,
    /// When it was last read.
    pub last_access_time: FileTime,
    /// When it was last written.
    pub last_write_time: FileTime,
    /// When it or its attributes last changed.
    pub change_time: FileTime,
    /// Room on the volume, in bytes.
    pub allocation_size: u64,
    /// Length, in bytes.
    pub end_of_file: u64,
    /// The attributes.
    pub attributes: FileAttributes,
    /// Its number on the volume.
    pub file_id: u64,
    /// The volume.
    pub volume_id: u64,
    /// How many names it has.
    pub links: u32,
    /// Whether it goes with its last handle.
    pub delete_pending: bool,
    /// The tag of the reparse point that it is; 0 where it is none.
    pub reparse_tag: u32,
}

impl FileInfo {
    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }
}

/// One stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name; empty for the contents themselves.
    pub name: String,
    /// Its length, in bytes.
    pub size: u64,
    /// Room on the volume, in bytes.
    pub allocation_size: u64,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it names.
    pub info: FileInfo,
}

/// What is known about a share's volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Volume {
    /// Its number.
    pub serial: u64,
    /// The length of a unit, in bytes.
    pub unit_bytes: u32,
    /// How many units it has.
    pub units: u64,
    /// How many are free.
    pub units_free: u64,
    /// How many are free for the user.
    pub units_available: u64,
    /// The longest name, in UTF-16 units.
    pub name_len_max: u32,
    /// Whether nothing can be written.
    pub read_only: bool,
}
