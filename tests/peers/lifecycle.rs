//! rpcclient drives a whole lifecycle against `fsrvp serve`, and smbclient looks at what the
//! exposed share really holds.

use crate::serve::{ADMIN, Serve, Store};
use crate::tool::Tool;
use crate::{Outcome, demand, refuse, trial};
use libtest_mimic::Trial;
use std::fs;

/// One way to drive the lifecycle.
#[derive(Debug, Clone, Copy)]
struct Variant {
    store: Store,
    context: &'static str,
    binding: &'static str,
    writable: bool,
}

const VARIANTS: &[Variant] = &[
    Variant {
        store: Store::Any,
        context: "backup",
        binding: "sign",
        writable: false,
    },
    Variant {
        store: Store::Any,
        context: "backup",
        binding: "sign",
        writable: true,
    },
    Variant {
        store: Store::Any,
        context: "app_rollback",
        binding: "seal",
        writable: true,
    },
    Variant {
        store: Store::Any,
        context: "nas_rollback",
        binding: "spnego,sign",
        writable: false,
    },
    Variant {
        store: Store::Any,
        context: "file_share_backup",
        binding: "spnego,seal",
        writable: true,
    },
    Variant {
        store: Store::Btrfs,
        context: "backup",
        binding: "sign",
        writable: false,
    },
    Variant {
        store: Store::Btrfs,
        context: "backup",
        binding: "sign",
        writable: true,
    },
    Variant {
        store: Store::Xfs,
        context: "app_rollback",
        binding: "sign",
        writable: true,
    },
];

pub(crate) fn trials() -> Vec<Trial> {
    let name = |v: &Variant| {
        let access = if v.writable { "rw" } else { "ro" };
        format!(
            "rpcclient_lifecycle::{:?}::{}_{access}::{}",
            v.store,
            v.context,
            v.binding.replace(',', "_")
        )
    };
    let programs = |store| match store {
        Store::Any => &["rpcclient", "smbclient"][..],
        Store::Btrfs => &["rpcclient", "smbclient", "mkfs.btrfs", "btrfs", "mount"][..],
        Store::Xfs => &["rpcclient", "smbclient", "mkfs.xfs", "mount"][..],
    };
    VARIANTS
        .iter()
        .map(|v| {
            trial(
                name(v).to_lowercase(),
                programs(v.store),
                v.store != Store::Any,
                || run(*v),
            )
        })
        .collect()
}

/// A set that rpcclient has exposed.
struct Exposed {
    set: String,
    copy: String,
    share: String,
}

fn run(variant: Variant) -> Outcome {
    let mut server = Serve::start(variant.store)?;
    fs::create_dir(server.share("data").join("sub"))?;
    fs::write(server.share("data").join("hello.txt"), "as it was\n")?;
    fs::write(server.share("data").join("sub/deep.txt"), "deep\n")?;

    queries(&server, variant)?;
    demand(&server.status()?, "no shadow copy set", "serve --status")?;
    let exposed = create_and_expose(&server, variant)?;
    tells_its_status(&server, &exposed, "Exposed")?;
    fs::write(server.share("data").join("hello.txt"), "changed later\n")?;
    fs::write(server.share("data").join("late.txt"), "late\n")?;
    holds_what_was_committed(&server, &exposed)?;

    let before = put(&server, &exposed.share, "before.txt")?;
    if variant.writable {
        demand(&before, "putting file", "a write before RecoveryComplete")?;
        refuse(&before, "NT_STATUS", "a write before RecoveryComplete")?;
    } else {
        demand(&before, "NT_STATUS", "a write into a read-only shadow copy")?;
    }
    let text = rpc(
        &server,
        variant,
        &format!("fss_get_mapping data {} {}", exposed.set, exposed.copy),
    )?;
    demand(&text, &exposed.share, "fss_get_mapping")?;

    let text = rpc(
        &server,
        variant,
        &format!("fss_recovery_complete {}", exposed.set),
    )?;
    demand(&text, "recovery complete", "fss_recovery_complete")?;
    demand(
        &put(&server, &exposed.share, "after.txt")?,
        "NT_STATUS",
        "a write after RecoveryComplete",
    )?;
    tells_its_status(&server, &exposed, "Recovered")?;
    holds_what_was_committed(&server, &exposed)?;

    server.kill_and_restart(variant.store)?;
    tells_its_status(&server, &exposed, "Recovered")?;
    holds_what_was_committed(&server, &exposed)?;
    demand(
        &put(&server, &exposed.share, "again.txt")?,
        "NT_STATUS",
        "a write after a restart",
    )?;
    let copied = rpc(&server, variant, "fss_has_shadow_copy data")?;
    refuse(&copied, "failed", "fss_has_shadow_copy")?;

    let text = rpc(
        &server,
        variant,
        &format!("fss_delete data {} {}", exposed.set, exposed.copy),
    )?;
    demand(&text, "shadow-copy deleted", "fss_delete")?;
    let gone = Tool::smbclient(server.port, ADMIN, &exposed.share, &[], "ls")?.output;
    demand(
        &gone,
        "NT_STATUS_BAD_NETWORK_NAME",
        "the share after fss_delete",
    )
}

