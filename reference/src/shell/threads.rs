//! Which threads file work may keep busy. Work that changes something waits while its file store is
//! frozen, and its thread with it; so that it takes none from those who read, and none from the
//! agent, who ends the freeze, each kind has its own share of what a runtime has.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many threads one connection may keep busy.
const OF_CONNECTION_MAX: usize = 32;

/// How many threads the changes of all connections may keep busy.
const CHANGING_MAX: usize = 256;

/// How many threads all other file work may keep busy. With those of changes they are fewer than the
/// 512 that a runtime has for blocking work by itself.
const READING_MAX: usize = 128;

/// The threads of all connections of a server.
#[derive(Debug, Clone)]
pub(super) struct Threads {
    changing: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

impl Default for Threads {
    fn default() -> Self {
        Threads {
            changing: Arc::new(Semaphore::new(CHANGING_MAX)),
            reading: Arc::new(Semaphore::new(READING_MAX)),
        }
    }
}

/// One thread; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Thread(
    #[expect(dead_code, reason = "held, not looked at")] Vec<Option<OwnedSemaphorePermit>>,
);

/// The threads of one connection, which are some of those of all.
#[derive(Debug, Clone)]
pub(super) struct OwnThreads {
    own: Threads,
    all: Threads,
}

impl OwnThreads {
    pub(super) fn of(all: &Threads) -> OwnThreads {
        let some = || Arc::new(Semaphore::new(OF_CONNECTION_MAX / 2));
        OwnThreads {
            own: Threads {
                changing: some(),
                reading: some(),
            },
            all: all.clone(),
        }
    }

    /// Waits for a thread for work that changes something, or for other work.
    pub(super) async fn take(self, changes: bool) -> Thread {
        let own = self.own.take(changes).await;
        Thread(vec![own, self.all.take(changes).await])
    }
}

impl Threads {
    /// `None` only for one who has closed the semaphore, which nobody does.
    async fn take(self, changes: bool) -> Option<OwnedSemaphorePermit> {
        let threads = match changes {
            true => self.changing,
            false => self.reading,
        };
        threads.acquire_owned().await.ok()
    }
}
