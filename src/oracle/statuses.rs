//! Which statuses a shadow copy set may have, as far as the traffic tells.

use std::fmt;

/// MS-FSRVP 3.1.1.2: one status of a set, or that the server has no such set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    /// The server has no set of this id.
    Absent = 1,
    /// StartShadowCopySet made it.
    Started = 2,
    /// It has a shadow copy.
    Added = 4,
    /// A commit was begun and is not done.
    CreationInProgress = 8,
    /// The shadow copies were made.
    Committed = 16,
    /// They were exposed as shares.
    Exposed = 32,
    /// Recovery is complete.
    Recovered = 64,
}

impl Status {
    /// All of them, in the order of a set's life.
    pub(super) const ALL: [Status; 7] = [
        Status::Absent,
        Status::Started,
        Status::Added,
        Status::CreationInProgress,
        Status::Committed,
        Status::Exposed,
        Status::Recovered,
    ];

    /// The specification's word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Absent => "unknown to the server",
            Status::Started => "Started",
            Status::Added => "Added",
            Status::CreationInProgress => "CreationInProgress",
            Status::Committed => "Committed",
            Status::Exposed => "Exposed",
            Status::Recovered => "Recovered",
        }
    }
}

/// The statuses that a set may have; exactly one where it is certain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Statuses(u8);

impl Statuses {
    /// Nothing is known.
    pub(super) const ANY: Statuses = Statuses(127);
    /// Every status of a set that the server has.
    pub(super) const ALIVE: Statuses = Statuses(126);
    /// Every status of a set whose making is not finished.
    pub(super) const UNFINISHED: Statuses = Statuses(2 | 4 | 8 | 16 | 32);
    /// The statuses in which a copy of the set is in the store.
    pub(super) const PRESENT: Statuses = Statuses(16 | 32 | 64);

    pub(super) const fn only(status: Status) -> Statuses {
        #[expect(clippy::as_conversions, reason = "the discriminants are the bits")]
        Statuses(status as u8)
    }

    pub(super) fn has(self, status: Status) -> bool {
        self.meets(Statuses::only(status))
    }

    pub(super) fn or(self, other: Statuses) -> Statuses {
        Statuses(self.0 | other.0)
    }

    pub(super) fn and(self, other: Statuses) -> Statuses {
        Statuses(self.0 & other.0)
    }

    pub(super) fn without(self, other: Statuses) -> Statuses {
        Statuses(self.0 & !other.0)
    }

    pub(super) fn meets(self, other: Statuses) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every status here is one of `other`, and there is any.
    pub(super) fn within(self, other: Statuses) -> bool {
        self.0 != 0 && self.0 & !other.0 == 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The status, where it is certain.
    pub(super) fn certain(self) -> Option<Status> {
        Status::ALL
            .into_iter()
            .find(|status| self == Statuses::only(*status))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Status> {
        Status::ALL
            .into_iter()
            .filter(move |status| self.has(*status))
    }
}

impl FromIterator<Status> for Statuses {
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> Self {
        let none = Statuses(0);
        statuses
            .into_iter()
            .fold(none, |all, status| all.or(Statuses::only(status)))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Statuses::ANY {
            return f.write_str("in a state that was not seen");
        }
        let names: Vec<&str> = self.iter().map(Status::name).collect();
        f.write_str(&names.join(" or "))
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
