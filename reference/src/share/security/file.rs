//! MS-DTYP 2.4.6, 2.5.3: the security descriptor of a file: what it lets a user do, what it gives
//! to what is made below, and its parts.
//!
//! A file has one of its own when a client set it, gave it along with CREATE, or when its directory
//! has entries to inherit. One without shows everybody who has logged on what the share allows.

use super::{
    ACL_REVISION, ADMINISTRATORS, ALLOWED, AUTHENTICATED_USERS, DACL_PRESENT, DENIED, EVERYONE,
    FULL, HEADER_LEN, INHERIT_ONLY, NotADescriptor, SELF_RELATIVE, USERS, len16, sid_at, u16_at,
    u32_at, user_sid, usize_at,
};
use fsrvp_wire::emit::Writer;
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::query_info::SecurityInformation;

/// MS-DTYP 2.4.2.4: S-1-3-0, whoever makes the file.
const CREATOR_OWNER: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0];
/// S-1-3-1, the group of whoever makes the file.
const CREATOR_GROUP: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0];
/// S-1-3-4, the rights of the owner in place of those that every owner has.
const OWNER_RIGHTS: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0];

/// MS-DTYP 2.4.4.1 AceFlags.
const OBJECT_INHERIT: u8 = 0x01;
const CONTAINER_INHERIT: u8 = 0x02;
const NO_PROPAGATE: u8 = 0x04;
const INHERITED: u8 = 0x10;

/// MS-DTYP 2.4.6 Control: the bits that belong to the DACL.
const DACL_CONTROL: u16 = DACL_PRESENT | 0x0008 | 0x0100 | 0x0400 | 0x1000;

/// MS-DTYP 2.4.3: what generic rights mean for files (MS-SMB2 2.2.13.1.1).
const GENERIC: [(AccessMask, AccessMask); 4] = [
    (AccessMask::GENERIC_ALL, AccessMask::FILE_ALL_ACCESS),
    (AccessMask::GENERIC_READ, AccessMask::FILE_GENERIC_READ),
    (AccessMask::GENERIC_WRITE, AccessMask::FILE_GENERIC_WRITE),
    (
        AccessMask::GENERIC_EXECUTE,
        AccessMask::FILE_GENERIC_EXECUTE,
    ),
];

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The user's name.
    pub user: String,
    /// Whether he is one of the local administrators or backup operators.
    pub is_administrator: bool,
}

impl Subject {
    fn sids(&self) -> Vec<Vec<u8>> {
        let mut sids = vec![
            user_sid(&self.user),
            EVERYONE.to_vec(),
            AUTHENTICATED_USERS.to_vec(),
            USERS.to_vec(),
        ];
        if self.is_administrator {
            sids.push(ADMINISTRATORS.to_vec());
        }
        sids
    }

    /// MS-DTYP 2.5.3.4.1: what he makes belongs to him; that of an administrator to all of them.
    fn owner(&self) -> Vec<u8> {
        match self.is_administrator {
            true => ADMINISTRATORS.to_vec(),
            false => user_sid(&self.user),
        }
    }
}

/// One entry of an ACL, of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ace {
    kind: u8,
    flags: u8,
    /// What follows the four bytes of its head.
    body: Vec<u8>,
}

impl Ace {
    /// The mask and the SID of an entry that allows or denies.
    fn simple(&self) -> Option<(AccessMask, &[u8])> {
        if !matches!(self.kind, ALLOWED | DENIED) {
            return None;
        }
        let (mask, sid) = self.body.split_first_chunk::<4>()?;
        Some((meant(AccessMask(u32::from_le_bytes(*mask))), sid))
    }
}

/// The descriptor of a file, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDescriptor {
    control: u16,
    owner: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
    /// `None`: everybody may do everything.
    dacl: Option<Vec<Ace>>,
}

impl FileDescriptor {
    /// Reads a self-relative descriptor; its SACL is not kept.
    ///
    /// # Errors
    /// A revision that is not 1, a part outside of the bytes, a length that cannot be.
    pub fn parse(bytes: &[u8]) -> Result<FileDescriptor, NotADescriptor> {
        let control = u16_at(bytes, 2)?;
        if bytes.first() != Some(&1) || control & SELF_RELATIVE == 0 || bytes.len() < HEADER_LEN {
            return Err(NotADescriptor);
        }
        let sid = |at| match usize_at(bytes, at)? {
            0 => Ok(None),
            place => sid_at(bytes, place).map(Some),
        };
        let dacl = usize_at(bytes, 16)?;
        let has_dacl = control & DACL_PRESENT != 0 && dacl != 0;
        Ok(FileDescriptor {
            control: control & DACL_CONTROL,
            owner: sid(4)?,
            group: sid(8)?,
            dacl: has_dacl.then(|| aces(bytes, dacl)).transpose()?,
        })
    }

