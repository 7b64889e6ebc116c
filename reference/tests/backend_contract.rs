//! What every backend owes, tried on the file system that it is for.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod backend;
mod common;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backend::{program, trees};
use common::Disk;
use fsrvp_reference::backend::{
    AutoBackend, BackendError, BackendKind, BackendSnapshot, BtrfsBackend, CopyBackend,
    CreateRequest, ReflinkBackend, ShadowBackend, Watch, default_place,
};
use rustix::io::Errno;
use tempfile::TempDir;
use uuid::Uuid;

/// A share's root on the file system of a backend.
struct Bench {
    backend: Arc<dyn ShadowBackend>,
    root: PathBuf,
    _holds: Holds,
}

enum Holds {
    Directory(#[expect(dead_code, reason = "lives as long as the bench")] TempDir),
    Mounted(#[expect(dead_code, reason = "lives as long as the bench")] Disk),
}

impl Bench {
    fn copy() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("share");
        fs::create_dir(&root).unwrap();
        let backend = Arc::new(CopyBackend::default());
        Some(Self {
            backend,
            root,
            _holds: Holds::Directory(directory),
        })
    }

    fn btrfs() -> Option<Self> {
        let mounted = Disk::btrfs()?;
        let root = mounted.subvolume("share");
        Some(Self {
            backend: Arc::new(BtrfsBackend),
            root,
            _holds: Holds::Mounted(mounted),
        })
    }

    /// The share is a directory somewhere below the root of its subvolume.
    fn btrfs_below() -> Option<Self> {
        let mounted = Disk::btrfs()?;
        let root = mounted.subvolume("volume").join("a/share");
        fs::create_dir_all(&root).unwrap();
        Some(Self {
            backend: Arc::new(BtrfsBackend),
            root,
            _holds: Holds::Mounted(mounted),
        })
    }

    fn auto_on_btrfs() -> Option<Self> {
        let bench = Self::btrfs()?;
        Some(Self {
            backend: Arc::new(AutoBackend::default()),
            ..bench
        })
    }

    /// A full copy on a file system that can do better.
    fn copy_on_btrfs() -> Option<Self> {
        let bench = Self::btrfs()?;
        Some(Self {
            backend: Arc::new(CopyBackend::default()),
            ..bench
        })
    }

    fn reflink_on_xfs() -> Option<Self> {
        let mounted = Disk::mount(&["mkfs.xfs", "-q", "-m", "reflink=1"])?;
        let root = mounted.path().join("share");
        fs::create_dir(&root).unwrap();
        Some(Self {
            backend: Arc::new(ReflinkBackend::default()),
            root,
            _holds: Holds::Mounted(mounted),
        })
    }

    fn reflink_on_btrfs() -> Option<Self> {
        let bench = Self::btrfs()?;
        Some(Self {
            backend: Arc::new(ReflinkBackend::default()),
            ..bench
        })
    }

    /// A shell script stands for the programs of a vendor.
    fn command() -> Option<Self> {
        let bench = Self::copy()?;
        Some(Self {
            backend: Arc::new(program::backend(bench.root.parent().unwrap())),
            ..bench
        })
    }

    fn place(&self) -> PathBuf {
        default_place(&self.root)
    }

    fn request(&self, id: u128, writable: bool) -> CreateRequest {
        CreateRequest {
            source_root: self.root.clone(),
            place: self.place(),
            shadow_copy_id: Uuid::from_u128(id),
            writable,
            watch: Watch::default(),
        }
    }

    fn create(&self, id: u128, writable: bool) -> BackendSnapshot {
        self.backend.create(&self.request(id, writable)).unwrap()
    }

    fn ids(&self) -> Vec<u128> {
        let found = self.backend.list(&self.place()).unwrap();
        found
            .iter()
            .map(|snapshot| snapshot.shadow_copy_id.as_u128())
            .collect()
    }

    /// What is in the place, whoever put it there.
    fn left_over(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.place()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn write(&self, name: &str, contents: &str) {
        fs::write(self.root.join(name), contents).unwrap();
    }
}

fn holds_what_was_there_and_nothing_later(bench: &Bench) {
    fs::create_dir_all(bench.root.join("deep/er")).unwrap();
    bench.write("a", "before");
    bench.write("deep/er/b", "deep before");
    bench.write("gone", "still here");
    let open = fs::OpenOptions::new()
        .write(true)
        .open(bench.root.join("a"))
        .unwrap();
    let snapshot = bench.create(1, false);
    open.write_all_at(b"AFTER!", 0).unwrap();
    bench.write("deep/er/b", "deep after");
    bench.write("new", "new");
    fs::remove_file(bench.root.join("gone")).unwrap();
    let read = |name: &str| fs::read_to_string(snapshot.root().join(name)).unwrap();
    assert_eq!(read("a"), "before");
    assert_eq!(read("deep/er/b"), "deep before");
    assert_eq!(read("gone"), "still here");
    assert!(!snapshot.root().join("new").exists());
    assert_eq!(fs::read_to_string(bench.root.join("a")).unwrap(), "AFTER!");
}

fn leaves_other_copies_out(bench: &Bench) {
    bench.write("a", "1");
    bench.create(1, false);
    let second = bench.create(2, false);
    let inside = second.root().join(".fsrvp-copies");
    let files = walk(&inside)
        .into_iter()
        .filter(|path| path.is_file())
        .count();
    assert_eq!(files, 0, "a copy holds what an earlier copy holds");
}

fn walk(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

fn is_writable_until_it_is_sealed(bench: &Bench) {
    bench.write("a", "before");
    let snapshot = bench.create(1, true);
    let file = snapshot.root().join("a");
    fs::write(&file, "recovered").unwrap();
    fs::write(snapshot.root().join("log"), "log").unwrap();
    assert_eq!(fs::read_to_string(bench.root.join("a")).unwrap(), "before");
    bench.backend.seal(&snapshot).unwrap();
    bench.backend.seal(&snapshot).unwrap();
    if bench.backend.seals_on_disk(&snapshot) {
        let is_read_only =
            |error: std::io::Error| Errno::from_io_error(&error) == Some(Errno::ROFS);
        assert!(is_read_only(fs::write(&file, "late").unwrap_err()));
        assert!(is_read_only(
            fs::write(snapshot.root().join("late"), "x").unwrap_err()
        ));
        assert!(is_read_only(fs::remove_file(&file).unwrap_err()));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "recovered");
    assert_eq!(
        fs::read_to_string(snapshot.root().join("log")).unwrap(),
        "log"
    );
}

fn cannot_be_written_unless_asked_for(bench: &Bench) {
    bench.write("a", "before");
    let snapshot = bench.create(1, false);
    if bench.backend.seals_on_disk(&snapshot) {
        assert!(fs::write(snapshot.root().join("a"), "late").is_err());
    }
    bench.backend.seal(&snapshot).unwrap();
    assert_eq!(
        fs::read_to_string(snapshot.root().join("a")).unwrap(),
        "before"
    );
}

fn keeps_what_belongs_to_a_file(bench: &Bench) {
    let path = bench.root.join("file");
    bench.write("file", "x");
    fs::create_dir(bench.root.join("dir")).unwrap();
    bench.write("dir/inner", "y");
    rustix::fs::setxattr(&path, "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    rustix::fs::setxattr(
        bench.root.join("dir"),
        "user.dir",
        b"too",
        rustix::fs::XattrFlags::empty(),
    )
    .unwrap();
    fs::hard_link(&path, bench.root.join("dir/other-name")).unwrap();
    symlink("../file", bench.root.join("dir/link")).unwrap();
    symlink("/etc/passwd", bench.root.join("out")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4641)).unwrap();
    fs::set_permissions(bench.root.join("dir"), fs::Permissions::from_mode(0o1751)).unwrap();
    for (name, seconds) in [("file", 1_000_000_000), ("dir", 1_100_000_000)] {
        let time = rustix::fs::Timespec {
            tv_sec: seconds,
            tv_nsec: 123_456_789,
        };
        let times = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        let flags = rustix::fs::AtFlags::empty();
        rustix::fs::utimensat(rustix::fs::CWD, bench.root.join(name), &times, flags).unwrap();
    }
    let snapshot = bench.create(1, false);
    for name in ["file", "dir", "dir/inner", "dir/other-name"] {
        let is = fs::metadata(snapshot.root().join(name)).unwrap();
        let was = fs::metadata(bench.root.join(name)).unwrap();
        let facts = |m: &fs::Metadata| (m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec());
        assert_eq!(facts(&is), facts(&was), "{name}");
    }
    let xattr = |name: &str, key: &str| {
        let mut value = [0; 16];
        let length = rustix::fs::getxattr(snapshot.root().join(name), key, &mut value).unwrap();
        value[..length].to_vec()
    };
    assert_eq!(xattr("file", "user.note"), b"kept");
    assert_eq!(xattr("dir", "user.dir"), b"too");
    let inode = |name: &str| fs::metadata(snapshot.root().join(name)).unwrap().ino();
    assert_eq!(inode("file"), inode("dir/other-name"));
    let link = |name: &str| fs::read_link(snapshot.root().join(name)).unwrap();
    assert_eq!(link("dir/link"), Path::new("../file"));
    assert_eq!(link("out"), Path::new("/etc/passwd"));
}

/// A file without an ACL has none in the copy either, whatever the share's root hands down to new
/// files.
fn keeps_acls_and_hands_none_down(bench: &Bench) {
    const ACCESS: &str = "system.posix_acl_access";
    const DEFAULT: &str = "system.posix_acl_default";
    fs::create_dir_all(bench.root.join("dir/plain")).unwrap();
    bench.write("dir/with", "x");
    bench.write("without", "x");
    let acl = |path: &Path, name: &str| {
        let mut value = [0; 256];
        let length = rustix::fs::getxattr(path, name, &mut value);
        length.ok().map(|length| value[..length].to_vec())
    };
    let give = |path: &str, name: &str| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(bench.root.join(path), name, &trees::acl(), flags)
    };
    if give("dir/with", ACCESS) == Err(Errno::OPNOTSUPP) {
        // This file system has no ACLs; those of the other benches have.
        return;
    }
    give("dir", DEFAULT).unwrap();
    give("", DEFAULT).unwrap();
    let snapshot = bench.create(1, false);
    for path in ["dir", "dir/plain", "dir/with", "without"] {
        for name in [ACCESS, DEFAULT] {
            let (was, is) = (bench.root.join(path), snapshot.root().join(path));
            assert_eq!(acl(&is, name), acl(&was, name), "{path} {name}");
        }
    }
    assert!(acl(&snapshot.root().join("dir/with"), ACCESS).is_some());
}

fn keeps_holes(bench: &Bench) {
    const SIZE: u64 = 64 << 20;
    let file = fs::File::create(bench.root.join("sparse")).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.write_all_at(b"middle", SIZE / 2).unwrap();
    file.set_len(SIZE).unwrap();
    drop(file);
    let snapshot = bench.create(1, false);
    let copied = fs::File::open(snapshot.root().join("sparse")).unwrap();
    let metadata = copied.metadata().unwrap();
    assert_eq!(metadata.len(), SIZE);
    assert!(
        metadata.blocks() * 512 < 1 << 20,
        "{} bytes on disk",
        metadata.blocks() * 512
    );
    let mut bytes = [0; 6];
    copied.read_exact_at(&mut bytes, SIZE / 2).unwrap();
    assert_eq!(&bytes, b"middle");
    copied.read_exact_at(&mut bytes, SIZE - 6).unwrap();
    assert_eq!(bytes, [0; 6]);
}

fn delete_leaves_nothing_and_touches_nothing_else(bench: &Bench) {
    bench.write("a", "base");
    fs::create_dir_all(bench.root.join("locked/in")).unwrap();
    bench.write("locked/in/b", "b");
    fs::set_permissions(bench.root.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let outside = bench.root.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "stays").unwrap();
    symlink(&outside, bench.root.join("link")).unwrap();
    let (first, second) = (bench.create(1, false), bench.create(2, true));
    bench.backend.seal(&second).unwrap();
    bench.backend.delete(&second).unwrap();
    assert_eq!(bench.ids(), [1]);
    assert_eq!(fs::read_to_string(first.root().join("a")).unwrap(), "base");
    bench.backend.delete(&first).unwrap();
    bench.backend.delete(&first).unwrap();
    assert_eq!(bench.left_over(), Vec::<PathBuf>::new());
    assert_eq!(
        fs::read_to_string(outside.join("precious")).unwrap(),
        "stays"
    );
    assert_eq!(
        fs::read_to_string(bench.root.join("locked/in/b")).unwrap(),
        "b"
    );
}

fn lists_exactly_what_exists(bench: &Bench) {
    assert!(bench.ids().is_empty());
    bench.create(7, false);
    bench.create(3, true);
    fs::create_dir(bench.place().join("somebody-elses")).unwrap();
    fs::write(bench.place().join(Uuid::from_u128(9).to_string()), "a file").unwrap();
    fs::create_dir(bench.place().join(Uuid::from_u128(7).simple().to_string())).unwrap();
    symlink(
        bench.place(),
        bench.place().join(Uuid::from_u128(4).to_string()),
    )
    .unwrap();
    assert_eq!(bench.ids(), [3, 7]);
}

fn an_id_is_used_once(bench: &Bench) {
    bench.write("a", "first");
    let snapshot = bench.create(1, false);
    bench.write("a", "second");
    let again = bench.backend.create(&bench.request(1, false)).unwrap_err();
    assert!(matches!(again, BackendError::Exists(_)), "{again}");
    assert_eq!(
        fs::read_to_string(snapshot.root().join("a")).unwrap(),
        "first"
    );
    let mut left_over = bench.left_over();
    left_over.retain(|path| path.extension().is_none());
    assert_eq!(left_over, [snapshot.container()]);
}

fn many_at_once_do_not_disturb_each_other(bench: &Bench) {
    for index in 0..20 {
        bench.write(&format!("file{index}"), "contents");
    }
    std::thread::scope(|scope| {
        for id in 1..=6 {
            scope.spawn(move || {
                let snapshot = bench.create(id, id % 2 == 0);
                assert_eq!(
                    fs::read_to_string(snapshot.root().join("file19")).unwrap(),
                    "contents"
                );
                if id % 3 == 0 {
                    bench.backend.delete(&snapshot).unwrap();
                }
            });
        }
    });
    assert_eq!(bench.ids(), [1, 2, 4, 5]);
}

fn a_missing_source_is_an_error_that_leaves_nothing(bench: &Bench) {
    let mut request = bench.request(1, false);
    request.source_root = bench.root.join("missing");
    assert!(bench.backend.create(&request).is_err());
    assert!(bench.ids().is_empty());
    assert!(!bench.place().exists() || bench.left_over().is_empty());
    assert!(bench.backend.supports(&bench.root).is_ok());
}

macro_rules! contract {
    ($bench:ident: $($law:ident),+ $(,)?) => {
        mod $bench {
            $(
                #[test]
                fn $law() {
                    if let Some(bench) = super::Bench::$bench() {
                        super::$law(&bench);
                    }
                }
            )+
        }
    };
}

macro_rules! contracts {
    ($($bench:ident),+ $(,)?) => {
        $(contract!($bench:
            holds_what_was_there_and_nothing_later,
            leaves_other_copies_out,
            is_writable_until_it_is_sealed,
            cannot_be_written_unless_asked_for,
            keeps_what_belongs_to_a_file,
            keeps_holes,
            keeps_acls_and_hands_none_down,
            delete_leaves_nothing_and_touches_nothing_else,
            lists_exactly_what_exists,
            an_id_is_used_once,
            many_at_once_do_not_disturb_each_other,
            a_missing_source_is_an_error_that_leaves_nothing,
        );)+
    };
}

contracts!(
    copy,
    btrfs,
    btrfs_below,
    auto_on_btrfs,
    copy_on_btrfs,
    reflink_on_xfs,
    reflink_on_btrfs,
    command,
);

#[test]
fn auto_takes_what_fits() {
    let Some(bench) = Bench::auto_on_btrfs() else {
        return;
    };
    assert_eq!(
        bench.backend.supports(&bench.root).unwrap(),
        BackendKind::Btrfs
    );
    assert_eq!(bench.create(1, false).kind, BackendKind::Btrfs);
    // Memory clones nothing.
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    assert_eq!(
        bench.backend.supports(elsewhere.path()).unwrap(),
        BackendKind::Copy
    );
    let Some(xfs) = Bench::reflink_on_xfs() else {
        return;
    };
    assert_eq!(
        bench.backend.supports(&xfs.root).unwrap(),
        BackendKind::Reflink
    );
}

#[test]
fn backends_leave_alone_what_another_one_made() {
    let Some(bench) = Bench::btrfs() else { return };
    let (btrfs, copy) = (BtrfsBackend, CopyBackend::default());
    let subvolume = btrfs.create(&bench.request(1, false)).unwrap();
    let copied = copy.create(&bench.request(2, false)).unwrap();
    assert_eq!(btrfs.list(&bench.place()).unwrap().len(), 1);
    assert_eq!(copy.list(&bench.place()).unwrap().len(), 1);
    assert!(matches!(
        copy.delete(&subvolume),
        Err(BackendError::NotMine(_))
    ));
    assert!(matches!(
        btrfs.delete(&copied),
        Err(BackendError::NotMine(_))
    ));
    let disguised = BackendSnapshot {
        kind: BackendKind::Copy,
        ..subvolume.clone()
    };
    assert!(matches!(
        copy.delete(&disguised),
        Err(BackendError::NotMine(_))
    ));
    assert!(subvolume.root().exists() && copied.root().exists());
    assert_eq!(
        AutoBackend::default().list(&bench.place()).unwrap().len(),
        2
    );
}

#[test]
fn btrfs_refuses_another_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let refused = BtrfsBackend.supports(directory.path()).unwrap_err();
    assert!(
        matches!(refused, BackendError::Unsupported { .. }),
        "{refused}"
    );
    let Some(bench) = Bench::btrfs() else { return };
    let mut request = bench.request(1, false);
    request.place = directory.path().join("place");
    let refused = BtrfsBackend.create(&request).unwrap_err();
    assert!(
        matches!(refused, BackendError::Unsupported { .. }),
        "{refused}"
    );
}

