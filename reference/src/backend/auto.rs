//! All backends together: one of them makes, and whoever made something seals and deletes it.
//!
//! So a server whose configuration names another backend than last time still knows what it has.

use std::path::{Path, PathBuf};

use super::command::recorded;
use super::{
    BackendError, BackendKind, BackendSnapshot, BtrfsBackend, CommandBackend, CopyBackend,
    CreateRequest, Programs, ReflinkBackend, ShadowBackend,
};

/// Makes backend snapshots with the first that fits of `btrfs`, `reflink` and `copy`, or always
/// with the same one.
#[derive(Debug, Default)]
pub struct AutoBackend {
    only: Option<BackendKind>,
    btrfs: BtrfsBackend,
    reflink: ReflinkBackend,
    copy: CopyBackend,
    command: Option<CommandBackend>,
}

impl AutoBackend {
    /// With a backend `copy` of the caller's making.
    pub fn new(copy: CopyBackend) -> Self {
        Self {
            copy,
            ..Self::default()
        }
    }

    /// Makes everything with one backend.
    pub fn only(kind: BackendKind) -> Self {
        Self {
            only: Some(kind),
            ..Self::default()
        }
    }

    /// With the programs of the backend `command`, whether they make anything or not.
    #[must_use]
    pub fn with_programs(mut self, programs: Programs) -> Self {
        self.command = Some(CommandBackend::new(programs));
        self
    }

    fn for_source(&self, source_root: &Path) -> Result<&dyn ShadowBackend, BackendError> {
        if let Some(kind) = self.only {
            return self.of_kind(kind, source_root);
        }
        let first: [&dyn ShadowBackend; 2] = [&self.btrfs, &self.reflink];
        let fits = |backend: &&dyn ShadowBackend| backend.supports(source_root).is_ok();
        Ok(first.into_iter().find(fits).unwrap_or(&self.copy))
    }

    fn maker(&self, snapshot: &BackendSnapshot) -> Result<&dyn ShadowBackend, BackendError> {
        self.of_kind(snapshot.kind, &snapshot.place)
    }

    fn of_kind(&self, kind: BackendKind, at: &Path) -> Result<&dyn ShadowBackend, BackendError> {
        Ok(match kind {
            BackendKind::Btrfs => &self.btrfs,
            BackendKind::Reflink => &self.reflink,
            BackendKind::Copy => &self.copy,
            BackendKind::Command => match &self.command {
                Some(command) => command,
                None => {
                    let reason = "the configuration names no programs for the backend command";
                    return Err(BackendError::unsupported(at, reason));
                }
            },
        })
    }
}

impl ShadowBackend for AutoBackend {
    fn name(&self) -> &'static str {
        self.only.map_or("auto", BackendKind::name)
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        self.for_source(source_root)?.supports(source_root)
    }

    fn left_out(&self, source_root: &Path) -> Result<Vec<PathBuf>, BackendError> {
        self.for_source(source_root)?.left_out(source_root)
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        self.for_source(&request.source_root)?.create(request)
    }

    fn sync(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.maker(snapshot)?.sync(snapshot)
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.maker(snapshot)?.seal(snapshot)
    }

    fn seals_on_disk(&self, snapshot: &BackendSnapshot) -> bool {
        let maker = self.maker(snapshot);
        maker.is_ok_and(|maker| maker.seals_on_disk(snapshot))
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.maker(snapshot)?.delete(snapshot)
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        let mut found = recorded(place)?;
        let mut others = self.btrfs.list(place)?;
        // Trees of `reflink` are trees to `copy` as well.
        others.extend(self.copy.list(place)?);
        // What a program made may look like a tree or a subvolume, and is still its own.
        others.retain(|other| {
            let mut recorded = found.iter();
            !recorded.any(|own| own.shadow_copy_id == other.shadow_copy_id)
        });
        found.extend(others);
        found.sort_by_key(|snapshot| snapshot.shadow_copy_id);
        Ok(found)
    }

    fn delete_unfinished(&self, place: &Path) -> Result<usize, BackendError> {
        Ok(self.btrfs.delete_unfinished(place)? + self.copy.delete_unfinished(place)?)
    }
}
