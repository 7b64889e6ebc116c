//! Any message, for readers that take what comes: the dissector and the tests.

use crate::smb2::{
    Header, cancel, change_notify, close, create, echo, error, flush, ioctl, lock, logoff,
    negotiate, oplock_break, query_directory, query_info, read, session_setup, set_info,
    tree_connect, tree_disconnect, write,
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

/// A request, by command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// NEGOTIATE.
    Negotiate(negotiate::Request),
    /// SESSION_SETUP.
    SessionSetup(session_setup::Request),
    /// LOGOFF.
    Logoff(logoff::Request),
    /// TREE_CONNECT.
    TreeConnect(tree_connect::Request),
    /// TREE_DISCONNECT.
    TreeDisconnect(tree_disconnect::Request),
    /// CREATE.
    Create(create::Request),
    /// CLOSE.
    Close(close::Request),
    /// FLUSH.
    Flush(flush::Request),
    /// READ.
    Read(read::Request),
    /// WRITE.
    Write(write::Request),
    /// LOCK.
    Lock(lock::Request),
    /// IOCTL.
    Ioctl(ioctl::Request),
    /// CANCEL.
    Cancel(cancel::Request),
    /// ECHO.
    Echo(echo::Request),
    /// QUERY_DIRECTORY.
    QueryDirectory(query_directory::Request),
    /// CHANGE_NOTIFY.
    ChangeNotify(change_notify::Request),
    /// QUERY_INFO.
    QueryInfo(query_info::Request),
    /// SET_INFO.
    SetInfo(set_info::Request),
    /// OPLOCK_BREAK: an acknowledgment.
    OplockBreak(oplock_break::Oplock),
    /// OPLOCK_BREAK: the acknowledgment of a lease break.
    LeaseBreak(oplock_break::Lease),
}

/// A response, by command, or the ERROR body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// NEGOTIATE.
    Negotiate(negotiate::Response),
    /// SESSION_SETUP.
    SessionSetup(session_setup::Response),
    /// LOGOFF.
    Logoff(logoff::Response),
    /// TREE_CONNECT.
    TreeConnect(tree_connect::Response),
    /// TREE_DISCONNECT.
    TreeDisconnect(tree_disconnect::Response),
    /// CREATE.
    Create(create::Response),
    /// CLOSE.
    Close(close::Response),
    /// FLUSH.
    Flush(flush::Response),
    /// READ.
    Read(read::Response),
    /// WRITE.
    Write(write::Response),
    /// LOCK.
    Lock(lock::Response),
    /// IOCTL.
    Ioctl(ioctl::Response),
    /// ECHO.
    Echo(echo::Response),
    /// QUERY_DIRECTORY.
    QueryDirectory(query_directory::Response),
    /// CHANGE_NOTIFY.
    ChangeNotify(change_notify::Response),
    /// QUERY_INFO.
    QueryInfo(query_info::Response),
    /// SET_INFO.
    SetInfo(set_info::Response),
    /// OPLOCK_BREAK: a notification or a response.
    OplockBreak(oplock_break::Oplock),
    /// OPLOCK_BREAK: the notification of a lease break.
    LeaseNotification(oplock_break::LeaseNotification),
    /// OPLOCK_BREAK: the response to a lease break's acknowledgment.
    LeaseBreak(oplock_break::Lease),
    /// The ERROR body, of any command.
    Error(error::Response),
}
