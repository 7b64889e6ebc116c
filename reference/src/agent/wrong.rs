//! What a server can do wrong on purpose, so that those who judge servers can be judged: each
//! fault is one deviation from MS-FSRVP, and names the requirements of which one is broken by it.
//!
//! Faults are values of the configuration of this library; no option of `serve` switches one on.

mod bend;

pub(super) use bend::{bend_config, first_session};

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident breaks $($id:literal)+;)*) => {
        /// One deviation from MS-FSRVP.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[doc = $doc])* $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// The requirements of which one is seen to be broken.
            #[must_use]
            pub fn breaks(self) -> &'static [&'static str] {
                match self {
                    $(Fault::$name => &[$($id,)+],)*
                }
            }
        }
    };
}

faults! {
    // Wrong codes.
    /// Commit does not find a set, in another method's words.
    CommitUnknownSetCode breaks "FSRVP-3.1.4.5-01";
    /// Expose calls a wrong status a wrong argument.
    ExposeBadStateCode breaks "FSRVP-3.1.4.6-02" "FSRVP-3.1.4.6-03" "FSRVP-3.1.4.6-05" "FSRVP-3.1.4.6-06";
    /// Delete calls whatever it does not find a wrong argument.
    DeleteNotFoundCode breaks "FSRVP-3.1.4.12-03" "FSRVP-3.1.4.12-08" "FSRVP-3.1.4.12-09";
    /// IsPathSupported calls a missing share a wrong argument.
    MissingShareCode breaks "FSRVP-3.1.4.9-02";
    /// IsPathSupported calls a share that cannot be shadow copied a missing one.
    UnsupportedPathCode breaks "FSRVP-3.1.4.9-03" "FSRVP-3.1.4.9-04";
    /// Add calls a share that cannot be shadow copied a missing one.
    UnsupportedShareCode breaks "FSRVP-3.1.4.4-04" "FSRVP-3.1.4.4-05";
    /// SetContext calls an invalid context a wrong argument.
    ContextCode breaks "FSRVP-3.1.4.2-01" "FSRVP-3.1.4.2-02" "FSRVP-3.1.4.2-03" "FSRVP-3.1.4.2-09" "FSRVP-3.1.4.2-11";
    /// Start gives the code for a missing context while a set is in progress.
    InProgressCode breaks "FSRVP-3.1.4.3-05" "FSRVP-3.1.4.3-06" "FSRVP-3.1.4.3-08" "FSRVP-3.1.4.3-09";
    /// Start gives the code for a set in progress where the context is missing.
    NoContextCode breaks "FSRVP-3.1.4.3-01";
    /// Add gives the code for an unsupported store where the store is in the set already.
    AlreadyExistsCode breaks "FSRVP-3.1.4.4-13" "FSRVP-3.1.4.4-14";
    /// Abort does not know a nil set.
    AbortNilCode breaks "FSRVP-3.1.4.8-01";
    /// GetShareMapping gives the code for a wrong status for a wrong argument.
    MappingArgumentCode breaks "FSRVP-3.1.4.11-01" "FSRVP-3.1.4.11-03" "FSRVP-3.1.4.11-12" "FSRVP-3.1.4.11-13";
    /// Prepare says S_FALSE when it is done.
    PrepareSuccessCode breaks "FSRVP-3-02" "FSRVP-3.1.4.13-07";

    // Wrong out parameters.
    /// A version that does not exist.
    VersionTwo breaks "FSRVP-2.2.2.4-01" "FSRVP-3.1.4.1-01";
    /// Start gives a nil id.
    NilSetId breaks "FSRVP-3.1.4.3-03";
    /// Add gives a nil id.
    NilCopyId breaks "FSRVP-3.1.4.4-01";
    /// Add gives an id although it fails.
    FailureHasId breaks "FSRVP-3.1.4.4-21";
    /// IsPathSupported has no owner.
    NoOwner breaks "FSRVP-2.2-04" "FSRVP-3.1.4.9-01";
    /// IsPathSupported says FALSE and succeeds.
    SupportedIsFalse breaks "FSRVP-3.1.4.9-01";
    /// IsPathShadowCopied is always TRUE.
    AlwaysPresent breaks "FSRVP-3.1.4.10-02" "FSRVP-3.1.4.10-04";
    /// IsPathShadowCopied is never TRUE.
    NeverPresent breaks "FSRVP-3.1.4.10-06" "FSRVP-3.1.4.10-07" "FSRVP-3.1.4.10-08";
    /// ShadowCopyCompatibility has a third bit.
    CompatibilityBits breaks "FSRVP-2.2.2.3-01";
    /// ShadowCopyCompatibility is always zero.
    CompatibilityLost breaks "FSRVP-3.1.4.10-11" "FSRVP-3.1.4.10-12";
    /// The ids of a mapping have changed places.
    MappingIdsSwapped breaks "FSRVP-3.1.4.11-14";
    /// ShareNameUNC is a bare name.
    MappingBareName breaks "FSRVP-2.2.1.1-02";
    /// The exposed share's name is told without braces.
    ExposedNameWithoutBraces breaks "FSRVP-3.1.4.6-08";
    /// CreationTimestamp counts seconds.
    TimestampInSeconds breaks "FSRVP-2.2.1.1-01";
    /// CreationTimestamp is another one in every answer.
    TimestampMoves breaks "FSRVP-3.1.4.11-17";

    // Missing checks of the status.
    /// Prepare of a set without shares.
    PrepareStarted breaks "FSRVP-3.1.4.13-02";
    /// Prepare after the commit.
    PrepareCommitted breaks "FSRVP-3.1.4.13-04";
    /// Prepare of an exposed set.
    PrepareExposed breaks "FSRVP-3.1.4.13-05";
    /// A second commit.
    CommitCommitted breaks "FSRVP-3.1.4.5-03";
    /// Recovery before Expose.
    RecoverCommitted breaks "FSRVP-3.1.4.7-05";
    /// A second recovery.
    RecoverRecovered breaks "FSRVP-3.1.4.7-06";
    /// Add after the commit.
    AddCommitted breaks "FSRVP-3.1.4.4-10";
    /// Add to a set that is exposed.
    AddExposed breaks "FSRVP-3.1.4.4-11";
    /// Add to a set that is recovered.
    AddRecovered breaks "FSRVP-3.1.4.4-12";
    /// The mapping of a set that is not exposed yet.
    MappingCommitted breaks "FSRVP-3.1.4.11-10";
    /// The mapping of a set that is recovered.
    MappingRecovered breaks "FSRVP-3.1.4.11-11";
    /// Delete before Expose.
    DeleteCommitted breaks "FSRVP-3.1.4.12-07";

    // Missing checks of the arguments and the caller.
    /// A nil ClientShadowCopySetId is good enough.
    NilClientIdAccepted breaks "FSRVP-3.1.4.3-11";
    /// Every context is valid.
    AnyContextAccepted breaks "FSRVP-3.1.4.2-01" "FSRVP-3.1.4.2-02" "FSRVP-3.1.4.2-03" "FSRVP-3.1.4.2-09";
    /// Every level is 1.
    LevelIgnored breaks "FSRVP-3.1.4.11-01" "FSRVP-3.1.4.11-02" "FSRVP-3.1.4.11-03";
    /// Every RPC level is strong enough.
    WeakLevelsAccepted breaks "FSRVP-3.1.4-02" "FSRVP-3.1.4-03" "FSRVP-3.1.4-04";
    /// Everybody has backup rights.
    EverybodyPermitted breaks "FSRVP-3.1.4-11" "FSRVP-3.1.4-13";
    /// Another client may take the context.
    AddressIgnored breaks "FSRVP-3.1.4.2-13";
    /// An unknown id stands for the set in progress.
    OtherSetTaken breaks "FSRVP-3.1.4.5-01" "FSRVP-3.1.4.8-02" "FSRVP-3.1.4.13-01" "FSRVP-3.1.4.12-03";
    /// Start needs no SetContext.
    StartWithoutContext breaks "FSRVP-3.1.4.3-01" "FSRVP-3.1.4.7-08" "FSRVP-3.1.4.8-09";
    /// A second set beside one in progress.
    SecondSetAccepted breaks "FSRVP-3.1.4.3-05" "FSRVP-3.1.4.3-06";
    /// Two copies of one store in a set.
    SameStoreAccepted breaks "FSRVP-3.1.4.4-13" "FSRVP-3.1.4.4-14";
    /// Share names with capital letters name nothing.
    CaseSensitiveNames breaks "FSRVP-3.1.4.4-18" "FSRVP-3.1.4.11-16";
    /// Every set has the same id.
    SetIdReused breaks "FSRVP-3.1.4.3-04";
    /// Every copy has the same id.
    CopyIdReused breaks "FSRVP-3.1.4.4-15";

    // Wrong effects.
    /// Abort leaves the context set.
    AbortKeepsContext breaks "FSRVP-3.1.4.8-09";
    /// Abort leaves the set.
    AbortKeepsSet breaks "FSRVP-3.1.4.8-03" "FSRVP-3.1.4.8-04" "FSRVP-3.1.4.8-12";
    /// RecoveryComplete leaves the context set.
    RecoveryKeepsContext breaks "FSRVP-3.1.4.7-08";
    /// RecoveryComplete leaves the set Exposed.
    RecoveryLeavesExposed breaks "FSRVP-3.1.4.7-06" "FSRVP-3.1.4.11-11" "FSRVP-3.1.4.3-10";
    /// A repeated SetContext leaves the unfinished set.
    SetContextKeepsSet breaks "FSRVP-3.1.4.2-14";
    /// SetContext drops recovered sets as well.
    SetContextDropsRecovered breaks "FSRVP-3.1.4.2-15" "FSRVP-3.1.4.7-11";
    /// Delete leaves the mapping.
    DeleteKeepsMapping breaks "FSRVP-3.1.4.12-15" "FSRVP-3.1.4.12-14";
    /// A set without mappings stays.
    EmptySetStays breaks "FSRVP-3.1.4.12-14";
    /// Commit leaves the set Added.
    CommitLeavesAdded breaks "FSRVP-3.1.4.6-07" "FSRVP-3.1.4.5-03" "FSRVP-3.1.4.10-06";
    /// Expose leaves the set Committed.
    ExposeLeavesCommitted breaks "FSRVP-3.1.4.11-14" "FSRVP-3.1.4.7-07";

    // The Message Sequence Timer.
    /// A context ends too early.
    ContextTimerShort breaks "FSRVP-3.1.2-02" "FSRVP-3.1.4.2-12";
    /// A context ends too late.
    ContextTimerLong breaks "FSRVP-3.1.2-01";
    /// A Started set ends too early.
    StartTimerShort breaks "FSRVP-3.1.2-04";
    /// A Started set ends too late.
    StartTimerLong breaks "FSRVP-3.1.2-03";
    /// An Added set ends too early.
    AddTimerShort breaks "FSRVP-3.1.2-06";
    /// An Added set ends too late.
    AddTimerLong breaks "FSRVP-3.1.2-05";
    /// A store that is in the set already does not shorten the timer.
    ExistsTimerLong breaks "FSRVP-3.1.2-15";
    /// A prepared set ends too early.
    PrepareTimerShort breaks "FSRVP-3.1.2-08";
    /// A Committed set ends too early.
    CommitTimerShort breaks "FSRVP-3.1.2-10";
    /// A Committed set ends too late.
    CommitTimerLong breaks "FSRVP-3.1.2-09";
    /// An Exposed set ends too early.
    ExposeTimerShort breaks "FSRVP-3.1.2-12";
    /// An Exposed set ends too late.
    ExposeTimerLong breaks "FSRVP-3.1.2-11";
    /// A set whose mapping was read ends too early.
    MappingTimerShort breaks "FSRVP-3.1.2-14";
    /// A set whose mapping was read ends too late.
    MappingTimerLong breaks "FSRVP-3.1.2-13";
    /// Whatever is refused starts the timer again.
    RefusalsExtend breaks "FSRVP-3.1.2-03" "FSRVP-3.1.2-05" "FSRVP-3.1.2-09" "FSRVP-3.1.2-11" "FSRVP-3.1.2-16";
    /// What is answered at once and changes nothing starts the timer again.
    QueriesExtend breaks "FSRVP-3.1.2-03" "FSRVP-3.1.2-05" "FSRVP-3.1.2-09" "FSRVP-3.1.4.9-05";
    /// The timer ends the context and leaves the set.
    ExpiryKeepsSet breaks "FSRVP-3.1.2-03" "FSRVP-3.1.2-05" "FSRVP-3.1.2-09" "FSRVP-3.1.2-11";
    /// The timer ends the set and leaves the context.
    ExpiryKeepsContext breaks "FSRVP-3.1.5-02" "FSRVP-3.1.2-01";
    /// The timer takes the recovered sets along.
    ExpiryTakesRecovered breaks "FSRVP-3.1.5-04" "FSRVP-3.1.4.7-11";
    // What a restart or the end of a connection changes.
    /// After a restart a context is set.
    ContextOutlivesRestart breaks "FSRVP-3.1.3-01";
    /// SetContext drops a set, and a restart brings it back.
    DroppedSetReturns breaks "FSRVP-3.1.4-27";
    /// Delete removes a mapping, and a restart brings it back.
    DeletedMappingReturns breaks "FSRVP-3.1.4-33";
    /// Abort removes a set, and a restart brings it back.
    AbortedSetReturns breaks "FSRVP-3.1.4-34";
    /// The end of any connection releases what is Recovered.
    LostConnectionReleases breaks "FSRVP-2.2.2.1-06";
    /// SetContext may be repeated twice, not five times.
    RetryLimitLow breaks "FSRVP-2.2.2.2-01" "FSRVP-2.2.2.2-05" "FSRVP-2.2.2.2-09" "FSRVP-3.1.4.2-14";
}
