//! Running the real tools, and the waits that foreign processes force; all of them stand here.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A user with a password, of a server that a test started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
}

/// How a tool ended and what it printed.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit status; `None` where a signal ended it.
    pub(crate) status: Option<i32>,
    /// Standard output, then standard error.
    pub(crate) output: String,
}

impl Run {
    /// The output of a tool that has to succeed.
    pub(crate) fn success(self, what: &str) -> io::Result<String> {
        match self.status {
            Some(0) => Ok(self.output),
            status => Err(io::Error::other(format!(
                "{what} ended with {status:?}: {}",
                self.output
            ))),
        }
    }
}

/// The programs of Samba, pointed at a port of 127.0.0.1.
pub(crate) struct Tool;

impl Tool {
    /// `rpcclient` with a binding such as `sign` or `spnego,seal`.
    pub(crate) fn rpcclient(
        port: u16,
        user: Account,
        binding: &str,
        command: &str,
    ) -> io::Result<Run> {
        Tool::rpcclient_with(port, user, binding, &[], command)
    }

    /// `rpcclient` with further options.
    pub(crate) fn rpcclient_with(
        port: u16,
        user: Account,
        binding: &str,
        options: &[&str],
        command: &str,
    ) -> io::Result<Run> {
        let mut tool = samba_tool("rpcclient", port, user)?;
        tool.command
            .args(options)
            .args(["-c", command])
            .arg(format!("ncacn_np:127.0.0.1[{binding}]"));
        tool.run()
    }

    /// `smbclient //127.0.0.1/share -c commands`, with further options.
    pub(crate) fn smbclient(
        port: u16,
        user: Account,
        share: &str,
        options: &[&str],
        commands: &str,
    ) -> io::Result<Run> {
        let mut tool = samba_tool("smbclient", port, user)?;
        tool.command
            .arg(format!("//127.0.0.1/{share}"))
            .args(options)
            .args(["-c", commands]);
        tool.run()
    }

    /// One subtest of `smbtorture rpc.fsrvp`, against a server whose timers run for one second.
    pub(crate) fn fsrvp_torture(port: u16, user: Account, subtest: &str) -> io::Result<Run> {
        Tool::fsrvp_torture_over(port, user, "sign", subtest)
    }

    /// The same with another binding, such as `ndr64,seal`.
    pub(crate) fn fsrvp_torture_over(
        port: u16,
        user: Account,
        binding: &str,
        subtest: &str,
    ) -> io::Result<Run> {
        let mut tool = samba_tool("smbtorture", port, user)?;
        tool.command
            .arg("--option=fss:sequence timeout=1")
            .arg(format!("--basedir={}", tool.files.path().display()))
            .arg(format!("ncacn_np:127.0.0.1[smb2,{binding}]"))
            .arg(format!("rpc.fsrvp.fsrvp.{subtest}"));
        tool.run()
    }
}

impl Tool {
    /// One suite of `smbtorture` over `//127.0.0.1/share`, cut off after `limit_s` seconds.
    pub(crate) fn smbtorture(
        port: u16,
        user: Account,
        share: &str,
        suite: &str,
        limit_s: u32,
    ) -> io::Result<Run> {
        let mut tool = samba_tool("smbtorture", port, user)?;
        tool.command
            .arg("--option=torture:progress=no")
            .arg(format!("--basedir={}", tool.files.path().display()))
            .arg(format!("//127.0.0.1/{share}"))
            .arg(suite);
        let mut limited = Command::new("timeout");
        limited
            .arg(limit_s.to_string())
            .arg(tool.command.get_program())
            .args(tool.command.get_args())
            .current_dir(tool.files.path());
        run_with_input(limited, b"")
    }
}

/// A command with the directory of its own files, which lives as long as the run.
struct Prepared {
    command: Command,
    files: tempfile::TempDir,
}

impl Prepared {
    fn run(self) -> io::Result<Run> {
        run_with_input(self.command, b"")
    }
}

/// A program of Samba's with a configuration of its own. The password goes into a file, since the
/// arguments of a process are for everyone to see.
fn samba_tool(program: &str, port: u16, user: Account) -> io::Result<Prepared> {
    let files = tempfile::Builder::new().prefix("fsrvp-tool-").tempdir()?;
    let root = files.path().display();
    let mut config = format!(
        "[global]\n    netbios name = FSSTOOL\n    log file = {root}/log\n    client min protocol = SMB2_02\n"
    );
    for (option, name) in [
        ("state directory", "state"),
        ("cache directory", "cache"),
        ("lock directory", "lock"),
        ("private dir", "private"),
        ("pid directory", "pid"),
    ] {
        std::fs::create_dir(files.path().join(name))?;
        config += &format!("    {option} = {root}/{name}\n");
    }
    let config_path = files.path().join("smb.conf");
    std::fs::write(&config_path, config)?;
    let account = files.path().join("account");
    std::fs::write(
        &account,
        format!("username = {}\npassword = {}\n", user.name, user.password),
    )?;

    let mut command = Command::new(program);
    command
        .arg("-s")
        .arg(config_path)
        .args(["-p", &port.to_string()])
        .arg(format!("--authentication-file={}", account.display()))
        .current_dir(files.path());
    Ok(Prepared { command, files })
}

/// Runs a command to its end with `input` on standard input.
pub(crate) fn run_with_input(mut command: Command, input: &[u8]) -> io::Result<Run> {
    let mut child = command
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A tool may end without reading its input.
        let _ = pipe.write_all(input);
    }
    let ended = child.wait_with_output()?;
    let mut output = String::from_utf8_lossy(&ended.stdout).into_owned();
    output += &String::from_utf8_lossy(&ended.stderr);
    Ok(Run {
        status: ended.status.code(),
        output,
    })
}

/// Whether a program of this name can be run.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|dir| !dir.is_empty() && std::path::Path::new(dir).join(program).is_file())
}

/// Asks again every 20 ms until `done` says so, `limit` at most.
#[expect(
    clippy::disallowed_methods,
    reason = "a foreign process gives no other sign of being ready"
)]
pub(crate) fn wait_for(
    what: &str,
    limit: Duration,
    mut done: impl FnMut() -> bool,
) -> io::Result<()> {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return Err(io::Error::other(format!(
                "{what}: not within {} s",
                limit.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until something listens on a port of 127.0.0.1.
pub(crate) fn wait_for_listener(port: u16, limit: Duration) -> io::Result<()> {
    wait_for(&format!("a listener on 127.0.0.1:{port}"), limit, || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
}
