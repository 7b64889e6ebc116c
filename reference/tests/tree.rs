//! What the files of a share do, and that no path leaves the share.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fsrvp_reference::tree::{
    Access, Attributes, CreateAction, Disposition, FileKind, FileTime, NewTimes, OpenOptions, Tree,
    TreeError, TreePath, Wanted,
};
use tempfile::TempDir;

struct Bench {
    directory: TempDir,
    tree: Arc<Tree>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("share")).unwrap();
        fs::create_dir(directory.path().join("outside")).unwrap();
        fs::write(directory.path().join("outside/secret"), "secret").unwrap();
        let tree = Arc::new(Tree::open(&directory.path().join("share")).unwrap());
        Self { directory, tree }
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.directory.path().join("share").join(name)
    }

    fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    fn nothing_happened_outside(&self) {
        let names: Vec<_> = fs::read_dir(self.outside())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["secret"]);
        assert_eq!(
            fs::read_to_string(self.outside().join("secret")).unwrap(),
            "secret"
        );
    }

    fn read(&self, path: &str) -> Result<String, TreeError> {
        let opened = self.tree.open_file(&at(path), &OpenOptions::read())?;
        Ok(String::from_utf8(opened.file.read(0, 100)?).unwrap())
    }

    fn names(&self, path: &str) -> Vec<String> {
        let opened = self
            .tree
            .open_file(&at(path), &OpenOptions::directory(Disposition::Open))
            .unwrap();
        opened
            .file
            .list()
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect()
    }
}

fn at(path: &str) -> TreePath {
    TreePath::parse(path).unwrap()
}

fn create() -> OpenOptions {
    OpenOptions::write(Disposition::Create)
}

#[test]
fn links_lead_nowhere() {
    let bench = Bench::new();
    fs::create_dir(bench.inside("real")).unwrap();
    fs::write(bench.inside("real/file"), "inside").unwrap();
    let secret = bench.outside().join("secret");
    symlink(&secret, bench.inside("absolute")).unwrap();
    symlink("../outside/secret", bench.inside("relative")).unwrap();
    symlink(bench.outside(), bench.inside("out")).unwrap();
    symlink("..", bench.inside("up")).unwrap();
    symlink("real", bench.inside("within")).unwrap();
    symlink("/proc/self/root", bench.inside("magic")).unwrap();
    for path in ["absolute", "relative", "out", "up", "within", "magic"] {
        assert!(
            matches!(bench.read(path), Err(TreeError::Symlink)),
            "{path}"
        );
    }
    for path in [
        "out\\secret",
        "up\\outside\\secret",
        "within\\file",
        "magic\\etc\\passwd",
        "OUT\\Secret",
    ] {
        assert!(bench.read(path).is_err(), "{path}");
        for disposition in [
            Disposition::OpenIf,
            Disposition::Create,
            Disposition::OverwriteIf,
            Disposition::Supersede,
        ] {
            assert!(
                bench
                    .tree
                    .open_file(&at(path), &OpenOptions::write(disposition))
                    .is_err(),
                "{path}"
            );
            assert!(
                bench
                    .tree
                    .open_file(&at(path), &OpenOptions::directory(disposition))
                    .is_err(),
                "{path}"
            );
        }
    }
    for path in ["out\\new", "absolute"] {
        let overwrite = OpenOptions::write(Disposition::OverwriteIf);
        assert!(
            bench.tree.open_file(&at(path), &overwrite).is_err(),
            "{path}"
        );
    }
    let file = bench
        .tree
        .open_file(&at("real\\file"), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(file.rename(&at("out\\moved"), true).is_err());
    assert!(file.rename(&at("up\\moved"), true).is_err());
    bench.nothing_happened_outside();
    assert!(!bench.directory.path().join("moved").exists());
}

#[test]
fn a_link_is_listed_and_can_be_removed_as_itself() {
    let bench = Bench::new();
    symlink(bench.outside().join("secret"), bench.inside("link")).unwrap();
    let as_itself = OpenOptions {
        open_link: true,
        ..OpenOptions::read()
    };
    let link = bench.tree.open_file(&at("link"), &as_itself).unwrap().file;
    assert_eq!(link.kind(), FileKind::Symlink);
    assert!(
        link.metadata()
            .unwrap()
            .attributes
            .has(Attributes::REPARSE_POINT)
    );
    assert!(link.read(0, 10).is_err() && link.overwrite(Attributes(0)).is_err());
    assert!(
        link.set_times(NewTimes {
            written: Some(FileTime(1)),
            ..NewTimes::default()
        })
        .is_err()
    );
    assert_eq!(bench.names(""), [".", "..", "link"]);
    link.rename(&at("moved"), false).unwrap();
    link.remove().unwrap();
    assert_eq!(bench.names(""), [".", ".."]);
    bench.nothing_happened_outside();
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `attempt` while `share/door` is now a directory, now a link to the outside.
fn while_the_door_swings(bench: &Bench, attempt: impl Fn(usize)) {
    fs::create_dir(bench.inside("door")).unwrap();
    fs::write(bench.inside("door/secret"), "inside").unwrap();
    symlink(bench.outside(), bench.inside("trap")).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (door, trap) = (bench.inside("door"), bench.inside("trap"));
            while !over.load(Ordering::Relaxed) {
                let (from, to) = (rustix::fs::CWD, rustix::fs::CWD);
                rustix::fs::renameat_with(
                    from,
                    &door,
                    to,
                    &trap,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
            }
        });
        // Also when an attempt fails, or the door would swing for ever.
        let _stop = Stop(&over);
        for round in 0..3000 {
            attempt(round);
        }
    });
}

