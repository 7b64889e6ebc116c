//! What the connections carried, exchange by exchange, for those who want to see all of it.
//!
//! Nothing here is kept unless somebody asks for it ([`super::Dissector::list_all`]), and then no
//! more than the limits below: an exchange is handed out with its answer, or without one when its
//! place is needed or its connection is over.

use super::exchange::{Direction, Evidence, Link, SmbProtection};
use super::smb::file_id;
use fsrvp_wire::rpce::{Body, PType, Pdu};
use fsrvp_wire::smb2::{
    Body as _, Command, FileId, Header, HeaderFlags, NtStatus, create, tree_connect,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

/// How many exchanges wait for their answer on one connection or pipe.
const OPEN_MAX: usize = 1024;

/// How many files of one connection have names; then all are forgotten.
const FILES_MAX: usize = 4096;

/// How many characters of a name are kept.
const NAME_MAX: usize = 1024;

/// How many interfaces of one bind are named.
const INTERFACES_MAX: usize = 16;

/// MS-SMB2 2.2.1.2: the MessageId of what a server sends unasked.
const UNASKED: u64 = u64::MAX;

/// One exchange of some layer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listed {
    /// An SMB2 request and its response.
    Smb2(Box<Smb2Exchange>),
    /// A call, or another exchange of fragments, on a pipe.
    Rpc(Box<RpcExchange>),
}

/// One side of an exchange.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its frames.
    pub evidence: Evidence,
    /// How long it is: the SMB2 message, or all RPC fragments with their headers.
    pub length_bytes: u64,
}

impl Part {
    fn add(&mut self, evidence: &Evidence, length_bytes: u64) {
        self.evidence.extend(evidence);
        self.length_bytes = self.length_bytes.saturating_add(length_bytes);
    }
}

/// An SMB2 request and its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smb2Exchange {
    /// The connection.
    pub link: Arc<Link>,
    /// The command.
    pub command: Command,
    /// Ties the response to the request.
    pub message_id: u64,
    /// The session, as the last message of the exchange names it.
    pub session_id: u64,
    /// The tree, as the last message of the exchange names it.
    pub tree_id: u32,
    /// How the first message of the exchange was protected.
    pub protection: SmbProtection,
    /// The share of a TREE_CONNECT; the file of a CREATE, or of another command whose CREATE was
    /// seen.
    pub name: Option<String>,
    /// The outcome; `None` where no response was seen.
    pub status: Option<NtStatus>,
    /// The request, where it was seen.
    pub request: Option<Part>,
    /// The response, where it was seen; an interim one is none.
    pub response: Option<Part>,
}

/// What a client sent on a pipe, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcExchange {
    /// The connection of its first fragment.
    pub link: Arc<Link>,
    /// The pipe, where its CREATE was seen.
    pub pipe: Option<String>,
    /// C706 12.6: ties the answer to the request.
    pub call_id: u32,
    /// C706 12.6.1: what the client sent, where it was seen.
    pub packet: Option<PType>,
    /// What came back, where it was seen.
    pub answer: Option<PType>,
    /// The interfaces that a bind or alter_context offers, the first ones.
    pub interfaces: Vec<Uuid>,
    /// The presentation context of a call.
    pub context_id: Option<u16>,
    /// The number of the method of a call.
    pub opnum: Option<u16>,
    /// The status of a fault.
    pub fault: Option<u32>,
    /// The fragments of the client, where they were seen.
    pub request: Option<Part>,
    /// The fragments of the server, where they were seen.
    pub response: Option<Part>,
}

/// Exchanges that wait to be taken.
pub(super) type Queue = VecDeque<Listed>;

/// A message of a connection, whole or only its head.
pub(super) struct Message<'a> {
    pub(super) header: &'a Header,
    pub(super) bytes: &'a [u8],
    pub(super) length_bytes: u64,
    pub(super) encrypted: bool,
    pub(super) evidence: &'a Evidence,
}

struct Open {
    exchange: Smb2Exchange,
    file: Option<FileId>,
}

/// The SMB2 exchanges of one connection.
#[derive(Default)]
pub(super) struct Smb2Listing {
    open: BTreeMap<u64, Open>,
    names: HashMap<FileId, String>,
    /// The file of the message before, which related messages mean.
    before: Option<String>,
}

