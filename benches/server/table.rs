//! What was measured, as a table.

use crate::Outcome;
use crate::machine;
use crate::peers::{Pair, Which};
use std::time::{Duration, Instant};

/// What one server did in one round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    /// The work per second.
    pub(crate) rate: f64,
    /// The server's processor seconds per unit of [`Row::cpu_unit`].
    pub(crate) cpu: f64,
}

/// One line: the same work done by both servers.
pub(crate) struct Row {
    name: String,
    unit: &'static str,
    cpu_unit: &'static str,
    /// The least ratio of the two rates.
    at_least: f64,
    smbd: Vec<Sample>,
    ours: Vec<Sample>,
}

impl Row {
    /// A line without samples.
    pub(crate) fn new(
        name: impl Into<String>,
        unit: &'static str,
        cpu_unit: &'static str,
        at_least: f64,
    ) -> Row {
        Row {
            name: name.into(),
            unit,
            cpu_unit,
            at_least,
            smbd: Vec::new(),
            ours: Vec::new(),
        }
    }

    /// Takes a sample in.
    pub(crate) fn add(&mut self, which: Which, sample: Sample) {
        match which {
            Which::Smbd => self.smbd.push(sample),
            Which::Ours => self.ours.push(sample),
        }
    }
}

/// All lines so far.
#[derive(Default)]
pub(crate) struct Table {
    missed: Vec<String>,
    has_head: bool,
}

impl Table {
    /// Prints a line, and notes whether it reaches its target.
    pub(crate) fn print(&mut self, row: &Row) {
        if !self.has_head {
            println!(
                "{:<34} {:>9} {:>9} {:<8} {:>5} {:>6}   {:>7} {:>7} CPU s/",
                "", "smbd", "ours", "", "ratio", "target", "smbd", "ours"
            );
            self.has_head = true;
        }
        let (smbd, ours) = (median(&row.smbd), median(&row.ours));
        let ratio = ours.rate / smbd.rate;
        println!(
            "{:<34} {:>9.1} {:>9.1} {:<8} {ratio:>5.2} {:>6.1}   {:>7.3} {:>7.3} {}",
            row.name,
            smbd.rate,
            ours.rate,
            row.unit,
            row.at_least,
            smbd.cpu,
            ours.cpu,
            row.cpu_unit
        );
        if ratio < row.at_least {
            self.missed
                .push(format!("{}: {ratio:.2} of smbd", row.name));
        }
    }

    /// Notes a target that was missed.
    pub(crate) fn miss(&mut self, what: String) {
        self.missed.push(what);
    }

    /// An error where a target was missed.
    pub(crate) fn judge(self) -> Outcome<()> {
        if self.missed.is_empty() {
            return Ok(());
        }
        Err(format!("missed: {}", self.missed.join("; ")).into())
    }
}

fn median(samples: &[Sample]) -> Sample {
    let middle = |value: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Sample {
        rate: middle(|sample| sample.rate),
        cpu: middle(|sample| sample.cpu),
    }
}

/// Runs `work`; gives what it gave, how long it took, and the processor time that the server used.
pub(crate) fn timed<T>(
    pair: &Pair,
    which: Which,
    work: impl FnOnce() -> Outcome<T>,
) -> Outcome<(T, Duration, Duration)> {
    let before = machine::cpu(&pair.processes(which));
    let began = Instant::now();
    let done = work()?;
    let took = began.elapsed();
    let after = machine::cpu(&pair.processes(which));
    Ok((done, took, after.saturating_sub(before)))
}
