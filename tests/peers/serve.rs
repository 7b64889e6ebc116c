//! `fsrvp serve`, started as a user starts it, and the file systems it stands on.

use crate::tool::{self, Account};
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The configuration file of a server that was started with one.
const CONFIG: &str = "server.toml";

/// May use FSRVP.
pub(crate) const ADMIN: Account = Account {
    name: "admin",
    password: "Adm1n-of-the-house",
};

/// A running `fsrvp serve` with the shares `data` and `more`; stopped when dropped.
pub(crate) struct Serve {
    child: Child,
    /// The TCP port on 127.0.0.1.
    pub(crate) port: u16,
    files: TempDir,
    _mount: Option<Mount>,
}

/// Where the shares of a [`Serve`] lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The directory for temporary files, whatever its file system; copies are plain copies.
    Any,
    /// A fresh btrfs on a loop device, each share a subvolume of its own.
    Btrfs,
    /// A fresh XFS on a loop device; copies are clones.
    Xfs,
}

impl Store {
    /// The value of `--backend`.
    fn backend(self) -> &'static str {
        match self {
            Store::Any => "copy",
            Store::Btrfs => "btrfs",
            Store::Xfs => "reflink",
        }
    }
}

impl Serve {
    /// Starts the server on a free port and waits for its `ready` line.
    pub(crate) fn start(store: Store) -> io::Result<Serve> {
        Serve::start_with(store, &["data", "more"], &[])
    }

    /// The same with other shares and with further options.
    pub(crate) fn start_with(store: Store, shares: &[&str], options: &[&str]) -> io::Result<Serve> {
        let files = tempfile::Builder::new().prefix("fsrvp-serve-").tempdir()?;
        let mount = match store {
            Store::Any => None,
            Store::Btrfs => Some(Mount::new(files.path(), &["mkfs.btrfs", "-q", "-f"])?),
            Store::Xfs => Some(Mount::new(
                files.path(),
                &["mkfs.xfs", "-q", "-m", "reflink=1"],
            )?),
        };
        for share in shares {
            make_share(store, &files.path().join("mnt").join(share))?;
        }
        let (child, port) = spawn(files.path(), store, shares, options)?;
        Ok(Serve {
            child,
            port,
            files,
            _mount: mount,
        })
    }

    /// Starts the server on [`Store::Any`] with a configuration file: the keys of its root, and
    /// its shares with further keys of each.
    pub(crate) fn configured(root: &str, shares: &[(&str, &str)]) -> io::Result<Serve> {
        let files = tempfile::Builder::new().prefix("fsrvp-serve-").tempdir()?;
        let backend = match root.contains("backend = ") {
            true => "",
            false => "backend = \"copy\"\n",
        };
        let mut config = format!("{backend}{root}");
        for (share, keys) in shares {
            let path = files.path().join("mnt").join(share);
            make_share(Store::Any, &path)?;
            config += &format!(
                "[[share]]\nname = \"{share}\"\npath = \"{}\"\n{keys}",
                path.display()
            );
        }
        fs::write(files.path().join(CONFIG), config)?;
        let (child, port) = spawn(files.path(), Store::Any, &[], &[])?;
        Ok(Serve {
            child,
            port,
            files,
            _mount: None,
        })
    }

    /// Starts the server with everything that it keeps, shares included, below `parent`, which lies
    /// on such a store.
    #[allow(dead_code, reason = "benches/server takes this file in and uses it")]
    pub(crate) fn start_in(parent: &Path, store: Store) -> io::Result<Serve> {
        let mut builder = tempfile::Builder::new();
        let files = builder.prefix("fsrvp-serve-").tempdir_in(parent)?;
        let shares = ["data", "more"];
        for share in shares {
            make_share(store, &files.path().join("mnt").join(share))?;
        }
        let (child, port) = spawn(files.path(), store, &shares, &[])?;
        Ok(Serve {
            child,
            port,
            files,
            _mount: None,
        })
    }

