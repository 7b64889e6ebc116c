//! The decoder with keys: what is encrypted and sealed is opened, what is signed is checked, and a
//! key that is wrong or missing shows as a gap and never as a finding.

use crate::decode::{Essence, calls_in, capture_in, essences, events_from, folders, has_gaps};
use crate::decode::{named, packets};
use fsrvp::capture::Manifest;
use fsrvp::flow::{
    BadSignature, Direction, Dissector, Event, GapReason, KeyRing, Signed, SmbProtection,
    SmbSessionKey, UserKey,
};
use fsrvp::outcome::ExitStatus;
use fsrvp::run::decode::{DecodeOptions, Format, decode};
use fsrvp_wire::auth::ntlm::NtHash;
use fsrvp_wire::security::SecretKey;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const PASSWORD: &str = "AdminPass1!";

/// Sealed or encrypted captures that are short enough for many runs.
const CLOSED: [&str; 6] = [
    "rpcclient-seal",
    "impacket-privacy",
    "encrypted-impacket",
    "encrypted-torture",
    "rpcclient-spnego-seal",
    "sealed-twice",
];

/// The output of a capture with a keys file of this text, and what it came to.
fn decoded_with(capture: &Path, keys: &str) -> (String, Result<ExitStatus, String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("k.toml");
    fs::write(&path, keys).expect("written");
    let options = DecodeOptions {
        captures: vec![capture.to_owned()],
        format: Format::Json,
        all: false,
        keys: Some(path),
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    let outcome = decode(&options, &mut out).map_err(|error| error.to_string());
    (String::from_utf8(out).expect("text"), outcome)
}

fn user(line: &str) -> String {
    format!("[[user]]\nname = \"fssadmin\"\n{line}\n")
}

fn ring(password: &str) -> KeyRing {
    let user = UserKey {
        name: "fssadmin".to_owned(),
        nt_hash: NtHash::of_password(password),
    };
    KeyRing::new(vec![user], Vec::new())
}

fn events(packets: &[Vec<u8>]) -> Vec<Event> {
    events_from(Dissector::with_keys(ring(PASSWORD)), packets)
}

fn gap_reasons(events: &[Event]) -> Vec<GapReason> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Gap(gap) => Some(gap.reason.clone()),
            _ => None,
        })
        .collect()
}

fn bad_signatures(events: &[Event]) -> Vec<&BadSignature> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::BadSignature(found) => Some(found.as_ref()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_password_alone_opens_what_the_session_keys_open_and_the_hash_does_too() {
    for folder in folders() {
        let manifest = fs::read_to_string(folder.join("manifest.toml")).expect("readable");
        let manifest = Manifest::parse(&manifest).expect("a manifest");
        let users = users_of(&folder);
        for keys in [with_hashes(&users), users] {
            let (json, outcome) = decoded_with(&capture_in(&folder), &keys);
            assert_eq!(outcome, Ok(ExitStatus::AsExpected));
            assert_eq!(calls_in(&json), manifest.calls, "{}", folder.display());
        }
    }
}

/// The users that the keys of a capture name, without its session keys.
fn users_of(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("capture.keys.toml")).unwrap_or_default();
    let users = text.split_once("[[user]]").map(|(_, users)| users);
    let users = users.and_then(|users| users.split("[[smb_session]]").next());
    match users {
        Some(users) => format!("[[user]]{users}"),
        None => user("password = \"AdminPass1!\""),
    }
}

/// The same users by the hashes of their passwords.
fn with_hashes(users: &str) -> String {
    let line = |line: &str| {
        let password = line.strip_prefix("password = \"");
        match password.and_then(|rest| rest.strip_suffix('"')) {
            Some(password) => format!("nt_hash = \"{}\"\n", nt_hash_in_hex(password)),
            None => format!("{line}\n"),
        }
    };
    users.lines().map(line).collect()
}

