//! A file system of its own for a test, on a loop device.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A fresh file system in a file, mounted; unmounted and detached when dropped.
pub(crate) struct Disk {
    directory: TempDir,
}

impl Disk {
    /// A btrfs.
    pub(crate) fn btrfs() -> Option<Self> {
        Self::mount(&["mkfs.btrfs", "-q"])
    }

    /// What `mkfs` makes of a file of 320 MiB. `None`, after saying why, when this machine cannot;
    /// under CI that is a failure.
    pub(crate) fn mount(mkfs: &[&str]) -> Option<Self> {
        match Self::try_mount(mkfs) {
            Ok(mounted) => Some(mounted),
            Err(reason) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "{mkfs:?} cannot be tested: {reason}"
                );
                // Past the capture of the test runner, which would hide it for a test that passes.
                let line = format!("SKIPPED, {mkfs:?} cannot be tested: {reason}\n");
                let _ = std::io::stderr().write_all(line.as_bytes());
                None
            }
        }
    }

    fn try_mount(mkfs: &[&str]) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a loop device needs root".to_owned());
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = directory.path().join("image");
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(320 << 20).map_err(|error| error.to_string())?;
        let (program, options) = mkfs.split_first().ok_or("no mkfs")?;
        run(Command::new(program).args(options).arg(&image))?;
        std::fs::create_dir(directory.path().join("mounted")).map_err(|error| error.to_string())?;
        let mounted = Self { directory };
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&image)
            .arg(mounted.path()))?;
        Ok(mounted)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    pub(crate) fn subvolume(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        run(Command::new("btrfs")
            .args(["-q", "subvolume", "create"])
            .arg(&path))
        .unwrap();
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if run(Command::new("umount").arg(self.path())).is_err() {
            // Something of a failed test is still open; the rest happens when it closes.
            let _ = run(Command::new("umount").arg("-l").arg(self.path()));
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
