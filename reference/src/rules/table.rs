//! The rules, one row each.

use super::entry::{Entry, Junction, Kind, Link, Reparse, ReparseTag};
use super::names::{is_ignored, is_vm_file};
use super::profile::Outcome::{
    Accepted as A, Dangling as D, Refused as R, Unspoken as U, Warned as W,
};
use super::profile::{Outcome, Profile, Recovery};
use std::fmt;

/// The id of a rule, such as `DIR-JCT-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub &'static str);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What breaks a rule.
#[derive(Clone, Copy)]
pub(super) enum Test {
    /// An entry by itself.
    Entry(fn(&Entry) -> bool),
    /// A file with several names, all of which are in the tree.
    LinkedInside,
    /// A file with more names than the tree has.
    LinkedOutside,
    /// A file that lies deeper than the limit.
    TooDeep,
    /// A directory deeper than the limit with no file in it.
    DeepDirectory,
    /// A directory of the root with nothing of a virtual machine in it.
    ForeignDirectory,
    /// A file beside those of a virtual machine.
    ForeignBesideMachine,
    /// So many files that a vendor advises against it.
    Crowd,
    /// A tree without anything.
    Nothing,
    /// The root of the share is the root of its file system.
    FileSystemRoot,
    /// The root of the share is a symbolic link.
    LinkedRoot,
}

/// A rule.
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// What breaks it, in a few words.
    pub title: &'static str,
    /// What it means for a shadow copy.
    pub means: &'static str,
    /// What an administrator does about it.
    pub remedy: &'static str,
    /// Who says so.
    pub source: &'static str,
    pub(super) test: Test,
    outcomes: Outcomes,
}

impl Rule {
    /// What follows from it.
    #[must_use]
    pub fn outcome(&self, profile: Profile, recovery: Recovery) -> Outcome {
        let outcomes = &self.outcomes;
        match (profile, recovery) {
            (Profile::Spec | Profile::Windows, _) => outcomes.spec,
            (Profile::Samba, _) => U,
            (Profile::Ontap, Recovery::Auto) => outcomes.ontap_auto,
            (Profile::Ontap, Recovery::None) => outcomes.ontap_none,
            (Profile::Seed, _) => outcomes.seed,
            (Profile::Hnas, _) => outcomes.hnas,
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.id.0).finish()
    }
}

struct Outcomes {
    spec: Outcome,
    ontap_auto: Outcome,
    ontap_none: Outcome,
    seed: Outcome,
    hnas: Outcome,
}

const fn outcomes(spec: Outcome, ontap: [Outcome; 2], seed: Outcome, hnas: Outcome) -> Outcomes {
    let [ontap_auto, ontap_none] = ontap;
    Outcomes {
        spec,
        ontap_auto,
        ontap_none,
        seed,
        hnas,
    }
}

/// Of junctions: everybody refuses them, but that without automatic recovery ONTAP has them lead nowhere.
const JUNCTION: Outcomes = outcomes(R, [R, D], R, R);
/// Of what a copy by cloned files cannot have.
const IRREGULAR: Outcomes = outcomes(U, [R, A], R, R);
/// Of what cannot be told for certain.
const UNCERTAIN: Outcomes = outcomes(U, [R, R], R, R);

const NETAPP: &str = "NetApp, Remote VSS considerations for SMB";
const SPEC_AND_NETAPP: &str =
    "MS-FSRVP 3.1.4.9 and 3.1.4.4 (mount points); NetApp, Remote VSS considerations for SMB";
const DECIDED: &str = "no source; decided here, since what cannot be seen cannot be vouched for";
const HITACHI: &str = "Hitachi NAS Platform Snapshot Administration Guide (MK-92HNAS011)";
const SHARE_BACKUP: &str = "NetApp, share backups with Remote VSS, the four conditions";
const SHARE_BACKUP_DEPTH: &str =
    "NetApp, share backups with Remote VSS; shadow copy directory depth, 5 where nobody says";

const LIVE_DATA: &str =
    "the copy ends there: what lies behind it is not frozen and not in the backup";
const NOT_CLONED: &str = "whoever makes the copy file by file cannot copy it";