    /// What a file without a descriptor of its own shows, on a share that allows this much.
    #[must_use]
    pub fn plain(allowed: AccessMask) -> FileDescriptor {
        FileDescriptor {
            control: DACL_PRESENT,
            owner: Some(ADMINISTRATORS.to_vec()),
            group: Some(ADMINISTRATORS.to_vec()),
            dacl: Some(vec![ace(ALLOWED, 0, allowed, AUTHENTICATED_USERS)]),
        }
    }

    /// The self-relative descriptor with the parts that are `wanted`.
    #[must_use]
    pub fn emit(&self, wanted: SecurityInformation) -> Vec<u8> {
        let dacl = self.dacl.as_ref().map(|aces| acl(aces));
        let mut parts = Writer::new();
        let mut place = |part: Option<&Vec<u8>>, which: SecurityInformation| {
            let Some(part) = part.filter(|_| wanted.contains(which)) else {
                return 0;
            };
            let offset = HEADER_LEN + parts.len();
            parts.bytes(part).align(4);
            u32::try_from(offset).unwrap_or(0)
        };
        let owner = place(self.owner.as_ref(), SecurityInformation::OWNER);
        let group = place(self.group.as_ref(), SecurityInformation::GROUP);
        let dacl = place(dacl.as_ref(), SecurityInformation::DACL);
        let control = match wanted.contains(SecurityInformation::DACL) {
            true => SELF_RELATIVE | self.control,
            false => SELF_RELATIVE,
        };
        let mut out = Writer::new();
        out.u8(1).u8(0).u16(control);
        out.u32(owner).u32(group).u32(0).u32(dacl);
        out.bytes(parts.as_slice());
        out.into_bytes()
    }

    /// MS-SMB2 3.3.5.21.3: this descriptor with these parts of another one.
    #[must_use]
    pub fn with(self, new: FileDescriptor, which: SecurityInformation) -> FileDescriptor {
        let takes_dacl = which.contains(SecurityInformation::DACL);
        FileDescriptor {
            owner: match which.contains(SecurityInformation::OWNER) {
                true => new.owner,
                false => self.owner,
            },
            group: match which.contains(SecurityInformation::GROUP) {
                true => new.group,
                false => self.group,
            },
            control: if takes_dacl {
                new.control
            } else {
                self.control
            },
            dacl: if takes_dacl { new.dacl } else { self.dacl },
        }
    }

    /// MS-DTYP 2.5.3.4: a new file's own descriptor: what it was given, and for what it was not
    /// what its directory has to inherit. `None` where there is neither.
    #[must_use]
    pub fn of_new(
        given: Option<FileDescriptor>,
        directory: Option<&FileDescriptor>,
        is_directory: bool,
        who: &Subject,
    ) -> Option<FileDescriptor> {
        let owner = given.as_ref().and_then(|given| given.owner.clone());
        let owner = owner.unwrap_or_else(|| who.owner());
        let group = given.as_ref().and_then(|given| given.group.clone());
        let group = group.unwrap_or_else(|| ADMINISTRATORS.to_vec());
        let has_dacl = |given: &FileDescriptor| given.control & DACL_PRESENT != 0;
        let (control, dacl) = match given {
            Some(given) if has_dacl(&given) => (given.control, given.dacl),
            given => {
                let inherited = directory.and_then(|directory| directory.dacl.as_ref());
                let inherited = inherited.map(|aces| inherit(aces, is_directory, &owner, &group));
                match inherited.filter(|aces| !aces.is_empty()) {
                    Some(aces) => (DACL_PRESENT | 0x0400, Some(aces)),
                    None => {
                        given?;
                        let all = FileDescriptor::plain(AccessMask::FILE_ALL_ACCESS);
                        (all.control, all.dacl)
                    }
                }
            }
        };
        Some(FileDescriptor {
            control,
            owner: Some(owner),
            group: Some(group),
            dacl,
        })
    }

    /// MS-DTYP 2.5.3.2: the most that a user may do with the file.
    #[must_use]
    pub fn allowed(&self, who: &Subject) -> AccessMask {
        let sids = who.sids();
        let owns = self
            .owner
            .as_ref()
            .is_some_and(|owner| sids.contains(owner));
        let Some(aces) = &self.dacl else {
            return AccessMask(FULL);
        };
        let mut owner = match owns {
            true => AccessMask::READ_CONTROL | AccessMask::WRITE_DAC,
            false => AccessMask(0),
        };
        let (mut allowed, mut denied) = (AccessMask(0), AccessMask(0));
        for ace in aces.iter().filter(|ace| ace.flags & INHERIT_ONLY == 0) {
            let Some((mask, sid)) = ace.simple() else {
                continue;
            };
            let is_of_owner = owns && sid == OWNER_RIGHTS;
            if is_of_owner {
                owner = AccessMask(0);
            }
            if !is_of_owner && !sids.iter().any(|own| own == sid) {
                continue;
            }
            match ace.kind {
                ALLOWED => allowed |= mask.without(denied),
                _ => denied |= mask.without(allowed),
            }
        }
        allowed | owner
    }
}

