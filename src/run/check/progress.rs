//! How far a run has come, in one line on standard error that is gone at the end.

use crate::outcome::Verdict;
use crate::run::check::CheckOptions;
use std::io::{self, Write};
use std::sync::Mutex;

/// How many lifecycles go by before the line is written again.
const LIVES_A_LINE: u64 = 20;
/// Back to the line's first column, and the rest of the line cleared.
const CLEAR: &str = "\r\x1b[K";

/// Counts what was played, from every worker, and shows it where that is wanted. Dropped, it takes
/// its line away.
pub(super) struct Progress<'w> {
    cases: usize,
    lives: u64,
    strict: bool,
    state: Mutex<State<'w>>,
}

struct State<'w> {
    /// `None`: nothing is shown.
    to: Option<Box<dyn Write + Send + 'w>>,
    played: usize,
    lived: u64,
    failed: usize,
}

impl Progress<'static> {
    /// Of a run of this many cases and lifecycles, on standard error.
    pub(super) fn new(options: &CheckOptions, cases: usize, lives: u64) -> Progress<'static> {
        let to = options.progress.then(|| Box::new(io::stderr()) as _);
        Progress::onto(to, options.strict, cases, lives)
    }
}

impl<'w> Progress<'w> {
    fn onto(
        to: Option<Box<dyn Write + Send + 'w>>,
        strict: bool,
        cases: usize,
        lives: u64,
    ) -> Progress<'w> {
        let state = State {
            to,
            played: 0,
            lived: 0,
            failed: 0,
        };
        Progress {
            cases,
            lives,
            strict,
            state: Mutex::new(state),
        }
    }

    /// A case was played and came to `verdict`.
    pub(super) fn played(&self, verdict: Verdict) {
        let fails = verdict.is_failure(self.strict);
        self.note(|state| {
            state.played += 1;
            state.failed += usize::from(fails);
            true
        });
    }

    /// A lifecycle was played.
    pub(super) fn lived(&self, failed: bool) {
        self.note(|state| {
            state.lived += 1;
            state.failed += usize::from(failed);
            failed || state.lived.is_multiple_of(LIVES_A_LINE)
        });
    }

    /// Counts, and writes the line where `count` says so.
    fn note(&self, count: impl FnOnce(&mut State<'w>) -> bool) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        if !count(&mut state) {
            return;
        }
        let mut line = format!("{CLEAR}{} of {} cases", state.played, self.cases);
        if self.lives > 0 {
            line += &format!(", {} of {} lifecycles", state.lived, self.lives);
        }
        line += &format!(", {} failed", state.failed);
        state.show(&line);
    }
}

impl State<'_> {
    fn show(&mut self, text: &str) {
        if let Some(to) = &mut self.to {
            // Nobody is left to tell where standard error is closed.
            let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Ok(state) = self.state.get_mut() {
            state.show(CLEAR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_and_is_gone_at_the_end() {
        let mut shown = Vec::new();
        {
            let progress = Progress::onto(Some(Box::new(&mut shown)), false, 3, 40);
            progress.played(Verdict::Pass);
            progress.played(Verdict::NonStrict);
            progress.played(Verdict::Fail);
            for n in 0..40 {
                progress.lived(n == 1);
            }
        }
        let shown = String::from_utf8(shown).expect("it is text");
        let lines: Vec<&str> = shown.split(CLEAR).collect();
        let wanted = [
            "",
            "1 of 3 cases, 0 of 40 lifecycles, 0 failed",
            "2 of 3 cases, 0 of 40 lifecycles, 0 failed",
            "3 of 3 cases, 0 of 40 lifecycles, 1 failed",
            "3 of 3 cases, 2 of 40 lifecycles, 2 failed",
            "3 of 3 cases, 20 of 40 lifecycles, 2 failed",
            "3 of 3 cases, 40 of 40 lifecycles, 2 failed",
            "",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn strict_counts_what_is_not_strict_as_failed() {
        let mut shown = Vec::new();
        let progress = Progress::onto(Some(Box::new(&mut shown)), true, 1, 0);
        progress.played(Verdict::NonStrict);
        drop(progress);
        let shown = String::from_utf8(shown).expect("it is text");
        assert_eq!(shown, format!("{CLEAR}1 of 1 cases, 1 failed{CLEAR}"));
    }
}
