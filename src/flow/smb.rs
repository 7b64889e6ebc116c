//! What the SMB2 messages of one connection mean, as far as pipes need it: the dialect, sessions,
//! trees, opens, and which reply belongs to which request.
//!
//! Only what concerns pipes is remembered. A file on a disk share leaves no trace, so that the
//! memory of a connection does not grow with the traffic on it.

use super::exchange::{Direction, Evidence, Gap, GapLayer, GapReason, Link, SmbProtection};
use super::framing::{Element, Kind, Place, Trouble};
use super::output::Output;
use super::pipe::{Carrier, Pipe};
use fsrvp_wire::smb2::error::is_error_response;
use fsrvp_wire::smb2::ioctl::CtlCode;
use fsrvp_wire::smb2::tree_connect::ShareType;
use fsrvp_wire::smb2::{
    Body, Command, FileId, HEADER_LEN, Header, HeaderFlags, NtStatus, close, create, ioctl,
    negotiate, read, tree_connect, write,
};
use fsrvp_wire::{ErrorKind, Layer, ParseError};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How many requests may wait for their reply; the oldest is let go.
const PENDING_MAX: usize = 4096;

/// How many pipes may be open on one connection; the oldest is let go.
const PIPES_MAX: usize = 1024;

/// How many sessions and trees are remembered on one connection.
const NAMES_MAX: usize = 16 * 1024;

/// Something that could not be read, before it becomes a [`Gap`].
pub(super) struct Mishap {
    pub(super) layer: GapLayer,
    pub(super) reason: GapReason,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) frame: u64,
    pub(super) time: Duration,
}

/// Numbers the pipes of a connection in the order of their CREATE.
type PipeId = u64;

/// What a reply means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Negotiate,
    SessionSetup,
    TreeConnect,
    TreeDisconnect { tree: (u64, u32) },
    Create(PipeId),
    Close(PipeId, FileId),
    Data(PipeId),
}

/// What the element before this one in a compound was about.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    session_id: u64,
    tree_id: u32,
    pipe: Option<PipeId>,
}

/// The state of SMB on one connection.
pub(super) struct Tracker {
    link: Arc<Link>,
    dialect: Option<u16>,
    sessions: HashSet<u64>,
    /// Whether a tree is `IPC$`, by session and tree id.
    trees: HashMap<(u64, u32), bool>,
    pending: BTreeMap<u64, Awaited>,
    pipes: BTreeMap<PipeId, Pipe>,
    files: HashMap<FileId, PipeId>,
    next_pipe: PipeId,
    before: Before,
    gathered: Vec<Gap>,
    seen: bool,
}

