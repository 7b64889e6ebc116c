//! What a server can do wrong on purpose, so that whoever judges servers can be judged.

/// One deviation from MS-FSRVP, made at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// 3.1.4.5: Commit is refused with FSRVP_E_OBJECT_NOT_FOUND for a set that there is not.
    CommitUnknownSetCode,
}
