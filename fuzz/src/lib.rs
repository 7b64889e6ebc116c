//! What each fuzz target does with its bytes. The test `malformed` includes this file and does the
//! same with every file of `captures/malformed/`, so that what was found once stays fixed.
//!
//! Nothing may panic; and where bytes parse, the laws of the parser must hold: what is emitted
//! again parses to the same value.

use fsrvp::capture::link::Decapsulator;
use fsrvp::capture::{CaptureReader, unpacked};
use fsrvp::flow::tcp::Stamp;
use fsrvp::flow::{Direction, Dissector, KeyRing, UserKey};
use fsrvp::oracle::{Durations, Oracle};
use fsrvp::requirement::Catalogue;
use fsrvp_wire::auth::ntlm::{
    self, AuthenticateMessage, ChallengeMessage, Credentials, InitiatorOptions, InitiatorRandom,
    NegotiateMessage,
};
use fsrvp_wire::auth::spnego::{self, NegTokenInit, NegTokenResp};
use fsrvp_wire::fsrvp::{Call, Opnum, Reply};
use fsrvp_wire::ndr::{ByteOrder, Reader, Representation, TransferSyntax, WideString, Writer};
use fsrvp_wire::rpce::{Assembler, Pdu, next_fragment};
use fsrvp_wire::security::Secret;
use fsrvp_wire::smb2::compression::CompressionHeader;
use fsrvp_wire::smb2::transform::TransformHeader;
use fsrvp_wire::smb2::{Message, compound, smb1_negotiate};
use fsrvp_wire::{Layer, nbss};
use pcap_file::DataLink;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

/// What takes the bytes of a target.
pub type Target = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: [(&str, Target); 8] = [
    ("capture_file", capture_file),
    ("link_and_ip", link_and_ip),
    ("netbios_and_smb2", netbios_and_smb2),
    ("spnego_and_ntlm", spnego_and_ntlm),
    ("rpc", rpc),
    ("ndr", ndr),
    ("fsrvp", fsrvp),
    ("dissector", dissector),
];

/// How many bytes of an unpacked file are looked at: gzip makes many of a few.
const UNPACKED_MAX: u64 = 1 << 22;

/// A whole capture file, packet by packet.
pub fn capture_file(data: &[u8]) {
    each_packet(data, |_, _, _, _| {});
}

/// Calls `each` with link type, bytes, length on the wire and stamp of every packet.
fn each_packet(file: &[u8], mut each: impl FnMut(DataLink, &[u8], u32, Stamp)) {
    use std::io::Read as _;
    let Ok(source) = unpacked(file) else { return };
    let Ok(mut reader) = CaptureReader::new(source.take(UNPACKED_MAX)) else {
        return;
    };
    let mut frames = 0;
    while let Some(packet) = reader.next_packet() {
        let Ok(packet) = packet else { break };
        frames += 1;
        assert_eq!(packet.frame, frames);
        let time = packet.time.unwrap_or_default();
        let stamp = Stamp {
            frame: packet.frame,
            time,
        };
        each(packet.link, packet.data, packet.original_len, stamp);
    }
    assert_eq!(reader.frames(), frames);
    assert!(reader.next_packet().is_none(), "something behind the end");
}

/// The link types that the first byte chooses from.
const LINKS: [DataLink; 8] = [
    DataLink::ETHERNET,
    DataLink::RAW,
    DataLink::NULL,
    DataLink::LOOP,
    DataLink::LINUX_SLL,
    DataLink::LINUX_SLL2,
    DataLink::IPV4,
    DataLink::IPV6,
];

/// Packets of one link: its number, then each packet behind its length and its length on the wire,
/// both 16 bits, little-endian.
pub fn link_and_ip(data: &[u8]) {
    let Some((link, mut rest)) = data.split_first() else {
        return;
    };
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let mut decapsulator = Decapsulator::new();
    let mut frame = 0;
    while let Some((&[a, b, c, d], after)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([a, b])).min(after.len());
        let (packet, after) = after.split_at(length);
        rest = after;
        frame += 1;
        let stamp = Stamp {
            frame,
            time: Duration::ZERO,
        };
        let on_wire = u32::from(u16::from_le_bytes([c, d]));
        if let Ok(segment) = decapsulator.segment(link, packet, on_wire, stamp) {
            assert!(segment.payload.bytes.len() <= 65_535);
        }
    }
}

/// The bytes of a stream.
pub fn netbios_and_smb2(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some(frame)) = nbss::next_frame(rest, nbss::FRAME_MAX) {
        smb2_frame(rest.get(frame.payload.clone()).unwrap_or_default());
        rest = rest.get(frame.consumed()..).unwrap_or_default();
    }
    smb2_frame(rest);
}

