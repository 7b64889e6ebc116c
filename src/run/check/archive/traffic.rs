//! The traffic of one case, kept until it is known whether anybody wants it, and of a whole run,
//! written as it comes.

use crate::capture::CaptureWriter;
use crate::drive::{LogonKey, Passing, Recorder};
use crate::flow::Direction;
use crate::run::check::CheckError;
use crate::run::check::archive::keys;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How much traffic of one case is kept, in bytes.
pub(super) const TRAFFIC_BYTES_MAX: usize = 64 << 20;
/// How many connections, ends and pieces of it.
const EVENTS_MAX: usize = 1 << 20;
/// How many keys.
const KEYS_MAX: usize = 1 << 14;
/// More room than this is given back when the next case begins.
const ROOM_KEPT_BYTES: usize = 1 << 20;

/// Who writes the captures.
pub(super) const APPLICATION: &str = concat!("fsrvp ", env!("CARGO_PKG_VERSION"));

/// Something that happened on a connection; bytes lie in [`Traffic::bytes`].
struct Event {
    time: Duration,
    connection: u64,
    what: What,
}

enum What {
    Opened {
        client: SocketAddr,
        server: SocketAddr,
    },
    Bytes {
        direction: Direction,
        place: Range<usize>,
        comment: Option<String>,
    },
    Ended {
        direction: Direction,
        reset: bool,
    },
}

/// What travelled since [`Traffic::clear`].
#[derive(Default)]
pub(in crate::run::check) struct Traffic {
    /// Nobody wants it, apart from the capture of the run.
    is_deaf: bool,
    /// The first connection of this case; numbers only grow, and what an older one still does is no
    /// part of it.
    first: Option<u64>,
    events: Vec<Event>,
    bytes: Vec<u8>,
    keys: Vec<LogonKey>,
    step: String,
    is_cut: bool,
    /// The capture of the whole run.
    run: Option<SharedCapture>,
}

/// The capture of a run, which every worker writes to.
pub(in crate::run::check) type SharedCapture = Arc<Mutex<RunCapture>>;

impl Traffic {
    /// Nothing yet. It is kept where `keeps` says so, and goes to `run` where there is one.
    pub(in crate::run::check) fn new(keeps: bool, run: Option<SharedCapture>) -> Traffic {
        Traffic {
            is_deaf: !keeps,
            run,
            ..Traffic::default()
        }
    }

    /// Whether anybody listens at all.
    pub(in crate::run::check) fn is_wanted(&self) -> bool {
        !self.is_deaf || self.run.is_some()
    }

    /// Lets go of everything.
    pub(in crate::run::check) fn clear(&mut self) {
        self.first = None;
        self.events.clear();
        self.keys.clear();
        self.bytes.clear();
        self.bytes.shrink_to(ROOM_KEPT_BYTES);
        self.is_cut = false;
    }

    /// Whether nothing travelled.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether there was more than is kept.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The keys of the logons.
    pub(super) fn keys(&self) -> &[LogonKey] {
        &self.keys
    }

    /// The servers' ports.
    pub(super) fn ports(&self) -> Vec<u16> {
        let servers = self.events.iter().filter_map(|event| match event.what {
            What::Opened { server, .. } => Some(server.port()),
            _ => None,
        });
        let mut ports: Vec<u16> = servers.collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// All of it as a pcapng file.
    pub(super) fn pcapng(&self, comment: &str) -> io::Result<Vec<u8>> {
        let mut writer = CaptureWriter::new(Vec::new(), APPLICATION, comment)?;
        for Event {
            time,
            connection,
            what,
        } in &self.events
        {
            let (time, id) = (*time, *connection);
            match what {
                What::Opened { client, server } => writer.open(time, id, *client, *server)?,
                What::Ended { direction, reset } => writer.end(time, id, *direction, *reset)?,
                What::Bytes {
                    direction,
                    place,
                    comment,
                } => {
                    let bytes = self.bytes.get(place.clone()).unwrap_or_default();
                    writer.bytes(time, id, *direction, bytes, comment.as_deref())?;
                }
            }
        }
        writer.finish()
    }

    fn keep(
        &mut self,
        time: Duration,
        connection: u64,
        passing: Passing<'_>,
        comment: Option<String>,
    ) {
        if let Passing::Opened { .. } = passing {
            self.first.get_or_insert(connection);
        }
        if self.first.is_none_or(|first| connection < first) {
            return;
        }
        let more = match passing {
            Passing::Bytes { bytes, .. } => bytes.len(),
            _ => 0,
        };
        self.is_cut |= self.bytes.len().saturating_add(more) > TRAFFIC_BYTES_MAX
            || self.events.len() >= EVENTS_MAX;
        if self.is_cut {
            return;
        }
        let what = match passing {
            Passing::Opened { client, server } => What::Opened { client, server },
            Passing::Ended { direction, reset } => What::Ended { direction, reset },
            Passing::Bytes {
                direction, bytes, ..
            } => {
                let begin = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                What::Bytes {
                    direction,
                    place: begin..self.bytes.len(),
                    comment,
                }
            }
        };
        self.events.push(Event {
            time,
            connection,
            what,
        });
    }
}

impl Recorder for Traffic {
    fn step(&mut self, step: &str) {
        self.step.clear();
        self.step.push_str(step);
    }

    fn passing(&mut self, time: Duration, connection: u64, passing: Passing<'_>) {
        let begins = match passing {
            Passing::Bytes { begins, .. } => begins,
            _ => None,
        };
        let comment = begins.map(|begins| format!("{}: {begins}", self.step));
        if let Some(Ok(mut run)) = self.run.as_ref().map(|run| run.lock()) {
            run.passing(time, connection, passing, comment.as_deref());
        }
        if !self.is_deaf {
            self.keep(time, connection, passing, comment);
        }
    }