/// `serve --status` while the set is in this state; a context is held only before the recovery.
fn tells_its_status(server: &Serve, exposed: &Exposed, state: &str) -> Outcome {
    let text = server.status()?;
    let set = format!("set {} {state}", exposed.set);
    demand(&text, &set, "serve --status")?;
    demand(
        &text,
        &format!("exposed as {}", exposed.share),
        "serve --status",
    )?;
    let lines = if state == "Exposed" {
        ["held by admin from 127.0.0.1", "s of 1800.0 s"]
    } else {
        ["context free", "timer stopped"]
    };
    lines
        .iter()
        .try_for_each(|line| demand(&text, line, "serve --status"))
}

/// The two queries that need no set.
fn queries(server: &Serve, variant: Variant) -> Outcome {
    let version = rpc(server, variant, "fss_get_sup_version")?;
    demand(
        &version,
        "supports FSRVP versions from 1 to 1",
        "fss_get_sup_version",
    )?;
    let supported = rpc(server, variant, "fss_is_path_sup data")?;
    demand(
        &supported,
        "supports shadow copy requests",
        "fss_is_path_sup",
    )
}

fn create_and_expose(server: &Serve, variant: Variant) -> Result<Exposed, libtest_mimic::Failed> {
    let access = if variant.writable { "rw" } else { "ro" };
    let text = rpc(
        server,
        variant,
        &format!("fss_create_expose {} {access} data", variant.context),
    )?;
    let line = text
        .lines()
        .find(|line| line.contains(" exposed as a snapshot of "))
        .ok_or_else(|| format!("fss_create_expose exposed nothing:\n{text}"))?;
    // SET(COPY): share NAME exposed as a snapshot of BASE
    let parse = || {
        let (set, rest) = line.split_once('(')?;
        let (copy, rest) = rest.split_once("): share ")?;
        let (share, _) = rest.split_once(" exposed ")?;
        Some(Exposed {
            set: set.to_owned(),
            copy: copy.to_owned(),
            share: share.to_owned(),
        })
    };
    let exposed = parse().ok_or_else(|| format!("rpcclient's line has another form: {line}"))?;
    let wanted = format!("data@{{{}}}", exposed.copy);
    if exposed.share.to_lowercase() == wanted {
        Ok(exposed)
    } else {
        Err(format!("the exposed share is {}, not {wanted}", exposed.share).into())
    }
}

fn holds_what_was_committed(server: &Serve, exposed: &Exposed) -> Outcome {
    let run = Tool::smbclient(
        server.port,
        ADMIN,
        &exposed.share,
        &[],
        "ls; get hello.txt -; get sub\\deep.txt -",
    )?;
    demand(&run.output, "as it was", "the exposed share")?;
    demand(&run.output, "deep\n", "the exposed share")?;
    refuse(&run.output, "late.txt", "the exposed share")?;
    refuse(&run.output, "changed later", "the exposed share")
}

/// Tries to put a file and says what came back.
fn put(server: &Serve, share: &str, name: &str) -> Result<String, libtest_mimic::Failed> {
    Ok(Tool::smbclient(
        server.port,
        ADMIN,
        share,
        &[],
        &format!("put smb.conf {name}"),
    )?
    .output)
}

fn rpc(server: &Serve, variant: Variant, command: &str) -> Result<String, libtest_mimic::Failed> {
    Ok(Tool::rpcclient(server.port, ADMIN, variant.binding, command)?.success(command)?)
}
