//! The four btrfs calls that make, seal and destroy subvolumes. The only file with `unsafe` code.
#![expect(
    unsafe_code,
    reason = "the kernel's structures for these calls hold unions, and the calls are not known to rustix"
)]

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use linux_raw_sys::btrfs::{
    BTRFS_SUBVOL_RDONLY, btrfs_ioctl_vol_args_v2, btrfs_ioctl_vol_args_v2__bindgen_ty_1,
    btrfs_ioctl_vol_args_v2__bindgen_ty_2,
};
use linux_raw_sys::ioctl::{
    BTRFS_IOC_SNAP_CREATE_V2, BTRFS_IOC_SNAP_DESTROY_V2, BTRFS_IOC_SUBVOL_GETFLAGS,
    BTRFS_IOC_SUBVOL_SETFLAGS,
};
use rustix::io::Errno;
use rustix::ioctl::{Getter, Setter, ioctl};

/// A snapshot of the subvolume `source` as `name` in the directory `parent`.
pub(super) fn create_snapshot(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    source: BorrowedFd<'_>,
    writable: bool,
) -> Result<(), Errno> {
    let mut args = volume_args(name)?;
    args.fd = i64::from(source.as_raw_fd());
    args.flags = if writable {
        0
    } else {
        u64::from(BTRFS_SUBVOL_RDONLY)
    };
    // SAFETY: the call reads one btrfs_ioctl_vol_args_v2, whose name ends with a NUL, and keeps
    // no pointer to it; the source descriptor is borrowed until it returns.
    unsafe {
        ioctl(
            parent,
            Setter::<{ BTRFS_IOC_SNAP_CREATE_V2 as _ }, _>::new(args),
        )
    }
}

/// Destroys the subvolume `name` in the directory `parent`.
pub(super) fn destroy_subvolume(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
    let args = volume_args(name)?;
    // SAFETY: as for creating; this call reads the same structure.
    unsafe {
        ioctl(
            parent,
            Setter::<{ BTRFS_IOC_SNAP_DESTROY_V2 as _ }, _>::new(args),
        )
    }
}

/// Whether nothing in the subvolume can be written.
pub(super) fn is_read_only(subvolume: BorrowedFd<'_>) -> Result<bool, Errno> {
    // SAFETY: the call writes one u64.
    let flags: u64 = unsafe {
        ioctl(
            subvolume,
            Getter::<{ BTRFS_IOC_SUBVOL_GETFLAGS as _ }, u64>::new(),
        )?
    };
    Ok(flags & u64::from(BTRFS_SUBVOL_RDONLY) != 0)
}

/// From now on nothing in the subvolume can be opened to be written, created or removed. The
/// kernel lets descriptors go on that were open for writing before.
pub(super) fn set_read_only(subvolume: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = u64::from(BTRFS_SUBVOL_RDONLY);
    // SAFETY: the call reads one u64.
    unsafe {
        ioctl(
            subvolume,
            Setter::<{ BTRFS_IOC_SUBVOL_SETFLAGS as _ }, _>::new(flags),
        )
    }
}

fn volume_args(name: &OsStr) -> Result<btrfs_ioctl_vol_args_v2, Errno> {
    let mut bytes = [0; 4040];
    let name = name.as_bytes();
    // The last byte stays NUL.
    if name.len() >= bytes.len() || name.contains(&0) {
        return Err(Errno::NAMETOOLONG);
    }
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = from.cast_signed();
    }
    Ok(btrfs_ioctl_vol_args_v2 {
        fd: 0,
        transid: 0,
        flags: 0,
        __bindgen_anon_1: btrfs_ioctl_vol_args_v2__bindgen_ty_1 { unused: [0; 4] },
        __bindgen_anon_2: btrfs_ioctl_vol_args_v2__bindgen_ty_2 { name: bytes },
    })
}
