//! A wrapper that fails or blocks where a test says so.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{BackendError, BackendKind, BackendSnapshot, CreateRequest, ShadowBackend};

/// The operations that can be made to fail or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`ShadowBackend::supports`]
    Supports,
    /// [`ShadowBackend::create`]
    Create,
    /// [`ShadowBackend::sync`]
    Sync,
    /// [`ShadowBackend::seal`]
    Seal,
    /// [`ShadowBackend::delete`]
    Delete,
    /// [`ShadowBackend::list`]
    List,
    /// What a PrepareShadowCopySet waits for, which no backend does.
    Prepare,
    /// What an ExposeShadowCopySet waits for, which no backend does.
    Expose,
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This many calls fail without reaching the backend; later ones work.
    FailNext(usize),
    /// Every call fails without reaching the backend.
    FailAlways,
    /// This many calls reach the backend and fail nevertheless: done, and the answer lost.
    FailAfterNext(usize),
    /// This many calls end without an outcome: nobody learns what has become of them.
    LoseNext(usize),
    /// Calls wait until the fault is changed or taken back, then go on by the new rule.
    Block,
}

#[derive(Debug, Default)]
struct State {
    faults: HashMap<Operation, Fault>,
    waiting: HashMap<Operation, usize>,
    calls: HashMap<Operation, usize>,
    done: HashMap<Operation, usize>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// How a test steers a [`FaultyBackend`]; clones steer the same one.
#[derive(Clone, Debug, Default)]
pub struct FaultControl {
    shared: Arc<Shared>,
}

impl FaultControl {
    /// From now on `operation` behaves so.
    pub fn set(&self, operation: Operation, fault: Fault) {
        self.lock().faults.insert(operation, fault);
        self.shared.changed.notify_all();
    }

    /// `operation` works again; calls that wait go on.
    pub fn clear(&self, operation: Operation) {
        self.lock().faults.remove(&operation);
        self.shared.changed.notify_all();
    }

    /// Returns once at least one call of `operation` waits in [`Fault::Block`].
    pub fn wait_until_blocked(&self, operation: Operation) {
        while !self.is_blocked_within(operation, Duration::from_secs(60)) {}
    }

    /// As [`FaultControl::wait_until_blocked`], for no longer than `bound`; tells whether one waits.
    #[must_use]
    pub fn is_blocked_within(&self, operation: Operation, bound: Duration) -> bool {
        let blocked = |state: &mut State| state.waiting.get(&operation).copied().unwrap_or(0) == 0;
        let state = self.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, bound, blocked);
        let (_state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    /// Returns once the backend has come to an end with so many calls of `operation`.
    pub fn wait_until_done(&self, operation: Operation, count: usize) {
        let is_less = |state: &mut State| state.done.get(&operation).copied().unwrap_or(0) < count;
        let state = self.lock();
        drop(
            self.shared
                .changed
                .wait_while(state, is_less)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// How often `operation` was called, whatever became of it.
    pub fn calls(&self, operation: Operation) -> usize {
        self.lock().calls.get(&operation).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` as a call of `operation`.
    pub(crate) fn run<T>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let fail_after = self.enter(operation)?;
        let done = work();
        *self.lock().done.entry(operation).or_default() += 1;
        self.shared.changed.notify_all();
        let done = done?;
        if fail_after {
            Err(BackendError::Injected(operation))
        } else {
            Ok(done)
        }
    }

    /// What to do with a call: `Ok(true)` means run it and fail afterwards.
    fn enter(&self, operation: Operation) -> Result<bool, BackendError> {
        let mut state = self.lock();
        *state.calls.entry(operation).or_default() += 1;
        *state.waiting.entry(operation).or_default() += 1;
        self.shared.changed.notify_all();
        let blocks = |state: &mut State| state.faults.get(&operation) == Some(&Fault::Block);
        if blocks(&mut state) {
            state = self
                .shared
                .changed
                .wait_while(state, blocks)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(waiting) = state.waiting.get_mut(&operation) {
            *waiting = waiting.saturating_sub(1);
        }
        match state.faults.get_mut(&operation) {
            Some(Fault::FailNext(left)) if *left > 0 => {
                *left -= 1;
                Err(BackendError::Injected(operation))
            }
            Some(Fault::FailAfterNext(left)) if *left > 0 => {
                *left -= 1;
                Ok(true)
            }
            Some(Fault::LoseNext(left)) if *left > 0 => {
                *left -= 1;
                Err(BackendError::Lost(operation))
            }
            Some(Fault::FailAlways) => Err(BackendError::Injected(operation)),
            _ => Ok(false),
        }
    }
}

/// Wraps any backend; transparent until its [`FaultControl`] says otherwise.
#[derive(Debug)]
pub struct FaultyBackend {
    inner: Arc<dyn ShadowBackend>,
    control: FaultControl,
}

impl FaultyBackend {
    /// Wraps `inner`, steered by `control`.
    pub fn new(inner: Arc<dyn ShadowBackend>, control: FaultControl) -> Self {
        Self { inner, control }
    }

    fn run<T>(
        &self,
        operation: Operation,
        call: impl FnOnce(&dyn ShadowBackend) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        self.control.run(operation, || call(&*self.inner))
    }
}

impl ShadowBackend for FaultyBackend {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn supports(&self, source_root: &Path) -> Result<BackendKind, BackendError> {
        self.run(Operation::Supports, |inner| inner.supports(source_root))
    }

    fn create(&self, request: &CreateRequest) -> Result<BackendSnapshot, BackendError> {
        self.run(Operation::Create, |inner| inner.create(request))
    }

    fn sync(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.run(Operation::Sync, |inner| inner.sync(snapshot))
    }

    fn left_out(&self, source_root: &Path) -> Result<Vec<PathBuf>, BackendError> {
        self.inner.left_out(source_root)
    }

    fn seal(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.run(Operation::Seal, |inner| inner.seal(snapshot))
    }

    fn seals_on_disk(&self, snapshot: &BackendSnapshot) -> bool {
        self.inner.seals_on_disk(snapshot)
    }

    fn delete(&self, snapshot: &BackendSnapshot) -> Result<(), BackendError> {
        self.run(Operation::Delete, |inner| inner.delete(snapshot))
    }

    fn list(&self, place: &Path) -> Result<Vec<BackendSnapshot>, BackendError> {
        self.run(Operation::List, |inner| inner.list(place))
    }

    fn delete_unfinished(&self, place: &Path) -> Result<usize, BackendError> {
        self.inner.delete_unfinished(place)
    }
}