impl Tracker {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Tracker {
            link,
            dialect: None,
            sessions: HashSet::new(),
            trees: HashMap::new(),
            pending: BTreeMap::new(),
            pipes: BTreeMap::new(),
            files: HashMap::new(),
            next_pipe: 0,
            before: Before::default(),
            gathered: Vec::new(),
            seen: false,
        }
    }

    /// Whether the element that begins with `head` is needed as a whole.
    pub(super) fn wants(&self, kind: Kind, head: &[u8]) -> bool {
        let Some(header) = smb2_header(kind, head) else {
            return false;
        };
        match (header.command, header.is_response()) {
            (Command::NEGOTIATE, true) => true,
            (Command::TREE_CONNECT, _) => true,
            (Command::CREATE, false) => self.tree_of(&header) != Some(false),
            (Command::IOCTL, false) => ctl_code(head) == Some(CtlCode::FSCTL_PIPE_TRANSCEIVE),
            (Command::WRITE, false) => {
                self.names_pipe(&header, file_id(head, 16)) || begins_like_rpc(head, 48)
            }
            (Command::CREATE | Command::READ | Command::IOCTL, true) => {
                self.pending.contains_key(&header.message_id)
            }
            _ => false,
        }
    }

    /// Takes an element.
    pub(super) fn element(
        &mut self,
        direction: Direction,
        element: &Element<'_>,
        output: &mut Output,
    ) {
        if !self.seen {
            self.seen = true;
            output.counters.smb_connections += 1;
        }
        match element.kind {
            Kind::Smb2 => {}
            Kind::Smb1 => {
                output.counters.smb1 += 1;
                return;
            }
            Kind::Encrypted => {
                output.counters.encrypted += 1;
                return self.opaque(direction, element, GapReason::Encrypted, output);
            }
            Kind::Compressed => {
                output.counters.compressed += 1;
                return self.opaque(direction, element, GapReason::Compressed, output);
            }
        }
        let outcome = Header::parse(element.bytes).and_then(|header| {
            count(&header, output);
            match header.is_response() {
                false => self.request(direction, &header, element, output),
                true => self.response(direction, &header, element, output),
            }
        });
        if let Err(error) = outcome {
            self.broken(direction, element, error, output);
        }
    }

    /// Takes a place in the stream that is no message.
    pub(super) fn trouble(&mut self, direction: Direction, place: &Place<'_>, output: &mut Output) {
        let (layer, reason) = match place.trouble {
            Trouble::Incomplete => (GapLayer::Smb2, GapReason::Incomplete),
            Trouble::NoBoundary => (GapLayer::Nbss, GapReason::NoBoundary),
            Trouble::TooLong => (GapLayer::Smb2, GapReason::TooLong),
            Trouble::Broken => (GapLayer::Smb2, GapReason::Broken(broken_header(place.head))),
        };
        let mishap = Mishap {
            layer,
            reason,
            offset: place.offset,
            length: place.length,
            frame: place.evidence.frames.first().copied().unwrap_or(0),
            time: place.evidence.time,
        };
        self.mishap(direction, mishap, output);
        self.lost(direction);
    }

    /// Takes the news that messages of a direction may be missing: what was only begun on any pipe
    /// cannot be completed.
    pub(super) fn lost(&mut self, direction: Direction) {
        for pipe in self.pipes.values_mut() {
            pipe.lost(direction);
        }
    }

    /// Reports something that could not be read.
    pub(super) fn mishap(&mut self, direction: Direction, mishap: Mishap, output: &mut Output) {
        let gap = Gap {
            link: Arc::clone(&self.link),
            direction,
            layer: mishap.layer,
            reason: mishap.reason,
            offset_bytes: mishap.offset,
            length_bytes: mishap.length,
            count: 1,
            frames: (mishap.frame, mishap.frame),
            time: mishap.time,
        };
        if !gap.reason.gathers() {
            output.gap(gap);
            return;
        }
        let run = self
            .gathered
            .iter_mut()
            .find(|run| run.direction == direction && run.reason == gap.reason);
        match run {
            Some(run) => {
                run.length_bytes += gap.length_bytes;
                run.count += 1;
                run.frames.1 = gap.frames.1;
            }
            None => self.gathered.push(gap),
        }
    }

    /// Ends every pipe and hands out what was gathered.
    pub(super) fn end(&mut self, output: &mut Output) {
        for id in self.pipes.keys().copied().collect::<Vec<_>>() {
            self.end_pipe(id, output);
        }
        self.pending.clear();
        self.files.clear();
        for gap in self.gathered.drain(..) {
            output.gap(gap);
        }
    }

    fn request(
        &mut self,
        direction: Direction,
        header: &Header,
        element: &Element<'_>,
        output: &mut Output,
    ) -> Result<(), ParseError> {
        let before = match header.flags.contains(HeaderFlags::RELATED_OPERATIONS) && !element.first
        {
            true => self.before,
            false => Before {
                session_id: header.session_id,
                tree_id: header.tree_id,
                pipe: None,
            },
        };
        self.before = before;
        if header.command != Command::SESSION_SETUP {
            self.see_session(before.session_id, output);
        }
        let message_id = header.message_id;
        match header.command {
            Command::NEGOTIATE => self.await_reply(message_id, Awaited::Negotiate),
            Command::SESSION_SETUP => self.await_reply(message_id, Awaited::SessionSetup),
            Command::TREE_CONNECT => self.await_reply(message_id, Awaited::TreeConnect),
            Command::TREE_DISCONNECT => {
                let tree = (before.session_id, before.tree_id);
                self.await_reply(message_id, Awaited::TreeDisconnect { tree });
            }
            Command::CREATE => {
                if self.tree(before) != Some(false) {
                    let (_, request) = create::Request::parse(element.bytes)?;
                    let pipe = self.add_pipe(Some(request.name.text()), output);
                    self.before.pipe = Some(pipe);
                    self.await_reply(message_id, Awaited::Create(pipe));
                }
            }
            Command::CLOSE => {
                let (_, request) = close::Request::parse(element.bytes)?;
                if let Some(pipe) = self.pipe_of(request.file_id) {
                    self.await_reply(message_id, Awaited::Close(pipe, request.file_id));
                }
            }
            Command::READ => {
                if let Some(pipe) = self.pipe_of(file_id(element.bytes, 16).unwrap_or_default()) {
                    self.await_reply(message_id, Awaited::Data(pipe));
                }
            }
            Command::WRITE => self.write(direction, header, element, output)?,
            Command::IOCTL => self.transceive(direction, header, element, output)?,
            _ => {}
        }
        Ok(())
    }

    fn write(
        &mut self,
        direction: Direction,
        header: &Header,
        element: &Element<'_>,
        output: &mut Output,
    ) -> Result<(), ParseError> {
        let Some(file) = file_id(element.bytes, 16) else {
            return Ok(());
        };
        let known = self.pipe_of(file);
        let unknown_pipe = known.is_none()
            && file != FileId::RELATED
            && (self.tree(self.before) == Some(true)
                || self.tree(self.before).is_none() && begins_like_rpc(element.bytes, 48));
        if known.is_none() && !unknown_pipe {
            return Ok(());
        }
        let (_, request) = write::Request::parse(element.bytes)?;
        let pipe = match known {
            Some(pipe) => pipe,
            None => self.adopt(file, output),
        };
        self.before.pipe = Some(pipe);
        self.data(pipe, direction, header, &request.data, element, output);
        Ok(())
    }

    fn transceive(
        &mut self,
        direction: Direction,
        header: &Header,
        element: &Element<'_>,
        output: &mut Output,
    ) -> Result<(), ParseError> {
        if ctl_code(element.bytes) != Some(CtlCode::FSCTL_PIPE_TRANSCEIVE) {
            return Ok(());
        }
        let (_, request) = ioctl::Request::parse(element.bytes)?;
        let pipe = match self.pipe_of(request.file_id) {
            Some(pipe) => pipe,
            None if request.file_id == FileId::RELATED => return Ok(()),
            None => self.adopt(request.file_id, output),
        };
        self.before.pipe = Some(pipe);
        self.await_reply(header.message_id, Awaited::Data(pipe));
        self.data(pipe, direction, header, &request.input, element, output);
        Ok(())
    }

    fn response(
        &mut self,
        direction: Direction,
        header: &Header,
        element: &Element<'_>,
        output: &mut Output,
    ) -> Result<(), ParseError> {
        if header.status == NtStatus::PENDING {
            // MS-SMB2 3.3.4.2: an interim response; the real one has the same MessageId.
            return Ok(());
        }
        let Some(awaited) = self.pending.remove(&header.message_id) else {
            return Ok(());
        };
        let failed = is_error_response(header.command, header.status);
        match awaited {
            Awaited::Negotiate if !failed => {
                let (_, response) = negotiate::Response::parse(element.bytes)?;
                self.dialect = Some(response.dialect_revision.0);
            }
            Awaited::SessionSetup if header.status == NtStatus::SUCCESS => {
                self.see_session(header.session_id, output);
            }
            Awaited::TreeConnect if !failed => {
                let (_, response) = tree_connect::Response::parse(element.bytes)?;
                let pipes = response.share_type == ShareType::PIPE;
                if self.trees.len() < NAMES_MAX {
                    self.trees
                        .insert((header.session_id, header.tree_id), pipes);
                }
            }
            Awaited::TreeDisconnect { tree } if !failed => {
                self.trees.remove(&tree);
            }
            Awaited::Create(pipe) if failed => self.end_pipe(pipe, output),
            Awaited::Create(pipe) => {
                let (_, response) = create::Response::parse(element.bytes)?;
                if self.pipes.contains_key(&pipe) {
                    self.files.insert(response.file_id, pipe);
                }
            }
            Awaited::Close(pipe, file) if !failed => {
                self.files.remove(&file);
                self.end_pipe(pipe, output);
            }
            Awaited::Data(pipe) if !failed => {
                let data = match header.command {
                    Command::READ => read::Response::parse(element.bytes)?.1.data,
                    Command::IOCTL => ioctl::Response::parse(element.bytes)?.1.output,
                    _ => Vec::new(),
                };
                self.data(pipe, direction, header, &data, element, output);
            }
            _ => {}
        }
        Ok(())
    }

    fn data(
        &mut self,
        pipe: PipeId,
        direction: Direction,
        header: &Header,
        data: &[u8],
        element: &Element<'_>,
        output: &mut Output,
    ) {
        let carrier = Carrier {
            link: &self.link,
            dialect: self.dialect,
            smb: match header.flags.contains(HeaderFlags::SIGNED) {
                true => SmbProtection::Signed,
                false => SmbProtection::Plain,
            },
            direction,
            offset: element.offset,
            evidence: &element.evidence,
        };
        let mut gaps = Vec::new();
        if let Some(pipe) = self.pipes.get_mut(&pipe) {
            pipe.data(&carrier, data, output, &mut gaps);
        }
        self.pass_on(gaps, output);
    }

    fn pass_on(&mut self, gaps: Vec<(Direction, Mishap)>, output: &mut Output) {
        for (direction, mishap) in gaps {
            self.mishap(direction, mishap, output);
        }
    }

    fn opaque(
        &mut self,
        direction: Direction,
        element: &Element<'_>,
        reason: GapReason,
        output: &mut Output,
    ) {
        let mishap = mishap_at(element.offset, element.length, &element.evidence, reason);
        self.mishap(direction, mishap, output);
    }

    fn broken(
        &mut self,
        direction: Direction,
        element: &Element<'_>,
        error: ParseError,
        output: &mut Output,
    ) {
        self.opaque(direction, element, GapReason::Broken(error), output);
    }

    fn see_session(&mut self, session_id: u64, output: &mut Output) {
        let real = session_id != 0 && session_id != u64::MAX;
        if real && self.sessions.len() < NAMES_MAX && self.sessions.insert(session_id) {
            output.counters.sessions += 1;
        }
    }

    fn await_reply(&mut self, message_id: u64, awaited: Awaited) {
        self.pending.insert(message_id, awaited);
        if self.pending.len() > PENDING_MAX {
            // MessageIds count upwards, so the first one is the oldest.
            self.pending.pop_first();
        }
    }

    fn add_pipe(&mut self, name: Option<String>, output: &mut Output) -> PipeId {
        let id = self.next_pipe;
        self.next_pipe += 1;
        self.pipes.insert(id, Pipe::new(name));
        if self.pipes.len() > PIPES_MAX
            && let Some(&oldest) = self.pipes.keys().next()
        {
            self.end_pipe(oldest, output);
            self.files.retain(|_, pipe| *pipe != oldest);
        }
        id
    }

    /// A pipe whose CREATE was not seen.
    fn adopt(&mut self, file: FileId, output: &mut Output) -> PipeId {
        let pipe = self.add_pipe(None, output);
        self.files.insert(file, pipe);
        pipe
    }

    fn end_pipe(&mut self, id: PipeId, output: &mut Output) {
        if let Some(mut pipe) = self.pipes.remove(&id) {
            let mut gaps = Vec::new();
            pipe.end(output, &mut gaps);
            self.pass_on(gaps, output);
        }
    }

    /// The pipe of a request: the file it names, or that of the request before it.
    fn pipe_of(&self, file: FileId) -> Option<PipeId> {
        match file {
            FileId::RELATED => self.before.pipe,
            file => self.files.get(&file).copied(),
        }
    }

    fn tree(&self, before: Before) -> Option<bool> {
        self.trees
            .get(&(before.session_id, before.tree_id))
            .copied()
    }

    /// Whether the request's tree is `IPC$`; `None` where that is not known, or where it is that of
    /// the request before.
    fn tree_of(&self, header: &Header) -> Option<bool> {
        match header.flags.contains(HeaderFlags::RELATED_OPERATIONS) {
            true => self.tree(self.before),
            false => self
                .trees
                .get(&(header.session_id, header.tree_id))
                .copied(),
        }
    }

    fn names_pipe(&self, header: &Header, file: Option<FileId>) -> bool {
        match file {
            Some(FileId::RELATED) => self.before.pipe.is_some(),
            Some(file) => self.files.contains_key(&file) || self.tree_of(header) == Some(true),
            None => false,
        }
    }
}

