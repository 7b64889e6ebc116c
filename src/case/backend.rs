//! What the backend of a server is made to do, where the harness has a hand in it.

use serde::Deserialize;

/// Work that a method waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendWork {
    /// Of PrepareShadowCopySet.
    Prepare,
    /// The copies of CommitShadowCopySet.
    Commit,
    /// The shares of ExposeShadowCopySet.
    Expose,
    /// The removal of copies by AbortShadowCopySet and DeleteShareMapping.
    Removal,
}

impl BackendWork {
    /// All of them.
    pub const ALL: [BackendWork; 4] = [
        BackendWork::Prepare,
        BackendWork::Commit,
        BackendWork::Expose,
        BackendWork::Removal,
    ];

    /// The word for it in a case file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BackendWork::Prepare => "prepare",
            BackendWork::Commit => "commit",
            BackendWork::Expose => "expose",
            BackendWork::Removal => "removal",
        }
    }
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendStep {
    /// From here on it is done, and what waited goes on.
    Works,
    /// From here on it fails.
    Fails,
    /// It ends once without an outcome: nobody learns what has become of it.
    IsLost,
    /// From here on it waits.
    Blocks,
    /// Go on when somebody waits for it.
    IsReached,
}

impl BackendStep {
    /// The word for it in a case file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BackendStep::Works => "works",
            BackendStep::Fails => "fails",
            BackendStep::IsLost => "is-lost",
            BackendStep::Blocks => "blocks",
            BackendStep::IsReached => "is-reached",
        }
    }
}
