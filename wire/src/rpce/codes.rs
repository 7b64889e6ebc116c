//! Codes of C706 12.6 and MS-RPCE 2.2: open numbers with names for those that are known.

use std::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident($int:ident) { $($(#[$entry_doc:meta])* $entry:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$entry_doc])* pub const $entry: $name = $name($value);)*

            /// The name; `None` for a value without one.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $($name::$entry => Some(stringify!($entry)),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name} ({:#x})", self.0),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }
    };
}

codes! {
    /// C706 12.6.4.1: the kind of a PDU.
    PType(u8) {
        /// C706 12.6.4.9.
        REQUEST = 0,
        /// C706 12.6.4.10.
        RESPONSE = 2,
        /// C706 12.6.4.7.
        FAULT = 3,
        /// C706 12.6.4.3.
        BIND = 11,
        /// C706 12.6.4.4.
        BIND_ACK = 12,
        /// C706 12.6.4.5.
        BIND_NAK = 13,
        /// C706 12.6.4.1.
        ALTER_CONTEXT = 14,
        /// C706 12.6.4.2.
        ALTER_CONTEXT_RESP = 15,
        /// MS-RPCE 2.2.2.10.
        AUTH_3 = 16,
        /// C706 12.6.4.11.
        SHUTDOWN = 17,
        /// C706 12.6.4.6.
        CO_CANCEL = 18,
        /// C706 12.6.4.8.
        ORPHANED = 19,
    }
}

codes! {
    /// MS-RPCE 2.2.1.1.7: the security provider of a trailer.
    AuthType(u8) {
        /// No authentication.
        NONE = 0x00,
        /// SPNEGO.
        GSS_NEGOTIATE = 0x09,
        /// NTLM without SPNEGO.
        WINNT = 0x0A,
        /// TLS.
        GSS_SCHANNEL = 0x0E,
        /// Kerberos without SPNEGO.
        GSS_KERBEROS = 0x10,
        /// Netlogon's secure channel.
        NETLOGON = 0x44,
        /// The same as no authentication.
        DEFAULT = 0xFF,
    }
}

codes! {
    /// MS-RPCE 2.2.1.1.8: how much a security provider protects.
    AuthLevel(u8) {
        /// The same as CONNECT.
        DEFAULT = 0x00,
        /// Nothing.
        NONE = 0x01,
        /// The identity is proved when the connection is made.
        CONNECT = 0x02,
        /// The same as PKT on a connection.
        CALL = 0x03,
        /// Every fragment proves where it comes from.
        PKT = 0x04,
        /// Every fragment is signed.
        PKT_INTEGRITY = 0x05,
        /// Every fragment is signed and its stub encrypted.
        PKT_PRIVACY = 0x06,
    }
}

codes! {
    /// C706 12.6.3.1 `p_cont_def_result_t`: what became of a presentation context.
    ResultCode(u16) {
        /// The context can be used.
        ACCEPTANCE = 0,
        /// The user of the protocol refused it.
        USER_REJECTION = 1,
        /// The protocol machine refused it; see the reason.
        PROVIDER_REJECTION = 2,
        /// MS-RPCE 2.2.2.4: the answer to bind-time feature negotiation; the reason holds bits.
        NEGOTIATE_ACK = 3,
    }
}

codes! {
    /// C706 12.6.3.1 `p_provider_reason_t`: why a presentation context was refused.
    ProviderReason(u16) {
        /// No reason given.
        REASON_NOT_SPECIFIED = 0,
        /// The interface, or its version, is not known.
        ABSTRACT_SYNTAX_NOT_SUPPORTED = 1,
        /// None of the transfer syntaxes is known.
        PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED = 2,
        /// The server has too many contexts already.
        LOCAL_LIMIT_EXCEEDED = 3,
    }
}

codes! {
    /// C706 12.6.3.1 `p_reject_reason_t`, MS-RPCE 2.2.2.5: why a bind was refused as a whole.
    RejectReason(u16) {
        /// No reason given.
        REASON_NOT_SPECIFIED = 0,
        /// The server has no room now.
        TEMPORARY_CONGESTION = 1,
        /// The server has too many associations.
        LOCAL_LIMIT_EXCEEDED = 2,
        /// The server listens at another address.
        CALLED_PADDR_UNKNOWN = 3,
        /// The protocol version is not known.
        PROTOCOL_VERSION_NOT_SUPPORTED = 4,
        /// The default context is not known.
        DEFAULT_CONTEXT_NOT_SUPPORTED = 5,
        /// The user's data cannot be read.
        USER_DATA_NOT_READABLE = 6,
        /// No service access point is left.
        NO_PSAP_AVAILABLE = 7,
        /// The security provider is not known.
        AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8,
        /// The token was not accepted.
        INVALID_CHECKSUM = 9,
    }
}

codes! {
    /// C706 appendix E and MS-RPCE 2.2.2.8: the status of a fault.
    FaultStatus(u32) {
        /// The caller is not allowed in, or its verifier is missing or wrong.
        ACCESS_DENIED = 0x0000_0005,
        /// The stub does not hold the parameters.
        BAD_STUB_DATA = 0x0000_06F7,
        /// A context handle is not known.
        CONTEXT_MISMATCH = 0x1C00_001A,
        /// The call was cancelled.
        CANCEL = 0x1C00_000D,
        /// The interface has no method of that number.
        OP_RNG_ERROR = 0x1C01_0002,
        /// The interface is not known.
        UNK_IF = 0x1C01_0003,
        /// The protocol was broken.
        PROTO_ERROR = 0x1C01_000B,
        /// The server has no room now.
        SERVER_TOO_BUSY = 0x1C01_0014,
        /// The transfer syntax is not known.
        UNSUPPORTED_TYPE = 0x1C01_0017,
        /// The security context was not accepted.
        SEC_PKG_ERROR = 0x0000_0721,
        /// A fault without a better name.
        UNSPECIFIED = 0x1C00_0012,
        /// The server has no memory left.
        REMOTE_NO_MEMORY = 0x1C00_001B,
    }
}

/// C706 12.6.3.1 `pfc_flags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PfcFlags(pub u8);

impl PfcFlags {
    /// The first fragment of a message.
    pub const FIRST_FRAG: PfcFlags = PfcFlags(0x01);
    /// The last fragment of a message.
    pub const LAST_FRAG: PfcFlags = PfcFlags(0x02);
    /// In a request: a cancel was pending at the sender.
    pub const PENDING_CANCEL: PfcFlags = PfcFlags(0x04);
    /// MS-RPCE 2.2.2.3, in bind and alter_context and their answers: header signing is known.
    pub const SUPPORT_HEADER_SIGN: PfcFlags = PfcFlags(0x04);
    /// Several calls at once are possible on one connection.
    pub const CONC_MPX: PfcFlags = PfcFlags(0x10);
    /// In a fault: the call was surely not executed.
    pub const DID_NOT_EXECUTE: PfcFlags = PfcFlags(0x20);
    /// The call need not be executed once only.
    pub const MAYBE: PfcFlags = PfcFlags(0x40);
    /// A request carries an object UUID.
    pub const OBJECT_UUID: PfcFlags = PfcFlags(0x80);
    /// A message of one fragment.
    pub const WHOLE: PfcFlags = PfcFlags(0x03);

    /// Whether every bit of `flags` is set.
    #[must_use]
    pub fn has(self, flags: PfcFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// With the bits of `flags` set or cleared.
    #[must_use]
    pub fn with(self, flags: PfcFlags, set: bool) -> PfcFlags {
        match set {
            true => PfcFlags(self.0 | flags.0),
            false => PfcFlags(self.0 & !flags.0),
        }
    }
}
