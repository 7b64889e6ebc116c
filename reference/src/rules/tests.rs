//! Each rule with a tree that breaks it alone and a neighbour that just keeps it.

use super::*;
use std::collections::BTreeSet;

const LIMITS: Limits = Limits {
    depth_max: 5,
    examples_max: 3,
};

/// What lies in a root that breaks no rule.
fn machine() -> Vec<Entry> {
    vec![dir("vm"), file("vm/disk.vhdx")]
}

fn dir(path: &str) -> Entry {
    Entry::new(path, Kind::Directory)
}

fn file(path: &str) -> Entry {
    Entry::new(path, Kind::File { links: 1 })
}

fn linked(path: &str, links: u64, inode: u64) -> Entry {
    Entry {
        id: Some((1, inode)),
        ..Entry::new(path, Kind::File { links })
    }
}

fn of_kind(kind: Kind) -> Vec<Entry> {
    vec![Entry::new("vm/x.vhdx", kind)]
}

fn junction(junction: Junction) -> Vec<Entry> {
    vec![Entry {
        junction: Some(junction),
        ..dir("vm/x")
    }]
}

fn reparse(reparse: Reparse) -> Vec<Entry> {
    vec![Entry {
        reparse,
        ..file("vm/x.vhdx")
    }]
}

/// A directory at each level down to `depth`, the last of which would hold entries of depth + 1.
fn chain(depth: usize) -> (Vec<Entry>, String) {
    let mut path = "vm".to_owned();
    let mut entries = Vec::new();
    for _ in 0..depth {
        path += "/d";
        entries.push(dir(&path));
    }
    (entries, path)
}

fn deep_file(depth: usize) -> Vec<Entry> {
    let (mut entries, path) = chain(depth - 1);
    entries.push(file(&format!("{path}/x.vhdx")));
    entries
}

fn files(count: usize) -> Vec<Entry> {
    (0..count).map(|n| file(&format!("vm/{n}.vhdx"))).collect()
}

/// What breaks each rule, and what lies beside it and does not.
fn pairs() -> Vec<(&'static str, Vec<Entry>, Vec<Entry>)> {
    let plain = || vec![dir("vm/x")];
    let a_file = || vec![file("vm/x.vhdx")];
    let link = |link| of_kind(Kind::Symlink(link));
    let tag = |tag| reparse(Reparse::Tag(ReparseTag(tag)));
    vec![
        ("DIR-JCT-01", junction(Junction::Mount), plain()),
        ("DIR-JCT-02", junction(Junction::Bind), plain()),
        ("DIR-JCT-03", junction(Junction::Loop), plain()),
        ("DIR-JCT-04", junction(Junction::Subvolume), plain()),
        ("DIR-JCT-06", junction(Junction::Dataset), plain()),
        ("DIR-JCT-07", junction(Junction::Automount), plain()),
        ("DIR-JCT-08", tag(0xA000_0003), reparse(Reparse::None)),
        ("DIR-JCT-09", junction(Junction::Over), plain()),
        ("DIR-REG-01", link(Link::File), a_file()),
        ("DIR-REG-02", link(Link::Directory), plain()),
        ("DIR-REG-03", link(Link::Nothing), a_file()),
        ("DIR-REG-04", link(Link::Absolute), a_file()),
        ("DIR-REG-05", link(Link::Outside), a_file()),
        ("DIR-REG-06", link(Link::Loop), a_file()),
        ("DIR-REG-07", link(Link::Dfs), a_file()),
        (
            "DIR-REG-08",
            vec![linked("vm/x.vhdx", 2, 7), linked("vm/y.vhdx", 2, 7)],
            vec![linked("vm/x.vhdx", 1, 7), linked("vm/y.vhdx", 1, 8)],
        ),
        (
            "DIR-REG-09",
            vec![linked("vm/x.vhdx", 2, 7)],
            vec![linked("vm/x.vhdx", 1, 7)],
        ),
        ("DIR-REG-10", of_kind(Kind::Fifo), a_file()),
        ("DIR-REG-11", of_kind(Kind::Socket), a_file()),
        ("DIR-REG-12", of_kind(Kind::CharacterDevice), a_file()),
        ("DIR-REG-13", of_kind(Kind::BlockDevice), a_file()),
        ("DIR-REG-14", tag(0xA000_000C), reparse(Reparse::None)),
        ("DIR-REG-15", tag(0x8000_0013), reparse(Reparse::None)),
        (
            "DIR-REG-16",
            reparse(Reparse::Inconsistent),
            reparse(Reparse::None),
        ),
        ("DIR-REG-17", of_kind(Kind::Unreadable), plain()),
        ("DIR-REG-18", of_kind(Kind::Vanished), a_file()),
        ("DIR-REG-59", files(9_999), files(9_998)),
        ("DIR-DEP-01", deep_file(6), deep_file(5)),
        ("DIR-DEP-04", chain(6).0, chain(5).0),
        (
            "DIR-ROOT-01",
            vec![file("readme.txt")],
            vec![file("Thumbs.db"), file("disk.vhdx")],
        ),
        (
            "DIR-ROOT-02",
            vec![dir("backup"), file("backup/x.txt")],
            vec![
                dir("lost+found"),
                file("lost+found/x.txt"),
                dir("Snapshots"),
            ],
        ),
        (
            "DIR-ROOT-03",
            vec![file("vm/notes.txt")],
            vec![file("vm/notes.vsv")],
        ),
        (
            "DIR-ROOT-06",
            vec![file("base.MDF")],
            vec![file("base.vhdx")],
        ),
    ]
}

