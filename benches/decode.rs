//! How fast captures are decoded, beside a bare walk over their packets and beside `tshark`.
//!
//! `cargo bench --bench decode [-- CAPTURE...]`; without a capture, those that
//! `benches/make-capture` left in `target/bench`. See `benches/README.md`.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use fsrvp::capture::link::Decapsulator;
use fsrvp::capture::{CaptureReader, unpacked};
use fsrvp::flow::tcp::Stamp;
use fsrvp::run::decode::{DecodeOptions, Format, decode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each measurement is made; the median counts, so that a busy machine shows less.
const ROUNDS: usize = 9;

/// How often `tshark` runs, which takes longer.
const TSHARK_ROUNDS: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut captures: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .map(PathBuf::from)
        .collect();
    if captures.is_empty() {
        captures = ["smb.pcap", "smb-2x.pcap", "encrypted.pcap"]
            .map(|name| Path::new("target/bench").join(name))
            .into_iter()
            .filter(|path| path.exists())
            .collect();
    }
    if captures.is_empty() {
        return Err("no capture; make one with benches/make-capture".into());
    }
    for capture in captures {
        compare(&capture)?;
    }
    Ok(())
}

/// One line of the table.
struct Stage<'a> {
    name: &'static str,
    run: Box<dyn Fn() -> Outcome<()> + 'a>,
    /// The arguments of the program, where the stage is one run of it.
    arguments: Option<Vec<OsString>>,
    times: Vec<Duration>,
}

impl<'a> Stage<'a> {
    fn inside(name: &'static str, run: impl Fn() -> Outcome<()> + 'a) -> Self {
        Stage {
            name,
            run: Box::new(run),
            arguments: None,
            times: Vec::new(),
        }
    }

    fn program(name: &'static str, arguments: Vec<OsString>) -> Self {
        let mine = arguments.clone();
        Stage {
            run: Box::new(move || finish(program(&mine))),
            arguments: Some(arguments),
            ..Stage::inside(name, || Ok(()))
        }
    }
}

/// Everything that is timed on one capture; the plain run of the program is the last but those
/// that do more.
fn stages<'a>(capture: &'a Path, keys: Option<&Path>) -> Vec<Stage<'a>> {
    let arguments = |more: &[&OsStr]| {
        let all = [OsStr::new("decode"), capture.as_os_str()];
        all.iter().chain(more).map(OsString::from).collect()
    };
    let mut stages = vec![
        Stage::inside("read the file", || read(capture)),
        Stage::inside("+ pcap: walk over the packets", || walk(capture)),
        Stage::inside("+ Ethernet, IP, TCP headers", || segments(capture)),
        Stage::inside("decode, the library", || library(capture)),
        Stage::program(PLAIN, arguments(&[])),
        Stage::program("fsrvp decode --judge", arguments(&["--judge".as_ref()])),
    ];
    if let Some(keys) = keys {
        let more = ["--keys".as_ref(), keys.as_os_str()];
        stages.push(Stage::program("fsrvp decode --keys", arguments(&more)));
    }
    stages
}

const PLAIN: &str = "fsrvp decode, the program";

/// Prints the table of one capture.
fn compare(capture: &Path) -> Outcome<()> {
    let bytes = std::fs::metadata(capture)?.len();
    let found = Found::of(capture, None)?;
    let mib = bytes >> 20;
    println!(
        "\n{}: {mib} MiB, {} packets, {} SMB2 messages, {} FSRVP calls",
        capture.display(),
        found.packets,
        found.messages,
        found.count(),
    );
    let keys = Some(capture.with_extension("password.toml")).filter(|path| path.exists());
    if let Some(keys) = &keys {
        let opened = Found::of(capture, Some(keys))?;
        let (messages, calls) = (opened.messages, opened.count());
        println!("with the password: {messages} SMB2 messages, {calls} FSRVP calls");
    }
    println!("{HEADINGS}");
    let mut stages = stages(capture, keys.as_deref());
    for _ in 0..ROUNDS {
        // One after the other in each round, so that what else runs here hits all of them.
        for stage in &mut stages {
            let began = Instant::now();
            (stage.run)()?;
            stage.times.push(began.elapsed());
        }
    }
    let mut ours = Duration::ZERO;
    for stage in &mut stages {
        let time = median(&mut stage.times);
        if stage.name == PLAIN {
            ours = time;
        }
        let memory = match &stage.arguments {
            Some(arguments) => Some(peak_memory(program(arguments))?),
            None => None,
        };
        row(stage.name, bytes, time, &found, memory);
    }
    against_tshark(capture, bytes, ours, &found)
}

