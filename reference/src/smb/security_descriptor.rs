//! MS-DTYP 2.4.6: the security descriptor that a file shows.
//!
//! Rights belong to the share here, not to single files: every file belongs to the local
//! administrators, and its one entry gives all who have logged on what the share gives the user
//! who asks.

use fsrvp_wire::emit::Writer;
use fsrvp_wire::smb2::create::AccessMask;
use fsrvp_wire::smb2::query_info::SecurityInformation;

/// S-1-5-32-544, the local administrators.
const ADMINISTRATORS: &[u8] = &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];

/// S-1-5-11, all who have logged on.
const AUTHENTICATED_USERS: &[u8] = &[1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0];

/// MS-DTYP 2.4.6: the fixed part, in bytes.
const HEADER_LEN: usize = 20;

/// The descriptor has its parts behind it (SR).
const SELF_RELATIVE: u16 = 0x8000;

/// The descriptor has a DACL (DP).
const DACL_PRESENT: u16 = 0x0004;

/// MS-DTYP 2.4.5: the revision of a plain ACL.
const ACL_REVISION: u8 = 2;

/// The self-relative descriptor with the parts that are `wanted`.
pub(crate) fn descriptor(wanted: SecurityInformation, granted: AccessMask) -> Vec<u8> {
    let mut parts = Writer::new();
    let mut place = |is_wanted: bool, part: &[u8]| {
        if !is_wanted {
            return 0;
        }
        let offset = HEADER_LEN + parts.len();
        parts.bytes(part);
        u32::try_from(offset).unwrap_or(0)
    };
    let owner = place(wanted.contains(SecurityInformation::OWNER), ADMINISTRATORS);
    let group = place(wanted.contains(SecurityInformation::GROUP), ADMINISTRATORS);
    let dacl = place(wanted.contains(SecurityInformation::DACL), &acl(granted));
    let control = if dacl == 0 {
        SELF_RELATIVE
    } else {
        SELF_RELATIVE | DACL_PRESENT
    };
    let mut out = Writer::new();
    out.u8(1).u8(0).u16(control);
    out.u32(owner).u32(group).u32(0).u32(dacl);
    out.bytes(parts.as_slice());
    out.into_bytes()
}

/// MS-DTYP 2.4.4.2, 2.4.5: one entry that allows.
fn acl(granted: AccessMask) -> Vec<u8> {
    let len16 = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
    let ace_len = 8 + AUTHENTICATED_USERS.len();
    let mut out = Writer::new();
    out.u8(ACL_REVISION).u8(0).u16(len16(8 + ace_len));
    out.u16(1).u16(0);
    out.u8(0).u8(0).u16(len16(ace_len)).u32(granted.0);
    out.bytes(AUTHENTICATED_USERS);
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{ADMINISTRATORS, descriptor};
    use fsrvp_wire::smb2::create::AccessMask;
    use fsrvp_wire::smb2::query_info::SecurityInformation;

    #[test]
    fn parts_lie_where_the_offsets_say() {
        let all =
            SecurityInformation::OWNER | SecurityInformation::GROUP | SecurityInformation::DACL;
        let bytes = descriptor(all, AccessMask::FILE_ALL_ACCESS);
        let offset = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        assert!(bytes[offset(4)..].starts_with(ADMINISTRATORS));
        assert!(bytes[offset(8)..].starts_with(ADMINISTRATORS));
        let acl = &bytes[offset(16)..];
        assert_eq!(usize::from(u16::from_le_bytes([acl[2], acl[3]])), acl.len());
        assert_eq!(&acl[12..16], &0x001F_01FF_u32.to_le_bytes());
    }

    #[test]
    fn what_is_not_wanted_is_not_there() {
        let bytes = descriptor(SecurityInformation::OWNER, AccessMask::FILE_ALL_ACCESS);
        assert_eq!(bytes.len(), 20 + ADMINISTRATORS.len());
        assert_eq!(&bytes[8..20], &[0; 12]);
    }
}