const MOVE_OUT: &str = "move it out of the share, or share what lies behind it by itself";
const REPLACE_LINK: &str = "put the file itself there, or move the link out of the share";

const fn junction(id: &'static str, title: &'static str, test: fn(&Entry) -> bool) -> Rule {
    Rule {
        id: RuleId(id),
        title,
        means: LIVE_DATA,
        remedy: MOVE_OUT,
        source: SPEC_AND_NETAPP,
        test: Test::Entry(test),
        outcomes: JUNCTION,
    }
}

const fn irregular(
    id: &'static str,
    title: &'static str,
    remedy: &'static str,
    test: Test,
) -> Rule {
    Rule {
        id: RuleId(id),
        title,
        means: NOT_CLONED,
        remedy,
        source: NETAPP,
        test,
        outcomes: IRREGULAR,
    }
}

const fn link(id: &'static str, title: &'static str, test: fn(&Entry) -> bool) -> Rule {
    irregular(id, title, REPLACE_LINK, Test::Entry(test))
}

fn leads(entry: &Entry, to: Link) -> bool {
    entry.kind == Kind::Symlink(to)
}

fn has_tag(entry: &Entry, is_it: fn(ReparseTag) -> bool) -> bool {
    matches!(entry.reparse, Reparse::Tag(tag) if is_it(tag))
}

fn lies_in_root(entry: &Entry) -> bool {
    entry.depth() == 0 && !entry.path.file_name().is_some_and(is_ignored)
}

fn is_database(entry: &Entry) -> bool {
    let extension = entry.path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| e == "mdf" || e == "ldf" || e == "ndf")
}

fn is_foreign_file(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::File { .. }) && !is_vm_file(&entry.path)
}

