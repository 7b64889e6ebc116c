//! Writes a pcapng file of TCP connections whose ends know what they sent and received.
//!
//! What an end knows is a stream of bytes; the segments are made here: addresses, ports and bytes
//! are those of the connection, sequence numbers begin anywhere, and each byte counts as received
//! when the other side next speaks. Packets that only acknowledge are left out, apart from those
//! that begin and end a connection.

use crate::flow::Direction;
use etherparse::{PacketBuilder, TcpOptionElement};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgWriteError, PcapNgWriter};
use pcap_file::{DataLink, Endianness};
use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What fits into a packet of Ethernet's 1,500 bytes behind the headers of IPv6 and TCP.
const SEGMENT_BYTES: usize = 1440;
/// RFC 7323 2.2: so far the window is scaled that it never looks full.
const WINDOW_SCALE: u8 = 14;
const WINDOW: u16 = u16::MAX;
const HOPS: u8 = 64;

/// A packet begins with its IP header.
const LINK: DataLink = DataLink::RAW;
/// Packets are kept in their full length.
const UNLIMITED: u32 = 0;
/// The section's length is not told.
const UNTOLD: i64 = -1;
/// Time stamps count 10^-9 seconds.
const NANOSECONDS: u8 = 9;
/// The longest comment, in bytes; its length has 16 bits in the file.
const COMMENT_BYTES_MAX: usize = 1024;

/// A connection that is being written.
struct Flow {
    client: SocketAddr,
    server: SocketAddr,
    /// The sequence number of the next byte from client and server.
    next: [u32; 2],
    /// Who has ended.
    ended: [bool; 2],
}

/// The flags of a segment, and its options.
#[derive(Clone, Copy, Default)]
struct Flags {
    syn: bool,
    ack: bool,
    psh: bool,
    fin: bool,
    rst: bool,
}

/// Writes packets to `out` as they are told.
pub struct CaptureWriter<W: Write> {
    file: PcapNgWriter<W>,
    flows: HashMap<u64, Flow>,
    opened: u32,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a file that `application` writes; `comment` is about all of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(out: W, application: &str, comment: &str) -> io::Result<CaptureWriter<W>> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            section_length: UNTOLD,
            options: vec![
                SectionHeaderOption::UserApplication(application.into()),
                SectionHeaderOption::Common(CommonOption::Comment(cut(comment).into())),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut file = PcapNgWriter::with_section_header(out, section).map_err(written)?;
        let resolution =
            InterfaceTsResolution::new(false, NANOSECONDS).map_err(io::Error::other)?;
        let interface = InterfaceDescriptionBlock {
            linktype: LINK,
            snaplen: UNLIMITED,
            options: vec![
                InterfaceDescriptionOption::IfName(application.into()),
                InterfaceDescriptionOption::IfTsResol(resolution),
            ],
        };
        file.write_pcapng_block(interface).map_err(written)?;
        Ok(CaptureWriter {
            file,
            flows: HashMap::new(),
            opened: 0,
        })
    }

