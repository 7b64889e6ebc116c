//! A suite in Python, over Debian's impacket and with stubs of its own, against `fsrvp serve` in
//! each profile. It shares no code and no reading of the specification with the server.

use crate::Outcome;
use crate::serve::{ADMIN, Serve, Store};
use crate::tool;
use libtest_mimic::{Completion, Trial};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python that the package python3-impacket belongs to, whatever else is in PATH.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// A share, and the file store that it says it lies on.
const SHARES: [(&str, &str); 4] = [
    ("data", "store = \"A\"\n"),
    ("more", "store = \"B\"\n"),
    ("alias", "store = \"A\"\n"),
    ("hidden$", "store = \"C\"\n"),
];

/// Servers whose timers run 90 times as fast, one for each state that waits for its end.
const TIMED: usize = 10;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("blackbox::spec", || run("spec")),
        trial("blackbox::windows", || run("windows")),
        trial("blackbox::samba", || run("samba")),
        trial("impacket_files", files),
    ]
}

/// A trial that needs impacket.
pub(crate) fn trial(name: &str, run: impl FnOnce() -> Outcome + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("peers::{name}"), move || {
        if !is_there() {
            let reason = "python3-impacket is not installed; scripts/test installs it as root";
            return Ok(Completion::ignored_with(reason));
        }
        run().map(|()| Completion::Completed)
    })
}

/// impacket browses, reads, writes, renames and deletes.
fn files() -> Outcome {
    let server = Serve::start(Store::Any)?;
    let data = server.share("data");
    fs::create_dir(data.join("sub"))?;
    fs::write(data.join("hello.txt"), "as it was\n")?;
    fs::write(data.join("sub/deep.txt"), "deep\n")?;
    let mut command = Command::new(PYTHON);
    command
        .arg("-B")
        .arg(scripts().join("files.py"))
        .arg(server.port.to_string())
        .env("FSRVP_PASSWORD", ADMIN.password);
    let run = tool::run_with_input(command, b"")?;
    Ok(run.success("files.py").map(drop)?)
}

fn is_there() -> bool {
    let mut command = Command::new(PYTHON);
    command.args(["-c", "import impacket"]);
    tool::run_with_input(command, b"").is_ok_and(|run| run.status == Some(0))
}

fn run(profile: &str) -> Outcome {
    let files = tempfile::Builder::new()
        .prefix("fsrvp-blackbox-")
        .tempdir()?;
    let hold = files.path().join("hold");
    let users = users();
    let start = |keys: &str| serve(profile, keys, &users);
    let gated = start(&gate(&hold))?;
    let plain = start("")?;
    // Where an abort keeps the server from starting a set for half an hour.
    let spares = (0..2).map(|_| start("")).collect::<io::Result<Vec<_>>>()?;
    let timed = (0..TIMED)
        .map(|_| start("timers = { scale = 90.0 }\n"))
        .collect::<io::Result<Vec<_>>>()?;

    let mut suite = Command::new(PYTHON);
    suite
        .arg("-B")
        .arg(scripts().join("suite.py"))
        .arg(profile)
        .arg(format!("gated={}", gated.port))
        .arg(format!("plain={}", plain.port))
        .arg(format!(
            "spare={}",
            if profile == "windows" {
                ports(&spares)
            } else {
                String::new()
            }
        ))
        .arg(format!("timed={}", ports(&timed)))
        .env("FSRVP_PASSWORD", ADMIN.password)
        .env("FSRVP_HOLD", &hold);
    let output = tool::run_with_input(suite, b"")?.success("suite.py")?;
    crate::demand(&output, ", 0 wrong", "suite.py")
}

/// Where the Python files are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/blackbox")
}

fn ports(servers: &[Serve]) -> String {
    let ports: Vec<_> = servers
        .iter()
        .map(|server| server.port.to_string())
        .collect();
    ports.join(",")
}

/// Three users: of the two groups that may, and of none.
fn users() -> String {
    let user = |(name, groups): (&str, &str)| {
        let password = ADMIN.password;
        format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\ngroups = [{groups}]\n")
    };
    [("backup", "\"Backup Operators\""), ("eve", "")]
        .map(user)
        .concat()
}

/// Programs that make no copy before they are let.
fn gate(hold: &Path) -> String {
    format!(
        "backend = \"command\"\n[command]\ncreate = [\"{0}/create.sh\", \"{1}\"]\nremove = [\"{0}/remove.sh\"]\n",
        scripts().display(),
        hold.display(),
    )
}

fn serve(profile: &str, keys: &str, users: &str) -> io::Result<Serve> {
    // Only copies may call their stores what they like.
    let shares = SHARES.map(|(share, store)| match keys.contains("backend") {
        true => (share, ""),
        false => (share, store),
    });
    let root = format!("profile = \"{profile}\"\n{keys}{users}");
    let server = Serve::configured(&root, &shares)?;
    for (share, _) in SHARES {
        fs::write(server.share(share).join("hello.txt"), "as it was\n")?;
    }
    Ok(server)
}