fn meant(mask: AccessMask) -> AccessMask {
    let asked = GENERIC.iter().filter(|(asked, _)| mask.contains(*asked));
    asked.fold(mask, |mask, (asked, meant)| mask.without(*asked) | *meant)
}

fn ace(kind: u8, flags: u8, mask: AccessMask, sid: &[u8]) -> Ace {
    let mut body = mask.0.to_le_bytes().to_vec();
    body.extend(sid);
    Ace { kind, flags, body }
}

/// MS-DTYP 2.5.3.4.2: the entries that a new file gets from those of its directory.
fn inherit(aces: &[Ace], is_directory: bool, owner: &[u8], group: &[u8]) -> Vec<Ace> {
    let mut found = Vec::new();
    for from in aces {
        let Some((mask, sid)) = from.simple() else {
            continue;
        };
        let (to_files, to_directories) = (
            from.flags & OBJECT_INHERIT != 0,
            from.flags & CONTAINER_INHERIT != 0,
        );
        let goes_on = match from.flags & NO_PROPAGATE {
            0 => from.flags & (OBJECT_INHERIT | CONTAINER_INHERIT),
            _ => 0,
        };
        let own = match sid {
            CREATOR_OWNER => owner,
            CREATOR_GROUP => group,
            sid => sid,
        };
        match is_directory {
            false if to_files => found.push(ace(from.kind, INHERITED, mask, own)),
            true if to_directories && own == sid => {
                found.push(ace(from.kind, INHERITED | goes_on, mask, own));
            }
            // Whoever makes it has it, and what is made below goes to whoever makes that.
            true if to_directories => {
                found.push(ace(from.kind, INHERITED, mask, own));
                if goes_on != 0 {
                    let flags = INHERITED | INHERIT_ONLY | goes_on;
                    found.push(ace(from.kind, flags, mask, sid));
                }
            }
            true if to_files && goes_on != 0 => {
                let flags = INHERITED | INHERIT_ONLY | goes_on;
                found.push(ace(from.kind, flags, mask, sid));
            }
            _ => {}
        }
    }
    found
}

fn aces(bytes: &[u8], place: usize) -> Result<Vec<Ace>, NotADescriptor> {
    let length = usize::from(u16_at(bytes, place.saturating_add(2))?);
    let end = place.checked_add(length).ok_or(NotADescriptor)?;
    let acl = bytes.get(place..end).ok_or(NotADescriptor)?;
    let count = u16_at(acl, 4)?;
    let mut found = Vec::new();
    let mut rest = acl.get(8..).ok_or(NotADescriptor)?;
    for _ in 0..count {
        let length = usize::from(u16_at(rest, 2)?);
        let (entry, left) = rest.split_at_checked(length).ok_or(NotADescriptor)?;
        let (head, body) = entry.split_first_chunk::<4>().ok_or(NotADescriptor)?;
        let [kind, flags, ..] = *head;
        if matches!(kind, ALLOWED | DENIED) {
            u32_at(body, 0)?;
            sid_at(body, 4)?;
        }
        found.push(Ace {
            kind,
            flags,
            body: body.to_vec(),
        });
        rest = left;
    }
    Ok(found)
}

