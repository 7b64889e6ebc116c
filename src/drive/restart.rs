//! Restarts a server that is not the harness's, by the program that its target file names.

use crate::case::Target;
use crate::drive::reach::answers;
use crate::drive::wait::{ANSWERS_AGAIN_MAX, Patience, RESTART_MAX};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

/// What is told where the program itself did not do its work, which says nothing of the server.
pub(crate) const RESTART_FAILED: &str = "the program that restarts the server failed";
/// How much of what the program printed is told, in bytes from its end.
const TOLD_BYTES_MAX: u64 = 2048;

/// Runs the program and waits until the server answers again.
pub(crate) async fn restart(target: &Target) -> Result<(), String> {
    let Some((program, arguments)) = target.restart.split_first() else {
        return Err("the target names no program that restarts the server".to_owned());
    };
    run(program, arguments)
        .await
        .map_err(|why| format!("{RESTART_FAILED}: {why}"))?;
    let patience = Patience::new(ANSWERS_AGAIN_MAX);
    while let Err(error) = answers(target).await {
        if !patience.wait().await {
            let within = ANSWERS_AGAIN_MAX.as_secs();
            return Err(format!(
                "{program} ended, and the server did not answer within {within} s: {error}"
            ));
        }
    }
    Ok(())
}

/// Runs the program to its end. A server that it starts keeps its standard output open, so this goes
/// to a file, and nobody waits for its end.
async fn run(program: &str, arguments: &[String]) -> Result<(), String> {
    let fail = |error: io::Error| format!("{program}: {error}");
    let mut output = tempfile::tempfile().map_err(fail)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(fail)?)
        .stderr(output.try_clone().map_err(fail)?)
        // Ctrl-C is for the harness and not for the server.
        .process_group(0)
        .spawn()
        .map_err(fail)?;
    match end(&mut child).await.map_err(fail)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{program}: {status}{}", told(&mut output))),
        None => {
            let within = RESTART_MAX.as_secs();
            let said = told(&mut output);
            Err(format!("{program} took more than {within} s{said}"))
        }
    }
}

/// How the program ended; `None` where it had to be ended.
async fn end(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let patience = Patience::new(RESTART_MAX);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if !patience.wait().await {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
    }
}

/// The end of what was printed, on lines of its own.
fn told(output: &mut File) -> String {
    let mut read = || -> io::Result<Vec<u8>> {
        let length = output.seek(SeekFrom::End(0))?;
        output.seek(SeekFrom::Start(length.saturating_sub(TOLD_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        output.take(TOLD_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    match String::from_utf8_lossy(&bytes).trim() {
        "" => String::new(),
        text => format!(", and printed:\n{text}"),
    }
}
