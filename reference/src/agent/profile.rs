//! Where known servers part from the text of MS-FSRVP, each as a switch of its own.
//!
//! What is not imitated of Samba, because it only loses what clients rely on: a state of its own
//! for every worker process, sets that are forgotten when a worker is idle, changes that are
//! answered with ZERO and not stored, and backend snapshots that stay behind when their set goes.

use super::{AgentError, Caller, Missing};
use fsrvp_wire::fsrvp::{Context, Hresult, Opnum};
use std::collections::BTreeSet;

/// One way to part from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Deviation {
    /// An id that no set has is E_INVALIDARG; DeleteShareMapping keeps its own code.
    UnknownSetIsBadArgument,
    /// The nil id is an id that nothing has, and nothing else.
    NilIsAnUnknownId,
    /// A share that there is not is E_INVALIDARG.
    UnknownShareIsBadArgument,
    /// DeleteShareMapping answers an unknown shadow copy or share with E_INVALIDARG.
    UnknownMappingIsBadArgument,
    /// Whatever stands behind `\\host\share\` is passed over.
    NamesMayGoOn,
    /// AddToShadowCopySet looks for the set before it looks for the share.
    SetBeforeShare,
    /// A context that is none is E_INVALIDARG.
    UnknownContextIsBadArgument,
    /// ATTR_NO_AUTO_RECOVERY makes a context that is none.
    NoAutoRecoveryIsUnknown,
    /// SetContext looks at no address, counts nothing and drops nothing.
    AnyoneSetsTheContext,
    /// SetContext and GetShareMapping start the timer for no set in progress: when it fires, only
    /// the context is cleared.
    TimerForgetsItsSet,
    /// SetContext may be repeated for ever.
    RetriesHaveNoLimit,
    /// StartShadowCopySet takes nil for ClientShadowCopySetId.
    NilClientSetIdIsTaken,
    /// A set may start while another one is Exposed.
    ExposedIsNotInProgress,
    /// AbortShadowCopySet leaves the context set.
    AbortKeepsTheContext,
    /// AbortShadowCopySet refuses a commit under way, and of what was committed it says that it
    /// succeeded and does nothing.
    AbortOnlyBeforeCommit,
    /// AbortShadowCopySet refuses a Recovered set.
    AbortRefusesRecovered,
    /// After the abort of an Added or Exposed set none may start as long as the timer runs after
    /// AddToShadowCopySet.
    AbortBlocksTheNextSet,
    /// Several shares of one file store may be in one set.
    StoresMayRepeat,
    /// GetShareMapping before Exposed is 0x80042311.
    EarlyMappingHasItsOwnCode,
    /// GetShareMapping works when the set is Recovered.
    RecoveredHasMappings,
    /// GetShareMapping looks at the level last.
    LevelIsLookedAtLast,
    /// ShareNameUNC is made anew, of the server's name and the share's.
    ShareNameIsMadeAnew,
    /// The exposed share of every share whose name ends in `$` ends in `$`.
    EveryDollarHides,
    /// IsPathShadowCopied is always FSRVP_E_NOT_SUPPORTED.
    NoPathIsShadowCopied,
    /// CommitShadowCopySet refuses a set whose commit is under way, and one that fails leaves the
    /// set Added.
    CommitsAreNotJoined,
    /// TimeOutInMilliseconds means nothing.
    WaitsHaveNoLimit,
    /// The timer takes no Exposed set away.
    ExposedOutlivesTheTimer,
    /// Exposed shares take writes at all times; nothing is ever sealed.
    NothingIsReadOnly,
    /// The RPC level does not matter, as long as it is not CONNECT.
    AnyRpcLevel,
}

use Deviation as D;

/// A deviation, who shows it, and who says so.
struct Row {
    deviation: Deviation,
    windows_2012: bool,
    windows_2012r2: bool,
    samba: bool,
    source: &'static str,
}

const fn samba(deviation: Deviation, source: &'static str) -> Row {
    Row {
        deviation,
        windows_2012: false,
        windows_2012r2: false,
        samba: true,
        source,
    }
}

