//! A capture file, packet by packet: pcap in both byte orders and resolutions, and pcapng.
//!
//! The file is read once through one buffer that grows no larger than its largest block, so that
//! its size does not matter.

use super::resolution::Resolutions;
use pcap_file::pcap::{PcapParser, PcapTsResolution};
use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, PACKET_BLOCK, SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK,
};
use pcap_file::pcapng::{Block, PcapNgParser};
use pcap_file::{DataLink, Endianness};
use std::io::Read;
use std::time::Duration;

/// How much is read at once.
const READ_SIZE: usize = 1 << 18;

/// RFC 1952 2.3.1: ID1 and ID2.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The global header of a pcap file.
const PCAP_HEADER_LEN: usize = 24;

/// The header of a packet in a pcap file.
const PCAP_PACKET_HEADER_LEN: usize = 16;

/// A packet or block longer than this is taken for a broken length. Wireshark writes no packet
/// above 256 KiB for the links that are known here; comments and secrets may be longer.
pub const BLOCK_MAX: usize = 1 << 24;

/// A packet of a capture.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Its number, from 1.
    pub frame: u64,
    /// When it was seen, since 1970; `None` where the file does not say (simple packet blocks).
    pub time: Option<Duration>,
    /// The link type of the interface.
    pub link: DataLink,
    /// What was captured.
    pub data: &'a [u8],
    /// How long it was on the wire.
    pub original_len: u32,
}

/// Why a capture cannot be read further.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file begins like no capture.
    #[error("is neither a pcap nor a pcapng file")]
    Foreign,
    /// The file ends inside of a packet or block.
    #[error("ends inside of frame {frame}, which begins at byte {offset_bytes}")]
    Truncated {
        /// The frame that would come next.
        frame: u64,
        /// Where it or its block begins in the file.
        offset_bytes: u64,
    },
    /// A packet or block is broken.
    #[error("is broken at byte {offset_bytes}, before frame {frame}: {reason}")]
    Broken {
        /// The frame that would come next.
        frame: u64,
        /// Where the packet or block begins in the file.
        offset_bytes: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file could not be read.
    #[error("cannot be read at byte {offset_bytes}, before frame {frame}: {source}")]
    Read {
        /// The frame that would come next.
        frame: u64,
        /// How far the file was used up.
        offset_bytes: u64,
        /// The error of the system.
        source: std::io::Error,
    },
}

enum Format {
    Pcap(PcapParser),
    PcapNg(Box<PcapNgParser>, Resolutions),
}

/// The file as bytes: what was read and not used up yet.
struct Input<R> {
    source: R,
    /// What was read lies in `begin..end`.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Where `begin` lies in the file.
    offset_bytes: u64,
    frames: u64,
}

impl<R: Read> Input<R> {
    fn have(&self) -> &[u8] {
        self.buffer.get(self.begin..self.end).unwrap_or_default()
    }

    fn use_up(&mut self, count: usize) {
        self.begin += count;
        self.offset_bytes += u64::try_from(count).unwrap_or(0);
    }

    /// Reads until a unit is there as a whole, whose length `length_of` tells from what it has;
    /// `None` where the file ends before it begins.
    fn whole_unit(
        &mut self,
        length_of: impl Fn(&[u8]) -> Result<usize, String>,
    ) -> Result<Option<usize>, CaptureError> {
        loop {
            let have = self.have();
            let wanted = length_of(have).map_err(|reason| self.broken(reason))?;
            if have.len() >= wanted {
                return Ok(Some(wanted));
            }
            if wanted > BLOCK_MAX {
                return Err(self.broken(format!("it states a length of {wanted} bytes")));
            }
            let empty = have.is_empty();
            if self.fill(wanted)? == 0 {
                return match empty {
                    true => Ok(None),
                    false => Err(self.truncated()),
                };
            }
        }
    }

    fn broken(&self, reason: String) -> CaptureError {
        CaptureError::Broken {
            frame: self.frames + 1,
            offset_bytes: self.offset_bytes,
            reason,
        }
    }

    fn truncated(&self) -> CaptureError {
        CaptureError::Truncated {
            frame: self.frames + 1,
            offset_bytes: self.offset_bytes,
        }
    }

    /// Reads more behind what is there, with room for `wanted` bytes; 0 is the end of the file.
    fn fill(&mut self, wanted: usize) -> Result<usize, CaptureError> {
        self.buffer.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        let room = wanted.max(READ_SIZE);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        loop {
            let space = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.source.read(space) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A packed file that was cut.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(self.truncated());
                }
                Err(source) => {
                    return Err(CaptureError::Read {
                        frame: self.frames + 1,
                        offset_bytes: self.offset_bytes,
                        source,
                    });
                }
            }
        }
    }
}