    /// The connection `id` comes about, `time` after 1970.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(
        &mut self,
        time: Duration,
        id: u64,
        client: SocketAddr,
        server: SocketAddr,
    ) -> io::Result<()> {
        self.opened = self.opened.wrapping_add(1);
        // Ports may come again: then the numbers are others.
        let first = self.opened.wrapping_mul(0x9E37_79B1);
        let flow = Flow {
            client,
            server,
            next: [first, !first],
            ended: [false; 2],
        };
        self.flows.insert(id, flow);
        let syn = Flags {
            syn: true,
            ..Flags::default()
        };
        let ack = Flags {
            ack: true,
            ..Flags::default()
        };
        let syn_ack = Flags { syn: true, ..ack };
        let (up, down) = (Direction::ClientToServer, Direction::ServerToClient);
        self.segment(time, id, up, syn, &[], None)?;
        self.segment(time, id, down, syn_ack, &[], None)?;
        self.segment(time, id, up, ack, &[], None)
    }

    /// Bytes pass on the connection `id`; `comment` stands at the first packet of them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn bytes(
        &mut self,
        time: Duration,
        id: u64,
        direction: Direction,
        bytes: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let mut comment = comment;
        let pieces = bytes.chunks(SEGMENT_BYTES);
        let last = pieces.len().saturating_sub(1);
        for (n, piece) in pieces.enumerate() {
            let flags = Flags {
                ack: true,
                psh: n == last,
                ..Flags::default()
            };
            self.segment(time, id, direction, flags, piece, comment.take())?;
        }
        Ok(())
    }

    /// One side of the connection `id` sends nothing more, or breaks it off with `reset`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(
        &mut self,
        time: Duration,
        id: u64,
        direction: Direction,
        reset: bool,
    ) -> io::Result<()> {
        let flags = Flags {
            ack: true,
            fin: !reset,
            rst: reset,
            ..Flags::default()
        };
        self.segment(time, id, direction, flags, &[], None)?;
        let Some(flow) = self.flows.get_mut(&id) else {
            return Ok(());
        };
        let [own, _] = sides(direction);
        if let Some(ended) = flow.ended.get_mut(own) {
            *ended = true;
        }
        if reset || flow.ended == [true; 2] {
            self.flows.remove(&id);
        }
        Ok(())
    }

    /// Gives the file back, all of it written.
    ///
    /// # Errors
    /// Its rest cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.file.get_mut().flush()?;
        Ok(self.file.into_inner())
    }

    /// Writes what was held back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.get_mut().flush()
    }

    /// A connection that was not opened is passed over.
    fn segment(
        &mut self,
        time: Duration,
        id: u64,
        direction: Direction,
        flags: Flags,
        payload: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let Some(flow) = self.flows.get_mut(&id) else {
            return Ok(());
        };
        let packet = flow.packet(direction, flags, payload)?;
        let original_len = u32::try_from(packet.len()).map_err(io::Error::other)?;
        let about = |text| EnhancedPacketOption::Common(CommonOption::Comment(cut(text).into()));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: time,
            original_len,
            data: packet.into(),
            options: comment.map(about).into_iter().collect(),
        };
        self.file.write_pcapng_block(block).map_err(written)?;
        Ok(())
    }
}

