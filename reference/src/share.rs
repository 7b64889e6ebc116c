//! The table of shares, which the SMB server, the agent and the shell have in common.
//!
//! **Architectural invariants**
//! - Whatever changes files of a share goes through the gate in [`ShareFile`]. After
//!   [`Share::seal`] returned, no change lands, through no handle; while a [`Freeze`] lives, no
//!   change lands on its file stores.
//! - A share that was removed serves nothing any more, its open handles included.

mod file;
mod gate;
mod handles;
mod place;
mod security;
mod sparse;

pub use file::ShareFile;
pub use gate::{Freeze, StillBusy, WRITER_WAIT_MAX};
pub use handles::{
    Claim, Claims, FileKey, Going, Handles, LOCKS_MAX, LockKind, LockRange, LockWait, Removal, Wish,
};
pub use security::{Descriptor, FileDescriptor, NotADescriptor, Subject};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use uuid::Uuid;

use crate::agent::{ShareCatalogue, ShareInfo, Support};
use crate::backend::{BackendError, BackendKind, BackendSnapshot, ShadowBackend, default_place};
use crate::tree::{Tree, TreeError, file_store_of};
use gate::{Gate, Gatekeeper};

/// What a user may do on a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rights {
    /// Not even connect.
    None,
    /// Connect and read.
    Read,
    /// Connect, read, write and delete.
    #[default]
    Change,
}

impl Rights {
    fn must_change(self) -> Result<(), TreeError> {
        if self == Self::Change {
            Ok(())
        } else {
            Err(TreeError::AccessDenied)
        }
    }
}

/// Who may do what on a share; by default every authenticated user may change it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    users: BTreeMap<String, Rights>,
    others: Rights,
    /// Decides in place of the two, where a client has set one.
    descriptor: Option<Descriptor>,
}

impl Access {
    /// `others` for everybody whom [`Access::with`] does not name.
    pub fn for_all(others: Rights) -> Self {
        Self {
            users: BTreeMap::new(),
            others,
            descriptor: None,
        }
    }

    /// Rights of one user, whose name is compared without case.
    #[must_use]
    pub fn with(mut self, user: &str, rights: Rights) -> Self {
        self.users.insert(fold(user), rights);
        self
    }

    /// The same share under a descriptor of a client's.
    #[must_use]
    pub fn described_by(mut self, descriptor: Descriptor) -> Self {
        self.descriptor = Some(descriptor);
        self
    }

    /// The same without a client's descriptor.
    #[must_use]
    pub fn as_configured(mut self) -> Self {
        self.descriptor = None;
        self
    }

    /// The descriptor that was set, if any was.
    pub fn set_descriptor(&self) -> Option<&[u8]> {
        self.descriptor.as_ref().map(Descriptor::bytes)
    }

    /// The descriptor that was set, or one that says the same as the configuration.
    pub fn descriptor(&self) -> Vec<u8> {
        match &self.descriptor {
            Some(descriptor) => descriptor.bytes().to_vec(),
            None => security::made_of(self),
        }
    }

    /// What an authenticated user may do, who may be an administrator.
    pub fn rights_of(&self, user: &str, is_administrator: bool) -> Rights {
        match &self.descriptor {
            Some(descriptor) => descriptor.rights(user, is_administrator),
            None => self.rights(user),
        }
    }

    /// What the configuration lets an authenticated user do.
    pub fn rights(&self, user: &str) -> Rights {
        self.users.get(&fold(user)).copied().unwrap_or(self.others)
    }
}

/// Where a share comes from.
#[derive(Clone, Debug)]
pub enum ShareKind {
    /// Configured.
    Base {
        /// What makes its backend snapshots.
        backend: Arc<dyn ShadowBackend>,
        /// Where they lie.
        place: PathBuf,
    },
    /// MS-FSRVP 3.1.4.6: a shadow copy of a base share, exposed.
    Exposed {
        /// The base share's name.
        base: String,
        /// The shadow copy.
        shadow_copy_id: Uuid,
        /// When it was made, as a FILETIME.
        created: u64,
    },
}

