//! The table of shares: who finds what, and that nothing lands past the gate.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail the test"
)]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fsrvp_reference::agent::{ShareCatalogue, Support};
use fsrvp_reference::backend::{
    BackendSnapshot, BtrfsBackend, CopyBackend, CreateRequest, Fault, FaultControl, FaultyBackend,
    Operation, ShadowBackend, Watch,
};
use fsrvp_reference::share::{
    Access, BaseShare, ExposedShare, Rights, Share, ShareError, ShareFile, ShareKind, ShareTable,
};
use fsrvp_reference::tree::{Attributes, Disposition, NewTimes, OpenOptions, TreeError, TreePath};
use tempfile::TempDir;
use uuid::Uuid;

const BOUND: Duration = Duration::from_secs(10);

struct Bench {
    directory: TempDir,
    table: ShareTable,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            directory,
            table: ShareTable::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn base(&self, name: &str) -> BaseShare {
        fs::create_dir_all(self.path(name)).unwrap();
        BaseShare::new(
            name,
            &self.path(name),
            Arc::new(CopyBackend::without_sync()),
        )
    }

    fn add(&self, name: &str) -> Arc<Share> {
        self.table.add_base(self.base(name)).unwrap()
    }

    fn expose(&self, base: &Share, id: u128, writable: bool) -> (Arc<Share>, BackendSnapshot) {
        let ShareKind::Base { backend, place } = base.kind() else {
            panic!("not a base share")
        };
        let request = CreateRequest {
            source_root: base.root().to_owned(),
            place: place.clone(),
            shadow_copy_id: Uuid::from_u128(id),
            writable,
            watch: Watch::default(),
        };
        let snapshot = backend.create(&request).unwrap();
        let exposed = ExposedShare {
            encrypts: false,
            name: format!("{}@{{{}}}", base.name(), snapshot.shadow_copy_id),
            comment: String::new(),
            base: base.name().to_owned(),
            snapshot: snapshot.clone(),
            created: 0,
            access: base.access(),
            writable,
        };
        (self.table.add_exposed(exposed).unwrap(), snapshot)
    }
}

fn at(path: &str) -> TreePath {
    TreePath::parse(path).unwrap()
}

fn open(share: &Arc<Share>, path: &str, options: OpenOptions) -> Result<ShareFile, TreeError> {
    share
        .open(Rights::Change, &at(path), &options)
        .map(|(file, _)| file)
}

/// Every way to change something through a handle.
fn every_change(file: &ShareFile) -> Vec<Result<(), TreeError>> {
    vec![
        file.write(0, b"late"),
        file.set_size(1),
        file.set_allocation(1),
        file.overwrite(Attributes(0)),
        file.set_attributes(Attributes(Attributes::HIDDEN)),
        file.set_times(NewTimes::default()),
        file.set_sparse(true),
        file.zero(0, 1),
        file.rename(&at("late"), true),
        file.remove(),
    ]
}

fn every_way_to_create(share: &Arc<Share>) -> Vec<Result<ShareFile, TreeError>> {
    let files = [
        ("file", Disposition::Overwrite),
        ("file", Disposition::OverwriteIf),
        ("file", Disposition::Supersede),
        ("file", Disposition::Open),
        ("new", Disposition::Create),
        ("new", Disposition::OpenIf),
        ("new", Disposition::OverwriteIf),
    ];
    let reading = |disposition| OpenOptions {
        disposition,
        ..OpenOptions::read()
    };
    let mut tried: Vec<_> = files
        .iter()
        .map(|(path, disposition)| open(share, path, OpenOptions::write(*disposition)))
        .collect();
    tried.push(open(
        share,
        "dir",
        OpenOptions::directory(Disposition::Create),
    ));
    tried.push(open(
        share,
        "dir",
        OpenOptions::directory(Disposition::OpenIf),
    ));
    tried.push(open(share, "new", reading(Disposition::OpenIf)));
    tried.push(open(share, "file", reading(Disposition::Overwrite)));
    tried
}

