//! Extended attributes, and with them POSIX ACLs and security labels.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::XattrFlags;
use rustix::io::Errno;

/// What has extended attributes.
pub(super) enum Holder<'a> {
    /// An open file or directory.
    Opened(BorrowedFd<'a>),
    /// A name in an open directory that is not followed if it is a link.
    Named(OsString),
}

impl<'a> Holder<'a> {
    pub(super) fn named(directory: BorrowedFd<'_>, name: &OsStr) -> Self {
        let mut path = OsString::from(format!("/proc/self/fd/{}/", directory.as_raw_fd()));
        path.push(name);
        Self::Named(path)
    }

    fn names(&self) -> Result<Vec<u8>, Errno> {
        whole(|buffer| match self {
            Self::Opened(fd) => rustix::fs::flistxattr(fd, buffer),
            Self::Named(path) => rustix::fs::llistxattr(path, buffer),
        })
    }

    fn value(&self, name: &CStr) -> Result<Vec<u8>, Errno> {
        whole(|buffer| match self {
            Self::Opened(fd) => rustix::fs::fgetxattr(fd, name, buffer),
            Self::Named(path) => rustix::fs::lgetxattr(path, name, buffer),
        })
    }

    fn set(&self, name: &CStr, value: &[u8]) -> Result<(), Errno> {
        match self {
            Self::Opened(fd) => rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()),
            Self::Named(path) => rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()),
        }
    }
}

/// Asks with more and more room; the kernel's own limit for both is 64 KiB.
fn whole(mut ask: impl FnMut(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut room = 1024;
    loop {
        let mut bytes = vec![0; room];
        match ask(&mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Err(Errno::RANGE) if room < 64 * 1024 => room *= 4,
            Err(error) => return Err(error),
        }
    }
}

/// A new directory may have taken over ACLs from the one above it, and would hand them down to
/// all that is made in it.
pub(super) fn drop_inherited_acls(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    for name in [c"system.posix_acl_default", c"system.posix_acl_access"] {
        match rustix::fs::fremovexattr(directory, name) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Copies all of them. Those that belong to the system (`security.`, `trusted.`) only where this
/// is permitted; a share's own data (`user.`) and ACLs must succeed.
pub(super) fn copy_xattrs(from: &Holder<'_>, to: &Holder<'_>) -> Result<(), Errno> {
    let names = match from.names() {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in names.split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::INVAL)?;
        let value = match from.value(name) {
            Ok(value) => value,
            // It went away meanwhile.
            Err(Errno::NODATA) => continue,
            Err(error) => return Err(error),
        };
        let bytes = name.to_bytes();
        let must = bytes.starts_with(b"user.") || bytes.starts_with(b"system.posix_acl_");
        match to.set(name, &value) {
            Err(error) if must => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
