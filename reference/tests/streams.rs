//! Named streams: kept with their file, bounded, and gone with it.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use fsrvp_reference::tree::{
    Attributes, CreateAction, Disposition, FileKind, OpenFile, OpenOptions, Tree, TreeError,
    TreePath,
};
use std::fs;
use std::sync::Arc;
use tempfile::TempDir;

struct Bench {
    directory: TempDir,
    tree: Arc<Tree>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "contents").unwrap();
        fs::create_dir(directory.path().join("dir")).unwrap();
        let tree = Arc::new(Tree::open(directory.path()).unwrap());
        Self { directory, tree }
    }

    fn open(
        &self,
        path: &str,
        disposition: Disposition,
    ) -> Result<(OpenFile, CreateAction), TreeError> {
        let path = TreePath::parse(path)?;
        let opened = self
            .tree
            .open_file(&path, &OpenOptions::write(disposition))?;
        Ok((opened.file, opened.action))
    }

    fn make(&self, path: &str, bytes: &[u8]) -> OpenFile {
        let (file, action) = self.open(path, Disposition::Create).unwrap();
        assert_eq!(action, CreateAction::Created);
        file.write(0, bytes).unwrap();
        file
    }

    fn streams(&self, path: &str) -> Vec<(String, u64)> {
        let path = TreePath::parse(path).unwrap();
        let opened = self.tree.open_file(&path, &OpenOptions::read()).unwrap();
        let streams = opened.file.streams().unwrap();
        let told = streams
            .iter()
            .map(|stream| (stream.name.text().to_owned(), stream.size));
        told.collect()
    }

    fn contents(&self) -> String {
        fs::read_to_string(self.directory.path().join("file")).unwrap()
    }
}

#[test]
fn a_stream_is_a_file_beside_the_contents() {
    let bench = Bench::new();
    let one = bench.make("file:One", b"12345");
    one.write(7, b"8").unwrap();
    assert_eq!(one.read(3, 100).unwrap(), b"45\0\08");
    one.set_size(2).unwrap();
    assert_eq!(one.read(0, 100).unwrap(), b"12");
    assert!(one.read(50, 1).unwrap().is_empty());
    let metadata = one.metadata().unwrap();
    assert_eq!((metadata.size, metadata.kind), (2, FileKind::File));
    one.flush().unwrap();
    bench.make("file:two:$DATA", b"2");
    assert_eq!(bench.contents(), "contents");
    assert_eq!(
        bench.streams("file"),
        [("One".to_owned(), 2), ("two".to_owned(), 1)]
    );
    // In other letters it is the same one.
    let (again, action) = bench.open("FILE:oNE:$data", Disposition::OpenIf).unwrap();
    assert_eq!(action, CreateAction::Opened);
    assert_eq!(again.read(0, 9).unwrap(), b"12");
    let refused = bench.open("file:ONE", Disposition::Create);
    assert!(matches!(refused, Err(TreeError::AlreadyExists)));
    let refused = bench.open("file:three", Disposition::Open);
    assert!(matches!(refused, Err(TreeError::NotFound)));
    again.remove().unwrap();
    assert_eq!(bench.streams("file").len(), 1);
}

#[test]
fn a_directory_has_streams_and_no_contents() {
    let bench = Bench::new();
    let stream = bench.make("dir:s", b"x");
    let metadata = stream.metadata().unwrap();
    assert_eq!(metadata.kind, FileKind::File);
    assert!(!metadata.attributes.has(Attributes::DIRECTORY));
    assert!(bench.streams("dir") == [("s".to_owned(), 1)]);
    let contents = bench.open("dir::$DATA", Disposition::Open);
    assert!(matches!(contents, Err(TreeError::IsDirectory)));
    let index = TreePath::parse("file::$INDEX_ALLOCATION").unwrap();
    let index = bench.tree.open_file(&index, &OpenOptions::read());
    assert!(matches!(index, Err(TreeError::NotDirectory)));
}