#[test]
fn a_shadow_copy_is_writable_until_it_is_sealed_and_never_again() {
    let bench = Bench::new();
    let base = bench.add("data");
    fs::write(bench.path("data/file"), "before").unwrap();
    let (exposed, snapshot) = bench.expose(&base, 1, true);
    let handle = open(&exposed, "file", OpenOptions::write(Disposition::Open)).unwrap();
    handle.write(0, b"RECOVER").unwrap();
    exposed.seal(BOUND).unwrap();
    for refused in every_change(&handle) {
        assert!(matches!(refused, Err(TreeError::ReadOnly)), "{refused:?}");
    }
    for refused in every_way_to_create(&exposed) {
        assert!(matches!(refused, Err(TreeError::ReadOnly)), "{refused:?}");
    }
    assert_eq!(handle.read(0, 100).unwrap(), b"RECOVER");
    let reading = OpenOptions {
        disposition: Disposition::OpenIf,
        ..OpenOptions::read()
    };
    assert!(open(&exposed, "file", reading).is_ok());
    assert_eq!(
        fs::read_to_string(bench.path("data/file")).unwrap(),
        "before"
    );
    assert_eq!(fs::read_dir(snapshot.root()).unwrap().count(), 1);
    assert!(!exposed.is_writable() && base.is_writable());
}

#[test]
fn nothing_lands_after_sealing_returned() {
    let bench = Bench::new();
    let base = bench.add("data");
    fs::write(bench.path("data/file"), "0").unwrap();
    let (exposed, snapshot) = bench.expose(&base, 1, true);
    let (started, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            let handle = open(&exposed, "file", OpenOptions::write(Disposition::Open)).unwrap();
            let (started, over) = (&started, &over);
            scope.spawn(move || {
                let mut round = 0_u64;
                while !over.load(Ordering::SeqCst) {
                    round += 1;
                    let _ = handle.write(writer * 8, &round.to_le_bytes());
                    started.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while started.load(Ordering::SeqCst) < 100 {
            std::hint::spin_loop();
        }
        exposed.seal(BOUND).unwrap();
        let sealed = fs::read(snapshot.root().join("file")).unwrap();
        let then = started.load(Ordering::SeqCst);
        while started.load(Ordering::SeqCst) < then + 1000 {
            std::hint::spin_loop();
        }
        over.store(true, Ordering::SeqCst);
        assert_eq!(fs::read(snapshot.root().join("file")).unwrap(), sealed);
    });
}

#[test]
fn a_frozen_store_stands_still_on_all_its_shares() {
    let bench = Bench::new();
    let first = bench.add("first");
    let second = bench.add("second");
    let mut other = bench.base("other");
    other.store = Some("elsewhere".to_owned());
    let other = bench.table.add_base(other).unwrap();
    assert_eq!(first.volume_name(), second.volume_name());
    let freeze = bench
        .table
        .freeze([first.volume_name().to_owned()], BOUND)
        .unwrap();
    open(&other, "file", OpenOptions::write(Disposition::Create))
        .unwrap()
        .write(0, b"x")
        .unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let file = open(&second, "file", OpenOptions::write(Disposition::Create)).unwrap();
            file.write(0, b"after").unwrap();
        });
        assert!(
            bench
                .table
                .freeze([first.volume_name().to_owned()], Duration::from_millis(50))
                .is_err()
        );
        assert!(!writer.is_finished());
        assert!(!bench.path("second/file").exists());
        drop(freeze);
    });
    assert_eq!(
        fs::read_to_string(bench.path("second/file")).unwrap(),
        "after"
    );
}

#[test]
fn a_removed_share_serves_nothing() {
    let bench = Bench::new();
    let base = bench.add("data");
    fs::write(bench.path("data/file"), "before").unwrap();
    let (exposed, _) = bench.expose(&base, 1, true);
    let handle = open(&exposed, "file", OpenOptions::write(Disposition::Open)).unwrap();
    let directory = open(&exposed, "", OpenOptions::read()).unwrap();
    assert!(
        bench
            .table
            .remove(&exposed.name().to_uppercase(), BOUND)
            .unwrap()
            .is_some()
    );
    assert!(bench.table.remove(exposed.name(), BOUND).unwrap().is_none());
    assert!(bench.table.find(exposed.name()).is_none());
    let gone = |error: TreeError| assert!(matches!(error, TreeError::ShareGone), "{error:?}");
    every_change(&handle)
        .into_iter()
        .for_each(|refused| gone(refused.unwrap_err()));
    gone(handle.read(0, 1).unwrap_err());
    gone(handle.metadata().unwrap_err());
    gone(handle.flush().unwrap_err());
    gone(handle.path().unwrap_err());
    gone(directory.list().unwrap_err());
    gone(directory.is_empty().unwrap_err());
    gone(open(&exposed, "file", OpenOptions::read()).unwrap_err());
    gone(exposed.metadata(&at("file")).unwrap_err());
    exposed.seal(BOUND).unwrap();
    gone(open(&exposed, "file", OpenOptions::read()).unwrap_err());
}

