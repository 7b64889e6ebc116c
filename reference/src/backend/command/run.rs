//! Running a program of the user's, for no longer than it may take.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::BackendError;

/// What a program may have to find others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of what a program prints is read.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;

/// How much of a complaint goes into the log.
const COMPLAINT_CHARS_MAX: usize = 200;

/// The program of a command line.
pub(super) fn path_of(command: &[String]) -> PathBuf {
    command.first().map(PathBuf::from).unwrap_or_default()
}

/// Refuses a command line whose program is not there.
pub(super) fn must_be_program(command: &[String]) -> Result<(), BackendError> {
    let path = path_of(command);
    let metadata = std::fs::metadata(&path).map_err(|error| BackendError::io(&path, error))?;
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        return Ok(());
    }
    Err(BackendError::unsupported(path, "it is no program"))
}

/// Runs a command line with `input` and gives what it printed, if it succeeded.
///
/// Files stand for pipes: whoever reads a pipe to its end waits for every process that the program
/// left behind.
pub(super) fn run(
    command: &[String],
    input: &[u8],
    timeout: Duration,
) -> Result<String, BackendError> {
    let program = path_of(command);
    let io = |error: std::io::Error| BackendError::io(&program, error);
    let mut stdin = tempfile::tempfile().map_err(io)?;
    stdin
        .write_all(input)
        .and_then(|()| stdin.rewind())
        .map_err(io)?;
    let stdout = tempfile::tempfile().map_err(io)?;
    let stderr = tempfile::tempfile().map_err(io)?;
    let child = Command::new(&program)
        .args(command.iter().skip(1))
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .process_group(0)
        .stdin(stdin)
        .stdout(stdio(&stdout).map_err(io)?)
        .stderr(stdio(&stderr).map_err(io)?)
        .spawn()
        .map_err(io)?;
    let fail = |reason: String| {
        Err(BackendError::Program {
            program: program.clone(),
            reason,
        })
    };
    match wait(child, timeout).map_err(io)? {
        None => fail(format!("killed, it took longer than {timeout:?}")),
        Some(status) if status.success() => text(&stdout).map_err(io),
        Some(status) => {
            let complaint = text(&stderr).unwrap_or_default();
            let last = complaint.lines().last().unwrap_or_default();
            let shown = last.chars().filter(|c| !c.is_control());
            let shown: String = shown.take(COMPLAINT_CHARS_MAX).collect();
            fail(format!("{status}: {shown}"))
        }
    }
}

fn stdio(file: &File) -> std::io::Result<Stdio> {
    file.try_clone().map(Stdio::from)
}

/// The beginning of what was printed.
fn text(file: &File) -> std::io::Result<String> {
    let mut file = file;
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits for the end of `child`; kills it, and all of its process group, when it takes too long,
/// and then gives `None`.
fn wait(mut child: Child, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
    let pid = Pid::from_child(&child);
    let (tell, ended) = mpsc::channel();
    std::thread::spawn(move || {
        // Its id stays taken until `child` is waited for below, so nobody else is ever killed.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let waited = rustix::process::waitid(WaitId::Pid(pid), options);
        // Whoever waits is gone only when the child is.
        let _ = tell.send(waited.is_ok());
    });
    if ended.recv_timeout(timeout).is_ok() {
        return child.wait().map(Some);
    }
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    child.kill()?;
    child.wait()?;
    Ok(None)
}