    /// The server's process.
    #[allow(dead_code, reason = "benches/server takes this file in and uses it")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server with SIGKILL and starts another one on the same files.
    pub(crate) fn kill_and_restart(&mut self, store: Store) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        (self.child, self.port) = spawn(self.files.path(), store, &["data", "more"], &[])?;
        Ok(())
    }

    /// Asks the server to end as Ctrl-C does.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn interrupt(&self) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok();
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::NotFound)?;
        Ok(rustix::process::kill_process(
            pid,
            rustix::process::Signal::INT,
        )?)
    }

    /// Waits until the server has ended, and gives its exit code.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn wait(&mut self) -> io::Result<Option<i32>> {
        Ok(self.child.wait()?.code())
    }

    /// What `fsrvp serve --status` prints of it.
    pub(crate) fn status(&self) -> io::Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fsrvp"));
        command.args(["serve", "--status", "--state"]);
        command.arg(self.files.path().join("state"));
        tool::run_with_input(command, b"")?.success("fsrvp serve --status")
    }

    /// Where the share `name` lies on this machine.
    pub(crate) fn share(&self, name: &str) -> PathBuf {
        self.files.path().join("mnt").join(name)
    }
}

pub(crate) fn make_share(store: Store, path: &Path) -> io::Result<()> {
    if store == Store::Btrfs {
        let mut command = Command::new("btrfs");
        command.args(["subvolume", "create"]).arg(path);
        tool::run_with_input(command, b"")?
            .success("btrfs subvolume create")
            .map(drop)
    } else {
        fs::create_dir_all(path)
    }
}

fn spawn(
    files: &Path,
    store: Store,
    shares: &[&str],
    options: &[&str],
) -> io::Result<(Child, u16)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fsrvp"));
    command
        .arg("serve")
        .args(["--listen", "127.0.0.1:0", "--user", ADMIN.name]);
    let config = files.join(CONFIG);
    if config.exists() {
        command.arg("--config").arg(config);
    } else {
        command.args(options);
        for share in shares {
            command.arg("--share").arg(format!(
                "{share}={}",
                files.join("mnt").join(share).display()
            ));
        }
        command.args(["--backend", store.backend()]);
    }
    command.arg("--state").arg(files.join("state"));
    let mut child = command
        .env("FSRVP_PASSWORD", ADMIN.password)
        .stdout(Stdio::piped())
        .stderr(fs::File::create(files.join("serve.log"))?)
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    match line
        .trim()
        .strip_prefix("ready 127.0.0.1:")
        .and_then(|port| port.parse().ok())
    {
        Some(port) => Ok((child, port)),
        None => {
            child.kill()?;
            let log = fs::read_to_string(files.join("serve.log"))?;
            Err(io::Error::other(format!(
                "fsrvp serve printed {line:?}: {log}"
            )))
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file system in a file, mounted on `mnt`; unmounted when dropped.
pub(crate) struct Mount {
    at: PathBuf,
}

impl Mount {
    pub(crate) fn new(dir: &Path, words: &[&str]) -> io::Result<Mount> {
        let image = dir.join("disk.img");
        fs::File::create(&image)?.set_len(320 << 20)?;
        let at = dir.join("mnt");
        fs::create_dir(&at)?;
        let (program, options) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut mkfs = Command::new(program);
        mkfs.args(options).arg(&image);
        tool::run_with_input(mkfs, b"")?.success(program)?;
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(&image).arg(&at);
        tool::run_with_input(mount, b"")?.success("mount")?;
        Ok(Mount { at })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The server was told to end; its last handles close as the kernel takes it down.
        let _ = tool::wait_for(
            "the file system to be unmounted",
            Duration::from_secs(10),
            || {
                let mut umount = Command::new("umount");
                umount.arg(&self.at);
                tool::run_with_input(umount, b"").is_ok_and(|run| run.status == Some(0))
            },
        );
    }
}
