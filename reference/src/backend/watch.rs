//! How a `create` under way is watched: it can be given up, and it tells how far it has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is told of each step by its name.
type OnStep = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Who looks on while a backend snapshot is made; clones are the same one.
#[derive(Clone, Default)]
pub struct Watch {
    given_up: Arc<AtomicBool>,
    on_step: Option<OnStep>,
}

impl Watch {
    /// Tells `on_step` how far the work has come.
    pub fn telling(on_step: OnStep) -> Self {
        Self {
            given_up: Arc::default(),
            on_step: Some(on_step),
        }
    }

    /// From now on nobody wants the backend snapshot: the work ends with an error, soon.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    pub(crate) fn step(&self, name: &'static str) {
        if let Some(on_step) = &self.on_step {
            on_step(name);
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("given_up", &self.is_given_up())
            .finish_non_exhaustive()
    }
}