const fn windows(deviation: Deviation, source: &'static str) -> Row {
    Row {
        deviation,
        windows_2012: true,
        windows_2012r2: true,
        samba: false,
        source,
    }
}

const fn windows_2012(deviation: Deviation, source: &'static str) -> Row {
    Row {
        deviation,
        windows_2012: true,
        windows_2012r2: false,
        samba: false,
        source,
    }
}

const fn windows_2012_and_samba(deviation: Deviation, source: &'static str) -> Row {
    Row {
        deviation,
        windows_2012: true,
        windows_2012r2: false,
        samba: true,
        source,
    }
}

/// Every deviation. Of Samba: version 4.17.12.
const TABLE: &[Row] = &[
    samba(
        D::UnknownSetIsBadArgument,
        "observed; revisions of MS-FSRVP before 2013 had it so",
    ),
    samba(
        D::NilIsAnUnknownId,
        "observed with AddToShadowCopySet and DeleteShareMapping",
    ),
    samba(D::UnknownShareIsBadArgument, "observed"),
    samba(
        D::UnknownMappingIsBadArgument,
        "observed; smbtorture rpc.fsrvp demands it",
    ),
    samba(D::NamesMayGoOn, "observed: \\\\host\\share\\dir is share"),
    samba(D::SetBeforeShare, "observed"),
    samba(D::UnknownContextIsBadArgument, "observed"),
    samba(
        D::NoAutoRecoveryIsUnknown,
        "observed: the four bases, with and without ATTR_AUTO_RECOVERY",
    ),
    samba(D::AnyoneSetsTheContext, "observed with two addresses"),
    samba(
        D::TimerForgetsItsSet,
        "observed: Prepare of the old set succeeds after the timer has fired",
    ),
    samba(D::NilClientSetIdIsTaken, "observed"),
    samba(
        D::ExposedIsNotInProgress,
        "observed; smbtorture rpc.fsrvp enum_created needs it",
    ),
    samba(
        D::AbortKeepsTheContext,
        "observed: StartShadowCopySet succeeds at once",
    ),
    samba(D::AbortOnlyBeforeCommit, "observed"),
    windows(
        D::AbortRefusesRecovered,
        "asserted by the MS-FSRVP suite of WindowsProtocolTestSuites",
    ),
    windows(D::AbortBlocksTheNextSet, "MS-FSRVP <6>"),
    windows(
        D::StoresMayRepeat,
        "remark of smbtorture rpc.fsrvp on Windows Server",
    ),
    windows_2012_and_samba(
        D::EarlyMappingHasItsOwnCode,
        "MS-FSRVP <10>, of Windows Server 2012; of Samba: observed",
    ),
    windows_2012_and_samba(
        D::RecoveredHasMappings,
        "MS-FSRVP <10>, which does not name Recovered; of Samba: observed",
    ),
    windows_2012(D::RetriesHaveNoLimit, "MS-FSRVP <5>"),
    samba(
        D::LevelIsLookedAtLast,
        "observed: the state of the set is answered first",
    ),
    samba(D::ShareNameIsMadeAnew, "observed"),
    samba(
        D::EveryDollarHides,
        "observed; MS-FSRVP <9> wants a backslash behind it",
    ),
    samba(D::NoPathIsShadowCopied, "observed"),
    samba(
        D::CommitsAreNotJoined,
        "observed: a further Commit is refused for the set's state",
    ),
    samba(D::WaitsHaveNoLimit, "observed with a timeout of 1 ms"),
    samba(
        D::ExposedOutlivesTheTimer,
        "observed: only the context is cleared",
    ),
    samba(
        D::NothingIsReadOnly,
        "observed with vfs_shell_snap, which copies directories",
    ),
    samba(
        D::AnyRpcLevel,
        "observed: none and PKT are carried out, CONNECT is refused",
    ),
];

/// A set of deviations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deviations(BTreeSet<Deviation>);

