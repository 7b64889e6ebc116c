//! What a failure leaves behind: an archive with its traffic, the keys for it, its steps and how to
//! play it again, and nothing that is secret.

use crate::decode::calls_in;
use crate::server::Server;
use fsrvp::capture::link::Decapsulator;
use fsrvp::capture::{CaptureReader, CaptureWriter};
use fsrvp::case::Target;
use fsrvp::drive::{Company, IdSource, LivePlayer, LogonKey, Passing, Recorder, Tape, Time};
use fsrvp::flow::tcp::Stamp;
use fsrvp::flow::{Answer, Exchange, KeyRing, NtlmLogonKey, Request};
use fsrvp::generate::{Stage, lifecycle};
use fsrvp::report::Format;
use fsrvp::run::check::{Archives, CheckOptions, check};
use fsrvp::run::decode::{self, DecodeOptions, decode};
use fsrvp_reference::agent::Fault;
use fsrvp_wire::auth::ntlm::NtHash;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a wrong server breaks, and a rule over traffic alone sees.
const BROKEN: &str = "FSRVP-3.1.4.2-14";

/// The files of a zip archive, by their names.
pub(crate) fn unzipped(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = fs::File::open(path).expect("the archive is there");
    let mut archive = zip::ZipArchive::new(file).expect("it is an archive");
    let mut files = BTreeMap::new();
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).expect("it is whole");
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("it unpacks");
        let name = file.name().expect("UTF-8").into_owned();
        files.insert(name, content);
    }
    files
}

/// The ports that ended a connection in a capture, with a FIN or RST.
pub(crate) fn ends(file: &[u8]) -> Vec<u16> {
    let mut reader = CaptureReader::new(file).expect("a capture");
    let mut decapsulator = Decapsulator::new();
    let mut ends = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a packet");
        let length = packet.original_len;
        let segment = decapsulator.segment(packet.link, packet.data, length, Stamp::default());
        let segment = segment.expect("TCP");
        if segment.fin || segment.rst {
            ends.push(segment.source.port());
        }
    }
    ends
}

fn text<'f>(files: &'f BTreeMap<String, Vec<u8>>, name: &str) -> &'f str {
    std::str::from_utf8(&files[name]).expect("text")
}

/// What the decoder says of an archive's traffic, unpacked to `dir` with its keys.
fn decoded(files: &BTreeMap<String, Vec<u8>>, dir: &Path) -> String {
    for name in ["traffic.pcapng", "traffic.keys.toml"] {
        fs::write(dir.join(name), &files[name]).expect("written");
    }
    decoded_at(&dir.join("traffic.pcapng"))
}

