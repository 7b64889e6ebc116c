//! `fsrvp check --tree`: which entries of a tree break whose directory rules, before a backup does.

mod report;

pub use fsrvp_reference::rules::{Profile, Recovery};

use crate::report::{Format, ReportError};
use crate::run::tree::report::TreeReport;
use fsrvp_reference::rules::{Limits, Outcome, Survey, WalkError, walk};
use std::cell::RefCell;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// How many entries that nobody could see are named.
const UNSEEN_MAX: usize = 20;

/// What a tree is checked for.
#[derive(Debug, Clone)]
pub struct TreeOptions {
    /// The directory that is, or is to be, the root of a share.
    pub root: PathBuf,
    /// Whose rules; all of them where nobody says.
    pub profile: Option<Profile>,
    /// With automatic recovery, or without; both where nobody says.
    pub recovery: Option<Recovery>,
    /// How deep a file may lie, 0 for no limit; otherwise what the profile has.
    pub depth_max: Option<u32>,
    /// How many entries are named of each rule.
    pub examples_max: usize,
    /// Text or JSON.
    pub format: Format,
}

/// Why a tree could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It cannot be walked.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The report cannot be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// It could not be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Checks a tree. Gives the exit code: 1 where an entry makes a shadow copy be refused, or 0.
///
/// # Errors
/// What kept it from being checked.
pub fn check_tree(options: &TreeOptions, out: &mut dyn Write) -> Result<u8, TreeError> {
    let depth_max = options
        .depth_max
        .unwrap_or_else(|| depth_of(options.profile));
    let survey = RefCell::new(Survey::new(Limits {
        depth_max,
        examples_max: options.examples_max,
    }));
    let (mut unseen, mut unseen_count) = (Vec::new(), 0u64);
    let mut look = |entry: &_| survey.borrow_mut().look(entry);
    let mut cannot_see = |what| {
        unseen_count += 1;
        if unseen.len() < UNSEEN_MAX {
            unseen.push(what);
        }
    };
    let is_file_system_root = walk(&options.root, &mut look, &mut cannot_see)?;
    let is_link = fs::symlink_metadata(&options.root).is_ok_and(|about| about.is_symlink());
    let mut survey = survey.into_inner();
    survey.look_at_root(is_file_system_root, is_link);
    let (mut findings, totals) = survey.finish();
    let speaks = |outcome| !matches!(outcome, Outcome::Unspoken | Outcome::Accepted);
    let asked = Asked::of(options);
    findings.retain(|finding| {
        asked
            .iter()
            .any(|(p, r)| speaks(finding.rule.outcome(p, r)))
    });
    let is_refused = findings.iter().any(|finding| {
        let mut outcomes = asked.iter().map(|(p, r)| finding.rule.outcome(p, r));
        outcomes.any(|outcome| outcome == Outcome::Refused)
    });
    let report = TreeReport {
        root: options.root.clone(),
        profiles: asked.profiles,
        recoveries: asked.recoveries,
        depth_max,
        totals,
        findings,
        unseen,
        unseen_count,
    };
    out.write_all(report::render(&report, options.format)?.as_bytes())?;
    Ok(u8::from(is_refused))
}

/// Of several profiles the one that has a limit.
fn depth_of(profile: Option<Profile>) -> u32 {
    let every = Profile::ALL.map(Profile::default_depth);
    let largest = every.into_iter().max().unwrap_or_default();
    profile.map_or(largest, Profile::default_depth)
}

/// For whom it is judged.
struct Asked {
    profiles: Vec<Profile>,
    recoveries: Vec<Recovery>,
}

impl Asked {
    fn of(options: &TreeOptions) -> Asked {
        Asked {
            profiles: options
                .profile
                .map_or(Profile::ALL.to_vec(), |one| vec![one]),
            recoveries: options
                .recovery
                .map_or(Recovery::ALL.to_vec(), |one| vec![one]),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Profile, Recovery)> {
        let of_profile = |profile: &Profile| {
            let profile = *profile;
            self.recoveries
                .iter()
                .map(move |recovery| (profile, *recovery))
        };
        self.profiles.iter().flat_map(of_profile)
    }
}
