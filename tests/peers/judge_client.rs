//! `fsrvp serve --judge-client` in front of clients that are not ours.

use crate::serve::{ADMIN, Serve, Store};
use crate::tool::{self, Tool};
use crate::{Outcome, blackbox, trial};
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::io;
use std::process::Command;

/// What rpcclient breaks whenever it exposes: it never calls RecoveryComplete.
const NO_RECOVERY: &str = "FSRVP-C-3.2.4.5-02";

pub(crate) fn trials() -> Vec<Trial> {
    let rpcclient: &[&str] = &["rpcclient"];
    vec![
        trial("judge-client::rpcclient", rpcclient, false, rpcclient_alone),
        trial("judge-client::scripts", rpcclient, false, scripts),
        trial("judge-client::delete", rpcclient, false, delete),
        trial("judge-client::smbtorture", &["smbtorture"], false, torture),
        blackbox::trial("judge-client::impacket", impacket),
    ]
}

/// A server that judges, and where its verdicts will be.
struct Judge {
    serve: Serve,
    files: tempfile::TempDir,
}

impl Judge {
    fn start(shares: &[&str], script: &str, options: &[&str]) -> io::Result<Judge> {
        let files = tempfile::Builder::new().prefix("fsrvp-judge-").tempdir()?;
        let path = |name| files.path().join(name).display().to_string();
        let (output, answers) = (path("ledger.json"), path("script.toml"));
        let mut all = vec!["--judge-client", "--format", "json", "--output", &output];
        if !script.is_empty() {
            fs::write(&answers, script)?;
            all.extend(["--answer", &answers]);
        }
        all.extend(options);
        let serve = Serve::start_with(Store::Any, shares, &all)?;
        Ok(Judge { serve, files })
    }

    /// Waits for the verdicts.
    fn verdicts(mut self) -> io::Result<Verdicts> {
        let code = self.serve.wait()?;
        let text = fs::read_to_string(self.files.path().join("ledger.json"))?;
        Ok(Verdicts {
            code,
            ledger: serde_json::from_str(&text)?,
        })
    }
}

struct Verdicts {
    code: Option<i32>,
    ledger: Value,
}

impl Verdicts {
    /// The requirements that came to this verdict.
    fn with(&self, verdict: &str) -> Vec<&str> {
        let outcomes = self.ledger["outcomes"].as_array().into_iter().flatten();
        let of_it = outcomes.filter(|outcome| outcome["verdict"] == verdict);
        of_it.filter_map(|of| of["requirement"].as_str()).collect()
    }

    /// Fails unless exactly these were broken, and these are among what was followed.
    fn demand(&self, what: &str, broken: &[&str], followed: &[&str]) -> Outcome {
        let passed = self.with("pass");
        let right = self.with("fail") == broken
            && self.with("inconclusive").is_empty()
            && followed.iter().all(|id| passed.contains(id))
            && self.code == Some(i32::from(!broken.is_empty()));
        match right {
            true => Ok(()),
            false => Err(format!(
                "{what}: expected {broken:?} and {followed:?}, code {:?}: {:#}",
                self.code, self.ledger
            )
            .into()),
        }
    }
}

const CREATE: &str = "fss_create_expose backup ro data";

/// Signed, sealed and encrypted: what the judge sees is the same.
fn rpcclient_alone() -> Outcome {
    let variants: [(&str, &[&str], &str); 4] = [
        ("sign", &[], "SMB2-C-3.1.4.1-01"),
        ("seal,ndr64", &[], "SMB2-C-3.1.4.1-01"),
        (
            "spnego,seal",
            &["--client-protection=encrypt"],
            "SMB2-C-3.1.4.3-01",
        ),
        (
            "sign,bigendian",
            &["--client-protection=encrypt"],
            "SMB2-C-3.1.4.3-01",
        ),
    ];
    for (binding, options, protection) in variants {
        let judge = Judge::start(&["data"], "", &["--once"])?;
        let run = Tool::rpcclient_with(judge.serve.port, ADMIN, binding, options, CREATE)?;
        run.success(binding)?;
        judge.verdicts()?.demand(
            binding,
            &[NO_RECOVERY],
            &[
                "FSRVP-C-3.1.4-01",
                "FSRVP-C-3.2.4.2.1-09",
                "FSRVP-C-3.2.4.4-03",
                "RPCE-C-3.3.1.5.2.2-01",
                protection,
            ],
        )?;
    }
    Ok(())
}

