//! The decoder over stored captures, as they are, and changed in every way a network or a disk
//! could.

use fsrvp::capture::link::Decapsulator;
use fsrvp::capture::{CaptureReader, ExpectedCall, Manifest};
use fsrvp::flow::tcp::Stamp;
use fsrvp::flow::{
    Answer, Direction, Dissector, Event, Exchange, GapReason, KeyRing, Request, StreamId,
};
use fsrvp::run::decode::{DecodeError, DecodeOptions, Format, decode};
use proptest::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The folders of `captures/`, as paths from the root of the package, where tests run.
pub(super) fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("captures")
        .expect("the captures are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("manifest.toml").is_file())
        .collect();
    folders.sort();
    assert!(folders.len() >= 8, "only {} captures", folders.len());
    folders
}

pub(super) fn capture_in(folder: &Path) -> PathBuf {
    ["capture.pcap", "capture.pcapng"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .expect("a folder with a manifest has a capture")
}

fn decoded(path: &Path, format: Format) -> (String, Result<(), DecodeError>) {
    let options = DecodeOptions {
        captures: vec![path.to_owned()],
        format,
        all: false,
        keys: None,
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    let outcome = decode(&options, &mut out).map(|_| ());
    (String::from_utf8(out).expect("text"), outcome)
}

pub(super) fn calls_in(json_lines: &str) -> Vec<ExpectedCall> {
    let lines = json_lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a JSON object"));
    lines
        .filter(|line| line["type"] == "call")
        .map(|line| ExpectedCall {
            frame: line["request_frames"][0].as_u64().expect("a frame"),
            stream: line["stream"].as_u64().expect("a stream"),
            call_id: u32::try_from(line["call_id"].as_u64().expect("an id")).expect("32 bits"),
            method: line["method"].as_str().expect("a method").to_owned(),
            code: match (line["status"].as_str(), line["fault"].as_str()) {
                (_, Some(fault)) => format!("fault {fault}"),
                (status, None) => status.unwrap_or_default().to_owned(),
            },
        })
        .collect()
}

#[test]
fn every_stored_capture_gives_the_calls_of_its_manifest_and_its_golden() {
    for folder in folders() {
        let manifest = fs::read_to_string(folder.join("manifest.toml")).expect("readable");
        let manifest = Manifest::parse(&manifest).expect("a manifest");
        let (json, outcome) = decoded(&capture_in(&folder), Format::Json);
        outcome.expect("the capture is whole");
        assert_eq!(calls_in(&json), manifest.calls, "{}", folder.display());
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        settings.set_snapshot_path(root.join(&folder));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("decode", json));
    }
}

#[test]
fn the_text_has_a_line_for_each_call_and_names_codes() {
    let (text, outcome) = decoded(&named("rpcclient-backup-ro"), Format::Text);
    outcome.expect("the capture is whole");
    assert!(text.contains("CommitShadowCopySet(d52539a5, 180000) = ZERO"));
    assert!(text.contains("IsPathShadowCopied(\"\\\\127.0.0.1\\vol2\\\")"));
    assert!(text.contains(" = FSRVP_E_NOT_SUPPORTED\n"));
    assert!(text.contains("14 calls, 0 gaps; 294 packets, 9 connections"));
}

#[test]
fn what_cannot_be_read_is_a_gap_with_its_reason() {
    let (json, _) = decoded(&named("cut-snaplen"), Format::Json);
    assert!(json.contains("\"reason\":\"cut by the snap length\""));
}

#[test]
fn a_cut_file_gives_what_came_before_and_names_frame_and_byte() {
    let whole = fs::read(named("impacket-raw")).expect("readable");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("cut.pcap");
    fs::write(&path, &whole[..whole.len() - 7]).expect("written");
    let (json, outcome) = decoded(&path, Format::Json);
    assert_eq!(calls_in(&json).len(), 13);
    assert!(json.contains("\"type\":\"summary\""));
    let message = outcome.expect_err("it is cut").to_string();
    let packets = packets("impacket-raw");
    let frame = format!("ends inside of frame {}", packets.len());
    let last = packets.last().expect("a packet").len();
    let byte = format!("begins at byte {}", whole.len() - last - 16);
    assert!(message.contains("cut.pcap"), "{message}");
    assert!(message.contains(&frame), "{message}");
    assert!(message.contains(&byte), "{message}");
}

#[test]
fn a_broken_length_names_its_place_and_nothing_grows() {
    let mut bytes = fs::read(named("impacket-raw")).expect("readable");
    // The captured length of the second packet.
    let first = usize::try_from(u32::from_le_bytes(bytes[32..36].try_into().expect("four")))
        .expect("a length");
    let second = 24 + 16 + first;
    bytes[second + 8..second + 12].copy_from_slice(&[0xff; 4]);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("long.pcap");
    fs::write(&path, &bytes).expect("written");
    let (_, outcome) = decoded(&path, Format::Json);
    let message = outcome.expect_err("it is broken").to_string();
    assert!(message.contains(&format!("byte {second}")), "{message}");
    assert!(message.contains("frame 2"), "{message}");
}

#[test]
fn a_foreign_or_missing_file_prints_nothing_and_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("letter.pcap");
    for content in ["", "x", "Dear Sir or Madam, this is no capture at all."] {
        fs::write(&path, content).expect("written");
        let (out, outcome) = decoded(&path, Format::Json);
        assert_eq!(out, "");
        let message = outcome.expect_err("it is no capture").to_string();
        assert!(message.contains("letter.pcap"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let (out, outcome) = decoded(&dir.path().join("absent.pcap"), Format::Text);
    assert_eq!(out, "");
    let message = outcome.expect_err("it is absent").to_string();
    assert!(message.contains("absent.pcap"), "{message}");
}

pub(super) fn named(name: &str) -> PathBuf {
    capture_in(&Path::new("captures").join(name))
}

/// The packets of a stored pcap of Ethernet frames.
pub(super) fn packets(name: &str) -> Vec<Vec<u8>> {
    let file = fs::File::open(named(name)).expect("readable");
    let mut reader = CaptureReader::new(file).expect("a capture");
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        packets.push(packet.expect("a packet").data.to_vec());
    }
    packets
}

/// What a capture of these packets comes to.
fn events(packets: &[Vec<u8>]) -> Vec<Event> {
    events_from(Dissector::new(), packets)
}

/// What a dissector makes of these packets.
pub(super) fn events_from(mut dissector: Dissector, packets: &[Vec<u8>]) -> Vec<Event> {
    let mut decapsulator = Decapsulator::new();
    let mut events = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let stamp = Stamp {
            frame: index as u64 + 1,
            ..Stamp::default()
        };
        let length = u32::try_from(packet.len()).expect("short");
        let ethernet = pcap_file::DataLink::ETHERNET;
        if let Ok(segment) = decapsulator.segment(ethernet, packet, length, stamp) {
            dissector.handle_segment(&segment);
        }
        events.extend(std::iter::from_fn(|| dissector.poll_event()));
    }
    dissector.finish();
    events.extend(std::iter::from_fn(|| dissector.poll_event()));
    events
}

/// The exchanges of a capture, in the order of their requests.
pub(super) fn exchanges(file: &[u8], keys: KeyRing) -> Vec<(Request, Answer)> {
    let mut reader = CaptureReader::new(file).expect("a capture");
    let mut decapsulator = Decapsulator::new();
    let mut dissector = Dissector::with_keys(keys);
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a packet");
        let stamp = Stamp {
            frame: packet.frame,
            time: packet.time.expect("a time"),
        };
        let length = packet.original_len;
        let segment = decapsulator.segment(packet.link, packet.data, length, stamp);
        dissector.handle_segment(&segment.expect("TCP alone"));
    }
    dissector.finish();
    let events = std::iter::from_fn(|| dissector.poll_event());
    let mut exchanges: Vec<Exchange> = events
        .filter_map(|event| match event {
            Event::Exchange(exchange) => Some(*exchange),
            _ => None,
        })
        .collect();
    exchanges.sort_by_key(|exchange| exchange.request_evidence.frames.first().copied());
    let pairs = exchanges.into_iter().map(|one| (one.request, one.answer));
    pairs.collect()
}

