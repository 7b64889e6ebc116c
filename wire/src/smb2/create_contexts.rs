//! MS-SMB2 2.2.13.2, 2.2.14.2: the create contexts.
//!
//! A [`CreateContext`] holds its name and its data as bytes, so that unknown ones travel; the
//! other types here are what the data of some known ones means.

use crate::emit::Writer;
use crate::error::ErrorKind;
use crate::smb2::LIST_MAX;
use crate::smb2::codec::{Failure, failure, len16, len32, read, within};
use crate::smb2::codec::{flags, record, standalone, structure};
use crate::smb2::create::AccessMask;
use crate::smb2::fscc::FileTime;
use crate::smb2::layout::{Part, part};
use crate::smb2::{FileId, Layout, NtStatus};
use uuid::Uuid;

/// MS-SMB2 2.2.13.2: the names of create contexts.
pub mod names {
    /// Extended attributes for a new file.
    pub const EXTENDED_ATTRIBUTES: &[u8] = b"ExtA";
    /// A security descriptor for a new file.
    pub const SECURITY_DESCRIPTOR: &[u8] = b"SecD";
    /// Asks for a durable open; the answer has the same name.
    pub const DURABLE_HANDLE_REQUEST: &[u8] = b"DHnQ";
    /// Takes a durable open up again.
    pub const DURABLE_HANDLE_RECONNECT: &[u8] = b"DHnC";
    /// The size that the file will have.
    pub const ALLOCATION_SIZE: &[u8] = b"AlSi";
    /// Asks for the most that the user may do.
    pub const QUERY_MAXIMAL_ACCESS: &[u8] = b"MxAc";
    /// Opens the file as it was at a time.
    pub const TIMEWARP_TOKEN: &[u8] = b"TWrp";
    /// Asks for the file's number on its volume.
    pub const QUERY_ON_DISK_ID: &[u8] = b"QFid";
    /// Asks for a lease, of either version.
    pub const LEASE: &[u8] = b"RqLs";
    /// Asks for a durable or persistent open, second version.
    pub const DURABLE_HANDLE_REQUEST_V2: &[u8] = b"DH2Q";
    /// Takes an open up again, second version.
    pub const DURABLE_HANDLE_RECONNECT_V2: &[u8] = b"DH2C";
    /// Application instance for clusters, a GUID as its name.
    pub const APP_INSTANCE_ID: &[u8] = &[
        0x45, 0xBC, 0xA6, 0x6A, 0xEF, 0xA7, 0xF7, 0x4A, 0x90, 0x08, 0xFA, 0x46, 0x2E, 0x14, 0x4D,
        0x74,
    ];
    /// Version of the application instance, a GUID as its name.
    pub const APP_INSTANCE_VERSION: &[u8] = &[
        0xB9, 0x82, 0xD0, 0xB7, 0x3B, 0x56, 0x07, 0x4F, 0xA0, 0x7B, 0x52, 0x4A, 0x81, 0x16, 0xA0,
        0x10,
    ];
    /// Apple's extensions; outside of MS-SMB2.
    pub const APPLE_EXTENSIONS: &[u8] = b"AAPL";
}

structure! {
    /// MS-SMB2 2.2.13.2 SMB2_CREATE_CONTEXT: one context, its data as it travels.
    pub struct CreateContext {
        /// The name, four bytes or sixteen; see [`names`].
        pub name: Vec<u8>,
        /// Reserved.
        pub reserved: u16,
        /// The data.
        pub data: Vec<u8>,
        /// Where name and data lie, from the start of the context.
        pub layout: Layout,
    }
}

impl CreateContext {
    /// A context with this name and data.
    #[must_use]
    pub fn new(name: &[u8], data: Vec<u8>) -> Self {
        CreateContext {
            name: name.to_vec(),
            data,
            ..CreateContext::default()
        }
    }
}

record! {
    /// MS-SMB2 2.2.14.2.5 SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE, the answer to `MxAc`.
    pub struct MaximalAccessResponse {
        /// Whether the answer could be found.
        pub query_status: NtStatus = "QueryStatus",
        /// The most that the user may do.
        pub maximal_access: AccessMask = "MaximalAccess",
    }
}