/// One share.
#[derive(Debug)]
pub struct Share {
    name: String,
    comment: String,
    volume_name: String,
    kind: ShareKind,
    access: RwLock<Access>,
    encrypts: bool,
    compatibility: i32,
    tree: Arc<Tree>,
    gate: Gate,
}

impl Share {
    /// Its name as configured; names are compared without case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The remark that clients show.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// MS-FSRVP 3.1.1: the identity of the file store that holds it. That of an exposed share is
    /// its own.
    pub fn volume_name(&self) -> &str {
        &self.volume_name
    }

    /// Where it comes from.
    pub fn kind(&self) -> &ShareKind {
        &self.kind
    }

    /// Who may do what.
    pub fn access(&self) -> Access {
        let access = self.access.read();
        access.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes who may do what, from the next tree connect on.
    pub fn set_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = access;
    }

    /// MS-SMB2 3.3.1.6 Share.EncryptData: whether requests to it have to be encrypted.
    pub fn encrypts(&self) -> bool {
        self.encrypts
    }

    /// The root directory, free of links.
    pub fn root(&self) -> &Path {
        self.tree.path()
    }

    /// Its files, past the gate: for reading and for what is known about the volume.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether it can be changed at this moment, by whoever has the rights.
    pub fn is_writable(&self) -> bool {
        self.gate.must_be_writable().is_ok()
    }

    /// Makes it read-only for good. When this returns `Ok`, no change is under way and none will
    /// land any more.
    ///
    /// # Errors
    /// Changes that were under way did not end within `bound`. New ones are kept out all the same.
    pub fn seal(&self, bound: Duration) -> Result<(), StillBusy> {
        self.gate.seal(bound)
    }

    /// MS-FSRVP 3.1.4.3 and 3.1.4.4: whether shadow copies of it can be made: nothing else is
    /// mounted below its root, and its backend can.
    ///
    /// # Errors
    /// What stands against it.
    pub fn supports_shadow_copies(&self) -> Result<BackendKind, BackendError> {
        let ShareKind::Base { backend, .. } = &self.kind else {
            return Err(BackendError::unsupported(
                self.root(),
                "it is a shadow copy itself",
            ));
        };
        if let Some(mount) = place::mount_below(self.root())? {
            let reason = format!("another file system is mounted on {}", mount.display());
            return Err(BackendError::unsupported(self.root(), reason));
        }
        backend.supports(self.root())
    }
}

/// A share of the configuration.
#[derive(Clone, Debug)]
pub struct BaseShare {
    /// Its name.
    pub name: String,
    /// The remark that clients show.
    pub comment: String,
    /// Its root directory.
    pub path: PathBuf,
    /// Its file store, where that is not the file system or subvolume of `path`.
    pub store: Option<String>,
    /// Where its backend snapshots lie; a hidden directory in its root by default.
    pub place: Option<PathBuf>,
    /// Nobody may change it.
    pub read_only: bool,
    /// Who may do what.
    pub access: Access,
    /// Requests to it have to be encrypted.
    pub encrypts: bool,
    /// The bits of MS-FSRVP 2.2.2.3: what its shadow copies do not go together with.
    pub compatibility: i32,
    /// What makes its backend snapshots.
    pub backend: Arc<dyn ShadowBackend>,
}

impl BaseShare {
    /// A share with everything else as nobody said otherwise.
    pub fn new(name: &str, path: &Path, backend: Arc<dyn ShadowBackend>) -> Self {
        Self {
            name: name.to_owned(),
            comment: String::new(),
            path: path.to_owned(),
            store: None,
            place: None,
            read_only: false,
            access: Access::default(),
            encrypts: false,
            compatibility: 0,
            backend,
        }
    }
}

