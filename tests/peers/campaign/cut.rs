//! A set of two shares on two stores is one instant, while clients write into both.

use super::child::{Backend, Order, SHARES, Server};
use super::disk::Disk;
use super::journal::{Journal, Numbers};
use super::lifecycle::Player;
use super::writers::{self, Counts, is_consistent, value_in};
use super::{is_soak, programs};
use crate::trial;
use libtest_mimic::Trial;
use std::sync::{Arc, Mutex, PoisonError};

/// How many sets are committed.
const SETS: usize = 100;

pub(crate) fn trials() -> Vec<Trial> {
    let one = |backend: Backend| {
        let name = format!("campaign::every_set_is_one_instant::{}", backend.name());
        let root = backend != Backend::Copy;
        trial(name, programs(backend), root, move || {
            let sets = match backend {
                Backend::Reflink => SETS,
                _ if is_soak() => SETS,
                _ => SETS / 10,
            };
            let runtime = tokio::runtime::Runtime::new()?;
            Ok(runtime.block_on(run(backend, sets))?)
        })
    };
    Backend::ALL.into_iter().map(one).collect()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn run(backend: Backend, sets: usize) -> Result<(), String> {
    let disk = Disk::new(backend).map_err(text)?;
    let order = Order::new(&disk, backend);
    let server = Server::start_well(&order).map_err(text)?;
    let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
    let writers = writers::start(&server.target(), &counts);
    let journal = Arc::new(Mutex::new(Journal::default()));
    let mut player = Player::connect(
        &server.target(),
        Arc::clone(&journal),
        Arc::clone(&counts),
        Box::new(|_| ()),
    )
    .await
    .map_err(|ended| format!("{ended:?}"))?;
    let mut moving = 0;
    for set in 0..sets {
        let fail = |what: String| format!("set {set}: {what}");
        let committed = player.commit().await;
        committed.map_err(|ended| fail(format!("{ended:?}")))?;
        let is_moving = check_last(&order, &journal).map_err(fail)?;
        moving += usize::from(is_moving);
        let aborted = player.abort().await;
        aborted.map_err(|ended| fail(format!("{ended:?}")))?;
    }
    counts.stop();
    for writer in writers {
        writer.await.map_err(text)??;
    }
    // Where nothing was written while sets were made, nothing was shown.
    if moving * 4 < sets {
        return Err(format!(
            "only {moving} of {sets} sets were made while somebody wrote"
        ));
    }
    Ok(())
}

/// Checks the copies of the last set; tells whether anybody wrote while they were made.
fn check_last(order: &Order, journal: &Mutex<Journal>) -> Result<bool, String> {
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    let record = journal.last().ok_or("no set")?;
    let mut numbers = Numbers::default();
    for (index, (share, id)) in SHARES.iter().zip(&record.copies).enumerate() {
        let copy = order.place(share).join(id.0.to_string());
        for (writer, number) in numbers[index].iter_mut().enumerate() {
            *number = value_in(&copy, writer).ok_or("a copy without a number")?;
        }
        record
            .permits(index, &numbers[index])
            .map_err(|what| format!("{share}: {what}"))?;
    }
    if !is_consistent(&numbers) {
        return Err(format!("no instant had {numbers:?}"));
    }
    Ok(record.at_least != record.at_most)
}