record! {
    /// MS-SMB2 2.2.14.2.9 SMB2_CREATE_QUERY_ON_DISK_ID, the answer to `QFid`.
    pub struct OnDiskId {
        /// The file's number on its volume.
        pub disk_file_id: u64 = "DiskFileId",
        /// The volume.
        pub volume_id: u64 = "VolumeId",
        /// Reserved.
        pub reserved: [u8; 16] = "Reserved",
    }
}

record! {
    /// MS-SMB2 2.2.13.2.7 SMB2_CREATE_TIMEWARP_TOKEN, the data of `TWrp`.
    pub struct TimewarpToken {
        /// The time of the shadow copy.
        pub timestamp: FileTime = "Timestamp",
    }
}

record! {
    /// MS-SMB2 2.2.13.2.4 SMB2_CREATE_DURABLE_HANDLE_RECONNECT, the data of `DHnC`.
    pub struct DurableHandleReconnect {
        /// The open that was lost.
        pub file_id: FileId = "Data",
    }
}

record! {
    /// MS-SMB2 2.2.13.2.11 SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, the data of `DH2Q`.
    pub struct DurableHandleRequestV2 {
        /// How long to keep the open, in milliseconds; 0 leaves it to the server.
        pub timeout_ms: u32 = "Timeout",
        /// Bit 1: persistent.
        pub flags: u32 = "Flags",
        /// Reserved.
        pub reserved: u64 = "Reserved",
        /// Names the create, so that a replay is known.
        pub create_guid: Uuid = "CreateGuid",
    }
}

flags! {
    /// MS-SMB2 2.2.13.2.8: what a lease allows to cache.
    LeaseState(u32) {
        READ_CACHING = 0x0000_0001,
        HANDLE_CACHING = 0x0000_0002,
        WRITE_CACHING = 0x0000_0004,
    }
}

record! {
    /// MS-SMB2 2.2.13.2.8 SMB2_CREATE_REQUEST_LEASE, the data of `RqLs` (32 bytes).
    pub struct LeaseV1 {
        /// Names the lease.
        pub lease_key: [u8; 16] = "LeaseKey",
        /// What is asked for or given.
        pub lease_state: LeaseState = "LeaseState",
        /// Bit 1 (response): a break is under way.
        pub lease_flags: u32 = "LeaseFlags",
        /// Reserved.
        pub lease_duration: u64 = "LeaseDuration",
    }
}

record! {
    /// MS-SMB2 2.2.13.2.10 SMB2_CREATE_REQUEST_LEASE_V2, the data of `RqLs` (52 bytes).
    pub struct LeaseV2 {
        /// Names the lease.
        pub lease_key: [u8; 16] = "LeaseKey",
        /// What is asked for or given.
        pub lease_state: LeaseState = "LeaseState",
        /// Bit 1: a break is under way; bit 2: the parent key counts.
        pub flags: u32 = "Flags",
        /// Reserved.
        pub lease_duration: u64 = "LeaseDuration",
        /// The lease of the directory.
        pub parent_lease_key: [u8; 16] = "ParentLeaseKey",
        /// Counts changes of the lease.
        pub epoch: u16 = "Epoch",
        /// Reserved.
        pub reserved: u16 = "Reserved",
    }
}

standalone!(
    MaximalAccessResponse,
    OnDiskId,
    TimewarpToken,
    DurableHandleReconnect,
    DurableHandleRequestV2,
    LeaseV1,
    LeaseV2
);

/// The longest list of contexts that is read, in bytes.
pub const CONTEXTS_MAX: usize = 256 * 1024;

/// The bytes from `Next` to `DataLength`.
const CONTEXT_HEADER_LEN: usize = 16;

