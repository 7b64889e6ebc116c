//! The timeline of `decode`: each call once, in the life of its set, with what was known of it.

use crate::decode::{calls_in, capture_in, folders, named, packets};
use fsrvp::capture::Timers;
use fsrvp::run::decode::{DecodeOptions, Format, decode};
use std::fs;
use std::path::{Path, PathBuf};

fn printed(capture: PathBuf, format: Format, judge: bool) -> String {
    let options = DecodeOptions {
        captures: vec![capture],
        format,
        judge,
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    decode(&options, &mut out).expect("the capture is whole");
    String::from_utf8(out).expect("text")
}

/// Frame and method of each row with a call, in the order of the frames.
fn rows(timeline: &str) -> Vec<(u64, String)> {
    let row = |line: &str| {
        let mut words = line.split_whitespace().filter(|word| *word != "!");
        let frame = words.next()?.parse().ok()?;
        words.next()?.parse::<f64>().ok()?;
        let (method, _) = words.next()?.trim_start_matches('!').split_once('(')?;
        Some((frame, method.to_owned()))
    };
    let calls = timeline.lines();
    let mut rows: Vec<_> = calls.filter_map(row).collect();
    rows.sort();
    rows
}

fn rows_of_json(json: &str) -> Vec<(u64, String)> {
    let calls = calls_in(json).into_iter();
    let mut rows: Vec<_> = calls.map(|call| (call.frame, call.method)).collect();
    rows.sort();
    rows
}

#[test]
fn every_stored_capture_has_the_timeline_of_its_golden() {
    for folder in folders() {
        let text = printed(capture_in(&folder), Format::Text, false);
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        settings.set_snapshot_path(root.join(&folder));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("timeline", text));
    }
}

/// How wide a screen is.
const WIDTH: usize = 100;

#[test]
fn a_timeline_fits_the_screen() {
    for folder in folders() {
        let text = printed(capture_in(&folder), Format::Text, false);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "too wide: {line}");
        }
    }
}

#[test]
fn every_call_stands_once_in_the_timeline() {
    for folder in folders() {
        let capture = capture_in(&folder);
        let json = printed(capture.clone(), Format::Json, false);
        let text = printed(capture, Format::Text, false);
        assert_eq!(rows(&text), rows_of_json(&json), "{}", folder.display());
    }
}

/// Longer than the timeline may keep: it is printed in parts, and the verdicts stay the same.
#[test]
fn a_long_capture_is_printed_in_parts_and_loses_nothing() {
    /// How often the capture is repeated: 33 calls each, and 4096 may be kept.
    const ROUNDS: usize = 140;
    let bytes = fs::read(named("timers")).expect("readable");
    let (header, records) = bytes.split_at(24);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("long.pcap");
    let rounds = (0..ROUNDS).flat_map(|round| on_another_port(records, round));
    let long: Vec<u8> = header.iter().copied().chain(rounds).collect();
    fs::write(&path, long).expect("written");
    let json = printed(path.clone(), Format::Json, true);
    let text = printed(path, Format::Text, true);
    let expected = rows_of_json(&json);
    assert_eq!(expected.len(), 33 * ROUNDS);
    assert!(
        rows(&text) == expected,
        "the rows are not those of the calls"
    );
    assert!(text.contains(", continued"), "it was not printed in parts");
    let broken = |output: &str, mark: &str| output.lines().filter(|l| l.contains(mark)).count();
    assert_eq!(
        broken(&text, " broke "),
        broken(&json, "\"type\":\"finding\"")
    );
}

/// Records of a pcap file in Ethernet and IPv4, the client's port another in each round.
fn on_another_port(records: &[u8], round: usize) -> Vec<u8> {
    const SERVER: [u8; 2] = 10_445_u16.to_be_bytes();
    let port = u16::try_from(20_000 + round).expect("a port").to_be_bytes();
    let mut records = records.to_vec();
    let mut at = 0;
    while at < records.len() {
        let length: [u8; 4] = records[at + 8..at + 12].try_into().expect("four bytes");
        let packet = at + 16;
        for place in [packet + 34, packet + 36] {
            if records[place..place + 2] != SERVER {
                records[place..place + 2].copy_from_slice(&port);
            }
        }
        at = packet + usize::try_from(u32::from_le_bytes(length)).expect("a length");
    }
    records
}

#[test]
fn the_timer_is_shown_with_the_durations_of_the_server() {
    let options = DecodeOptions {
        captures: vec![named("timers")],
        timers: Some(Timers::FixedS(2.0)),
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    decode(&options, &mut out).expect("the capture is whole");
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains(" fired\n"), "{text}");
    assert!(text.contains("/2 0%\n"), "{text}");
    assert!(!text.contains('~'), "{text}");
    // What the timer ended stands where it ended, also where no call shows it any more.
    assert!(
        text.contains("-- the timer that CommitShadowCopySet started"),
        "{text}"
    );
    assert!(text.contains("Committed > expired"), "{text}");
    assert!(text.contains("Exposed > expired"), "{text}");
}

/// A pcap of Ethernet frames, a millisecond apart, without the numbers `lost`.
fn pcap_without(packets: &[Vec<u8>], lost: &[u32], path: &Path) {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x0004_0000, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (number, packet) in (1..).zip(packets) {
        if !lost.contains(&number) {
            let length = u32::try_from(packet.len()).expect("short");
            for word in [0, number * 1000, length, length] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(packet);
        }
    }
    fs::write(path, bytes).expect("written");
}

#[test]
fn a_hole_stands_in_its_place_and_hides_the_state_behind_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("lossy.pcap");
    // The answer of CommitShadowCopySet is lost.
    pcap_without(&packets("rpcclient-backup-ro"), &[33, 34, 35], &path);
    let text = printed(path, Format::Text, false);
    let (_, text) = text
        .split_once('\n')
        .expect("a line with the name of the file");
    let mut settings = insta::Settings::clone_current();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    settings.set_snapshot_path(root.join("captures/rpcclient-backup-ro"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("timeline-lossy", text));
}
