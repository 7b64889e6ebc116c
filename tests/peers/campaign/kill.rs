//! SIGKILL at every named step of lifecycles, and at seeded instants while clients write.

use super::child::{Backend, Order, Server};
use super::disk::Disk;
use super::journal::Journal;
use super::lifecycle::{Ended, Player};
use super::verify::verify;
use super::writers::{self, Counts};
use super::{Random, is_soak, programs};
use crate::trial;
use fsrvp_reference::config::STEPS;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How often a server under load is killed: in all, and in the long form on each backend.
const KILLS: usize = 20;
const KILLS_SOAK: usize = 200;

/// After how many answers a server under load is killed, at least and at most.
const ANSWERS: std::ops::Range<usize> = 20..600;

/// A server that answers nothing for so long hangs.
const ANSWERS_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(
        "campaign::killed_at_every_step",
        &["mkfs.btrfs", "btrfs", "mkfs.xfs", "mount"],
        true,
        || Ok(block_on(at_every_step())?),
    )];
    for (index, backend) in Backend::ALL.into_iter().enumerate() {
        let name = format!("campaign::killed_under_load::{}", backend.name());
        let kills = match is_soak() {
            true => KILLS_SOAK,
            false => (KILLS + index) / Backend::ALL.len(),
        };
        trials.push(trial(name, programs(backend), true, move || {
            Ok(block_on(under_load(backend, kills))?)
        }));
    }
    trials
}

fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(text)?;
    runtime.block_on(work)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Plays lifecycles until they end or the server does; gives the journal.
async fn play(order: &Order) -> Result<Journal, String> {
    let journal = Arc::new(Mutex::new(Journal::default()));
    if let Some(server) = Server::start(order).map_err(text)? {
        let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
        let shared = Arc::clone(&journal);
        let player = Player::connect(&server.target(), shared, counts, Box::new(|_| ())).await;
        let played = match player {
            Ok(mut player) => player.everything().await,
            Err(ended) => Err(ended),
        };
        match played {
            Ok(()) if order.crash_at.is_none() => {}
            Ok(()) => return Err("it did not end where it was told to".to_owned()),
            Err(Ended::Killed) if order.crash_at.is_some() => {}
            Err(ended) => return Err(format!("{ended:?}")),
        }
    }
    let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(journal.clone())
}

/// The steps that lifecycles reach on a backend, in their order.
async fn steps(backend: Backend) -> Result<Vec<String>, String> {
    let disk = Disk::new(backend).map_err(text)?;
    let mut order = Order::new(&disk, backend);
    let trace = disk.files.path().join("trace");
    order.trace = Some(trace.clone());
    let journal = play(&order).await?;
    verify(&order, &journal).await?;
    let text = std::fs::read_to_string(&trace).map_err(text)?;
    Ok(text.lines().map(str::to_owned).collect())
}

async fn kill_at(backend: Backend, step: usize, name: &str) -> Result<(), String> {
    let disk = Disk::new(backend).map_err(text)?;
    let mut order = Order::new(&disk, backend);
    order.crash_at = Some(step);
    let fail = |what| format!("{backend:?} killed at step {step}, {name}: {what}");
    let journal = play(&order).await.map_err(fail)?;
    verify(&order, &journal).await.map_err(fail)
}

/// Each named step once, on one backend after the other; in the long form every step on each.
async fn at_every_step() -> Result<(), String> {
    let mut random = Random::new();
    let mut traces = Vec::new();
    for backend in Backend::ALL {
        traces.push((backend, steps(backend).await?));
    }
    let reached: BTreeSet<&str> = traces
        .iter()
        .flat_map(|(_, steps)| steps.iter().map(String::as_str))
        .collect();
    if reached != STEPS.into_iter().collect() {
        return Err(format!(
            "the named steps are {STEPS:?}, reached were {reached:?}"
        ));
    }
    if is_soak() {
        for (backend, steps) in &traces {
            for (index, name) in steps.iter().enumerate() {
                kill_at(*backend, index + 1, name).await?;
            }
        }
        return Ok(());
    }
    for (turn, name) in STEPS.iter().enumerate() {
        let mut backends = traces.iter().cycle().skip(turn).take(traces.len());
        let found = backends.find_map(|(backend, steps)| {
            let places = steps.iter().enumerate();
            let places: Vec<usize> = places
                .filter(|(_, step)| *step == name)
                .map(|(index, _)| index + 1)
                .collect();
            (!places.is_empty()).then(|| (*backend, places[random.below(places.len())]))
        });
        let (backend, step) = found.ok_or("a step without a place")?;
        kill_at(backend, step, name).await?;
    }
    Ok(())
}

/// Kills a server, on which four clients write and one makes sets, again and again on one disk.
async fn under_load(backend: Backend, kills: usize) -> Result<(), String> {
    let mut random = Random::new();
    let disk = Disk::new(backend).map_err(text)?;
    let order = Order::new(&disk, backend);
    for kill in 0..kills {
        let answers = ANSWERS.start + random.below(ANSWERS.len());
        let fail = |what| format!("{backend:?}, kill {kill} after {answers} answers: {what}");
        let journal = load_and_kill(&order, answers).await.map_err(fail)?;
        verify(&order, &journal).await.map_err(fail)?;
        clear(&order, journal).await.map_err(fail)?;
    }
    Ok(())
}

async fn load_and_kill(order: &Order, answers: usize) -> Result<Journal, String> {
    let mut server = Server::start_well(order).map_err(text)?;
    let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
    let journal = Arc::new(Mutex::new(Journal::default()));
    let writers = writers::start(&server.target(), &counts);
    let (target, shared) = (server.target(), Arc::clone(&journal));
    let own_counts = Arc::clone(&counts);
    let sets = tokio::spawn(async move {
        let mut player = Player::connect(&target, shared, own_counts, Box::new(|_| ())).await?;
        loop {
            player.commit().await?;
            player.recover().await?;
            player.commit().await?;
            player.expose().await?;
            player.abort().await?;
        }
    });
    let waited = tokio::time::timeout(ANSWERS_WITHIN, counts.wait_for(answers)).await;
    waited.map_err(|_| "the server has stopped to answer".to_owned())?;
    server.kill().map_err(text)?;
    let ended: Result<Result<(), Ended>, _> = sets.await;
    if let Err(Ended::Refused(what)) = ended.map_err(text)? {
        return Err(what);
    }
    for writer in writers {
        writer.await.map_err(text)??;
    }
    let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(journal.clone())
}

/// Deletes what the journal still has, so that disks do not fill up.
async fn clear(order: &Order, journal: Journal) -> Result<(), String> {
    let server = Server::start_well(order).map_err(text)?;
    let target = server.target();
    let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
    for record in journal.records {
        let one = Journal {
            records: vec![record],
            starting: false,
        };
        let one = Arc::new(Mutex::new(one));
        let player = Player::connect(&target, one, Arc::clone(&counts), Box::new(|_| ()));
        // Most of them are gone, and an abort of those is refused.
        let _ = player
            .await
            .map_err(|ended| format!("{ended:?}"))?
            .abort()
            .await;
    }
    Ok(())
}