#[test]
fn rights_decide_per_user() {
    let bench = Bench::new();
    let mut settings = bench.base("data");
    settings.access = Access::default()
        .with("Eve", Rights::Read)
        .with("mallory", Rights::None);
    let share = bench.table.add_base(settings).unwrap();
    fs::write(bench.path("data/file"), "x").unwrap();
    assert_eq!(share.access().rights("admin"), Rights::Change);
    assert_eq!(share.access().rights("EVE"), Rights::Read);
    assert_eq!(share.access().rights("Mallory"), Rights::None);
    let (exposed, _) = bench.expose(&share, 1, true);
    for share in [&share, &exposed] {
        let rights = share.access().rights("eve");
        let (file, _) = share
            .open(rights, &at("file"), &OpenOptions::read())
            .unwrap();
        for refused in every_change(&file) {
            assert!(
                matches!(refused, Err(TreeError::AccessDenied)),
                "{refused:?}"
            );
        }
        let write = share.open(rights, &at("file"), &OpenOptions::write(Disposition::Open));
        assert!(matches!(write, Err(TreeError::AccessDenied)));
        let rights = share.access().rights("mallory");
        let read = share.open(rights, &at("file"), &OpenOptions::read());
        assert!(matches!(read, Err(TreeError::AccessDenied)));
    }
}

#[test]
fn a_read_only_share_is_not_changed() {
    let bench = Bench::new();
    let mut settings = bench.base("data");
    settings.read_only = true;
    let share = bench.table.add_base(settings).unwrap();
    fs::write(bench.path("data/file"), "x").unwrap();
    for refused in every_way_to_create(&share) {
        assert!(matches!(refused, Err(TreeError::ReadOnly)), "{refused:?}");
    }
    let file = open(&share, "file", OpenOptions::read()).unwrap();
    for refused in every_change(&file) {
        assert!(matches!(refused, Err(TreeError::ReadOnly)), "{refused:?}");
    }
}

#[test]
fn names_are_compared_without_case_and_taken_once() {
    let bench = Bench::new();
    bench.add("Data");
    assert_eq!(bench.table.find("dATA").unwrap().name(), "Data");
    fs::create_dir(bench.path("DATA")).unwrap();
    let taken = bench.table.add_base(bench.base("DATA")).unwrap_err();
    assert!(matches!(taken, ShareError::NameTaken(_)));
    bench.add("a");
    let names: Vec<_> = bench
        .table
        .list()
        .iter()
        .map(|share| share.name().to_owned())
        .collect();
    assert_eq!(names, ["a", "Data"]);
}

#[test]
fn shadow_copies_must_not_lie_where_a_share_shows_them() {
    let bench = Bench::new();
    let mut settings = bench.base("data");
    settings.place = Some(bench.path("data/copies"));
    let refused = bench.table.add_base(settings).unwrap_err();
    assert!(
        matches!(refused, ShareError::PlaceVisible { .. }),
        "{refused}"
    );
    let mut settings = bench.base("data");
    settings.place = Some(bench.path("other/copies"));
    bench.table.add_base(settings).unwrap();
    let refused = bench.table.add_base(bench.base("other")).unwrap_err();
    assert!(
        matches!(refused, ShareError::PlaceVisible { .. }),
        "{refused}"
    );
    // A share above another one does not see the hidden directory further down.
    bench.add("above");
    fs::create_dir(bench.path("above/below")).unwrap();
    let backend = Arc::new(CopyBackend::without_sync());
    bench
        .table
        .add_base(BaseShare::new("below", &bench.path("above/below"), backend))
        .unwrap();
}

