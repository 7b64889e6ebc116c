//! File systems in files, and what lies on them before a server starts.

use super::child::{Backend, SHARES};
use crate::tool;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How many files each writer numbers; they are there from the beginning.
pub(crate) const WRITERS: usize = 4;

/// How large a number is in a file, in digits.
pub(crate) const DIGITS: usize = 12;

/// A directory with `mnt`, on which the shares and the server's state lie.
pub(crate) struct Disk {
    pub(crate) files: TempDir,
    backend: Backend,
    mounted: Option<PathBuf>,
}

impl Disk {
    /// A fresh file system that suits the backend, with two shares on it.
    pub(crate) fn new(backend: Backend) -> io::Result<Disk> {
        Disk::new_in(&std::env::temp_dir(), backend)
    }

    /// As [`Disk::new`], with its image and mount point in `directory`.
    pub(crate) fn new_in(directory: &Path, backend: Backend) -> io::Result<Disk> {
        let files = tempfile::Builder::new()
            .prefix("fsrvp-campaign-")
            .tempdir_in(directory)?;
        fs::create_dir(files.path().join("mnt"))?;
        let mut disk = Disk {
            files,
            backend,
            mounted: None,
        };
        let image = disk.image();
        if let Some(mkfs) = disk.mkfs() {
            fs::File::create(&image)?.set_len(320 << 20)?;
            run(&mkfs, &[&image])?;
            disk.mount(&image)?;
        }
        for share in SHARES {
            disk.fill(share)?;
        }
        Ok(disk)
    }

    fn mkfs(&self) -> Option<Vec<&'static str>> {
        match self.backend {
            Backend::Copy => None,
            Backend::Reflink => Some(vec!["mkfs.xfs", "-q", "-m", "reflink=1"]),
            Backend::Btrfs => Some(vec!["mkfs.btrfs", "-q"]),
        }
    }

    /// The file that holds the file system.
    pub(crate) fn image(&self) -> PathBuf {
        self.files.path().join("disk.img")
    }

    /// Where it is mounted.
    pub(crate) fn root(&self) -> PathBuf {
        self.files.path().join("mnt")
    }

    /// Mounts `image` in place of what was mounted.
    pub(crate) fn mount(&mut self, image: &Path) -> io::Result<()> {
        self.unmount()?;
        run(&["mount", "-o", "loop"], &[image, &self.root()])?;
        self.mounted = Some(self.root());
        Ok(())
    }

    fn unmount(&mut self) -> io::Result<()> {
        let Some(at) = self.mounted.take() else {
            return Ok(());
        };
        // Whoever was told to end closes its last files as the kernel takes it down.
        let unmounted = || {
            let mut umount = Command::new("umount");
            umount.arg(&at);
            tool::run_with_input(umount, b"").is_ok_and(|run| run.status == Some(0))
        };
        tool::wait_for(
            "the disk to be unmounted",
            Duration::from_secs(10),
            unmounted,
        )
    }

    fn fill(&self, share: &str) -> io::Result<()> {
        let path = self.root().join(share);
        if self.backend == Backend::Btrfs {
            run(&["btrfs", "-q", "subvolume", "create"], &[&path])?;
        } else {
            fs::create_dir(&path)?;
        }
        for writer in 0..WRITERS {
            fs::write(path.join(format!("w{writer}")), number(0))?;
        }
        fs::create_dir(path.join("static"))?;
        for (name, contents) in still(share) {
            fs::write(path.join("static").join(name), contents)?;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.unmount();
    }
}

/// A number as writers write it, always of one length.
pub(crate) fn number(value: u64) -> String {
    format!("{value:0DIGITS$}")
}

/// Files that nobody changes.
pub(crate) fn still(share: &str) -> impl Iterator<Item = (String, String)> {
    (0..10usize).map(move |index| {
        let contents = format!("{share} {index}\n").repeat(1 + index * 700);
        (format!("file{index}"), contents)
    })
}

/// Runs a program with options and paths.
pub(crate) fn run(words: &[&str], paths: &[&Path]) -> io::Result<()> {
    let (program, options) = words.split_first().unwrap_or((&"false", &[]));
    let mut command = Command::new(program);
    command.args(options).args(paths);
    tool::run_with_input(command, b"")?
        .success(program)
        .map(drop)
}
