//! What the SMB2 messages of one connection mean, as far as pipes need it: the dialect, sessions,
//! trees, opens, and which reply belongs to which request.
//!
//! What belongs to sessions is kept in [`super::shared`]. Only what concerns pipes is remembered.
//! A file on a disk share leaves no trace, so that the memory of a connection does not grow with
//! the traffic on it.

mod binding;
mod guard;
mod head;
mod secured;

use super::exchange::{Direction, Gap, GapLayer, GapReason, Link, SmbProtection};
use super::framing::{Element, Kind, Place, Trouble, Want};
use super::listing::{Message, Smb2Listing};
use super::output::Output;
use super::pipe::{Carrier, Pipe};
use super::shared::{PipeId, SessionKey};
use binding::Homes;
use fsrvp_wire::ParseError;
use fsrvp_wire::smb2::compression::CompressionHeader;
use fsrvp_wire::smb2::error::is_error_response;
use fsrvp_wire::smb2::ioctl::CtlCode;
use fsrvp_wire::smb2::tree_connect::ShareType;
use fsrvp_wire::smb2::{
    Body, Command, FileId, Header, HeaderFlags, NtStatus, close, create, ioctl, negotiate, read,
    tree_connect, write,
};
use guard::Guard;
pub(super) use head::file_id;
use head::{begins_like_rpc, broken_header, count, ctl_code, mishap_at, smb2_header};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How many requests may wait for their reply; the oldest is let go.
const PENDING_MAX: usize = 4096;

/// How many sessions are remembered on one connection.
const SESSIONS_MAX: usize = 16 * 1024;

/// Something that could not be read, before it becomes a [`Gap`].
pub(super) struct Mishap {
    pub(super) layer: GapLayer,
    pub(super) reason: GapReason,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) frame: u64,
    pub(super) time: Duration,
}

/// What a reply means for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Negotiate,
    SessionSetup,
    TreeConnect,
    TreeDisconnect(u32),
    Create(PipeId),
    Close(PipeId),
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
    homes: Homes,
    dialect: Option<u16>,
    sessions: HashSet<u64>,
    pending: BTreeMap<u64, Awaited>,
    before: Before,
    gathered: Vec<Gap>,
    seen: bool,
    /// Whether requests may be missing.
    requests_lost: bool,
    /// What is needed to check and open messages; `None` without keys.
    guard: Option<Box<Guard>>,
    /// `None` unless every exchange is wanted.
    listing: Option<Box<Smb2Listing>>,
}