/// Reads the chain of contexts that fills `list`.
pub(crate) fn read_contexts(list: &[u8]) -> Result<Vec<CreateContext>, Failure<'_>> {
    let mut contexts = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        within(rest, "CreateContexts", contexts.len(), LIST_MAX)?;
        let mut at = rest;
        let next: u32 = read(&mut at, "Next")?;
        let next = next as usize;
        let (context, after) = if next == 0 {
            (rest, &[][..])
        } else if next < CONTEXT_HEADER_LEN || !next.is_multiple_of(8) {
            return Err(failure(rest, "Next", ErrorKind::Misaligned));
        } else {
            // A `Next` that leads to the end of the list leads to no context.
            rest.split_at_checked(next)
                .filter(|(_, after)| !after.is_empty())
                .ok_or_else(|| failure(rest, "Next", ErrorKind::LengthOutOfRange))?
        };
        contexts.push(read_context(context, next == 0)?);
        rest = after;
    }
    Ok(contexts)
}

fn read_context(context: &[u8], is_last: bool) -> Result<CreateContext, Failure<'_>> {
    let mut rest = context;
    let _next: u32 = read(&mut rest, "Next")?;
    let name_at: u16 = read(&mut rest, "NameOffset")?;
    let name_len: u16 = read(&mut rest, "NameLength")?;
    let reserved = read(&mut rest, "Reserved")?;
    let data_at: u16 = read(&mut rest, "DataOffset")?;
    let data_len: u32 = read(&mut rest, "DataLength")?;
    let from = CONTEXT_HEADER_LEN;
    let name = part(
        context,
        "Name",
        from,
        usize::from(name_at),
        usize::from(name_len),
    )?;
    let data = part(
        context,
        "Data",
        from,
        usize::from(data_at),
        data_len as usize,
    )?;
    let parts = parts(name, data);
    let offsets = [u32::from(name_at), u32::from(data_at)];
    let ours = Layout::Canonical.place(from, 0, &parts).area.len();
    let area_min = if is_last { 0 } else { ours.next_multiple_of(8) };
    Ok(CreateContext {
        name: name.to_vec(),
        reserved,
        data: data.to_vec(),
        layout: Layout::detect(from, area_min, &parts, &offsets, rest),
    })
}

fn parts<'a>(name: &'a [u8], data: &'a [u8]) -> [Part<'a>; 2] {
    [Part::new(name, 1), Part::optional(data, 8)]
}

/// The bytes of the chain; no padding behind the last context.
pub(crate) fn emit_contexts(contexts: &[CreateContext]) -> Vec<u8> {
    let mut out = Writer::new();
    for (index, context) in contexts.iter().enumerate() {
        let start = out.len();
        let parts = parts(&context.name, &context.data);
        let placed = context.layout.place(CONTEXT_HEADER_LEN, 0, &parts);
        out.u32(0)
            .u16(placed.offset16(0))
            .u16(len16(context.name.len()))
            .u16(context.reserved)
            .u16(placed.offset16(1))
            .u32(len32(context.data.len()))
            .bytes(&placed.area);
        if index + 1 < contexts.len() {
            out.align(8);
            let next = len32(out.len() - start);
            out.patch(start, &next.to_le_bytes());
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{
        CreateContext, LeaseV1, LeaseV2, MaximalAccessResponse, OnDiskId, emit_contexts, names,
        read_contexts,
    };

    #[test]
    fn a_chain_without_end_is_refused() {
        let one = CreateContext::new(names::QUERY_ON_DISK_ID, Vec::new());
        let mut chain = emit_contexts(&[one.clone(), one]);
        assert_eq!(read_contexts(&chain).unwrap().len(), 2);
        for next in [1, 8, 12, 25, 48, 0xFFFF_FFF8_u32] {
            chain[..4].copy_from_slice(&next.to_le_bytes());
            assert!(read_contexts(&chain).is_err(), "{next}");
        }
    }

    #[test]
    fn a_chain_that_ends_behind_next_is_refused() {
        let one = CreateContext::new(names::QUERY_ON_DISK_ID, Vec::new());
        let chain = emit_contexts(&[one.clone(), one]);
        let next = usize::from(chain[0]);
        assert!(read_contexts(&chain[..next]).is_err());
    }

    #[test]
    fn lengths_are_those_of_ms_smb2() {
        assert_eq!(MaximalAccessResponse::WIRE_LEN, 8);
        assert_eq!(OnDiskId::WIRE_LEN, 32);
        assert_eq!(LeaseV1::WIRE_LEN, 32);
        assert_eq!(LeaseV2::WIRE_LEN, 52);
    }
}
