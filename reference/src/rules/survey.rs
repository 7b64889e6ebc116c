//! Looks at the entries of a tree, one by one, and says at the end which rules they break.

use super::entry::{Entry, Kind};
use super::names::{is_ignored, is_vm_directory, is_vm_file};
use super::table::{RULES, Rule, Test};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Of so many files with several names it is told where those names are.
const LINKED_MAX: usize = 1 << 16;
/// So many files are a crowd.
const CROWD: u64 = 10_000;

/// What a survey is to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How deep a file may lie; 0 is no limit.
    pub depth_max: u32,
    /// How many entries are named of each rule; all are counted.
    pub examples_max: usize,
}

/// An entry that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its path below the root; empty for the root itself.
    pub path: PathBuf,
    /// More of it, in a few words.
    pub what: String,
}

/// A rule that is broken.
#[derive(Debug)]
pub struct Finding {
    /// Which one.
    pub rule: &'static Rule,
    /// How often.
    pub count: u64,
    /// The first entries that break it, in the order in which they were met.
    pub examples: Vec<Example>,
}

/// What a tree adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Directories, the root left out.
    pub directories: u64,
    /// Everything else.
    pub others: u64,
    /// The depth of the deepest entry that is no directory.
    pub depth: usize,
}

/// A file with several names.
struct Linked {
    names: u64,
    seen: u64,
    first: PathBuf,
}

/// A directory of the root.
#[derive(Default)]
struct Top {
    machine_files: u64,
    foreign: u64,
    examples: Vec<PathBuf>,
}

/// A survey that is under way.
pub struct Survey {
    limits: Limits,
    /// By the place of the rule in the table.
    found: HashMap<usize, (u64, Vec<Example>)>,
    totals: Totals,
    linked: HashMap<(u64, u64), Linked>,
    tops: Vec<(OsString, Top)>,
    /// The topmost directory beyond the limit that is being walked, and whether a file is in it.
    deep: Option<(PathBuf, bool)>,
}

