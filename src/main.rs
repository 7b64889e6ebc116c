//! The command line of `fsrvp`: what a user types, turned into options of `run`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use fsrvp::capture::Timers;
use fsrvp::report;
use fsrvp::run::check::{self, Archives, CheckOptions};
use fsrvp::run::decode::{self, DecodeOptions};
use fsrvp::run::diff;
use fsrvp::run::explain;
use fsrvp::run::judge_client::{JudgeClientOptions, judge_client};
use fsrvp::run::serve::{self, ServeOptions};
use fsrvp::run::status;
use fsrvp::run::tree::{Profile, Recovery, TreeOptions, check_tree as check_tree_of};
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Judges MS-FSRVP (Remote VSS) servers, decodes captures of them, and is one.
#[derive(Parser)]
#[command(name = "fsrvp", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(CheckArguments),
    Decode(DecodeArguments),
    Diff(DiffArguments),
    Explain(ExplainArguments),
    Serve(ServeArguments),
}

/// Judge a live server; without --target, the embedded reference server.
///
/// Exit codes: 0 everything as expected, 1 a fail or inconclusive, 2 could not run, 3 the filters
/// selected nothing.
#[derive(Args)]
struct CheckArguments {
    /// Topic, case, requirement id, section, level, method or profile. A case must match every
    /// filter; commas inside one mean any.
    filter: Vec<String>,
    /// The server to judge: a target file.
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// Who the embedded server behaves like: spec, windows or samba.
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    profile: Option<String>,
    /// How the verdicts are printed.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    format: CheckFormat,
    /// Write the results there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Take the cases from this folder instead of the built-in ones.
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Show what is selected, and why a case would not run here.
    #[arg(long)]
    list: bool,
    /// Count non-strict verdicts as failures.
    #[arg(long)]
    strict: bool,
    /// Show every step of every case as well: what was done, what is permitted, what came. It is about
    /// --format text; json and html have the steps always.
    #[arg(short, long)]
    verbose: bool,
    /// How many embedded servers play cases at the same time.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// What the client's own ids and the lifecycles are made from; the report prints it.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many generated lifecycles are played after the cases: 1000 against the embedded server of
    /// profile spec where all cases are played, otherwise none. One that fails is shortened and
    /// kept as a case file below fsrvp-failures, beside the file of --output or here.
    #[arg(long, value_name = "N")]
    lifecycles: Option<u64>,
    /// The folder for the archives: one of each case that failed or could not be judged, with its
    /// traffic, the keys for it, steps and log, and no password. Without it fsrvp-failures, beside the
    /// file of --output or here.
    #[arg(long, value_name = "DIR", conflicts_with = "no_archives")]
    archives: Option<PathBuf>,
    /// Keep no archive.
    #[arg(long)]
    no_archives: bool,
    /// Write everything that travels in the run to this pcapng file, and the keys for it to NAME.keys.toml
    /// beside it.
    #[arg(long, value_name = "FILE")]
    save_pcap: Option<PathBuf>,
    /// Play nothing: say which entries below this directory break whose directory rules. With --profile
    /// (spec, windows, samba, ontap, seed, hnas) only those; the exit code is 1 where a shadow copy would
    /// be refused.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["filter", "target", "cases", "list", "strict", "jobs",
        "seed", "lifecycles", "archives", "no_archives", "save_pcap", "output", "verbose"])]
    tree: Option<PathBuf>,
    /// With --tree: how deep a file may lie, 0 for no limit; 5 where nobody says and the profile has one.
    #[arg(long, value_name = "N", requires = "tree")]
    depth: Option<u32>,
    /// With --tree: whether the shadow copy is made with automatic recovery; otherwise both are told.
    #[arg(long, value_enum, requires = "tree")]
    recovery: Option<RecoveryWord>,
    /// With --tree: name every entry that breaks a rule, and not the first ones alone.
    #[arg(long, requires = "tree")]
    all: bool,
}

