//! Real traffic: every message that Samba and its peers sent parses and goes out byte for byte.

use fsrvp_wire::nbss::{FRAME_MAX, FrameType, next_frame};
use fsrvp_wire::smb2::fscc::{FileInfoClass, directory};
use fsrvp_wire::smb2::ioctl::CtlCode;
use fsrvp_wire::smb2::message::{AnyBody, Message, Request, Response};
use fsrvp_wire::smb2::negotiate_contexts::{
    ContextType, EncryptionCapabilities, NetnameContext, PreauthIntegrityCapabilities,
    SigningCapabilities,
};
use fsrvp_wire::smb2::{
    Command, Dialect, Layout, compound, smb1_negotiate, validate_negotiate_info,
};
use proptest::prelude::{any, prop_assert_eq, proptest};
use proptest::sample::Index;
use std::collections::BTreeSet;

macro_rules! capture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("data/", $name, ".bin")))
    };
}

const CAPTURES: [(&str, &[u8]); 10] = [
    capture!("impacket-dialect-2.0.2.client"),
    capture!("impacket-dialect-2.0.2.server"),
    capture!("rpcclient-backup-ro.client"),
    capture!("rpcclient-backup-ro.server"),
    capture!("rpcclient-dialect-smb3_00.client"),
    capture!("rpcclient-dialect-smb3_00.server"),
    capture!("smbclient-snapshot-ro.client"),
    capture!("smbclient-snapshot-ro.server"),
    capture!("torture-get_version.client"),
    capture!("torture-get_version.server"),
];

fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let frame = next_frame(stream, FRAME_MAX)
            .expect("legal frames")
            .expect("whole frames");
        assert_eq!(frame.frame_type, FrameType::SESSION_MESSAGE);
        frames.push(&stream[frame.payload.clone()]);
        stream = &stream[frame.consumed()..];
    }
    frames
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let mut messages = Vec::new();
    for (name, stream) in CAPTURES {
        for frame in frames(stream) {
            if !smb1_negotiate::is_smb1_negotiate(frame) {
                for message in compound::split(frame).expect("legal compounds") {
                    messages.push((name, message.to_vec()));
                }
            }
        }
    }
    messages
}

#[test]
fn every_message_goes_out_as_it_came() {
    let mut commands = BTreeSet::new();
    for (name, bytes) in messages() {
        let message = Message::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!matches!(message.body, AnyBody::Unknown(_)), "{name}");
        assert_eq!(message.emit(), bytes, "{name}: {message:?}");
        commands.insert(message.header.command);
    }
    for command in [
        Command::NEGOTIATE,
        Command::SESSION_SETUP,
        Command::TREE_CONNECT,
        Command::CREATE,
        Command::CLOSE,
        Command::READ,
        Command::WRITE,
        Command::IOCTL,
        Command::QUERY_DIRECTORY,
        Command::QUERY_INFO,
    ] {
        assert!(commands.contains(&command), "no {command} in the captures");
    }
}

/// Samba pads names and puts offsets of empty parts elsewhere; its larger responses stand where
/// this project would put them, so that a server that is built here looks the same to clients.
#[test]
fn samba_lays_its_responses_out_as_this_project_does() {
    for (name, bytes) in messages() {
        let message = Message::parse(&bytes).unwrap();
        let layout = match &message.body {
            AnyBody::Response(Response::Negotiate(body)) => &body.layout,
            AnyBody::Response(Response::SessionSetup(body)) => &body.layout,
            AnyBody::Response(Response::Create(body)) => &body.layout,
            AnyBody::Response(Response::Read(body)) => &body.layout,
            AnyBody::Response(Response::Ioctl(body)) => &body.layout,
            AnyBody::Response(Response::QueryDirectory(body)) => &body.layout,
            AnyBody::Response(Response::QueryInfo(body)) => &body.layout,
            _ => continue,
        };
        assert_eq!(layout, &Layout::Canonical, "{name}: {message:?}");
    }
}

