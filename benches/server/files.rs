//! One large file there and back, and a thousand small ones, by smbclient.

use crate::peers::{Pair, Peer, Which};
use crate::table::{Row, Sample, Table, timed};
use crate::tool::Tool;
use crate::{Outcome, ROUNDS};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// The size of the large file, in MiB, where nothing else is asked for.
const LARGE_MIB: u32 = 1024;

/// How many small files there are, and their size.
const SMALL: u32 = 1000;
const SMALL_BYTES: usize = 1024;

/// How often the directory with them is listed for one sample.
const LISTINGS: u32 = 10;

/// Lies in memory.
const MEMORY: &str = "/dev/shm";

/// put and get of one large file, signed and encrypted.
pub(crate) fn measure_large(pair: &Pair, table: &mut Table) -> Outcome<()> {
    let asked = std::env::var("FSRVP_BENCH_MIB").ok();
    let mib = asked.map_or(Ok(LARGE_MIB), |mib| mib.parse())?;
    let source = tempfile::Builder::new()
        .prefix("fsrvp-bench-")
        .tempfile_in(MEMORY)?;
    fill(source.as_file(), mib)?;
    let gigabytes = f64::from(mib) * 1_048_576.0 / 1e9;
    for protection in ["sign", "encrypt"] {
        let mut rows = ["write", "read"].map(|what| {
            let name = format!("{what} {mib} MiB, {protection}");
            Row::new(name, "MB/s", "GB", 0.9)
        });
        for round in 0..ROUNDS {
            for which in Which::in_turn(round) {
                let peer = pair.peer(which);
                let path = source.path().display();
                for (row, commands) in rows.iter_mut().zip([
                    format!("put {path} large"),
                    "get large /dev/null".to_owned(),
                ]) {
                    let (rate, _, cpu) =
                        timed(pair, which, || transfer(&peer, protection, &commands))?;
                    let cpu = cpu.as_secs_f64() / gigabytes;
                    row.add(which, Sample { rate, cpu });
                }
                fs::remove_file(peer.root.join("large"))?;
            }
        }
        rows.iter().for_each(|row| table.print(row));
    }
    Ok(())
}

/// The rate that smbclient itself prints, in MB/s: without its start and its logon.
fn transfer(peer: &Peer, protection: &str, commands: &str) -> Outcome<f64> {
    let output = client(
        peer,
        &[&format!("--client-protection={protection}")],
        commands,
    )?;
    let rate = output
        .rsplit("(average ")
        .next()
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|rate| rate.parse::<f64>().ok())
        .ok_or_else(|| format!("no rate in {output}"))?;
    Ok(rate * 1024.0 / 1e6)
}

fn client(peer: &Peer, options: &[&str], commands: &str) -> Outcome<String> {
    let run = Tool::smbclient(peer.port, peer.account, peer.share, options, commands)?;
    let output = run.success("smbclient")?;
    if output.contains("NT_STATUS_") {
        return Err(output.into());
    }
    Ok(output)
}

fn fill(mut file: &File, mib: u32) -> std::io::Result<()> {
    // Bytes without a pattern that somebody could take advantage of.
    let mut state = 1u64;
    let block: Vec<u8> = (0..1 << 17)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    (0..mib).try_for_each(|_| file.write_all(&block))
}

/// Makes, lists, reads and deletes a thousand small files.
pub(crate) fn measure_small(pair: &Pair, table: &mut Table) -> Outcome<()> {
    let local = tempfile::Builder::new()
        .prefix("fsrvp-bench-")
        .tempdir_in(MEMORY)?;
    for number in 0..SMALL {
        let name = format!("letter{number:04}.txt");
        fs::write(local.path().join(name), vec![b'x'; SMALL_BYTES])?;
    }
    let mut rows = [
        Row::new("create 1,000 files of 1 KiB", "files/s", "1,000", 0.9),
        Row::new("list a directory of 1,000", "files/s", "1,000", 0.9),
        Row::new("read 1,000 files of 1 KiB", "files/s", "1,000", 0.9),
        Row::new("delete 1,000 files", "files/s", "1,000", 0.9),
    ];
    for round in 0..ROUNDS {
        for which in Which::in_turn(round) {
            let peer = pair.peer(which);
            fs::create_dir(peer.root.join("many"))?;
            let listings = "ls;".repeat(usize::try_from(LISTINGS)?);
            let steps = [
                (1, "mput letter*".to_owned()),
                (LISTINGS, listings),
                (1, "mget letter*".to_owned()),
                (1, "del letter*".to_owned()),
            ];
            for (row, (times, commands)) in rows.iter_mut().zip(steps) {
                let ((), took, cpu) = timed(pair, which, || small(&peer, local.path(), &commands))?;
                let files = f64::from(times * SMALL);
                let sample = Sample {
                    rate: files / took.as_secs_f64(),
                    cpu: cpu.as_secs_f64() / files * 1000.0,
                };
                row.add(which, sample);
            }
            fs::remove_dir(peer.root.join("many"))?;
        }
    }
    rows.iter().for_each(|row| table.print(row));
    Ok(())
}

/// Runs commands of smbclient between the directory of a share and a local one.
fn small(peer: &Peer, local: &Path, commands: &str) -> Outcome<()> {
    let commands = format!("prompt; cd many; lcd {}; {commands}", local.display());
    client(peer, &[], &commands).map(drop)
}
