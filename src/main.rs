//! The command line of `fsrvp`: what a user types, turned into options of `run`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use fsrvp::run::decode::{self, DecodeOptions};
use std::io::{self, Write};
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
    Decode(DecodeArguments),
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
    /// Count the SMB2 messages and RPC fragments of each kind as well.
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum DecodeFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Decode(arguments) => decode(arguments),
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
    };
    let mut out = output(arguments.output.as_ref())?;
    let outcome = decode::decode(&options, out.as_mut());
    // What came before an error is printed all the same.
    out.flush().map_err(|error| format!("output: {error}"))?;
    outcome
        .map(|status| status.code())
        .map_err(|error| error.to_string())
}
