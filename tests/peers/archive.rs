//! Strangers open what a failure leaves behind: Python the archive, Wireshark the traffic in it.

use crate::blackbox::PYTHON;
use crate::samba::SambaPeer;
use crate::{Outcome, tool, trial};
use fsrvp::report::Format;
use fsrvp::run::check::{Archives, CheckOptions, check};
use fsrvp_reference::agent::Fault;
use fsrvp_wire::fsrvp::Opnum;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn trials() -> Vec<Trial> {
    let programs: &[&str] = &["python3", "tshark"];
    vec![
        trial("archive::of_a_wrong_server", programs, false, wrong_server),
        trial(
            "archive::of_smbd",
            &["python3", "tshark", "smbd", "net"],
            true,
            samba,
        ),
    ]
}

/// A server of ours that is wrong on purpose.
fn wrong_server() -> Outcome {
    let dir = tempfile::tempdir()?;
    let options = CheckOptions {
        filters: vec!["FSRVP-3.1.4.2-14,FSRVP-3.1.4.8-09".to_owned()],
        faults: vec![Fault::SetContextKeepsSet, Fault::AbortKeepsContext],
        ..CheckOptions::default()
    };
    all_open(dir.path(), options)
}

/// Cases that Samba fails without waiting for a timer.
const SAMBA_CASES: &str = "abort-shadow-copy-set/unknown-set,abort-shadow-copy-set/ends-the-context,\
    abort-shadow-copy-set/removes-an-exposed-set";

/// Samba without the list of what is known of it.
fn samba() -> Outcome {
    let peer = SambaPeer::start(2)?;
    let target = peer.target_file("timers = { fixed_s = 2 }")?;
    let text = fs::read_to_string(&target)?;
    fs::write(&target, text.replace("known = \"samba-4.17\"\n", ""))?;
    let dir = tempfile::tempdir()?;
    let options = CheckOptions {
        filters: vec![SAMBA_CASES.to_owned()],
        target: Some(target),
        ..CheckOptions::default()
    };
    all_open(dir.path(), options)
}

/// Checks, and has strangers open every archive.
fn all_open(dir: &Path, options: CheckOptions) -> Outcome {
    let report = dir.join("report.json");
    let options = CheckOptions {
        format: Format::Json,
        output: Some(report.clone()),
        archives: Archives::In(dir.join("archives")),
        ..options
    };
    check(&options, &mut Vec::new()).map_err(|error| error.to_string())?;
    let ledger: Value =
        serde_json::from_slice(&fs::read(report)?).map_err(|error| error.to_string())?;
    let outcomes = ledger["outcomes"].as_array().ok_or("no outcomes")?;
    let archived = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome, outcome["archive"].as_str()?)));
    let mut count = 0;
    for (outcome, archive) in archived {
        let place = dir.join(format!("unpacked-{count}"));
        opens(Path::new(archive), &place, outcome)
            .map_err(|failed| format!("{archive}: {}", failed.message().unwrap_or_default()))?;
        count += 1;
    }
    match count {
        0 => Err("nothing failed".into()),
        _ => Ok(()),
    }
}

fn opens(archive: &Path, place: &Path, outcome: &Value) -> Outcome {
    let mut unpack = Command::new(PYTHON);
    unpack.args(["-m", "zipfile", "-e"]).arg(archive).arg(place);
    tool::run_with_input(unpack, b"")?.success("zipfile")?;
    let wireshark = Wireshark::told_by(place)?;

    // Every call is there, with a comment that tells which step it belongs to.
    let fields = "-e tcp.checksum.status -e ip.checksum.status -e dcerpc.pkt_type -e dcerpc.opnum \
                  -e frame.comment";
    let packets = wireshark.shows(&format!("-T fields {fields}"))?;
    let packets: Vec<Vec<&str>> = packets
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let mut calls = packets.iter().filter_map(|packet| match packet.as_slice() {
        // Of type request.
        [_, _, "0", opnum, comment] => Some((*opnum, *comment)),
        _ => None,
    });
    let case = outcome["case"].as_str().ok_or("no case")?;
    let steps = outcome["steps"].as_array().ok_or("no steps")?;
    let was_answered = |step: &&Value| step["actual"].as_str().is_some_and(is_code);
    for step in steps.iter().filter(was_answered) {
        let (opnum, comment) = calls.next().ok_or("fewer calls than steps")?;
        let number = opnum.parse().map_err(|_| format!("opnum {opnum}"))?;
        let method = Opnum(number).name().unwrap_or_default();
        let (number, action) = (&step["step"], step["action"].as_str().unwrap_or_default());
        if !action.contains(method) || comment != format!("{case} step {number}: {method}") {
            return Err(format!("step {number}, {action}: opnum {opnum}, {comment}").into());
        }
    }
    // 1 is a checksum that is right.
    let is_right = |packet: &Vec<&str>| matches!(packet.as_slice(), ["1", "1", ..]);
    if packets.is_empty() || !packets.iter().all(is_right) {
        return Err(format!("wrong checksums: {packets:?}").into());
    }

    // Wireshark finds fault with the hint in NEGOTIATE responses, of Samba as well.
    let faults = "(_ws.malformed && smb2.cmd != 0) || tcp.analysis.flags";
    let found = wireshark.shows(&format!("-Y '{faults}'"))?;
    match found.as_str() {
        "" => Ok(()),
        _ => Err(format!("Wireshark finds fault with\n{found}").into()),
    }
}

fn is_code(actual: &str) -> bool {
    actual.starts_with("0x")
}

/// The command of the archive's `wireshark.txt`, for tshark.
struct Wireshark {
    command: String,
    place: PathBuf,
}

impl Wireshark {
    fn told_by(place: &Path) -> Result<Wireshark, Failed> {
        let text = fs::read_to_string(place.join("wireshark.txt"))?;
        let (command, _) = text
            .split_once("\n\n")
            .ok_or("no command in wireshark.txt")?;
        let command = command.strip_prefix("wireshark ").ok_or("no command")?;
        Ok(Wireshark {
            command: format!("tshark {command}"),
            place: place.to_owned(),
        })
    }

    /// What it prints with further options.
    fn shows(&self, options: &str) -> Result<String, Failed> {
        let mut shell = Command::new("sh");
        let checks = "-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE";
        let line = format!("{} {checks} {options} 2>/dev/null", self.command);
        shell.arg("-c").arg(line).current_dir(&self.place);
        Ok(tool::run_with_input(shell, b"")?.success("tshark")?)
    }
}
