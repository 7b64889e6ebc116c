//! MS-SMB2 3.3.5.3, 3.3.5.4, 3.3.5.15.12: which dialect and which algorithms.

use super::limits;
use super::reply::{Hashed, Reply, Step};
use super::state::State;
use crate::config::{Encryption, Signing};
use fsrvp_wire::auth::spnego::Acceptor;
use fsrvp_wire::security::{self, PreauthHash};
use fsrvp_wire::smb2::fscc::FileTime;
use fsrvp_wire::smb2::negotiate::{Capabilities, Dialect, Request, Response, SecurityMode};
use fsrvp_wire::smb2::negotiate_contexts::{
    Cipher, ContextType, EncryptionCapabilities, HashAlgorithm, NegotiateContext,
    PreauthIntegrityCapabilities, SigningAlgorithm, SigningCapabilities,
};
use fsrvp_wire::smb2::{Body, NtStatus, smb1_negotiate, validate_negotiate_info};

/// The dialects that are served, the best one first.
const DIALECTS: [Dialect; 5] = [
    Dialect::SMB_3_1_1,
    Dialect::SMB_3_0_2,
    Dialect::SMB_3_0,
    Dialect::SMB_2_1,
    Dialect::SMB_2_0_2,
];

/// The signing algorithms of dialect 3.1.1 that are served, the best one first.
const SIGNING_ALGORITHMS: [SigningAlgorithm; 3] = [
    SigningAlgorithm::AES_GMAC,
    SigningAlgorithm::AES_CMAC,
    SigningAlgorithm::HMAC_SHA256,
];

/// The ciphers of dialect 3.1.1 that are served, the best one first: GCM is the faster mode, and a
/// client that wants the longer key offers nothing else.
const CIPHERS: [Cipher; 4] = [
    Cipher::AES_128_GCM,
    Cipher::AES_128_CCM,
    Cipher::AES_256_GCM,
    Cipher::AES_256_CCM,
];

/// How long the salt of the preauthentication hash is, in bytes.
const SALT_LEN: usize = 32;

/// How far a connection's negotiation has come.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing was agreed yet.
    Fresh,
    /// An SMB1 negotiate was answered with the wildcard: an SMB2 NEGOTIATE follows.
    Wildcard,
    /// It is done.
    Done(Negotiated),
}

/// What a connection agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Negotiated {
    /// The dialect.
    pub(crate) dialect: Dialect,
    /// How messages are signed.
    pub(crate) signing_algorithm: SigningAlgorithm,
    /// How messages may be encrypted, where both sides can.
    pub(crate) cipher: Option<security::Cipher>,
    /// The hash of both NEGOTIATE messages; dialect 3.1.1 alone has one.
    pub(crate) preauth: Option<PreauthHash>,
    /// What the client said, for VALIDATE_NEGOTIATE_INFO.
    offered: Offer,
    /// What the server answered, for VALIDATE_NEGOTIATE_INFO.
    capabilities: Capabilities,
}

/// What VALIDATE_NEGOTIATE_INFO repeats of the client's NEGOTIATE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Offer {
    capabilities: Capabilities,
    guid: uuid::Uuid,
    security_mode: SecurityMode,
    dialects: Vec<Dialect>,
}

impl Negotiated {
    /// Whether requests may cost more than one credit.
    pub(crate) fn has_multi_credit(&self) -> bool {
        self.dialect != Dialect::SMB_2_0_2
    }

    /// The longest READ, WRITE or transaction, in bytes.
    pub(crate) fn transfer_max(&self) -> u32 {
        transfer_max(self.dialect)
    }
}

