//! The server under clients that mean it no good: their own connection ends or gets an error, another
//! one's lifecycles go on beside it, and the server stays within its bounds.

mod bystander;
mod floods;
mod late;
mod liars;
mod paths;

use crate::server::Server;
use bystander::beside;
use fsrvp_wire::nbss;
use fsrvp_wire::smb2::negotiate::{self, Dialect};
use fsrvp_wire::smb2::{Body as _, Command, Header};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What the server may have used at its most, in KiB: several times what it has at rest, and far
/// less than what these clients ask for.
const MEMORY_MAX_KIB: u64 = 160 * 1024;

pub(crate) fn is_bounded(server: &Server) {
    let most = server.memory_max_kib();
    assert!(most < MEMORY_MAX_KIB, "{most} KiB");
}

/// How long the server may take to end a connection; it has to be told nothing but the bytes.
const LIMIT: Duration = Duration::from_secs(10);

/// Connects, with a limit on every wait.
fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    stream
}

/// Negotiates on a new connection, and demands an answer.
fn is_alive(server: &Server) {
    let mut stream = connect(server);
    stream.write_all(&negotiation()).expect("sent");
    let mut header = [0u8; 4];
    stream.read_exact(&mut header).expect("an answer");
    let mut answer = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
    stream.read_exact(&mut answer).expect("the whole answer");
    let (_, response) = negotiate::Response::parse(&answer).expect("a NEGOTIATE response");
    assert_eq!(response.dialect_revision, Dialect(0x0302));
}

fn negotiation() -> Vec<u8> {
    let request = negotiate::Request {
        dialects: vec![Dialect(0x0302)],
        ..Default::default()
    };
    nbss::emit(&request.emit(&Header::request(Command::NEGOTIATE))).expect("a short message")
}

/// Random bytes from a seed: xorshift64.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// One connection's worth of nonsense, ever closer to the protocol.
fn nonsense(noise: &mut Noise, round: u64) -> Vec<u8> {
    let length = usize::try_from(noise.next() % 600).expect("small") + 1;
    let junk = noise.bytes(length);
    match round % 5 {
        0 => junk,
        // A frame of 16 MiB less one that never comes.
        1 => [vec![0, 0xFF, 0xFF, 0xFF], junk].concat(),
        2 => nbss::emit(&junk).expect("a short frame"),
        // A whole header with a body of noise.
        3 => {
            let mut message =
                Header::request(Command(u16::try_from(round % 19).expect("small"))).emit();
            message.extend(junk);
            nbss::emit(&message).expect("a short frame")
        }
        // A good negotiation, one byte of it changed, and noise behind it.
        _ => {
            let mut bytes = negotiation();
            let at = usize::try_from(noise.next()).unwrap_or(0) % bytes.len();
            bytes[at] ^= 1 << (round % 8);
            bytes.extend(junk);
            bytes
        }
    }
}

#[test]
fn noise_ends_its_own_connection_and_no_other() {
    let server = Server::start();
    let mut bystander = connect(&server);
    bystander.write_all(&negotiation()).expect("sent");
    let mut noise = Noise(0x5EED_0001);
    for round in 0..200 {
        let mut stream = connect(&server);
        // The server may close before everything is sent; that is its right.
        let _ = stream.write_all(&nonsense(&mut noise, round));
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("round {round}: the connection is still open: {error}"),
        }
    }
    let mut header = [0u8; 4];
    bystander
        .read_exact(&mut header)
        .expect("the bystander's answer is there");
    is_alive(&server);
}
