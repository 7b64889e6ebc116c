//! Every file of `captures/malformed/`, through every parser and through the dissector: what once
//! made one of them panic, or would have, does so no more.

use fsrvp::run::decode::{DecodeOptions, Format, decode};
use std::fs;
use std::path::PathBuf;

/// What the fuzz targets do; the same file, so that a finding is reproduced as it was found.
#[path = "../../fuzz/src/lib.rs"]
#[expect(
    unreachable_pub,
    reason = "in its own package it is the library's door"
)]
mod targets;

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir("captures/malformed")
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no malformed files");
    files
}

#[test]
fn no_malformed_file_makes_a_parser_panic() {
    for file in files() {
        let bytes = fs::read(&file).expect("readable");
        for (_, target) in targets::TARGETS {
            target(&bytes);
        }
    }
}

#[test]
fn every_malformed_file_is_named_for_its_target() {
    for file in files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let known = targets::TARGETS
            .iter()
            .any(|(target, _)| name.starts_with(&format!("{target}-")));
        assert!(
            known && name.ends_with(".bin"),
            "{name}: <target>-<what>.bin"
        );
    }
}

#[test]
fn a_malformed_capture_gives_one_error_that_names_file_frame_and_byte() {
    for file in files() {
        let name = file.display().to_string();
        if !name.contains("/capture_file-") {
            continue;
        }
        for format in [Format::Text, Format::Json] {
            let options = DecodeOptions {
                captures: vec![file.clone()],
                format,
                all: true,
                ..DecodeOptions::default()
            };
            let error = decode(&options, &mut Vec::new())
                .expect_err("the file is broken")
                .to_string();
            assert!(error.contains(&name) && !error.contains('\n'), "{error}");
            assert!(
                error.contains("neither") || (error.contains("byte") && error.contains("frame")),
                "{error}"
            );
        }
    }
}