impl Survey {
    /// A survey of nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Survey {
        Survey {
            limits,
            found: HashMap::new(),
            totals: Totals::default(),
            linked: HashMap::new(),
            tops: Vec::new(),
            deep: None,
        }
    }

    /// Looks at the root of the share.
    pub fn look_at_root(&mut self, is_file_system_root: bool, is_link: bool) {
        let root = || Example {
            path: PathBuf::new(),
            what: String::new(),
        };
        if is_file_system_root {
            self.find(|test| matches!(test, Test::FileSystemRoot), root);
        }
        if is_link {
            self.find(|test| matches!(test, Test::LinkedRoot), root);
        }
    }

    /// Looks at an entry. All entries of a directory come before anything that is in none or in another one.
    pub fn look(&mut self, entry: &Entry) {
        let example = || Example {
            path: entry.path.clone(),
            what: String::new(),
        };
        for (place, rule) in RULES.iter().enumerate() {
            if matches!(rule.test, Test::Entry(test) if test(entry)) {
                self.add(place, example());
            }
        }
        let is_directory = matches!(entry.kind, Kind::Directory | Kind::Unreadable);
        self.look_at_depth(entry, is_directory);
        self.look_at_top(entry, is_directory);
        if let (Kind::File { links: links @ 2.. }, Some(id)) = (&entry.kind, entry.id) {
            self.look_at_links(entry, *links, id);
        }
        match is_directory {
            true => self.totals.directories += 1,
            false => {
                self.totals.others += 1;
                self.totals.depth = self.totals.depth.max(entry.depth());
            }
        }
    }

    fn look_at_depth(&mut self, entry: &Entry, is_directory: bool) {
        let limit = usize::try_from(self.limits.depth_max).unwrap_or(usize::MAX);
        if limit == 0 {
            return;
        }
        let is_below = |(top, _): &(PathBuf, bool)| entry.path.starts_with(top);
        if !self.deep.as_ref().is_some_and(is_below) {
            self.end_of_deep();
        }
        let depth = entry.depth();
        if depth <= limit {
            return;
        }
        if is_directory {
            self.deep.get_or_insert_with(|| (entry.path.clone(), false));
            return;
        }
        if let Some((_, has_file)) = &mut self.deep {
            *has_file = true;
        }
        let what = format!("depth {depth}, the limit is {limit}");
        let path = entry.path.clone();
        self.find(
            |test| matches!(test, Test::TooDeep),
            || Example { path, what },
        );
    }

    fn end_of_deep(&mut self) {
        if let Some((path, false)) = self.deep.take() {
            let what = String::new();
            self.find(
                |test| matches!(test, Test::DeepDirectory),
                || Example { path, what },
            );
        }
    }

    fn look_at_top(&mut self, entry: &Entry, is_directory: bool) {
        let name = entry.top().as_os_str();
        if is_ignored(name) {
            return;
        }
        if entry.depth() == 0 {
            if is_directory {
                self.tops.push((name.to_owned(), Top::default()));
            }
            return;
        }
        // Directories come whole, so that it is the last one or an older one that was looked at again.
        let top = self.tops.iter_mut().rev().find(|(top, _)| top == name);
        let (Some((_, top)), false) = (top, is_directory) else {
            return;
        };
        match (is_vm_file(&entry.path), &entry.kind) {
            (true, _) => top.machine_files += 1,
            // What is no regular file breaks other rules.
            (false, kind) if !matches!(kind, Kind::File { .. }) => {}
            (false, _) => {
                top.foreign += 1;
                if top.examples.len() < self.limits.examples_max {
                    top.examples.push(entry.path.clone());
                }
            }
        }
    }

    fn look_at_links(&mut self, entry: &Entry, names: u64, id: (u64, u64)) {
        if let Some(linked) = self.linked.get_mut(&id) {
            linked.seen += 1;
        } else if self.linked.len() < LINKED_MAX {
            let first = entry.path.clone();
            self.linked.insert(
                id,
                Linked {
                    names,
                    seen: 1,
                    first,
                },
            );
        } else {
            let path = entry.path.clone();
            let what = format!("{names} names; too many such files to tell where");
            self.find(
                |test| matches!(test, Test::LinkedOutside),
                || Example { path, what },
            );
        }
    }

    /// What was found, in the order of the table, and what the tree adds up to.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Finding>, Totals) {
        self.end_of_deep();
        self.end_of_links();
        self.end_of_tops();
        let files = self.totals.others;
        let root = |what: String| Example {
            path: PathBuf::new(),
            what,
        };
        if files >= CROWD {
            self.find(
                |test| matches!(test, Test::Crowd),
                || root(format!("{files} files")),
            );
        }
        if files == 0 && self.totals.directories == 0 {
            self.find(|test| matches!(test, Test::Nothing), || root(String::new()));
        }
        let mut found: Vec<_> = self.found.into_iter().collect();
        found.sort_by_key(|(place, _)| *place);
        let finding = |(place, (count, examples)): (usize, (u64, Vec<Example>))| {
            let rule = RULES.get(place)?;
            Some(Finding {
                rule,
                count,
                examples,
            })
        };
        (found.into_iter().filter_map(finding).collect(), self.totals)
    }

    fn end_of_links(&mut self) {
        let mut linked: Vec<_> = std::mem::take(&mut self.linked).into_values().collect();
        linked.sort_by(|a, b| a.first.cmp(&b.first));
        for Linked { names, seen, first } in linked {
            let is_inside = seen >= names;
            let what = match is_inside {
                true => format!("{names} names"),
                false => format!("{names} names, {seen} of them here"),
            };
            let test = |test: Test| match is_inside {
                true => matches!(test, Test::LinkedInside),
                false => matches!(test, Test::LinkedOutside),
            };
            self.find(test, || Example { path: first, what });
        }
    }

    fn end_of_tops(&mut self) {
        for (name, top) in std::mem::take(&mut self.tops) {
            let is_machine = is_vm_directory(&name) || top.machine_files > 0;
            if !is_machine {
                let what = match top.foreign {
                    0 => "no files".to_owned(),
                    1 => "1 other file".to_owned(),
                    count => format!("{count} other files"),
                };
                let path = Path::new(&name).to_owned();
                self.find(
                    |test| matches!(test, Test::ForeignDirectory),
                    || Example { path, what },
                );
                continue;
            }
            let more = top.foreign - u64::try_from(top.examples.len()).unwrap_or(u64::MAX);
            let is_it = |test| matches!(test, Test::ForeignBesideMachine);
            for path in top.examples {
                let what = String::new();
                self.find(is_it, || Example { path, what });
            }
            self.count(is_it, more);
        }
    }

    fn find(&mut self, is_it: impl Fn(Test) -> bool, example: impl FnOnce() -> Example) {
        if let Some(place) = RULES.iter().position(|rule| is_it(rule.test)) {
            self.add(place, example());
        }
    }

    fn count(&mut self, is_it: impl Fn(Test) -> bool, more: u64) {
        let place = RULES.iter().position(|rule| is_it(rule.test));
        if let (Some(place), 1..) = (place, more) {
            self.found.entry(place).or_default().0 += more;
        }
    }

    fn add(&mut self, place: usize, example: Example) {
        let (count, examples) = self.found.entry(place).or_default();
        *count += 1;
        if examples.len() < self.limits.examples_max {
            examples.push(example);
        }
    }
}
