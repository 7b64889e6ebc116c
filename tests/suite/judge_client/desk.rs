//! A server that judges, inside of the test.

use fsrvp::case::Target;
use fsrvp::report::Format;
use fsrvp::run::judge_client::{JudgeClientOptions, judge_client};
use fsrvp::run::serve::ServeOptions;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc;

/// Sends the server's port as soon as the `ready` line is there.
struct Ready(Vec<u8>, mpsc::Sender<u16>);

impl Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = String::from_utf8_lossy(&self.0);
        let port = line.trim().strip_prefix("ready 127.0.0.1:");
        if let Some(port) = port.and_then(|port| port.parse().ok()) {
            self.1.send(port).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// What a judged run came to.
pub(crate) struct Run {
    pub(crate) code: u8,
    pub(crate) verdicts: BTreeMap<String, String>,
    pub(crate) ledger: Value,
}

impl Run {
    #[track_caller]
    pub(crate) fn is(&self, requirement: &str, verdict: &str) {
        assert_eq!(
            self.verdicts[requirement], verdict,
            "{requirement}: {:#}",
            self.ledger
        );
    }

    /// The requirements that came to this verdict.
    pub(crate) fn with(&self, verdict: &str) -> Vec<&str> {
        let of_it = self.verdicts.iter().filter(|(_, came)| *came == verdict);
        of_it.map(|(id, _)| id.as_str()).collect()
    }
}

/// Serves with this script while `clients` do what they do, until the first of them has left.
pub(crate) fn judged<F: Future<Output = ()>>(
    script: &str,
    clients: impl FnOnce(Targets) -> F,
) -> Run {
    let files = tempfile::tempdir().expect("a directory");
    for share in ["data", "more"] {
        std::fs::create_dir(files.path().join(share)).expect("a directory");
    }
    let config = files.path().join("server.toml");
    std::fs::write(&config, CONFIGURATION).expect("written");
    let answer = (!script.is_empty()).then(|| files.path().join("script.toml"));
    if let Some(answer) = &answer {
        std::fs::write(answer, script).expect("written");
    }
    let output = files.path().join("ledger.json");
    let options = JudgeClientOptions {
        once: true,
        answer,
        format: Format::Json,
        output: Some(output.clone()),
    };
    let serve = ServeOptions {
        config: Some(config),
        ..ServeOptions::default()
    };
    let (sender, port) = mpsc::channel();
    let status = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            judge_client(&serve, &options, &mut Ready(Vec::new(), sender)).expect("it serves")
        });
        let targets = Targets(port.recv().expect("a port"));
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(clients(targets));
        server.join().expect("the server ends")
    });
    let text = std::fs::read_to_string(output).expect("a ledger");
    let ledger: Value = serde_json::from_str(&text).expect("JSON");
    let outcomes = ledger["outcomes"].as_array().expect("a list").iter();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verdicts = outcomes.map(|of| (word(&of["requirement"]), word(&of["verdict"])));
    Run {
        code: status.code(),
        verdicts: verdicts.collect(),
        ledger,
    }
}

/// The server as clients see it.
#[derive(Clone, Copy)]
pub(crate) struct Targets(u16);

impl Targets {
    pub(crate) fn target(self) -> Target {
        let text = format!(
            "name = \"judge\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"admin\"\n\
             password = \"secret-of-admin\"\nshares = [\"data\", \"more\"]\n",
            self.0
        );
        let read = |path: &Path| std::fs::read_to_string(path);
        Target::read(Path::new("target.toml"), &text, &|_| None, &read).expect("a target")
    }
}

const CONFIGURATION: &str = r#"
listen = "127.0.0.1:0"
backend = "copy"

[[share]]
name = "data"
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
"#;