#[test]
fn a_link_swapped_in_during_an_open_leads_nowhere() {
    let bench = Bench::new();
    let seen_inside = AtomicBool::new(false);
    while_the_door_swings(&bench, |round| {
        match bench.read("door\\secret") {
            Ok(contents) => {
                assert_eq!(contents, "inside");
                seen_inside.store(true, Ordering::Relaxed);
            }
            Err(
                TreeError::Symlink
                | TreeError::NotFound
                | TreeError::PathNotFound
                | TreeError::Io(_),
            ) => {}
            Err(other) => panic!("{other:?}"),
        }
        // Also through the search without case, and with what creates and removes.
        if let Ok(contents) = bench.read("DOOR\\Secret") {
            assert_eq!(contents, "inside");
        }
        let new = format!("door\\new{round}");
        let _ = bench.tree.open_file(&at(&new), &create());
        let _ = bench.tree.open_file(
            &at(&format!("{new}d")),
            &OpenOptions::directory(Disposition::Create),
        );
        if let Ok(opened) = bench.tree.open_file(&at(&new), &OpenOptions::read()) {
            let _ = opened
                .file
                .rename(&at(&format!("door\\moved{round}")), true);
            let _ = opened.file.remove();
        }
    });
    assert!(
        seen_inside.load(Ordering::Relaxed),
        "the door was never open"
    );
    bench.nothing_happened_outside();
}

#[test]
fn a_handle_whose_file_was_moved_out_changes_no_names() {
    let bench = Bench::new();
    fs::create_dir(bench.inside("dir")).unwrap();
    fs::write(bench.inside("dir/secret"), "x").unwrap();
    let file = bench
        .tree
        .open_file(&at("dir\\secret"), &OpenOptions::read())
        .unwrap()
        .file;
    fs::rename(bench.inside("dir"), bench.outside().join("dir")).unwrap();
    assert!(matches!(file.remove(), Err(TreeError::NotFound)));
    assert!(matches!(
        file.rename(&at("back"), true),
        Err(TreeError::NotFound)
    ));
    assert!(bench.outside().join("dir/secret").exists());
}

