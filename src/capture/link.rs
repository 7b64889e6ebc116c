//! From a packet of a capture to the TCP segment in it: link headers, IP, TCP.
//!
//! Link headers are stripped here, as they are a few fixed bytes each; IP headers with their
//! extensions are read by `etherparse`.

use super::fragments::{Fragment, Fragments, PacketKey};
use crate::flow::Segment;
use crate::flow::tcp::{Payload, Stamp};
use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpSlice};
use pcap_file::DataLink;
use std::net::{IpAddr, SocketAddr};

const ETHER_IPV4: u16 = 0x0800;
const ETHER_IPV6: u16 = 0x86dd;

/// IEEE 802.1Q and 802.1ad, and the older 0x9100: a tag of four bytes, then the next type.
const ETHER_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// How many VLAN tags are passed over before a packet is left alone.
const VLAN_TAGS_MAX: usize = 8;

/// Why a packet gave no TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Passed {
    /// It is something else than TCP over IP.
    NotTcp,
    /// It is a fragment of an IP packet that is not whole yet.
    Fragment,
    /// The link type of its interface is not known here.
    UnknownLink,
    /// A header is cut off or broken.
    BrokenHeader,
}

/// Whether packets of this link type can be read.
#[must_use]
pub fn is_known(link: DataLink) -> bool {
    matches!(
        link,
        DataLink::ETHERNET
            | DataLink::NULL
            | DataLink::LOOP
            | DataLink::RAW
            | DataLink::IPV4
            | DataLink::IPV6
            | DataLink::LINUX_SLL
            | DataLink::LINUX_SLL2
    ) || is_raw_alias(link)
}

/// Finds the TCP segments in packets; joins those that came in IP fragments.
#[derive(Default)]
pub struct Decapsulator {
    fragments: Fragments,
}

impl Decapsulator {
    /// One that has seen no packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The TCP segment in a packet of link type `link`, or in the IP packet that it completes;
    /// `original_len` is the packet's length on the wire, of which `data` is what was captured.
    ///
    /// # Errors
    /// Why there is none.
    pub fn segment<'a>(
        &'a mut self,
        link: DataLink,
        data: &'a [u8],
        original_len: u32,
        stamp: Stamp,
    ) -> Result<Segment<'a>, Passed> {
        let ip = strip_link(link, data)?;
        let header = data.len() - ip.len();
        let on_wire = usize::try_from(original_len).map_or(ip.len(), |n| n.saturating_sub(header));
        let fragment = match tcp_in_ip(ip, on_wire.max(ip.len()), stamp)? {
            Found::Segment(segment) => return Ok(segment),
            Found::Fragment(fragment) => fragment,
        };
        let whole = self.fragments.push(&fragment).ok_or(Passed::Fragment)?;
        if fragment.key.protocol != IpNumber::TCP.0 {
            return Err(Passed::NotTcp);
        }
        let ends = (fragment.key.source, fragment.key.destination);
        tcp_segment(ends, whole, whole.len(), stamp)
    }

    /// How many IP packets lack fragments for good.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        self.fragments.incomplete()
    }
}

