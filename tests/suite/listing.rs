//! `fsrvp decode --all`: every exchange of SMB2 and RPC, once.

use crate::decode::{capture_in, folders, named};
use fsrvp::run::decode::{DecodeOptions, Format, decode};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn printed(capture: PathBuf, format: Format) -> String {
    let options = DecodeOptions {
        captures: vec![capture],
        format,
        all: true,
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    decode(&options, &mut out).expect("the capture is whole");
    String::from_utf8(out).expect("text")
}

fn lines(capture: PathBuf) -> Vec<Value> {
    let json = printed(capture, Format::Json);
    let lines = json.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect()
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// How many messages of one command, or of all, were counted.
fn total(counts: &Value) -> u64 {
    let counts = counts.as_object().expect("a table");
    counts
        .values()
        .map(|count| count.as_u64().expect("a count"))
        .sum()
}

#[test]
fn every_message_that_is_counted_is_listed() {
    let mut seen = 0;
    for folder in folders() {
        let lines = lines(capture_in(&folder));
        if !of_type(&lines, "gap").is_empty() {
            // What a gap hides is counted by its header and cannot be shown.
            continue;
        }
        let messages = of_type(&lines, "messages");
        let smb2 = of_type(&lines, "smb2");
        let with = |side: &str| {
            let frames = |line: &&&Value| line[side].as_array().is_some_and(|f| !f.is_empty());
            u64::try_from(smb2.iter().filter(frames).count()).expect("a count")
        };
        let name = folder.display();
        let requests = total(&messages[0]["smb2_requests"]);
        assert_eq!(with("request_frames"), requests, "requests of {name}");
        // Interim responses are counted too.
        let responses = total(&messages[0]["smb2_responses"]);
        assert!(with("response_frames") <= responses, "responses of {name}");
        seen += requests;
    }
    assert!(seen > 1000, "only {seen} requests");
}

#[test]
fn every_call_is_an_rpc_exchange_on_the_pipe_of_fsrvp() {
    for folder in folders() {
        let lines = lines(capture_in(&folder));
        let rpc = of_type(&lines, "rpc");
        for call in of_type(&lines, "call") {
            let fields = [
                "stream",
                "call_id",
                "opnum",
                "request_frames",
                "response_frames",
            ];
            let same = |other: &&&Value| {
                fields.iter().all(|field| other[*field] == call[*field])
                    && other["fault"] == call["fault"]
            };
            let found: Vec<_> = rpc.iter().filter(same).collect();
            assert_eq!(found.len(), 1, "{}: {call}", folder.display());
        }
    }
}

#[test]
fn a_list_is_as_its_goldens_say() {
    for name in ["rpcclient-backup-ro", "encrypted-ccm-256"] {
        let path = named(name);
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = path.parent().expect("a folder");
        settings.set_snapshot_path(root.join(folder));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let text = printed(path.clone(), Format::Text);
        let (list, _) = text.split_once("\n frame ").expect("the timeline follows");
        assert!(
            list.lines().all(|line| line.chars().count() <= 100),
            "{list}"
        );
        settings.bind(|| insta::assert_snapshot!("list", list));
        if name == "encrypted-ccm-256" {
            let json = printed(path, Format::Json);
            settings.bind(|| insta::assert_snapshot!("list-json", json));
        }
    }
}

#[test]
fn what_has_no_answer_is_listed_too() {
    /// The frame of the first FSRVP call.
    const CALL: usize = 18;
    let whole = std::fs::read(named("rpcclient-backup-ro")).expect("readable");
    let mut end = 24;
    for _ in 0..CALL {
        let length: [u8; 4] = whole[end + 8..end + 12].try_into().expect("four bytes");
        end += 16 + usize::try_from(u32::from_le_bytes(length)).expect("a length");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("cut.pcap");
    std::fs::write(&path, &whole[..end]).expect("written");
    let lines = lines(path.clone());
    for kind in ["smb2", "rpc"] {
        let of_kind = of_type(&lines, kind);
        let last = of_kind.last().expect("an exchange");
        assert_eq!(last["request_frames"], serde_json::json!([CALL]), "{last}");
        assert_eq!(last["response_frames"], serde_json::json!([]), "{last}");
        assert!(last["response_bytes"].is_null(), "{last}");
    }
    let text = printed(path, Format::Text);
    assert!(
        text.contains("IOCTL \"FssagentRpc\" = no response seen, 192 > ? bytes"),
        "{text}"
    );
}
