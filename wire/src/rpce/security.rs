//! MS-RPCE 3.3.1.5.2: how requests and responses are signed and sealed. Both roles use it.
//!
//! NTLM signs a PDU from its first byte to the end of the security trailer, whether or not
//! header signing was agreed on with PFC_SUPPORT_HEADER_SIGN; no peer that we know does otherwise.

use crate::ParseError;
use crate::auth::ntlm::{ContextError, SIGNATURE_LEN, SecurityContext};
use crate::rpce::fragments::AUTH_ALIGNMENT;
use crate::rpce::{AuthLevel, AuthType, Pdu, SecurityTrailer, TRAILER_LEN};

/// What becomes of the PDUs of one security context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    /// MS-RPCE 2.2.1.1.8: at CONNECT a request or response has no trailer.
    None,
    /// At PKT, which NTLM and Kerberos treat as PKT_INTEGRITY, and there.
    Sign,
    /// At PKT_PRIVACY.
    Seal,
}

/// Why a protected PDU was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The PDU does not parse.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The level demands a trailer and there is none.
    #[error("rpc security trailer is missing")]
    TrailerMissing,
    /// The trailer belongs to another security context.
    #[error("rpc security trailer has another {field}")]
    OtherContext {
        /// Which field tells so.
        field: &'static str,
    },
    /// The PDU is of a type that carries no stub.
    #[error("rpc pdu type cannot be protected")]
    NoStub,
    /// The security context refused it.
    #[error("rpc security trailer: {0}")]
    Context(#[from] ContextError),
}

/// A security context with what a bind said about it.
#[derive(Debug)]
pub struct RpcSecurity {
    context: SecurityContext,
    auth_type: AuthType,
    auth_level: AuthLevel,
    auth_context_id: u32,
}

impl RpcSecurity {
    /// Protects with `context` as the trailers of the bind named it.
    #[must_use]
    pub fn new(
        context: SecurityContext,
        auth_type: AuthType,
        auth_level: AuthLevel,
        auth_context_id: u32,
    ) -> Self {
        RpcSecurity {
            context,
            auth_type,
            auth_level,
            auth_context_id,
        }
    }

    /// The provider.
    #[must_use]
    pub fn auth_type(&self) -> AuthType {
        self.auth_type
    }

    /// The level.
    #[must_use]
    pub fn auth_level(&self) -> AuthLevel {
        self.auth_level
    }

    /// The id of the context in trailers.
    #[must_use]
    pub fn auth_context_id(&self) -> u32 {
        self.auth_context_id
    }

    /// How long the signature in a trailer is, in bytes; 0 where PDUs have no trailer. For
    /// [`crate::rpce::fragment`].
    #[must_use]
    pub fn signature_len(&self) -> usize {
        match self.protection() {
            Protection::None => 0,
            Protection::Sign | Protection::Seal => SIGNATURE_LEN,
        }
    }

    fn protection(&self) -> Protection {
        match self.auth_level {
            AuthLevel::PKT_PRIVACY => Protection::Seal,
            AuthLevel::DEFAULT | AuthLevel::NONE | AuthLevel::CONNECT => Protection::None,
            _ => Protection::Sign,
        }
    }

    /// Signs and seals one fragment and returns its bytes; padding and trailer are added.
    /// Fragments must be handed in in the order in which they travel.
    ///
    /// # Errors
    /// A PDU without a stub, or one that the context cannot protect.
    pub fn protect(&mut self, pdu: &Pdu) -> Result<Vec<u8>, SecurityError> {
        let Some(stub) = pdu.body.stub() else {
            return Err(SecurityError::NoStub);
        };
        let protection = self.protection();
        if protection == Protection::None {
            return Ok(pdu.emit());
        }
        let padding = stub
            .len()
            .next_multiple_of(AUTH_ALIGNMENT)
            .saturating_sub(stub.len());
        let mut trailer = SecurityTrailer::new(
            self.auth_type,
            self.auth_level,
            self.auth_context_id,
            vec![0; SIGNATURE_LEN],
        );
        trailer.auth_pad = vec![0; padding];
        let with_trailer = Pdu {
            auth: Some(trailer),
            ..pdu.clone()
        };
        let mut bytes = with_trailer.emit();
        bytes.truncate(bytes.len().saturating_sub(SIGNATURE_LEN));
        let signature = match protection {
            Protection::Seal => {
                let sealed = pdu.body.stub_at()..bytes.len().saturating_sub(TRAILER_LEN);
                self.context.seal(&mut bytes, sealed)?
            }
            Protection::Sign | Protection::None => self.context.sign(&bytes),
        };
        bytes.extend_from_slice(&signature);
        Ok(bytes)
    }

    /// Opens and checks one fragment; the PDU that it returns has its stub in the clear.
    /// Fragments must be handed in in the order in which they came.
    ///
    /// # Errors
    /// The fragment does not parse, has no trailer or one of another context, or was changed. After
    /// a wrong signature the connection is of no more use.
    pub fn unprotect(&mut self, fragment: &[u8]) -> Result<Pdu, SecurityError> {
        let pdu = Pdu::parse(fragment)?;
        if pdu.body.stub().is_none() {
            return Err(SecurityError::NoStub);
        }
        let protection = self.protection();
        if protection == Protection::None {
            return Ok(pdu);
        }
        let trailer = pdu.auth.as_ref().ok_or(SecurityError::TrailerMissing)?;
        self.check_trailer(trailer)?;
        let signed_len = fragment.len().saturating_sub(trailer.auth_value.len());
        let (signed, signature) = fragment
            .split_at_checked(signed_len)
            .ok_or(SecurityError::TrailerMissing)?;
        if protection == Protection::Sign {
            self.context.verify(signed, signature)?;
            return Ok(pdu);
        }
        let mut opened = signed.to_vec();
        let sealed = pdu.body.stub_at()..signed_len.saturating_sub(TRAILER_LEN);
        self.context.unseal(&mut opened, sealed, signature)?;
        opened.extend_from_slice(signature);
        Ok(Pdu::parse(&opened)?)
    }

    /// RFC 4178 5, MS-SPNG 3.3.5.1: checks the peer's signature over the list of mechanisms, which
    /// comes before its first PDU and begins the RC4 states anew.
    ///
    /// This is for who follows a recorded logon; SPNEGO's own roles in this crate do it themselves.
    ///
    /// # Errors
    /// [`ContextError::WrongSignature`]; the states begin anew all the same.
    pub fn verify_mech_list(&mut self, mech_types: &[u8], mic: &[u8]) -> Result<(), ContextError> {
        let verdict = self.context.verify(mech_types, mic);
        self.context.reset_cipher_states();
        verdict
    }

    fn check_trailer(&self, trailer: &SecurityTrailer) -> Result<(), SecurityError> {
        let field = if trailer.auth_type != self.auth_type {
            "auth_type"
        } else if trailer.auth_level != self.auth_level {
            "auth_level"
        } else if trailer.auth_context_id != self.auth_context_id {
            "auth_context_id"
        } else {
            return Ok(());
        };
        Err(SecurityError::OtherContext { field })
    }
}