/// MS-FSRVP 3.1.4.6: a share that serves a shadow copy.
#[derive(Clone, Debug)]
pub struct ExposedShare {
    /// Its name, `base@{shadow copy id}`.
    pub name: String,
    /// The remark that clients show.
    pub comment: String,
    /// The base share's name.
    pub base: String,
    /// What it serves.
    pub snapshot: BackendSnapshot,
    /// When the shadow copy was made, as a FILETIME.
    pub created: u64,
    /// The base share's access at the time of the exposure.
    pub access: Access,
    /// Whether requests to the base share had to be encrypted then.
    pub encrypts: bool,
    /// ATTR_AUTO_RECOVERY, and not sealed yet.
    pub writable: bool,
}

/// Why a share could not be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// There is one of that name.
    #[error("share {0}: the name is taken")]
    NameTaken(String),
    /// Its root cannot be opened.
    #[error("share {name}: {path}: {source}")]
    Root {
        /// The share.
        name: String,
        /// Its root.
        path: PathBuf,
        /// Why.
        source: TreeError,
    },
    /// A file store was named for a share whose backend snapshots are of its whole subvolume.
    #[error("share {0}: a share on btrfs snapshots cannot name its store")]
    StoreIsKnown(String),
    /// Its shadow copies would be seen in a share.
    #[error("share {name}: its shadow copies in {place} would be visible in share {seen_in}")]
    PlaceVisible {
        /// The share.
        name: String,
        /// Where its shadow copies would lie.
        place: PathBuf,
        /// The share that would show them.
        seen_in: String,
    },
}

/// All shares of one server.
#[derive(Debug)]
pub struct ShareTable {
    shares: RwLock<BTreeMap<String, Arc<Share>>>,
    keeper: Arc<Gatekeeper>,
    handles: Arc<Handles>,
}

impl Default for ShareTable {
    fn default() -> Self {
        Self::new(WRITER_WAIT_MAX)
    }
}

impl ShareTable {
    /// An empty table, whose writers wait so long for a frozen store.
    pub fn new(writer_wait_max: Duration) -> Self {
        Self {
            shares: RwLock::default(),
            keeper: Gatekeeper::new(writer_wait_max),
            handles: Arc::default(),
        }
    }

