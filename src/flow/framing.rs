//! From the bytes of one direction to SMB messages: NetBIOS framing, compounds, and the search for
//! the next message after a loss.
//!
//! A message is kept only while somebody wants it as a whole; of the others, such as the contents
//! of files, only the head is looked at and the rest is counted. So a loss inside of a message
//! that nobody wants costs nothing, and a loss inside of one that somebody wants costs that one:
//! its length was told before. Only where the loss reaches over the end of a message, the reader
//! must search: it takes the next place at which a NetBIOS header of a possible length is followed
//! by an SMB2 header with its protocol identifier, its structure size and a command that exists,
//! or by a transform header that agrees with the length.

mod head;

pub(super) use head::{elements, is_from_server, looks_like_smb};

use super::exchange::Evidence;
use super::tcp::Stamp;
use head::{element_length, is_plausible, kind_of, len_u64, length_at};

/// How much of each message is looked at: the SMB2 header and the fixed part of any body.
pub(super) const HEAD_LEN: usize = 64 + 56;

/// A message that is wanted as a whole must not be longer.
pub(super) const ELEMENT_MAX: usize = 2 << 20;

/// A message whose signature is to be checked, or that is to be opened, must not be longer: the
/// longest READ or WRITE that is known to be negotiated (8 MiB), and its headers.
const SECURED_MAX: usize = (8 << 20) + (64 << 10);

/// The longest message that the framing allows over TCP (MS-SMB2 2.1).
const MESSAGE_MAX: u64 = 0x00ff_ffff;

const SMB2_HEADER_LEN: usize = 64;
const TRANSFORM_HEADER_LEN: usize = 52;

/// MS-SMB2 2.2.1: commands run from NEGOTIATE (0) to SERVER_TO_CLIENT_NOTIFICATION (0x13).
const COMMAND_MAX: u16 = 0x13;

/// How much one direction may keep however crowded it is: heads, and what the search looks at.
const KEPT_MIN: usize = 8 * 1024;

/// How much the search gathers at once, where it must gather.
const SEARCH_STEP: usize = 4096;

/// How many bytes the search looks at in one place.
const PROBE_LEN: usize = 4 + 44;

/// What a message or an element of a compound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An SMB2 message, 0xFE.
    Smb2,
    /// A transform message: encrypted, 0xFD.
    Encrypted,
    /// A compression transform, 0xFC.
    Compressed,
    /// SMB1, 0xFF.
    Smb1,
}

/// A message, or one element of a compound.
#[derive(Debug)]
pub(super) struct Element<'a> {
    pub(super) kind: Kind,
    /// The whole element, or its head where nobody wanted more.
    pub(super) bytes: &'a [u8],
    /// How long the element is.
    pub(super) length: u64,
    /// Whether it begins a message: elements of one compound follow each other.
    pub(super) first: bool,
    /// Where it begins in the stream.
    pub(super) offset: u64,
    /// Whether it came inside of an encrypted message.
    pub(super) encrypted: bool,
    pub(super) evidence: Evidence,
}

/// What of an element is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// No more than its head.
    Head,
    /// All of it; if it is longer than [`ELEMENT_MAX`], that is a [`Trouble`].
    Whole,
    /// All of it, to check or to open it; but its head if it is longer than [`SECURED_MAX`].
    Secured,
}

/// Something in the stream that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A message of which a part is lost.
    Incomplete,
    /// Bytes passed over in search of the next message.
    NoBoundary,
    /// A message with an unknown protocol identifier, or a compound whose offsets do not fit.
    Broken,
    /// A wanted message above [`ELEMENT_MAX`].
    TooLong,
    /// A wanted message that came when too many others were being gathered.
    Crowded,
}

/// A place that could not be read.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) trouble: Trouble,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) evidence: Evidence,
    /// What is there of the message.
    pub(super) head: &'a [u8],
}

/// Who takes the messages.
pub(super) trait Sink {
    /// What is wanted of the element that begins with `head`.
    fn wants(&mut self, kind: Kind, head: &[u8]) -> Want;
    /// Takes an element.
    fn element(&mut self, element: Element<'_>);
    /// Takes a place that could not be read.
    fn trouble(&mut self, place: Place<'_>);
    /// Counts what is kept until the rest has come: so many bytes less, and so many more. Returns
    /// whether all directions together keep more than they may.
    fn keeps(&mut self, less: usize, more: usize) -> bool;
}

/// Bytes that wait for more, with the frames that brought them.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Where the bytes of each frame end.
    spans: Vec<(usize, Stamp)>,
}

impl Kept {
    fn push(&mut self, bytes: &[u8], stamp: Stamp) {
        if !bytes.is_empty() {
            self.bytes.extend_from_slice(bytes);
            self.spans.push((self.bytes.len(), stamp));
        }
    }

