//! The judge: what the stored captures show, and whether every requirement is judged or says why
//! not.

use fsrvp::capture::Manifest;
use fsrvp::oracle;
use fsrvp::outcome::ExitStatus;
use fsrvp::requirement::{Catalogue, RequirementId};
use fsrvp::run::decode::{DecodeOptions, Format, decode};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_requirement_has_a_rule_or_a_reason() {
    let catalogue = Catalogue::built_in().expect("it reads");
    let rules = oracle::requirements();
    let mut wrong = Vec::new();
    for rule in &rules {
        match catalogue.get(&RequirementId((*rule).to_owned())) {
            None => wrong.push(format!("{rule}: a rule for what is no requirement")),
            Some(requirement) if !requirement.passive => {
                wrong.push(format!("{rule}: has a rule, and says that it cannot"));
            }
            Some(_) => {}
        }
    }
    for requirement in catalogue.iter() {
        let id = &requirement.id;
        let reason = requirement.reason.as_deref().unwrap_or_default();
        if requirement.passive && !rules.contains(&id.0.as_str()) {
            wrong.push(format!("{id}: neither a rule nor passive = false"));
        }
        if requirement.passive != reason.is_empty() {
            wrong.push(format!("{id}: passive = false and a reason go together"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rules.len() > 150, "only {} rules", rules.len());
}

fn capture_in(folder: &Path) -> PathBuf {
    ["capture.pcap", "capture.pcapng"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .expect("a folder with a manifest has a capture")
}

/// The findings of a stored capture, one a line, and what the run came to.
fn findings(folder: &Path) -> (String, ExitStatus) {
    let manifest = fs::read_to_string(folder.join("manifest.toml")).expect("readable");
    let manifest = Manifest::parse(&manifest).expect("a manifest");
    let options = DecodeOptions {
        captures: vec![capture_in(folder)],
        format: Format::Json,
        judge: true,
        timers: manifest.timers,
        ..DecodeOptions::default()
    };
    let mut out = Vec::new();
    let status = decode(&options, &mut out).expect("the capture is whole");
    let text = String::from_utf8(out).expect("text");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("{\"type\":\"finding\""));
    (lines.map(|line| format!("{line}\n")).collect(), status)
}

#[test]
fn every_stored_capture_is_judged_as_its_golden_says() {
    let mut folders: Vec<PathBuf> = fs::read_dir("captures")
        .expect("the captures are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("manifest.toml").is_file())
        .collect();
    folders.sort();
    for folder in folders {
        let (found, status) = findings(&folder);
        let must = found.contains("\"level\":\"MUST\"") || found.contains("signature");
        let expected = match must {
            true => ExitStatus::Deviates,
            false => ExitStatus::AsExpected,
        };
        assert_eq!(status, expected, "{}", folder.display());
        let mut settings = insta::Settings::clone_current();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        settings.set_snapshot_path(root.join(&folder));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("judge", found));
    }
}

#[test]
fn a_server_of_profile_spec_breaks_nothing() {
    for name in [
        "reference-check",
        "reference-rpcclient",
        "reference-torture",
    ] {
        let (found, _) = findings(&Path::new("captures").join(name));
        assert!(!found.contains("\"by\":\"server\""), "{found}");
        assert!(found.contains("\"by\":\"client\""), "{found}");
    }
}
