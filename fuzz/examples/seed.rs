//! Fills `corpus/` with what the project has of real traffic, cut at the layer of each target.
//! Run in `fuzz/` by `./seed`.

use fsrvp::capture::link::Decapsulator;
use fsrvp::capture::{CaptureReader, unpacked};
use fsrvp::flow::tcp::Stamp;
use fsrvp_wire::nbss;
use fsrvp_wire::rpce::{Body, Pdu, next_fragment};
use fsrvp_wire::smb2::message::{AnyBody, Request, Response};
use fsrvp_wire::smb2::{Message, compound};
use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::fs::{self, File};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// How many packets of a capture become seeds by themselves.
const PACKETS_MAX: usize = 60;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    for capture in files(Path::new("../captures"), &["pcap", "pcapng"])? {
        from_capture(&capture)?;
    }
    for stream in files(Path::new("../wire/tests/data"), &["bin"])? {
        let bytes = fs::read(&stream)?;
        match stream.parent().and_then(Path::file_name) {
            Some(folder) if folder == "rpc" => from_pipe(&bytes)?,
            Some(folder) if folder == "data" => from_stream(&bytes)?,
            _ => {}
        }
    }
    Ok(())
}

/// Every file below `folder` whose name ends so.
fn files(folder: &Path, extensions: &[&str]) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, extensions)?);
        } else if path
            .extension()
            .is_some_and(|e| extensions.iter().any(|x| e == *x))
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Adds a seed, named by its content.
fn add(target: &str, seed: &[u8]) -> Outcome<()> {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder)?;
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    Ok(fs::write(
        folder.join(format!("seed-{:016x}", hasher.finish())),
        seed,
    )?)
}

fn from_capture(path: &Path) -> Outcome<()> {
    let bytes = fs::read(path)?;
    add("capture_file", &bytes)?;
    for choice in [0, 2, 6] {
        add("dissector", &[&[choice], bytes.as_slice()].concat())?;
    }
    let mut reader = CaptureReader::new(unpacked(File::open(path)?)?)?;
    let mut decapsulator = Decapsulator::new();
    let (mut packets, mut pieces) = (vec![0u8], vec![1u8]);
    let mut count = 0;
    while let Some(Ok(packet)) = reader.next_packet() {
        count += 1;
        let length = u16::try_from(packet.data.len())?.to_le_bytes();
        let one = [&length, &length, packet.data].concat();
        if count <= PACKETS_MAX {
            packets.extend(&one);
            add("link_and_ip", &[&[0], one.as_slice()].concat())?;
        }
        let stamp = Stamp::default();
        let segment = decapsulator.segment(packet.link, packet.data, packet.original_len, stamp);
        let Ok(segment) = segment else { continue };
        let bytes = segment.payload.bytes;
        if !bytes.is_empty() {
            let from_client = segment.source.port() > segment.destination.port();
            let length = u16::try_from(bytes.len())? & 0x7fff;
            let direction = if from_client { 0 } else { 0x8000 };
            pieces.extend((length | direction).to_le_bytes());
            pieces.extend(bytes);
            from_stream(bytes)?;
        }
    }
    add("link_and_ip", &packets)?;
    add("dissector", &pieces)?;
    pieces[0] = 7;
    add("dissector", &pieces)
}

fn from_stream(stream: &[u8]) -> Outcome<()> {
    let mut rest = stream;
    while let Ok(Some(frame)) = nbss::next_frame(rest, nbss::FRAME_MAX) {
        let (whole, after) = rest.split_at(frame.consumed());
        add("netbios_and_smb2", whole)?;
        let payload = whole.get(frame.payload).unwrap_or_default();
        for message in compound::split(payload).unwrap_or_default() {
            if let Ok(message) = Message::parse(message) {
                from_message(&message.body)?;
            }
        }
        rest = after;
    }
    Ok(())
}

fn from_message(body: &AnyBody) -> Outcome<()> {
    match body {
        AnyBody::Request(Request::SessionSetup(body)) => {
            add("spnego_and_ntlm", &body.security_buffer)
        }
        AnyBody::Response(Response::SessionSetup(body)) => {
            add("spnego_and_ntlm", &body.security_buffer)
        }
        AnyBody::Response(Response::Negotiate(body)) => {
            add("spnego_and_ntlm", &body.security_buffer)
        }
        AnyBody::Request(Request::Ioctl(body)) => from_pipe(&body.input),
        AnyBody::Response(Response::Ioctl(body)) => from_pipe(&body.output),
        AnyBody::Request(Request::Write(body)) => from_pipe(&body.data),
        AnyBody::Response(Response::Read(body)) => from_pipe(&body.data),
        _ => Ok(()),
    }
}

fn from_pipe(bytes: &[u8]) -> Outcome<()> {
    let mut rest = bytes;
    let mut opnum = 0;
    while let Ok(Some(length)) = next_fragment(rest) {
        let Some((fragment, after)) = rest.split_at_checked(length) else {
            break;
        };
        rest = after;
        add("rpc", fragment)?;
        let Ok(pdu) = Pdu::parse(fragment) else {
            continue;
        };
        if let Some(trailer) = &pdu.auth {
            add("spnego_and_ntlm", &trailer.auth_value)?;
        }
        if let Body::Request(request) = &pdu.body {
            opnum = u8::try_from(request.opnum).unwrap_or(13);
        }
        if let Some(stub) = pdu.body.stub() {
            let big = u8::from(fragment.get(4).is_some_and(|drep| drep & 0x10 == 0));
            for syntax in [0, 2] {
                add("fsrvp", &[&[opnum, big | syntax], stub].concat())?;
            }
            let strings = [big, 2, 8, 4, 4, 5, 6, 9, 3];
            add("ndr", &[&strings, stub].concat())?;
        }
    }
    Ok(())
}