/// Times tshark, and demands that it finds the same calls.
fn against_tshark(capture: &Path, bytes: u64, ours: Duration, found: &Found) -> Outcome<()> {
    let Ok(theirs) = tshark_calls(capture) else {
        println!("tshark is not there or failed: no comparison");
        return Ok(());
    };
    let mut times = Vec::new();
    for _ in 0..TSHARK_ROUNDS {
        let began = Instant::now();
        finish(tshark(capture))?;
        times.push(began.elapsed());
    }
    let slow = median(&mut times);
    let memory = peak_memory(tshark(capture))?;
    row(
        "tshark -Y fsrvp -T fields",
        bytes,
        slow,
        found,
        Some(memory),
    );
    let ratio = slow.as_secs_f64() / ours.as_secs_f64();
    println!("fsrvp decode is {ratio:.0} times as fast as tshark");
    // tshark shows a request and its response as one packet each.
    let doubled: BTreeMap<u64, u64> = found.calls.iter().map(|(k, n)| (*k, 2 * n)).collect();
    match doubled == theirs {
        true => println!("both find the same calls"),
        false => return Err(format!("tshark finds other calls: {doubled:?} {theirs:?}").into()),
    }
    Ok(())
}

const HEADINGS: &str =
    "                                  seconds     MB/s  packets/s  messages/s   peak MiB";

fn row(name: &str, bytes: u64, time: Duration, found: &Found, memory: Option<u64>) {
    let seconds = time.as_secs_f64();
    let rate = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    let memory = memory.map_or_else(String::new, |kib| format!("{:.1}", rate_of_kib(kib)));
    println!(
        "{name:<32} {seconds:>8.3} {:>8.0} {:>10.0} {:>11.0} {memory:>10}",
        rate(bytes >> 10) * 1024.0 / 1e6,
        rate(found.packets),
        rate(found.messages),
    );
}

fn rate_of_kib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Nothing but the bytes of the file, in pieces of the size that the reader takes.
fn read(capture: &Path) -> Outcome<()> {
    let mut file = File::open(capture)?;
    let mut buffer = vec![0u8; 1 << 18];
    while file.read(&mut buffer)? > 0 {
        black_box(&buffer);
    }
    Ok(())
}

fn walk(capture: &Path) -> Outcome<()> {
    let mut reader = CaptureReader::new(unpacked(File::open(capture)?)?)?;
    while let Some(packet) = reader.next_packet() {
        black_box(packet?.data);
    }
    Ok(())
}

fn segments(capture: &Path) -> Outcome<()> {
    let mut reader = CaptureReader::new(unpacked(File::open(capture)?)?)?;
    let mut decapsulator = Decapsulator::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet?;
        let stamp = Stamp {
            frame: packet.frame,
            time: packet.time.unwrap_or_default(),
        };
        let segment = decapsulator.segment(packet.link, packet.data, packet.original_len, stamp);
        let _ = black_box(segment);
    }
    Ok(())
}

fn library(capture: &Path) -> Outcome<()> {
    let mut out = Vec::new();
    decode(&options(capture, Format::Text, None), &mut out)?;
    black_box(out);
    Ok(())
}

fn options(capture: &Path, format: Format, keys: Option<&Path>) -> DecodeOptions {
    DecodeOptions {
        captures: vec![capture.to_owned()],
        format,
        all: true,
        keys: keys.map(Path::to_owned),
        ..DecodeOptions::default()
    }
}

fn program(arguments: &[OsString]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fsrvp"));
    command.args(arguments);
    command
}

fn tshark(capture: &Path) -> Command {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args([
        "-Y",
        "fsrvp",
        "-T",
        "fields",
        "-e",
        "frame.number",
        "-e",
        "fsrvp.opnum",
    ]);
    command
}

fn finish(mut command: Command) -> Outcome<()> {
    command.stdin(Stdio::null()).stderr(Stdio::null());
    match command.output()?.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}

/// The most memory a process had at one time, in KiB, as the kernel counts it.
fn peak_memory(mut command: Command) -> Outcome<u64> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high_water = text
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        peak = high_water.unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(peak)
}

/// What a capture holds.
struct Found {
    packets: u64,
    messages: u64,
    /// How many calls there are of each opnum.
    calls: BTreeMap<u64, u64>,
}

impl Found {
    fn count(&self) -> u64 {
        self.calls.values().sum()
    }

    fn of(capture: &Path, keys: Option<&Path>) -> Outcome<Found> {
        let mut out = Vec::new();
        decode(&options(capture, Format::Json, keys), &mut out)?;
        let mut found = Found {
            packets: 0,
            messages: 0,
            calls: BTreeMap::new(),
        };
        for line in String::from_utf8(out)?.lines() {
            let value: Value = serde_json::from_str(line)?;
            let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
            match value.get("type").and_then(Value::as_str) {
                Some("call") => *found.calls.entry(number("opnum")).or_default() += 1,
                Some("messages") => {
                    let counts = ["smb2_requests", "smb2_responses"]
                        .iter()
                        .filter_map(|key| value.get(key)?.as_object())
                        .flat_map(|table| table.values().filter_map(Value::as_u64));
                    found.messages = counts.sum();
                }
                Some("summary") => found.packets = number("packets"),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// How many requests and responses of each opnum tshark shows.
fn tshark_calls(capture: &Path) -> Outcome<BTreeMap<u64, u64>> {
    let output = tshark(capture).stderr(Stdio::null()).output()?;
    if !output.status.success() {
        return Err("tshark failed".into());
    }
    let mut calls = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let (_, opnums) = line.split_once('\t').unwrap_or_default();
        for opnum in opnums.split(',').filter(|opnum| !opnum.is_empty()) {
            *calls.entry(opnum.parse()?).or_default() += 1;
        }
    }
    Ok(calls)
}
