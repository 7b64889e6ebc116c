//! MS-SMB2 3.3.5.5.2: sessions that are bound to a further connection, to another address of the
//! same server too.

use super::super::exchange::Link;
use super::super::framing::Element;
use super::super::shared::{SessionKey, Shared};
use super::Tracker;
use fsrvp_wire::smb2::session_setup::SessionSetupFlags;
use fsrvp_wire::smb2::{HEADER_LEN, Header};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// MS-SMB2 2.2.5: where the `Flags` of a SESSION_SETUP Request lie.
const FLAGS_AT: usize = HEADER_LEN + 2;

/// How many sessions of other addresses may be bound to one connection.
const BOUND_MAX: usize = 64;

/// The addresses under which the sessions of one connection are known.
pub(super) struct Homes {
    own: IpAddr,
    /// Sessions that began at another address of the server.
    bound: BTreeMap<u64, IpAddr>,
}

impl Homes {
    pub(super) fn at(own: IpAddr) -> Homes {
        Homes {
            own,
            bound: BTreeMap::new(),
        }
    }

    /// How all connections know this session.
    pub(super) fn key(&self, session_id: u64) -> SessionKey {
        let home = self.bound.get(&session_id).copied();
        (home.unwrap_or(self.own), session_id)
    }

    /// A SESSION_SETUP Request asks to bind a session: where it is one of another address of the
    /// server, it is known under that one from now on.
    fn bind(&mut self, session_id: u64, shared: &Shared) {
        if let Some(home) = shared.home_of(self.own, session_id)
            && self.bound.len() < BOUND_MAX
        {
            self.bound.insert(session_id, home);
        }
    }
}

impl Tracker {
    /// Takes a SESSION_SETUP Request.
    pub(super) fn bind(&mut self, header: &Header, element: &Element<'_>, shared: &Shared) {
        let flags = element.bytes.get(FLAGS_AT).copied().unwrap_or_default();
        if flags & SessionSetupFlags::BINDING.0 != 0 && !self.sessions.contains(&header.session_id)
        {
            self.homes.bind(header.session_id, shared);
        }
    }

    /// A logon ended: where it bound a session, both addresses are one server, and where it did
    /// not come to that, a session of this id is one of this address.
    pub(super) fn end_bind(&mut self, session_id: u64, succeeded: bool) {
        let Some(home) = self.homes.bound.get(&session_id).copied() else {
            return;
        };
        if succeeded {
            let home = SocketAddr::new(home, self.link.server.port());
            self.link = Arc::new(Link {
                home,
                ..(*self.link).clone()
            });
        } else if !self.sessions.contains(&session_id) {
            self.homes.bound.remove(&session_id);
        }
    }
}
