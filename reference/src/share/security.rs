//! MS-DTYP 2.4.6: the security descriptor of a share, and what its DACL lets a user do.
//!
//! A share begins with a descriptor made of its configured access. One that a client sets is kept
//! byte by byte and decides from then on. A user's own SID is made of the name alone, so that it
//! is the same on every server.

mod file;

pub use file::{FileDescriptor, Subject};

use super::{Access, Rights};
use fsrvp_wire::emit::Writer;

/// MS-DTYP 2.4.2.4: S-1-1-0, everyone.
const EVERYONE: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
/// S-1-5-11, all who have logged on.
const AUTHENTICATED_USERS: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0];
/// S-1-5-32-545, the local users.
const USERS: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 33, 2, 0, 0];
/// S-1-5-32-544, the local administrators.
const ADMINISTRATORS: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];

const SELF_RELATIVE: u16 = 0x8000;
const DACL_PRESENT: u16 = 0x0004;
const HEADER_LEN: usize = 20;
const ACL_REVISION: u8 = 2;
const ALLOWED: u8 = 0;
const DENIED: u8 = 1;
/// An entry for what is made below; it says nothing of the share itself.
const INHERIT_ONLY: u8 = 0x08;

/// FILE_ALL_ACCESS.
const FULL: u32 = 0x001F_01FF;
/// FILE_GENERIC_READ and FILE_GENERIC_EXECUTE.
const READ: u32 = 0x0012_00A9;
const READ_DATA: u32 = 0x0000_0001;
const WRITE_DATA: u32 = 0x0000_0002;
const GENERIC_ALL: u32 = 0x1000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_READ: u32 = 0x8000_0000;

/// The bytes are no self-relative security descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no self-relative security descriptor")]
pub struct NotADescriptor;

/// One entry of a DACL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    allows: bool,
    mask: u32,
    sid: Vec<u8>,
}

/// A security descriptor as it was set, and its DACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    bytes: Vec<u8>,
    /// `None`: no DACL, so that everybody may do everything.
    entries: Option<Vec<Entry>>,
}

impl Descriptor {
    /// Reads a self-relative descriptor.
    ///
    /// # Errors
    /// A revision that is not 1, a part outside of the bytes, a length that cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Descriptor, NotADescriptor> {
        let control = u16_at(bytes, 2)?;
        if bytes.first() != Some(&1) || control & SELF_RELATIVE == 0 || bytes.len() < HEADER_LEN {
            return Err(NotADescriptor);
        }
        for at in [4, 8] {
            match usize_at(bytes, at)? {
                0 => {}
                place => drop(sid_at(bytes, place)?),
            }
        }
        let place = usize_at(bytes, 16)?;
        let has_dacl = control & DACL_PRESENT != 0 && place != 0;
        let entries = has_dacl.then(|| entries(bytes, place)).transpose()?;
        Ok(Descriptor {
            bytes: bytes.to_vec(),
            entries,
        })
    }

    /// The descriptor as it was set.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// MS-DTYP 2.5.3.2: what a user may do on the share; entries count in their order.
    pub(super) fn rights(&self, user: &str, is_administrator: bool) -> Rights {
        let Some(entries) = &self.entries else {
            return Rights::Change;
        };
        let own = user_sid(user);
        let mut sids = vec![EVERYONE, AUTHENTICATED_USERS, USERS, own.as_slice()];
        if is_administrator {
            sids.push(ADMINISTRATORS);
        }
        let (mut allowed, mut denied) = (0, 0);
        for entry in entries {
            if sids.contains(&entry.sid.as_slice()) {
                let mask = specific(entry.mask);
                match entry.allows {
                    true => allowed |= mask & !denied,
                    false => denied |= mask & !allowed,
                }
            }
        }
        if allowed & WRITE_DATA != 0 {
            Rights::Change
        } else if allowed & READ_DATA != 0 {
            Rights::Read
        } else {
            Rights::None
        }
    }
}

/// Generic rights as what they mean for files.
fn specific(mask: u32) -> u32 {
    let generic = [
        (GENERIC_ALL, FULL),
        (GENERIC_WRITE, WRITE_DATA),
        (GENERIC_READ, READ),
    ];
    let meant = generic.iter().filter(|(asked, _)| mask & asked != 0);
    meant.fold(mask, |mask, (_, meant)| mask | meant)
}