fn smb2_frame(frame: &[u8]) {
    if let Ok((header, rest)) = TransformHeader::parse(frame) {
        assert_eq!([header.emit(), rest.to_vec()].concat(), frame);
    }
    if let Ok((header, rest)) = CompressionHeader::parse(frame) {
        assert_eq!([header.emit(), rest.to_vec()].concat(), frame);
    }
    let _ = smb1_negotiate::Request::parse(frame);
    for message in compound::split(frame).unwrap_or_default() {
        if let Ok(parsed) = Message::parse(message) {
            assert_eq!(parsed.emit(), message);
        }
    }
}

/// One token.
pub fn spnego_and_ntlm(data: &[u8]) {
    if let Ok(token) = NegTokenInit::parse(data) {
        assert_eq!(NegTokenInit::parse(&token.emit()).as_ref(), Ok(&token));
    }
    if let Ok(token) = NegTokenResp::parse(data) {
        assert_eq!(NegTokenResp::parse(&token.emit()).as_ref(), Ok(&token));
    }
    if let Ok(message) = NegotiateMessage::parse(data) {
        assert_eq!(
            NegotiateMessage::parse(&message.emit()).as_ref(),
            Ok(&message)
        );
    }
    if let Ok(message) = ChallengeMessage::parse(data) {
        assert_eq!(
            ChallengeMessage::parse(&message.emit()).as_ref(),
            Ok(&message)
        );
    }
    if let Ok(message) = AuthenticateMessage::parse(data) {
        assert_eq!(
            AuthenticateMessage::parse(&message.emit()).as_ref(),
            Ok(&message)
        );
    }
    let initiator = || {
        let random = InitiatorRandom {
            client_challenge: [7; 8],
            exported_session_key: Secret::new([9; 16]),
            time: 1,
        };
        let user = Credentials::user("user", "domain", "password");
        ntlm::Initiator::new(user, InitiatorOptions::default(), random)
    };
    let acceptor = || {
        ntlm::Acceptor::new(ntlm::AcceptorConfig {
            netbios_computer: "SERVER".to_owned(),
            netbios_domain: "SERVER".to_owned(),
            dns_computer: String::new(),
            dns_domain: String::new(),
            time: 1,
            server_challenge: [1; 8],
            allow_anonymous: true,
        })
    };
    let hash = ntlm::NtHash::new([3; 16]);
    let lookup = |_: &str, _: &str| Some(hash.clone());
    let mut raw = initiator();
    let first = raw.negotiate();
    let _ = raw.handle_challenge(data);
    let _ = acceptor().handle_negotiate(data);
    let mut challenged = acceptor();
    if challenged.handle_negotiate(&first).is_ok() {
        let _ = challenged.handle_authenticate(data, &lookup);
    }
    let mut client = spnego::Initiator::new(initiator());
    let hello = client.start();
    let _ = client.step(data);
    let mut server = spnego::Acceptor::new(acceptor());
    let _ = server.step(data, &lookup);
    let mut server = spnego::Acceptor::new(acceptor());
    if server.step(&hello, &lookup).is_ok() {
        let _ = server.step(data, &lookup);
    }
}

/// The bytes of a pipe.
pub fn rpc(data: &[u8]) {
    let mut assembler = Assembler::new(1 << 20);
    let mut rest = data;
    while let Ok(Some(length)) = next_fragment(rest) {
        let Some((fragment, after)) = rest.split_at_checked(length) else {
            break;
        };
        rest = after;
        let Ok(pdu) = Pdu::parse(fragment) else {
            continue;
        };
        assert_eq!(Pdu::parse(&pdu.emit()).as_ref(), Ok(&pdu));
        let _ = assembler.push(pdu);
    }
    let _ = Pdu::parse(rest);
}

fn representation(choice: u8) -> Representation {
    Representation {
        byte_order: match choice & 1 {
            0 => ByteOrder::Little,
            _ => ByteOrder::Big,
        },
        syntax: match choice & 2 {
            0 => TransferSyntax::Ndr32,
            _ => TransferSyntax::Ndr64,
        },
    }
}