#[test]
fn negotiate_contexts_mean_what_they_hold() {
    let mut seen = 0;
    for (name, bytes) in messages() {
        let list = match Message::parse(&bytes).unwrap().body {
            AnyBody::Request(Request::Negotiate(body)) => body.negotiate_contexts,
            AnyBody::Response(Response::Negotiate(body)) => body.negotiate_contexts,
            _ => continue,
        };
        for context in list {
            let data = &context.data;
            let again = match context.context_type {
                ContextType::PREAUTH_INTEGRITY_CAPABILITIES => {
                    PreauthIntegrityCapabilities::parse(data).unwrap().emit()
                }
                ContextType::ENCRYPTION_CAPABILITIES => {
                    EncryptionCapabilities::parse(data).unwrap().emit()
                }
                ContextType::SIGNING_CAPABILITIES => {
                    SigningCapabilities::parse(data).unwrap().emit()
                }
                ContextType::NETNAME_NEGOTIATE_CONTEXT_ID => {
                    NetnameContext::parse(data).unwrap().emit()
                }
                other => panic!("{name}: {other}"),
            };
            assert_eq!(&again, data, "{name}");
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn negotiate_validation_goes_out_as_it_came() {
    let mut seen = 0;
    for (_, bytes) in messages() {
        match Message::parse(&bytes).unwrap().body {
            AnyBody::Request(Request::Ioctl(body))
                if body.ctl_code == CtlCode::FSCTL_VALIDATE_NEGOTIATE_INFO =>
            {
                let request = validate_negotiate_info::Request::parse(&body.input).unwrap();
                assert!(request.dialects.contains(&Dialect::SMB_3_0));
                assert_eq!(request.emit(), body.input);
                seen += 1;
            }
            AnyBody::Response(Response::Ioctl(body))
                if body.ctl_code == CtlCode::FSCTL_VALIDATE_NEGOTIATE_INFO =>
            {
                let response = validate_negotiate_info::Response::parse(&body.output).unwrap();
                assert_eq!(response.dialect, Dialect::SMB_3_0);
                assert_eq!(response.emit(), body.output);
                seen += 1;
            }
            _ => {}
        }
    }
    assert!(seen >= 2, "{seen}");
}

#[test]
fn listings_of_samba_are_read() {
    let class = FileInfoClass::FILE_ID_BOTH_DIRECTORY_INFORMATION;
    let mut names = BTreeSet::new();
    for (_, bytes) in messages() {
        if let AnyBody::Response(Response::QueryDirectory(body)) =
            Message::parse(&bytes).unwrap().body
        {
            let entries = directory::parse_list(class, &body.buffer).unwrap();
            let again = directory::emit_list(class, &entries).unwrap();
            assert_eq!(directory::parse_list(class, &again).unwrap(), entries);
            names.extend(entries.iter().map(|entry| entry.file_name.text()));
        }
    }
    for name in [".", "..", "hello.txt"] {
        assert!(names.contains(name), "{names:?}");
    }
}

proptest! {
    #[test]
    fn mangled_messages_are_refused_or_go_out_as_they_came(
        which in any::<Index>(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let messages = messages();
        let mut bytes = which.get(&messages).1.clone();
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert_eq!(message.emit(), bytes);
        }
    }

    #[test]
    fn mangled_streams_never_panic(
        which in 0..CAPTURES.len(),
        changes in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..40),
    ) {
        let mut stream = CAPTURES[which].1.to_vec();
        for (at, byte) in &changes {
            let at = at.index(stream.len());
            stream[at] = *byte;
        }
        let mut rest = &stream[..];
        while let Ok(Some(frame)) = next_frame(rest, FRAME_MAX) {
            for message in compound::split(&rest[frame.payload.clone()]).unwrap_or_default() {
                let _ = Message::parse(message).map(|message| message.emit());
            }
            rest = &rest[frame.consumed()..];
        }
    }
}
