//! Any message, for readers that take what comes: the dissector and the tests.

use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::smb2::{
    Body, Command, HEADER_LEN, Header, NtStatus, cancel, change_notify, close, create, echo, error,
    flush, ioctl, lock, logoff, negotiate, oplock_break, query_directory, query_info, read,
    session_setup, set_info, tree_connect, tree_disconnect, write,
};

/// One message: header, body and what stood behind them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The header.
    pub header: Header,
    /// The body, by command and direction.
    pub body: AnyBody,
    /// What follows a body without variable parts: the padding of a compound.
    pub trailing: Vec<u8>,
}

/// A body of a request, of a response, or one that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyBody {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
    /// A command that MS-SMB2 does not know: the bytes behind the header.
    Unknown(Vec<u8>),
}

/// Declares an enumeration of bodies with one variant for each command of its direction.
macro_rules! bodies {
    (
        $(#[$meta:meta])* $name:ident {
            $($variant:ident($body:ty) = $command:ident,)*
        }
        $($(#[$extra_meta:meta])* $extra:ident($extra_body:ty),)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("The body of ", stringify!($command), ".")]
            $variant($body),)*
            $($(#[$extra_meta])* $extra($extra_body),)*
        }

        impl $name {
            /// The body of `command` with what it leaves; `None` for a command without one here.
            fn parse_command(
                command: Command,
                message: &[u8],
            ) -> Option<Result<(Self, &[u8]), ParseError>> {
                match command {
                    $(Command::$command => Some(parse_as(message, $name::$variant)),)*
                    _ => None,
                }
            }

            fn write_body(&self, out: &mut Writer) {
                match self {
                    $($name::$variant(body) => body.write_body(out),)*
                    $($name::$extra(body) => body.write_body(out),)*
                }
            }
        }
    };
}

bodies! {
    /// A request, by command.
    Request {
        Negotiate(negotiate::Request) = NEGOTIATE,
        SessionSetup(session_setup::Request) = SESSION_SETUP,
        Logoff(logoff::Request) = LOGOFF,
        TreeConnect(tree_connect::Request) = TREE_CONNECT,
        TreeDisconnect(tree_disconnect::Request) = TREE_DISCONNECT,
        Create(create::Request) = CREATE,
        Close(close::Request) = CLOSE,
        Flush(flush::Request) = FLUSH,
        Read(read::Request) = READ,
        Write(write::Request) = WRITE,
        Lock(lock::Request) = LOCK,
        Ioctl(ioctl::Request) = IOCTL,
        Cancel(cancel::Request) = CANCEL,
        Echo(echo::Request) = ECHO,
        QueryDirectory(query_directory::Request) = QUERY_DIRECTORY,
        ChangeNotify(change_notify::Request) = CHANGE_NOTIFY,
        QueryInfo(query_info::Request) = QUERY_INFO,
        SetInfo(set_info::Request) = SET_INFO,
    }
    /// OPLOCK_BREAK: an acknowledgment.
    OplockBreak(oplock_break::Oplock),
    /// OPLOCK_BREAK: the acknowledgment of a lease break.
    LeaseBreak(oplock_break::Lease),
}

bodies! {
    /// A response, by command, or the ERROR body.
    Response {
        Negotiate(negotiate::Response) = NEGOTIATE,
        SessionSetup(session_setup::Response) = SESSION_SETUP,
        Logoff(logoff::Response) = LOGOFF,
        TreeConnect(tree_connect::Response) = TREE_CONNECT,
        TreeDisconnect(tree_disconnect::Response) = TREE_DISCONNECT,
        Create(create::Response) = CREATE,
        Close(close::Response) = CLOSE,
        Flush(flush::Response) = FLUSH,
        Read(read::Response) = READ,
        Write(write::Response) = WRITE,
        Lock(lock::Response) = LOCK,
        Ioctl(ioctl::Response) = IOCTL,
        Echo(echo::Response) = ECHO,
        QueryDirectory(query_directory::Response) = QUERY_DIRECTORY,
        ChangeNotify(change_notify::Response) = CHANGE_NOTIFY,
        QueryInfo(query_info::Response) = QUERY_INFO,
        SetInfo(set_info::Response) = SET_INFO,
    }
    /// OPLOCK_BREAK: a notification or a response.
    OplockBreak(oplock_break::Oplock),
    /// OPLOCK_BREAK: the notification of a lease break.
    LeaseNotification(oplock_break::LeaseNotification),
    /// OPLOCK_BREAK: the response to a lease break's acknowledgment.
    LeaseBreak(oplock_break::Lease),
    /// The ERROR body, of any command.
    Error(error::Response),
}

impl Message {
    /// Reads one message, as [`crate::smb2::compound::split`] gives it.
    ///
    /// # Errors
    /// The first field that could not be read, with its offset from the start of the header.
    pub fn parse(message: &[u8]) -> Result<Message, ParseError> {
        let header = Header::parse(message)?;
        let parsed = if header.is_response() {
            parse_response(&header, message)
                .map(|parsed| parsed.map(|(body, rest)| (AnyBody::Response(body), rest)))
        } else {
            parse_request(header.command, message)
                .map(|parsed| parsed.map(|(body, rest)| (AnyBody::Request(body), rest)))
        };
        let (body, rest) = parsed.unwrap_or_else(|| {
            let bytes = message.get(HEADER_LEN..).unwrap_or_default();
            Ok((AnyBody::Unknown(bytes.to_vec()), &[]))
        })?;
        Ok(Message {
            header,
            body,
            trailing: rest.to_vec(),
        })
    }

    /// The message's bytes: those that came in, when it was parsed.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.header.write_to(&mut out);
        match &self.body {
            AnyBody::Request(body) => body.write_body(&mut out),
            AnyBody::Response(body) => body.write_body(&mut out),
            AnyBody::Unknown(bytes) => {
                out.bytes(bytes);
            }
        }
        out.bytes(&self.trailing);
        out.into_bytes()
    }
}

/// A parsed body and the bytes that it left; `None` where no body is known.
type Parsed<'a, T> = Option<Result<(T, &'a [u8]), ParseError>>;

