//! MS-FSCC 2.5: the volume behind a share, and which file store a path belongs to.

use std::os::fd::BorrowedFd;
use std::path::Path;

use super::TreeError;

/// What is known about the volume that holds a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Identifies the file system or btrfs subvolume, also after a restart where it can.
    pub serial: u64,
    /// Bytes of one allocation unit.
    pub unit_bytes: u64,
    /// All units.
    pub units: u64,
    /// Units that nobody uses.
    pub units_free: u64,
    /// Units that this server may use.
    pub units_available: u64,
    /// The longest component in bytes.
    pub name_bytes_max: u64,
    /// Whether the operating system lets nothing be written there.
    pub read_only: bool,
}

impl VolumeInfo {
    pub(super) fn of(fd: BorrowedFd<'_>) -> Result<Self, TreeError> {
        let volume = rustix::fs::fstatvfs(fd)?;
        let serial = match volume.f_fsid {
            // Some file systems have no identity of their own; the device will do while it lives.
            0 => rustix::fs::fstat(fd)?.st_dev,
            fsid => fsid,
        };
        Ok(Self {
            serial,
            unit_bytes: volume.f_frsize.max(1),
            units: volume.f_blocks,
            units_free: volume.f_bfree,
            units_available: volume.f_bavail,
            name_bytes_max: volume.f_namemax,
            read_only: volume
                .f_flag
                .contains(rustix::fs::StatVfsMountFlags::RDONLY),
        })
    }
}

/// MS-FSRVP 3.1.1: the identity of the file store that holds `path`: its file system, or its
/// subvolume on btrfs, whose identity the kernel mixes into that of the file system.
///
/// # Errors
/// When the path cannot be opened.
pub fn file_store_of(path: &Path) -> Result<String, TreeError> {
    let tree = super::Tree::open(path)?;
    Ok(format!("fs-{:016x}", tree.volume_info()?.serial))
}
