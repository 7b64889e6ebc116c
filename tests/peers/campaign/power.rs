//! Power cuts: the disk of a server is cloned right after an answer of ZERO, which leaves out what
//! the kernel had not written yet, and a server that starts on the clone has everything.

use super::child::{Backend, Order, Server};
use super::disk::{Disk, run};
use super::journal::Journal;
use super::lifecycle::Player;
use super::verify::verify;
use super::writers::Counts;
use super::{Random, is_soak};
use crate::trial;
use libtest_mimic::Trial;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How many of the cuts of one run are looked at, but for the long form.
const CUTS: usize = 4;

type Cuts = Arc<Mutex<Vec<(PathBuf, Journal)>>>;

pub(crate) fn trials() -> Vec<Trial> {
    let programs = &["mkfs.btrfs", "btrfs", "mkfs.xfs", "mount"];
    let mut trials = Vec::new();
    for backend in [Backend::Btrfs, Backend::Reflink] {
        let name = format!("campaign::power_cut::{}", backend.name());
        trials.push(trial(name, programs, true, move || {
            Ok(block_on(cut(backend, false))?)
        }));
    }
    let name = "campaign::power_cut::shows_a_store_without_sync";
    trials.push(trial(name, programs, true, || {
        match block_on(cut(Backend::Reflink, true)) {
            Ok(()) => Err("nothing was missed".into()),
            Err(what) if what.contains("but answered") || what.contains("agent.redb") => Ok(()),
            Err(what) => Err(what.into()),
        }
    }));
    trials
}

fn block_on(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(text)?;
    runtime.block_on(work)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A file system that can clone the images of others.
struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    fn mount() -> std::io::Result<Host> {
        let host = Host {
            directory: tempfile::Builder::new().prefix("fsrvp-host-").tempdir()?,
        };
        let (image, at) = (host.directory.path().join("host.img"), host.at());
        File::create(&image)?.set_len(2 << 30)?;
        std::fs::create_dir(&at)?;
        run(&["mkfs.xfs", "-q", "-m", "reflink=1"], &[&image])?;
        run(&["mount", "-o", "loop"], &[&image, &at])?;
        Ok(host)
    }

    fn at(&self) -> PathBuf {
        self.directory.path().join("mnt")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = run(&["umount"], &[&self.at()]);
    }
}

fn clone(from: &Path, to: &Path) -> std::io::Result<()> {
    let (from, to) = (File::open(from)?, File::create(to)?);
    Ok(rustix::fs::ioctl_ficlone(&to, &from)?)
}

async fn cut(backend: Backend, without_sync: bool) -> Result<(), String> {
    let host = Host::mount().map_err(text)?;
    let mut disk = Disk::new_in(&host.at(), backend).map_err(text)?;
    // What was there before the server is not what is looked at.
    let opened = File::open(disk.root()).map_err(text)?;
    rustix::fs::syncfs(&opened).map_err(text)?;
    drop(opened);
    let mut order = Order::new(&disk, backend);
    order.without_sync = without_sync;
    let cuts = play(&disk, &order).await?;
    order.without_sync = false;
    let mut random = Random::new();
    let mut cuts = std::mem::take(&mut *cuts.lock().unwrap_or_else(PoisonError::into_inner));
    while cuts.len() > CUTS && !is_soak() {
        cuts.remove(random.below(cuts.len()));
    }
    for (image, journal) in cuts {
        disk.mount(&image).map_err(text)?;
        let verified = verify(&order, &journal).await;
        verified.map_err(|what| format!("{backend:?}, {}: {what}", image.display()))?;
    }
    Ok(())
}

/// Plays lifecycles; gives a clone of the disk and the journal after each answer of ZERO.
async fn play(disk: &Disk, order: &Order) -> Result<Cuts, String> {
    let cuts = Cuts::default();
    let server = Server::start_well(order).map_err(text)?;
    let counts = Arc::new(Counts::of(order.root()).map_err(text)?);
    let (image, seen) = (disk.image(), Arc::clone(&cuts));
    let on_zero = Box::new(move |journal: &Journal| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let to = image.with_extension(format!("cut{}", seen.len()));
        clone(&image, &to).expect("the host clones files");
        seen.push((to, journal.clone()));
    });
    let journal = Arc::default();
    let target = server.target();
    let player = Player::connect(&target, journal, counts, on_zero);
    let mut player = player.await.map_err(|ended| format!("{ended:?}"))?;
    player
        .everything()
        .await
        .map_err(|ended| format!("{ended:?}"))?;
    drop(server);
    Ok(cuts)
}
