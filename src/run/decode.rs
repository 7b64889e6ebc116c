//! `fsrvp decode`: the FSRVP calls of capture files, as a timeline or as JSON lines.

mod json;
mod judge;
mod keys;
mod listing;
mod table;
mod text;
mod timeline;
mod words;

use crate::capture::link::{Decapsulator, Passed};
use crate::capture::{CaptureError, CaptureReader, Timers, unpacked};
use crate::flow::tcp::Stamp;
use crate::flow::{Counters, Dissector, Event, Listed};
use crate::oracle::{Loss, Moment};
use crate::outcome::{ExitStatus, Finding};
use crate::requirement::FileError;
use judge::Judge;
use keys::Keys;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In what form the calls are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One line a call, for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What to decode, and how to print it.
#[derive(Debug, Clone, Default)]
pub struct DecodeOptions {
    /// The capture files, read one after the other; `-` is standard input.
    pub captures: Vec<PathBuf>,
    /// The form.
    pub format: Format,
    /// Also print every exchange of SMB2 and RPC, and how many messages and fragments of each kind
    /// were met.
    pub all: bool,
    /// The file with passwords and session keys for all captures; without it, that of each capture
    /// which has its name and ends in `.keys.toml`, where there is one.
    pub keys: Option<PathBuf>,
    /// Also tell what client or server did against the specification.
    pub judge: bool,
    /// How long the Message Sequence Timer of the servers runs; without it, as the keys file says,
    /// and where that says nothing it is not known.
    pub timers: Option<Timers>,
}

/// Why decoding stopped.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A file could not be opened.
    #[error(
        "capture {path} cannot be opened: {source}; give the path of a readable pcap or pcapng file"
    )]
    Open {
        /// The file.
        path: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// A file could not be read to its end.
    #[error("capture {path} {source}; {}", remedy(.source))]
    Capture {
        /// The file.
        path: String,
        /// What is wrong with it, and where.
        source: CaptureError,
    },
    /// The keys could not be read.
    #[error("keys file {path} cannot be read: {source}; give the path of a readable file")]
    OpenKeys {
        /// The file.
        path: String,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The keys are wrong.
    #[error("keys file {0}; nothing was decoded")]
    Keys(FileError),
    /// The output could not be written.
    #[error("the output cannot be written: {0}; give another --output")]
    Output(#[from] std::io::Error),
}

fn remedy(error: &CaptureError) -> &'static str {
    match error {
        CaptureError::Foreign => "give a pcap or pcapng file",
        CaptureError::Truncated { .. } => "what came before was read; copy the file again whole",
        CaptureError::Broken { .. } => "what came before was read; capture or copy it again",
        CaptureError::Read { .. } => "what came before was read; check the disk and the rights",
    }
}

/// What was met in all captures together.
#[derive(Debug, Clone, Default, PartialEq)]
struct Totals {
    captures: u64,
    packets: u64,
    bytes: u64,
    /// Packets that could not be told to be TCP or not: broken, of a link type that is not known,
    /// or without some of their fragments.
    unread_packets: u64,
    connections: u64,
    smb_connections: u64,
    sessions: u64,
    calls: u64,
    gaps: u64,
    findings: u64,
    /// Findings of a MUST.
    failures: u64,
    span: Duration,
    messages: Counters,
}

/// What is known when a capture ends.
struct End<'a> {
    /// The findings of the whole capture.
    findings: &'a [Finding],
    /// The sets that servers had let go of by then, and no call showed it.
    losses: Vec<Loss>,
}

/// What prints the events.
trait Printer {
    fn event(&mut self, capture: &str, event: &Event, out: &mut dyn Write) -> std::io::Result<()>;
    /// Takes an exchange of SMB2 or RPC.
    fn listed(
        &mut self,
        capture: &str,
        listed: &Listed,
        out: &mut dyn Write,
    ) -> std::io::Result<()>;
    /// Whether it keeps as much as it may, and [`Printer::moments`] is due.
    fn is_full(&self) -> bool {
        false
    }
    /// Takes what was known around the exchanges since the last time; everything that was kept is
    /// printed, as far as it was judged. `end` is what is known at the end of the capture.
    fn moments(
        &mut self,
        _capture: &str,
        _moments: Vec<Moment>,
        _end: Option<End<'_>>,
        _out: &mut dyn Write,
    ) -> std::io::Result<()> {
        Ok(())
    }
    fn findings(
        &mut self,
        capture: &str,
        findings: &[Finding],
        out: &mut dyn Write,
    ) -> std::io::Result<()>;
    fn counters(&mut self, totals: &Totals, out: &mut dyn Write) -> std::io::Result<()>;
    fn summary(&mut self, totals: &Totals, out: &mut dyn Write) -> std::io::Result<()>;
}