#[test]
fn shadow_copies_are_never_seen() {
    let bench = Bench::new();
    fs::create_dir_all(bench.inside(".fsrvp-copies/id")).unwrap();
    fs::write(bench.inside(".fsrvp-copies/id/file"), "x").unwrap();
    fs::create_dir_all(bench.inside("sub/.fsrvp-copies")).unwrap();
    assert_eq!(bench.names(""), [".", "..", "sub"]);
    assert_eq!(bench.names("sub"), [".", ".."]);
    for path in [
        ".fsrvp-copies",
        ".FSRVP-copies",
        ".fsrvp-copies\\id\\file",
        "sub\\.fsrvp-copies",
    ] {
        assert!(
            matches!(bench.read(path), Err(TreeError::NotFound)),
            "{path}"
        );
        for disposition in [Disposition::Create, Disposition::OpenIf] {
            let options = OpenOptions::directory(disposition);
            assert!(bench.tree.open_file(&at(path), &options).is_err(), "{path}");
        }
    }
    let sub = bench
        .tree
        .open_file(&at("sub"), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(sub.rename(&at(".fsrvp-copies\\sub"), false).is_err());
    assert!(sub.rename(&at("x\\.fsrvp-copies"), false).is_err());
}

#[test]
fn dispositions_do_what_the_specification_says() {
    use CreateAction::{Created, Opened, Overwritten, Superseded};
    let table = [
        (
            Disposition::Supersede,
            Some(Created),
            Some((Superseded, "")),
        ),
        (Disposition::Open, None, Some((Opened, "old"))),
        (Disposition::Create, Some(Created), None),
        (Disposition::OpenIf, Some(Created), Some((Opened, "old"))),
        (Disposition::Overwrite, None, Some((Overwritten, ""))),
        (
            Disposition::OverwriteIf,
            Some(Created),
            Some((Overwritten, "")),
        ),
    ];
    for (disposition, when_missing, when_there) in table {
        let bench = Bench::new();
        let options = OpenOptions::write(disposition);
        let missing = bench.tree.open_file(&at("missing"), &options);
        match (missing, when_missing) {
            (Ok(opened), Some(action)) => assert_eq!(opened.action, action),
            (Err(TreeError::NotFound), None) => assert!(!bench.inside("missing").exists()),
            (other, _) => panic!("{disposition:?}: {other:?}"),
        }
        fs::write(bench.inside("there"), "old").unwrap();
        let kept = bench.tree.open_file(
            &at("there"),
            &OpenOptions {
                keep_contents: true,
                ..options
            },
        );
        assert_eq!(fs::read_to_string(bench.inside("there")).unwrap(), "old");
        match (bench.tree.open_file(&at("there"), &options), when_there) {
            (Ok(opened), Some((action, contents))) => {
                assert_eq!((opened.action, kept.unwrap().action), (action, action));
                assert_eq!(fs::read_to_string(bench.inside("there")).unwrap(), contents);
            }
            (Err(TreeError::AlreadyExists), None) => {}
            (other, _) => panic!("{disposition:?}: {other:?}"),
        }
        let parents = bench.tree.open_file(&at("no\\such"), &options);
        assert!(
            matches!(parents, Err(TreeError::PathNotFound)),
            "{parents:?}"
        );
    }
}

#[test]
fn what_is_wanted_is_what_is_opened() {
    let bench = Bench::new();
    fs::write(bench.inside("file"), "x").unwrap();
    fs::create_dir(bench.inside("dir")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        bench.inside("fifo"),
        rustix::fs::Mode::RWXU,
    )
    .unwrap();
    let open = |path: &str, wanted| {
        let options = OpenOptions {
            wanted,
            ..OpenOptions::read()
        };
        bench
            .tree
            .open_file(&at(path), &options)
            .map(|opened| opened.file.kind())
    };
    assert!(matches!(
        open("file", Wanted::Directory),
        Err(TreeError::NotDirectory)
    ));
    assert!(matches!(
        open("dir", Wanted::File),
        Err(TreeError::IsDirectory)
    ));
    assert_eq!(open("dir", Wanted::Any).unwrap(), FileKind::Directory);
    assert_eq!(open("", Wanted::Directory).unwrap(), FileKind::Directory);
    assert!(matches!(
        open("file\\below", Wanted::Any),
        Err(TreeError::PathNotFound)
    ));
    // An open of a FIFO would wait for its writer for ever.
    assert!(matches!(
        open("fifo", Wanted::Any),
        Err(TreeError::SpecialFile)
    ));
    assert_eq!(bench.names(""), [".", "..", "dir", "file"]);
    let made = bench
        .tree
        .open_file(&at("new"), &OpenOptions::directory(Disposition::Create))
        .unwrap();
    assert!(made.file.is_directory() && bench.inside("new").is_dir());
    let emptied = bench
        .tree
        .open_file(&at("dir"), &OpenOptions::write(Disposition::Overwrite));
    assert!(matches!(emptied, Err(TreeError::AccessDenied)));
}

#[test]
fn an_exact_name_goes_before_one_that_differs_in_case() {
    let bench = Bench::new();
    fs::create_dir(bench.inside("Dir")).unwrap();
    fs::write(bench.inside("Dir/Größe"), "umlaut").unwrap();
    fs::write(bench.inside("Dir/both"), "lower").unwrap();
    fs::write(bench.inside("Dir/BOTH"), "upper").unwrap();
    assert_eq!(bench.read("dir\\GRÖSSE").ok(), Some("umlaut".to_owned()));
    assert_eq!(bench.read("DIR\\größe").unwrap(), "umlaut");
    assert_eq!(bench.read("dir\\both").unwrap(), "lower");
    assert_eq!(bench.read("dir\\BOTH").unwrap(), "upper");
    assert_eq!(bench.read("dir\\Both").unwrap(), "upper");
    let again = bench.tree.open_file(&at("DIR\\GRÖßE"), &create());
    assert!(matches!(again, Err(TreeError::AlreadyExists)));
    bench.tree.open_file(&at("DIR\\New"), &create()).unwrap();
    assert!(bench.inside("Dir/New").exists());
}

#[test]
fn reads_and_writes_are_where_they_belong() {
    let bench = Bench::new();
    let file = bench.tree.open_file(&at("file"), &create()).unwrap().file;
    file.write(3, b"abc").unwrap();
    assert_eq!(file.read(0, 100).unwrap(), b"\0\0\0abc");
    assert_eq!(file.read(4, 1).unwrap(), b"b");
    assert_eq!(file.read(6, 10).unwrap(), b"");
    assert_eq!(file.read(u64::MAX, 10).unwrap_or_default(), b"");
    assert!(file.write(u64::MAX - 1, b"abc").is_err());
    assert!(file.set_size(u64::MAX).is_err());
    file.set_size(4).unwrap();
    file.set_allocation(1 << 20).unwrap();
    assert_eq!(file.metadata().unwrap().size, 4);
    file.set_allocation(2).unwrap();
    assert_eq!(file.metadata().unwrap().size, 2);
    file.flush().unwrap();
    let reader = bench
        .tree
        .open_file(&at("file"), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(matches!(
        reader.write(0, b"x"),
        Err(TreeError::AccessDenied)
    ));
    assert!(matches!(reader.set_size(0), Err(TreeError::AccessDenied)));
    let access = Access {
        read: false,
        write: true,
    };
    let options = OpenOptions {
        access,
        ..OpenOptions::read()
    };
    let writer = bench.tree.open_file(&at("file"), &options).unwrap().file;
    assert!(matches!(writer.read(0, 1), Err(TreeError::AccessDenied)));
}

#[test]
fn renames_replace_only_when_told() {
    let bench = Bench::new();
    for name in ["a", "b"] {
        fs::write(bench.inside(name), name).unwrap();
    }
    fs::create_dir_all(bench.inside("dir/sub")).unwrap();
    let a = bench
        .tree
        .open_file(&at("a"), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(matches!(
        a.rename(&at("B"), false),
        Err(TreeError::AlreadyExists)
    ));
    assert!(matches!(
        a.rename(&at("dir"), true),
        Err(TreeError::AccessDenied)
    ));
    assert!(matches!(
        a.rename(&at("no\\a"), true),
        Err(TreeError::PathNotFound)
    ));
    assert!(matches!(
        a.rename(&TreePath::root(), true),
        Err(TreeError::AccessDenied)
    ));
    a.rename(&at("A"), false).unwrap();
    a.rename(&at("A"), false).unwrap();
    assert_eq!(bench.names(""), [".", "..", "A", "b", "dir"]);
    a.rename(&at("b"), true).unwrap();
    assert_eq!(bench.read("b").unwrap(), "a");
    a.rename(&at("dir\\sub\\c"), false).unwrap();
    assert_eq!(a.path().unwrap(), at("dir\\sub\\c"));
    let dir = bench
        .tree
        .open_file(&at("dir"), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(dir.rename(&at("dir\\sub\\dir"), false).is_err());
    dir.rename(&at("moved"), false).unwrap();
    assert_eq!(a.path().unwrap(), at("moved\\sub\\c"));
    a.remove().unwrap();
    assert_eq!(bench.names("moved\\sub"), [".", ".."]);
    let root = bench
        .tree
        .open_file(&at(""), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(root.rename(&at("x"), false).is_err() && root.remove().is_err());
}

#[test]
fn removing_takes_this_file_and_no_other() {
    let bench = Bench::new();
    fs::create_dir(bench.inside("dir")).unwrap();
    fs::write(bench.inside("dir/file"), "x").unwrap();
    let dir = bench
        .tree
        .open_file(&at("dir"), &OpenOptions::read())
        .unwrap()
        .file;
    let file = bench
        .tree
        .open_file(&at("dir\\file"), &OpenOptions::read())
        .unwrap()
        .file;
    assert!(!dir.is_empty().unwrap());
    assert!(matches!(dir.remove(), Err(TreeError::NotEmpty)));
    fs::rename(bench.inside("dir/file"), bench.inside("dir/elsewhere")).unwrap();
    fs::write(bench.inside("dir/file"), "another").unwrap();
    file.remove().unwrap();
    assert_eq!(bench.names("dir"), [".", "..", "file"]);
    assert!(matches!(file.remove(), Err(TreeError::NotFound)));
    assert_eq!(file.read(0, 10).unwrap(), b"x");
    bench
        .tree
        .open_file(&at("dir\\file"), &OpenOptions::read())
        .unwrap()
        .file
        .remove()
        .unwrap();
    assert!(dir.is_empty().unwrap());
    dir.remove().unwrap();
}

#[test]
fn a_file_that_is_called_like_a_removed_one_stays() {
    let bench = Bench::new();
    fs::write(bench.inside("file"), "x").unwrap();
    let handle = bench
        .tree
        .open_file(&at("file"), &OpenOptions::read())
        .unwrap()
        .file;
    fs::remove_file(bench.inside("file")).unwrap();
    // What the operating system says of the place of a file that has no name any more.
    fs::write(bench.inside("file (deleted)"), "another").unwrap();
    assert!(matches!(handle.remove(), Err(TreeError::NotFound)));
    assert!(matches!(
        handle.rename(&at("moved"), true),
        Err(TreeError::NotFound)
    ));
    assert_eq!(bench.names(""), [".", "..", "file (deleted)"]);
}

#[test]
fn times_and_attributes_are_kept() {
    let bench = Bench::new();
    let options = OpenOptions {
        attributes: Attributes(Attributes::HIDDEN),
        ..create()
    };
    let file = bench.tree.open_file(&at("file"), &options).unwrap().file;
    assert_eq!(
        file.metadata().unwrap().attributes,
        Attributes(Attributes::HIDDEN)
    );
    let time = FileTime::from_unix(1_600_000_000, 123_456_700);
    let made = FileTime::from_unix(1_000_000_000, 700);
    file.set_times(NewTimes {
        created: Some(made),
        written: Some(time),
        accessed: None,
    })
    .unwrap();
    file.set_attributes(Attributes(Attributes::READONLY | Attributes::DIRECTORY))
        .unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.created, metadata.written), (made, time));
    assert_eq!(metadata.attributes, Attributes(Attributes::READONLY));
    assert_eq!((metadata.links, metadata.kind), (1, FileKind::File));
    let listed = bench
        .tree
        .open_file(&at(""), &OpenOptions::read())
        .unwrap()
        .file
        .list()
        .unwrap();
    assert_eq!(listed[2].metadata, metadata);
    let root = bench.tree.open_file(&at(""), &OpenOptions::read()).unwrap();
    let names = ["file", "gone"].map(str::to_owned);
    assert_eq!(root.file.look(&names).unwrap(), listed[2..]);
    assert!(file.look(&names).is_err());
    let write = bench
        .tree
        .open_file(&at("file"), &OpenOptions::write(Disposition::Open));
    assert!(matches!(write, Err(TreeError::AccessDenied)));
    assert!(matches!(file.remove(), Err(TreeError::AccessDenied)));
    file.set_attributes(Attributes(0)).unwrap();
    assert_eq!(
        file.metadata().unwrap().attributes,
        Attributes(Attributes::NORMAL)
    );
    file.remove().unwrap();
}

#[test]
fn names_that_are_no_names_here_can_still_be_reached() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    for name in [&b"\xFF\xFE"[..], b"a:b", b"back\\slash", b"*"] {
        fs::write(
            bench.inside("").join(std::ffi::OsStr::from_bytes(name)),
            name,
        )
        .unwrap();
    }
    let names = bench.names("");
    assert_eq!(names.len(), 6);
    for name in &names[2..] {
        let opened = bench
            .tree
            .open_file(&at(name), &OpenOptions::read())
            .unwrap();
        opened.file.remove().unwrap();
    }
    assert_eq!(bench.names("").len(), 2);
}