/// Whether a shadow copy is made writable for its application to repair it.
#[derive(Clone, Copy, ValueEnum)]
enum RecoveryWord {
    Auto,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    Text,
    Json,
    Junit,
    Html,
}

impl CheckFormat {
    fn of_report(self) -> report::Format {
        match self {
            CheckFormat::Text => report::Format::Text,
            CheckFormat::Json => report::Format::Json,
            CheckFormat::Junit => report::Format::Junit,
            CheckFormat::Html => report::Format::Html,
        }
    }
}

/// Print the FSRVP calls of pcap and pcapng files.
#[derive(Args)]
struct DecodeArguments {
    /// Capture files, read in this order.
    #[arg(required = true)]
    capture: Vec<PathBuf>,
    /// How the calls are printed; json is one object a line.
    #[arg(long, value_enum, default_value_t = DecodeFormat::Text)]
    format: DecodeFormat,
    /// Write the results there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// List every SMB2 and RPC exchange as well, in the order of their answers, and count messages
    /// and fragments by kind.
    #[arg(long)]
    all: bool,
    /// Passwords and session keys, to open what is encrypted and check what is signed. Without it,
    /// the file beside each capture that has its name and ends in .keys.toml, where there is one.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Tell what client or server did against the specification, the first broken rule first.
    #[arg(long)]
    judge: bool,
    /// How long the servers' Message Sequence Timer runs, for --judge: `scale=1` is nominal,
    /// `fixed_s=2` two seconds for every step, `moved` that somebody moves the server's clock. Without it, as the keys file says; where that says
    /// nothing, no rule on time is judged.
    #[arg(long, value_name = "KEY=N", value_parser = timers)]
    timers: Option<Timers>,
}

fn timers(word: &str) -> Result<Timers, String> {
    Timers::from_word(word)
        .ok_or("neither scale=N nor fixed_s=N with N above 0, nor moved".to_owned())
}

#[derive(Clone, Copy, ValueEnum)]
enum DecodeFormat {
    Text,
    Json,
}

