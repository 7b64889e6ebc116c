//! The btrfs calls that make, seal, destroy and find subvolumes. The only file with `unsafe` code.
#![expect(
    unsafe_code,
    reason = "the kernel's structures for these calls hold unions, and the calls are not known to rustix"
)]

use std::ffi::{OsStr, OsString, c_char};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use linux_raw_sys::btrfs::{
    BTRFS_SUBVOL_RDONLY, btrfs_ioctl_get_subvol_rootref_args,
    btrfs_ioctl_get_subvol_rootref_args__bindgen_ty_1, btrfs_ioctl_ino_lookup_user_args,
    btrfs_ioctl_vol_args_v2, btrfs_ioctl_vol_args_v2__bindgen_ty_1,
    btrfs_ioctl_vol_args_v2__bindgen_ty_2,
};
use linux_raw_sys::ioctl::{
    BTRFS_IOC_GET_SUBVOL_ROOTREF, BTRFS_IOC_INO_LOOKUP_USER, BTRFS_IOC_SNAP_CREATE_V2,
    BTRFS_IOC_SNAP_DESTROY_V2, BTRFS_IOC_SUBVOL_GETFLAGS, BTRFS_IOC_SUBVOL_SETFLAGS,
};
use rustix::io::Errno;
use rustix::ioctl::{Getter, Setter, Updater, ioctl};

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

/// How many subvolumes the kernel names at once.
const CHILDREN_MAX: usize = 255;

/// The subvolumes that lie directly in the subvolume of `directory` and below `directory`, as paths
/// from there.
pub(super) fn subvolumes_below(directory: BorrowedFd<'_>) -> Result<Vec<PathBuf>, Errno> {
    let mut found = Vec::new();
    let mut next = 0;
    loop {
        let mut args = btrfs_ioctl_get_subvol_rootref_args {
            min_treeid: next,
            rootref: [btrfs_ioctl_get_subvol_rootref_args__bindgen_ty_1 {
                treeid: 0,
                dirid: 0,
            }; CHILDREN_MAX],
            num_items: 0,
            align: [0; 7],
        };
        // SAFETY: the call reads and writes this structure and keeps no pointer to it.
        let asked = unsafe {
            ioctl(
                directory,
                Updater::<{ BTRFS_IOC_GET_SUBVOL_ROOTREF as _ }, _>::new(&mut args),
            )
        };
        match asked {
            // There are more of them than fit.
            Ok(()) | Err(Errno::OVERFLOW) => {}
            Err(error) => return Err(error),
        }
        let (children, _) = args
            .rootref
            .split_at_checked(usize::from(args.num_items))
            .ok_or(Errno::OVERFLOW)?;
        for child in children {
            found.extend(path_below(directory, child.treeid, child.dirid)?);
        }
        match children.last() {
            Some(last) if asked.is_err() => next = last.treeid.saturating_add(1),
            _ => return Ok(found),
        }
    }
}

/// Where the subvolume `treeid`, which is an entry of the directory `dirid`, lies below
/// `directory`; `None` where it lies elsewhere, or is gone.
fn path_below(
    directory: BorrowedFd<'_>,
    treeid: u64,
    dirid: u64,
) -> Result<Option<PathBuf>, Errno> {
    let mut args = btrfs_ioctl_ino_lookup_user_args {
        dirid,
        treeid,
        name: [0; 256],
        path: [0; 3824],
    };
    // SAFETY: as above.
    let asked = unsafe {
        ioctl(
            directory,
            Updater::<{ BTRFS_IOC_INO_LOOKUP_USER as _ }, _>::new(&mut args),
        )
    };
    match asked {
        Ok(()) => Ok(Some(Path::new(&text(&args.path)).join(text(&args.name)))),
        Err(Errno::NOENT | Errno::ACCESS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes before the NUL.
fn text(bytes: &[c_char]) -> OsString {
    let bytes = bytes.iter().take_while(|byte| **byte != 0);
    OsString::from_vec(bytes.map(|byte| byte.to_ne_bytes()[0]).collect())
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