    /// The share of that name, compared without case.
    pub fn find(&self, name: &str) -> Option<Arc<Share>> {
        self.shares
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&fold(name))
            .cloned()
    }

    /// What is open in any of the shares, and how.
    pub fn handles(&self) -> &Arc<Handles> {
        &self.handles
    }

    /// All shares in order of their names.
    pub fn list(&self) -> Vec<Arc<Share>> {
        self.shares
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// The exposed shadow copies of a base share, the newest first.
    pub fn previous_versions(&self, of: &str) -> Vec<Arc<Share>> {
        let mut found: Vec<(u64, Arc<Share>)> = Vec::new();
        for share in self.list() {
            if let ShareKind::Exposed { base, created, .. } = share.kind()
                && fold(base) == fold(of)
            {
                found.push((*created, Arc::clone(&share)));
            }
        }
        found.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
        found.into_iter().map(|(_, share)| share).collect()
    }

    /// Adds a share of the configuration.
    ///
    /// # Errors
    /// See [`ShareError`].
    pub fn add_base(&self, base: BaseShare) -> Result<Arc<Share>, ShareError> {
        let name = base.name;
        let root_error = |source| ShareError::Root {
            name: name.clone(),
            path: base.path.clone(),
            source,
        };
        let tree = Arc::new(Tree::open(&base.path).map_err(root_error)?);
        let volume_name = match base.store {
            Some(_)
                if base
                    .backend
                    .supports(tree.path())
                    .is_ok_and(|kind| kind == BackendKind::Btrfs) =>
            {
                return Err(ShareError::StoreIsKnown(name));
            }
            Some(store) => store,
            None => file_store_of(tree.path()).map_err(root_error)?,
        };
        let place = base.place.unwrap_or_else(|| default_place(tree.path()));
        let place = place::resolved(&place);
        let gate = self.keeper.gate(volume_name.clone(), !base.read_only);
        let share = Share {
            name,
            comment: base.comment,
            volume_name,
            kind: ShareKind::Base {
                backend: base.backend,
                place,
            },
            access: RwLock::new(base.access),
            encrypts: base.encrypts,
            compatibility: base.compatibility,
            tree,
            gate,
        };
        self.insert(share)
    }

    /// MS-FSRVP 3.1.4.6: exposes a shadow copy as a share.
    ///
    /// # Errors
    /// See [`ShareError`].
    pub fn add_exposed(&self, exposed: ExposedShare) -> Result<Arc<Share>, ShareError> {
        let snapshot = exposed.snapshot;
        let opened = Tree::open_inside(&snapshot.container(), &snapshot.inside);
        let tree = opened.map_err(|source| ShareError::Root {
            name: exposed.name.clone(),
            path: snapshot.root(),
            source,
        })?;
        let volume_name = format!("shadow-copy-{}", snapshot.shadow_copy_id);
        let gate = self.keeper.gate(volume_name.clone(), exposed.writable);
        self.insert(Share {
            name: exposed.name,
            comment: exposed.comment,
            volume_name,
            kind: ShareKind::Exposed {
                base: exposed.base,
                shadow_copy_id: snapshot.shadow_copy_id,
                created: exposed.created,
            },
            access: RwLock::new(exposed.access),
            encrypts: exposed.encrypts,
            compatibility: 0,
            tree: Arc::new(tree),
            gate,
        })
    }

    /// Takes a share away: nobody finds it any more, its handles fail from now on, and the changes
    /// that were under way have ended. `None` when there is none of that name.
    ///
    /// # Errors
    /// Changes that were under way did not end within `bound`; the share is gone all the same.
    pub fn remove(&self, name: &str, bound: Duration) -> Result<Option<Arc<Share>>, StillBusy> {
        let removed = self
            .shares
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&fold(name));
        if let Some(share) = &removed {
            share.gate.remove(bound)?;
        }
        Ok(removed)
    }

    /// MS-FSRVP 3.1.4.5: keeps all changes out of these file stores, as [`Share::volume_name`]
    /// names them, until the answer is dropped. Changes under way are awaited, new ones wait.
    ///
    /// # Errors
    /// Changes that were under way, or another freeze, did not end within `bound`.
    pub fn freeze(
        &self,
        stores: impl IntoIterator<Item = String>,
        bound: Duration,
    ) -> Result<Freeze, StillBusy> {
        self.keeper
            .freeze(stores.into_iter().collect::<BTreeSet<_>>(), bound)
    }

    fn insert(&self, share: Share) -> Result<Arc<Share>, ShareError> {
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        let key = fold(&share.name);
        if shares.contains_key(&key) {
            return Err(ShareError::NameTaken(share.name));
        }
        let share = Arc::new(share);
        place::must_be_invisible(shares.values(), &share)?;
        shares.insert(key, Arc::clone(&share));
        Ok(share)
    }
}

/// The share that pipes are opened in.
const PIPES: &str = "IPC$";

impl ShareCatalogue for ShareTable {
    fn find(&self, share_name: &str) -> Option<ShareInfo> {
        let Some(share) = ShareTable::find(self, share_name) else {
            // A share like others to MS-SMB2 3.3.1.6, and without a file store.
            return (fold(share_name) == PIPES).then(|| ShareInfo {
                name: PIPES.to_owned(),
                volume_name: PIPES.to_owned(),
                support: Support::Unsupported,
                compatibility: 0,
            });
        };
        let support = match share.supports_shadow_copies() {
            _ if matches!(share.kind, ShareKind::Exposed { .. }) => Support::Unsupported,
            Ok(_) => Support::Supported,
            Err(reason) => {
                tracing::debug!(share = share.name, %reason, "no shadow copies");
                Support::Unsupported
            }
        };
        Some(ShareInfo {
            name: share.name.clone(),
            volume_name: share.volume_name.clone(),
            support,
            compatibility: share.compatibility,
        })
    }
}

fn fold(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).collect()
}