/// What an IP packet holds.
enum Found<'a> {
    Segment(Segment<'a>),
    Fragment(Fragment<'a>),
}

/// OpenBSD and others write raw IP as 12 or 14 although the registry says 101.
fn is_raw_alias(link: DataLink) -> bool {
    matches!(u32::from(link), 12 | 14)
}

fn strip_link(link: DataLink, data: &[u8]) -> Result<&[u8], Passed> {
    match link {
        DataLink::ETHERNET => by_ether_type(be16(data, 12)?, data.get(14..)),
        DataLink::LINUX_SLL => by_ether_type(be16(data, 14)?, data.get(16..)),
        DataLink::LINUX_SLL2 => by_ether_type(be16(data, 0)?, data.get(20..)),
        // The family is in the byte order of the machine that captured, and its number for IPv6
        // differs from system to system; the version of the IP header says it as well.
        DataLink::NULL | DataLink::LOOP => data.get(4..).ok_or(Passed::BrokenHeader),
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Ok(data),
        other if is_raw_alias(other) => Ok(data),
        _ => Err(Passed::UnknownLink),
    }
}

fn by_ether_type(mut ether_type: u16, payload: Option<&[u8]>) -> Result<&[u8], Passed> {
    let mut payload = payload.ok_or(Passed::BrokenHeader)?;
    for _ in 0..=VLAN_TAGS_MAX {
        match ether_type {
            ETHER_IPV4 | ETHER_IPV6 => return Ok(payload),
            tag if ETHER_VLAN.contains(&tag) => {
                ether_type = be16(payload, 2)?;
                payload = payload.get(4..).ok_or(Passed::BrokenHeader)?;
            }
            _ => return Err(Passed::NotTcp),
        }
    }
    Err(Passed::NotTcp)
}

fn tcp_in_ip(ip: &[u8], on_wire: usize, stamp: Stamp) -> Result<Found<'_>, Passed> {
    if !matches!(ip.first().map(|byte| byte >> 4), Some(4 | 6)) {
        return Err(Passed::NotTcp);
    }
    let (headers, stop) = LaxIpSlice::from_slice(ip).map_err(|_| Passed::BrokenHeader)?;
    let payload = headers.payload();
    if payload.fragmented {
        return match payload.incomplete {
            false => fragment(&headers).map(Found::Fragment),
            true => Err(Passed::BrokenHeader),
        };
    }
    if stop.is_some() {
        return Err(Passed::BrokenHeader);
    }
    if payload.ip_number != IpNumber::TCP {
        return Err(Passed::NotTcp);
    }
    // Zero is what a sender that leaves the segmentation to its network card writes; then the
    // packet reaches as far as the capture says.
    let stated = match &headers {
        LaxIpSlice::Ipv4(v4) => usize::from(v4.header().total_len()),
        LaxIpSlice::Ipv6(v6) => match usize::from(v6.header().payload_length()) {
            0 => 0,
            length => length + 40,
        },
    };
    let headers_len = ip.len().min(start_of(ip, payload.payload));
    let ip_len = if stated <= headers_len {
        on_wire
    } else {
        stated
    };
    let ends = (headers.source_addr(), headers.destination_addr());
    let tcp_len = ip_len.saturating_sub(headers_len);
    let tcp = payload.payload;
    let tcp = tcp.get(..tcp_len).unwrap_or(tcp);
    tcp_segment(ends, tcp, tcp_len, stamp).map(Found::Segment)
}

/// The fragment of an IP packet whose headers say that it is one.
fn fragment<'a>(headers: &LaxIpSlice<'a>) -> Result<Fragment<'a>, Passed> {
    let payload = headers.payload();
    let (identification, offset, more) = match headers {
        LaxIpSlice::Ipv4(v4) => {
            let header = v4.header();
            let identification = u32::from(header.identification());
            (
                identification,
                header.fragments_offset(),
                header.more_fragments(),
            )
        }
        LaxIpSlice::Ipv6(v6) => v6
            .extensions()
            .clone()
            .into_iter()
            .find_map(|extension| match extension {
                Ipv6ExtensionSlice::Fragment(header) => Some((
                    header.identification(),
                    header.fragment_offset(),
                    header.more_fragments(),
                )),
                _ => None,
            })
            .ok_or(Passed::BrokenHeader)?,
    };
    Ok(Fragment {
        key: PacketKey {
            source: headers.source_addr(),
            destination: headers.destination_addr(),
            protocol: payload.ip_number.0,
            identification,
        },
        offset: usize::from(offset.value()) * 8,
        last: !more,
        bytes: payload.payload,
    })
}

/// Where `inner`, a part of `outer`, begins.
fn start_of(outer: &[u8], inner: &[u8]) -> usize {
    (inner.as_ptr().addr()).saturating_sub(outer.as_ptr().addr())
}