/// Every rule, by families: junctions, irregular entries, depth, content of the root, the share.
pub const RULES: &[Rule] = &[
    junction("DIR-JCT-01", "another file system is mounted there", |e| {
        e.junction == Some(Junction::Mount)
    }),
    junction(
        "DIR-JCT-02",
        "a directory of the same file system is mounted there",
        |e| e.junction == Some(Junction::Bind),
    ),
    junction(
        "DIR-JCT-03",
        "a directory that it lies in is mounted there",
        |e| e.junction == Some(Junction::Loop),
    ),
    junction("DIR-JCT-04", "a subvolume of btrfs", |e| {
        e.junction == Some(Junction::Subvolume)
    }),
    junction("DIR-JCT-06", "a dataset of ZFS", |e| {
        e.junction == Some(Junction::Dataset)
    }),
    junction(
        "DIR-JCT-07",
        "something is mounted there as soon as it is used",
        |e| e.junction == Some(Junction::Automount),
    ),
    Rule {
        outcomes: outcomes(U, [R, D], R, R),
        ..junction("DIR-JCT-08", "a junction kept by a file server", |e| {
            has_tag(e, |tag| tag == ReparseTag::MOUNT_POINT)
        })
    },
    junction(
        "DIR-JCT-09",
        "something of another file system lies over it",
        |e| e.junction == Some(Junction::Over),
    ),
    link("DIR-REG-01", "a symbolic link to a file", |e| {
        leads(e, Link::File)
    }),
    link("DIR-REG-02", "a symbolic link to a directory", |e| {
        leads(e, Link::Directory)
    }),
    link("DIR-REG-03", "a symbolic link to nothing", |e| {
        leads(e, Link::Nothing)
    }),
    Rule {
        means: "in the copy it leads to live data",
        ..link("DIR-REG-04", "a symbolic link with an absolute path", |e| {
            leads(e, Link::Absolute)
        })
    },
    Rule {
        means: "in the copy it leads to live data",
        ..link("DIR-REG-05", "a symbolic link out of the share", |e| {
            leads(e, Link::Outside)
        })
    },
    link("DIR-REG-06", "a symbolic link that leads to itself", |e| {
        leads(e, Link::Loop)
    }),
    link("DIR-REG-07", "a link to another server", |e| {
        leads(e, Link::Dfs)
    }),
    irregular(
        "DIR-REG-08",
        "a file with several names in the share",
        "keep one of the names, or a copy under each",
        Test::LinkedInside,
    ),
    irregular(
        "DIR-REG-09",
        "a file with another name outside of the share",
        "keep one of the names, or a copy under each",
        Test::LinkedOutside,
    ),
    irregular(
        "DIR-REG-10",
        "a named pipe",
        MOVE_OUT_IRREGULAR,
        Test::Entry(|e| e.kind == Kind::Fifo),
    ),
    irregular(
        "DIR-REG-11",
        "a socket",
        MOVE_OUT_IRREGULAR,
        Test::Entry(|e| e.kind == Kind::Socket),
    ),
    irregular(
        "DIR-REG-12",
        "a character device",
        MOVE_OUT_IRREGULAR,
        Test::Entry(|e| e.kind == Kind::CharacterDevice),
    ),
    irregular(
        "DIR-REG-13",
        "a block device",
        MOVE_OUT_IRREGULAR,
        Test::Entry(|e| e.kind == Kind::BlockDevice),
    ),
    irregular(
        "DIR-REG-14",
        "a symbolic link kept by a file server",
        REPLACE_LINK,
        Test::Entry(|e| has_tag(e, |tag| tag == ReparseTag::SYMLINK)),
    ),
    irregular(
        "DIR-REG-15",
        "a reparse point of another kind",
        "let the program that made it take it back",
        Test::Entry(|e| {
            has_tag(e, |tag| {
                tag != ReparseTag::SYMLINK && tag != ReparseTag::MOUNT_POINT
            })
        }),
    ),
    Rule {
        source: DECIDED,
        outcomes: UNCERTAIN,
        means: "nobody can tell what it is",
        ..irregular(
            "DIR-REG-16",
            "half of a reparse point: its attribute or its data is missing",
            "delete it over SMB, or take away user.SmbReparse and the attribute",
            Test::Entry(|e| e.reparse == Reparse::Inconsistent),
        )
    },
    Rule {
        source: DECIDED,
        outcomes: UNCERTAIN,
        means: "nobody can tell what lies in it",
        ..irregular(
            "DIR-REG-17",
            "a directory that cannot be read",
            "let whoever makes the shadow copy read it",
            Test::Entry(|e| e.kind == Kind::Unreadable),
        )
    },
    Rule {
        source: DECIDED,
        outcomes: UNCERTAIN,
        means: "the tree changes while it is looked at",
        ..irregular(
            "DIR-REG-18",
            "an entry that went while it was looked at",
            "look again when nobody writes",
            Test::Entry(|e| e.kind == Kind::Vanished),
        )
    },
    Rule {
        id: RuleId("DIR-DEP-01"),
        title: "a file deeper than the limit",
        means: "the copy is refused, or ends above it without a word",
        remedy: "move it up, or raise the shadow copy directory depth of the server",
        source: SHARE_BACKUP_DEPTH,
        test: Test::TooDeep,
        outcomes: outcomes(A, [R, A], R, U),
    },
    Rule {
        id: RuleId("DIR-DEP-04"),
        title: "a directory deeper than the limit, with no file in it",
        means: "it may not be in the copy",
        remedy: "remove it where nobody needs it",
        source: DECIDED_DEPTH,
        test: Test::DeepDirectory,
        outcomes: outcomes(A, [W, W], W, U),
    },
    Rule {
        id: RuleId("DIR-ROOT-01"),
        title: "a file in the root that is no file of a virtual machine",
        means: "the root is to hold files and directories of virtual machines alone",
        remedy: "move it to a share of its own",
        source: SHARE_BACKUP,
        test: Test::Entry(|e| lies_in_root(e) && is_foreign_file(e) && !is_database(e)),
        outcomes: outcomes(U, [W, W], R, U),
    },
    Rule {
        id: RuleId("DIR-ROOT-02"),
        title: "a directory in the root with nothing of a virtual machine in it",
        means: "the root is to hold files and directories of virtual machines alone",
        remedy: "move it to a share of its own",
        source: SHARE_BACKUP,
        test: Test::ForeignDirectory,
        outcomes: outcomes(U, [W, W], R, U),
    },
    Rule {
        id: RuleId("DIR-ROOT-03"),
        title: "a file beside those of a virtual machine that is none of them",
        means: "it goes into the copy with the machine",
        remedy: "move it where nobody takes it for a part of the machine",
        source: SHARE_BACKUP,
        test: Test::ForeignBesideMachine,
        outcomes: outcomes(U, [W, W], W, U),
    },
    Rule {
        id: RuleId("DIR-ROOT-06"),
        title: "a database file in the root",
        means: "the root is to hold files and directories of virtual machines alone",
        remedy: "keep databases on a share of their own",
        source: SHARE_BACKUP,
        test: Test::Entry(|e| lies_in_root(e) && is_foreign_file(e) && is_database(e)),
        outcomes: outcomes(U, [W, W], R, U),
    },
    Rule {
        id: RuleId("DIR-SHR-01"),
        title: "the share is the root of its file system",
        means: "a copy by cloned files needs a place beside the share",
        remedy: "share a directory below it",
        source: HITACHI,
        test: Test::FileSystemRoot,
        outcomes: outcomes(A, [A, A], A, R),
    },
    Rule {
        id: RuleId("DIR-SHR-02"),
        title: "the share holds nothing",
        means: "there is nothing to be copied",
        remedy: "put a file or a directory into it",
        source: HITACHI,
        test: Test::Nothing,
        outcomes: outcomes(A, [A, A], A, R),
    },
    Rule {
        id: RuleId("DIR-SHR-03"),
        title: "the root of the share is a symbolic link",
        means: "what is shared may change between the check and the copy",
        remedy: "share the directory that it leads to",
        source: DECIDED,
        test: Test::LinkedRoot,
        outcomes: outcomes(U, [R, R], R, U),
    },
    Rule {
        id: RuleId("DIR-REG-59"),
        title: "10,000 files or more",
        means: "a copy by cloned files may take longer than a client waits",
        remedy: "spread them over several shares",
        source: HITACHI,
        test: Test::Crowd,
        outcomes: outcomes(A, [A, A], A, W),
    },
];