/// A capture as it is stored: packed with gzip or not. Offsets in errors count unpacked bytes.
///
/// # Errors
/// The first bytes cannot be read.
pub fn unpacked<'a>(mut source: impl Read + 'a) -> std::io::Result<Box<dyn Read + 'a>> {
    let mut magic = Vec::new();
    source.by_ref().take(2).read_to_end(&mut magic)?;
    let is_gzip = magic == GZIP_MAGIC;
    let whole = std::io::Cursor::new(magic).chain(source);
    Ok(match is_gzip {
        true => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        false => Box::new(whole),
    })
}

/// Reads a capture file from front to back.
pub struct CaptureReader<R> {
    input: Input<R>,
    format: Format,
    failed: bool,
}

/// A packet's place: in the unit that was parsed, then in the buffer.
struct Found {
    time: Option<Duration>,
    link: DataLink,
    data: std::ops::Range<usize>,
    original_len: u32,
}

impl<R: Read> CaptureReader<R> {
    /// Reads the beginning of `source`.
    ///
    /// # Errors
    /// [`CaptureError::Foreign`] if it is no capture, or why it could not be read.
    pub fn new(source: R) -> Result<Self, CaptureError> {
        let mut input = Input {
            source,
            buffer: Vec::new(),
            begin: 0,
            end: 0,
            offset_bytes: 0,
            frames: 0,
        };
        while input.have().len() < PCAP_HEADER_LEN && input.fill(PCAP_HEADER_LEN)? > 0 {}
        let format = if input
            .have()
            .starts_with(&SECTION_HEADER_BLOCK.to_be_bytes())
        {
            let length = input.whole_unit(|have| pcapng_length(Endianness::Big, have))?;
            let unit = input.have().get(..length.unwrap_or(0)).unwrap_or_default();
            let (_, parser) = PcapNgParser::new(unit).map_err(|e| input.broken(chain(&e)))?;
            input.use_up(length.unwrap_or(0));
            Format::PcapNg(Box::new(parser), Resolutions::default())
        } else {
            let (_, parser) = PcapParser::new(input.have()).map_err(|_| CaptureError::Foreign)?;
            input.use_up(PCAP_HEADER_LEN);
            Format::Pcap(parser)
        };
        Ok(CaptureReader {
            input,
            format,
            failed: false,
        })
    }

    /// How many packets were read so far.
    pub fn frames(&self) -> u64 {
        self.input.frames
    }

    /// How many bytes of the file were used up so far.
    pub fn bytes(&self) -> u64 {
        self.input.offset_bytes
    }

    /// The next packet; `None` at the end of the file, and after an error.
    pub fn next_packet(&mut self) -> Option<Result<Packet<'_>, CaptureError>> {
        if self.failed {
            return None;
        }
        match self.find_packet() {
            Ok(None) => None,
            Ok(Some(found)) => {
                self.input.frames += 1;
                Some(Ok(Packet {
                    frame: self.input.frames,
                    time: found.time,
                    link: found.link,
                    data: self.input.buffer.get(found.data).unwrap_or_default(),
                    original_len: found.original_len,
                }))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }

    fn find_packet(&mut self) -> Result<Option<Found>, CaptureError> {
        let CaptureReader { input, format, .. } = self;
        loop {
            let length = input.whole_unit(|have| match &*format {
                Format::Pcap(parser) => Ok(pcap_length(parser, have)),
                Format::PcapNg(parser, _) => pcapng_length(parser.section().endianness, have),
            })?;
            let Some(length) = length else {
                return Ok(None);
            };
            let begin = input.begin;
            let unit = input.have().get(..length).unwrap_or_default();
            let found = match format {
                Format::Pcap(parser) => pcap_packet(parser, unit).map(Some),
                Format::PcapNg(parser, clocks) => pcapng_packet(parser, clocks, unit),
            }
            .map_err(|reason| input.broken(reason))?;
            input.use_up(length);
            if let Some(mut found) = found {
                found.data = found.data.start + begin..found.data.end + begin;
                return Ok(Some(found));
            }
        }
    }
}

fn u32_at(bytes: &[u8], at: usize, endianness: Endianness) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(match endianness {
        Endianness::Big => u32::from_be_bytes(bytes),
        Endianness::Little => u32::from_le_bytes(bytes),
    })
}