impl Tracker {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Tracker {
            homes: Homes::at(link.server.ip()),
            link,
            dialect: None,
            sessions: HashSet::new(),
            pending: BTreeMap::new(),
            before: Before::default(),
            gathered: Vec::new(),
            seen: false,
            requests_lost: false,
            guard: None,
            listing: None,
        }
    }

    /// What of the element that begins with `head` is needed.
    pub(super) fn wants(&mut self, kind: Kind, head: &[u8], output: &mut Output) -> Want {
        let header = smb2_header(kind, head);
        match &header {
            Some(header) if self.wants_whole(header, head, output) => Want::Whole,
            _ => self.wants_secured(kind, head, header.as_ref(), output),
        }
    }

    fn wants_whole(&self, header: &Header, head: &[u8], output: &Output) -> bool {
        let of = match header.flags.contains(HeaderFlags::RELATED_OPERATIONS) {
            true => self.before,
            false => Before::of(header),
        };
        match (header.command, header.is_response()) {
            (Command::NEGOTIATE, true) => true,
            (Command::TREE_CONNECT, _) => true,
            (Command::CREATE, _) if output.listed.is_some() => true,
            (Command::CREATE, false) => self.is_ipc(of, output) != Some(false),
            (Command::IOCTL, _) => ctl_code(head) == Some(CtlCode::FSCTL_PIPE_TRANSCEIVE),
            (Command::WRITE, false) => {
                let file = file_id(head, 16).unwrap_or_default();
                self.pipe_of(of, file, output).is_some()
                    || self.is_ipc(of, output) == Some(true)
                    || begins_like_rpc(head, 48)
            }
            (Command::CREATE | Command::READ, true) => {
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
            Kind::Smb2 => self.message(direction, element, output),
            Kind::Smb1 => output.counters.smb1 += 1,
            Kind::Encrypted => {
                output.counters.encrypted += 1;
                self.encrypted(direction, element, output);
            }
            Kind::Compressed => {
                output.counters.compressed += 1;
                let header = CompressionHeader::parse(element.bytes).ok();
                let algorithm = header.map(|(header, _)| header.compression_algorithm.0);
                let reason = GapReason::Compressed(algorithm);
                self.opaque(direction, element, reason, output);
            }
        }
    }

    /// Takes an SMB2 message, plain or from inside of an encrypted one.
    fn message(&mut self, direction: Direction, element: &Element<'_>, output: &mut Output) {
        let outcome = Header::parse(element.bytes).and_then(|header| {
            count(&header, output);
            self.list(&header, element, output);
            if self.guard.is_some() {
                self.inspect(direction, &header, element, output);
            }
            match header.is_response() {
                false => self.request(direction, &header, element, output),
                true => self.response(direction, &header, element, output),
            }
        });
        if let Err(error) = outcome {
            self.broken(direction, element, error, output);
        }
    }

    /// Shows a message to who wants to see all of them.
    fn list(&mut self, header: &Header, element: &Element<'_>, output: &mut Output) {
        let Some(listed) = &mut output.listed else {
            return;
        };
        let message = Message {
            header,
            bytes: element.bytes,
            length_bytes: element.length,
            encrypted: element.encrypted,
            evidence: &element.evidence,
        };
        let listing = self.listing.get_or_insert_with(Box::default);
        listing.message(&self.link, &message, listed);
    }

    /// Takes a place in the stream that is no message.
    pub(super) fn trouble(&mut self, direction: Direction, place: &Place<'_>, output: &mut Output) {
        if let (Trouble::Incomplete | Trouble::TooLong | Trouble::Crowded, Ok(header)) =
            (place.trouble, Header::parse(place.head))
        {
            count(&header, output);
        }
        let (layer, reason) = match place.trouble {
            Trouble::Incomplete => (GapLayer::Smb2, GapReason::Incomplete),
            Trouble::NoBoundary => (GapLayer::Nbss, GapReason::NoBoundary),
            Trouble::TooLong => (GapLayer::Smb2, GapReason::TooLong),
            Trouble::Crowded => (GapLayer::Smb2, GapReason::TooMany),
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
        self.lost(direction, output);
    }

    /// Takes the news that messages of a direction may be missing: what was only begun on any pipe
    /// cannot be completed.
    pub(super) fn lost(&mut self, direction: Direction, output: &mut Output) {
        self.requests_lost |= direction == Direction::ClientToServer;
        if let Some(guard) = &mut self.guard {
            guard.lost();
        }
        for session in &self.sessions {
            let key = self.homes.key(*session);
            output.shared.lost(key, direction);
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
        let mut sessions: Vec<u64> = self.sessions.drain().collect();
        sessions.sort_unstable();
        for session in sessions {
            for pipe in output.shared.leave(self.homes.key(session)) {
                self.end_pipe(Some(pipe), output);
            }
        }
        self.pending.clear();
        if let (Some(listing), Some(listed)) = (&mut self.listing, &mut output.listed) {
            listing.end(listed);
        }
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
            false => Before::of(header),
        };
        self.before = before;
        if header.command != Command::SESSION_SETUP {
            self.see_session(before.session_id, output);
        }
        let session = self.key(before);
        let message_id = header.message_id;
        match header.command {
            Command::NEGOTIATE => self.await_reply(message_id, Awaited::Negotiate),
            Command::SESSION_SETUP => {
                self.bind(header, element, &output.shared);
                self.await_reply(message_id, Awaited::SessionSetup);
            }
            Command::TREE_CONNECT => self.await_reply(message_id, Awaited::TreeConnect),
            Command::TREE_DISCONNECT => {
                self.await_reply(message_id, Awaited::TreeDisconnect(before.tree_id));
            }
            Command::CREATE if self.is_ipc(before, output) != Some(false) => {
                let (_, request) = create::Request::parse(element.bytes)?;
                let pipe = self.add_pipe(session, Some(request.name.text()), output);
                self.before.pipe = Some(pipe);
                self.await_reply(message_id, Awaited::Create(pipe));
            }
            Command::CLOSE => {
                let (_, request) = close::Request::parse(element.bytes)?;
                if let Some(pipe) = self.pipe_of(before, request.file_id, output) {
                    self.await_reply(message_id, Awaited::Close(pipe));
                }
            }
            Command::READ => {
                let file = file_id(element.bytes, 16).unwrap_or_default();
                if let Some(pipe) = self.pipe_of(before, file, output) {
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
        let known = self.pipe_of(self.before, file, output);
        let unknown_pipe = known.is_none()
            && file != FileId::RELATED
            && match self.is_ipc(self.before, output) {
                Some(is_ipc) => is_ipc,
                None => begins_like_rpc(element.bytes, 48),
            };
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
        let pipe = match self.pipe_of(self.before, request.file_id, output) {
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
        let Some(awaited) = self.awaited(header, element, output) else {
            self.unexpected(header, output);
            return Ok(());
        };
        let failed = is_error_response(header.command, header.status);
        let session = self.homes.key(header.session_id);
        match awaited {
            Awaited::Negotiate if !failed => {
                let (_, response) = negotiate::Response::parse(element.bytes)?;
                self.dialect = Some(response.dialect_revision.0);
                output
                    .shared
                    .meet(self.link.server.ip(), response.server_guid);
            }
            Awaited::SessionSetup if header.status == NtStatus::SUCCESS => {
                self.end_bind(header.session_id, true);
                self.see_session(header.session_id, output);
            }
            Awaited::SessionSetup if failed => self.end_bind(header.session_id, false),
            Awaited::TreeConnect if !failed => {
                let (_, response) = tree_connect::Response::parse(element.bytes)?;
                let pipes = response.share_type == ShareType::PIPE;
                output.shared.add_tree(session, header.tree_id, pipes);
            }
            Awaited::TreeDisconnect(tree_id) if !failed => {
                output.shared.remove_tree(session, tree_id);
            }
            Awaited::Create(pipe) if failed => {
                let pipe = output.shared.remove_pipe(pipe);
                self.end_pipe(pipe, output);
            }
            Awaited::Create(pipe) => {
                let (_, response) = create::Response::parse(element.bytes)?;
                output.shared.name_file(response.file_id, pipe);
            }
            Awaited::Close(pipe) if !failed => {
                let pipe = output.shared.remove_pipe(pipe);
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

    /// Takes a response whose request is not known. One to a READ of a pipe tells nothing of its
    /// pipe: it may have brought bytes of any of them. Where not even its tree is known, it counts
    /// only if requests were lost.
    fn unexpected(&mut self, header: &Header, output: &mut Output) {
        let session = self.homes.key(header.session_id);
        let tree = match header.flags.contains(HeaderFlags::ASYNC_COMMAND) {
            true => None,
            false => output.shared.is_ipc(session, header.tree_id),
        };
        let brings_data = !is_error_response(header.command, header.status);
        let of_a_pipe = match tree {
            Some(is_ipc) => is_ipc,
            None => self.requests_lost,
        };
        if header.command == Command::READ && brings_data && of_a_pipe {
            output.shared.lost(session, Direction::ServerToClient);
        }
    }

    /// What a response is for. One whose request was not seen still names its pipe where it
    /// answers a FSCTL_PIPE_TRANSCEIVE.
    fn awaited(
        &mut self,
        header: &Header,
        element: &Element<'_>,
        output: &Output,
    ) -> Option<Awaited> {
        self.pending.remove(&header.message_id).or_else(|| {
            let transceive = header.command == Command::IOCTL
                && ctl_code(element.bytes) == Some(CtlCode::FSCTL_PIPE_TRANSCEIVE);
            let file = file_id(element.bytes, 8).filter(|_| transceive)?;
            let session = self.homes.key(header.session_id);
            output.shared.pipe_of(session, file).map(Awaited::Data)
        })
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
            smb: match (
                element.encrypted,
                header.flags.contains(HeaderFlags::SIGNED),
            ) {
                (true, _) => SmbProtection::Encrypted,
                (false, true) => SmbProtection::Signed,
                (false, false) => SmbProtection::Plain,
            },
            direction,
            offset: element.offset,
            evidence: &element.evidence,
        };
        let mut gaps = Vec::new();
        if let Some((session, mut taken)) = output.shared.take(pipe) {
            taken.data(&carrier, data, output, &mut gaps);
            if output.shared.is_crowded_with(&taken) {
                taken.lost(Direction::ClientToServer);
                taken.lost(Direction::ServerToClient);
                let reason = GapReason::TooMany;
                let place = mishap_at(element.offset, element.length, &element.evidence, reason);
                gaps.push((direction, place));
            }
            output.shared.put_back(pipe, (session, taken));
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
        // MS-SMB2 2.2.1.2: zero is no session yet.
        if session_id != 0 && self.sessions.len() < SESSIONS_MAX && self.sessions.insert(session_id)
        {
            let first = output.shared.join(self.homes.key(session_id));
            output.counters.sessions += u64::from(first);
        }
    }

    fn await_reply(&mut self, message_id: u64, awaited: Awaited) {
        self.pending.insert(message_id, awaited);
        if self.pending.len() > PENDING_MAX {
            // MessageIds count upwards, so the first one is the oldest.
            self.pending.pop_first();
        }
    }

    fn add_pipe(
        &mut self,
        session: SessionKey,
        name: Option<String>,
        output: &mut Output,
    ) -> PipeId {
        let (id, evicted) = output.shared.add_pipe(session, name);
        self.end_pipe(evicted, output);
        id
    }

    /// A pipe whose CREATE was not seen.
    fn adopt(&mut self, file: FileId, output: &mut Output) -> PipeId {
        let session = self.key(self.before);
        let pipe = self.add_pipe(session, None, output);
        output.shared.name_file(file, pipe);
        pipe
    }

    fn end_pipe(&mut self, pipe: Option<Pipe>, output: &mut Output) {
        if let Some(mut pipe) = pipe {
            let mut gaps = Vec::new();
            pipe.end(output, &mut gaps);
            self.pass_on(gaps, output);
        }
    }

    fn key(&self, of: Before) -> SessionKey {
        self.homes.key(of.session_id)
    }

    /// The pipe of a request: the file it names, or that of the request before it.
    fn pipe_of(&self, of: Before, file: FileId, output: &Output) -> Option<PipeId> {
        match file {
            FileId::RELATED => of.pipe,
            file => output.shared.pipe_of(self.key(of), file),
        }
    }

    fn is_ipc(&self, of: Before, output: &Output) -> Option<bool> {
        output.shared.is_ipc(self.key(of), of.tree_id)
    }
}

impl Before {
    /// A request that is not related to the one before it.
    fn of(header: &Header) -> Self {
        Before {
            session_id: header.session_id,
            tree_id: header.tree_id,
            pipe: None,
        }
    }
}
