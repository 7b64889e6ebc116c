//! Samba's file tools against our shares.

use crate::serve::{ADMIN, Serve, Store};
use crate::tool::{self, Tool};
use crate::{Outcome, demand, refuse, trial};
use libtest_mimic::Trial;
use std::fs;

/// What smbclient calls the ciphers of SMB 3.1.1.
const CIPHERS: [&str; 4] = ["AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"];

const DIALECTS: [&str; 5] = ["SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(
        "encrypted_share",
        &["smbclient", "rpcclient"],
        false,
        encrypted_share,
    )];
    for dialect in DIALECTS {
        let name = format!("smbclient_at_home::{}", dialect.to_lowercase());
        trials.push(trial(name, &["smbclient", "rpcclient"], false, move || {
            files(dialect)
        }));
    }
    for cipher in CIPHERS {
        let name = format!("encrypted_at_home::{}", cipher.to_lowercase());
        trials.push(trial(name, &["smbclient", "rpcclient"], false, move || {
            let offered = format!("client smb3 encryption algorithms={cipher}");
            encrypted(&["--option", &offered])
        }));
    }
    for dialect in ["SMB3_00", "SMB3_02"] {
        let name = format!("encrypted_at_home::{}", dialect.to_lowercase());
        trials.push(trial(name, &["smbclient", "rpcclient"], false, move || {
            let protocol = format!("client max protocol={dialect}");
            let ipc = format!("client ipc max protocol={dialect}");
            encrypted(&["--option", &protocol, "--option", &ipc])
        }));
    }
    trials
}

/// smbclient writes and reads, and rpcclient calls, with everything encrypted.
fn encrypted(options: &[&str]) -> Outcome {
    let server = Serve::start(Store::Any)?;
    let options = [&["--client-protection=encrypt"], options].concat();
    let commands = "put smb.conf one.txt; ls; get one.txt -";
    let run = Tool::smbclient(server.port, ADMIN, "data", &options, commands)?;
    refuse(&run.output, "NT_STATUS", "smbclient")?;
    demand(&run.output, "netbios name = FSSTOOL", "get one.txt")?;
    let call = Tool::rpcclient_with(server.port, ADMIN, "sign", &options, "fss_get_sup_version")?;
    demand(
        &call.success("rpcclient")?,
        "supports FSRVP versions from 1 to 1",
        "rpcclient",
    )
}

/// A share that encrypts: smbclient does so unasked, a client that cannot is kept out, and so is
/// it with the shadow copies of that share, also after a restart.
fn encrypted_share() -> Outcome {
    let shares = [("vault", "encryption = \"required\"\n"), ("open", "")];
    let mut server = Serve::configured("", &shares)?;
    fs::write(server.share("vault").join("hello.txt"), "as it was\n")?;
    let old = ["--option=client max protocol=SMB2_10"];
    let look = |server: &Serve, share: &str, options: &[&str]| {
        Tool::smbclient(server.port, ADMIN, share, options, "get hello.txt -")
    };
    demand(&look(&server, "vault", &[])?.output, "as it was", "vault")?;
    demand(
        &look(&server, "vault", &old)?.output,
        "NT_STATUS_ACCESS_DENIED",
        "vault in a dialect without encryption",
    )?;
    let other = look(&server, "open", &old)?.output;
    demand(&other, "NT_STATUS_OBJECT_NAME_NOT_FOUND", "the other share")?;

    let command = "fss_create_expose backup ro vault";
    let made = Tool::rpcclient(server.port, ADMIN, "sign", command)?.success("rpcclient")?;
    let exposed = made
        .split("share ")
        .nth(1)
        .and_then(|rest| rest.split(" exposed").next())
        .ok_or_else(|| format!("no exposed share in:\n{made}"))?
        .to_owned();
    for _ in 0..2 {
        demand(&look(&server, &exposed, &[])?.output, "as it was", &exposed)?;
        demand(
            &look(&server, &exposed, &old)?.output,
            "NT_STATUS_ACCESS_DENIED",
            "the exposed share in a dialect without encryption",
        )?;
        server.kill_and_restart(Store::Any)?;
    }
    Ok(())
}

/// smbclient makes, reads, renames, lists and removes on a base share.
fn files(dialect: &'static str) -> Outcome {
    let server = Serve::start(Store::Any)?;
    fs::write(server.share("data").join("hello.txt"), "as it was\n")?;
    let protocol = format!("client max protocol={dialect}");
    let ipc = format!("client ipc max protocol={dialect}");
    let options = ["--option", &protocol, "--option", &ipc];

    let commands = "mkdir dir; cd dir; put smb.conf one.txt; rename one.txt two.txt; ls; \
                    get two.txt back.txt; del two.txt; cd ..; rmdir dir; ls; get hello.txt -";
    let run = Tool::smbclient(server.port, ADMIN, "data", &options, commands)?;
    refuse(&run.output, "NT_STATUS", "smbclient")?;
    demand(&run.output, "two.txt", "the listing")?;
    demand(&run.output, "as it was", "get hello.txt")?;
    if server.share("data").join("dir").exists() {
        return Err("rmdir left the directory".into());
    }
    let version =
        Tool::rpcclient_with(server.port, ADMIN, "sign", &options, "fss_get_sup_version")?;
    demand(
        &version.success("rpcclient")?,
        "supports FSRVP versions from 1 to 1",
        "rpcclient",
    )?;
    let missing = Tool::smbclient(server.port, ADMIN, "nowhere", &options, "ls")?;
    demand(
        &missing.output,
        "NT_STATUS_BAD_NETWORK_NAME",
        "a share that does not exist",
    )?;
    let stranger = tool::Account {
        password: "wrong",
        ..ADMIN
    };
    let refused = Tool::smbclient(server.port, stranger, "data", &options, "ls")?;
    demand(
        &refused.output,
        "NT_STATUS_LOGON_FAILURE",
        "a wrong password",
    )
}
