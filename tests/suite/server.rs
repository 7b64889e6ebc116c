//! `fsrvp serve` with two shares on stores of their own, a second share on the first store, and a
//! user without backup rights.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    files: tempfile::TempDir,
}

impl Server {
    /// Starts the server on a free port and waits for its `ready` line.
    pub(crate) fn start() -> Server {
        Server::with("")
    }

    /// The same with further keys at the top of its configuration.
    pub(crate) fn with(keys: &str) -> Server {
        Server::of_backend("copy", keys)
    }

    /// The same with another backend.
    pub(crate) fn of_backend(backend: &str, keys: &str) -> Server {
        let files = tempfile::tempdir().expect("a directory");
        for share in ["data", "more"] {
            std::fs::create_dir(files.path().join(share)).expect("a directory");
        }
        let config = files.path().join("server.toml");
        std::fs::write(
            &config,
            format!("backend = \"{backend}\"\n{keys}\n{CONFIGURATION}"),
        )
        .expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_fsrvp"))
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let address = line
            .trim()
            .strip_prefix("ready ")
            .and_then(|text| text.parse().ok());
        Server {
            child,
            address: address.expect("ready ADDR:PORT"),
            files,
        }
    }

    /// The server's configuration file.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.files.path().join("server.toml")
    }

    /// Ends the server with SIGKILL; its files stay until the end of what is returned.
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        let elsewhere = tempfile::tempdir().expect("a directory");
        std::mem::replace(&mut self.files, elsewhere)
    }

    /// Where the files of a share lie.
    pub(crate) fn share(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn memory_max_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("VmHWM")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A target file for this server, in which `from` stands as `to`.
    pub(crate) fn target(&self, from: &str, to: &str) -> PathBuf {
        let path = self.files.path().join("target.toml");
        let text = TARGET.replace("PORT", &self.address.port().to_string());
        assert!(text.contains(from), "{from} is not in the target file");
        std::fs::write(&path, text.replace(from, to)).expect("written");
        path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"
state = "state"

[[share]]
name = "data"
path = "data"
store = "one"

[[share]]
name = "alias"
path = "data"
store = "one"

[[share]]
name = "more"
path = "more"
store = "two"

[[user]]
name = "admin"
password = "secret-of-admin"
groups = ["Administrators"]

[[user]]
name = "eve"
password = "secret-of-eve"
"#;

const TARGET: &str = r#"
name = "ours, as a stranger"
host = "127.0.0.1"
port = PORT
user = "admin"
password = "secret-of-admin"
shares = ["data", "more"]
same_store = ["alias"]
plain_user = { name = "eve", password = "secret-of-eve" }
"#;
