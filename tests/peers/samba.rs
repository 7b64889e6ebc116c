//! A throw-away Samba file server with its FSRVP agent, on loopback, in a temporary directory.
//!
//! What this Samba (4.17) wants to be told: one worker for the agent, since its state is not
//! shared between workers; no idle exit, since a worker that exits forgets every set that was not
//! committed; and the registry for shares, since that is where exposed shares are put.

use crate::serve::{Mount, Store, make_share};
use crate::tool::{self, Account, Tool};
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// May use FSRVP; mapped to root, which Samba's agent always lets in.
pub(crate) const ADMIN: Account = Account {
    name: "fssadmin",
    password: "AdminPass1!",
};
/// An ordinary user without backup rights.
pub(crate) const PLAIN: Account = Account {
    name: "fssuser",
    password: "UserPass1!",
};

/// A running smbd; stopped, with every helper process of its own, when dropped.
pub(crate) struct SambaPeer {
    /// The btrfs that its shares lie on, for vfs_btrfs; without it they are copied by vfs_shell_snap.
    /// It goes before the directory that it is mounted in.
    btrfs: Option<Mount>,
    dir: TempDir,
    /// The TCP port on 127.0.0.1.
    pub(crate) port: u16,
}

impl SambaPeer {
    /// Starts smbd with the Message Sequence Timer at `sequence_timeout_s` seconds.
    pub(crate) fn start(sequence_timeout_s: u32) -> io::Result<SambaPeer> {
        SambaPeer::start_in(&std::env::temp_dir(), sequence_timeout_s)
    }