#[test]
fn btrfs_names_the_subvolumes_that_it_leaves_out() {
    let Some(mounted) = Disk::btrfs() else { return };
    let volume = mounted.subvolume("volume");
    let share = volume.join("deep/share");
    fs::create_dir_all(share.join("a/b")).unwrap();
    let left_out = || BtrfsBackend.left_out(&share).unwrap();
    assert_eq!(left_out(), Vec::<PathBuf>::new());
    for name in [
        "volume/deep/share/a/b/nested",
        "volume/deep/share/top",
        "volume/beside",
    ] {
        mounted.subvolume(name);
    }
    fs::write(share.join("top/file"), "x").unwrap();
    let request = CreateRequest {
        source_root: share.clone(),
        place: default_place(&share),
        shadow_copy_id: Uuid::from_u128(1),
        writable: false,
        watch: Watch::default(),
    };
    // Backend snapshots are subvolumes too, and are not missed.
    let snapshot = BtrfsBackend.create(&request).unwrap();
    assert_eq!(left_out(), ["a/b/nested", "top"].map(PathBuf::from));
    assert!(!snapshot.root().join("top/file").exists());
    // More than the kernel names at once.
    for index in 0..300 {
        mounted.subvolume(&format!("volume/deep/share/a/{index}"));
    }
    assert_eq!(left_out().len(), 302);
}