/// A representation, eight operations, and a stub to apply them to.
pub fn ndr(data: &[u8]) {
    let Some((&[choice, ref operations @ ..], stub)) = data.split_first_chunk::<9>() else {
        return;
    };
    let representation = representation(choice);
    let mut reader = Reader::new(Layer::Ndr, stub, representation);
    for operation in operations {
        let before = reader.position();
        let more = match operation % 10 {
            0 => reader.u8("field").map(drop),
            1 => reader.u16("field").map(drop),
            2 => reader.u32("field").map(drop),
            3 => reader.u64("field").map(drop),
            4 => reader.uuid("field").map(drop),
            5 => reader.count("field").map(drop),
            6 => reader.referent("field").map(drop),
            7 => reader.units("field", usize::from(*operation)).map(drop),
            8 => WideString::parse(&mut reader, "field")
                .map(|string| is_kept(&string, representation)),
            _ => WideString::parse_unique(&mut reader, "field").map(drop),
        };
        if more.is_err() {
            break;
        }
        assert!(reader.position() >= before && reader.position() <= stub.len());
    }
}

fn is_kept(string: &WideString, representation: Representation) {
    let mut writer = Writer::new(representation);
    string.emit(&mut writer);
    let bytes = writer.into_bytes();
    let mut reader = Reader::new(Layer::Ndr, &bytes, representation);
    assert_eq!(WideString::parse(&mut reader, "field").as_ref(), Ok(string));
}

/// An opnum, a representation and a stub, read as request and as response.
pub fn fsrvp(data: &[u8]) {
    let Some((&[opnum, choice], stub)) = data.split_first_chunk::<2>() else {
        return;
    };
    let (opnum, representation) = (Opnum(u16::from(opnum)), representation(choice));
    if let Ok(call) = Call::parse(opnum, stub, representation) {
        let stub = call.emit(representation);
        assert_eq!(
            Call::parse_strict(opnum, &stub, representation).as_ref(),
            Ok(&call)
        );
    }
    if let Ok(reply) = Reply::parse(opnum, stub, representation) {
        let stub = reply.emit(representation);
        assert_eq!(
            Reply::parse_strict(opnum, &stub, representation).as_ref(),
            Ok(&reply)
        );
    }
}

/// A capture file, or the pieces of one stream: two bytes of length, whose highest bit tells the
/// direction, and the piece. The first byte says which, whether the users' password is known,
/// whether what comes out is judged, and whether everything is listed.
pub fn dissector(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let user = UserKey {
        name: "fssadmin".to_owned(),
        nt_hash: ntlm::NtHash::of_password("AdminPass1!"),
    };
    let users = if choice & 2 == 0 { vec![] } else { vec![user] };
    let mut dissection = Dissection {
        dissector: Dissector::with_keys(KeyRing::new(users, vec![])),
        oracle: (choice & 4 != 0).then(|| Oracle::new(catalogue(), Durations::Scaled(1.0))),
    };
    if choice & 8 != 0 {
        dissection.dissector.list_all();
    }
    match choice & 1 {
        0 => dissection.file(rest),
        _ => dissection.stream(rest),
    }
    dissection.dissector.finish();
    dissection.poll();
    if let Some(mut oracle) = dissection.oracle {
        let _ = oracle.finish();
    }
}

/// The requirements; read once, since that takes longer than most inputs do.
fn catalogue() -> Catalogue {
    static READ: OnceLock<Catalogue> = OnceLock::new();
    READ.get_or_init(|| Catalogue::built_in().unwrap_or_default())
        .clone()
}

struct Dissection {
    dissector: Dissector,
    oracle: Option<Oracle>,
}

impl Dissection {
    fn poll(&mut self) {
        while let Some(event) = self.dissector.poll_event() {
            if let Some(oracle) = &mut self.oracle {
                oracle.handle_event(&event);
            }
        }
        while self.dissector.poll_listed().is_some() {}
    }

    fn file(&mut self, file: &[u8]) {
        let mut decapsulator = Decapsulator::new();
        each_packet(file, |link, bytes, on_wire, stamp| {
            if let Ok(segment) = decapsulator.segment(link, bytes, on_wire, stamp) {
                self.dissector.handle_segment(&segment);
                if let Some(oracle) = self.oracle.as_mut().filter(|_| segment.rst) {
                    oracle.handle_close(segment.source, segment.destination, stamp.frame);
                }
            }
            self.poll();
        });
    }

    fn stream(&mut self, mut rest: &[u8]) {
        let end = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let stream = self.dissector.open_stream(end(40_000), end(445));
        let mut frame = 0;
        while let Some((&[low, high], after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_le_bytes([low, high & 0x7f])).min(after.len());
            let (piece, after) = after.split_at(length);
            rest = after;
            frame += 1;
            let direction = match high & 0x80 {
                0 => Direction::ClientToServer,
                _ => Direction::ServerToClient,
            };
            let stamp = Stamp {
                frame,
                time: Duration::ZERO,
            };
            let dissector = &mut self.dissector;
            dissector.handle_stream_bytes(stream, direction, piece, stamp);
            self.poll();
        }
    }
}