fn tcp_segment(
    (source, destination): (IpAddr, IpAddr),
    tcp: &[u8],
    tcp_len: usize,
    stamp: Stamp,
) -> Result<Segment<'_>, Passed> {
    let header_len = usize::from(tcp.get(12).ok_or(Passed::BrokenHeader)? >> 4) * 4;
    if header_len < 20 || tcp_len < header_len {
        return Err(Passed::BrokenHeader);
    }
    let flags = *tcp.get(13).ok_or(Passed::BrokenHeader)?;
    let bytes = tcp.get(header_len..).unwrap_or_default();
    let cut = (tcp_len - header_len).saturating_sub(bytes.len());
    Ok(Segment {
        source: SocketAddr::new(source, be16(tcp, 0)?),
        destination: SocketAddr::new(destination, be16(tcp, 2)?),
        fin: flags & 0x01 != 0,
        syn: flags & 0x02 != 0,
        rst: flags & 0x04 != 0,
        ack: (flags & 0x10 != 0).then_some(be32(tcp, 8)?),
        payload: Payload {
            seq: be32(tcp, 4)?,
            bytes,
            cut: u64::try_from(cut).unwrap_or(u64::MAX),
            stamp,
        },
    })
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, Passed> {
    match bytes.get(at..at + 2) {
        Some(&[a, b]) => Ok(u16::from_be_bytes([a, b])),
        _ => Err(Passed::BrokenHeader),
    }
}

