//! What the agent is told from outside: who calls, what time it is, which shares there are.

use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// Who calls, as RPC and SMB established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client's network address.
    pub address: IpAddr,
    /// The user's name, for logs.
    pub user: String,
    /// Whether the user is in Administrators or Backup Operators (MS-FSRVP <4>).
    pub backup_rights: bool,
    /// The RPC security provider, C706 `auth_type`; 0 without RPC authentication.
    pub auth_type: u8,
    /// The RPC authentication level, C706 `auth_level`; 1 without RPC authentication.
    pub auth_level: u8,
}

impl Caller {
    /// MS-FSRVP 3.1.4: a permitted user over Negotiate, NTLM or Kerberos at integrity or privacy.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        const PROVIDERS: [u8; 3] = [0x09, 0x0A, 0x10];
        const LEVELS: [u8; 2] = [0x05, 0x06];
        self.backup_rights
            && PROVIDERS.contains(&self.auth_type)
            && LEVELS.contains(&self.auth_level)
    }
}

/// The time, in both of its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Since the server started; never goes back.
    pub monotonic: Duration,
    /// 100 ns intervals since 1601-01-01 00:00 UTC, for CreationTimestamp.
    pub filetime: i64,
}

/// Makes new ids.
pub trait IdSource: Send {
    /// An id that no other call ever returned.
    fn new_id(&mut self) -> Uuid;
}

/// Whether a share can be shadow copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Supported,
    /// Its file store cannot, or another one is mounted below its root.
    Unsupported,
}

/// What the agent has to know of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareInfo {
    /// The share's own spelling of its name.
    pub name: String,
    /// Names its file store (3.1.1.3 VolumeName).
    pub volume_name: String,
    /// Whether it can be shadow copied.
    pub support: Support,
    /// The bits of MS-FSRVP 2.2.2.3: what its shadow copies do not go together with.
    pub compatibility: i32,
}

/// The shares of the server, as the agent looks them up.
pub trait ShareCatalogue: Send + Sync {
    /// The share of this name, compared without case; exposed shares are shares, and cannot be
    /// shadow copied.
    fn find(&self, share_name: &str) -> Option<ShareInfo>;
}