/// What kept a block from being written, as an error of the file.
fn written(error: PcapNgWriteError) -> io::Error {
    match error {
        PcapNgWriteError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// The places of who sends and who receives.
fn sides(direction: Direction) -> [usize; 2] {
    match direction {
        Direction::ClientToServer => [0, 1],
        Direction::ServerToClient => [1, 0],
    }
}

impl Flow {
    /// The next packet of one side.
    fn packet(
        &mut self,
        direction: Direction,
        flags: Flags,
        payload: &[u8],
    ) -> io::Result<Vec<u8>> {
        let [from, to] = match direction {
            Direction::ClientToServer => [self.client, self.server],
            Direction::ServerToClient => [self.server, self.client],
        };
        let builder = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), HOPS)
            }
            (from, to) => PacketBuilder::ipv6(v6(from), v6(to), HOPS),
        };
        let [own, other] = sides(direction).map(|side| self.next.get(side).copied());
        let (own, other) = (own.unwrap_or_default(), other.unwrap_or_default());
        let mut builder = builder.tcp(from.port(), to.port(), own, WINDOW);
        if flags.ack {
            builder = builder.ack(other);
        }
        if flags.psh {
            builder = builder.psh();
        }
        if flags.fin {
            builder = builder.fin();
        }
        if flags.rst {
            builder = builder.rst();
        }
        if flags.syn {
            let largest = u16::try_from(SEGMENT_BYTES).unwrap_or(u16::MAX);
            let options = [
                TcpOptionElement::MaximumSegmentSize(largest),
                TcpOptionElement::WindowScale(WINDOW_SCALE),
            ];
            builder = builder.syn().options(&options).map_err(io::Error::other)?;
        }
        let mut packet = Vec::with_capacity(builder.size(payload.len()));
        let written = builder.write(&mut packet, payload);
        written.map_err(io::Error::other)?;
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let used = length + u32::from(flags.syn) + u32::from(flags.fin);
        let [place, _] = sides(direction);
        if let Some(next) = self.next.get_mut(place) {
            *next = next.wrapping_add(used);
        }
        Ok(packet)
    }
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// As much of a comment as is kept.
fn cut(comment: &str) -> &str {
    let end = comment.floor_char_boundary(COMMENT_BYTES_MAX);
    comment.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureReader;
    use crate::capture::link::Decapsulator;
    use crate::flow::tcp::Stamp;
    use proptest::prelude::*;

    fn addresses(v6: bool) -> [SocketAddr; 2] {
        let pair = match v6 {
            true => ["[::1]:50000", "[::1]:445"],
            false => ["127.0.0.2:50000", "127.0.0.1:445"],
        };
        pair.map(|text| text.parse().unwrap())
    }

    fn directions(up: bool) -> Direction {
        match up {
            true => Direction::ClientToServer,
            false => Direction::ServerToClient,
        }
    }

    /// What each side sent, by the ports, as the reader finds it in the order of the file.
    fn read_back(file: &[u8]) -> Vec<(Duration, u16, Vec<u8>)> {
        let mut reader = CaptureReader::new(file).unwrap();
        let mut decapsulator = Decapsulator::new();
        let mut found: Vec<(Duration, u16, Vec<u8>)> = Vec::new();
        while let Some(packet) = reader.next_packet() {
            let packet = packet.unwrap();
            assert!(packet.data.len() <= 1500);
            let time = packet.time.unwrap();
            let stamp = Stamp {
                frame: packet.frame,
                time,
            };
            let length = packet.original_len;
            let segment = decapsulator
                .segment(packet.link, packet.data, length, stamp)
                .unwrap();
            let bytes = segment.payload.bytes.to_vec();
            found.push((time, segment.source.port(), bytes));
        }
        found
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_byte_by_byte_and_in_its_order(
            pieces in prop::collection::vec((any::<bool>(), 1_usize..5000, any::<u8>()), 0..12),
            v6: bool, nanoseconds in 0_u64..1 << 62,
        ) {
            let [client, server] = addresses(v6);
            let time = Duration::from_nanos(nanoseconds);
            let mut writer = CaptureWriter::new(Vec::new(), "test", "all of it").unwrap();
            writer.open(time, 7, client, server).unwrap();
            let mut sent: [Vec<u8>; 2] = Default::default();
            for (up, length, byte) in &pieces {
                let bytes = vec![*byte; *length];
                writer.bytes(time, 7, directions(*up), &bytes, Some("now")).unwrap();
                sent[usize::from(*up)].extend(bytes);
            }
            writer.end(time, 7, Direction::ClientToServer, false).unwrap();
            writer.end(time, 7, Direction::ServerToClient, false).unwrap();
            writer.bytes(time, 7, Direction::ServerToClient, b"behind the end", None).unwrap();
            let found = read_back(&writer.finish().unwrap());
            let side = |port| found.iter().filter(move |(_, from, _)| *from == port);
            let joined = |port| -> Vec<u8> { side(port).flat_map(|(.., b)| b.clone()).collect() };
            prop_assert_eq!(joined(445), sent[0].clone());
            prop_assert_eq!(joined(50000), sent[1].clone());
            prop_assert!(found.iter().all(|(seen, ..)| *seen == time));
        }
    }

    #[test]
    fn a_comment_is_cut_between_two_characters() {
        let long = "ä".repeat(COMMENT_BYTES_MAX);
        assert_eq!(cut(&long).len(), COMMENT_BYTES_MAX);
        assert_eq!(cut(&format!("a{long}")).len(), COMMENT_BYTES_MAX - 1);
        assert_eq!(cut("short"), "short");
    }
}