    /// Starts smbd with the timers of MS-FSRVP, which are Samba's own.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn start_nominal() -> io::Result<SambaPeer> {
        SambaPeer::start_with(&std::env::temp_dir(), "")
    }

    /// The same as `start` with everything that it keeps, shares included, below `parent`.
    pub(crate) fn start_in(parent: &Path, sequence_timeout_s: u32) -> io::Result<SambaPeer> {
        SambaPeer::start_with(
            parent,
            &format!("    fss:sequence timeout = {sequence_timeout_s}\n"),
        )
    }

    /// Starts smbd with nominal timers, its shares being subvolumes of btrfs.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn start_on_btrfs() -> io::Result<SambaPeer> {
        let dir = SambaPeer::directory(&std::env::temp_dir())?;
        let mount = Mount::new(dir.path(), &["mkfs.btrfs", "-q", "-f"])?;
        SambaPeer::start_there(dir, Some(mount), "")
    }

    fn start_with(parent: &Path, options: &str) -> io::Result<SambaPeer> {
        SambaPeer::start_there(SambaPeer::directory(parent)?, None, options)
    }

    fn directory(parent: &Path) -> io::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("fsrvp-samba-").tempdir_in(parent)
    }

    fn start_there(dir: TempDir, btrfs: Option<Mount>, options: &str) -> io::Result<SambaPeer> {
        // Samba's processes reach it under the identity of each user.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let port = free_port()?;
        let peer = SambaPeer { btrfs, dir, port };
        peer.lay_out()?;
        fs::write(peer.config(), peer.configuration(options))?;
        peer.add_users()?;
        peer.start_daemon()?;
        Ok(peer)
    }

    /// Where the share `name` lies on this machine.
    pub(crate) fn share(&self, name: &str) -> PathBuf {
        let parent = match self.btrfs {
            Some(_) => "mnt",
            None => "shares",
        };
        self.dir.path().join(parent).join(name)
    }

    /// The target file for `fsrvp check`, with these further lines.
    pub(crate) fn target_file(&self, more: &str) -> io::Result<PathBuf> {
        let path = self.dir.path().join("target.toml");
        let text = format!(
            r#"name = "samba-4.17"
host = "127.0.0.1"
port = {port}
user = "{admin}"
password = "{admin_password}"
shares = ["fsrvp_share", "vol2", "big"]
same_store = ["alias"]
hidden = "hidden$"
unsupported = ["nosnap", "nofss"]
restricted = "limited"
plain_user = {{ name = "{plain}", password = "{plain_password}" }}
profile = "samba"
known = "samba-4.17"
{more}
"#,
            port = self.port,
            admin = ADMIN.name,
            admin_password = ADMIN.password,
            plain = PLAIN.name,
            plain_password = PLAIN.password,
        );
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("smb.conf")
    }

    fn lay_out(&self) -> io::Result<()> {
        for name in [
            "state", "cache", "lock", "private", "pid", "ncalrpc", "log", "bin",
        ] {
            fs::create_dir(self.dir.path().join(name))?;
        }
        for name in ["fsrvp_share", "vol2", "hidden", "big", "limited", "plain"] {
            let share = self.share(name);
            match self.btrfs {
                Some(_) if name != "plain" => make_share(Store::Btrfs, &share)?,
                _ => fs::create_dir_all(&share)?,
            }
            fs::set_permissions(&share, fs::Permissions::from_mode(0o1777))?;
            if name != "plain" && self.btrfs.is_none() {
                let copies = share.join(".copies");
                fs::create_dir(&copies)?;
                fs::set_permissions(&copies, fs::Permissions::from_mode(0o1777))?;
            }
        }
        let script = self.dir.path().join("bin/copy");
        fs::write(&script, COPY_SCRIPT)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
    }

    fn configuration(&self, options: &str) -> String {
        let root = self.dir.path().display();
        let mut text = format!(
            "[global]
    netbios name = FSSPEER
    workgroup = FSSLAB
    server role = standalone server
    passdb backend = tdbsam:{root}/private/passdb.tdb
    username map = {root}/users.map
    map to guest = never
    interfaces = 127.0.0.1/8
    bind interfaces only = yes
    smb ports = {port}
    disable netbios = yes
    load printers = no
    printcap name = /dev/null
    usershare path =
    state directory = {root}/state
    cache directory = {root}/cache
    lock directory = {root}/lock
    private dir = {root}/private
    pid directory = {root}/pid
    ncalrpc dir = {root}/ncalrpc
    binddns dir = {root}/private
    log file = {root}/log/log.%m
    logging = file
    log level = 1
    server min protocol = SMB2_02
    registry shares = yes
    include = registry
    change share command = /bin/true
    rpcd_fsrvp:num_workers = 1
    rpcd_fsrvp:idle_seconds = 3600
{options}",
            port = self.port,
        );
        for (name, directory, copied) in [
            ("fsrvp_share", "fsrvp_share", true),
            ("alias", "fsrvp_share", true),
            ("vol2", "vol2", true),
            ("hidden$", "hidden", true),
            ("big", "big", true),
            ("limited", "limited", true),
            ("nosnap", "plain", true),
            ("nofss", "plain", false),
        ] {
            let path = self.share(directory);
            let rights = match name {
                "limited" => {
                    "read only = yes
    write list = root"
                }
                _ => "read only = no",
            };
            text += &format!(
                "[{name}]
    path = {}
    {rights}
",
                path.display()
            );
            if !copied {
                // What smbd needs to keep streams and security descriptors, as ours does by itself.
                text += "    vfs objects = acl_xattr streams_xattr\n";
            }
            if copied && self.btrfs.is_some() {
                text += "    vfs objects = btrfs\n    btrfs:manipulate snapshots = yes\n";
            } else if copied {
                text += "    vfs objects = shell_snap\n    veto files = /.copies/\n";
                for (option, verb) in [
                    ("check path", "check"),
                    ("create", "create"),
                    ("delete", "delete"),
                ] {
                    text += &format!("    shell_snap:{option} command = {root}/bin/copy {verb}\n");
                }
            }
        }
        text
    }

    fn add_users(&self) -> io::Result<()> {
        let map = format!("root = {}\ngames = {}\n", ADMIN.name, PLAIN.name);
        fs::write(self.dir.path().join("users.map"), map)?;
        for (unix, account) in [("root", ADMIN), ("games", PLAIN)] {
            let mut command = Command::new("smbpasswd");
            command
                .arg("-c")
                .arg(self.config())
                .args(["-a", "-s", unix]);
            let answer = format!("{0}\n{0}\n", account.password);
            tool::run_with_input(command, answer.as_bytes())?.success("smbpasswd")?;
        }
        Ok(())
    }

    fn start_daemon(&self) -> io::Result<()> {
        self.start_smbd()?;
        // The first use of the pipe makes smbd start its helper processes; a client that comes
        // while they start is refused, so this one asks until it is answered.
        tool::wait_for("Samba's FSRVP agent", Duration::from_secs(20), || {
            Tool::rpcclient(self.port, ADMIN, "sign", "fss_get_sup_version")
                .is_ok_and(|run| run.status == Some(0))
        })
        .map_err(|error| io::Error::other(format!("{error}: {}", self.logs())))
    }

    fn start_smbd(&self) -> io::Result<()> {
        let log = fs::File::create(self.dir.path().join("log/start.log"))?;
        let status = Command::new("smbd")
            .arg("--daemon")
            .arg(format!("--configfile={}", self.config().display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!(
                "smbd did not start: {}",
                self.logs()
            )));
        }
        tool::wait_for_listener(self.port, Duration::from_secs(10))
            .map_err(|error| io::Error::other(format!("{error}: {}", self.logs())))
    }

    /// Ends smbd and starts it again with one more option, for as long as `look` takes; whether its
    /// agent answers then is for `look` to see.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn reconfigured<T>(&self, option: &str, look: impl FnOnce() -> T) -> io::Result<T> {
        let before = fs::read_to_string(self.config())?;
        // The last one of several counts.
        let last = "rpcd_fsrvp:idle_seconds = 3600\n";
        let with = before.replacen(last, &format!("{last}    {option}\n"), 1);
        fs::write(self.config(), with)?;
        self.stop();
        self.start_smbd()?;
        let seen = look();
        fs::write(self.config(), before)?;
        Ok(seen)
    }

    /// A program that ends smbd by its first argument, a signal, and starts it again.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn restart_program(&self) -> io::Result<PathBuf> {
        let path = self.dir.path().join("bin/restart");
        let config = self.config().display().to_string();
        // The last letter in brackets: the search must not find itself.
        let text = RESTART_SCRIPT
            .replace("PATTERN", &config.replace("smb.conf", "smb.con[f]"))
            .replace("CONFIG", &config);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Sets flags of the administrator's account, as pdbedit has them.
    #[allow(
        dead_code,
        reason = "benches/server takes this file in and uses the rest"
    )]
    pub(crate) fn flag_admin(&self, flags: &str) -> io::Result<()> {
        let mut command = Command::new("pdbedit");
        command.arg("-s").arg(self.config());
        command.args(["-c", flags, "root"]);
        tool::run_with_input(command, b"")?
            .success("pdbedit")
            .map(drop)
    }

    /// The end of each log, for a failure's message.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(self.dir.path().join("log"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let log = fs::read_to_string(entry.path()).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(8).collect();
            text += &format!("\n--- {}\n", entry.path().display());
            text.extend(tail.iter().rev().flat_map(|line| [*line, "\n"]));
        }
        text
    }

    /// Every process that was started with this peer's configuration.
    pub(crate) fn processes(&self) -> Vec<rustix::process::Pid> {
        let mark = format!("--configfile={}", self.config().display());
        let is_ours = |entry: &Path| {
            let line = fs::read(entry.join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .any(|argument| argument == mark.as_bytes())
        };
        fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| is_ours(&entry.path()))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(rustix::process::Pid::from_raw)
            .collect()
    }
}