/// Compare two ledgers of `check --format json`: two builds of a server, or two servers.
///
/// Exit codes: 0 they are the same, 1 they differ, 2 one could not be read.
#[derive(Args)]
struct DiffArguments {
    /// The first ledger.
    a: PathBuf,
    /// The second.
    b: PathBuf,
    /// How the differences are printed.
    #[arg(long, value_enum, default_value_t = DecodeFormat::Text)]
    format: DecodeFormat,
    /// Write them there instead of to standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Tell what a requirement, a case or a return code means, and what judges it.
///
/// Exit codes: 0 all of them are known, 3 one is not.
#[derive(Args)]
struct ExplainArguments {
    /// A requirement's id, a case's id, or a code by its name or number.
    #[arg(required = true)]
    id: Vec<String>,
}

/// Run the reference server; the first line on standard output is `ready ADDR:PORT`.
#[derive(Args)]
struct ServeArguments {
    /// A configuration file; the other options change what it says.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one. Without --config: 127.0.0.1:4455.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<std::net::SocketAddr>,
    /// A share and the folder that it serves.
    #[arg(long, value_name = "NAME=PATH")]
    share: Vec<String>,
    /// A user who may use FSRVP; the password is read from FSRVP_PASSWORD.
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// What makes the backend snapshots: auto, btrfs, reflink, copy or command.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Who the server behaves like where servers differ: spec, windows or samba.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Where the durable state lies.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The Message Sequence Timer: `scale=90` runs it 90 times faster, `fixed_s=2` sets it.
    #[arg(long, value_name = "KEY=N")]
    timers: Option<String>,
    /// Start no server: tell how the one stands whose --state this is. Its sets, who holds the
    /// context, since when, and when the timer frees it.
    #[arg(long)]
    status: bool,
    /// Judge the clients: at the end, a verdict on each requirement of MS-FSRVP that binds them.
    /// The exit code is then that of check; 3 where nobody called FSRVP.
    #[arg(long, conflicts_with = "status")]
    judge_client: bool,
    /// End when the first client that called FSRVP has closed its last connection.
    #[arg(long, requires = "judge_client")]
    once: bool,
    /// What to answer in place of what is right, to see what a client does then.
    #[arg(long, value_name = "SCRIPT.toml", requires = "judge_client")]
    answer: Option<PathBuf>,
    /// Write the verdicts of --judge-client there instead of to standard output.
    #[arg(long, value_name = "FILE", requires = "judge_client")]
    output: Option<PathBuf>,
    /// How --status (text or json) or the verdicts of --judge-client are printed.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<CheckFormat>,
    /// Log more: -v what the agent does, -vv every request.
    #[arg(short, action = clap::ArgAction::Count)]
    verbose: u8,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Check(arguments) => check(arguments),
        Command::Decode(arguments) => decode(arguments),
        Command::Diff(arguments) => diff(&arguments),
        Command::Explain(arguments) => explain(&arguments.id),
        Command::Serve(arguments) => serve(arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            // Nobody is left to tell where standard error is closed.
            let _ = writeln!(io::stderr(), "fsrvp: {message}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The exit code of everything that could not be run: usage, unreadable input, a server that is
/// not there or refuses.
const COULD_NOT_RUN: u8 = 2;

/// The exit code where nothing that is known was named.
const NOTHING_SELECTED: u8 = 3;

/// Where results go: the file of `--output`, or standard output.
fn output(path: Option<&PathBuf>) -> Result<Box<dyn Write>, String> {
    match path {
        Some(path) => std::fs::File::create(path)
            .map(|file| Box::new(io::BufWriter::new(file)) as Box<dyn Write>)
            .map_err(|error| format!("--output {}: {error}", path.display())),
        None => Ok(Box::new(io::BufWriter::new(io::stdout()))),
    }
}

fn decode(arguments: DecodeArguments) -> Result<u8, String> {
    let options = DecodeOptions {
        captures: arguments.capture,
        format: match arguments.format {
            DecodeFormat::Text => decode::Format::Text,
            DecodeFormat::Json => decode::Format::Json,
        },
        all: arguments.all,
        keys: arguments.keys,
        judge: arguments.judge,
        timers: arguments.timers,
    };
    let mut out = output(arguments.output.as_ref())?;
    let outcome = decode::decode(&options, out.as_mut());
    // What came before an error is printed all the same.
    out.flush().map_err(|error| format!("output: {error}"))?;
    outcome
        .map(|status| status.code())
        .map_err(|error| error.to_string())
}

fn diff(arguments: &DiffArguments) -> Result<u8, String> {
    let diff = diff::diff(&arguments.a, &arguments.b).map_err(|error| error.to_string())?;
    let text = match arguments.format {
        DecodeFormat::Text => diff.text(),
        DecodeFormat::Json => {
            serde_json::to_string_pretty(&diff).map_err(|error| error.to_string())? + "\n"
        }
    };
    let mut out = output(arguments.output.as_ref())?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("output: {error}"))?;
    Ok(u8::from(diff.differs()))
}

fn explain(words: &[String]) -> Result<u8, String> {
    let explained = explain::explain(words).map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    out.write_all(explained.text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| format!("standard output: {error}"))?;
    for unknown in &explained.unknown {
        // Nobody is left to tell where standard error is closed.
        let _ = writeln!(io::stderr(), "fsrvp: {unknown}");
    }
    Ok(match explained.unknown.as_slice() {
        [] => 0,
        _ => NOTHING_SELECTED,
    })
}

fn serve(arguments: ServeArguments) -> Result<u8, String> {
    log(arguments.verbose);
    let (asks_status, judges) = (arguments.status, arguments.judge_client);
    if arguments.format.is_some() && !(asks_status || judges) {
        return Err("--format goes with --status or --judge-client; add one of them".to_owned());
    }
    let format = arguments.format.unwrap_or(CheckFormat::Text);
    if asks_status && matches!(format, CheckFormat::Junit | CheckFormat::Html) {
        return Err(
            "--status has --format text and json; the others go with --judge-client".to_owned(),
        );
    }
    let judging = JudgeClientOptions {
        once: arguments.once,
        answer: arguments.answer,
        format: format.of_report(),
        output: arguments.output,
    };
    let options = ServeOptions {
        config: arguments.config,
        listen: arguments.listen,
        shares: arguments.share,
        users: arguments.user,
        backend: arguments.backend,
        profile: arguments.profile,
        state: arguments.state,
        timers: arguments.timers,
    };
    if asks_status {
        let directory = options.state_directory()?;
        let as_json = format == CheckFormat::Json;
        status::print(&directory, as_json, &mut io::stdout())?;
    } else if judges {
        return judge_client(&options, &judging, &mut io::stdout()).map(|status| status.code());
    } else {
        serve::serve(&options, &mut io::stdout())?;
    }
    Ok(0)
}

/// Sends the log to standard error; `FSRVP_LOG` may say more exactly what is wanted.
fn log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("FSRVP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// How many entries of each rule are named where nobody wants all.
const EXAMPLES: usize = 10;

fn check_tree(root: PathBuf, arguments: &CheckArguments) -> Result<u8, String> {
    let profile = match &arguments.profile {
        Some(name) => {
            let names = Profile::ALL.map(Profile::name).join(", ");
            let found = Profile::from_name(name);
            Some(found.ok_or_else(|| format!("no profile {name} of directory rules: {names}"))?)
        }
        None => None,
    };
    let options = TreeOptions {
        root,
        profile,
        recovery: arguments.recovery.map(|word| match word {
            RecoveryWord::Auto => Recovery::Auto,
            RecoveryWord::None => Recovery::None,
        }),
        depth_max: arguments.depth,
        examples_max: if arguments.all { usize::MAX } else { EXAMPLES },
        format: match arguments.format {
            format @ (CheckFormat::Text | CheckFormat::Json) => format.of_report(),
            CheckFormat::Junit | CheckFormat::Html => {
                return Err("--tree has text and json only".to_owned());
            }
        },
    };
    let mut out = io::stdout().lock();
    let code = check_tree_of(&options, &mut out).map_err(|error| error.to_string())?;
    out.flush()
        .map_err(|error| format!("standard output: {error}"))?;
    Ok(code)
}

fn check(mut arguments: CheckArguments) -> Result<u8, String> {
    if let Some(root) = arguments.tree.take() {
        return check_tree(root, &arguments);
    }
    if arguments.list && arguments.format != CheckFormat::Text {
        return Err("--list has text only; leave --format away".to_owned());
    }
    let options = CheckOptions {
        filters: arguments.filter,
        target: arguments.target,
        profile: arguments.profile,
        format: arguments.format.of_report(),
        output: arguments.output,
        jobs: arguments.jobs,
        list: arguments.list,
        cases: arguments.cases,
        strict: arguments.strict,
        detail: match arguments.verbose {
            true => report::Detail::Steps,
            false => report::Detail::Outcome,
        },
        progress: io::stderr().is_terminal(),
        seed: arguments.seed,
        lifecycles: arguments.lifecycles,
        archives: match (arguments.no_archives, arguments.archives) {
            (true, _) => Archives::None,
            (false, Some(folder)) => Archives::In(folder),
            (false, None) => Archives::Beside,
        },
        save_pcap: arguments.save_pcap,
        faults: Vec::new(),
    };
    let mut out = io::stdout().lock();
    let status = check::check(&options, &mut out).map_err(|error| error.to_string())?;
    out.flush()
        .map_err(|error| format!("standard output: {error}"))?;
    Ok(status.code())
}