fn decoded_at(capture: &Path) -> String {
    let options = DecodeOptions {
        captures: vec![capture.to_owned()],
        format: decode::Format::Json,
        judge: true,
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    decode(&options, &mut out).expect("it decodes");
    String::from_utf8(out).expect("text")
}

/// The last line of what the decoder says.
fn summary(decoded: &str) -> Value {
    serde_json::from_str(decoded.lines().last().expect("a line")).expect("JSON")
}

/// Checks, and gives the ledger as JSON.
fn checked(dir: &Path, options: CheckOptions) -> Value {
    let report = dir.join("report.json");
    let options = CheckOptions {
        format: Format::Json,
        output: Some(report.clone()),
        seed: Some(7),
        ..options
    };
    check(&options, &mut Vec::new()).expect("it runs");
    let text = fs::read_to_string(report).expect("the report is there");
    serde_json::from_str(&text).expect("JSON")
}

/// Cases on a rule that this server breaks; gives the ledger and the archives by their cases.
fn wrong_server(dir: &Path) -> (Value, BTreeMap<String, PathBuf>) {
    let options = CheckOptions {
        filters: vec![format!("{BROKEN},get-supported-version")],
        faults: vec![Fault::SetContextKeepsSet],
        archives: Archives::Beside,
        ..CheckOptions::default()
    };
    let ledger = checked(dir, options);
    let mut archives = BTreeMap::new();
    for outcome in ledger["outcomes"].as_array().expect("outcomes") {
        let archive = outcome["archive"].as_str();
        let failed = outcome["verdict"] == "fail";
        assert_eq!(archive.is_some(), failed, "{outcome}");
        if let Some(archive) = archive {
            let case = outcome["case"].as_str().expect("an id").to_owned();
            archives.insert(case, PathBuf::from(archive));
        }
    }
    assert!(!archives.is_empty(), "{ledger}");
    (ledger, archives)
}

#[test]
fn a_failed_case_leaves_an_archive_and_one_that_passes_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let (ledger, archives) = wrong_server(dir.path());
    let there = fs::read_dir(dir.path().join("fsrvp-failures")).expect("the folder is there");
    assert_eq!(there.count(), archives.len());
    let mut found = false;
    for (case, archive) in &archives {
        let name = archive.file_name().and_then(|name| name.to_str());
        assert_eq!(
            name,
            Some(format!("{}.zip", case.replace('/', "-")).as_str())
        );
        let files = unzipped(archive);
        let readme = text(&files, "README.txt");
        let again = format!("fsrvp check {case} --seed 7");
        assert!(
            readme.contains(&again) && readme.contains(" came to fail on"),
            "{readme}"
        );
        assert!(text(&files, "steps.txt").contains("permitted"));
        assert!(text(&files, "log.txt").contains("context set"));
        let own = fs::read_to_string(format!("cases/{case}.toml")).expect("a case");
        assert_eq!(text(&files, &format!("cases/{case}.toml")), own);
        let wireshark = text(&files, "wireshark.txt");
        assert!(wireshark.contains("smb2_seskey_list"), "{wireshark}");
        assert!(text(&files, "target.toml").contains("password_env"));

        // The traffic begins with the calls of the steps, and then cleans up.
        let decoded = decoded(&files, dir.path());
        assert_eq!(summary(&decoded)["gaps"], 0, "{decoded}");
        let calls = calls_in(&decoded);
        let outcomes = ledger["outcomes"].as_array().expect("outcomes");
        let outcome = outcomes.iter().find(|one| one["case"] == **case);
        let steps = outcome.expect("an outcome")["steps"]
            .as_array()
            .expect("steps");
        let is_call = |step: &&Value| step["actual"].as_str().is_some_and(|a| a.starts_with("0x"));
        let mut traveled = calls.iter();
        for step in steps.iter().filter(is_call) {
            let call = traveled.next().expect("as many calls as steps");
            let action = step["action"].as_str().expect("an action");
            assert!(action.contains(&call.method), "{action}: {call:?}");
            assert_eq!(
                step["actual"].as_str(),
                Some(call.code.as_str()),
                "{action}"
            );
        }
        found |= decoded
            .lines()
            .any(|line| line.contains("\"finding\"") && line.contains(BROKEN));
    }
    assert!(found, "no rule over the traffic alone saw it");
}

#[test]
fn the_same_seed_leaves_the_same_archive_but_for_times_keys_and_ids_of_the_server() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
    let [first, second] = dirs.each_ref().map(|dir| wrong_server(dir.path()).1);
    assert!(first.keys().eq(second.keys()));
    for (case, archive) in &first {
        let (one, other) = (unzipped(archive), unzipped(&second[case]));
        assert!(one.keys().eq(other.keys()));
        for name in ["README.txt", "steps.txt"] {
            assert_eq!(text(&one, name), text(&other, name));
        }
        let calls = |files: &BTreeMap<String, Vec<u8>>, dir: &tempfile::TempDir| {
            calls_in(&decoded(files, dir.path()))
        };
        assert_eq!(calls(&one, &dirs[0]), calls(&other, &dirs[1]));
    }
}