fn be32(bytes: &[u8], at: usize) -> Result<u32, Passed> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(Passed::BrokenHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// What a lone packet gives.
    fn segment(
        link: DataLink,
        data: &[u8],
        original_len: u32,
        stamp: Stamp,
    ) -> Result<Segment<'_>, Passed> {
        let decapsulator = Box::leak(Box::new(Decapsulator::new()));
        decapsulator.segment(link, data, original_len, stamp)
    }

    const STAMP: Stamp = Stamp {
        frame: 1,
        time: Duration::ZERO,
    };

    /// An IPv4 packet with a TCP segment that carries `payload`.
    fn ipv4(payload: &[u8]) -> Vec<u8> {
        let total = u16::try_from(40 + payload.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend(total.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(tcp(payload));
        packet
    }

    fn tcp(payload: &[u8]) -> Vec<u8> {
        let mut segment = vec![0xc0, 0, 0x01, 0xbd, 0, 0, 0, 9, 0, 0, 0, 7];
        segment.extend([0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(payload);
        segment
    }

    fn wrapped(prefix: &[u8], ip: &[u8]) -> Vec<u8> {
        [prefix, ip].concat()
    }

    fn len(data: &[u8]) -> u32 {
        u32::try_from(data.len()).unwrap()
    }

    #[test]
    fn every_known_link_type_leads_to_the_same_segment() {
        let ip = ipv4(b"hello");
        let mut ether = vec![0u8; 12];
        ether.extend([0x08, 0x00]);
        let mut vlan = vec![0u8; 12];
        vlan.extend([0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x08, 0]);
        let mut sll = vec![0u8; 14];
        sll.extend([0x08, 0x00]);
        let mut sll2 = vec![0x08, 0x00];
        sll2.extend([0u8; 18]);
        for (link, prefix) in [
            (DataLink::ETHERNET, ether),
            (DataLink::ETHERNET, vlan),
            (DataLink::LINUX_SLL, sll),
            (DataLink::LINUX_SLL2, sll2),
            (DataLink::NULL, vec![2, 0, 0, 0]),
            (DataLink::LOOP, vec![0, 0, 0, 2]),
            (DataLink::RAW, vec![]),
            (DataLink::IPV4, vec![]),
        ] {
            assert!(is_known(link));
            let data = wrapped(&prefix, &ip);
            let got = segment(link, &data, len(&data), STAMP).unwrap();
            assert_eq!(got.payload.bytes, b"hello", "{link:?}");
            assert_eq!(got.payload.cut, 0);
            assert_eq!(got.payload.seq, 9);
            assert_eq!(got.ack, Some(7));
            assert_eq!(got.source.to_string(), "10.0.0.1:49152");
            assert_eq!(got.destination.to_string(), "10.0.0.2:445");
        }
    }

    #[test]
    fn ipv6_extension_headers_are_passed_over() {
        let segment_bytes = tcp(b"six");
        let length = u16::try_from(8 + segment_bytes.len()).unwrap();
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 64]);
        packet.extend([0u8; 32]);
        packet.extend([6, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend(segment_bytes);
        let got = segment(DataLink::RAW, &packet, len(&packet), STAMP).unwrap();
        assert_eq!(got.payload.bytes, b"six");
    }

    #[test]
    fn ethernet_padding_is_no_payload_and_a_cut_packet_says_how_much_is_missing() {
        let mut frame = vec![0u8; 12];
        frame.extend([0x08, 0x00]);
        frame.extend(ipv4(b""));
        frame.extend([0xaa; 6]);
        let got = segment(DataLink::ETHERNET, &frame, len(&frame), STAMP).unwrap();
        assert_eq!((got.payload.bytes, got.payload.cut), (&b""[..], 0));

        let whole = ipv4(b"0123456789");
        let got = segment(DataLink::RAW, &whole[..44], len(&whole), STAMP).unwrap();
        assert_eq!((got.payload.bytes, got.payload.cut), (&b"0123"[..], 6));
        let got = segment(DataLink::RAW, &whole[..38], len(&whole), STAMP).unwrap();
        assert_eq!((got.payload.bytes, got.payload.cut), (&b""[..], 10));
        let got = segment(DataLink::RAW, &whole[..30], len(&whole), STAMP);
        assert!(got.is_err());
    }

    #[test]
    fn a_total_length_of_zero_reaches_as_far_as_the_packet() {
        let mut packet = ipv4(b"offloaded");
        packet[2] = 0;
        packet[3] = 0;
        let got = segment(DataLink::RAW, &packet, len(&packet), STAMP).unwrap();
        assert_eq!(got.payload.bytes, b"offloaded");
    }

    #[test]
    fn fragments_are_joined_and_foreign_packets_are_named() {
        let whole = ipv4(b"a payload in two fragments");
        let mut decapsulator = Decapsulator::new();
        let cut = 20 + 24;
        for (from, to, flags, seen) in [
            (cut, whole.len(), [0u8, 3], false),
            (20, cut, [0x20, 0], true),
        ] {
            let mut packet = whole[..20].to_vec();
            packet.extend(&whole[from..to]);
            let total = u16::try_from(packet.len()).unwrap();
            packet[2..4].copy_from_slice(&total.to_be_bytes());
            packet[6..8].copy_from_slice(&flags);
            let got = decapsulator.segment(DataLink::RAW, &packet, len(&packet), STAMP);
            match seen {
                true => assert_eq!(got.unwrap().payload.bytes, b"a payload in two fragments"),
                false => assert_eq!(got.err(), Some(Passed::Fragment)),
            }
        }
        assert_eq!(decapsulator.incomplete(), 0);

        let mut packet = ipv4(b"udp");
        packet[9] = 17;
        let got = segment(DataLink::RAW, &packet, len(&packet), STAMP);
        assert_eq!(got.err(), Some(Passed::NotTcp));
    }

    #[test]
    fn ipv6_fragments_are_joined() {
        let segment_bytes = tcp(b"0123456789");
        let mut decapsulator = Decapsulator::new();
        let mut last = None;
        for (from, to, field) in [(0, 24, 1u16), (24, 30, 24)] {
            let part = &segment_bytes[from..to];
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(u16::try_from(8 + part.len()).unwrap().to_be_bytes());
            packet.extend([44, 64]);
            packet.extend([0u8; 32]);
            packet.extend([6, 0]);
            packet.extend(field.to_be_bytes());
            packet.extend([0, 0, 0, 9]);
            packet.extend(part);
            let got = decapsulator.segment(DataLink::RAW, &packet, len(&packet), STAMP);
            last = got.ok().map(|segment| segment.payload.bytes.to_vec());
        }
        assert_eq!(last.as_deref(), Some(&b"0123456789"[..]));
    }
}
