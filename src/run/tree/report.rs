//! What `fsrvp check --tree` found, for an administrator.

use crate::report::{Format, ReportError, visible};
use fsrvp_reference::rules::{Example, Finding, Outcome, Profile, Recovery, Totals, Unseen};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A tree that was looked at.
#[derive(Debug)]
pub(super) struct TreeReport {
    /// Its root.
    pub(super) root: PathBuf,
    /// Whose rules were asked for.
    pub(super) profiles: Vec<Profile>,
    /// With automatic recovery, without, or both.
    pub(super) recoveries: Vec<Recovery>,
    /// How deep a file may lie; 0 is no limit.
    pub(super) depth_max: u32,
    /// What it adds up to.
    pub(super) totals: Totals,
    /// The rules that are broken.
    pub(super) findings: Vec<Finding>,
    /// What nobody could see, as far as it is named.
    pub(super) unseen: Vec<Unseen>,
    /// How much that was.
    pub(super) unseen_count: u64,
}

/// The report in a format.
///
/// # Errors
/// A format that there is not for trees.
pub(super) fn render(report: &TreeReport, format: Format) -> Result<String, ReportError> {
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&value(report))?;
            Ok(text + "\n")
        }
        _ => Ok(text(report)),
    }
}

fn text(report: &TreeReport) -> String {
    let mut out = String::new();
    let Totals {
        directories,
        others,
        depth,
    } = report.totals;
    let _ = writeln!(
        out,
        "{}: {directories} directories, {others} other entries, the deepest at depth {depth}",
        shown(&report.root)
    );
    for finding in &report.findings {
        let _ = write!(out, "\n{}", of_finding(report, finding));
    }
    if report.unseen_count > 0 {
        let _ = writeln!(out, "\nnot seen: {}", report.unseen_count);
        for unseen in &report.unseen {
            let _ = writeln!(out, "    {}: {}", shown(&unseen.path), visible(&unseen.why));
        }
        rest(&mut out, report.unseen_count, report.unseen.len());
    }
    out.push('\n');
    out += &summary(report);
    out
}

fn of_finding(report: &TreeReport, finding: &Finding) -> String {
    let rule = finding.rule;
    let mut out = String::new();
    let _ = writeln!(out, "{}  {}: {}", rule.id, rule.title, finding.count);
    for (outcome, whose) in by_outcome(report, finding) {
        let _ = writeln!(out, "    {:<9}{whose}", word(outcome));
    }
    let _ = writeln!(out, "    means    {}", rule.means);
    let _ = writeln!(out, "    remedy   {}", rule.remedy);
    let _ = writeln!(out, "    source   {}", rule.source);
    for Example { path, what } in &finding.examples {
        let path = match path.as_os_str().is_empty() {
            true => "the root".to_owned(),
            false => shown(path),
        };
        let _ = match what.as_str() {
            "" => writeln!(out, "        {path}"),
            what => writeln!(out, "        {path}  ({what})"),
        };
    }
    rest(&mut out, finding.count, finding.examples.len());
    out
}

/// Says how many more there are than those that are named.
fn rest(out: &mut String, count: u64, named: usize) {
    let named = u64::try_from(named).unwrap_or(u64::MAX);
    if let more @ 1.. = count.saturating_sub(named) {
        let _ = writeln!(out, "        and {more} more");
    }
}

/// The outcomes that somebody speaks of, the gravest first, and who does.
fn by_outcome(report: &TreeReport, finding: &Finding) -> Vec<(Outcome, String)> {
    let gravest = [
        Outcome::Refused,
        Outcome::Dangling,
        Outcome::Warned,
        Outcome::Accepted,
    ];
    let mut lines = Vec::new();
    for outcome in gravest {
        let whose = report.profiles.iter().filter_map(|profile| {
            let is_it =
                |recovery: &&Recovery| finding.rule.outcome(*profile, **recovery) == outcome;
            let under: Vec<Recovery> = report.recoveries.iter().filter(is_it).copied().collect();
            let name = profile.name();
            match under.as_slice() {
                [] => None,
                [Recovery::Auto] if report.recoveries.len() > 1 => {
                    Some(format!("{name} with automatic recovery"))
                }
                [Recovery::None] if report.recoveries.len() > 1 => {
                    Some(format!("{name} without automatic recovery"))
                }
                _ => Some(name.to_owned()),
            }
        });
        let whose: Vec<String> = whose.collect();
        if !whose.is_empty() {
            lines.push((outcome, whose.join(", ")));
        }
    }
    lines
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Refused => "refused",
        Outcome::Dangling => "dangling",
        Outcome::Warned => "warning",
        Outcome::Accepted => "accepted",
        Outcome::Unspoken => "unspoken",
    }
}

/// For each profile whether it would refuse.
fn summary(report: &TreeReport) -> String {
    let mut out = String::new();
    for profile in &report.profiles {
        let depth = match (profile.default_depth(), report.depth_max) {
            (0, _) => String::new(),
            (_, 0) => " (no limit of depth)".to_owned(),
            (_, depth) => format!(" (depth {depth})"),
        };
        let verdict = |recovery: &Recovery| {
            let broken = report
                .findings
                .iter()
                .filter(|finding| finding.rule.outcome(*profile, *recovery) == Outcome::Refused);
            match broken.count() {
                0 => "ok".to_owned(),
                1 => "refused by 1 rule".to_owned(),
                count => format!("refused by {count} rules"),
            }
        };
        let verdicts: Vec<String> = report.recoveries.iter().map(verdict).collect();
        let told = match verdicts.as_slice() {
            [auto, none] if auto != none => {
                format!("with automatic recovery {auto}, without {none}")
            }
            [one, ..] => one.clone(),
            [] => String::new(),
        };
        let _ = writeln!(out, "{}{depth}: {told}", profile.name());
    }
    out
}

/// A path with what a terminal would not show; bytes that are not UTF-8 as `\xNN`.
fn shown(path: &Path) -> String {
    let mut out = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        out += &visible(chunk.valid()).replace(['\n', '\r'], "\\n");
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn value(report: &TreeReport) -> Value {
    let finding = |finding: &Finding| {
        let outcomes: serde_json::Map<String, Value> = report
            .profiles
            .iter()
            .map(|profile| {
                let by_recovery: serde_json::Map<String, Value> = report
                    .recoveries
                    .iter()
                    .map(|recovery| {
                        let outcome = word(finding.rule.outcome(*profile, *recovery));
                        (recovery.name().to_owned(), outcome.into())
                    })
                    .collect();
                (profile.name().to_owned(), by_recovery.into())
            })
            .collect();
        let examples: Vec<Value> = finding
            .examples
            .iter()
            .map(|example| json!({ "path": shown(&example.path), "what": example.what }))
            .collect();
        json!({
            "rule": finding.rule.id.0,
            "title": finding.rule.title,
            "means": finding.rule.means,
            "remedy": finding.rule.remedy,
            "source": finding.rule.source,
            "count": finding.count,
            "outcomes": outcomes,
            "examples": examples,
        })
    };
    let unseen = |unseen: &Unseen| json!({ "path": shown(&unseen.path), "why": unseen.why });
    json!({
        "fsrvp": env!("CARGO_PKG_VERSION"),
        "root": shown(&report.root),
        "depth_max": report.depth_max,
        "directories": report.totals.directories,
        "others": report.totals.others,
        "depth": report.totals.depth,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unseen": { "count": report.unseen_count,
                    "examples": report.unseen.iter().map(unseen).collect::<Vec<_>>() },
    })
}
