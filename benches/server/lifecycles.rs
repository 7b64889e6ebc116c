//! Full lifecycles of shadow copies on one connection, and connections that do nothing.

use crate::load::Load;
use crate::machine::resident_kib;
use crate::peers::{Pair, Which};
use crate::table::{Row, Sample, Table, timed};
use crate::{Outcome, ROUNDS};
use fsrvp::drive::IdSource;
use std::fs;
use tokio::runtime::Runtime;

/// How many lifecycles make one sample.
const LIFECYCLES: u32 = 25;

/// What the share holds while it is copied: this many files of 64 KiB.
const FILES: usize = 20;

/// How many connections are open and do nothing.
const IDLE: usize = 1000;

/// The most that our server may have resident with them, in KiB.
const IDLE_KIB_MAX: u64 = 200 * 1024;

/// Eleven calls each, from IsPathSupported to DeleteShareMapping.
pub(crate) fn measure(pair: &Pair, table: &mut Table) -> Outcome<()> {
    let runtime = runtime()?;
    let mut loads = Vec::new();
    for which in [Which::Smbd, Which::Ours] {
        let peer = pair.peer(which);
        for number in 0..FILES {
            fs::write(peer.root.join(format!("file{number}")), vec![7; 65536])?;
        }
        let target = peer.target();
        let mut load = runtime.block_on(Load::connect(&target, IdSource::new(1)))?;
        // What only the first one pays for is not counted.
        runtime.block_on(load.lifecycle(peer.share))?;
        loads.push((which, load, peer.share));
    }
    let mut row = Row::new("full lifecycles", "1/s", "100", 3.0);
    for round in 0..ROUNDS {
        for which in Which::in_turn(round) {
            let Some((_, load, share)) = loads.iter_mut().find(|(one, ..)| *one == which) else {
                continue;
            };
            let ((), took, cpu) = timed(pair, which, || {
                for _ in 0..LIFECYCLES {
                    runtime.block_on(load.lifecycle(share))?;
                }
                Ok(())
            })?;
            let sample = Sample {
                rate: f64::from(LIFECYCLES) / took.as_secs_f64(),
                cpu: cpu.as_secs_f64() / f64::from(LIFECYCLES) * 100.0,
            };
            row.add(which, sample);
        }
    }
    table.print(&row);
    for which in [Which::Smbd, Which::Ours] {
        for number in 0..FILES {
            fs::remove_file(pair.peer(which).root.join(format!("file{number}")))?;
        }
    }
    Ok(())
}

/// How much memory connections take that are logged on and do nothing; ours alone, since smbd is
/// a process for each.
pub(crate) fn measure_idle(pair: &Pair, table: &mut Table) -> Outcome<()> {
    raise_descriptors();
    let runtime = runtime()?;
    let target = pair.peer(Which::Ours).target();
    let before = resident_kib(&pair.processes(Which::Ours));
    let mut loads = Vec::new();
    for seed in (0u64..).take(IDLE) {
        loads.push(runtime.block_on(Load::connect(&target, IdSource::new(seed)))?);
    }
    let logged_on = resident_kib(&pair.processes(Which::Ours));
    for load in &mut loads {
        runtime.block_on(load.greet())?;
    }
    let bound = resident_kib(&pair.processes(Which::Ours));
    println!(
        "{IDLE} connections: {before} KiB before, {logged_on} KiB logged on, \
         {bound} KiB with FssagentRpc open and bound"
    );
    if bound > IDLE_KIB_MAX {
        table.miss(format!("{IDLE} idle connections: {bound} KiB"));
    }
    Ok(())
}

/// Two thousand sockets of two processes need more than the usual soft limit.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it stays as it was, the connections say so.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
