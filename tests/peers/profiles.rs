//! smbtorture's suite for FSRVP in each profile, previous versions and the list of shares.

use crate::serve::{ADMIN, Serve, Store};
use crate::tool::Tool;
use crate::{Outcome, demand, refuse, trial};
use libtest_mimic::Trial;
use std::fs;

/// The subtests of `rpc.fsrvp` that every profile passes.
const TORTURE: [&str; 7] = [
    "get_version",
    "is_path_supported",
    "set_ctx",
    "create_simple",
    "sc_set_abort",
    "sc_share_io",
    "share_sd",
];

/// Those that want what the text forbids: an unknown id that is E_INVALIDARG (3.1.4.4, 3.1.4.12),
/// and a second set beside an Exposed one (3.1.4.3).
const TORTURE_OF_SAMBA: [&str; 3] = ["enum_created", "bad_id", "seq_timeout"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("torture::samba", &["smbtorture"], false, || {
            torture(
                "samba",
                &[TORTURE.as_slice(), &TORTURE_OF_SAMBA].concat(),
                &[],
            )
        }),
        trial("torture::spec", &["smbtorture"], false, || {
            torture("spec", &TORTURE, &TORTURE_OF_SAMBA[..2])
        }),
        trial(
            "previous_versions",
            &["smbclient", "rpcclient"],
            false,
            previous_versions,
        ),
        trial("streams", &["smbclient", "rpcclient"], false, streams),
        trial("share_list", &["smbclient", "rpcclient"], false, share_list),
    ]
}

/// Runs subtests that must pass, and subtests that must not.
fn torture(profile: &str, pass: &[&str], fail: &[&str]) -> Outcome {
    for (subtests, passes) in [(pass, true), (fail, false)] {
        for subtest in subtests {
            // A server of its own: what one leaves behind another one may stumble over.
            let options = ["--profile", profile, "--timers", "fixed_s=1"];
            let server = Serve::start_with(Store::Any, &["fsrvp_share"], &options)?;
            let run = Tool::fsrvp_torture(server.port, ADMIN, subtest)?;
            if (run.status == Some(0)) != passes {
                let text = format!("{profile}, {subtest}: {:?}\n{}", run.status, run.output);
                return Err(text.into());
            }
        }
    }
    Ok(())
}

/// What was exposed is read by its time through the base share.
fn previous_versions() -> Outcome {
    let server = Serve::start(Store::Any)?;
    fs::write(server.share("data").join("hello.txt"), "as it was\n")?;
    let expose = "fss_create_expose backup ro data";
    Tool::rpcclient(server.port, ADMIN, "sign", expose)?.success("rpcclient")?;
    fs::write(server.share("data").join("hello.txt"), "as it is\n")?;
    let told = Tool::smbclient(server.port, ADMIN, "data", &[], "allinfo hello.txt")?;
    let token = told
        .output
        .lines()
        .find(|line| line.starts_with("@GMT-"))
        .ok_or_else(|| format!("no previous version in:\n{}", told.output))?;
    let commands = format!("get {token}/hello.txt -; put smb.conf {token}/new.txt");
    let old = Tool::smbclient(server.port, ADMIN, "data", &[], &commands)?;
    demand(&old.output, "as it was", "the previous version")?;
    demand(&old.output, "NT_STATUS_ACCESS_DENIED", "a write into it")?;
    let now = Tool::smbclient(server.port, ADMIN, "data", &[], "get hello.txt -")?;
    demand(&now.output, "as it is", "the file of now")?;
    let gone = "get @GMT-2001.01.01-00.00.00/hello.txt -";
    let gone = Tool::smbclient(server.port, ADMIN, "data", &[], gone)?;
    demand(
        &gone.output,
        "NT_STATUS_OBJECT_NAME_NOT_FOUND",
        "a time without",
    )
}

/// A stream is written, and read in a shadow copy as it was.
fn streams() -> Outcome {
    let server = Serve::start(Store::Any)?;
    fs::write(server.share("data").join("hello.txt"), "contents\n")?;
    let local = server.share("more").join("stream");
    let put = |text: &str| -> Outcome {
        fs::write(&local, text)?;
        let put = format!("put {} hello.txt:notes", local.display());
        Tool::smbclient(server.port, ADMIN, "data", &[], &put)?.success("smbclient put")?;
        Ok(())
    };
    put("as it was\n")?;
    let expose = "fss_create_expose backup ro data";
    let exposed = Tool::rpcclient(server.port, ADMIN, "sign", expose)?;
    put("as it is\n")?;
    let name = exposed
        .output
        .split_whitespace()
        .find_map(|word| {
            word.rsplit('\\')
                .next()
                .filter(|name| name.starts_with("data@{"))
        })
        .ok_or_else(|| format!("no exposed share in:\n{}", exposed.output))?
        .to_owned();
    for (share, text) in [("data", "as it is"), (name.as_str(), "as it was")] {
        let read = Tool::smbclient(
            server.port,
            ADMIN,
            share,
            &[],
            "get hello.txt:notes -; get hello.txt -; allinfo hello.txt",
        )?;
        demand(&read.output, text, share)?;
        demand(&read.output, "contents", share)?;
        demand(&read.output, "[:notes:$DATA]", share)?;
    }
    let write = format!("put {} hello.txt:notes", local.display());
    let write = Tool::smbclient(server.port, ADMIN, &name, &[], &write)?;
    demand(&write.output, "NT_STATUS", "a write into the shadow copy")?;
    let gone = format!(
        "rm hello.txt; put {} hello.txt; get hello.txt:notes -",
        local.display()
    );
    let gone = Tool::smbclient(server.port, ADMIN, "data", &[], &gone)?;
    demand(
        &gone.output,
        "NT_STATUS_OBJECT_NAME_NOT_FOUND",
        "a stream that went",
    )
}

/// Base and exposed shares are listed, by smbclient and by rpcclient.
fn share_list() -> Outcome {
    let server = Serve::start(Store::Any)?;
    let expose = "fss_create_expose backup ro data";
    Tool::rpcclient(server.port, ADMIN, "sign", expose)?.success("rpcclient")?;
    let list = Tool::smbclient(server.port, ADMIN, "IPC$", &["-L", "127.0.0.1"], "")?;
    for name in ["data ", "more ", "data@{", "IPC$"] {
        demand(&list.output, name, "smbclient -L")?;
    }
    // By opnum 36, which lists what stays.
    let sticky = Tool::rpcclient(server.port, ADMIN, "sign", "netshareenum")?;
    refuse(&sticky.output, "WERR_", "netshareenum")?;
    demand(&sticky.output, "netname: data", "netshareenum")?;
    refuse(&sticky.output, "data@{", "netshareenum")?;
    let calls = "netshareenumall; netsharegetinfo data 502; srvinfo; netsharegetinfo nowhere 1";
    for binding in ["sign", "seal", "spnego,seal"] {
        let run = Tool::rpcclient(server.port, ADMIN, binding, calls)?;
        refuse(&run.output, "NT_STATUS", binding)?;
        demand(&run.output, "SID: S-1-1-0", "the descriptor")?;
        demand(
            &run.output,
            "WERR_NERR_NETNAMENOTFOUND",
            "a share that is not",
        )?;
    }
    Ok(())
}