impl Smb2Listing {
    /// Takes a message.
    pub(super) fn message(&mut self, link: &Arc<Link>, message: &Message<'_>, out: &mut Queue) {
        match message.header.is_response() {
            false => self.request(link, message, out),
            true => self.response(link, message, out),
        }
    }

    /// The connection is over: what is open has no answer.
    pub(super) fn end(&mut self, out: &mut Queue) {
        let open = std::mem::take(&mut self.open);
        out.extend(open.into_values().map(hand_out));
    }

    fn request(&mut self, link: &Arc<Link>, message: &Message<'_>, out: &mut Queue) {
        let header = message.header;
        let file = named_file(header.command, message.bytes);
        let name = match (header.command, file) {
            (Command::CREATE, _) => create::Request::parse(message.bytes)
                .ok()
                .map(|(_, request)| kept(&request.name.text())),
            (Command::TREE_CONNECT, _) => tree_connect::Request::parse(message.bytes)
                .ok()
                .map(|(_, request)| kept(&request.path.text())),
            (_, Some(FileId::RELATED)) => self.before.clone(),
            (_, Some(file)) => self.names.get(&file).cloned(),
            (_, None) => None,
        };
        self.before.clone_from(&name);
        let mut open = begun(link, message);
        open.file = file;
        open.exchange.name = name;
        open.exchange.request = Some(part(message));
        // MS-SMB2 3.2.4.24: a CANCEL has the MessageId of what it cancels, and no response.
        if header.command == Command::CANCEL {
            out.push_back(hand_out(open));
            return;
        }
        let replaced = self.open.insert(header.message_id, open);
        let oldest = match self.open.len() > OPEN_MAX {
            true => self.open.pop_first().map(|(_, open)| open),
            false => None,
        };
        out.extend(replaced.into_iter().chain(oldest).map(hand_out));
    }

    fn response(&mut self, link: &Arc<Link>, message: &Message<'_>, out: &mut Queue) {
        let header = message.header;
        if header.status == NtStatus::PENDING {
            // MS-SMB2 3.3.4.2: an interim response; the real one has the same MessageId.
            return;
        }
        let asked = match header.message_id {
            UNASKED => None,
            id => self.open.remove(&id),
        };
        let mut open = asked.unwrap_or_else(|| begun(link, message));
        let exchange = &mut open.exchange;
        exchange.status = Some(header.status);
        exchange.session_id = header.session_id;
        if !header.flags.contains(HeaderFlags::ASYNC_COMMAND) {
            exchange.tree_id = header.tree_id;
        }
        exchange.response = Some(part(message));
        match (header.command, &exchange.name, open.file) {
            (Command::CREATE, Some(name), _) if header.status == NtStatus::SUCCESS => {
                if let Ok((_, response)) = create::Response::parse(message.bytes) {
                    if self.names.len() >= FILES_MAX {
                        self.names.clear();
                    }
                    self.names.insert(response.file_id, name.clone());
                }
            }
            (Command::CLOSE, _, Some(file)) => {
                self.names.remove(&file);
            }
            _ => {}
        }
        out.push_back(hand_out(open));
    }
}

fn hand_out(open: Open) -> Listed {
    Listed::Smb2(Box::new(open.exchange))
}

fn begun(link: &Arc<Link>, message: &Message<'_>) -> Open {
    let header = message.header;
    let signed = header.flags.contains(HeaderFlags::SIGNED);
    let exchange = Smb2Exchange {
        link: Arc::clone(link),
        command: header.command,
        message_id: header.message_id,
        session_id: header.session_id,
        tree_id: match header.flags.contains(HeaderFlags::ASYNC_COMMAND) {
            true => 0,
            false => header.tree_id,
        },
        protection: match (message.encrypted, signed) {
            (true, _) => SmbProtection::Encrypted,
            (false, true) => SmbProtection::Signed,
            (false, false) => SmbProtection::Plain,
        },
        name: None,
        status: None,
        request: None,
        response: None,
    };
    Open {
        exchange,
        file: None,
    }
}

fn part(message: &Message<'_>) -> Part {
    Part {
        evidence: message.evidence.clone(),
        length_bytes: message.length_bytes,
    }
}

fn kept(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}

