//! Our harness against servers that it did not start: Samba in every case, restarts, and the ways to be
//! kept out of one.

use crate::samba::{ADMIN, SambaPeer};
use crate::tool;
use crate::{Outcome, demand, trial};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Samba's Message Sequence Timer, in seconds, where cases wait for it.
const SEQUENCE_TIMEOUT_S: u32 = 2;
/// What such cases come to where the timers are nominal.
const TOO_SLOW: &str = "too slow to be waited for";
/// How many generated lifecycles are played against Samba.
const LIFECYCLES: &str = "50";
/// What they are made from.
const SEED: &str = "5";

const OF_SAMBA: &[&str] = &["smbd", "smbpasswd", "rpcclient", "smbclient", "pdbedit"];

const ON_BTRFS: &[&str] = &[
    "smbd",
    "smbpasswd",
    "rpcclient",
    "pdbedit",
    "mkfs.btrfs",
    "btrfs",
    "mount",
];
/// What a read-only snapshot of btrfs makes other than a copy of the directory.
const OF_BTRFS: &str = "exposed-share,lifecycle/a-set-after-a-set,lifecycle/backup-is-read-only,\
    auto-recovery/backup-is-writable-until-recovery,auto-recovery/files-cannot-be-removed-afterwards";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("check_against_smbd", OF_SAMBA, true, check_against_smbd),
        trial(
            "check_against_smbd_on_btrfs",
            ON_BTRFS,
            true,
            check_against_smbd_on_btrfs,
        ),
        trial("kept_out_by_smbd", OF_SAMBA, true, kept_out_by_smbd),
    ];
    for signal in ["TERM", "KILL"] {
        let name = format!("restart_of_serve::{}", signal.to_lowercase());
        trials.push(trial(name, &["sh"], false, move || {
            restart_of_serve(signal)
        }));
    }
    trials
}

/// `fsrvp check` of a target; its exit code, the ledger, and what it said.
fn check(target: &Path, more: &[&str]) -> Result<(Option<i32>, Value, String), Failed> {
    let report = target.with_extension("json");
    // One that is left from another run would be read in place of this one's.
    let _ = fs::remove_file(&report);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fsrvp"));
    command.arg("check").args(more).arg("--target").arg(target);
    command.args(["--format", "json", "--output"]).arg(&report);
    let run = tool::run_with_input(command, b"")?;
    let text = fs::read_to_string(report).unwrap_or_default();
    let ledger = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok((run.status, ledger, run.output))
}

