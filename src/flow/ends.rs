//! The two ends of a TCP connection, as a key.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// The two ends, the smaller one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ends(pub(super) SocketAddr, pub(super) SocketAddr);

impl Ends {
    pub(super) fn of(a: SocketAddr, b: SocketAddr) -> Ends {
        match a <= b {
            true => Ends(a, b),
            false => Ends(b, a),
        }
    }
}

/// Every packet asks for its connection, so that the derived hash, which takes an address in a
/// dozen small pieces, was a third of all the work on a large capture. The hasher stays the
/// keyed one: who made the capture must not be able to choose keys that collide.
impl Hash for Ends {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ports = (u32::from(self.0.port()) << 16) | u32::from(self.1.port());
        match (self.0.ip(), self.1.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let addresses = (u64::from(a.to_bits()) << 32) | u64::from(b.to_bits());
                state.write_u128((u128::from(ports) << 64) | u128::from(addresses));
            }
            (a, b) => {
                for ip in [a, b] {
                    match ip {
                        IpAddr::V4(ip) => state.write_u32(ip.to_bits()),
                        IpAddr::V6(ip) => state.write_u128(ip.to_bits()),
                    }
                }
                state.write_u32(ports);
            }
        }
    }
}