fn nt_hash_in_hex(password: &str) -> String {
    let hash = NtHash::of_password(password);
    hash.as_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn without_a_key_what_is_closed_is_a_gap_with_its_reason() {
    for (name, reason) in [
        ("rpcclient-seal", "sealed, no key"),
        ("encrypted-torture", "encrypted, no key"),
    ] {
        for keys in ["", &user("password = \"another\"")] {
            let (json, outcome) = decoded_with(&named(name), keys);
            assert_eq!(outcome, Ok(ExitStatus::AsExpected));
            assert!(json.contains(&format!("\"reason\":\"{reason}\"")), "{json}");
            assert!(!json.contains("\"type\":\"call\""), "{json}");
            assert!(!json.contains("\"type\":\"finding\""), "{json}");
        }
    }
}

#[test]
fn session_keys_that_do_not_fit_are_a_gap_and_no_finding() {
    let text = fs::read_to_string("captures/encrypted-torture/capture.keys.toml").expect("keys");
    let id = text.split("session_id = \"").nth(1).expect("an id");
    let id = id.get(..16).expect("an id");
    let zeros = "0".repeat(32);
    let keys = format!("[[smb_session]]\nsession_id = \"{id}\"\nsession_key = \"{zeros}\"\n");
    let (json, outcome) = decoded_with(&named("encrypted-torture"), &keys);
    assert_eq!(outcome, Ok(ExitStatus::AsExpected));
    assert!(json.contains("no key that is known for it fits"), "{json}");
    assert!(!json.contains("\"type\":\"finding\""), "{json}");
}

/// The events of a capture of which one byte of one packet is another.
fn events_with_flipped(name: &str, packet: usize, from_end: usize) -> Vec<Event> {
    let mut packets = packets(name);
    let bytes = &mut packets[packet];
    let at = bytes.len() - 1 - from_end;
    bytes[at] ^= 0x40;
    events(&packets)
}

#[test]
fn a_changed_signed_message_is_a_finding_against_its_sender() {
    let smb = [Signed::SmbMessage];
    let both = [Signed::SmbMessage, Signed::RpcFragment];
    // In the first capture RPC is not signed by itself.
    for (name, packet, by, signed) in [
        (
            "rpcclient-backup-ro",
            23,
            Direction::ClientToServer,
            &smb[..],
        ),
        ("rpcclient-backup-ro", 24, Direction::ServerToClient, &smb),
        ("impacket-raw", 63, Direction::ClientToServer, &both),
        ("impacket-raw", 66, Direction::ServerToClient, &both),
    ] {
        let found = events_with_flipped(name, packet, 0);
        let seen: Vec<Signed> = bad_signatures(&found)
            .iter()
            .map(|bad| bad.signed)
            .collect();
        assert_eq!(seen, signed, "{name} {packet}: {found:?}");
        for bad in bad_signatures(&found) {
            assert_eq!(bad.direction, by);
            assert_eq!(bad.evidence.frames, [packet as u64 + 1]);
        }
    }
}

#[test]
fn a_message_that_was_changed_before_its_key_proved_itself_is_a_finding_all_the_same() {
    // The response that ends the logon is the first one that the session's key signs.
    let smb2 = 14 + 20 + 32 + 4;
    let packets = packets("impacket-raw");
    let ends_logon = |packet: &&Vec<u8>| {
        let header = packet.get(smb2..smb2 + 64).unwrap_or(&[0; 64]);
        header[..4] == *b"\xFESMB" && header[12] == 1 && header[16] & 9 == 9
    };
    let packet = packets
        .iter()
        .position(|packet| ends_logon(&packet))
        .expect("it is there");
    let found = events_with_flipped("impacket-raw", packet, 0);
    let bad = bad_signatures(&found);
    assert_eq!(bad.len(), 1, "{found:?}");
    assert_eq!(bad[0].evidence.frames, [packet as u64 + 1]);
    assert_eq!(bad[0].direction, Direction::ServerToClient);
}

#[test]
fn a_session_that_goes_on_at_another_address_of_its_server_is_opened_there_too() {
    // Three encrypted messages of the first session, one each way on both connections at the end.
    let found = events(&packets("bound-elsewhere"));
    assert!(found.is_empty(), "{found:?}");
    // Where the second address is not known to be the same server, its keys are not known.
    let mut cut = packets("bound-elsewhere");
    let negotiated = 22;
    let guid = 14 + 20 + 32 + 4 + 64 + 8;
    cut[negotiated][guid] ^= 1;
    let found = events(&cut);
    assert!(
        gap_reasons(&found).contains(&GapReason::Encrypted),
        "{found:?}"
    );
}

#[test]
fn a_changed_sealed_fragment_is_a_finding_and_its_call_is_not_made_up() {
    let whole = essences(&events(&packets("rpcclient-seal")));
    // The sealed request of SetContext, inside of its stub: before signature, trailer and padding.
    let found = events_with_flipped("rpcclient-seal", 27, 16 + 8 + 12);
    let signed: Vec<Signed> = bad_signatures(&found)
        .iter()
        .map(|bad| bad.signed)
        .collect();
    assert_eq!(signed, [Signed::SmbMessage, Signed::RpcFragment]);
    assert!(gap_reasons(&found).contains(&GapReason::Changed));
    let calls = essences(&found);
    let expected: Vec<&Essence> = whole.iter().filter(|essence| essence.2 != 1).collect();
    assert_eq!(calls.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_changed_encrypted_message_is_a_finding_and_is_not_read() {
    let whole = essences(&events(&packets("encrypted-impacket")));
    let found = events_with_flipped("encrypted-impacket", 35, 3);
    let bad = bad_signatures(&found);
    assert_eq!(bad.len(), 1, "{found:?}");
    assert_eq!(bad[0].signed, Signed::EncryptedSmbMessage);
    assert_eq!(bad[0].evidence.frames, [36]);
    assert!(gap_reasons(&found).contains(&GapReason::Changed));
    assert_eq!(essences(&found).len(), whole.len() - 1);
}

#[test]
fn a_wrong_signature_sets_the_exit_code_and_is_printed_as_a_finding() {
    let mut bytes = fs::read(named("impacket-raw")).expect("readable");
    let last = bytes.len() - 1;
    let packets = packets("impacket-raw");
    let data = packets
        .iter()
        .rposition(|packet| packet.len() > 66 + 64)
        .expect("a message");
    let behind: usize = packets[data + 1..]
        .iter()
        .map(|packet| packet.len() + 16)
        .sum();
    bytes[last - behind] ^= 1;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("changed.pcap");
    fs::write(&path, &bytes).expect("written");
    let (json, outcome) = decoded_with(&path, &user("password = \"AdminPass1!\""));
    assert_eq!(outcome, Ok(ExitStatus::Deviates));
    assert!(json.contains("\"section\":\"MS-SMB2 3.1.4.1\""), "{json}");
    assert!(
        json.contains("\"requirement\":\"SMB2-3.1.4.1-01\""),
        "{json}"
    );
    assert!(
        json.contains("\"section\":\"MS-RPCE 3.3.1.5.2.2\""),
        "{json}"
    );
    assert!(json.contains("\"findings\":2"), "{json}");
}

#[test]
fn calls_in_encrypted_messages_say_so() {
    let found = events(&packets("encrypted-torture"));
    let mut calls = found.iter().filter_map(|event| match event {
        Event::Exchange(exchange) => Some(exchange),
        _ => None,
    });
    assert!(calls.all(|call| call.smb == SmbProtection::Encrypted));
    assert!(!has_gaps(&found));
}

#[test]
fn session_keys_open_an_encrypted_capture_that_begins_in_the_middle() {
    let text = fs::read_to_string("captures/encrypted-impacket/capture.keys.toml").expect("keys");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("middle.pcap");
    let packets = packets("encrypted-impacket");
    let gone: usize = packets[..30].iter().map(|packet| packet.len() + 16).sum();
    let whole = fs::read(named("encrypted-impacket")).expect("readable");
    fs::write(&path, [&whole[..24], &whole[24 + gone..]].concat()).expect("written");
    let (json, outcome) = decoded_with(&path, &text);
    assert_eq!(outcome, Ok(ExitStatus::AsExpected));
    // The bind was not seen either; share names prove the interface.
    assert_eq!(calls_in(&json).len(), 11, "{json}");
    assert!(!json.contains("no key"), "{json}");
}

#[test]
fn a_loss_inside_of_a_sealed_stream_makes_the_rest_unreadable_and_says_so() {
    let mut packets = packets("rpcclient-seal");
    // The request of SetContext.
    packets.remove(27);
    let found = events(&packets);
    assert!(bad_signatures(&found).is_empty(), "{found:?}");
    assert!(
        gap_reasons(&found).contains(&GapReason::SealedAfterLoss),
        "{found:?}"
    );
    let calls = essences(&found);
    assert_eq!(calls.len(), 2, "{calls:?}");
}

#[test]
fn a_lost_request_to_read_is_told_before_what_it_brought() {
    let mut packets = packets("impacket-privacy");
    // The answer stands behind the client's next segment, which waits for it; and it answers a
    // READ that is not there.
    packets.swap(44, 45);
    packets.remove(43);
    let found = events(&packets);
    assert!(bad_signatures(&found).is_empty(), "{found:?}");
    let lost = found.iter().find_map(|event| match event {
        Event::Gap(gap) if gap.reason == GapReason::NotCaptured => Some(gap.frames.0),
        _ => None,
    });
    assert!(lost.is_some_and(|frame| frame < 50), "{lost:?}");
}

#[test]
fn a_mistake_in_a_keys_file_is_named_with_its_line_and_no_secret_is_shown() {
    let id = "session_id = \"0011223344556677\"\n";
    for (text, expected) in [
        (
            "[[user]]\nname = \"a\"\npasword = \"Geheim1\"\n",
            "line 3: unknown key pasword; the nearest known one is password",
        ),
        (
            "[[usr]]\n",
            "line 1: unknown key usr; the nearest known one is user",
        ),
        (
            "[[user]]\nname = \"a\"\n",
            "a user needs either password or nt_hash",
        ),
        (
            "[[user]]\nname = \"a\"\npassword = 7777777\n",
            "line 3: a password or key must stand in quotes",
        ),
        (
            "[[user]]\nname = \"a\"\nnt_hash = \"Geheim1\"\n",
            "line 3: nt_hash is not 32 hexadecimal digits",
        ),
        (
            "[[ntlm_logon]]\nproof = \"3d\"\nsession_key = \"00\"\n",
            "line 2: proof is not 32 hexadecimal digits",
        ),
        (
            &format!(
                "[[ntlm_logon]]\nproof = \"{:032}\"\nsession_key = \"Geheim1\"\n",
                0
            ),
            "line 3: session_key is not 32 hexadecimal digits",
        ),
        (
            "[[smb_session]]\nsession_id = \"3d\"\n",
            "line 2: session_id is not the 16 hexadecimal digits",
        ),
        (
            &format!("[[smb_session]]\n{id}"),
            "line 2: the session has no key",
        ),
        (
            &format!("[[smb_session]]\n{id}session_key = \"Geheim1\"\n"),
            "line 3: session_key is not 2 to 64 hexadecimal digits",
        ),
        (
            &format!("[[smb_session]]\n{id}signing_key = [\"Geheim1\"]\n"),
            "line 3: a password or key must stand in quotes",
        ),
        (
            &format!("[[smb_session]]\n{id}session_key = \"00\"\ncipher = 9\n"),
            "line 4: cipher is none of 0, 1, 2, 3, 4",
        ),
        ("[[user]\n", "line 1: "),
    ] {
        let (out, outcome) = decoded_with(&named("impacket-connect"), text);
        let message = outcome.expect_err(text);
        assert!(message.contains("k.toml"), "{message}");
        assert!(message.contains(expected), "{message}\nwanted: {expected}");
        assert!(
            !message.contains("Geheim1") && !message.contains("7777777"),
            "{message}"
        );
        assert!(!message.contains('\n'), "{message}");
        assert_eq!(out, "");
    }
    let options = DecodeOptions {
        captures: vec![named("impacket-connect")],
        keys: Some("absent.keys.toml".into()),
        ..DecodeOptions::default()
    };
    let error = decode(&options, &mut Vec::new()).expect_err("there is no such file");
    assert!(error.to_string().contains("absent.keys.toml"), "{error}");
}

#[test]
fn keys_show_no_secret_in_debug_output() {
    let session = SmbSessionKey {
        session_key: SecretKey::new(vec![0xAB; 16]),
        ..SmbSessionKey::default()
    };
    let users = vec![UserKey {
        name: "a".to_owned(),
        nt_hash: NtHash::new([0xAB; 16]),
    }];
    let shown = format!("{:?}", KeyRing::new(users, vec![session]));
    assert!(
        !shown.contains("171") && !shown.to_lowercase().contains("ab,"),
        "{shown}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// What is lost or late makes no signature wrong, and no call is another than it was.
    #[test]
    fn losses_and_disorder_never_make_a_finding_or_another_call(
        name in prop::sample::select(CLOSED.to_vec()),
        lost in prop::collection::vec(prop::bool::weighted(0.03), 300),
        delays in prop::collection::vec(0usize..3, 300),
    ) {
        let packets = packets(name);
        let whole = essences(&events(&packets));
        let mut order: Vec<(usize, usize)> = (0..packets.len())
            .filter(|index| !lost[index % lost.len()])
            .map(|index| (index + delays[index % delays.len()], index))
            .collect();
        order.sort();
        let kept: Vec<Vec<u8>> = order.iter().map(|(_, index)| packets[*index].clone()).collect();
        let found = events(&kept);
        prop_assert!(bad_signatures(&found).is_empty(), "{:?}", bad_signatures(&found));
        for call in essences(&found) {
            let original = whole.iter().find(|w| (w.0, w.1) == (call.0, call.1));
            prop_assert!(original.is_some(), "{:?} was made up", call);
        }
    }

    #[test]
    fn no_change_of_a_closed_capture_makes_the_decoder_panic(
        name in prop::sample::select(CLOSED.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..60),
    ) {
        let path = named(name);
        let mut bytes = fs::read(&path).expect("readable");
        for (index, value) in changes {
            let at = index.index(bytes.len());
            if at >= 40 {
                bytes[at] = value;
            }
        }
        let keys = fs::read_to_string(path.with_file_name("capture.keys.toml")).expect("keys");
        let dir = tempfile::tempdir().expect("a directory");
        let changed = dir.path().join("changed.pcap");
        fs::write(&changed, &bytes).expect("written");
        let (_, outcome) = decoded_with(&changed, &keys);
        if let Err(error) = outcome {
            prop_assert!(!error.contains('\n'));
        }
    }
}