#[test]
fn a_file_is_made_for_a_stream_and_not_left_behind_by_one_that_is_refused() {
    let bench = Bench::new();
    bench.make("new:s", b"x");
    assert_eq!(bench.streams("new").len(), 1);
    assert_eq!(fs::read(bench.directory.path().join("new")).unwrap(), b"");
    let long = format!("none:{}", "s".repeat(240));
    assert!(bench.open(&long, Disposition::Create).is_err());
    let readable = TreePath::parse("none:s").unwrap();
    let options = OpenOptions {
        attributes: Attributes(Attributes::READONLY),
        ..OpenOptions::write(Disposition::Open)
    };
    assert!(bench.tree.open_file(&readable, &options).is_err());
    assert!(!bench.directory.path().join("none").exists());
}

#[test]
fn what_is_too_long_is_refused_and_nothing_is_lost() {
    let bench = Bench::new();
    let stream = bench.make("file:s", b"short");
    for refused in [
        stream.write(64 * 1024, b"x"),
        stream.write(u64::MAX, b"x"),
        stream.set_size(1 << 40),
    ] {
        assert!(matches!(refused, Err(TreeError::DiskFull)), "{refused:?}");
    }
    assert_eq!(stream.read(0, 100).unwrap(), b"short");
}

#[test]
fn streams_go_with_their_file_and_with_its_contents() {
    let bench = Bench::new();
    bench.make("file:s", b"x");
    let (file, _) = bench.open("file", Disposition::Open).unwrap();
    file.rename(&TreePath::parse("dir\\other").unwrap(), false)
        .unwrap();
    assert_eq!(bench.streams("dir\\other").len(), 1);
    bench.open("dir\\other", Disposition::Overwrite).unwrap();
    assert!(bench.streams("dir\\other").is_empty());
}

#[test]
fn only_the_name_of_a_stream_changes_and_only_on_its_file() {
    let bench = Bench::new();
    let stream = bench.make("file:s", b"x");
    bench.make("file:other", b"y");
    let to = |path: &str| TreePath::parse(path).unwrap();
    stream.rename(&to(":t"), false).unwrap();
    assert_eq!(stream.read(0, 9).unwrap(), b"x");
    let taken = stream.rename(&to(":OTHER"), false);
    assert!(matches!(taken, Err(TreeError::AlreadyExists)));
    stream.rename(&to(":OTHER"), true).unwrap();
    assert_eq!(bench.streams("file"), [("OTHER".to_owned(), 1)]);
    assert_eq!(stream.read(0, 9).unwrap(), b"x");
    assert!(stream.rename(&to("file:u"), false).is_err());
    assert!(stream.rename(&to("dir\\file"), false).is_err());
    let (file, _) = bench.open("file", Disposition::Open).unwrap();
    assert!(file.rename(&to(":v"), false).is_err());
}

#[test]
fn a_file_that_may_only_be_read_has_streams_that_may_only_be_read() {
    let bench = Bench::new();
    bench.make("file:s", b"x");
    let (file, _) = bench.open("file", Disposition::Open).unwrap();
    file.set_attributes(Attributes(Attributes::READONLY))
        .unwrap();
    let refused = bench.open("file:s", Disposition::Open);
    assert!(matches!(refused, Err(TreeError::AccessDenied)));
    let path = TreePath::parse("file:s").unwrap();
    let opened = bench.tree.open_file(&path, &OpenOptions::read()).unwrap();
    assert_eq!(opened.file.read(0, 9).unwrap(), b"x");
    assert!(opened.file.write(0, b"y").is_err());
}

#[test]
fn a_descriptor_is_kept_with_its_file_as_long_as_it_is_not_too_long() {
    let bench = Bench::new();
    let (file, _) = bench.open("file", Disposition::Open).unwrap();
    assert_eq!(file.descriptor().unwrap(), None);
    let descriptor = vec![7; 600];
    file.set_descriptor(&descriptor).unwrap();
    let to = TreePath::parse("moved").unwrap();
    file.rename(&to, false).unwrap();
    assert_eq!(
        bench.tree.descriptor(&to).unwrap(),
        Some(descriptor.clone())
    );
    let refused = file.set_descriptor(&vec![7; 80 * 1024]);
    assert!(matches!(refused, Err(TreeError::DiskFull)), "{refused:?}");
    assert_eq!(file.descriptor().unwrap(), Some(descriptor));
    // It is no stream.
    assert!(file.streams().unwrap().is_empty());
}
