//! What tests of this server may ask of it, as a library; no configuration file can.

use std::sync::Arc;

/// The steps of the server's work, in the order in which a lifecycle first meets them. A process
/// that ends at any of them loses nothing that was answered with ZERO, and leaves nothing behind.
pub const STEPS: [&str; 26] = [
    "start.loaded",
    "start.cleaned",
    "start.exposed",
    "store.begin",
    "store.done",
    "reply",
    "prepare.begin",
    "prepare.done",
    "commit.begin",
    "commit.frozen",
    "create.begun",
    "create.entry-copied",
    "create.filled",
    "create.renamed",
    "commit.copied",
    "commit.thawed",
    "commit.synced",
    "expose.begin",
    "expose.share-added",
    "expose.done",
    "seal.begin",
    "seal.shares-closed",
    "seal.done",
    "remove.begin",
    "remove.shares-gone",
    "remove.copy-deleted",
];

type OnStep = Arc<dyn Fn(&'static str) + Send + Sync>;

/// How a test watches a server, or makes it worse than it is.
#[derive(Clone, Default)]
pub struct Trial {
    on_step: Option<OnStep>,
    without_sync: bool,
}

impl Trial {
    /// Calls `on_step` with the name of each step of [`STEPS`] as it is reached.
    #[must_use]
    pub fn on_step(mut self, on_step: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        self.on_step = Some(Arc::new(on_step));
        self
    }

    /// The configuration store brings nothing to the disk any more, which a test of power cuts has
    /// to notice.
    #[must_use]
    pub fn without_sync(mut self) -> Self {
        self.without_sync = true;
        self
    }

    pub(crate) fn step(&self, name: &'static str) {
        if let Some(on_step) = &self.on_step {
            on_step(name);
        }
    }

    pub(crate) fn watches(&self) -> Option<Arc<dyn Fn(&'static str) + Send + Sync>> {
        self.on_step.clone()
    }

    pub(crate) fn syncs(&self) -> bool {
        !self.without_sync
    }
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial")
            .field("watched", &self.on_step.is_some())
            .field("without_sync", &self.without_sync)
            .finish()
    }
}
