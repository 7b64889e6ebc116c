//! rpcclient's seven commands in every pair of context, access, RPC security and SMB protection:
//! 32 lifecycles that hold each value of one beside each value of every other.

use crate::serve::{ADMIN, Serve};
use crate::tool::Tool;
use crate::{Outcome, demand, refuse, trial};
use libtest_mimic::Trial;
use std::fs;

/// What rpcclient calls the four contexts of MS-FSRVP 2.2.2.2.
const CONTEXTS: [&str; 4] = [
    "backup",
    "file_share_backup",
    "nas_rollback",
    "app_rollback",
];

const BINDINGS: [&str; 4] = ["sign", "seal", "spnego,sign", "spnego,seal"];

/// A dialect, and whether everything is encrypted by a server that demands it.
const PROTOCOLS: [(&str, bool); 8] = [
    ("SMB2_02", false),
    ("SMB2_10", false),
    ("SMB3_00", false),
    ("SMB3_02", false),
    ("SMB3_11", false),
    ("SMB3_00", true),
    ("SMB3_02", true),
    ("SMB3_11", true),
];

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(index, (dialect, encrypted)): (usize, (&'static str, bool))| {
        let protection = if encrypted { "encrypted" } else { "signed" };
        let name = format!("rpcclient_matrix::{dialect}_{protection}").to_lowercase();
        trial(name, &["rpcclient"], false, move || {
            protocol(index, dialect, encrypted)
        })
    };
    PROTOCOLS.into_iter().enumerate().map(trial).collect()
}

fn protocol(index: usize, dialect: &str, encrypted: bool) -> Outcome {
    let keys = if encrypted {
        "encryption = \"required\"\n"
    } else {
        ""
    };
    let server = Serve::configured(keys, &[("data", "")])?;
    fs::write(server.share("data").join("hello.txt"), "as it was\n")?;
    let mut options = vec![
        format!("--option=client max protocol={dialect}"),
        format!("--option=client ipc max protocol={dialect}"),
        format!("--option=client ipc min protocol={dialect}"),
    ];
    if encrypted {
        options.push("--client-protection=encrypt".to_owned());
        let other = "--option=client ipc max protocol=SMB2_10";
        let refused =
            Tool::rpcclient_with(server.port, ADMIN, "sign", &[other], "fss_get_sup_version")?;
        refuse(
            &refused.output,
            "supports FSRVP",
            "a client that cannot encrypt",
        )?;
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    for (nth, context) in CONTEXTS.into_iter().enumerate() {
        let binding = BINDINGS
            .get((nth + index) % BINDINGS.len())
            .ok_or("no binding")?;
        let access = if (nth + index / 4).is_multiple_of(2) {
            "ro"
        } else {
            "rw"
        };
        let rpc = |command: &str| -> Result<String, libtest_mimic::Failed> {
            let run = Tool::rpcclient_with(server.port, ADMIN, binding, &options, command)?;
            Ok(run.success(&format!("{context} {access} [{binding}]: {command}"))?)
        };
        lifecycle(&rpc, context, access)?;
    }
    Ok(())
}

/// All seven commands, each in a connection of its own.
fn lifecycle(
    rpc: &dyn Fn(&str) -> Result<String, libtest_mimic::Failed>,
    context: &str,
    access: &str,
) -> Outcome {
    let version = rpc("fss_get_sup_version")?;
    demand(&version, "supports FSRVP versions from 1 to 1", "version")?;
    demand(
        &rpc("fss_is_path_sup data")?,
        "supports shadow copy requests",
        "fss_is_path_sup",
    )?;
    let made = rpc(&format!("fss_create_expose {context} {access} data"))?;
    let ids = || {
        // SET(COPY): share NAME exposed as a snapshot of BASE
        let line = made.lines().find(|line| line.contains(" exposed as "))?;
        let (set, rest) = line.split_once('(')?;
        Some(format!("{set} {}", rest.split_once(')')?.0))
    };
    let ids = ids().ok_or_else(|| format!("nothing was exposed:\n{made}"))?;
    let set = ids.split(' ').next().unwrap_or_default();
    demand(
        &rpc(&format!("fss_get_mapping data {ids}"))?,
        "data@{",
        "fss_get_mapping",
    )?;
    demand(
        &rpc("fss_has_shadow_copy data")?,
        "has an associated shadow-copy",
        "fss_has_shadow_copy",
    )?;
    demand(
        &rpc(&format!("fss_recovery_complete {set}"))?,
        "recovery complete",
        "fss_recovery_complete",
    )?;
    demand(
        &rpc(&format!("fss_delete data {ids}"))?,
        "shadow-copy deleted",
        "fss_delete",
    )
}
