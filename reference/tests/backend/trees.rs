//! What `copy` and `reflink` owe beyond the contract.

use crate::{Bench, walk};
use fsrvp_reference::backend::{
    BackendError, BackendKind, CopyBackend, ReflinkBackend, ShadowBackend,
};
use rustix::fs::IFlags;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use uuid::Uuid;

/// An ACL as the kernel keeps it: version 2, then tag, rights and id of each entry.
pub(crate) fn acl() -> Vec<u8> {
    const NOBODY_ID: u32 = u32::MAX;
    let mut bytes = 2u32.to_le_bytes().to_vec();
    // Owner, user 1234, owning group, mask, others.
    for (tag, rights, id) in [
        (1u16, 6u16, NOBODY_ID),
        (2, 4, 1234),
        (4, 4, NOBODY_ID),
        (16, 4, NOBODY_ID),
        (32, 0, NOBODY_ID),
    ] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn bytes_free(path: &Path) -> u64 {
    let opened = fs::File::open(path).unwrap();
    rustix::fs::syncfs(opened.as_fd()).unwrap();
    let volume = rustix::fs::fstatvfs(&opened).unwrap();
    volume.f_bfree * volume.f_frsize
}

#[test]
fn a_clone_takes_no_space() {
    for bench in [Bench::reflink_on_xfs(), Bench::reflink_on_btrfs()] {
        let Some(bench) = bench else { return };
        fs::write(bench.root.join("big"), vec![7; 32 << 20]).unwrap();
        let before = bytes_free(&bench.root);
        let snapshot = bench.create(1, false);
        let taken = before.saturating_sub(bytes_free(&bench.root));
        assert!(taken < 8 << 20, "{taken} bytes");
        assert_eq!(
            fs::read(snapshot.root().join("big")).unwrap(),
            vec![7; 32 << 20]
        );
    }
}

/// btrfs clones a file without checksums only into another one without.
#[test]
fn a_file_without_checksums_is_cloned_too() {
    let Some(bench) = Bench::reflink_on_btrfs() else {
        return;
    };
    let file = fs::File::create(bench.root.join("database")).unwrap();
    let flags = rustix::fs::ioctl_getflags(&file).unwrap();
    rustix::fs::ioctl_setflags(&file, flags | IFlags::NOCOW).unwrap();
    bench.write("database", "rows");
    bench.write("other", "text");
    let snapshot = bench.create(1, false);
    for (name, contents) in [("database", "rows"), ("other", "text")] {
        let path = snapshot.root().join(name);
        assert_eq!(fs::read_to_string(path).unwrap(), contents);
    }
}

#[test]
fn reflink_refuses_a_file_system_that_cannot_clone() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let refused = ReflinkBackend::default().supports(directory.path());
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, BackendError::Unsupported { .. }),
        "{refused}"
    );
    let Some(bench) = Bench::reflink_on_xfs() else {
        return;
    };
    bench.write("file", "x");
    let mut request = bench.request(1, false);
    request.place = directory.path().join("place");
    let refused = bench.backend.create(&request).unwrap_err();
    assert!(
        matches!(refused, BackendError::Unsupported { .. }),
        "{refused}"
    );
    assert_eq!(walk(&request.place), Vec::<std::path::PathBuf>::new());
}

#[test]
fn copy_and_reflink_can_delete_what_the_other_made() {
    let Some(bench) = Bench::reflink_on_xfs() else {
        return;
    };
    bench.write("file", "x");
    let (first, second) = (bench.create(1, false), bench.create(2, false));
    assert_eq!(first.kind, BackendKind::Reflink);
    let copy = CopyBackend::default();
    copy.delete(&first).unwrap();
    assert_eq!(bench.ids(), [2]);
    copy.seal(&second).unwrap();
}

#[test]
fn who_gives_up_gets_nothing() {
    for bench in [Bench::copy(), Bench::reflink_on_xfs()] {
        let Some(bench) = bench else { return };
        bench.write("file", "x");
        let request = bench.request(1, false);
        request.watch.give_up();
        let refused = bench.backend.create(&request).unwrap_err();
        assert!(matches!(refused, BackendError::GivenUp(_)), "{refused}");
        assert_eq!(bench.left_over(), Vec::<std::path::PathBuf>::new());
    }
}

#[test]
fn what_a_crash_left_of_a_copy_is_found_and_deleted() {
    let Some(bench) = Bench::copy() else { return };
    let kept = bench.create(1, false);
    for name in [
        format!("{}.partial", Uuid::from_u128(2)),
        format!("{}.deleted", Uuid::from_u128(3)),
    ] {
        fs::create_dir_all(bench.place().join(&name).join("deep")).unwrap();
        fs::write(bench.place().join(&name).join("deep/file"), "x").unwrap();
    }
    assert_eq!(bench.ids(), [1]);
    assert_eq!(bench.backend.delete_unfinished(&bench.place()).unwrap(), 2);
    assert_eq!(bench.left_over(), [kept.container()]);
}

#[test]
fn a_copy_leaves_out_what_no_share_serves() {
    let Some(bench) = Bench::copy() else { return };
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        bench.root.join("fifo"),
        rustix::fs::Mode::RWXU,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.root.join("socket")).unwrap();
    bench.write("file", "x");
    let snapshot = bench.create(1, false);
    let names: Vec<_> = walk(&snapshot.root());
    assert_eq!(names, [snapshot.root().join("file")]);
}
