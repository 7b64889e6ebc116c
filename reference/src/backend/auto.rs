//! `btrfs` where the share is on a subvolume, `copy` elsewhere.

use std::path::Path;

use super::{
    BackendError, BackendKind, BackendSnapshot, BtrfsBackend, CopyBackend, CreateRequest,
    ShadowBackend,
};

/// Chooses for each share; and for a backend snapshot that exists, whoever made it.
#[derive(Debug, Default)]
pub struct AutoBackend {
    btrfs: BtrfsBackend,
    copy: CopyBackend,
}

impl AutoBackend {
    /// With a backend `copy` of the caller's making.
    pub fn new(copy: CopyBackend) -> Self {
        Self {
            btrfs: BtrfsBackend,
            copy,
        }
    }

    fn for_source(&self, source_root: &Path) -> &dyn ShadowBackend {
        match self.btrfs.supports(source_root) {
            Ok(_) => &self.btrfs,
            Err(_) => &self.copy,
        }
    }

    fn maker(&self, snapshot: &BackendSnapshot) -> &dyn ShadowBackend {
        match snapshot.kind {
            BackendKind::Btrfs => &self.btrfs,
            BackendKind::Copy => &self.copy,
        }
    }
}

impl ShadowBackend for AutoBackend {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        self.for_source(source_root).supports(source_root)
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        self.for_source(&request.source_root).create(request)
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.maker(snapshot).seal(snapshot)
    }

    fn seals_on_disk(&self, snapshot: &BackendSnapshot) -> bool {
        self.maker(snapshot).seals_on_disk(snapshot)
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.maker(snapshot).delete(snapshot)
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        let mut found = self.btrfs.list(place)?;
        found.extend(self.copy.list(place)?);
        found.sort_by_key(|snapshot| snapshot.shadow_copy_id);
        Ok(found)
    }

    fn delete_unfinished(&self, place: &Path) -> Result<usize, BackendError> {
        Ok(self.btrfs.delete_unfinished(place)? + self.copy.delete_unfinished(place)?)
    }
}