/// Decodes the captures of `options` to `out`.
///
/// # Errors
/// The first file that could not be read to its end; what came before it is printed.
pub fn decode(options: &DecodeOptions, out: &mut dyn Write) -> Result<ExitStatus, DecodeError> {
    let mut printer: Box<dyn Printer> = match options.format {
        Format::Text => Box::new(text::Text::default()),
        Format::Json => Box::new(json::Json::default()),
    };
    let mut totals = Totals::default();
    let mut outcome = Ok(());
    let given = match &options.keys {
        Some(path) => Some(keys::read(path)?),
        None => None,
    };
    for path in &options.captures {
        let keys = match &given {
            Some(keys) => Ok(keys.clone()),
            None => keys::beside(path),
        };
        outcome = keys
            .and_then(|keys| decode_file(path, keys, options, &mut totals, printer.as_mut(), out));
        if outcome.is_err() {
            break;
        }
    }
    if outcome.is_ok() || totals.packets > 0 {
        if options.all {
            printer.counters(&totals, out)?;
        }
        printer.summary(&totals, out)?;
        out.flush()?;
    }
    outcome.map(
        |()| match totals.messages.bad_signatures + totals.failures {
            0 => ExitStatus::AsExpected,
            _ => ExitStatus::Deviates,
        },
    )
}

fn decode_file(
    path: &Path,
    keys: Keys,
    options: &DecodeOptions,
    totals: &mut Totals,
    printer: &mut dyn Printer,
    out: &mut dyn Write,
) -> Result<(), DecodeError> {
    let name = path.display().to_string();
    let source = match path.as_os_str() == "-" {
        true => unpacked(std::io::stdin().lock()),
        false => File::open(path).and_then(unpacked),
    };
    let source: Box<dyn Read> = match source {
        Ok(source) => source,
        Err(source) => return Err(DecodeError::Open { path: name, source }),
    };
    let stopped = |source| DecodeError::Capture {
        path: name.clone(),
        source,
    };
    let mut reader = CaptureReader::new(source).map_err(stopped)?;
    let mut decapsulator = Decapsulator::new();
    let follows = options.format == Format::Text;
    let timers = options.timers.or(keys.timers);
    let mut judge = (options.judge || follows).then(|| Judge::new(options.judge, follows, timers));
    let mut dissector = Dissector::with_keys(keys.ring);
    if options.all {
        dissector.list_all();
    }
    let mut clock = Clock::default();
    let mut failure = None;
    while let Some(packet) = reader.next_packet() {
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        let stamp = Stamp {
            frame: packet.frame,
            time: clock.since_start(packet.time),
        };
        let length = packet.original_len;
        match decapsulator.segment(packet.link, packet.data, length, stamp) {
            Ok(segment) => {
                dissector.handle_segment(&segment);
                if let Some(judge) = &mut judge {
                    judge.segment(&segment);
                }
            }
            Err(Passed::NotTcp | Passed::Fragment) => continue,
            Err(Passed::UnknownLink | Passed::BrokenHeader) => {
                totals.unread_packets += 1;
                continue;
            }
        }
        hand_out(&mut dissector, &mut judge, &name, printer, out)?;
    }
    dissector.finish();
    hand_out(&mut dissector, &mut judge, &name, printer, out)?;
    if let Some(judge) = &mut judge {
        let findings = judge.finish(clock.last);
        let end = End {
            findings: &findings,
            losses: judge.losses_at_end(),
        };
        printer.moments(&name, judge.moments(), Some(end), out)?;
        if options.judge {
            printer.findings(&name, &findings, out)?;
            totals.judged(&findings);
        }
    }
    totals.add(dissector.counters());
    totals.unread_packets += decapsulator.incomplete();
    totals.packets += reader.frames();
    totals.bytes += reader.bytes();
    totals.span += clock.last;
    failure.map_or(Ok(()), |error| Err(stopped(error)))
}

/// Prints what was found, and shows it to the judge.
fn hand_out(
    dissector: &mut Dissector,
    judge: &mut Option<Judge>,
    capture: &str,
    printer: &mut dyn Printer,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    while let Some(listed) = dissector.poll_listed() {
        printer.listed(capture, &listed, out)?;
    }
    while let Some(event) = dissector.poll_event() {
        printer.event(capture, &event, out)?;
        if let Some(judge) = judge {
            judge.event(&event);
            if printer.is_full() {
                printer.moments(capture, judge.moments(), None, out)?;
            }
        }
    }
    Ok(())
}

impl Totals {
    fn judged(&mut self, findings: &[Finding]) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.findings += count(findings.len());
        self.failures += count(findings.iter().filter(|f| f.is_failure()).count());
    }

    fn add(&mut self, counters: &Counters) {
        self.captures += 1;
        self.connections += counters.connections;
        self.smb_connections += counters.smb_connections;
        self.sessions += counters.sessions;
        self.calls += counters.calls;
        self.gaps += counters.gaps;
        self.messages.add(counters);
    }
}

/// The time since the first packet of a capture.
#[derive(Default)]
struct Clock {
    first: Option<Duration>,
    last: Duration,
}

impl Clock {
    /// A packet without a time, or with one before the first, counts as simultaneous with what
    /// came before.
    fn since_start(&mut self, time: Option<Duration>) -> Duration {
        if let Some(time) = time {
            let first = *self.first.get_or_insert(time);
            self.last = time.checked_sub(first).unwrap_or(self.last);
        }
        self.last
    }
}