/// A call without its frames and times.
pub(super) type Essence = (SocketAddr, u32, u16, Request, Answer);

fn essence(exchange: &Exchange) -> Essence {
    (
        exchange.link.client,
        exchange.call_id,
        exchange.opnum.0,
        exchange.request.clone(),
        exchange.answer.clone(),
    )
}

pub(super) fn essences(events: &[Event]) -> Vec<Essence> {
    let mut found: Vec<Essence> = events
        .iter()
        .filter_map(|event| match event {
            Event::Exchange(exchange) => Some(essence(exchange)),
            _ => None,
        })
        .collect();
    found.sort_by_key(|(client, call_id, ..)| (*client, *call_id));
    found
}

pub(super) fn has_gaps(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Gap(_)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Each packet may come up to three places late, and some come twice.
    #[test]
    fn disorder_and_repeats_change_nothing(
        delays in prop::collection::vec(0usize..4, 300),
        twice in prop::collection::vec(prop::bool::weighted(0.1), 300),
    ) {
        let packets = packets("rpcclient-backup-ro");
        let mut order: Vec<(usize, usize)> = Vec::new();
        for index in 0..packets.len() {
            order.push((index + delays[index % delays.len()], index));
            if twice[index % twice.len()] {
                order.push((index + 5, index));
            }
        }
        order.sort();
        let moved: Vec<Vec<u8>> = order.iter().map(|(_, i)| packets[*i].clone()).collect();
        let events = events(&moved);
        prop_assert!(!has_gaps(&events), "{:?}", events);
        prop_assert_eq!(essences(&events), essences(&self::events(&packets)));
    }

    /// A call is either as it was, or it lacks what was lost; nothing is made up.
    #[test]
    fn losses_cost_calls_but_never_change_one(
        lost in prop::collection::vec(prop::bool::weighted(0.05), 300),
    ) {
        let packets = packets("rpcclient-backup-ro");
        let kept: Vec<Vec<u8>> = packets
            .iter()
            .enumerate()
            .filter(|(index, _)| !lost[index % lost.len()])
            .map(|(_, packet)| packet.clone())
            .collect();
        let whole: HashMap<(SocketAddr, u32), Essence> = essences(&events(&packets))
            .into_iter()
            .map(|essence| ((essence.0, essence.1), essence))
            .collect();
        for (client, call_id, opnum, request, answer) in essences(&events(&kept)) {
            let original = whole.get(&(client, call_id));
            prop_assert!(original.is_some(), "call {} of {} was made up", call_id, client);
            let original = original.unwrap();
            prop_assert_eq!(opnum, original.2);
            if let Request::Call(_) = request {
                prop_assert_eq!(&request, &original.3);
            }
            if answer != Answer::Missing {
                prop_assert_eq!(&answer, &original.4);
            }
        }
    }

    /// Bytes of a stream may come in pieces of any size.
    #[test]
    fn pieces_of_any_size_give_the_same_calls(sizes in prop::collection::vec(1usize..200, 1..50)) {
        for name in ["impacket-bad-names", "torture-bigendian"] {
            let packets = packets(name);
            prop_assert_eq!(essences(&streamed(&packets, &sizes)), essences(&events(&packets)));
        }
    }

    /// Whatever the bytes of a file, the decoder ends, and says what is wrong in one clause.
    #[test]
    fn no_change_of_a_file_makes_the_decoder_panic(
        name in prop::sample::select(vec![
            "impacket-raw", "impacket-bad-names", "torture-bigendian", "cut-snaplen", "midstream",
            "rpcclient-three-shares",
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..80),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let path = named(name);
        let mut bytes = fs::read(&path).expect("readable");
        for (index, value) in changes {
            let at = index.index(bytes.len());
            // Packets are reached more often when the file's own headers stay whole.
            if at >= 200 || value % 8 == 0 {
                bytes[at] = value;
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("changed");
        fs::write(&path, &bytes).expect("written");
        for format in [Format::Json, Format::Text] {
            let options = DecodeOptions {
                captures: vec![path.clone()],
                format,
                all: true,
                ..DecodeOptions::default()
            };
            let outcome = decode(&options, &mut Vec::new());
            if let Err(error) = outcome {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}

/// The payloads of the packets, fed as the two streams of each connection in pieces of `sizes`.
fn streamed(packets: &[Vec<u8>], sizes: &[usize]) -> Vec<Event> {
    let mut decapsulator = Decapsulator::new();
    let mut dissector = Dissector::new();
    let mut streams: HashMap<SocketAddr, StreamId> = HashMap::new();
    let mut sizes = sizes.iter().copied().cycle();
    let mut events = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let stamp = Stamp {
            frame: index as u64 + 1,
            ..Stamp::default()
        };
        let length = u32::try_from(packet.len()).expect("short");
        let ethernet = pcap_file::DataLink::ETHERNET;
        let Ok(segment) = decapsulator.segment(ethernet, packet, length, stamp) else {
            continue;
        };
        let to_server = segment.destination.port() == 10445;
        let (client, server, direction) = match to_server {
            true => (
                segment.source,
                segment.destination,
                Direction::ClientToServer,
            ),
            false => (
                segment.destination,
                segment.source,
                Direction::ServerToClient,
            ),
        };
        let stream = *streams
            .entry(client)
            .or_insert_with(|| dissector.open_stream(client, server));
        let mut rest = segment.payload.bytes;
        while !rest.is_empty() {
            let size = sizes.next().unwrap_or(1).min(rest.len());
            let (piece, after) = rest.split_at(size);
            dissector.handle_stream_bytes(stream, direction, piece, stamp);
            rest = after;
        }
        events.extend(std::iter::from_fn(|| dissector.poll_event()));
    }
    dissector.finish();
    events.extend(std::iter::from_fn(|| dissector.poll_event()));
    events
}

#[test]
fn a_capture_without_its_bind_is_read_where_a_call_proves_the_interface() {
    // Every packet that carries a bind or its answer, and the CREATE of the pipe, is taken away
    // together with everything before it.
    let packets = packets("impacket-bad-names");
    let whole = essences(&events(&packets));
    let first_call = 23;
    let rest: Vec<Vec<u8>> = packets[first_call..].to_vec();
    let found = events(&rest);
    let unknown = found
        .iter()
        .any(|event| matches!(event, Event::Gap(gap) if gap.reason == GapReason::UnknownInterface));
    assert!(!unknown, "{found:?}");
    assert_eq!(essences(&found).len(), whole.len());
}

#[test]
fn a_capture_without_its_bind_is_not_guessed_at() {
    // GetSupportedVersion alone has no parameters and results that many interfaces could have.
    let packets = packets("impacket-connect");
    let found = events(&packets[23..]);
    assert!(essences(&found).is_empty(), "{found:?}");
}

#[test]
fn a_lost_packet_is_a_gap_and_costs_its_own_call_only() {
    let packets = packets("rpcclient-backup-ro");
    let whole = essences(&events(&packets));
    // The request of SetContext.
    let mut kept = packets.clone();
    kept.remove(23);
    let found = events(&kept);
    let lost: Vec<u16> = essences(&found).iter().map(|essence| essence.2).collect();
    assert_eq!(lost.len(), whole.len() - 1, "{found:?}");
    assert_eq!(lost.iter().filter(|opnum| **opnum == 1).count(), 0);
    let gaps: Vec<(GapReason, u64)> = found
        .iter()
        .filter_map(|event| match event {
            Event::Gap(gap) => Some((gap.reason.clone(), gap.length_bytes)),
            _ => None,
        })
        .collect();
    let not_captured =
        |(reason, length): &(GapReason, u64)| *reason == GapReason::NotCaptured && *length == 152;
    assert!(gaps.iter().any(not_captured), "{gaps:?}");
    let no_request = |(reason, _): &(GapReason, u64)| *reason == GapReason::NoRequest;
    assert!(gaps.iter().any(no_request), "{gaps:?}");
}

/// The packets with other sequence numbers: `client` is added to those of the client's bytes,
/// `server` to those of the server's.
fn renumbered(packets: &[Vec<u8>], client: u32, server: u32) -> Vec<Vec<u8>> {
    // Ethernet and IPv4 without options, as a loopback interface has them.
    let tcp = 14 + 20;
    let add = |packet: &mut Vec<u8>, at: usize, value: u32| {
        let field = &mut packet[at..at + 4];
        let old = u32::from_be_bytes(field.try_into().expect("four bytes"));
        field.copy_from_slice(&old.wrapping_add(value).to_be_bytes());
    };
    let mut packets = packets.to_vec();
    for packet in &mut packets {
        let to_server = packet[tcp + 2..tcp + 4] == 10445u16.to_be_bytes();
        let (seq, ack) = match to_server {
            true => (client, server),
            false => (server, client),
        };
        add(packet, tcp + 4, seq);
        if packet[tcp + 13] & 0x10 != 0 {
            add(packet, tcp + 8, ack);
        }
    }
    packets
}

#[test]
fn sequence_numbers_that_wrap_change_nothing() {
    let packets = packets("impacket-bad-names");
    let seq_of = |packet: &[u8]| u32::from_be_bytes(packet[38..42].try_into().expect("four"));
    let whole = essences(&events(&packets));
    for before_wrap in [0u32, 1, 100, 2000, 5000] {
        // The first two packets are SYN and SYN-ACK.
        let client = 0u32
            .wrapping_sub(before_wrap)
            .wrapping_sub(seq_of(&packets[0]));
        let server = 0u32
            .wrapping_sub(before_wrap)
            .wrapping_sub(seq_of(&packets[1]));
        let found = events(&renumbered(&packets, client, server));
        assert!(!has_gaps(&found), "{before_wrap}: {found:?}");
        assert_eq!(essences(&found), whole);
    }
}

#[test]
fn a_port_that_is_used_again_is_another_connection() {
    let first = packets("impacket-connect");
    let again = renumbered(&first, 0x1234_5678, 0x0765_4321);
    // The first one may end properly, without its last packets, or without its beginning.
    for part in [&first[..], &first[..first.len() - 3], &first[12..]] {
        let both = [part, &again].concat();
        let found = events(&both);
        let streams: Vec<u64> = found
            .iter()
            .filter_map(|event| match event {
                Event::Exchange(exchange) => Some(exchange.link.stream),
                _ => None,
            })
            .collect();
        assert_eq!(streams, [0, 0, 1, 1], "{found:?}");
    }
}
