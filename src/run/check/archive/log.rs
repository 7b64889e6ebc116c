//! What the embedded server logs while a case is played.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing::Dispatch;
use tracing::dispatcher::{DefaultGuard, set_default};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How much of it is kept, in bytes.
const LOG_BYTES_MAX: usize = 4 << 20;

/// The lines since the last time that they were taken.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(mut lines) = self.0.lock()
            && lines.len() + bytes.len() <= LOG_BYTES_MAX
        {
            lines.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

/// Listens to what the threads log that it was given to.
#[derive(Clone)]
pub(in crate::run::check) struct Log {
    lines: Lines,
    dispatch: Dispatch,
}

impl Log {
    /// Nothing was logged yet.
    pub(in crate::run::check) fn new() -> Log {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::INFO)
            .with_ansi(false)
            .with_writer(lines.clone())
            .finish();
        Log {
            lines,
            dispatch: Dispatch::new(subscriber),
        }
    }

    /// Listens to this thread as long as the guard lives.
    pub(in crate::run::check) fn listen(&self) -> DefaultGuard {
        set_default(&self.dispatch)
    }

    /// Listens to this thread until it ends.
    pub(in crate::run::check) fn listen_always(&self) {
        // Its drop would end it, and belongs to this thread.
        std::mem::forget(self.listen());
    }

    /// What was logged since the last time.
    pub(in crate::run::check) fn take(&self) -> Vec<u8> {
        match self.lines.0.lock() {
            Ok(mut lines) => std::mem::take(&mut *lines),
            Err(_) => Vec::new(),
        }
    }

    /// Lets go of what was logged.
    pub(in crate::run::check) fn clear(&self) {
        if let Ok(mut lines) = self.lines.0.lock() {
            lines.clear();
        }
    }
}