/// MS-SMB2 3.3.5.4: an SMB2 NEGOTIATE.
pub(crate) fn negotiate(state: &mut State, message: &[u8]) -> Result<Step, NtStatus> {
    if matches!(state.phase, Phase::Done(_)) {
        return Ok(Step::Disconnect("a second NEGOTIATE"));
    }
    let (_, request) = Request::parse(message).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if request.dialects.is_empty() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let dialect = *DIALECTS
        .iter()
        .find(|dialect| request.dialects.contains(dialect))
        .ok_or(NtStatus::NOT_SUPPORTED)?;
    let mut contexts = Vec::new();
    let mut signing_algorithm = default_signing_algorithm(dialect);
    let mut cipher = None;
    let mut capabilities = common_capabilities(dialect);
    let mut preauth = None;
    let can_encrypt = state.server.encryption != Encryption::Off;
    if dialect == Dialect::SMB_3_1_1 {
        contexts.push(preauth_context(state, &request.negotiate_contexts)?);
        if let Some((algorithm, context)) = signing_context(&request.negotiate_contexts)? {
            signing_algorithm = algorithm;
            contexts.push(context);
        }
        if can_encrypt
            && let Some((chosen, context)) = encryption_context(&request.negotiate_contexts)?
        {
            cipher = chosen;
            contexts.push(context);
        }
        let mut hash = PreauthHash::default();
        hash.update(message);
        preauth = Some(hash);
    } else if can_encrypt
        && [Dialect::SMB_3_0, Dialect::SMB_3_0_2].contains(&dialect)
        && request.capabilities.contains(Capabilities::ENCRYPTION)
    {
        cipher = Some(security::Cipher::AES_128_CCM);
        capabilities |= Capabilities::ENCRYPTION;
    }
    let response = respond(state, dialect, capabilities, contexts);
    state.phase = Phase::Done(Negotiated {
        dialect,
        signing_algorithm,
        cipher,
        preauth,
        capabilities: response.capabilities,
        offered: Offer {
            capabilities: request.capabilities,
            guid: request.client_guid,
            security_mode: request.security_mode,
            dialects: request.dialects,
        },
    });
    let mut reply = Reply::new(NtStatus::SUCCESS, &response);
    reply.hashed = Hashed::Connection;
    Ok(Step::Done(reply))
}

/// MS-SMB2 3.3.5.3: an SMB1 negotiate that asks for SMB2.
pub(crate) fn multi_protocol(state: &mut State, frame: &[u8]) -> Step {
    if !matches!(state.phase, Phase::Fresh) {
        return Step::Disconnect("an SMB1 negotiate after another");
    }
    let Ok(request) = smb1_negotiate::Request::parse(frame) else {
        return Step::Disconnect("an SMB1 negotiate that does not parse");
    };
    let dialect = if request.offers(smb1_negotiate::DIALECT_2_WILDCARD) {
        state.phase = Phase::Wildcard;
        Dialect::SMB_2_WILDCARD
    } else if request.offers(smb1_negotiate::DIALECT_2_002) {
        state.phase = Phase::Done(Negotiated {
            dialect: Dialect::SMB_2_0_2,
            signing_algorithm: default_signing_algorithm(Dialect::SMB_2_0_2),
            cipher: None,
            preauth: None,
            offered: Offer::default(),
            capabilities: Capabilities::default(),
        });
        Dialect::SMB_2_0_2
    } else {
        return Step::Disconnect("an SMB1 negotiate without a dialect of SMB2");
    };
    Step::Done(Reply::new(
        NtStatus::SUCCESS,
        &respond(state, dialect, common_capabilities(dialect), Vec::new()),
    ))
}

/// MS-SMB2 3.3.5.15.12: answers what was agreed; a client that said something else in NEGOTIATE
/// is cut off.
pub(crate) fn validate(
    state: &State,
    input: &[u8],
    output_max: u32,
) -> Result<Result<Vec<u8>, &'static str>, NtStatus> {
    let Phase::Done(negotiated) = &state.phase else {
        return Err(NtStatus::INVALID_PARAMETER);
    };
    if negotiated.dialect == Dialect::SMB_3_1_1 {
        return Ok(Err("VALIDATE_NEGOTIATE_INFO in dialect 3.1.1"));
    }
    let request =
        validate_negotiate_info::Request::parse(input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let response = validate_negotiate_info::Response {
        capabilities: negotiated.capabilities,
        guid: state.server.guid,
        security_mode: security_mode(state),
        dialect: negotiated.dialect,
    }
    .emit();
    if usize::try_from(output_max).unwrap_or(usize::MAX) < response.len() {
        return Ok(Err("VALIDATE_NEGOTIATE_INFO without room for its answer"));
    }
    let repeated = Offer {
        capabilities: request.capabilities,
        guid: request.guid,
        security_mode: request.security_mode,
        dialects: request.dialects,
    };
    if repeated != negotiated.offered {
        return Ok(Err("VALIDATE_NEGOTIATE_INFO differs from NEGOTIATE"));
    }
    Ok(Ok(response))
}

