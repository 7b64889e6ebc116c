//! Case files, target files and lists of known deviations.
//!
//! **Architectural invariants**
//! - A case is data. Its id is its path below `cases/` without the extension; adding one touches
//!   no Rust.
//! - An expectation lists every answer that the text permits, each with its source, and names the
//!   requirements that it judges. "Any error" cannot be written down.
//! - What is wrong with a file is said with file, line, key and the nearest known key, before a
//!   single case is played.

mod answer;
mod backend;
mod file;
mod filter;
mod form;
mod known;
mod library;
mod needs;
mod target;
mod target_text;

pub use answer::{Answer, FileResult, OutCheck, OutValue, Wanted, fault_text};
pub use backend::{BackendStep, BackendWork};
pub use filter::Filter;
pub use known::{Deviation, KnownDeviations, OneOrMore};
pub use library::{Library, LoadError};
pub use needs::Feature;
pub use target::{
    Account, Dialect, Encryption, Profile, REAL_WAIT_MAX, RpcLevel, SecretText, SmbOptions, Target,
    Timers,
};

use crate::requirement::RequirementId;
use fsrvp_wire::fsrvp::{Context, Hresult, Opnum};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The name of the client that a step uses unless it names another.
pub const MAIN_CLIENT: &str = "main";

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The path below `cases/` without extension, such as `set-context/both-recovery-bits`.
    pub id: String,
    /// What holds, in one sentence.
    pub title: String,
    /// Why the case is as it is, for a reader.
    pub why: Option<String>,
    /// What a target must have; see [`Feature`].
    pub needs: BTreeSet<Feature>,
    /// The clients that differ from the target's ordinary one.
    pub clients: BTreeMap<String, ClientSpec>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Case {
    /// The folder of the case.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.id.split_once('/').map_or("", |(topic, _)| topic)
    }

    /// Every requirement that an expectation of the case names, in order and once.
    #[must_use]
    pub fn requirements(&self) -> Vec<RequirementId> {
        let mut seen = BTreeSet::new();
        self.steps
            .iter()
            .filter_map(|step| step.expect.as_ref())
            .flat_map(|expect| expect.requirements.iter())
            .filter(|id| seen.insert((*id).clone()))
            .cloned()
            .collect()
    }

    /// The methods that its steps call.
    pub fn methods(&self) -> impl Iterator<Item = Opnum> {
        self.steps.iter().filter_map(Step::method)
    }
}

/// A client of a case; what is not said is as the target file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSpec {
    /// Which account logs on.
    pub user: User,
    /// The authentication level of the RPC binding.
    pub rpc: Option<RpcLevel>,
    /// NTLM without SPNEGO around it in the RPC binding.
    pub raw_ntlm: bool,
    /// MS-RPCE 2.2.1.1.7: the security provider that the RPC binding names in place of its own.
    pub auth_type: Option<u8>,
    /// The only SMB dialect offered.
    pub dialect: Option<Dialect>,
    /// Comes from another network address than the ordinary client.
    pub other_address: bool,
    /// The interface version to bind; 1.0 unless said.
    pub interface_version: Option<(u16, u16)>,
}

/// Which account of the target file logs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum User {
    /// The one with backup rights.
    #[default]
    Admin,
    /// `plain_user`, without them.
    Plain,
    /// `backup_operator`, with no right but that of its group.
    BackupOperator,
}

/// One step of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// The line of the case file.
    pub line: usize,
    /// Who does it.
    pub client: String,
    /// What is done.
    pub action: Action,
    /// The name under which later steps find what came.
    pub save: Option<String>,
    /// Play it again and again until this code comes, at most so many times.
    pub repeat: Option<(u32, Hresult)>,
    /// What must come. Without it the step only prepares: anything but success makes the case
    /// inconclusive.
    pub expect: Option<Expectation>,
}

impl Step {
    /// The method that it calls.
    #[must_use]
    pub fn method(&self) -> Option<Opnum> {
        match &self.action {
            Action::Call(call) | Action::Send { call, .. } => Some(call.method),
            Action::Raw { opnum, .. } | Action::Answer { opnum, .. } => Some(*opnum),
            _ => None,
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Calls one of the 13 methods.
    Call(CallTemplate),
    /// Sends bytes as the stub of any opnum.
    Raw {
        /// The opnum, legal or not.
        opnum: Opnum,
        /// The stub.
        stub: Vec<u8>,
    },
    /// Does something with a file through SMB.
    File(FileTemplate),
    /// Lets time pass.
    Advance(Advance),
    /// Connects and binds; other steps do so by themselves when they must.
    Connect,
    /// Ends the connection without a word.
    Disconnect,
    /// Makes a call and does not wait for its answer, which a later step takes.
    Send {
        /// What the call is called.
        name: String,
        /// The call.
        call: CallTemplate,
    },
    /// Waits for the answer of a call that was made before.
    Answer {
        /// What the call is called.
        name: String,
        /// Its opnum.
        opnum: Opnum,
    },
    /// Makes the server's backend fail or wait.
    Backend {
        /// Which work of it.
        work: BackendWork,
        /// What is done about it.
        step: BackendStep,
    },
    /// Stops the server and starts it again on what it has stored.
    Restart,
}

/// A call with its parameters not yet filled in. A parameter that the method does not have is
/// never set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTemplate {
    /// The method.
    pub method: Opnum,
    /// `Context`.
    pub context: Context,
    /// `ShadowCopySetId`.
    pub set: IdRef,
    /// `ShadowCopyId`.
    pub copy: IdRef,
    /// The client's own id, `ClientShadowCopySetId` or `ClientShadowCopyId`.
    pub client_id: IdRef,
    /// `ShareName`, with placeholders.
    pub share: String,
    /// `Level`.
    pub level: u32,
    /// `TimeOutInMilliseconds`.
    pub timeout_ms: u32,
}

/// An id in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdRef {
    /// The one that a step saved under this name.
    Saved(String),
    /// The nil GUID.
    Nil,
    /// One that no server made.
    Unknown,
    /// A fresh one.
    New,
}

/// Something done with a file, names not yet filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTemplate {
    /// What is done.
    pub verb: FileVerb,
    /// On which share.
    pub place: Place,
    /// The file's path inside the share; empty for the share itself.
    pub name: String,
    /// What is written; for a read, what must be there.
    pub content: Option<String>,
    /// For a listing, names that must be there.
    pub holds: Vec<String>,
    /// For a listing, names that must not.
    pub lacks: Vec<String>,
    /// The open handle to use in place of opening the file.
    pub handle: Option<String>,
}

/// What can be done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileVerb {
    /// Connects to the share, nothing more.
    Connect,
    /// Opens for reading and writing and keeps the handle.
    Open,
    /// Creates or overwrites a file with the content.
    Write,
    /// Reads a file whole.
    Read,
    /// Deletes a file.
    Remove,
    /// Lists a directory.
    List,
}

/// A share to use a file on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A share by its name, with placeholders.
    Share(String),
    /// The share that exposes the shadow copy saved under this name.
    Exposed(String),
}

/// How long to wait, in nominal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// How long.
    pub by: Duration,
    /// The duration of the timer that is being watched: a target whose timers are faster scales
    /// the wait so that it stays on the same side of the expiry.
    pub of: Duration,
}

/// What must come of a step.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The requirements that are judged.
    pub requirements: Vec<RequirementId>,
    /// Every answer that is permitted.
    pub answers: Vec<Answer>,
}

#[cfg(test)]
mod tests;
