//! Who may stay without having logged on: so many, and of more than that the ones who came last. A
//! flood of connections that say nothing so keeps nobody out who logs on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

#[derive(Debug, Default)]
struct Inside {
    last: u64,
    /// Those who have not logged on, the oldest first; dropping the sender shows one out.
    strangers: BTreeMap<u64, oneshot::Sender<()>>,
}

/// All who have not logged on yet.
#[derive(Debug)]
pub(super) struct Door {
    max: usize,
    inside: Mutex<Inside>,
}

impl Door {
    pub(super) fn new(max: usize) -> Arc<Door> {
        Arc::new(Door {
            max,
            inside: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one more in; where that is one too many, the oldest has to go.
    pub(super) fn enter(self: &Arc<Self>) -> Stranger {
        let (stays, leaves) = oneshot::channel();
        let mut inside = self.lock();
        if inside.strangers.len() >= self.max {
            inside.strangers.pop_first();
        }
        inside.last += 1;
        let id = inside.last;
        inside.strangers.insert(id, stays);
        Stranger {
            door: Arc::clone(self),
            id,
            leaves,
        }
    }
}

/// One who has not logged on yet; dropped when that changes.
#[derive(Debug)]
pub(super) struct Stranger {
    door: Arc<Door>,
    id: u64,
    leaves: oneshot::Receiver<()>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.door.lock().strangers.remove(&self.id);
    }
}

/// Returns when the stranger has to go; never for one who is none.
pub(super) async fn shown_out(stranger: &mut Option<Stranger>) {
    match stranger {
        Some(stranger) => drop((&mut stranger.leaves).await),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, shown_out};

    #[tokio::test]
    async fn the_oldest_goes_and_who_has_logged_on_stays() {
        let door = Door::new(2);
        let (mut first, mut second) = (Some(door.enter()), Some(door.enter()));
        // The first logs on, which makes room for another.
        first = first.filter(|_| false);
        let mut third = Some(door.enter());
        assert_eq!(door.lock().strangers.len(), 2);
        let _fourth = door.enter();
        shown_out(&mut second).await;
        let is_gone = |stranger: &mut Option<super::Stranger>| {
            let stranger = stranger.as_mut().expect("a stranger");
            stranger.leaves.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Closed)
        };
        assert!(!is_gone(&mut third));
        assert!(first.is_none());
        drop(second);
        assert_eq!(door.lock().strangers.len(), 2);
    }
}