fn usize_from(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// The length of the packet that `have` begins with, as far as it can be told.
fn pcap_length(parser: &PcapParser, have: &[u8]) -> usize {
    let captured = u32_at(have, 8, parser.header().endianness);
    captured.map_or(PCAP_PACKET_HEADER_LEN, |captured| {
        PCAP_PACKET_HEADER_LEN.saturating_add(usize_from(captured))
    })
}

/// The length of the block that `have` begins with, as far as it can be told.
fn pcapng_length(endianness: Endianness, have: &[u8]) -> Result<usize, String> {
    let Some(kind) = u32_at(have, 0, endianness) else {
        return Ok(12);
    };
    // A section header brings its own byte order, told by the magic number behind its length.
    let endianness = match kind {
        SECTION_HEADER_BLOCK => match u32_at(have, 8, Endianness::Big) {
            None => return Ok(12),
            Some(0x1a2b_3c4d) => Endianness::Big,
            Some(0x4d3c_2b1a) => Endianness::Little,
            Some(other) => return Err(format!("byte order magic {other:#010x}")),
        },
        _ => endianness,
    };
    match u32_at(have, 4, endianness) {
        None => Ok(12),
        Some(length) if length < 12 => Err(format!("a block of {length} bytes")),
        Some(length) => Ok(usize_from(length)),
    }
}

fn pcap_packet(parser: &PcapParser, unit: &[u8]) -> Result<Found, String> {
    let (_, raw) = parser.next_raw_packet(unit).map_err(|e| chain(&e))?;
    let header = parser.header();
    let nanoseconds = match header.ts_resolution {
        PcapTsResolution::MicroSecond => u64::from(raw.ts_frac) * 1000,
        PcapTsResolution::NanoSecond => u64::from(raw.ts_frac),
    };
    let time = Duration::from_secs(u64::from(raw.ts_sec)) + Duration::from_nanos(nanoseconds);
    Ok(Found {
        time: Some(time),
        // The upper half of the field tells the length of a frame check sequence.
        link: DataLink::from(u32::from(header.datalink) & 0xffff),
        data: PCAP_PACKET_HEADER_LEN..unit.len(),
        original_len: raw.orig_len,
    })
}

/// The packet in a block; `None` for every other kind of block, secrets and comments among them.
fn pcapng_packet(
    parser: &mut PcapNgParser,
    clocks: &mut Resolutions,
    unit: &[u8],
) -> Result<Option<Found>, String> {
    let shown = clocks.block(unit, parser.section().endianness);
    let (_, raw) = parser.next_raw_block(&shown).map_err(|e| chain(&e))?;
    if !matches!(
        raw.type_,
        ENHANCED_PACKET_BLOCK | PACKET_BLOCK | SIMPLE_PACKET_BLOCK
    ) {
        return Ok(None);
    }
    let block = raw
        .try_into_block(parser.state())
        .map_err(|error| chain(&error))?;
    let (interface, time, original_len, data) = match &block {
        Block::EnhancedPacket(b) => (b.interface_id, Some(b.timestamp), b.original_len, &b.data),
        Block::Packet(b) => {
            let interface = u32::from(b.interface_id);
            (interface, Some(b.timestamp), b.original_len, &b.data)
        }
        Block::SimplePacket(b) => (0, None, b.original_len, &b.data),
        _ => return Ok(None),
    };
    let number = usize_from(interface);
    let interface = parser
        .interfaces()
        .get(number)
        .ok_or_else(|| format!("interface {interface} was not described"))?;
    let start = data.as_ptr().addr().saturating_sub(shown.as_ptr().addr());
    Ok(Some(Found {
        time: time.map(|time| clocks.correct(number, time, interface.ts_offset())),
        link: interface.linktype,
        data: start..start + data.len(),
        original_len,
    }))
}

/// An error with what caused it, in one clause.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A pcap file with two packets, in the given byte order and resolution.
    fn pcap(big: bool, magic: u32, fraction: u32) -> Vec<u8> {
        let u32 = |value: u32| match big {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let version = match big {
            true => [0, 2, 0, 4],
            false => [2, 0, 4, 0],
        };
        let mut file = [u32(magic), version, u32(0), u32(0), u32(65535), u32(1)].concat();
        for data in [&b"first"[..], b"the second"] {
            let length = u32::try_from(data.len()).unwrap();
            for field in [1_700_000_000, fraction, length, length + 1] {
                file.extend(u32(field));
            }
            file.extend(data);
        }
        file
    }

    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len() + 12).unwrap().to_be_bytes();
        [&kind.to_be_bytes()[..], &length, &body, &length].concat()
    }

    /// A big-endian section with one interface of nanosecond resolution and one packet.
    fn section() -> Vec<u8> {
        let mut file = block(
            0x0a0d_0d0a,
            &[
                0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        );
        // Link type 1, snap length 0, option if_tsresol = 9, end of options.
        file.extend(block(
            1,
            &[0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0],
        ));
        // Decryption secrets, a name that is no name, and a block that nobody knows.
        file.extend(block(10, b"TLSKsecrets."));
        file.extend(block(4, &[0xff; 8]));
        file.extend(block(0x4000_0099, b"comment"));
        let time = 1_700_000_000_000_000_123_u64.to_be_bytes();
        let mut packet = vec![0, 0, 0, 0];
        packet.extend(time);
        packet.extend([0, 0, 0, 5, 0, 0, 0, 9]);
        packet.extend(b"bytes");
        file.extend(block(6, &packet));
        file
    }

    /// Everything of a file: time, bytes and length of each packet; and how it ended.
    type Whole = (Vec<(Option<Duration>, Vec<u8>, u32)>, Option<String>);

    fn read(file: &[u8]) -> Whole {
        let mut reader = match CaptureReader::new(file) {
            Ok(reader) => reader,
            Err(error) => return (Vec::new(), Some(error.to_string())),
        };
        let mut packets = Vec::new();
        while let Some(packet) = reader.next_packet() {
            match packet {
                Ok(packet) => {
                    assert_eq!(packet.frame, packets.len() as u64 + 1);
                    assert_eq!(packet.link, DataLink::ETHERNET);
                    packets.push((packet.time, packet.data.to_vec(), packet.original_len));
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(reader.next_packet().is_none());
                    return (packets, Some(error));
                }
            }
        }
        (packets, None)
    }

    #[test]
    fn pcap_is_read_in_both_byte_orders_and_both_resolutions() {
        for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_000)] {
            for big in [true, false] {
                let (packets, error) = read(&pcap(big, magic, fraction));
                let time = Some(Duration::from_millis(1_700_000_000_250));
                assert_eq!(error, None);
                assert_eq!(
                    packets,
                    [
                        (time, b"first".to_vec(), 6),
                        (time, b"the second".to_vec(), 11),
                    ]
                );
            }
        }
    }

    #[test]
    fn pcapng_with_several_sections_and_foreign_blocks_is_read() {
        let (packets, error) = read(&[section(), section()].concat());
        assert_eq!(error, None);
        let time = Some(Duration::new(1_700_000_000, 123));
        let packet = (time, b"bytes".to_vec(), 9);
        assert_eq!(packets, [packet.clone(), packet]);
    }

    #[test]
    fn a_clock_of_picoseconds_is_read() {
        let mut file = section();
        let options = file
            .windows(6)
            .position(|w| w == [0, 9, 0, 1, 9, 0])
            .unwrap();
        file[options + 4] = 12;
        let (packets, error) = read(&[file, section()].concat());
        assert_eq!(error, None);
        assert_eq!(
            packets[0].0,
            Some(Duration::from_nanos(1_700_000_000_000_000))
        );
        assert_eq!(packets[1].0, Some(Duration::new(1_700_000_000, 123)));
    }

    #[test]
    fn a_packed_capture_that_is_cut_ends_inside_of_a_frame() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        packer.write_all(&pcap(false, 0xa1b2_c3d4, 0)).unwrap();
        let packed = packer.finish().unwrap();
        let mut reader =
            CaptureReader::new(unpacked(&packed[..packed.len() - 12]).unwrap()).unwrap();
        assert!(reader.next_packet().unwrap().is_ok());
        let error = reader.next_packet().unwrap().unwrap_err();
        assert!(
            matches!(error, CaptureError::Truncated { frame: 2, .. }),
            "{error}"
        );
    }

    #[test]
    fn wherever_a_file_is_cut_the_whole_packets_come_first() {
        for file in [pcap(false, 0xa1b2_c3d4, 0), [section(), section()].concat()] {
            let (all, _) = read(&file);
            for length in 0..file.len() {
                let (packets, error) = read(&file[..length]);
                assert!(all.starts_with(&packets));
                let error = error.unwrap_or_default();
                assert!(
                    packets.len() < all.len() || error.is_empty(),
                    "{length}: {error}"
                );
            }
        }
    }

    #[test]
    fn a_length_of_four_gib_is_an_error_and_nothing_grows() {
        let mut file = section();
        let at = file.len();
        file.extend([0, 0, 0, 6, 0xff, 0xff, 0xff, 0xfc, 0, 0]);
        let (packets, error) = read(&file);
        assert_eq!(packets.len(), 1);
        let error = error.unwrap();
        assert!(
            error.contains(&format!("byte {at}")) && error.contains("frame 2"),
            "{error}"
        );
    }

    #[test]
    fn a_packed_capture_is_unpacked() {
        let file = pcap(true, 0xa1b2_c3d4, 0);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&file).unwrap();
        let packed = packer.finish().unwrap();
        for stored in [&packed, &file] {
            let mut bytes = Vec::new();
            let mut source = unpacked(stored.as_slice()).unwrap();
            source.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, file);
        }
        let mut short = Vec::new();
        unpacked(&b"x"[..])
            .unwrap()
            .read_to_end(&mut short)
            .unwrap();
        assert_eq!(short, b"x");
    }
}