    fn logon(&mut self, key: &LogonKey) {
        if let Some(Ok(mut run)) = self.run.as_ref().map(|run| run.lock()) {
            run.logon(key);
        }
        if !self.is_deaf && self.keys.len() < KEYS_MAX {
            self.keys.push(key.clone());
        }
    }
}

/// The capture of a whole run, and the keys beside it; the first error ends it.
pub(in crate::run::check) struct RunCapture {
    path: PathBuf,
    capture: CaptureWriter<BufWriter<File>>,
    keys: BufWriter<File>,
    error: Option<io::Error>,
}

impl RunCapture {
    /// Makes the files. `head` is the head of the keys file.
    pub(in crate::run::check) fn create(path: &Path, head: &str) -> Result<RunCapture, CheckError> {
        let fail = |source| CheckError::Capture {
            path: path.display().to_string(),
            source,
        };
        let file = BufWriter::new(private(path).map_err(fail)?);
        let capture =
            CaptureWriter::new(file, APPLICATION, "a run of fsrvp check").map_err(fail)?;
        let mut keys = BufWriter::new(private(&keys::beside(path)).map_err(fail)?);
        keys.write_all(head.as_bytes()).map_err(fail)?;
        Ok(RunCapture {
            path: path.to_owned(),
            capture,
            keys,
            error: None,
        })
    }

    fn passing(&mut self, time: Duration, id: u64, passing: Passing<'_>, comment: Option<&str>) {
        if self.error.is_some() {
            return;
        }
        let written = match passing {
            Passing::Opened { client, server } => self.capture.open(time, id, client, server),
            Passing::Ended { direction, reset } => self.capture.end(time, id, direction, reset),
            Passing::Bytes {
                direction, bytes, ..
            } => self.capture.bytes(time, id, direction, bytes, comment),
        };
        self.error = written.err();
    }

    fn logon(&mut self, key: &LogonKey) {
        if self.error.is_none() {
            let text = keys::entry(key);
            self.error = self.keys.write_all(text.as_bytes()).err();
        }
    }

    /// Writes what was held back.
    ///
    /// # Errors
    /// The first error of all.
    pub(in crate::run::check) fn finish(&mut self) -> Result<(), CheckError> {
        let error = self.error.take();
        let flushed = match error {
            Some(error) => Err(error),
            None => self.capture.flush().and_then(|()| self.keys.flush()),
        };
        flushed.map_err(|source| CheckError::Capture {
            path: self.path.display().to_string(),
            source,
        })
    }
}

/// A new file that only its owner may read: session keys are in it or beside it.
pub(super) fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureReader;

    fn piece(bytes: &[u8]) -> Passing<'_> {
        Passing::Bytes {
            direction: Direction::ClientToServer,
            bytes,
            begins: Some("SetContext"),
        }
    }

    fn opened() -> Passing<'static> {
        let [client, server] = ["127.0.0.1:5", "127.0.0.1:445"].map(|text| text.parse().unwrap());
        Passing::Opened { client, server }
    }

    #[test]
    fn more_traffic_than_the_limit_is_left_away_and_said_so() {
        let mut traffic = Traffic::new(true, None);
        traffic.step("t/case step 3");
        traffic.passing(Duration::ZERO, 1, opened());
        let large = vec![7; TRAFFIC_BYTES_MAX];
        traffic.passing(Duration::ZERO, 1, piece(&large));
        assert!(!traffic.is_cut());
        assert_eq!(traffic.ports(), [445]);
        traffic.passing(Duration::ZERO, 1, piece(&[7]));
        assert!(traffic.is_cut());
        assert_eq!(
            (traffic.bytes.len(), traffic.events.len()),
            (TRAFFIC_BYTES_MAX, 2)
        );
        traffic.clear();
        assert!(!traffic.is_cut() && traffic.is_empty());
        assert!(traffic.bytes.capacity() <= ROOM_KEPT_BYTES);
    }

    #[test]
    fn the_first_packet_of_a_call_tells_its_step() {
        let mut traffic = Traffic::new(true, None);
        traffic.passing(Duration::ZERO, 1, opened());
        traffic.step("t/case step 3");
        traffic.passing(Duration::ZERO, 1, piece(&[7; 5000]));
        let file = traffic.pcapng("t/case").unwrap();
        let told = b"t/case step 3: SetContext";
        let count = file.windows(told.len()).filter(|part| part == told).count();
        assert_eq!(count, 1);
        let mut reader = CaptureReader::new(file.as_slice()).unwrap();
        while reader.next_packet().is_some() {}
        assert_eq!(reader.frames(), 7);
    }

    #[test]
    fn what_a_connection_of_an_earlier_case_still_does_is_no_part_of_this_one() {
        let mut traffic = Traffic::new(true, None);
        traffic.passing(Duration::ZERO, 1, opened());
        traffic.clear();
        traffic.passing(Duration::ZERO, 1, piece(&[7]));
        assert!(traffic.is_empty());
        traffic.passing(Duration::ZERO, 2, opened());
        traffic.passing(Duration::ZERO, 1, piece(&[7]));
        traffic.passing(Duration::ZERO, 2, piece(&[8]));
        assert_eq!(
            (traffic.bytes.as_slice(), traffic.events.len()),
            (&[8][..], 2)
        );
    }

    #[test]
    fn nothing_is_kept_where_nobody_wants_it() {
        let mut traffic = Traffic::new(false, None);
        assert!(!traffic.is_wanted());
        traffic.passing(Duration::ZERO, 1, opened());
        traffic.passing(Duration::ZERO, 1, piece(&[7]));
        assert!(traffic.is_empty() && traffic.bytes.is_empty());
    }
}