impl SambaPeer {
    fn stop(&self) {
        for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
            for pid in self.processes() {
                let _ = rustix::process::kill_process(pid, signal);
            }
            let _ = tool::wait_for("smbd to stop", Duration::from_secs(5), || {
                self.processes().is_empty()
            });
        }
    }
}

impl Drop for SambaPeer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A TCP port on 127.0.0.1 that nothing listens on.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// What `vfs_shell_snap` calls: a copy of the directory, with shared extents where the file system
/// has them, under a name of its own.
const COPY_SCRIPT: &str = r#"#!/bin/sh
set -eu
case $1 in
check) [ -d "$2/.copies" ] ;;
create)
    copy=$(mktemp -d "$2/.copies/XXXXXXXX")
    chmod 1777 "$copy"
    for entry in "$2"/* "$2"/.[!.]*; do
        case $entry in "$2/*" | "$2/.[!.]*" | "$2/.copies") continue ;; esac
        cp -a --reflink=auto "$entry" "$copy/" >&2
    done
    echo "$copy"
    ;;
delete) case $3 in "$2"/.copies/*) rm -rf -- "$3" ;; *) exit 1 ;; esac ;;
*) exit 2 ;;
esac
"#;

/// Ends every process of the peer with a signal, waits for their end, and starts smbd.
#[allow(
    dead_code,
    reason = "benches/server takes this file in and uses the rest"
)]
const RESTART_SCRIPT: &str = r#"#!/bin/sh
set -eu
pids() { grep -lzx -- "--configfile=PATTERN" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }
kill -"$1" $(pids)
looks=0
while [ -n "$(pids)" ]; do
    looks=$((looks + 1))
    if [ $looks -gt 200 ]; then echo "smbd does not end" >&2; exit 1; fi
    sleep 0.05
done
exec smbd --daemon --configfile=CONFIG
"#;
