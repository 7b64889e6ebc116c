//! MS-SRVS: the part of the interface `srvsvc` by which clients list shares and read and set what
//! is known of one.
//!
//! One file for each method; [`Call`] and [`Reply`] gather them. Levels that are not known here
//! are kept as numbers, without what would follow them.

pub mod server_get_info;
pub mod share_enum;
pub mod share_get_info;
pub mod share_info;
pub mod share_set_info;

pub use share_info::{ShareInfo, ShareInfoUnion};

use crate::error::{ErrorKind, Layer, ParseError};
use crate::ndr::{Reader, Representation, TransferSyntax, Writer};
use uuid::Uuid;

/// MS-SRVS 1.9: the interface UUID.
pub const INTERFACE: Uuid = Uuid::from_u128(0x4b324fc8_1670_01d3_1278_5a47bf6ee188);

/// MS-SRVS 6: `version(3.0)`.
pub const INTERFACE_VERSION: (u16, u16) = (3, 0);

/// MS-SRVS 2.1: the pipe's name.
pub const PIPE: &str = "srvsvc";

/// How many shares one list may have.
pub const SHARES_MAX: u64 = 0x1_0000;

/// How long a security descriptor may be, in bytes.
pub const SECURITY_DESCRIPTOR_MAX: u64 = 0x1_0000;

/// MS-SRVS 3.1.4: the number of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opnum(pub u16);

#[allow(
    non_upper_case_globals,
    reason = "the specification's own names of the methods"
)]
impl Opnum {
    /// MS-SRVS 3.1.4.8.
    pub const NetrShareEnum: Opnum = Opnum(15);
    /// MS-SRVS 3.1.4.10.
    pub const NetrShareGetInfo: Opnum = Opnum(16);
    /// MS-SRVS 3.1.4.11.
    pub const NetrShareSetInfo: Opnum = Opnum(17);
    /// MS-SRVS 3.1.4.17.
    pub const NetrServerGetInfo: Opnum = Opnum(21);
    /// MS-SRVS 3.1.4.9.
    pub const NetrShareEnumSticky: Opnum = Opnum(36);
}

/// MS-SRVS 2.2.2.1: a return value; zero is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NetApiStatus(pub u32);

impl NetApiStatus {
    /// Done.
    pub const NERR_SUCCESS: NetApiStatus = NetApiStatus(0);
    /// The caller may not.
    pub const ERROR_ACCESS_DENIED: NetApiStatus = NetApiStatus(5);
    /// It could not be written down.
    pub const ERROR_WRITE_FAULT: NetApiStatus = NetApiStatus(29);
    /// A parameter makes no sense.
    pub const ERROR_INVALID_PARAMETER: NetApiStatus = NetApiStatus(87);
    /// The level is not one of the method's.
    pub const ERROR_INVALID_LEVEL: NetApiStatus = NetApiStatus(124);
    /// There is no such share.
    pub const NERR_NET_NAME_NOT_FOUND: NetApiStatus = NetApiStatus(2310);
}

/// A request of a method that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Opnum 15.
    NetrShareEnum(share_enum::Request),
    /// Opnum 16.
    NetrShareGetInfo(share_get_info::Request),
    /// Opnum 17.
    NetrShareSetInfo(Box<share_set_info::Request>),
    /// Opnum 21.
    NetrServerGetInfo(server_get_info::Request),
    /// Opnum 36; its parameters are those of opnum 15.
    NetrShareEnumSticky(share_enum::Request),
}

/// A response of a method that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Opnum 15.
    NetrShareEnum(share_enum::Response),
    /// Opnum 16.
    NetrShareGetInfo(share_get_info::Response),
    /// Opnum 17.
    NetrShareSetInfo(share_set_info::Response),
    /// Opnum 21.
    NetrServerGetInfo(server_get_info::Response),
    /// Opnum 36.
    NetrShareEnumSticky(share_enum::Response),
}

/// Whether a method is one of those known here.
#[must_use]
pub fn is_known(opnum: Opnum) -> bool {
    matches!(
        opnum,
        Opnum::NetrShareEnum
            | Opnum::NetrShareGetInfo
            | Opnum::NetrShareSetInfo
            | Opnum::NetrServerGetInfo
            | Opnum::NetrShareEnumSticky
    )
}