fn acl(aces: &[Ace]) -> Vec<u8> {
    let mut entries = Writer::new();
    for ace in aces {
        entries.u8(ace.kind).u8(ace.flags);
        entries.u16(len16(4 + ace.body.len())).bytes(&ace.body);
    }
    let mut out = Writer::new();
    out.u8(ACL_REVISION).u8(0).u16(len16(8 + entries.len()));
    out.u16(len16(aces.len())).u16(0).bytes(entries.as_slice());
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: SecurityInformation = SecurityInformation::OWNER
        .union(SecurityInformation::GROUP)
        .union(SecurityInformation::DACL);

    fn who(user: &str, is_administrator: bool) -> Subject {
        Subject {
            user: user.to_owned(),
            is_administrator,
        }
    }

    fn with(aces: Vec<Ace>) -> FileDescriptor {
        FileDescriptor {
            dacl: Some(aces),
            ..FileDescriptor::plain(AccessMask(0))
        }
    }

    #[test]
    fn what_is_emitted_is_read_again_and_parts_are_those_asked_for() {
        let eve = user_sid("eve");
        let whole = with(vec![
            ace(DENIED, 0, AccessMask::DELETE, &eve),
            ace(ALLOWED, 3, AccessMask::FILE_ALL_ACCESS, EVERYONE),
        ]);
        let again = FileDescriptor::parse(&whole.emit(ALL)).expect("our own");
        assert_eq!(again, whole);
        let owner = FileDescriptor::parse(&whole.emit(SecurityInformation::OWNER));
        let owner = owner.expect("our own");
        assert_eq!((owner.owner, owner.dacl), (whole.owner.clone(), None));
        let changed = whole.clone().with(
            FileDescriptor::plain(AccessMask::FILE_GENERIC_READ),
            SecurityInformation::DACL,
        );
        assert_eq!(changed.owner, whole.owner);
        assert_ne!(changed.dacl, whole.dacl);
        let bytes = whole.emit(ALL);
        for end in 0..bytes.len() {
            // Cut bytes are refused, or mean less; they never panic.
            let _ = FileDescriptor::parse(&bytes[..end]);
        }
        assert!(FileDescriptor::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn entries_count_in_their_order_and_the_owner_keeps_the_descriptor() {
        let (eve, bob) = (who("eve", false), who("bob", false));
        let sid = user_sid("eve");
        let read = AccessMask::FILE_GENERIC_READ;
        let denied_first = with(vec![
            ace(DENIED, 0, read, &sid),
            ace(ALLOWED, 0, AccessMask::FILE_ALL_ACCESS, EVERYONE),
        ]);
        assert!(
            !denied_first
                .allowed(&eve)
                .intersects(AccessMask::FILE_READ_DATA)
        );
        assert_eq!(denied_first.allowed(&bob), AccessMask::FILE_ALL_ACCESS);
        let allowed_first = with(vec![
            ace(ALLOWED, 0, read, &sid),
            ace(DENIED, 0, AccessMask::FILE_ALL_ACCESS, EVERYONE),
        ]);
        assert_eq!(allowed_first.allowed(&eve), read);
        let nothing = FileDescriptor {
            owner: Some(sid.clone()),
            ..with(Vec::new())
        };
        let kept = AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
        assert_eq!(nothing.allowed(&eve), kept);
        assert_eq!(nothing.allowed(&bob), AccessMask(0));
        let limited = FileDescriptor {
            dacl: Some(vec![ace(
                ALLOWED,
                0,
                AccessMask::READ_CONTROL,
                OWNER_RIGHTS,
            )]),
            ..nothing.clone()
        };
        assert_eq!(limited.allowed(&eve), AccessMask::READ_CONTROL);
        let open = FileDescriptor {
            dacl: None,
            ..nothing
        };
        assert_eq!(open.allowed(&bob), AccessMask::FILE_ALL_ACCESS);
        let below = with(vec![ace(ALLOWED, INHERIT_ONLY | 3, read, EVERYONE)]);
        assert_eq!(below.allowed(&bob), AccessMask(0));
    }

    #[test]
    fn a_new_file_inherits_what_is_for_its_kind() {
        let eve = who("eve", false);
        let read = AccessMask::FILE_GENERIC_READ;
        let full = AccessMask::FILE_ALL_ACCESS;
        let parent = with(vec![
            ace(ALLOWED, CONTAINER_INHERIT, full, EVERYONE),
            ace(
                ALLOWED,
                OBJECT_INHERIT | CONTAINER_INHERIT,
                full,
                CREATOR_OWNER,
            ),
            ace(DENIED, OBJECT_INHERIT | NO_PROPAGATE, read, USERS),
            ace(ALLOWED, 0, full, ADMINISTRATORS),
        ]);
        let made = |is_directory| {
            let made = FileDescriptor::of_new(None, Some(&parent), is_directory, &eve);
            made.and_then(|made| made.dacl).expect("a DACL")
        };
        let own = user_sid("eve");
        assert_eq!(
            made(false),
            [
                ace(ALLOWED, INHERITED, full, &own),
                ace(DENIED, INHERITED, read, USERS)
            ]
        );
        assert_eq!(
            made(true),
            [
                ace(ALLOWED, INHERITED | CONTAINER_INHERIT, full, EVERYONE),
                ace(ALLOWED, INHERITED, full, &own),
                ace(ALLOWED, INHERITED | INHERIT_ONLY | 3, full, CREATOR_OWNER),
            ]
        );
        let plain = FileDescriptor::plain(full);
        assert_eq!(
            FileDescriptor::of_new(None, Some(&plain), false, &eve),
            None
        );
        assert_eq!(FileDescriptor::of_new(None, None, false, &eve), None);
        let given = FileDescriptor::of_new(Some(plain.clone()), Some(&parent), false, &eve);
        assert_eq!(given, Some(plain));
    }
}