    fn drop_front(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        self.spans.retain(|(end, _)| *end > count);
        for (end, _) in &mut self.spans {
            *end -= count;
        }
    }

    fn evidence(&self, length: usize) -> Evidence {
        let mut evidence = Evidence::default();
        let mut begin = 0;
        for (end, stamp) in &self.spans {
            if begin < length {
                evidence.extend(&of(*stamp));
            }
            begin = *end;
        }
        evidence
    }
}

fn of(stamp: Stamp) -> Evidence {
    Evidence {
        frames: vec![stamp.frame],
        time: stamp.time,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A NetBIOS header comes next.
    Boundary,
    /// Inside of a message of which `left` bytes were not used up yet.
    Message { left: u64, first: bool },
    /// The next boundary is not known; `passed` bytes from `from` on were passed over.
    Search { from: u64, passed: u64 },
}

/// What one step over the bytes at hand came to.
enum Step {
    /// So many bytes from the front are needed at once.
    Need(usize),
    /// So many bytes from the front are done with; the number may be above what is at hand.
    Used(u64),
}

/// Cuts one direction's bytes into messages.
pub(super) struct Framer {
    state: State,
    kept: Kept,
    /// Bytes to pass over before the next step.
    skip: u64,
    /// Where the next byte to look at lies in the stream.
    offset: u64,
    /// Whether a message was found at a boundary that was not searched.
    trusted: bool,
    /// How much of what is kept was counted.
    counted: usize,
}

impl Framer {
    pub(super) fn new() -> Self {
        Framer {
            state: State::Boundary,
            kept: Kept::default(),
            skip: 0,
            offset: 0,
            trusted: false,
            counted: 0,
        }
    }

    /// Takes the next bytes of the stream.
    pub(super) fn bytes(&mut self, input: &[u8], stamp: Stamp, sink: &mut impl Sink) {
        self.gather(input, stamp, sink);
        if self.count(sink) && self.kept.bytes.len() > KEPT_MIN {
            self.give_up(sink);
            self.count(sink);
        }
    }

    /// Counts what is kept; returns whether that is too much.
    fn count(&mut self, sink: &mut impl Sink) -> bool {
        let now = self.kept.bytes.len();
        sink.keeps(std::mem::replace(&mut self.counted, now), now)
    }

    /// Lets go of a message that is being gathered: what follows it is still found.
    fn give_up(&mut self, sink: &mut impl Sink) {
        let State::Message { left, .. } = self.state else {
            return;
        };
        if self.settle_for_head(sink) {
            return;
        }
        let kept = std::mem::take(&mut self.kept);
        let length = element_length(&kept.bytes, left).map_or(left, |(_, length)| length);
        sink.trouble(Place {
            trouble: Trouble::Crowded,
            offset: self.offset,
            length,
            evidence: kept.evidence(usize::MAX),
            head: &kept.bytes,
        });
        self.kept = kept;
        self.state = after_element(left - length);
        self.use_up(length);
    }

    fn gather(&mut self, mut input: &[u8], stamp: Stamp, sink: &mut impl Sink) {
        loop {
            input = self.pass_over(input);
            if self.kept.bytes.is_empty() {
                if input.is_empty() {
                    return;
                }
                match self.step(input, || of(stamp), sink) {
                    Step::Used(count) => self.use_up(count),
                    Step::Need(_) => {
                        self.kept.push(input, stamp);
                        return;
                    }
                }
                continue;
            }
            let kept = std::mem::take(&mut self.kept);
            let step = self.step(&kept.bytes, || kept.evidence(usize::MAX), sink);
            self.kept = kept;
            match step {
                Step::Used(count) => self.use_up(count),
                Step::Need(_) if input.is_empty() => return,
                Step::Need(count) => {
                    let take = count.saturating_sub(self.kept.bytes.len());
                    let (now, later) = input.split_at(take.clamp(1, input.len()));
                    self.kept.push(now, stamp);
                    input = later;
                }
            }
        }
    }

    /// Takes the news that `length` bytes are missing next; 0 is an unknown number. Returns whether
    /// nobody wanted them.
    pub(super) fn lost(&mut self, length: u64, stamp: Stamp, sink: &mut impl Sink) -> bool {
        let harmless = self.lose(length, stamp, sink);
        self.count(sink);
        harmless
    }

    fn lose(&mut self, length: u64, stamp: Stamp, sink: &mut impl Sink) -> bool {
        let ahead = self.skip.min(length);
        if length > 0 && ahead == length {
            self.skip -= length;
            self.offset += length;
            return true;
        }
        if self.settle_for_head(sink) {
            return self.lose(length, stamp, sink);
        }
        let kept = std::mem::take(&mut self.kept);
        let have = len_u64(&kept.bytes);
        let after = self.offset + self.skip + have + (length - ahead);
        if let State::Message { left, .. } = self.state {
            let evidence = match kept.bytes.is_empty() {
                true => of(stamp),
                false => kept.evidence(usize::MAX),
            };
            sink.trouble(Place {
                trouble: Trouble::Incomplete,
                offset: self.offset,
                length: left,
                evidence,
                head: &kept.bytes,
            });
            let end = self.offset + self.skip + left;
            if length > 0 && end >= after {
                self.offset = after;
                self.skip = end - after;
                self.state = State::Boundary;
                return false;
            }
        }
        self.skip = 0;
        self.offset = after;
        self.state = State::Search {
            from: after,
            passed: 0,
        };
        false
    }

    /// A message whose signature was to be checked cannot be; all else that is wanted of it is its
    /// head. Returns whether there was one.
    fn settle_for_head(&mut self, sink: &mut impl Sink) -> bool {
        let State::Message { left, first } = self.state else {
            return false;
        };
        let head_len = usize::try_from(left).map_or(HEAD_LEN, |left| left.min(HEAD_LEN));
        let kept = std::mem::take(&mut self.kept);
        let head = kept.bytes.get(..head_len).unwrap_or_default();
        let length = match element_length(head, left) {
            Some((Kind::Smb2, length)) if sink.wants(Kind::Smb2, head) == Want::Secured => length,
            _ => {
                self.kept = kept;
                return false;
            }
        };
        sink.element(Element {
            kind: Kind::Smb2,
            bytes: head,
            length,
            first,
            offset: self.offset,
            encrypted: false,
            evidence: kept.evidence(usize::MAX),
        });
        self.kept = kept;
        self.state = after_element(left - length);
        self.use_up(length);
        true
    }

    /// Takes the news that the stream is over.
    pub(super) fn end(&mut self, stamp: Stamp, sink: &mut impl Sink) {
        self.settle_for_head(sink);
        let kept = std::mem::take(&mut self.kept);
        let incomplete = match self.state {
            State::Message { left, .. } => Some(left),
            State::Boundary if !kept.bytes.is_empty() => Some(len_u64(&kept.bytes)),
            State::Boundary => (self.skip > 0).then_some(self.skip),
            State::Search { from, passed } => {
                // A stream in which no SMB was ever seen is not ours to complain about.
                if self.trusted {
                    self.passed_over(from, passed + len_u64(&kept.bytes), stamp, sink);
                }
                None
            }
        };
        // A message of which nobody wanted the rest is no loss.
        if let Some(length) = incomplete.filter(|_| !kept.bytes.is_empty()) {
            sink.trouble(Place {
                trouble: Trouble::Incomplete,
                offset: self.offset,
                length,
                evidence: kept.evidence(usize::MAX),
                head: &kept.bytes,
            });
        }
        self.state = State::Boundary;
        self.skip = 0;
        self.count(sink);
    }

    fn pass_over<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let here = self.skip.min(len_u64(input));
        let (_, rest) = input.split_at(usize::try_from(here).unwrap_or(input.len()));
        self.skip -= here;
        self.offset += here;
        rest
    }

    /// Uses up bytes from the front of what is kept; those beyond are passed over as they come.
    fn use_up(&mut self, count: u64) {
        let kept = len_u64(&self.kept.bytes).min(count);
        self.kept
            .drop_front(usize::try_from(kept).unwrap_or(usize::MAX));
        self.offset += kept;
        self.skip = count - kept;
    }

    fn step(
        &mut self,
        bytes: &[u8],
        evidence: impl Fn() -> Evidence,
        sink: &mut impl Sink,
    ) -> Step {
        match self.state {
            State::Boundary => self.boundary(bytes, evidence, sink),
            State::Message { left, first } => self.message(bytes, left, first, evidence, sink),
            State::Search { from, passed } => self.search(bytes, from, passed, evidence, sink),
        }
    }

    /// RFC 1002 4.3.1: a session message, or one of the other packets of the session service.
    fn boundary(
        &mut self,
        bytes: &[u8],
        evidence: impl Fn() -> Evidence,
        sink: &mut impl Sink,
    ) -> Step {
        let (Some(&kind), Some(length)) = (bytes.first(), length_at(bytes)) else {
            return Step::Need(4);
        };
        match (kind, length) {
            (0x00, 0) => return Step::Used(4),
            (0x81..=0x85, length) => return Step::Used(4 + length),
            (0x00, _) => {}
            _ => return self.start_search(),
        }
        let Some(identifier) = bytes.get(4..8) else {
            return Step::Need(8);
        };
        if kind_of(identifier).is_some() {
            self.trusted = true;
            self.state = State::Message {
                left: length,
                first: true,
            };
            return Step::Used(4);
        }
        if !self.trusted {
            return self.start_search();
        }
        sink.trouble(Place {
            trouble: Trouble::Broken,
            offset: self.offset,
            length: 4 + length,
            evidence: evidence(),
            head: bytes.get(4..).unwrap_or_default(),
        });
        Step::Used(4 + length)
    }

    fn start_search(&mut self) -> Step {
        self.state = State::Search {
            from: self.offset,
            passed: 0,
        };
        Step::Used(0)
    }

    fn message(
        &mut self,
        bytes: &[u8],
        left: u64,
        first: bool,
        evidence: impl Fn() -> Evidence,
        sink: &mut impl Sink,
    ) -> Step {
        let head_len = usize::try_from(left).map_or(HEAD_LEN, |left| left.min(HEAD_LEN));
        let Some(head) = bytes.get(..head_len) else {
            return Step::Need(head_len);
        };
        let Some((kind, length)) = element_length(head, left) else {
            sink.trouble(Place {
                trouble: Trouble::Broken,
                offset: self.offset,
                length: left,
                evidence: evidence(),
                head,
            });
            self.state = State::Boundary;
            return Step::Used(left);
        };
        let whole = usize::try_from(length).unwrap_or(usize::MAX);
        let head = head.get(..whole).unwrap_or(head);
        let want = match sink.wants(kind, head) {
            Want::Secured if whole > SECURED_MAX => Want::Head,
            want => want,
        };
        if want == Want::Whole && whole > ELEMENT_MAX {
            sink.trouble(Place {
                trouble: Trouble::TooLong,
                offset: self.offset,
                length,
                evidence: evidence(),
                head,
            });
        } else {
            let bytes = match want {
                Want::Head => head,
                Want::Whole | Want::Secured => match bytes.get(..whole) {
                    Some(element) => element,
                    None => return Step::Need(whole),
                },
            };
            sink.element(Element {
                kind,
                bytes,
                length,
                first,
                offset: self.offset,
                encrypted: false,
                evidence: evidence(),
            });
        }
        self.state = after_element(left - length);
        Step::Used(length)
    }

    fn search(
        &mut self,
        bytes: &[u8],
        from: u64,
        passed: u64,
        evidence: impl Fn() -> Evidence,
        sink: &mut impl Sink,
    ) -> Step {
        for (at, _) in bytes
            .windows(4)
            .enumerate()
            .filter(|(_, window)| kind_of(window).is_some())
        {
            let Some(begin) = at.checked_sub(4) else {
                continue;
            };
            let candidate = bytes.get(begin..).unwrap_or_default();
            let known = candidate.len() >= PROBE_LEN;
            if !known && begin > 0 {
                // Not enough to judge: come back with more.
                return self.pass(from, passed, begin);
            }
            if !known {
                return Step::Need(PROBE_LEN);
            }
            if is_plausible(candidate) {
                let begin = u64::try_from(begin).unwrap_or(0);
                let stamp = evidence();
                let stamp = Stamp {
                    frame: stamp.frames.first().copied().unwrap_or(0),
                    time: stamp.time,
                };
                self.passed_over(from, passed + begin, stamp, sink);
                self.state = State::Boundary;
                return Step::Used(begin);
            }
        }
        // The last seven bytes may be the beginning of what is searched.
        match bytes.len().saturating_sub(7) {
            0 => Step::Need(bytes.len() + SEARCH_STEP),
            count => self.pass(from, passed, count),
        }
    }

    fn pass(&mut self, from: u64, passed: u64, count: usize) -> Step {
        let count = u64::try_from(count).unwrap_or(0);
        let passed = passed + count;
        self.state = State::Search { from, passed };
        Step::Used(count)
    }

    /// Reports what was passed over.
    fn passed_over(&self, from: u64, length: u64, stamp: Stamp, sink: &mut impl Sink) {
        if length > 0 {
            sink.trouble(Place {
                trouble: Trouble::NoBoundary,
                offset: from,
                length,
                evidence: of(stamp),
                head: &[],
            });
        }
    }
}

fn after_element(left: u64) -> State {
    match left {
        0 => State::Boundary,
        left => State::Message { left, first: false },
    }
}

#[cfg(test)]
mod tests;
