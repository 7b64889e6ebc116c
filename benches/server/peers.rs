//! The two servers.

use crate::Outcome;
use crate::samba::{self, SambaPeer};
use crate::serve::{self, Serve, Store};
use crate::tool::Account;
use fsrvp::case::{Profile, RpcLevel, SecretText, SmbOptions, Target, Timers};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// smbd and `fsrvp serve`, side by side.
pub(crate) struct Pair {
    smbd: SambaPeer,
    ours: Serve,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Samba's.
    Smbd,
    /// The reference server.
    Ours,
}

impl Which {
    /// Both, in the order of a round: who is first changes.
    pub(crate) fn in_turn(round: usize) -> [Which; 2] {
        match round % 2 {
            0 => [Which::Smbd, Which::Ours],
            _ => [Which::Ours, Which::Smbd],
        }
    }
}

/// What a client needs to know of one of them.
pub(crate) struct Peer {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Who may do everything.
    pub(crate) account: Account,
    /// The share that is worked on.
    pub(crate) share: &'static str,
    /// Where that share lies.
    pub(crate) root: PathBuf,
}

impl Pair {
    /// Starts both on the same disk.
    pub(crate) fn start(disk: &Path) -> Outcome<Pair> {
        let ours = Serve::start_in(disk, Store::Xfs)?;
        // Its Message Sequence Timer runs as long as the longest of MS-FSRVP 3.1.2.
        let smbd = SambaPeer::start_in(disk, 1800)?;
        Ok(Pair { smbd, ours })
    }

    /// What a client needs to know.
    pub(crate) fn peer(&self, which: Which) -> Peer {
        match which {
            Which::Smbd => Peer {
                port: self.smbd.port,
                account: samba::ADMIN,
                share: "vol2",
                root: self.smbd.share("vol2"),
            },
            Which::Ours => Peer {
                port: self.ours.port,
                account: serve::ADMIN,
                share: "data",
                root: self.ours.share("data"),
            },
        }
    }

    /// Its processes as they are now.
    pub(crate) fn processes(&self, which: Which) -> Vec<u32> {
        match which {
            Which::Smbd => self
                .smbd
                .processes()
                .into_iter()
                .filter_map(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
                .collect(),
            Which::Ours => vec![self.ours.pid()],
        }
    }
}

impl Peer {
    /// The server as a target of the harness's own client.
    pub(crate) fn target(&self) -> Target {
        Target {
            name: "benchmark".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.port,
            admin: fsrvp::case::Account {
                name: self.account.name.to_owned(),
                password: SecretText::new(self.account.password.to_owned()),
                domain: String::new(),
            },
            plain_user: None,
            backup_operator: None,
            shares: vec![self.share.to_owned()],
            same_store: Vec::new(),
            hidden: None,
            unsupported: Vec::new(),
            mount_points: None,
            restricted: None,
            no_defragmentation: None,
            no_indexing: None,
            profile: Profile::Spec,
            timers: Timers::Ours,
            owners: BTreeMap::new(),
            rpc_auth: RpcLevel::Integrity,
            smb: SmbOptions::default(),
            pause_between_sets: Duration::ZERO,
            local_path: BTreeMap::new(),
            known: None,
            restart: Vec::new(),
            file: None,
        }
    }
}
