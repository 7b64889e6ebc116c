//! Where a share lies, and where its shadow copies may.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Share, ShareError, ShareKind};
use crate::backend::BackendError;
use crate::tree::COPIES_DIRECTORY;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// A mount point strictly below `root`, if there is one.
pub(super) fn mount_below(root: &Path) -> Result<Option<PathBuf>, BackendError> {
    let text = std::fs::read(MOUNTINFO).map_err(|error| BackendError::io(MOUNTINFO, error))?;
    Ok(mount_points(&text).find(|point| point != root && point.starts_with(root)))
}

/// The fifth field of each line of proc(5) mountinfo.
fn mount_points(mountinfo: &[u8]) -> impl Iterator<Item = PathBuf> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    let fields = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    fields.map(|field| PathBuf::from(std::ffi::OsString::from_vec(unescape(field))))
}

/// Spaces, tabs, line ends and backslashes stand there as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match byte.filter(|_| *first == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// `path` without links, as far as it exists.
pub(super) fn resolved(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        let (Ok(known), Ok(rest)) = (std::fs::canonicalize(ancestor), path.strip_prefix(ancestor))
        else {
            continue;
        };
        return known.join(rest);
    }
    path.to_owned()
}

/// Refuses a share whose shadow copies another share, or itself, would show, and a share that
/// would show the shadow copies of another.
pub(super) fn must_be_invisible<'a>(
    others: impl Iterator<Item = &'a Arc<Share>>,
    new: &'a Arc<Share>,
) -> Result<(), ShareError> {
    for share in others.chain([new]) {
        for (owner, viewer) in [(new, share), (share, new)] {
            let ShareKind::Base { place, .. } = &owner.kind else {
                continue;
            };
            if matches!(viewer.kind, ShareKind::Base { .. }) && shows(viewer.root(), place) {
                return Err(ShareError::PlaceVisible {
                    name: owner.name.clone(),
                    place: place.clone(),
                    seen_in: viewer.name.clone(),
                });
            }
        }
    }
    Ok(())
}

fn shows(root: &Path, place: &Path) -> bool {
    let Ok(below) = place.strip_prefix(root) else {
        return false;
    };
    let hidden = |part: &std::ffi::OsStr| part.eq_ignore_ascii_case(COPIES_DIRECTORY);
    !below.components().any(|part| hidden(part.as_os_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_escapes() {
        let text = b"22 1 8:1 / / rw - ext4 /dev/a rw\n\
            23 22 0:5 / /srv/my\\040share/sub rw,noexec shared:1 - tmpfs tmpfs rw\n\
            24 22 0:5 / /srv/back\\134slash rw - tmpfs tmpfs rw\n";
        let points: Vec<_> = mount_points(text).collect();
        let expected = ["/", "/srv/my share/sub", "/srv/back\\slash"].map(PathBuf::from);
        assert_eq!(points, expected);
    }

    #[test]
    fn only_the_hidden_directory_hides() {
        let root = Path::new("/srv/data");
        assert!(shows(root, Path::new("/srv/data/copies")));
        assert!(shows(root, Path::new("/srv/data")));
        assert!(!shows(root, Path::new("/srv/data/.fsrvp-copies")));
        assert!(!shows(root, Path::new("/srv/data/sub/.fsrvp-copies/x")));
        assert!(!shows(root, Path::new("/srv/data2/copies")));
    }
}