/// A gap of a whole message.
fn mishap_at(offset: u64, length: u64, evidence: &Evidence, reason: GapReason) -> Mishap {
    Mishap {
        layer: GapLayer::Smb2,
        reason,
        offset,
        length,
        frame: evidence.frames.first().copied().unwrap_or(0),
        time: evidence.time,
    }
}

fn smb2_header(kind: Kind, head: &[u8]) -> Option<Header> {
    match kind {
        Kind::Smb2 => Header::parse(head).ok(),
        Kind::Encrypted | Kind::Compressed | Kind::Smb1 => None,
    }
}

fn broken_header(head: &[u8]) -> ParseError {
    match Header::parse(head) {
        Err(error) => error,
        // The header is well formed, so it was its place in a compound that is not.
        Ok(_) => ParseError {
            layer: Layer::Smb2,
            offset_bytes: 20,
            field: "NextCommand",
            kind: ErrorKind::LengthOutOfRange,
        },
    }
}

fn count(header: &Header, output: &mut Output) {
    let counters = match header.is_response() {
        false => &mut output.counters.smb2_requests,
        true => &mut output.counters.smb2_responses,
    };
    if let Some(counter) = counters.get_mut(usize::from(header.command.0)) {
        *counter += 1;
    }
}

/// MS-SMB2 2.2.31, 2.2.32: `CtlCode`, at the same place in requests and responses.
fn ctl_code(message: &[u8]) -> Option<CtlCode> {
    let bytes = message.get(HEADER_LEN + 4..HEADER_LEN + 8)?;
    Some(CtlCode(u32::from_le_bytes(bytes.try_into().ok()?)))
}

/// The `FileId` of a request, `offset` bytes behind the header.
fn file_id(message: &[u8], offset: usize) -> Option<FileId> {
    let bytes = message.get(HEADER_LEN + offset..HEADER_LEN + offset + 16)?;
    let (persistent, volatile) = bytes.split_at(8);
    Some(FileId {
        persistent: u64::from_le_bytes(persistent.try_into().ok()?),
        volatile: u64::from_le_bytes(volatile.try_into().ok()?),
    })
}

/// Whether the data of a WRITE to an unknown file begin like an RPC fragment from a client: version
/// 5.0 or 5.1, a packet type that clients send, no unknown flag, a known integer format, and the
/// NULs behind it.
fn begins_like_rpc(message: &[u8], offset: usize) -> bool {
    matches!(
        message.get(HEADER_LEN + offset..HEADER_LEN + offset + 8),
        Some([5, 0 | 1, 0 | 11 | 14 | 16, _, 0x00 | 0x10, _, 0, 0])
    )
}
