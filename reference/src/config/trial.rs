//! What tests of this server may ask of it, as a library; no configuration file can.

use crate::backend::{BackendError, FaultControl, FaultyBackend, Operation, ShadowBackend};
use std::net::SocketAddr;
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

type OnTraffic = Arc<dyn Fn(Traffic<'_>) + Send + Sync>;

/// Something that passes between a client and this server.
#[derive(Debug, Clone, Copy)]
pub struct Traffic<'a> {
    /// The number of the connection; each has its own.
    pub connection: u64,
    /// Who made the connection.
    pub client: SocketAddr,
    /// What passes.
    pub passing: Passing<'a>,
}

/// What passes between a client and this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing<'a> {
    /// The connection was made.
    Opened,
    /// These bytes came from the client, and nothing was done with them yet.
    Received(&'a [u8]),
    /// These bytes are about to be sent.
    Sent(&'a [u8]),
    /// The connection is over.
    Closed {
        /// Whether the client has ended it.
        by_client: bool,
    },
}

/// How a test watches a server, or makes it worse than it is.
#[derive(Clone, Default)]
pub struct Trial {
    on_step: Option<OnStep>,
    on_traffic: Option<OnTraffic>,
    faults: Option<FaultControl>,
    without_sync: bool,
}

impl Trial {
    /// Calls `on_step` with the name of each step of [`STEPS`] as it is reached.
    #[must_use]
    pub fn on_step(mut self, on_step: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        self.on_step = Some(Arc::new(on_step));
        self
    }

    /// Calls `on_traffic` with everything that passes between clients and the server, in an order
    /// in which it may have happened: what a client sends passes before anything is done with it,
    /// and an answer before it leaves.
    #[must_use]
    pub fn on_traffic(mut self, on_traffic: impl Fn(Traffic<'_>) + Send + Sync + 'static) -> Self {
        self.on_traffic = Some(Arc::new(on_traffic));
        self
    }

    /// Work of the backend, and what Prepare and Expose wait for, fails or blocks as `faults` says.
    #[must_use]
    pub fn faults(mut self, faults: FaultControl) -> Self {
        self.faults = Some(faults);
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

    /// The backend, with the faults that were asked for.
    pub(crate) fn backend(&self, backend: Arc<dyn ShadowBackend>) -> Arc<dyn ShadowBackend> {
        match &self.faults {
            Some(faults) => Arc::new(FaultyBackend::new(backend, faults.clone())),
            None => backend,
        }
    }

    /// Does work that is no backend's, with the faults that were asked for.
    pub(crate) fn work<T>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        match &self.faults {
            Some(faults) => faults.run(operation, work),
            None => work(),
        }
    }

    pub(crate) fn traffic(&self, traffic: Traffic<'_>) {
        if let Some(on_traffic) = &self.on_traffic {
            on_traffic(traffic);
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
            .field("tapped", &self.on_traffic.is_some())
            .field("without_sync", &self.without_sync)
            .finish()
    }
}