#[test]
fn no_password_nor_hash_is_in_an_archive_and_its_keys_open_what_is_sealed() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start();
    let cases = dir.path().join("cases");
    fs::create_dir_all(cases.join("t")).expect("a directory");
    fs::write(cases.join("t/refuses.toml"), WRONG_CASE).expect("written");
    let options = CheckOptions {
        cases: Some(cases),
        target: Some(server.target("shares", "rpc_auth = \"privacy\"\nshares")),
        archives: Archives::In(dir.path().join("kept")),
        ..CheckOptions::default()
    };
    let ledger = checked(dir.path(), options);
    let outcome = &ledger["outcomes"][0];
    assert_eq!(outcome["verdict"], "fail", "{outcome}");
    let archive = outcome["archive"].as_str().expect("an archive");
    assert_eq!(Path::new(archive), dir.path().join("kept/t-refuses.zip"));
    let mut files = unzipped(Path::new(archive));
    let decoded = decoded(&files, dir.path());
    let methods: Vec<String> = calls_in(&decoded)
        .into_iter()
        .map(|call| call.method)
        .collect();
    assert_eq!(methods, ["GetSupportedVersion"; 3], "{decoded}");
    assert!(decoded.contains("\"privacy\""), "{decoded}");

    // Keys of others open nothing, and make no finding.
    let keys = text(&files, "traffic.keys.toml");
    let other = |line: &str| match line.split_once("session_key = \"") {
        Some((_, digits)) => format!("session_key = \"00{}\"", &digits[..30]),
        None => line.to_owned(),
    };
    let keys: Vec<String> = keys.lines().map(other).collect();
    fs::write(dir.path().join("traffic.keys.toml"), keys.join("\n")).expect("written");
    let closed = decoded_at(&dir.path().join("traffic.pcapng"));
    assert!(calls_in(&closed).is_empty(), "{closed}");
    assert!(summary(&closed)["gaps"].as_u64() > Some(0), "{closed}");
    assert!(!closed.contains("\"finding\""), "{closed}");

    files.insert(
        "the archive".to_owned(),
        fs::read(archive).expect("readable"),
    );
    for password in ["secret-of-admin", "secret-of-eve"] {
        let wide: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hash = NtHash::of_password(password).as_bytes().to_vec();
        let hex = hash.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let upper = hex.to_uppercase();
        for secret in [
            password.as_bytes(),
            &wide,
            &hash,
            hex.as_bytes(),
            upper.as_bytes(),
        ] {
            for (name, content) in &files {
                let is_in = content.windows(secret.len()).any(|part| part == secret);
                assert!(!is_in, "{name}");
            }
        }
    }
}

/// Two clients, one of them without rights, and an answer that no server gives.
const WRONG_CASE: &str = r#"
title = "A case that every server fails"

[client.plain]
user = "plain"

[[step]]
client = "plain"
call = "GetSupportedVersion"
expect = { requirement = "FSRVP-3-02", status = "E_ACCESSDENIED" }

[[step]]
call = "GetSupportedVersion"

[[step]]
call = "GetSupportedVersion"
expect = { requirement = "FSRVP-3-02", status = "E_OUTOFMEMORY" }
"#;

#[test]
fn a_failed_lifecycle_leaves_an_archive_of_its_shortest_form() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = CheckOptions {
        filters: vec!["get-supported-version".to_owned()],
        faults: vec![Fault::PrepareStarted],
        lifecycles: Some(60),
        archives: Archives::Beside,
        ..CheckOptions::default()
    };
    let ledger = checked(dir.path(), options);
    let outcomes = ledger["outcomes"].as_array().expect("outcomes");
    let mut failed = outcomes.iter().filter(|one| one["verdict"] == "fail");
    let outcome = failed.next().expect("a failure");
    let (case, broken) = (&outcome["case"], &outcome["requirements"][0]);
    let (case, broken) = (
        case.as_str().expect("an id"),
        broken.as_str().expect("an id"),
    );
    let folder = dir.path().join("fsrvp-failures");
    let archive = folder.join(format!("{}.zip", case.replace('/', "-")));
    assert_eq!(outcome["archive"], archive.display().to_string());
    let files = unzipped(&archive);
    let kept = fs::read_to_string(folder.join(format!("{case}.toml"))).expect("kept");
    assert_eq!(text(&files, &format!("cases/{case}.toml")), kept);
    let decoded = decoded(&files, dir.path());
    let finding = |line: &str| line.contains("\"finding\"") && line.contains(broken);
    assert!(decoded.lines().any(finding), "{decoded}");
    assert_eq!(summary(&decoded)["gaps"], 0, "{decoded}");
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_changes_no_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    let options = CheckOptions {
        filters: vec![BROKEN.to_owned()],
        faults: vec![Fault::SetContextKeepsSet],
        archives: Archives::In(file.join("folder")),
        ..CheckOptions::default()
    };
    let ledger = checked(dir.path(), options);
    let outcomes = ledger["outcomes"].as_array().expect("outcomes");
    let failed = outcomes.iter().find(|one| one["verdict"] == "fail");
    let message = failed.expect("a failure")["message"].to_string();
    assert!(message.contains("no archive: "), "{message}");
}

#[test]
fn a_run_is_saved_whole_with_the_keys_that_open_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let capture = dir.path().join("run.pcapng");
    let options = CheckOptions {
        filters: vec!["transport,get-share-mapping".to_owned()],
        lifecycles: Some(40),
        jobs: Some(2),
        save_pcap: Some(capture.clone()),
        ..CheckOptions::default()
    };
    let ledger = checked(dir.path(), options);
    let calls = ledger["lifecycles"]["calls"].as_u64();
    let decoded = decoded_at(&capture);
    let broken = decoded
        .lines()
        .find(|line| line.contains("\"finding\"") && line.contains("\"by\":\"server\""));
    assert_eq!(
        broken, None,
        "the server was right, and its clock was moved"
    );
    let summary = summary(&decoded);
    assert!(summary["calls"].as_u64() > calls, "{summary}");
    assert_eq!(summary["unread_packets"], 0, "{summary}");
    assert!(capture.with_extension("keys.toml").is_file());
}