/// What rpcclient does when it is told no.
fn scripts() -> Outcome {
    let no_abort = "FSRVP-C-3.2.4.9-01";
    let rows: [(&str, &str, &[&str], &[&str]); 5] = [
        (
            "GetSupportedVersion",
            "min_version = 2",
            &["FSRVP-C-3.2.4.2.1-03", NO_RECOVERY],
            &[],
        ),
        (
            "IsPathSupported",
            "supported = false",
            &["FSRVP-C-3.2.4.2.1-01", NO_RECOVERY],
            &[],
        ),
        (
            "IsPathSupported",
            "owner = \"ELSEWHERE\"",
            &["FSRVP-C-3.2.4.2.1-02", NO_RECOVERY],
            &[],
        ),
        (
            "SetContext",
            "code = \"FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS\"",
            &[],
            &["FSRVP-C-3.2.4.2.1-06"],
        ),
        (
            "ExposeShadowCopySet",
            "code = \"FSRVP_E_WAIT_TIMEOUT\"\ndelay_ms = 20",
            &[no_abort],
            &["FSRVP-C-3-02"],
        ),
    ];
    for (method, what, broken, followed) in rows {
        let script = format!("[[answer]]\nmethod = \"{method}\"\n{what}\n");
        let judge = Judge::start(&["data"], &script, &["--once"])?;
        // It may fail: it was told no.
        Tool::rpcclient(judge.serve.port, ADMIN, "sign", CREATE)?;
        judge.verdicts()?.demand(&script, broken, followed)?;
    }
    Ok(())
}

/// A client that exposes and leaves, and comes back to delete.
fn delete() -> Outcome {
    let judge = Judge::start(&["data"], "", &[])?;
    let port = judge.serve.port;
    let made = Tool::rpcclient(port, ADMIN, "sign", CREATE)?.success("create")?;
    let ids = made.lines().find_map(|line| {
        let (set, rest) = line.split_once('(')?;
        let (copy, rest) = rest.split_once(')')?;
        rest.contains("exposed as").then_some((set, copy))
    });
    let (set, copy) = ids.ok_or("no line says that it is exposed")?;
    let command = format!("fss_delete data {set} {copy}");
    Tool::rpcclient(port, ADMIN, "sign", &command)?.success("delete")?;
    judge.serve.interrupt()?;
    let followed = [
        "FSRVP-C-3.2.4.8-02",
        "FSRVP-C-3.2.4.8-04",
        "FSRVP-C-3.2.4.8-05",
    ];
    judge
        .verdicts()?
        .demand("delete", &[NO_RECOVERY], &followed)
}

/// It adds a share twice, which it does to see the server refuse it.
fn torture() -> Outcome {
    let judge = Judge::start(&["fsrvp_share"], "", &["--once"])?;
    Tool::fsrvp_torture(judge.serve.port, ADMIN, "create_simple")?.success("create_simple")?;
    judge.verdicts()?.demand(
        "create_simple",
        &["FSRVP-C-3.2.4.2.2-02"],
        &["FSRVP-C-3.2.4.4-03", "FSRVP-C-3.2.4.8-04"],
    )
}

/// Whoever does what is asked breaks nothing, in whatever dialect and representation.
fn impacket() -> Outcome {
    let judge = Judge::start(&["data"], "", &[])?;
    let mut command = Command::new(blackbox::PYTHON);
    command
        .arg("-B")
        .arg(blackbox::scripts().join("lifecycles.py"))
        .arg(judge.serve.port.to_string())
        .env("FSRVP_PASSWORD", ADMIN.password);
    tool::run_with_input(command, b"")?.success("lifecycles.py")?;
    judge.serve.interrupt()?;
    judge.verdicts()?.demand(
        "impacket",
        &[],
        &[
            "FSRVP-C-3.1.4.2-01",
            "FSRVP-C-3.2.4.2.1-09",
            "FSRVP-C-3.2.4.4-03",
            "FSRVP-C-3.2.4.5-02",
            "FSRVP-C-3.2.4.6-01",
            "FSRVP-C-3.2.4.8-04",
            "FSRVP-C-3.2.4.9-01",
        ],
    )
}
