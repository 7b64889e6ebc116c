//! What the operating system tells of processes, and the disk that both servers share.

use crate::Outcome;
use crate::tool;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The size of the file system. All of it is there before anything is measured: a page of memory or
/// a block of a disk that is used for the first time costs time of its own, and whichever server
/// came upon it would pay.
const DISK: &str = "5GiB";

/// Where it lies, if nothing else is asked for: in memory, where no disk's pace counts.
const MEMORY: &str = "/dev/shm";

/// A fresh XFS that shares extents, on a loop device; unmounted when dropped.
pub(crate) struct Disk {
    dir: TempDir,
}

impl Disk {
    /// Makes and mounts it.
    pub(crate) fn new() -> Outcome<Disk> {
        let place = std::env::var_os("FSRVP_BENCH_DIR").unwrap_or_else(|| MEMORY.into());
        let dir = tempfile::Builder::new()
            .prefix("fsrvp-bench-")
            .tempdir_in(place)?;
        let image = dir.path().join("disk.img");
        let mut allocate = Command::new("fallocate");
        allocate.args(["--length", DISK]).arg(&image);
        tool::run_with_input(allocate, b"")?.success("fallocate")?;
        let disk = Disk { dir };
        std::fs::create_dir(disk.path())?;
        // Samba's processes reach it under the identity of each user.
        open_to_all(disk.dir.path())?;
        let mut mkfs = Command::new("mkfs.xfs");
        mkfs.args(["-q", "-f", "-m", "reflink=1"]).arg(&image);
        tool::run_with_input(mkfs, b"")?.success("mkfs.xfs")?;
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(&image).arg(disk.path());
        tool::run_with_input(mount, b"")?.success("mount")?;
        open_to_all(&disk.path())?;
        Ok(disk)
    }

    /// Its root directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }
}

fn open_to_all(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

impl Drop for Disk {
    fn drop(&mut self) {
        let path = self.path();
        // The servers were told to end; their last handles close as the kernel takes them down.
        let _ = tool::wait_for("the disk to be unmounted", Duration::from_secs(20), || {
            let mut umount = Command::new("umount");
            umount.arg(&path);
            tool::run_with_input(umount, b"").is_ok_and(|run| run.status == Some(0))
        });
    }
}

/// The processor time that these processes and all that they started have used so far.
///
/// smbd has a process for each connection. While it ends it has no command line any more to be
/// known by, and its parent does not count it yet; so children are found by their parent, which
/// stays until the parent has taken their time over.
pub(crate) fn cpu(processes: &[u32]) -> Duration {
    let all: Vec<Stat> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Stat::of(entry.file_name().to_str()?.parse().ok()?))
        .collect();
    let mut counted: BTreeSet<u32> = processes.iter().copied().collect();
    let mut before = 0;
    while counted.len() > before {
        before = counted.len();
        let children = all.iter().filter(|stat| counted.contains(&stat.parent));
        let children: Vec<u32> = children.map(|stat| stat.pid).collect();
        counted.extend(children);
    }
    let ours = all.iter().filter(|stat| counted.contains(&stat.pid));
    let ticks: u64 = ours.map(|stat| stat.ticks).sum();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_micros(ticks * 1_000_000 / per_second)
}

/// What proc_pid_stat(5) tells of a process.
struct Stat {
    pid: u32,
    /// Field 4.
    parent: u32,
    /// The fields 14 to 17, utime, stime, cutime and cstime.
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is a name in parentheses, which may hold blanks.
        let mut fields = stat.rsplit(')').next()?.split_whitespace();
        let parent = fields.nth(1)?.parse().ok()?;
        let ticks = fields
            .skip(9)
            .take(4)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Some(Stat { pid, parent, ticks })
    }
}

/// The memory that these processes have resident, in KiB; what they share counts for each.
pub(crate) fn resident_kib(processes: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse::<u64>().ok())
            .unwrap_or(0)
    };
    processes.iter().map(of).sum()
}