/// The cases of a ledger with this verdict, each with what is told of it.
fn with_verdict(ledger: &Value, verdict: &str) -> Vec<(String, String)> {
    let outcomes = ledger["outcomes"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    outcomes
        .filter(|outcome| outcome["verdict"] == verdict)
        .map(|outcome| (text(&outcome["case"]), text(&outcome["message"])))
        .collect()
}

/// Fails unless everything was as expected.
fn as_expected(run: &(Option<i32>, Value, String), peer: &SambaPeer) -> Outcome {
    let (status, ledger, said) = run;
    if *status == Some(0) {
        return Ok(());
    }
    let wrong: Vec<_> = ["fail", "inconclusive"]
        .iter()
        .flat_map(|verdict| with_verdict(ledger, verdict))
        .collect();
    Err(format!("exit {status:?}\n{said}\n{wrong:#?}\n{}", peer.logs()).into())
}

/// Every verdict over a real smbd is a pass or a deviation that the list explains, of cases and of
/// lifecycles alike: everything that need not wait by one with nominal timers, which is restarted as
/// well, and what waits by another one.
fn check_against_smbd() -> Outcome {
    let nominal = SambaPeer::start_nominal()?;
    let program = nominal.restart_program()?;
    let restart = format!(
        "timers = {{ scale = 1 }}\nrestart = [\"{}\", \"KILL\"]",
        program.display()
    );
    let target = nominal.target_file(&restart)?;
    let run = check(&target, &["--lifecycles", LIFECYCLES, "--seed", SEED])?;
    as_expected(&run, &nominal)?;
    let lifecycles = &run.1["lifecycles"];
    let (count, known) = (lifecycles["count"].as_u64(), lifecycles["known"].as_u64());
    if count != LIFECYCLES.parse().ok() || known == Some(0) {
        return Err(format!("{count:?} lifecycles, {known:?} known deviations").into());
    }
    let waiting: Vec<String> = with_verdict(&run.1, "n/a")
        .into_iter()
        .filter(|(_, why)| why.contains(TOO_SLOW))
        .map(|(case, _)| case)
        .collect();
    drop(nominal);
    if waiting.len() < 20 {
        return Err(format!("only {waiting:?} wait").into());
    }
    let quick = SambaPeer::start(SEQUENCE_TIMEOUT_S)?;
    let target = quick.target_file(&format!("timers = {{ fixed_s = {SEQUENCE_TIMEOUT_S} }}"))?;
    let run = check(&target, &[&waiting.join(",")])?;
    as_expected(&run, &quick)?;
    for (case, why) in with_verdict(&run.1, "n/a") {
        if why.contains(TOO_SLOW) {
            return Err(format!("{case}: {why}").into());
        }
    }
    Ok(())
}

/// The same where a shadow copy is a snapshot of btrfs, of cases that this makes a difference to.
fn check_against_smbd_on_btrfs() -> Outcome {
    let peer = SambaPeer::start_on_btrfs()?;
    let target = peer.target_file("timers = { scale = 1 }\npause_between_sets_ms = 1100")?;
    let text = fs::read_to_string(&target)?;
    fs::write(
        &target,
        text.replace("known = \"samba-4.17\"", "known = \"samba-4.17-btrfs\""),
    )?;
    let run = check(&target, &[OF_BTRFS])?;
    as_expected(&run, &peer)?;
    let passed = with_verdict(&run.1, "pass");
    let wanted = "lifecycle/backup-is-read-only";
    match passed.iter().any(|(case, _)| case == wanted) {
        true => Ok(()),
        false => Err(format!("{wanted} is not among {passed:?}").into()),
    }
}

/// Whoever is kept out is told why, and what to do about it.
fn kept_out_by_smbd() -> Outcome {
    let peer = SambaPeer::start(60)?;
    let target = peer.target_file("")?;
    let text = fs::read_to_string(&target)?;
    let kept_out = |from: &str, to: &str, wanted: [&str; 2]| -> Outcome {
        fs::write(&target, text.replace(from, to))?;
        let (status, _, said) = check(&target, &["get-supported-version"])?;
        if status != Some(2) {
            return Err(format!("exit {status:?} in place of 2: {said}").into());
        }
        wanted
            .iter()
            .try_for_each(|wanted| demand(&said, wanted, to))
    };
    let user = format!("user = \"{}\"", ADMIN.name);
    let password = format!("password = \"{}\"\nshares", ADMIN.password);
    let correct = "correct user, password and domain";
    kept_out(
        &password,
        "password = \"wrong\"\nshares",
        ["LOGON_FAILURE", correct],
    )?;
    kept_out(&user, "user = \"nobody-here\"", ["LOGON_FAILURE", correct])?;
    kept_out(
        "\"vol2\"",
        "\"vol9\"",
        ["share vol9", "correct the target file"],
    )?;
    peer.flag_admin("[L]")?;
    kept_out("", "", ["ACCOUNT_LOCKED_OUT", "unlock the account"])?;
    peer.flag_admin("[D]")?;
    kept_out("", "", ["ACCOUNT_DISABLED", "enable the account"])?;
    peer.flag_admin("[]")?;
    let guest = user.as_str();
    for (option, from, to, wanted) in [
        (
            "ntlm auth = disabled",
            "",
            "",
            ["NTLM_BLOCKED", "allow NTLM for this user"],
        ),
        (
            "map to guest = Bad User\n    guest account = games",
            guest,
            "user = \"nobody-here\"",
            ["logged on as a guest", "fall-back to guests"],
        ),
        (
            "server smb encrypt = required",
            "",
            "",
            ["ACCESS_DENIED", "not demand encryption"],
        ),
        (
            "server max protocol = SMB3_00",
            "profile =",
            "smb = { dialects = [\"3.1.1\"] }\nprofile =",
            ["negotiate: NOT_SUPPORTED", "set dialects"],
        ),
        (
            "rpc start on demand helpers = no",
            "",
            "",
            [
                "open of the pipe FssagentRpc",
                "File Server VSS Agent Service",
            ],
        ),
    ] {
        peer.reconfigured(option, || kept_out(from, to, wanted))??;
    }
    Ok(())
}

/// `fsrvp serve` as a server that somebody else restarts; it is stopped when dropped.
struct Restarted {
    files: tempfile::TempDir,
}

impl Restarted {
    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

impl Drop for Restarted {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.path("pid")).unwrap_or_default();
        let pid = pid.trim().parse().ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// What the target file names: ends the server by the signal of its argument, where there is one, and
/// starts it.
const RESTART: &str = r#"#!/bin/sh
set -eu
cd "$(dirname "$0")"
if [ -e pid ]; then
    kill -"$1" "$(cat pid)"
    looks=0
    while kill -0 "$(cat pid)" 2>/dev/null; do
        # A process that has ended is not gone before somebody asks how.
        case $(cut -d' ' -f3 "/proc/$(cat pid)/stat" 2>/dev/null) in Z) break ;; esac
        looks=$((looks + 1))
        if [ $looks -gt 500 ]; then echo "the server does not end"; exit 1; fi
        sleep 0.02
    done
fi
FSRVP serve --config server.toml >ready 2>log </dev/null &
echo $! >pid
looks=0
until grep -q ready ready; do
    looks=$((looks + 1))
    if [ $looks -gt 500 ]; then cat log; exit 1; fi
    sleep 0.02
done
"#;

/// Every case of persistence over `fsrvp serve`, which a program of the target's restarts.
fn restart_of_serve(signal: &'static str) -> Outcome {
    let builder = tempfile::Builder::new()
        .prefix("fsrvp-restarted-")
        .tempdir()?;
    let server = Restarted { files: builder };
    for dir in ["data", "more", "state"] {
        fs::create_dir(server.path(dir))?;
    }
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let config = format!(
        "backend = \"copy\"\nlisten = \"127.0.0.1:{port}\"\nstate = \"state\"\n\
         [[share]]\nname = \"data\"\npath = \"data\"\nstore = \"one\"\n\
         [[share]]\nname = \"more\"\npath = \"more\"\nstore = \"two\"\n\
         [[user]]\nname = \"admin\"\npassword = \"secret\"\ngroups = [\"Administrators\"]\n"
    );
    fs::write(server.path("server.toml"), config)?;
    let program = server.path("restart");
    fs::write(
        &program,
        RESTART.replace("FSRVP", env!("CARGO_BIN_EXE_fsrvp")),
    )?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let mut first = Command::new(&program);
    first.arg(signal);
    // The server keeps the output that it is given, so it must not be a pipe that ends.
    first
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null());
    if !first.status()?.success() {
        return Err("the server did not start".into());
    }
    let target = server.path("target.toml");
    let text = format!(
        "name = \"ours\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"admin\"\npassword = \"secret\"\n\
         shares = [\"data\", \"more\"]\nrestart = [\"{}\", \"{signal}\"]\n",
        program.display()
    );
    fs::write(&target, text)?;
    let (status, ledger, said) = check(&target, &["persistence"])?;
    let passed = with_verdict(&ledger, "pass").len();
    let all = ledger["outcomes"].as_array().map_or(0, Vec::len);
    if status != Some(0) || passed != all || all < 12 {
        let log = fs::read_to_string(server.path("log")).unwrap_or_default();
        let fails = with_verdict(&ledger, "fail");
        return Err(format!("{passed} of {all}, {status:?}\n{said}\n{fails:#?}\n{log}").into());
    }
    Ok(())
}
