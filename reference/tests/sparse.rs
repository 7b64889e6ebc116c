//! Sparse files: what is told of holes, how holes are made, and what stays.
#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use fsrvp_reference::tree::{
    Access, Attributes, Disposition, OpenFile, OpenOptions, Tree, TreeError, TreePath,
};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

/// Large enough to be whole blocks of any file system.
const PIECE: u64 = 128 * 1024;

fn open(directory: &Path, path: &str, disposition: Disposition) -> OpenFile {
    let tree = Arc::new(Tree::open(directory).unwrap());
    let options = OpenOptions {
        access: Access {
            read: true,
            write: true,
        },
        ..OpenOptions::write(disposition)
    };
    let path = TreePath::parse(path).unwrap();
    tree.open_file(&path, &options).unwrap().file
}

/// A file of three pieces of ones.
fn three(directory: &Path) -> OpenFile {
    let file = open(directory, "file", Disposition::Create);
    let bytes = vec![1; usize::try_from(3 * PIECE).unwrap()];
    file.write(0, &bytes).unwrap();
    // Where a file system puts bytes that were not written out yet is its own affair.
    file.flush().unwrap();
    file
}

fn ranges(file: &OpenFile, offset: u64, length: u64) -> Vec<(u64, u64)> {
    let ranges = file.allocated_ranges(offset, length, 100).unwrap();
    let told = ranges.iter().map(|range| (range.offset, range.length));
    told.collect()
}

fn byte(file: &OpenFile, at: u64) -> u8 {
    file.read(at, 1).unwrap()[0]
}

#[test]
fn zeros_of_a_sparse_file_are_a_hole() {
    let directory = tempfile::tempdir().unwrap();
    let file = three(directory.path());
    file.set_sparse(true).unwrap();
    file.zero(PIECE, 2 * PIECE).unwrap();
    let all = [(0, PIECE), (2 * PIECE, PIECE)];
    assert_eq!(ranges(&file, 0, u64::MAX), all);
    assert_eq!(ranges(&file, 10, 20), [(10, 20)]);
    assert_eq!(ranges(&file, PIECE + 1, PIECE), [(2 * PIECE, 1)]);
    assert_eq!(ranges(&file, PIECE, PIECE), []);
    assert_eq!(ranges(&file, 3 * PIECE, PIECE), []);
    assert_eq!(file.allocated_ranges(0, u64::MAX, 1).unwrap().len(), 1);
    let edges = [PIECE - 1, PIECE, 2 * PIECE - 1, 2 * PIECE].map(|at| byte(&file, at));
    assert_eq!(edges, [1, 0, 0, 1]);
    let disk = fs::metadata(directory.path().join("file")).unwrap();
    assert!(disk.blocks() * 512 < 3 * PIECE, "{}", disk.blocks());
}

#[test]
fn zeros_of_another_file_keep_their_room() {
    let directory = tempfile::tempdir().unwrap();
    let file = three(directory.path());
    file.zero(PIECE, 2 * PIECE).unwrap();
    assert_eq!(ranges(&file, 0, u64::MAX), [(0, 3 * PIECE)]);
    let edges = [PIECE - 1, PIECE, 2 * PIECE - 1, 2 * PIECE].map(|at| byte(&file, at));
    assert_eq!(edges, [1, 0, 0, 1]);
    let disk = fs::metadata(directory.path().join("file")).unwrap();
    assert!(disk.blocks() * 512 >= 3 * PIECE, "{}", disk.blocks());
}

#[test]
fn zeros_make_no_file_longer() {
    let directory = tempfile::tempdir().unwrap();
    for sparse in [false, true] {
        let file = open(directory.path(), "file", Disposition::OverwriteIf);
        file.set_sparse(sparse).unwrap();
        file.write(0, b"contents").unwrap();
        file.zero(4, 1 << 40).unwrap();
        file.zero(1 << 40, 1 << 41).unwrap();
        assert_eq!(file.read(0, 100).unwrap(), b"cont\0\0\0\0");
    }
    let stream = open(directory.path(), "file:stream", Disposition::Create);
    stream.write(0, b"contents").unwrap();
    stream.zero(4, 1 << 40).unwrap();
    stream.zero(1 << 40, 1 << 41).unwrap();
    assert_eq!(stream.read(0, 100).unwrap(), b"cont\0\0\0\0");
    assert_eq!(ranges(&stream, 2, 100), [(2, 6)]);
}

#[test]
fn being_sparse_is_kept_beside_the_attributes_that_a_client_sets() {
    let directory = tempfile::tempdir().unwrap();
    let file = three(directory.path());
    file.set_sparse(true).unwrap();
    file.set_attributes(Attributes(Attributes::HIDDEN)).unwrap();
    drop(file);
    let file = open(directory.path(), "file", Disposition::Open);
    let attributes = || file.metadata().unwrap().attributes.0;
    assert_eq!(attributes(), Attributes::HIDDEN | Attributes::SPARSE);
    let stream = open(directory.path(), "file:stream", Disposition::Create);
    assert_eq!(stream.metadata().unwrap().attributes.0, Attributes::HIDDEN);
    assert!(matches!(
        stream.set_sparse(true),
        Err(TreeError::NotSupported)
    ));
    file.set_sparse(false).unwrap();
    assert_eq!(attributes(), Attributes::HIDDEN);
    // Nobody makes a file sparse by setting attributes.
    file.set_attributes(Attributes(Attributes::SPARSE)).unwrap();
    assert_eq!(attributes(), Attributes::NORMAL);
}