/// A call that is not waited for belongs to the step that made it.
#[test]
fn a_call_in_the_background_is_told_as_of_its_own_step() {
    let dir = tempfile::tempdir().expect("a directory");
    let capture = dir.path().join("run.pcapng");
    let case = "abort-shadow-copy-set/ends-a-commit";
    let options = CheckOptions {
        filters: vec![case.to_owned()],
        save_pcap: Some(capture.clone()),
        ..CheckOptions::default()
    };
    let ledger = checked(dir.path(), options);
    let steps = ledger["outcomes"][0]["steps"].as_array().expect("steps");
    let is_sent = |step: &&Value| {
        step["action"]
            .as_str()
            .is_some_and(|a| a.contains(" goes out "))
    };
    let step = steps.iter().find(is_sent).expect("a call that goes out");
    let told = format!("{case} step {}: CommitShadowCopySet", step["step"]);
    let file = fs::read(capture).expect("readable");
    let is_told = file.windows(told.len()).any(|part| part == told.as_bytes());
    assert!(is_told, "no packet tells {told}");
}

/// Writes all that it is told, and remembers the keys.
struct ToCapture {
    writer: CaptureWriter<Vec<u8>>,
    keys: Vec<LogonKey>,
}

impl Recorder for ToCapture {
    fn step(&mut self, _: &str) {}

    fn passing(&mut self, time: Duration, id: u64, passing: Passing<'_>) {
        match passing {
            Passing::Opened { client, server } => self.writer.open(time, id, client, server),
            Passing::Bytes {
                direction, bytes, ..
            } => self.writer.bytes(time, id, direction, bytes, None),
            Passing::Ended { direction, reset } => self.writer.end(time, id, direction, reset),
        }
        .expect("memory takes it");
    }

    fn logon(&mut self, key: &LogonKey) {
        self.keys.push(key.clone());
    }
}

/// The exchanges that a lifecycle's player saw are those that its traffic holds, to the byte.
#[test]
fn traffic_holds_exactly_the_exchanges_that_the_live_run_saw() {
    let server = Server::start();
    let path = server.target("shares", "shares");
    let target = fs::read_to_string(&path).expect("readable");
    let target = Target::read(&path, &target, &|_| None, &|path| fs::read_to_string(path));
    let target = target.expect("a target");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let recorder = Arc::new(Mutex::new(ToCapture {
        writer: CaptureWriter::new(Vec::new(), "test", "").expect("memory takes it"),
        keys: Vec::new(),
    }));
    let mut seen: Vec<(Request, Answer)> = Vec::new();
    for n in 0..5 {
        let tape = Tape::new(Arc::clone(&recorder) as _);
        let mut company = Company::on_tape(&tape);
        let life = lifecycle(3, n, &Stage::of(&target));
        let mut judge = |_: usize, exchange: &Exchange| {
            seen.push((exchange.request.clone(), exchange.answer.clone()));
            ControlFlow::Continue(())
        };
        let player = LivePlayer::new(&target, Time::Theirs, IdSource::new(n), &mut company);
        runtime
            .block_on(player.play(&life, &mut judge))
            .expect("played");
    }
    let recorder = Arc::into_inner(recorder).expect("all tapes are gone");
    let recorder = recorder.into_inner().expect("nobody panicked");
    assert!(recorder.keys.len() > 5);
    let file = recorder.writer.finish().expect("memory takes it");
    let keys = recorder.keys.iter().filter_map(|key| match key {
        LogonKey::Rpc { proof, session_key } => Some(NtlmLogonKey {
            proof: *proof,
            session_key: session_key.clone(),
        }),
        LogonKey::Smb { .. } => None,
    });
    let keys = KeyRing::default().with_logons(keys);
    let mut held = crate::decode::exchanges(&file, keys).into_iter();
    assert!(seen.len() > 40, "{}", seen.len());
    for (n, wanted) in seen.iter().enumerate() {
        // What cleans up stands between the lifecycles.
        let found = held.any(|one| one == *wanted);
        assert!(found, "exchange {n} is not in the traffic: {wanted:?}");
    }
}