const MOVE_OUT_IRREGULAR: &str = "move it out of the share";
const DECIDED_DEPTH: &str = "no source; decided here from the words on files deeper than the limit";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_an_id_of_its_own_and_says_everything() {
        let ids: BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len());
        for rule in RULES {
            assert!(rule.id.0.starts_with("DIR-"));
            for text in [rule.title, rule.means, rule.remedy, rule.source] {
                assert!(!text.is_empty(), "{}", rule.id);
            }
        }
    }

    #[test]
    fn the_outcomes_are_those_of_the_documents() {
        let outcome = |id: &str, profile, recovery| {
            let rule = RULES.iter().find(|rule| rule.id.0 == id).expect(id);
            rule.outcome(profile, recovery)
        };
        use Recovery::{Auto, None};
        // A junction is refused by everybody, and leads nowhere where ONTAP makes no recovery.
        for profile in [
            Profile::Spec,
            Profile::Windows,
            Profile::Seed,
            Profile::Hnas,
        ] {
            assert_eq!(outcome("DIR-JCT-04", profile, None), R);
        }
        assert_eq!(outcome("DIR-JCT-04", Profile::Ontap, Auto), R);
        assert_eq!(outcome("DIR-JCT-04", Profile::Ontap, None), D);
        assert_eq!(outcome("DIR-JCT-04", Profile::Samba, Auto), U);
        // Links and irregular files are nobody's business but of those who copy file by file.
        assert_eq!(outcome("DIR-REG-05", Profile::Spec, Auto), U);
        assert_eq!(outcome("DIR-REG-05", Profile::Ontap, Auto), R);
        assert_eq!(outcome("DIR-REG-05", Profile::Ontap, None), A);
        assert_eq!(outcome("DIR-REG-05", Profile::Seed, None), R);
        assert_eq!(outcome("DIR-DEP-01", Profile::Ontap, None), A);
        assert_eq!(outcome("DIR-DEP-01", Profile::Seed, None), R);
        assert_eq!(outcome("DIR-ROOT-01", Profile::Ontap, Auto), W);
        assert_eq!(outcome("DIR-SHR-01", Profile::Hnas, Auto), R);
        assert_eq!(outcome("DIR-SHR-01", Profile::Spec, Auto), A);
    }
}
