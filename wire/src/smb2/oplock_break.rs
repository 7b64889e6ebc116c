//! MS-SMB2 2.2.23 to 2.2.25 OPLOCK_BREAK: the server takes a caching right back.
//!
//! Four structures share the command; `StructureSize` tells them apart: 24 for oplocks, 44 for
//! the notification and 36 for the acknowledgment and the response of leases.

use crate::smb2::FileId;
use crate::smb2::codec::{fixed_body, record};
use crate::smb2::create::OplockLevel;
use crate::smb2::create_contexts::LeaseState;

record! {
    /// MS-SMB2 2.2.23.1, 2.2.24.1 and 2.2.25.1: the oplock form, the same in all three messages:
    /// notification, acknowledgment and response.
    pub struct Oplock {
        /// The level that is left.
        pub oplock_level: OplockLevel = "OplockLevel",
        /// Zero in every legal message.
        pub reserved: u8 = "Reserved",
        /// Zero in every legal message.
        pub reserved2: u32 = "Reserved2",
        /// The open.
        pub file_id: FileId = "FileId",
    }
}

record! {
    /// MS-SMB2 2.2.23.2 Lease Break Notification, which the server sends unasked.
    pub struct LeaseNotification {
        /// The lease's new epoch; reserved in dialect 2.1.
        pub new_epoch: u16 = "NewEpoch",
        /// 1 when an acknowledgment is wanted.
        pub flags: u32 = "Flags",
        /// Names the lease.
        pub lease_key: [u8; 16] = "LeaseKey",
        /// What the client holds.
        pub current_lease_state: LeaseState = "CurrentLeaseState",
        /// What it may keep.
        pub new_lease_state: LeaseState = "NewLeaseState",
        /// Zero in every legal message.
        pub break_reason: u32 = "BreakReason",
        /// Zero in every legal message.
        pub access_mask_hint: u32 = "AccessMaskHint",
        /// Zero in every legal message.
        pub share_mask_hint: u32 = "ShareMaskHint",
    }
}

record! {
    /// MS-SMB2 2.2.24.2 and 2.2.25.2: the lease form of acknowledgment and response.
    pub struct Lease {
        /// Zero in every legal message.
        pub reserved: u16 = "Reserved",
        /// Zero in every legal message.
        pub flags: u32 = "Flags",
        /// Names the lease.
        pub lease_key: [u8; 16] = "LeaseKey",
        /// What the client keeps.
        pub lease_state: LeaseState = "LeaseState",
        /// Zero in every legal message.
        pub lease_duration: u64 = "LeaseDuration",
    }
}

fixed_body!(Oplock OPLOCK_BREAK 24, LeaseNotification OPLOCK_BREAK 44, Lease OPLOCK_BREAK 36);