impl Call {
    /// Reads the stub of a request; what follows the last parameter is passed over.
    ///
    /// # Errors
    /// An unknown opnum, or the first parameter that could not be read.
    pub fn parse(opnum: Opnum, stub: &[u8], r: Representation) -> Result<Call, ParseError> {
        let reader = &mut Reader::new(Layer::Ndr, stub, r);
        Ok(match opnum {
            Opnum::NetrShareEnum => Call::NetrShareEnum(share_enum::Request::parse(reader)?),
            Opnum::NetrShareGetInfo => {
                Call::NetrShareGetInfo(share_get_info::Request::parse(reader)?)
            }
            Opnum::NetrShareSetInfo => {
                Call::NetrShareSetInfo(Box::new(share_set_info::Request::parse(reader)?))
            }
            Opnum::NetrServerGetInfo => {
                Call::NetrServerGetInfo(server_get_info::Request::parse(reader)?)
            }
            Opnum::NetrShareEnumSticky => {
                Call::NetrShareEnumSticky(share_enum::Request::parse(reader)?)
            }
            _ => return Err(reader.error("opnum", ErrorKind::UnknownValue)),
        })
    }

    /// The stub of the request.
    #[must_use]
    pub fn emit(&self, representation: Representation) -> Vec<u8> {
        let mut writer = Writer::new(representation);
        match self {
            Call::NetrShareEnum(request) => request.emit(&mut writer),
            Call::NetrShareGetInfo(request) => request.emit(&mut writer),
            Call::NetrShareSetInfo(request) => request.emit(&mut writer),
            Call::NetrServerGetInfo(request) => request.emit(&mut writer),
            Call::NetrShareEnumSticky(request) => request.emit(&mut writer),
        }
        writer.into_bytes()
    }
}

impl Reply {
    /// Reads the stub of a response.
    ///
    /// # Errors
    /// An unknown opnum, or the first parameter that could not be read.
    pub fn parse(opnum: Opnum, stub: &[u8], r: Representation) -> Result<Reply, ParseError> {
        let reader = &mut Reader::new(Layer::Ndr, stub, r);
        Ok(match opnum {
            Opnum::NetrShareEnum => Reply::NetrShareEnum(share_enum::Response::parse(reader)?),
            Opnum::NetrShareGetInfo => {
                Reply::NetrShareGetInfo(share_get_info::Response::parse(reader)?)
            }
            Opnum::NetrShareSetInfo => {
                Reply::NetrShareSetInfo(share_set_info::Response::parse(reader)?)
            }
            Opnum::NetrServerGetInfo => {
                Reply::NetrServerGetInfo(server_get_info::Response::parse(reader)?)
            }
            Opnum::NetrShareEnumSticky => {
                Reply::NetrShareEnumSticky(share_enum::Response::parse(reader)?)
            }
            _ => return Err(reader.error("opnum", ErrorKind::UnknownValue)),
        })
    }

    /// The stub of the response.
    #[must_use]
    pub fn emit(&self, representation: Representation) -> Vec<u8> {
        let mut writer = Writer::new(representation);
        match self {
            Reply::NetrShareEnum(response) => response.emit(&mut writer),
            Reply::NetrShareGetInfo(response) => response.emit(&mut writer),
            Reply::NetrShareSetInfo(response) => response.emit(&mut writer),
            Reply::NetrServerGetInfo(response) => response.emit(&mut writer),
            Reply::NetrShareEnumSticky(response) => response.emit(&mut writer),
        }
        writer.into_bytes()
    }
}

/// A unique pointer to an integer, which follows at once.
pub(crate) fn parse_number(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<Option<u32>, ParseError> {
    match reader.referent(field)? {
        true => reader.u32(field).map(Some),
        false => Ok(None),
    }
}

pub(crate) fn emit_number(number: Option<u32>, writer: &mut Writer) {
    writer.referent(number.is_some());
    if let Some(number) = number {
        writer.u32(number);
    }
}

/// MS-RPCE 2.2.5: in NDR64 a structure or union with pointers begins at a multiple of 8.
pub(crate) fn align_reader(reader: &mut Reader<'_>) -> Result<(), ParseError> {
    match reader.representation().syntax {
        TransferSyntax::Ndr32 => Ok(()),
        TransferSyntax::Ndr64 => reader.align("padding", 8),
    }
}

pub(crate) fn align_writer(writer: &mut Writer) {
    if writer.representation().syntax == TransferSyntax::Ndr64 {
        writer.align(8);
    }
}

#[cfg(test)]
mod laws;