fn entries(bytes: &[u8], place: usize) -> Result<Vec<Entry>, NotADescriptor> {
    let length = usize::from(u16_at(bytes, place.saturating_add(2))?);
    let end = place.checked_add(length).ok_or(NotADescriptor)?;
    let acl = bytes.get(place..end).ok_or(NotADescriptor)?;
    let count = u16_at(acl, 4)?;
    let mut found = Vec::new();
    let mut rest = acl.get(8..).ok_or(NotADescriptor)?;
    for _ in 0..count {
        let length = usize::from(u16_at(rest, 2)?);
        let entry = rest.get(..length).filter(|entry| entry.len() >= 8);
        let entry = entry.ok_or(NotADescriptor)?;
        let (kind, flags) = (entry.first(), entry.get(1).copied().unwrap_or(0));
        // Entries of other kinds say nothing of these rights.
        if let Some(kind @ (&ALLOWED | &DENIED)) = kind
            && flags & INHERIT_ONLY == 0
        {
            found.push(Entry {
                allows: *kind == ALLOWED,
                mask: u32_at(entry, 4)?,
                sid: sid_at(entry, 8)?,
            });
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(found)
}

/// The descriptor that stands for an access without one.
pub(super) fn made_of(access: &Access) -> Vec<u8> {
    let mut named: Vec<(Vec<u8>, Rights)> = access
        .users
        .iter()
        .map(|(user, rights)| (user_sid(user), *rights))
        .collect();
    // What is denied stands first.
    named.sort_by_key(|(_, rights)| *rights);
    let mut aces = Writer::new();
    let mut count: u16 = 0;
    let mut add = |kind: u8, mask: u32, sid: &[u8]| {
        aces.u8(kind).u8(0).u16(len16(8 + sid.len()));
        aces.u32(mask).bytes(sid);
        count = count.saturating_add(1);
    };
    for (sid, rights) in &named {
        match rights {
            Rights::None => add(DENIED, FULL, sid),
            // Nobody gets more by what all others may do.
            Rights::Read => {
                add(DENIED, FULL & !READ, sid);
                add(ALLOWED, READ, sid);
            }
            Rights::Change => add(ALLOWED, FULL, sid),
        }
    }
    match access.others {
        Rights::None => {}
        Rights::Read => add(ALLOWED, READ, EVERYONE),
        Rights::Change => add(ALLOWED, FULL, EVERYONE),
    }
    let aces = aces.into_bytes();
    let mut out = Writer::new();
    let owner = HEADER_LEN;
    let dacl = owner + ADMINISTRATORS.len() * 2;
    let offset = |place: usize| u32::try_from(place).unwrap_or(0);
    out.u8(1).u8(0).u16(SELF_RELATIVE | DACL_PRESENT);
    out.u32(offset(owner));
    out.u32(offset(owner + ADMINISTRATORS.len()));
    out.u32(0).u32(offset(dacl));
    out.bytes(ADMINISTRATORS).bytes(ADMINISTRATORS);
    out.u8(ACL_REVISION).u8(0).u16(len16(8 + aces.len()));
    out.u16(count).u16(0).bytes(&aces);
    out.into_bytes()
}

fn len16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// S-1-5-21 and 96 bits of the user's name without case, by FNV-1a.
fn user_sid(user: &str) -> Vec<u8> {
    let mut out = Writer::new();
    out.bytes(&[1, 5, 0, 0, 0, 0, 0, 5]).u32(21);
    let name = super::fold(user);
    for seed in [0x811c_9dc5_u32, 0x01b3_0193, 0x9dc5_811c] {
        let hash = name.bytes().fold(seed, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        out.u32(hash);
    }
    out.u32(1000);
    out.into_bytes()
}

fn sid_at(bytes: &[u8], place: usize) -> Result<Vec<u8>, NotADescriptor> {
    let rest = bytes.get(place..).ok_or(NotADescriptor)?;
    let count = rest.get(1).copied().filter(|count| *count <= 15);
    let length = 8 + usize::from(count.ok_or(NotADescriptor)?) * 4;
    let sid = rest.get(..length).ok_or(NotADescriptor)?;
    Ok(sid.to_vec())
}

fn u16_at(bytes: &[u8], place: usize) -> Result<u16, NotADescriptor> {
    let rest = bytes.get(place..).ok_or(NotADescriptor)?;
    let found = rest.first_chunk().ok_or(NotADescriptor)?;
    Ok(u16::from_le_bytes(*found))
}

fn u32_at(bytes: &[u8], place: usize) -> Result<u32, NotADescriptor> {
    let rest = bytes.get(place..).ok_or(NotADescriptor)?;
    let found = rest.first_chunk().ok_or(NotADescriptor)?;
    Ok(u32::from_le_bytes(*found))
}

fn usize_at(bytes: &[u8], place: usize) -> Result<usize, NotADescriptor> {
    usize::try_from(u32_at(bytes, place)?).map_err(|_| NotADescriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(access: &Access) -> Descriptor {
        Descriptor::parse(&made_of(access)).expect("our own")
    }

    #[test]
    fn the_descriptor_of_an_access_lets_the_same_users_do_the_same() {
        let accesses = [
            Access::default(),
            Access::for_all(Rights::None).with("eve", Rights::Read),
            Access::for_all(Rights::Change)
                .with("mallory", Rights::None)
                .with("eve", Rights::Read),
            Access::for_all(Rights::Read).with("admin", Rights::Change),
        ];
        for access in accesses {
            let descriptor = of(&access);
            for user in ["eve", "EVE", "mallory", "admin", "another"] {
                let expected = access.rights(user);
                assert_eq!(
                    descriptor.rights(user, false),
                    expected,
                    "{user} {access:?}"
                );
            }
        }
    }

    #[test]
    fn administrators_are_known_by_their_group() {
        let mut bytes = made_of(&Access::for_all(Rights::Change));
        let at = bytes.len() - EVERYONE.len();
        bytes[at..].copy_from_slice(EVERYONE);
        bytes.truncate(at);
        bytes.extend_from_slice(ADMINISTRATORS);
        let grown = ADMINISTRATORS.len() - EVERYONE.len();
        let acl = HEADER_LEN + 2 * ADMINISTRATORS.len();
        bytes[acl + 2] += u8::try_from(grown).expect("small");
        bytes[acl + 10] += u8::try_from(grown).expect("small");
        let descriptor = Descriptor::parse(&bytes).expect("good");
        assert_eq!(descriptor.rights("x", true), Rights::Change);
        assert_eq!(descriptor.rights("x", false), Rights::None);
    }

    #[test]
    fn bent_descriptors_are_refused_or_read_without_harm() {
        let good = made_of(&Access::for_all(Rights::Read).with("eve", Rights::None));
        for end in 0..good.len() {
            assert_eq!(Descriptor::parse(&good[..end]), Err(NotADescriptor));
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bent = good.clone();
                bent[at] ^= 1 << bit;
                if let Ok(descriptor) = Descriptor::parse(&bent) {
                    descriptor.rights("eve", true);
                }
            }
        }
    }
}
