//! Who has rules, and what follows from one.

/// Whose rules they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// What MS-FSRVP demands and no more.
    Spec,
    /// As `Spec`; nothing further is documented of Windows Server.
    Windows,
    /// Samba, which asks its backend alone.
    Samba,
    /// NetApp's documents on Remote VSS, which tell automatic recovery from none.
    Ontap,
    /// The four conditions of NetApp's page on share-based backups, to the letter: they hold always.
    Seed,
    /// Hitachi NAS Platform.
    Hnas,
}

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 6] = [
        Profile::Spec,
        Profile::Windows,
        Profile::Samba,
        Profile::Ontap,
        Profile::Seed,
        Profile::Hnas,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Profile::Spec => "spec",
            Profile::Windows => "windows",
            Profile::Samba => "samba",
            Profile::Ontap => "ontap",
            Profile::Seed => "seed",
            Profile::Hnas => "hnas",
        }
    }

    /// The profile of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|one| one.name() == name)
    }

    /// How deep a file may lie where nobody says; 0 is no limit.
    #[must_use]
    pub fn default_depth(self) -> u32 {
        match self {
            Profile::Ontap | Profile::Seed => 5,
            Profile::Spec | Profile::Windows | Profile::Samba | Profile::Hnas => 0,
        }
    }
}

/// Whether the shadow copy is made writable for its application to repair it
/// (MS-FSRVP 2.2.2.2, ATTR_AUTO_RECOVERY).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recovery {
    /// With automatic recovery.
    Auto,
    /// Without.
    None,
}

impl Recovery {
    /// Both.
    pub const ALL: [Recovery; 2] = [Recovery::Auto, Recovery::None];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Recovery::Auto => "auto",
            Recovery::None => "none",
        }
    }
}

/// What follows where an entry breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The profile says nothing.
    Unspoken,
    /// The shadow copy is made all the same, with everything in it.
    Accepted,
    /// It is made, and the entry is better not there.
    Warned,
    /// It is made, and the entry leads nowhere in it.
    Dangling,
    /// No shadow copy of the set is made.
    Refused,
}
