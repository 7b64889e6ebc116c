//! Our harness against Samba, and Samba's file tools against our shares.

use crate::samba::SambaPeer;
use crate::serve::{ADMIN, Serve, Store};
use crate::tool::{self, Tool};
use crate::{Outcome, demand, refuse, trial};
use libtest_mimic::Trial;
use std::fs;
use std::process::Command;

/// Samba's Message Sequence Timer, in seconds, so that the timer cases can wait for it.
const SEQUENCE_TIMEOUT_S: u32 = 2;

/// What smbclient calls the ciphers of SMB 3.1.1.
const CIPHERS: [&str; 4] = ["AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"];

const DIALECTS: [&str; 5] = ["SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(
        "check_against_smbd",
        &["smbd", "smbpasswd", "rpcclient", "smbclient"],
        true,
        check_against_smbd,
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

/// Every verdict over a real smbd is a pass or a deviation that the list explains.
fn check_against_smbd() -> Outcome {
    let peer = SambaPeer::start(SEQUENCE_TIMEOUT_S)?;
    for share in ["fsrvp_share", "vol2", "hidden", "big", "plain"] {
        fs::write(peer.share(share).join("hello.txt"), "as it was\n")?;
    }
    let mut check = Command::new(env!("CARGO_BIN_EXE_fsrvp"));
    check
        .arg("check")
        .arg("--target")
        .arg(peer.target_file(SEQUENCE_TIMEOUT_S)?)
        .arg("--format")
        .arg("text");
    let run = tool::run_with_input(check, b"")?;
    if run.status == Some(0) {
        Ok(())
    } else {
        Err(format!("exit {:?}\n{}\n{}", run.status, run.output, peer.logs()).into())
    }
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