fn parse_request(command: Command, message: &[u8]) -> Parsed<'_, Request> {
    if command != Command::OPLOCK_BREAK {
        return Request::parse_command(command, message);
    }
    Some(match structure_size(message) {
        oplock_break::Lease::STRUCTURE_SIZE => parse_as(message, Request::LeaseBreak),
        _ => parse_as(message, Request::OplockBreak),
    })
}

fn parse_response<'a>(header: &Header, message: &'a [u8]) -> Parsed<'a, Response> {
    if has_error_body(header, message) {
        return Some(parse_as(message, Response::Error));
    }
    if header.command != Command::OPLOCK_BREAK {
        return Response::parse_command(header.command, message);
    }
    Some(match structure_size(message) {
        oplock_break::LeaseNotification::STRUCTURE_SIZE => {
            parse_as(message, Response::LeaseNotification)
        }
        oplock_break::Lease::STRUCTURE_SIZE => parse_as(message, Response::LeaseBreak),
        _ => parse_as(message, Response::OplockBreak),
    })
}

/// Whether the ERROR body follows; where a status goes with both bodies, the size tells.
fn has_error_body(header: &Header, message: &[u8]) -> bool {
    if header.command == Command::IOCTL && header.status == NtStatus::INVALID_PARAMETER {
        return structure_size(message) == error::Response::STRUCTURE_SIZE;
    }
    error::is_error_response(header.command, header.status)
}

/// The body's first field; zero, which no body has, when it is not there.
fn structure_size(message: &[u8]) -> u16 {
    match message.get(HEADER_LEN..HEADER_LEN + 2) {
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

fn parse_as<B: Body, T>(
    message: &[u8],
    wrap: impl FnOnce(B) -> T,
) -> Result<(T, &[u8]), ParseError> {
    crate::parse::run(Layer::Smb2, message, B::read_body).map(|(body, rest)| (wrap(body), rest))
}