#[test]
fn the_agent_is_told_what_can_be_copied() {
    let bench = Bench::new();
    let base = bench.add("Data");
    let info = ShareCatalogue::find(&bench.table, "DATA").unwrap();
    assert_eq!(
        (info.name.as_str(), info.support),
        ("Data", Support::Supported)
    );
    assert_eq!(info.volume_name, base.volume_name());
    assert!(ShareCatalogue::find(&bench.table, "nothing").is_none());
    let (exposed, _) = bench.expose(&base, 1, false);
    // A share like others, of which there are no shadow copies.
    let info = ShareCatalogue::find(&bench.table, exposed.name()).unwrap();
    assert_eq!(info.support, Support::Unsupported);
    let mut settings = bench.base("plain");
    settings.backend = Arc::new(BtrfsBackend);
    bench.table.add_base(settings).unwrap();
    assert_eq!(
        ShareCatalogue::find(&bench.table, "plain").unwrap().support,
        Support::Unsupported
    );
}

#[test]
fn a_mount_below_the_root_stands_against_shadow_copies() {
    let Some(mounted) = common::Disk::btrfs() else {
        return;
    };
    let table = ShareTable::default();
    let root = mounted.subvolume("share");
    fs::create_dir(root.join("other disk")).unwrap();
    let share = table
        .add_base(BaseShare::new("data", &root, Arc::new(BtrfsBackend)))
        .unwrap();
    assert!(share.supports_shadow_copies().is_ok());
    let other = table
        .add_base(BaseShare::new(
            "two",
            &mounted.subvolume("two"),
            Arc::new(BtrfsBackend),
        ))
        .unwrap();
    assert_ne!(
        share.volume_name(),
        other.volume_name(),
        "each subvolume is a store"
    );
    let mount = |program: &str, arguments: &[&str]| {
        let done = Command::new(program)
            .args(arguments)
            .arg(root.join("other disk"))
            .status();
        assert!(done.unwrap().success());
    };
    mount("mount", &["-t", "tmpfs", "none"]);
    let refused = share.supports_shadow_copies();
    let other_is_fine = other.supports_shadow_copies().is_ok();
    mount("umount", &[]);
    assert!(refused.unwrap_err().to_string().contains("other disk"));
    assert!(other_is_fine);
    assert!(share.supports_shadow_copies().is_ok());
}

#[test]
fn only_a_copied_share_names_its_store() {
    let Some(mounted) = common::Disk::btrfs() else {
        return;
    };
    let table = ShareTable::default();
    let mut settings = BaseShare::new("data", &mounted.subvolume("share"), Arc::new(BtrfsBackend));
    settings.store = Some("mine".to_owned());
    let refused = table.add_base(settings.clone()).unwrap_err();
    assert!(matches!(refused, ShareError::StoreIsKnown(_)), "{refused}");
    settings.backend = Arc::new(CopyBackend::without_sync());
    assert_eq!(table.add_base(settings).unwrap().volume_name(), "mine");
}

#[test]
fn faults_come_where_a_test_asks_for_them() {
    let bench = Bench::new();
    let control = FaultControl::default();
    let backend = FaultyBackend::new(Arc::new(CopyBackend::without_sync()), control.clone());
    fs::create_dir(bench.path("data")).unwrap();
    let request = |id| CreateRequest {
        source_root: bench.path("data"),
        place: bench.path("place"),
        shadow_copy_id: Uuid::from_u128(id),
        writable: false,
        watch: Watch::default(),
    };
    let count = || backend.list(&bench.path("place")).unwrap().len();
    control.set(Operation::Create, Fault::FailNext(1));
    assert!(backend.create(&request(1)).is_err());
    assert_eq!(count(), 0);
    assert!(backend.create(&request(1)).is_ok());
    control.set(Operation::Create, Fault::FailAfterNext(1));
    assert!(backend.create(&request(2)).is_err());
    assert_eq!((count(), control.calls(Operation::Create)), (2, 3));
    control.set(Operation::Create, Fault::Block);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| backend.create(&request(3)));
        control.wait_until_blocked(Operation::Create);
        assert_eq!(count(), 2);
        control.clear(Operation::Create);
        assert!(blocked.join().unwrap().is_ok());
    });
    assert_eq!(count(), 3);
}
