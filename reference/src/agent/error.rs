//! Why a call is refused, and the one place where that becomes a code.

use super::Status;
use fsrvp_wire::fsrvp::Hresult;

/// What there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// A share of the server.
    #[error("share")]
    Share,
    /// A set, where the method has this code for it.
    #[error("shadow copy set")]
    ShadowCopySet,
    /// A shadow copy of the set.
    #[error("shadow copy")]
    ShadowCopy,
    /// A share in the shadow copy.
    #[error("share mapping")]
    ShareMapping,
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// 3.1.4: the user, the provider or the level.
    #[error("the caller may not use FSRVP, or not at this RPC level")]
    AccessDenied,
    /// 3.1.4: a NULL or otherwise unusable parameter.
    #[error("{0} is nil or has no defined value")]
    InvalidArgument(&'static str),
    /// 3.1.4.2: not one of the twelve contexts.
    #[error("the context is not one of the twelve valid ones")]
    UnsupportedContext,
    /// 3.1.4.2, 3.1.4.3: another set or another client.
    #[error("a shadow copy set is in progress")]
    InProgress,
    /// 3.1.4.2: SetContext was repeated too often.
    #[error("the context was set too often in a row")]
    RetryLimit,
    /// 3.1.4.3: StartShadowCopySet without SetContext.
    #[error("no context is set")]
    NoContext,
    /// No set has the id.
    #[error("no shadow copy set has this id")]
    UnknownSet,
    /// The method does not fit the set's status.
    #[error("the set is {0:?}")]
    BadState(Status),
    /// No such share, copy or mapping.
    #[error("there is no such {0}")]
    NotFound(Missing),
    /// 3.1.4.4, 3.1.4.9: the file store.
    #[error("the share's file store cannot be shadow copied")]
    NotSupported,
    /// 3.1.4.4: the file store again.
    #[error("the share's file store is in the set already")]
    AlreadyExists,
    /// 3.1.4.5: the commit took longer than the caller would wait.
    #[error("the commit is not done in time and goes on")]
    CommitTimeout,
    /// 2.2.4: prepare or expose took longer than the caller would wait.
    #[error("not done in time")]
    WaitTimeout,
    /// 2.2.4: the wait ended without an outcome.
    #[error("the wait ended without an outcome")]
    WaitFailed,
    /// The backend or the configuration store failed.
    #[error("{0}")]
    Failed(String),
}

impl From<&AgentError> for Hresult {
    fn from(error: &AgentError) -> Hresult {
        match error {
            AgentError::AccessDenied => Hresult::E_ACCESSDENIED,
            AgentError::InvalidArgument(_) => Hresult::E_INVALIDARG,
            AgentError::UnsupportedContext => Hresult::FSRVP_E_UNSUPPORTED_CONTEXT,
            AgentError::InProgress | AgentError::RetryLimit => {
                Hresult::FSRVP_E_SHADOW_COPY_SET_IN_PROGRESS
            }
            AgentError::NoContext | AgentError::BadState(_) => Hresult::FSRVP_E_BAD_STATE,
            AgentError::UnknownSet => Hresult::FSRVP_E_SHADOWCOPYSET_ID_MISMATCH,
            AgentError::NotFound(_) => Hresult::FSRVP_E_OBJECT_NOT_FOUND,
            AgentError::NotSupported => Hresult::FSRVP_E_NOT_SUPPORTED,
            AgentError::AlreadyExists => Hresult::FSRVP_E_OBJECT_ALREADY_EXISTS,
            AgentError::CommitTimeout => Hresult::FSSAGENT_E_TIMEOUT,
            AgentError::WaitTimeout => Hresult::FSRVP_E_WAIT_TIMEOUT,
            AgentError::WaitFailed => Hresult::FSRVP_E_WAIT_FAILED,
            AgentError::Failed(_) => Hresult::E_FAIL,
        }
    }
}