/// MS-SMB2 2.2: the file that a request names, by the place of its `FileId`.
fn named_file(command: Command, message: &[u8]) -> Option<FileId> {
    let offset = match command {
        Command::READ | Command::WRITE | Command::SET_INFO => 16,
        Command::QUERY_INFO => 24,
        Command::CLOSE
        | Command::FLUSH
        | Command::LOCK
        | Command::IOCTL
        | Command::QUERY_DIRECTORY
        | Command::CHANGE_NOTIFY
        | Command::OPLOCK_BREAK => 8,
        _ => return None,
    };
    file_id(message, offset)
}

/// A fragment on a pipe.
pub(super) struct Fragment<'a> {
    pub(super) link: &'a Arc<Link>,
    pub(super) direction: Direction,
    pub(super) pdu: &'a Pdu,
    pub(super) length_bytes: usize,
    pub(super) evidence: &'a Evidence,
}

/// The RPC exchanges of one pipe.
#[derive(Default)]
pub(super) struct RpcListing {
    open: BTreeMap<u32, RpcExchange>,
}

impl RpcListing {
    /// Takes a fragment.
    pub(super) fn fragment(
        &mut self,
        pipe: Option<&str>,
        fragment: &Fragment<'_>,
        out: &mut Queue,
    ) {
        let pdu = fragment.pdu;
        let call_id = pdu.header.call_id;
        let length = u64::try_from(fragment.length_bytes).unwrap_or(u64::MAX);
        let begun = || RpcExchange {
            link: Arc::clone(fragment.link),
            pipe: pipe.map(kept),
            call_id,
            packet: None,
            answer: None,
            interfaces: Vec::new(),
            context_id: None,
            opnum: None,
            fault: None,
            request: None,
            response: None,
        };
        let mut exchange = match self.open.remove(&call_id) {
            // The id is used again: the exchange before has no answer.
            Some(before) if asks_anew(fragment) => {
                out.push_back(Listed::Rpc(Box::new(before)));
                begun()
            }
            Some(before) => before,
            None => begun(),
        };
        exchange.learn(&pdu.body);
        let (side, packet) = match fragment.direction {
            Direction::ClientToServer => (&mut exchange.request, &mut exchange.packet),
            Direction::ServerToClient => (&mut exchange.response, &mut exchange.answer),
        };
        packet.get_or_insert(pdu.body.ptype());
        side.get_or_insert_default().add(fragment.evidence, length);
        if is_done(fragment) {
            out.push_back(Listed::Rpc(Box::new(exchange)));
            return;
        }
        self.open.insert(call_id, exchange);
        if self.open.len() > OPEN_MAX {
            let oldest = self.open.pop_first();
            out.extend(oldest.map(|(_, exchange)| Listed::Rpc(Box::new(exchange))));
        }
    }

    /// The pipe is closed: what is open has no answer.
    pub(super) fn end(&mut self, out: &mut Queue) {
        let open = std::mem::take(&mut self.open).into_values();
        out.extend(open.map(|exchange| Listed::Rpc(Box::new(exchange))));
    }
}

impl RpcExchange {
    fn learn(&mut self, body: &Body) {
        match body {
            Body::Bind(bind) | Body::AlterContext(bind) => {
                let offered = bind.contexts.iter().take(INTERFACES_MAX);
                self.interfaces = offered.map(|c| c.abstract_syntax.uuid).collect();
            }
            Body::Request(request) => {
                self.context_id = Some(request.context_id);
                self.opnum = Some(request.opnum);
            }
            Body::Response(response) => {
                self.context_id.get_or_insert(response.context_id);
            }
            Body::Fault(fault) => {
                self.context_id.get_or_insert(fault.context_id);
                self.fault = Some(fault.status.0);
            }
            _ => {}
        }
    }
}

/// Whether a fragment of a client begins an exchange.
fn asks_anew(fragment: &Fragment<'_>) -> bool {
    fragment.direction == Direction::ClientToServer && super::rpc::is_first(fragment.pdu)
}

/// Whether nothing more comes of an exchange.
fn is_done(fragment: &Fragment<'_>) -> bool {
    match fragment.direction {
        Direction::ServerToClient => super::rpc::is_last(fragment.pdu),
        // These have no answer.
        Direction::ClientToServer => matches!(
            fragment.pdu.body,
            Body::Auth3(_) | Body::CoCancel | Body::Orphaned | Body::Shutdown | Body::Unknown(_)
        ),
    }
}