/// What the server can do for every client of a dialect.
fn common_capabilities(dialect: Dialect) -> Capabilities {
    match dialect {
        Dialect::SMB_2_0_2 | Dialect::SMB_2_WILDCARD => Capabilities::default(),
        _ => Capabilities::LARGE_MTU,
    }
}

fn respond(
    state: &State,
    dialect: Dialect,
    capabilities: Capabilities,
    contexts: Vec<NegotiateContext>,
) -> Response {
    let transfer_max = transfer_max(dialect);
    Response {
        security_mode: security_mode(state),
        dialect_revision: dialect,
        server_guid: state.server.guid,
        capabilities,
        max_transact_size: transfer_max,
        max_read_size: transfer_max,
        max_write_size: transfer_max,
        system_time: state.wall_time,
        server_start_time: FileTime::ZERO,
        security_buffer: Acceptor::hello(),
        negotiate_contexts: contexts,
        ..Response::default()
    }
}

fn transfer_max(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::SMB_2_0_2 | Dialect::SMB_2_WILDCARD => limits::TRANSFER_SINGLE_CREDIT_MAX,
        _ => limits::TRANSFER_MAX,
    }
}

fn security_mode(state: &State) -> SecurityMode {
    match state.server.signing {
        Signing::Required => SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED,
        Signing::Allowed => SecurityMode::SIGNING_ENABLED,
    }
}

fn default_signing_algorithm(dialect: Dialect) -> SigningAlgorithm {
    match dialect {
        Dialect::SMB_2_0_2 | Dialect::SMB_2_1 => SigningAlgorithm::HMAC_SHA256,
        _ => SigningAlgorithm::AES_CMAC,
    }
}

/// MS-SMB2 3.3.5.4: dialect 3.1.1 demands exactly one such context with a known hash.
fn preauth_context(
    state: &mut State,
    contexts: &[NegotiateContext],
) -> Result<NegotiateContext, NtStatus> {
    let mut found = of_type(contexts, ContextType::PREAUTH_INTEGRITY_CAPABILITIES);
    let (Some(context), None) = (found.next(), found.next()) else {
        return Err(NtStatus::INVALID_PARAMETER);
    };
    let offered = PreauthIntegrityCapabilities::parse(&context.data)
        .map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if !offered.hash_algorithms.contains(&HashAlgorithm::SHA_512) {
        return Err(NtStatus::NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
    }
    let mut salt = vec![0; SALT_LEN];
    state.entropy.fill(&mut salt);
    let chosen = PreauthIntegrityCapabilities {
        hash_algorithms: vec![HashAlgorithm::SHA_512],
        salt,
    };
    Ok(chosen.to_context())
}

fn signing_context(
    contexts: &[NegotiateContext],
) -> Result<Option<(SigningAlgorithm, NegotiateContext)>, NtStatus> {
    let mut found = of_type(contexts, ContextType::SIGNING_CAPABILITIES);
    let Some(context) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let offered =
        SigningCapabilities::parse(&context.data).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    let chosen = SIGNING_ALGORITHMS
        .into_iter()
        .find(|algorithm| offered.signing_algorithms.contains(algorithm));
    Ok(chosen.map(|algorithm| {
        let chosen = SigningCapabilities {
            signing_algorithms: vec![algorithm],
        };
        (algorithm, chosen.to_context())
    }))
}

/// MS-SMB2 3.3.5.4: the cipher, and the context that tells it; that context says 0 where client
/// and server have no cipher in common.
fn encryption_context(
    contexts: &[NegotiateContext],
) -> Result<Option<(Option<security::Cipher>, NegotiateContext)>, NtStatus> {
    let mut found = of_type(contexts, ContextType::ENCRYPTION_CAPABILITIES);
    let Some(context) = found.next() else {
        return Ok(None);
    };
    let offered =
        EncryptionCapabilities::parse(&context.data).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if found.next().is_some() || offered.ciphers.is_empty() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let chosen = CIPHERS
        .into_iter()
        .find(|cipher| offered.ciphers.contains(cipher));
    let answer = EncryptionCapabilities {
        ciphers: vec![chosen.unwrap_or(Cipher::NONE)],
    };
    let cipher = chosen.map(|cipher| security::Cipher(cipher.0));
    Ok(Some((cipher, answer.to_context())))
}

fn of_type(
    contexts: &[NegotiateContext],
    context_type: ContextType,
) -> impl Iterator<Item = &NegotiateContext> {
    contexts
        .iter()
        .filter(move |context| context.context_type == context_type)
}
