//! MS-FSRVP 3.1.1.2 to 3.1.1.4: shadow copy sets, shadow copies and mapped shares.

use super::{BackendRef, ExposeOrder, unc};
use fsrvp_wire::fsrvp::{Context, ShadowCopyId, ShadowCopySetId};
use serde::{Deserialize, Serialize};

/// How many shadow copy sets the server keeps; where there are so many, one has to be deleted before
/// another one can be started.
pub const SETS_MAX: usize = 1024;

/// 3.1.1.2: how far a set has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Made by StartShadowCopySet.
    Started,
    /// Holds at least one share.
    Added,
    /// CommitShadowCopySet has begun.
    CreationInProgress,
    /// Every copy is made.
    Committed,
    /// Every share is exposed.
    Exposed,
    /// Read-only for good.
    Recovered,
}

/// 3.1.1.1: the GlobalShadowCopySetTable, which the configuration store holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// The sets in the order of their making.
    pub sets: Vec<ShadowCopySet>,
}

/// 3.1.1.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowCopySet {
    /// `ShadowCopySetId`.
    pub id: ShadowCopySetId,
    /// `Status`.
    pub status: Status,
    /// `Context`, as its number.
    pub context: u32,
    /// `ShadowCopyList`.
    pub copies: Vec<ShadowCopy>,
}

/// 3.1.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowCopy {
    /// `ShadowCopyId`.
    pub id: ShadowCopyId,
    /// `VolumeName`: the file store.
    pub volume_name: String,
    /// `CreationTimeStamp`, in 100 ns intervals since 1601-01-01 00:00 UTC.
    pub creation_timestamp: i64,
    /// `ShareMappingList`.
    pub mappings: Vec<MappedShare>,
    /// What the backend made; `None` before the commit.
    pub backend_ref: Option<BackendRef>,
}

/// 3.1.1.4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedShare {
    /// `ShareName` as the client gave it, in UNC form.
    pub share_name: String,
    /// The base share's own spelling of its name.
    pub base_name: String,
    /// `ShadowCopyShareName`; `None` while `IsExposed` is FALSE.
    pub exposed_name: Option<String>,
}

impl State {
    /// The set with this id.
    #[must_use]
    pub fn set(&self, id: ShadowCopySetId) -> Option<&ShadowCopySet> {
        self.sets.iter().find(|set| set.id == id)
    }

    /// The one set whose status is not Recovered.
    #[must_use]
    pub fn unfinished(&self) -> Option<&ShadowCopySet> {
        self.unfinished_before(Status::Recovered)
    }

    /// The set in progress that has not come to `status`.
    pub(super) fn unfinished_before(&self, status: Status) -> Option<&ShadowCopySet> {
        self.sets.iter().find(|set| set.status < status)
    }

    pub(super) fn set_mut(&mut self, id: ShadowCopySetId) -> Option<&mut ShadowCopySet> {
        self.sets.iter_mut().find(|set| set.id == id)
    }

    pub(super) fn without(&self, id: ShadowCopySetId) -> State {
        let sets = self
            .sets
            .iter()
            .filter(|set| set.id != id)
            .cloned()
            .collect();
        State { sets }
    }
}

impl ShadowCopySet {
    /// The `Context` of the set.
    #[must_use]
    pub fn context(&self) -> Context {
        Context(self.context)
    }

    /// The copy with this id.
    #[must_use]
    pub fn copy(&self, id: ShadowCopyId) -> Option<&ShadowCopy> {
        self.copies.iter().find(|copy| copy.id == id)
    }

    /// The names of all exposed shares of the set.
    #[must_use]
    pub fn exposed_names(&self) -> Vec<String> {
        let mappings = self.copies.iter().flat_map(|copy| &copy.mappings);
        mappings
            .filter_map(|mapping| mapping.exposed_name.clone())
            .collect()
    }

    /// Whether its exposed shares may be written to (MS-FSRVP 3.1.4.6, 3.1.4.7).
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.status == Status::Exposed && self.context().auto_recovery()
    }

    /// What would expose again what of the set is exposed.
    #[must_use]
    pub fn exposed_orders(&self, writable: bool) -> Vec<ExposeOrder> {
        let mut orders = Vec::new();
        for copy in &self.copies {
            for mapping in &copy.mappings {
                if let (Some(backend_ref), Some(name)) = (&copy.backend_ref, &mapping.exposed_name)
                {
                    orders.push(ExposeOrder {
                        shadow_copy_id: copy.id,
                        share_name: mapping.base_name.clone(),
                        exposed_name: name.clone(),
                        backend_ref: backend_ref.clone(),
                        creation_timestamp: copy.creation_timestamp,
                        writable,
                    });
                }
            }
        }
        orders
    }

    /// Whether the backend has made every copy.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.copies.iter().all(|copy| copy.backend_ref.is_some())
    }

    /// What the backend made for the set.
    #[must_use]
    pub fn backend_refs(&self) -> Vec<BackendRef> {
        self.copies
            .iter()
            .filter_map(|copy| copy.backend_ref.clone())
            .collect()
    }
}

impl ShadowCopy {
    /// The mapping of this share; names compare without case.
    pub(super) fn mapping(&self, share: &str) -> Option<&MappedShare> {
        self.mappings
            .iter()
            .find(|mapping| unc::same_name(&mapping.base_name, share))
    }
}

/// 3.1.4.6 and MS-FSRVP <9>: the name under which a shadow copy of a share is exposed.
///
/// With `every_dollar`, a base share whose name ends in `$` is enough to be hidden.
pub(super) fn exposed_name(mapping: &MappedShare, id: ShadowCopyId, every_dollar: bool) -> String {
    let is_hidden = match every_dollar {
        true => mapping.base_name.ends_with('$'),
        false => mapping.share_name.ends_with(r"$\"),
    };
    let hidden = if is_hidden { "$" } else { "" };
    format!("{}@{{{id}}}{hidden}", mapping.base_name)
}