fn survey(entries: &[Entry], limits: Limits) -> Vec<Finding> {
    let mut survey = Survey::new(limits);
    entries.iter().for_each(|entry| survey.look(entry));
    survey.finish().0
}

fn broken(more: Vec<Entry>) -> Vec<&'static str> {
    let mut entries = machine();
    entries.extend(more);
    let found = survey(&entries, LIMITS);
    found.iter().map(|finding| finding.rule.id.0).collect()
}

#[test]
fn each_rule_is_broken_alone_and_kept_beside_it() {
    let mut tried = BTreeSet::new();
    for (id, breaks, keeps) in pairs() {
        assert_eq!(broken(breaks), [id]);
        assert_eq!(broken(keeps), [""; 0], "{id}");
        tried.insert(id);
    }
    // What the root is, and that it holds nothing, is told beside the entries.
    tried.extend(["DIR-SHR-01", "DIR-SHR-02", "DIR-SHR-03"]);
    let all: BTreeSet<_> = RULES.iter().map(|rule| rule.id.0).collect();
    assert_eq!(tried, all);
}

#[test]
fn the_root_is_looked_at_by_itself() {
    let of_root = |is_file_system_root, is_link, entries: &[Entry]| {
        let mut survey = Survey::new(LIMITS);
        survey.look_at_root(is_file_system_root, is_link);
        entries.iter().for_each(|entry| survey.look(entry));
        let found = survey.finish().0;
        found
            .iter()
            .map(|finding| finding.rule.id.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_root(true, false, &machine()), ["DIR-SHR-01"]);
    assert_eq!(of_root(false, true, &machine()), ["DIR-SHR-03"]);
    assert_eq!(of_root(false, false, &[]), ["DIR-SHR-02"]);
    assert_eq!(of_root(false, false, &[dir("Snapshots")]), [""; 0]);
}

#[test]
fn depth_is_counted_from_the_root_of_the_share() {
    for (depth_max, deepest, is_broken) in [
        (5, 0, false),
        (5, 1, false),
        (5, 4, false),
        (5, 5, false),
        (5, 6, true),
        (1, 1, false),
        (1, 2, true),
        (6, 6, false),
        (6, 7, true),
        (0, 30, false),
    ] {
        let limits = Limits {
            depth_max,
            ..LIMITS
        };
        let entries = match deepest {
            0 => vec![file("x.vhdx")],
            depth => [vec![dir("vm")], deep_file(depth)].concat(),
        };
        let found = survey(&entries, limits);
        let ids: Vec<_> = found.iter().map(|finding| finding.rule.id.0).collect();
        let wanted: &[&str] = if is_broken { &["DIR-DEP-01"] } else { &[] };
        assert_eq!(ids, wanted, "limit {depth_max}, file at {deepest}");
    }
}

#[test]
fn a_deep_directory_counts_once_and_only_without_files() {
    // Three levels too deep, and a file at the bottom of them: the file is what is told.
    let (mut entries, path) = chain(8);
    entries.push(file(&format!("{path}/x.vhdx")));
    assert_eq!(broken(entries), ["DIR-DEP-01"]);
    let found = survey(&[machine(), chain(8).0].concat(), LIMITS);
    let [finding] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((finding.rule.id.0, finding.count), ("DIR-DEP-04", 1));
    // Two of them beside each other, one with a file.
    let (mut entries, path) = chain(5);
    entries.extend([
        dir(&format!("{path}/a")),
        dir(&format!("{path}/b")),
        file(&format!("{path}/b/x.vhdx")),
    ]);
    assert_eq!(broken(entries), ["DIR-DEP-01", "DIR-DEP-04"]);
}

#[test]
fn every_entry_counts_and_the_first_ones_are_named() {
    let many: Vec<Entry> = (0..50)
        .map(|n| Entry::new(format!("vm/{n}"), Kind::Fifo))
        .collect();
    let found = survey(&[machine(), many].concat(), LIMITS);
    let [finding] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((finding.count, finding.examples.len()), (50, 3));
    let foreign: Vec<Entry> = (0..50).map(|n| file(&format!("vm/{n}.txt"))).collect();
    let found = survey(&[machine(), foreign].concat(), LIMITS);
    let [finding] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((finding.rule.id.0, finding.count), ("DIR-ROOT-03", 50));
    assert_eq!(finding.examples.len(), 3);
}
