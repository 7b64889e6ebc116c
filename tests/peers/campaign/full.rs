//! A full disk: an error to whoever needs the room, and nothing lost.

use super::child::{Backend, Order, SHARES, Server, names_in};
use super::disk::Disk;
use super::journal::Journal;
use super::lifecycle::{Ended, Player};
use super::programs;
use super::verify::verify;
use super::writers::Counts;
use crate::trial;
use libtest_mimic::Trial;
use rustix::fs::FallocateFlags;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) fn trials() -> Vec<Trial> {
    let one = |backend: Backend| {
        let name = format!("campaign::full_disk::{}", backend.name());
        trial(name, programs(backend), true, move || {
            let runtime = tokio::runtime::Runtime::new()?;
            Ok(runtime.block_on(run(backend))?)
        })
    };
    [Backend::Btrfs, Backend::Reflink].map(one).into()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Takes all room that there is.
fn fill(path: &Path) -> Result<(), String> {
    let file = File::create(path).map_err(text)?;
    let mut piece: u64 = 16 << 20;
    let mut end = 0;
    while piece >= 4096 {
        let taken = rustix::fs::fallocate(&file, FallocateFlags::empty(), end, piece);
        match taken {
            Ok(()) => end += piece,
            Err(_) => piece /= 2,
        }
    }
    rustix::fs::syncfs(&file).map_err(text)
}

async fn run(backend: Backend) -> Result<(), String> {
    let disk = Disk::new(backend).map_err(text)?;
    let order = Order::new(&disk, backend);
    let mut server = Server::start_well(&order).map_err(text)?;
    let journal = Arc::new(Mutex::new(Journal::default()));
    let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
    let shared = Arc::clone(&journal);
    let target = server.target();
    let player = Player::connect(&target, shared, counts, Box::new(|_| ()));
    let ended = |ended: Ended| format!("{ended:?}");
    let mut player = player.await.map_err(ended)?;
    player.commit().await.map_err(ended)?;
    player.recover().await.map_err(ended)?;

    let ballast = disk.root().join("ballast");
    let mut refused = 0;
    for _ in 0..3 {
        fill(&ballast)?;
        match player.commit().await {
            // The file system kept enough for itself.
            Ok(()) => player.abort().await.map_err(ended)?,
            Err(Ended::Refused(_)) => {
                refused += 1;
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                // Whatever the server has stored of it, the next SetContext ends it.
                if journal.records.len() > 1 {
                    journal.records.truncate(1);
                }
                journal.starting = false;
            }
            Err(Ended::Killed) => return Err("the server ended".to_owned()),
        }
        std::fs::remove_file(&ballast).map_err(text)?;
        // With room again, everything works again.
        player.set_context().await.map_err(ended)?;
        player.commit().await.map_err(ended)?;
        player.abort().await.map_err(ended)?;
    }
    for share in SHARES {
        let found = names_in(&order.place(share)).map_err(text)?;
        if found.len() != 1 {
            return Err(format!(
                "share {share}: {found:?} are left after {refused} refusals"
            ));
        }
    }
    server.kill().map_err(text)?;
    let journal = journal
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    verify(&order, &journal).await
}
