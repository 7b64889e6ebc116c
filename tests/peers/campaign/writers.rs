//! Clients that write numbers: each writer the same sequence into both shares, one after the other.
//! Half of them write into `data` first and half into `more`, so that whichever copy is made first,
//! a write that slips in between shows.

use super::child::SHARES;
use super::disk::{WRITERS, number};
use super::journal::Numbers;
use fsrvp::case::Target;
use fsrvp::drive::ManualClient;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

type Cells = [[AtomicU64; WRITERS]; 2];

/// What the writers have sent, and what was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    sent: Cells,
    acknowledged: Cells,
    events: AtomicUsize,
    /// After so many events somebody wants to know.
    alarm_at: AtomicUsize,
    alarm: Notify,
    stop: AtomicBool,
}

fn read(cells: &Cells) -> Numbers {
    cells
        .each_ref()
        .map(|share| share.each_ref().map(|cell| cell.load(Ordering::SeqCst)))
}

impl Counts {
    /// Counts that go on from what the files of the shares say. A writer that was cut off between
    /// its two shares is brought to one number in both first; nobody writes meanwhile.
    pub(crate) fn of(root: &Path) -> std::io::Result<Counts> {
        let counts = Counts::default();
        for writer in 0..WRITERS {
            let values = SHARES.map(|share| value_in(&root.join(share), writer).unwrap_or(0));
            let value = values.into_iter().max().unwrap_or(0);
            for (index, share) in SHARES.iter().enumerate() {
                let path = root.join(share).join(format!("w{writer}"));
                std::fs::write(path, number(value))?;
                counts.sent[index][writer].store(value, Ordering::SeqCst);
                counts.acknowledged[index][writer].store(value, Ordering::SeqCst);
            }
        }
        Ok(counts)
    }

    /// The next number of a writer for a share, which is on its way from now on.
    pub(crate) fn send(&self, share: usize, writer: usize) -> u64 {
        self.sent[share][writer].fetch_add(1, Ordering::SeqCst) + 1
    }

    /// It has arrived.
    pub(crate) fn acknowledge(&self, share: usize, writer: usize, value: u64) {
        self.acknowledged[share][writer].store(value, Ordering::SeqCst);
        self.tick();
    }

    /// Something was answered.
    pub(crate) fn tick(&self) {
        let events = self.events.fetch_add(1, Ordering::SeqCst) + 1;
        if events == self.alarm_at.load(Ordering::SeqCst) {
            self.alarm.notify_one();
        }
    }

    /// Returns once so many things were answered in all.
    pub(crate) async fn wait_for(&self, events: usize) {
        self.alarm_at.store(events, Ordering::SeqCst);
        if self.events.load(Ordering::SeqCst) < events {
            self.alarm.notified().await;
        }
    }

    pub(crate) fn sent(&self) -> Numbers {
        read(&self.sent)
    }

    pub(crate) fn acknowledged(&self) -> Numbers {
        read(&self.acknowledged)
    }

    /// The writers end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// The number that a writer's file below `root` holds.
pub(crate) fn value_in(root: &Path, writer: usize) -> Option<u64> {
    let text = std::fs::read_to_string(root.join(format!("w{writer}"))).ok()?;
    text.parse().ok()
}

/// Starts all writers, each on a connection of its own; they end when they are told to, or with the
/// server. What a server refuses is an error.
pub(crate) fn start(target: &Target, counts: &Arc<Counts>) -> Vec<JoinHandle<Result<(), String>>> {
    let one = |writer| {
        let (target, counts) = (target.clone(), Arc::clone(counts));
        tokio::spawn(async move { write(&target, &counts, writer).await })
    };
    (0..WRITERS).map(one).collect()
}

/// Into which share a writer writes first.
fn shares_of(writer: usize) -> (usize, usize) {
    if writer.is_multiple_of(2) {
        (0, 1)
    } else {
        (1, 0)
    }
}

async fn write(target: &Target, counts: &Counts, writer: usize) -> Result<(), String> {
    let name = format!("w{writer}");
    let Ok(mut client) = ManualClient::connect(target).await else {
        return Ok(());
    };
    let mut files = Vec::new();
    for share in SHARES {
        match client.open(share, &name).await {
            Ok(opened) => files.push(opened?),
            Err(_) => return Ok(()),
        }
    }
    let (first, second) = shares_of(writer);
    while !counts.stop.load(Ordering::SeqCst) {
        for share in [first, second] {
            let value = counts.send(share, writer);
            match client.write(files[share], number(value).as_bytes()).await {
                Ok(written) => written?,
                Err(_) => return Ok(()),
            }
            counts.acknowledge(share, writer, value);
        }
    }
    Ok(())
}

/// Whether the numbers in two copies can be of one instant: a writer's second share follows its
/// first one by at most one write.
pub(crate) fn is_consistent(numbers: &Numbers) -> bool {
    (0..WRITERS).all(|writer| {
        let (first, second) = shares_of(writer);
        let (first, second) = (numbers[first][writer], numbers[second][writer]);
        second <= first && first <= second + 1
    })
}
