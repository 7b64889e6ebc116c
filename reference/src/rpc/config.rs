//! What an endpoint is told from outside.

use fsrvp_wire::auth::ntlm::NtHash;
use fsrvp_wire::rpce::SyntaxId;
use fsrvp_wire::{fsrvp, srvsvc};
use std::sync::Arc;

/// Who may log on, as RPC looks it up.
pub trait Accounts: Send + Sync {
    /// The hash of a user's password; `None` for an unknown user.
    fn nt_hash(&self, user: &str, domain: &str) -> Option<NtHash>;
    /// Whether a user is in Administrators or Backup Operators (MS-FSRVP <4>).
    fn has_backup_rights(&self, user: &str) -> bool;
}

/// What all endpoints of a server share.
#[derive(Clone)]
pub struct EndpointConfig {
    /// Who may log on.
    pub accounts: Arc<dyn Accounts>,
    /// The machine's NetBIOS name.
    pub netbios_name: String,
    /// The machine's DNS name; may be empty.
    pub dns_name: String,
}

impl std::fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndpointConfig")
            .field("netbios_name", &self.netbios_name)
            .field("dns_name", &self.dns_name)
            .finish_non_exhaustive()
    }
}

/// A user whom SMB or RPC has let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name; empty when anonymous.
    pub user: String,
    /// Whether the user is in Administrators or Backup Operators.
    pub backup_rights: bool,
}

/// Which interface lives behind a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// MS-FSRVP.
    FileServerVssAgent,
    /// MS-SRVS.
    Srvsvc,
}

impl Service {
    /// Each of them.
    pub const ALL: [Service; 2] = [Service::FileServerVssAgent, Service::Srvsvc];

    /// The pipe's name; compared without case.
    #[must_use]
    pub fn pipe(self) -> &'static str {
        match self {
            Service::FileServerVssAgent => fsrvp::PIPE,
            Service::Srvsvc => srvsvc::PIPE,
        }
    }

    pub(super) fn syntax(self) -> SyntaxId {
        match self {
            Service::FileServerVssAgent => {
                SyntaxId::new(fsrvp::INTERFACE, fsrvp::INTERFACE_VERSION)
            }
            Service::Srvsvc => SyntaxId::new(srvsvc::INTERFACE, srvsvc::INTERFACE_VERSION),
        }
    }
}

/// What must be new in every endpoint. An endpoint has one logon at most, so one challenge is
/// enough.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// For the NTLM challenge; nobody may be able to foretell it.
    pub server_challenge: [u8; 8],
    /// Names the association group; zero is taken for 1.
    pub assoc_group_id: u32,
    /// Now, as a FILETIME.
    pub filetime: u64,
}
