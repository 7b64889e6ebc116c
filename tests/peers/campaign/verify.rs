//! After a crash: what the store, the disk and the restarted server say, against the journal.

use super::child::{Order, SHARES, Server, names_in};
use super::disk::{WRITERS, still};
use super::journal::{Journal, Numbers, Record, Stage};
use super::lifecycle::{Ended, Player, exposed_name};
use super::writers::{Counts, is_consistent, value_in};
use fsrvp::drive::ManualClient;
use fsrvp_reference::agent::{State, Status};
use fsrvp_reference::store::Store;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

type Verdict = Result<(), String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Checks everything that a server owes after its end, by starting it again on the same files.
pub(crate) async fn verify(order: &Order, journal: &Journal) -> Verdict {
    let state = Store::open(&order.state())
        .and_then(|store| store.load())
        .map_err(text)?;
    let objections = journal.objections(&state);
    if !objections.is_empty() {
        return Err(objections.join("\n"));
    }
    let server = Server::start_well(order).map_err(text)?;
    only_what_is_known(order, &state)?;
    for record in &journal.records {
        contents(order, &state, record)?;
    }
    let mut client = ManualClient::connect(&server.target())
        .await
        .map_err(text)?;
    for record in &journal.records {
        shares(&mut client, &state, record).await?;
    }
    goes_on(order, &server, journal, &state).await
}

/// The disk holds the backend snapshots of the state, and nothing besides.
fn only_what_is_known(order: &Order, state: &State) -> Verdict {
    for share in SHARES {
        let copies = state.sets.iter().flat_map(|set| &set.copies);
        let mine = copies
            .filter(|copy| copy.backend_ref.is_some())
            .filter(|copy| {
                let mut mappings = copy.mappings.iter();
                mappings.any(|mapping| mapping.base_name == share)
            });
        let known: BTreeSet<String> = mine.map(|copy| copy.id.0.to_string()).collect();
        let found = names_in(&order.place(share)).map_err(text)?;
        if found.iter().cloned().collect::<BTreeSet<_>>() != known {
            return Err(format!("share {share}: on disk {found:?}, known {known:?}"));
        }
    }
    Ok(())
}

/// The copies hold one instant, the right one, and all of it.
fn contents(order: &Order, state: &State, record: &Record) -> Verdict {
    let Some(set) = state.set(record.set) else {
        return Ok(());
    };
    let mut numbers = Numbers::default();
    let mut found = 0;
    for (index, share) in SHARES.iter().enumerate() {
        let Some(id) = record.copies.get(index) else {
            continue;
        };
        let is_made = set.copy(*id).is_some_and(|copy| copy.backend_ref.is_some());
        if !is_made {
            continue;
        }
        found += 1;
        let copy = order.place(share).join(id.0.to_string());
        numbers[index] = hold(&copy, share)?;
        record
            .permits(index, &numbers[index])
            .map_err(|what| format!("{}: {what}", copy.display()))?;
        // Before it was sealed, what was written was not promised to be on the disk.
        let is_promised = record.recovered && record.acknowledged >= Stage::Recovered;
        if index == 0 && is_promised && !copy.join("recovered").exists() {
            return Err(format!("what was written into {} is lost", copy.display()));
        }
    }
    if found == 2 && !is_consistent(&numbers) {
        return Err(format!("no instant had {numbers:?}"));
    }
    Ok(())
}

/// Reads a whole copy; gives the numbers in it.
fn hold(copy: &Path, share: &str) -> Result<[u64; WRITERS], String> {
    for (name, contents) in still(share) {
        let path = copy.join("static").join(name);
        let found = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        if found != contents {
            return Err(format!("{} has other contents", path.display()));
        }
    }
    let mut numbers = [0; WRITERS];
    for (writer, number) in numbers.iter_mut().enumerate() {
        *number = value_in(copy, writer)
            .ok_or_else(|| format!("{} has no number w{writer}", copy.display()))?;
    }
    Ok(numbers)
}

/// What is exposed can be read, is writable or sealed as it was, and nothing else is exposed.
async fn shares(client: &mut ManualClient, state: &State, record: &Record) -> Verdict {
    for (share, id) in SHARES.iter().zip(&record.copies) {
        let name = exposed_name(share, *id);
        let set = state.set(record.set);
        let copy = set.and_then(|set| set.copy(*id));
        let is_exposed = copy.is_some_and(|copy| {
            let mut mappings = copy.mappings.iter();
            mappings.any(|mapping| mapping.exposed_name.is_some())
        });
        let read = client.get(&name, "static/file9").await.map_err(text)?;
        let whole = still(share)
            .last()
            .map(|(_, contents)| contents.into_bytes());
        match read {
            Ok(read) if is_exposed && Some(&read) == whole.as_ref() => {}
            Err(_) if !is_exposed => continue,
            Ok(_) if is_exposed => return Err(format!("{name}: other contents")),
            Ok(_) => return Err(format!("{name}: is exposed")),
            Err(answer) => return Err(format!("{name}: {answer}")),
        }
        let written = client.put(&name, "later", b"x").await.map_err(text)?;
        let is_sealed = set.is_some_and(|set| set.status == Status::Recovered);
        if written.is_ok() == is_sealed {
            return Err(format!(
                "{name}: sealed {is_sealed}, a write gives {written:?}"
            ));
        }
    }
    Ok(())
}

/// Another lifecycle works to its end, and when all is deleted, nothing is left.
async fn goes_on(order: &Order, server: &Server, journal: &Journal, state: &State) -> Verdict {
    let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
    let journal = Arc::new(Mutex::new(Journal {
        records: journal.records.clone(),
        starting: false,
    }));
    let ended = |ended: Ended| format!("after the restart: {ended:?}");
    let mut player = Player::connect(
        &server.target(),
        Arc::clone(&journal),
        counts,
        Box::new(|_| ()),
    )
    .await
    .map_err(ended)?;
    // The first one finds no context and keeps what is unfinished, the second one drops it.
    player.set_context().await.map_err(ended)?;
    player.set_context().await.map_err(ended)?;
    player.commit().await.map_err(ended)?;
    player.recover().await.map_err(ended)?;
    player.delete().await.map_err(ended)?;
    let sets = state.sets.iter();
    let kept: Vec<_> = sets.filter(|set| set.status == Status::Recovered).collect();
    for share in SHARES {
        let found = names_in(&order.place(share)).map_err(text)?;
        let copies = kept.iter().flat_map(|set| &set.copies);
        let of_share = copies.filter(|copy| copy.mappings.iter().any(|m| m.base_name == share));
        if found.len() != of_share.count() {
            return Err(format!("share {share}: {found:?} are left, of {kept:?}"));
        }
    }
    Ok(())
}