impl Deviations {
    /// The text itself.
    #[must_use]
    pub fn none() -> Deviations {
        Deviations::default()
    }

    /// What is documented of Windows Server 2012.
    #[must_use]
    pub fn windows_2012() -> Deviations {
        Deviations::of(|row| row.windows_2012)
    }

    /// What is documented of Windows Server 2012 R2 and later.
    #[must_use]
    pub fn windows_2012r2() -> Deviations {
        Deviations::of(|row| row.windows_2012r2)
    }

    /// What Samba 4.17 does.
    #[must_use]
    pub fn samba() -> Deviations {
        Deviations::of(|row| row.samba)
    }

    fn of(whose: impl Fn(&Row) -> bool) -> Deviations {
        let rows = TABLE.iter().filter(|row| whose(row));
        Deviations(rows.map(|row| row.deviation).collect())
    }

    /// These and one more.
    #[must_use]
    pub fn with(mut self, deviation: Deviation) -> Deviations {
        self.0.insert(deviation);
        self
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, deviation: Deviation) -> bool {
        self.0.contains(&deviation)
    }

    /// Each of them, with who says so.
    pub fn sources(&self) -> impl Iterator<Item = (Deviation, &'static str)> {
        let rows = TABLE.iter().filter(|row| self.has(row.deviation));
        rows.map(|row| (row.deviation, row.source))
    }

    /// The code that `method` gives for `error`.
    pub(super) fn code(&self, method: Opnum, error: &AgentError) -> Hresult {
        let deviation = match error {
            AgentError::UnknownSet => D::UnknownSetIsBadArgument,
            AgentError::UnsupportedContext => D::UnknownContextIsBadArgument,
            AgentError::NotFound(Missing::Share) => D::UnknownShareIsBadArgument,
            AgentError::NotFound(Missing::ShadowCopy | Missing::ShareMapping) => {
                D::UnknownMappingIsBadArgument
            }
            AgentError::BadState(_)
                if method == Opnum::GetShareMapping && self.has(D::EarlyMappingHasItsOwnCode) =>
            {
                return Hresult::VSS_E_INVALID_XML_DOCUMENT;
            }
            _ => return Hresult::from(error),
        };
        match self.has(deviation) {
            true => Hresult::E_INVALIDARG,
            false => Hresult::from(error),
        }
    }

    /// 3.1.4: whether this caller is let in.
    pub(super) fn permit(&self, caller: &Caller) -> bool {
        /// RPC_C_AUTHN_LEVEL_CONNECT.
        const CONNECT: u8 = 2;
        match self.has(D::AnyRpcLevel) {
            true => caller.backup_rights && caller.auth_level != CONNECT,
            false => caller.is_permitted(),
        }
    }

    /// 2.2.2.2: whether a context is one of those that there are.
    pub(super) fn knows(&self, context: Context) -> bool {
        let refused = context.no_auto_recovery() && self.has(D::NoAutoRecoveryIsUnknown);
        context.is_valid() && !refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deviation_has_one_row_and_somebody_who_shows_it() {
        let mut seen = BTreeSet::new();
        for row in TABLE {
            assert!(seen.insert(row.deviation), "{:?} twice", row.deviation);
            assert!(row.windows_2012 || row.samba, "{:?}", row.deviation);
            assert!(!row.source.is_empty(), "{:?}", row.deviation);
        }
    }

    #[test]
    fn profiles_are_read_from_the_table() {
        assert!(Deviations::samba().has(Deviation::AnyRpcLevel));
        assert!(!Deviations::windows_2012().has(Deviation::AnyRpcLevel));
        assert!(Deviations::windows_2012().has(Deviation::AbortRefusesRecovered));
        assert!(Deviations::windows_2012().has(Deviation::EarlyMappingHasItsOwnCode));
        assert!(!Deviations::windows_2012r2().has(Deviation::EarlyMappingHasItsOwnCode));
        assert_eq!(Deviations::none().sources().count(), 0);
    }
}
